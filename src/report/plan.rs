//! What would be built: the text of `hairpin plan`, and drawings of it ([`graph`]).
//!
//! Says the kernel operations as an operator would type them. Not here: doing them (see `world`).

/// One line. Writing to a string cannot fail.
macro_rules! line {
    ($out:expr, $($text:tt)*) => {
        writeln!($out, $($text)*).expect("a string takes everything")
    };
}

mod devices;
mod endpoints;
mod graph;
mod guards;
mod nat;
mod steps;

pub use graph::{Drawing, Graph, Node, draw, graph};

use super::kind_word;
use super::wrap::{count, cut, wrap};
use crate::fabric::config::{
    Balancer, Classic, Config, Forward, GroupId, Kind, Link, Listener, OnBackendReset, OnCollision,
    OnDeregister, OnMissingFlow, Port, Protocol, Target, ZonalId,
};
use crate::plan::{App, Attachment, Host, HostId, Plan, Server};
use crate::units::{Bytes, Percent, Rate, Time};
use std::fmt::Write;
use std::net::SocketAddrV4;
use std::time::Duration;

/// Columns of the story.
const WIDTH: usize = 100;
/// Targets listed in a line, at most; the count tells of the rest.
const LISTED: usize = 12;

/// Everything that one case would build and do, for people.
pub fn plan(plan: &Plan) -> String {
    let mut out = String::new();
    head(plan, &mut out);
    changes(plan, &mut out);
    hosts(plan, &mut out);
    network(plan, &mut out);
    operations(plan, &mut out);
    steps::steps(plan, &mut out);
    claims(plan, &mut out);
    out
}

/// The boxes of the network between the hosts, with the settings in force.
pub(crate) fn configured(plan: &Plan) -> String {
    let mut out = String::new();
    network(plan, &mut out);
    out.trim().to_owned()
}

fn network(plan: &Plan, out: &mut String) {
    nat::gateways(plan, out);
    balancers(plan, out);
    endpoints::endpoints(plan, out);
    groups(plan, out);
    guards::guards(plan, out);
}

fn head(plan: &Plan, out: &mut String) {
    line!(out, "{}/{}: {}", plan.lab, plan.case, kind_word(plan.kind));
    line!(out, "{}", plan.title);
    for text in wrap(&plan.shows, WIDTH) {
        line!(out, "{text}");
    }
    let clock = if plan.time_scale > 1.0 {
        format!("cloud time runs {} times faster", plan.time_scale)
    } else {
        "cloud time is real time".to_owned()
    };
    line!(out, "seed {}; {clock}", plan.seed);
}

fn changes(plan: &Plan, out: &mut String) {
    line!(out, "\nWHAT THIS CASE CHANGES");
    if plan.changes.is_empty() {
        line!(out, "  nothing");
    }
    for change in &plan.changes {
        let before = change.before.as_deref().unwrap_or("(not written)");
        let after = change.after.as_deref().unwrap_or("(removed)");
        line!(
            out,
            "  {}: {} -> {}",
            change.path,
            cut(before, WIDTH),
            cut(after, WIDTH)
        );
    }
}

/// Hosts in runs: those of one `count` are alike and stand in one line.
fn runs(plan: &Plan) -> Vec<(String, &[Host])> {
    let mut runs = Vec::new();
    let mut groups = plan.groups.iter().peekable();
    let mut next = 0;
    while next < plan.hosts.len() {
        let members = groups.next_if(|(_, members)| {
            members
                .first()
                .is_some_and(|first| first.0 as usize == next)
        });
        let (name, length) = match members {
            Some((_, members)) if members.len() > 1 => {
                let last = &plan.hosts[next + members.len() - 1].name;
                let name = format!("{} .. {last}", plan.hosts[next].name);
                (name, members.len())
            }
            Some(_) | None => (plan.hosts[next].name.clone(), 1),
        };
        runs.push((name, &plan.hosts[next..next + length]));
        next += length;
    }
    runs
}

