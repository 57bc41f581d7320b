//! Whether targets serve what load balancers send them.

use super::Balancer;
use super::listeners::{Listener, may_forward};
use crate::diag::Diagnostic;
use crate::diag::codes::plan as code;
use crate::fabric::config::Protocol;
use crate::plan::Sink;
use crate::plan::groups::{Carries, Group, Groups, Target};
use crate::plan::hosts::{Draft, Hosts};
use crate::spec::{self, Body};
use std::collections::HashSet;

/// A target must serve the port it gets connections on, else every client is refused for a reason that no story
/// tells. Hosts that run programs of their own or rewrite ports are trusted, and so are nodes.
pub(in crate::plan) fn served(
    body: &Body,
    balancers: &[Balancer<'_>],
    groups: &Groups<'_>,
    hosts: &Hosts<'_>,
    sink: &mut Sink,
) {
    let mut checked = HashSet::new();
    let runs = runs_programs(body);
    let listeners = balancers.iter().flat_map(|balancer| &balancer.listeners);
    let forwards = listeners.flat_map(|one| one.forward.iter().map(move |share| (one, share)));
    for (listener, share) in forwards {
        let group = &groups.list[share.group];
        let takes = match listener.protocol {
            Protocol::Tcp if listener.terminates => Carries::Tls,
            Protocol::Tcp if group.protocol == Carries::Http => Carries::Http,
            Protocol::Tcp => Carries::Tcp,
            Protocol::Udp => Carries::Udp,
        };
        let port = listener.instance_port.unwrap_or(listener.port);
        let key = (share.group, port, listener.protocol);
        if !may_forward(takes, group.protocol) || !checked.insert(key) {
            continue;
        }
        for target in &group.targets {
            let host = hosts.get(target.host);
            let port = target
                .port
                .or(listener.instance_port)
                .unwrap_or(listener.port);
            let udp = listener.protocol == Protocol::Udp;
            let own_way = hosts.cluster.is_node(&host.name)
                || host.section.setup.is_some()
                || host.section.nft.is_some()
                || host.section.iptables.is_some()
                || runs.contains(host.name.as_str());
            let serves = host
                .section
                .serve
                .iter()
                .any(|(served, _)| served.value.port == port && served.value.udp == udp);
            if !serves && !own_way {
                sink.push(serves_nothing(listener, group, target, host, port));
            }
        }
    }
}

fn serves_nothing(
    listener: &Listener,
    group: &Group<'_>,
    target: &Target,
    host: &Draft<'_>,
    port: u16,
) -> Diagnostic {
    let udp = listener.protocol == Protocol::Udp;
    let key = if udp {
        format!("{port}/udp")
    } else {
        port.to_string()
    };
    let app = if listener.http { "http" } else { "echo" };
    let served = host.section.serve.iter().map(|(served, _)| served.value);
    let served: Vec<u16> = served
        .filter(|served| served.udp == udp)
        .map(|served| served.port)
        .collect();
    let other = match served[..] {
        [only] if group.owner.is_some() => {
            format!("name the port that it serves: `{}: {only}`", listener.port)
        }
        [only] => format!(
            "register the port that it serves: `targets: {{ {}: {{ port: {only} }} }}`",
            host.name
        ),
        _ => "give the target the port it serves".to_owned(),
    };
    Diagnostic::new(
        code::TARGET_SERVES_NOTHING,
        target.span,
        format!("target `{}` serves nothing on port {key}", host.name),
    )
    .label(format!("registered in `{}`", group.name.value))
    .also(host.key.span, "this host")
    .help(format!(
        "add `serve: {{ {key}: {app} }}` to the host, or {other}"
    ))
}

/// Hosts on which a `run` step may start a server.
fn runs_programs(body: &Body) -> HashSet<&str> {
    body.steps
        .iter()
        .filter_map(|step| match &step.verb {
            spec::Verb::Run { on_host, .. } => Some(on_host.value.as_str()),
            spec::Verb::Connect { .. }
            | spec::Verb::Load { .. }
            | spec::Verb::Exchange(_)
            | spec::Verb::Send(_)
            | spec::Verb::Receive(_)
            | spec::Verb::Close { .. }
            | spec::Verb::Abort { .. }
            | spec::Verb::Inject { .. }
            | spec::Verb::Shutdown { .. }
            | spec::Verb::Wait { .. }
            | spec::Verb::WaitUntil { .. }
            | spec::Verb::Stop { .. }
            | spec::Verb::Kill { .. }
            | spec::Verb::Reload { .. }
            | spec::Verb::Registration { .. }
            | spec::Verb::Set { .. }
            | spec::Verb::Fault(_) => None,
        })
        .collect()
}