fn hosts(plan: &Plan, out: &mut String) {
    line!(out, "\nHOSTS");
    let runs = runs(plan);
    let widest = runs.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    for (name, hosts) in runs {
        let (first, last) = (&hosts[0], &hosts[hosts.len() - 1]);
        let addresses = if hosts.len() == 1 {
            first.address.to_string()
        } else {
            format!("{} .. {}", first.address, last.address)
        };
        let public = match (first.public_address, last.public_address) {
            (Some(one), Some(other)) if one == other => format!(", public {one}"),
            (Some(one), Some(other)) => format!(", public {one} .. {other}"),
            (_, _) => String::new(),
        };
        let ipv6 = match (first.ipv6, last.ipv6) {
            (Some(one), Some(other)) if one == other => format!(", {one}"),
            (Some(one), Some(other)) => format!(", {one} .. {other}"),
            (_, _) => String::new(),
        };
        let place = devices::place(plan, first);
        let further = match first.addresses.as_slice() {
            [] => String::new(),
            some => format!(
                ", besides {}",
                some.iter()
                    .map(ToString::to_string)
                    .collect::<Vec<_>>()
                    .join(", ")
            ),
        };
        line!(
            out,
            "  {name:widest$}  {addresses}{further}{public}{ipv6}, {place}"
        );
    }
}

fn balancers(plan: &Plan, out: &mut String) {
    if plan.fabric.balancers.is_empty() {
        return;
    }
    line!(out, "\nLOAD BALANCERS");
    for balancer in &plan.fabric.balancers {
        if let Some(why) = &balancer.failure {
            line!(out, "  {}: failed, because {why}", balancer.name);
            continue;
        }
        line!(out, "  {}: {}", balancer.name, knobs(balancer));
        for zonal in &balancer.zonal {
            let name = format!("{}/{}", balancer.name, zonal.zone);
            let ipv6 = zonal.ipv6.and_then(|ipv6| plan.fabric.stand_ins.real(ipv6));
            let ipv6 = ipv6.map_or(String::new(), |ipv6| format!(", {ipv6}"));
            match zonal.public {
                Some(public) => line!(
                    out,
                    "    {name}  {public}, inside the VPC {}{ipv6}",
                    zonal.private
                ),
                None => line!(out, "    {name}  {}{ipv6}, internal", zonal.private),
            }
        }
        for listener in &balancer.listeners {
            listener_lines(plan, balancer, listener, out);
        }
    }
}

fn knobs(balancer: &Balancer) -> String {
    match &balancer.kind {
        Kind::Network => format!("network, {}", flow_knobs(balancer)),
        Kind::Classic(classic) => format!("classic, {}", classic_knobs(classic)),
        Kind::Application(_) => "application".to_owned(),
    }
}

fn classic_knobs(classic: &Classic) -> String {
    let deregistered = match classic.on_deregister {
        OnDeregister::Close => "closes the connections of an instance out of service",
        OnDeregister::Reset => "resets the clients of an instance out of service",
        OnDeregister::Blackhole => "swallows what clients of an instance out of service say",
        OnDeregister::Drain => "lets the connections of an instance out of service go on",
    };
    let reset = match classic.on_backend_reset {
        OnBackendReset::Propagate => "passes an instance's reset on",
        OnBackendReset::Ignore => "keeps an instance's reset to itself",
    };
    format!("{deregistered}, {reset}")
}

fn flow_knobs(balancer: &Balancer) -> String {
    let collision = match balancer.on_collision {
        OnCollision::Newest => "on collision the newest flow wins",
        OnCollision::KeepOld => "on collision the old flow wins",
        OnCollision::PortRewrite => "on collision the newcomer gets another port",
    };
    let missing = match balancer.on_missing_flow {
        OnMissingFlow::Reset => "data without a flow is reset",
        OnMissingFlow::Drop => "data without a flow is dropped",
    };
    format!("{collision}, {missing}")
}

fn listener_lines(plan: &Plan, balancer: &Balancer, listener: &Listener, out: &mut String) {
    let (config, scale) = (&plan.fabric, plan.time_scale);
    for forward in &listener.forward {
        let share = if listener.forward.len() > 1 {
            format!(" (weight {})", forward.weight)
        } else {
            String::new()
        };
        line!(
            out,
            "    {} {} -> {}{share}, {}, idle limit {}",
            protocol(listener.protocol),
            listener.port,
            config.groups[forward.group.0 as usize].name,
            if forward.cross_zone {
                "across zones"
            } else {
                "each zone to its own targets"
            },
            cloud(idle_timeout(balancer, listener), scale)
        );
        forward_lines(plan, balancer, listener, forward, out);
    }
}

/// Of connections: a proxy has it itself, of others each listener has its own.
fn idle_timeout(balancer: &Balancer, listener: &Listener) -> Duration {
    match &balancer.kind {
        Kind::Network => listener.idle_timeout,
        Kind::Classic(classic) => classic.idle_timeout,
        Kind::Application(application) => application.idle_timeout,
    }
}

fn forward_lines(
    plan: &Plan,
    balancer: &Balancer,
    listener: &Listener,
    forward: &Forward,
    out: &mut String,
) {
    for (zonal, place) in (0u8..).zip(&balancer.zonal) {
        let reach = reach(&plan.fabric, balancer, listener, forward, ZonalId(zonal));
        let text = if reach.is_empty() {
            match balancer.kind {
                Kind::Application(_) => "no target: requests are answered with 503".to_owned(),
                Kind::Classic(_) => "no target: a new connection waits".to_owned(),
                Kind::Network => "no target: a new connection is dropped".to_owned(),
            }
        } else {
            listed(&reach)
        };
        line!(out, "      {}/{} -> {text}", balancer.name, place.zone);
    }
}

/// Where one zonal address can send, the way the fabric decides it: a preferred target, wherever it is eligible,
/// leaves no choice.
fn reach(
    config: &Config,
    balancer: &Balancer,
    listener: &Listener,
    forward: &Forward,
    zonal: ZonalId,
) -> Vec<String> {
    let targets = &config.groups[forward.group.0 as usize].targets;
    let eligible: Vec<(usize, &Target)> = targets
        .iter()
        .enumerate()
        .filter(|(_, target)| target.registered && balancer.reaches(zonal, forward, target))
        .collect();
    let preferred = balancer
        .prefer
        .iter()
        .filter(|(at, _)| *at == zonal)
        .flat_map(|(_, wanted)| wanted)
        .find_map(|wanted| eligible.iter().find(|(index, _)| index == wanted));
    let written = |target: &Target| {
        format!(
            "{} {}",
            target.name,
            config
                .stand_ins
                .end(SocketAddrV4::new(target.address, listener.port_at(target)))
        )
    };
    match preferred {
        Some((_, target)) => vec![format!("{} (preferred)", written(target))],
        None => eligible.iter().map(|(_, target)| written(target)).collect(),
    }
}

fn listed(names: &[String]) -> String {
    if names.len() <= LISTED {
        names.join(", ")
    } else {
        format!("{}, ... {} in all", names[..LISTED].join(", "), names.len())
    }
}

fn groups(plan: &Plan, out: &mut String) {
    if plan.fabric.groups.is_empty() {
        return;
    }
    line!(out, "\nTARGET GROUPS");
    let kinds = || plan.fabric.balancers.iter().map(|balancer| &balancer.kind);
    for (number, group) in (0u16..).map(GroupId).zip(&plan.fabric.groups) {
        // Instances of a classic balancer are no group of the lab.
        if kinds().any(|kind| matches!(kind, Kind::Classic(classic) if classic.group == number)) {
            continue;
        }
        line!(
            out,
            "  {}: {}, {}",
            group.name,
            count(group.targets.len(), "target"),
            if group.preserve_client_ip {
                "the client's address is preserved"
            } else {
                "targets see the load balancer's address"
            }
        );
    }
}

fn operations(plan: &Plan, out: &mut String) {
    line!(out, "\nKERNEL OPERATIONS, BY HOST AND IN ORDER");
    let mut first = 0;
    for (name, hosts) in runs(plan) {
        let (id, host) = (HostId(first), &hosts[0]);
        first += u32::try_from(hosts.len()).expect("the number of hosts is limited");
        if hosts.len() == 1 {
            line!(out, "  {name}");
        } else {
            line!(out, "  {name} (alike; this is {})", host.name);
        }
        devices::devices(plan, id, out);
        for (key, value) in &host.sysctls {
            line!(out, "    sysctl -w {key}=\"{value}\"");
        }
        for (command, text) in [
            ("nft -f -", &host.rules),
            ("nft -f -", &host.nft),
            ("iptables-restore", &host.iptables),
            ("/bin/sh -e", &host.setup),
        ] {
            if let Some(text) = text {
                line!(out, "    {command}");
                for text in text.lines() {
                    line!(out, "      | {text}");
                }
            }
        }
        for server in &host.servers {
            line!(out, "    {}", serves(server));
        }
        if host.attachment == Attachment::Fabric {
            edge(&plan.fabric.ports[id.0 as usize], out);
        }
    }
}

/// What the fabric does to the packets of a port.
fn edge(port: &Port, out: &mut String) {
    for (direction, link) in [("up", &port.up), ("down", &port.down)] {
        if *link != Link::default() {
            line!(
                out,
                "    link {direction}, in the fabric: {}",
                link_text(link)
            );
        }
    }
    if port.quirks.syn_resend_classic {
        line!(
            out,
            "    kernel quirk, in the fabric: a SYN re-sent within 0.9 s never leaves"
        );
    }
}

fn serves(server: &Server) -> String {
    let port = if server.udp {
        format!("{}/udp", server.port)
    } else {
        server.port.to_string()
    };
    let app = match &server.app {
        App::Echo { idle_close: None } => "echo".to_owned(),
        App::Echo {
            idle_close: Some(idle),
        } => format!("echo, closes after {} of silence", time(*idle)),
        App::Sink => "sink".to_owned(),
        App::Banner { text } => format!("banner {text:?}"),
        App::Name => "name".to_owned(),
        App::Source { bytes, every } => {
            format!(
                "source, {} every {}",
                Bytes(u64::from(*bytes)),
                time(*every)
            )
        }
        App::Http(_) => "http".to_owned(),
        App::Https { tls, .. } => match tls {
            Some(version) => format!("https, TLS {version} only"),
            None => "https".to_owned(),
        },
        App::NeverAccept { backlog } => format!("never_accept, backlog {backlog}"),
        App::Command { command, .. } => format!("command: {}", cut(command.trim(), WIDTH)),
    };
    let header = if server.proxy_protocol {
        ", behind a PROXY protocol header"
    } else {
        ""
    };
    format!("listen on {port}: {app}{header}")
}

fn link_text(link: &Link) -> String {
    let mut parts = Vec::new();
    if !link.delay.is_zero() {
        parts.push(format!("delay {}", time(link.delay)));
    }
    if !link.jitter.is_zero() {
        parts.push(format!("jitter {}", time(link.jitter)));
    }
    for (what, share) in [
        ("loss", link.loss),
        ("duplicate", link.duplicate),
        ("reorder", link.reorder),
        ("corrupt", link.corrupt),
    ] {
        if share > 0.0 {
            parts.push(format!("{what} {}", Percent(share * 100.0)));
        }
    }
    if let Some(rate) = link.rate {
        parts.push(format!("rate {}", Rate(rate)));
    }
    if let Some(mtu) = link.mtu {
        parts.push(format!("mtu {mtu}"));
    }
    if let Some(queue) = link.queue {
        parts.push(format!("queue {queue} packets"));
    }
    parts.join(", ")
}

fn claims(plan: &Plan, out: &mut String) {
    for (title, claims) in [
        ("THE PROMISE", &plan.works),
        ("THIS CASE CLAIMS", &plan.expect),
    ] {
        if claims.is_empty() {
            continue;
        }
        line!(out, "\n{title}");
        for claim in claims {
            match &claim.words {
                Some(words) => line!(out, "  {words}: {}", claim.that.trim()),
                None => line!(out, "  {}", claim.that.trim()),
            }
        }
    }
    if !plan.finds.is_empty() {
        line!(out, "\nIT MUST SHOW\n  {}", plan.finds.join(", "));
    }
    if !plan.may_find.is_empty() {
        line!(out, "\nIT MAY SHOW\n  {}", plan.may_find.join(", "));
    }
}

fn protocol(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Tcp => "TCP",
        Protocol::Udp => "UDP",
    }
}

/// With a unit, whole KiB and MiB as such.
fn bytes(size: u32) -> String {
    let text = Bytes(u64::from(size)).to_string();
    if text.ends_with(|c: char| c.is_ascii_digit()) {
        format!("{text} bytes")
    } else {
        text
    }
}

/// Scaled times can be any fraction: seconds with a point, to the microsecond.
fn time(span: Duration) -> String {
    let micros = u64::try_from(span.as_micros()).unwrap_or(u64::MAX);
    if micros > 1_000_000 && micros % 1_000_000 != 0 {
        return format!("{}s", span.as_secs_f64());
    }
    Time(Duration::from_micros(micros)).to_string()
}

/// A time of the cloud's, on both clocks.
fn cloud(span: Duration, scale: f64) -> String {
    if scale > 1.0 {
        let written = Duration::from_secs_f64((span.as_secs_f64() * scale).round());
        format!("{} cloud ({})", time(written), time(span))
    } else {
        time(span)
    }
}

/// Which group a listener forwards to, by name.
fn group_name(config: &Config, group: GroupId) -> &str {
    &config.groups[group.0 as usize].name
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) const LAB: &str = r#"
title: A plan to print
time_scale: 100
hosts:
  desk: { count: 3, sysctls: { net.ipv4.tcp_syn_retries: 1 }, link: { delay: 5ms } }
  web1:
    zone: a
    serve: { 80: echo }
    nft: |
      table ip guard {
        chain in { type filter hook input priority filter; ip saddr { $desk } accept }
      }
  web2: { zone: b, public_address: auto, serve: { 80: echo } }
target_groups:
  web: { targets: [web1, web2] }
load_balancers:
  front: { zones: [a, b], listeners: { 80: web } }
steps:
  - load: { as: staff, from: desk, to: front, connections: 2, hold: true }
  - exchange: { over: staff, times: 3, every: 5ms }
  - wait: 400s cloud
works:
  - everybody gets in: staff.failed == 0
cases:
  as-deployed:
    kind: control
  across:
    kind: control
    set: { load_balancers.front.attributes.load_balancing.cross_zone.enabled: true }
"#;

    pub(super) fn plans() -> Vec<Plan> {
        crate::plan::read(LAB.as_bytes(), "labs/test/print.yaml").expect("plans")
    }

    #[test]
    fn a_plan_says_all_that_will_be_built() {
        insta::assert_snapshot!(super::plan(&plans()[1]));
    }

    #[test]
    fn without_cross_zone_each_address_sends_to_its_own_zone() {
        let text = super::plan(&plans()[0]);
        assert!(text.contains("front/a -> web1 10.0.0.10:80\n"), "{text}");
        assert!(text.contains("front/b -> web2 10.0.16.10:80\n"), "{text}");
    }
}
