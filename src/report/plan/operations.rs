//! What is done in each host, as an operator would type it.

use super::quantities::time;
use super::{WIDTH, devices, runs};
use crate::fabric::config::{Link, Port, RandomizedSequence};
use crate::plan::{App, Attachment, Host, HostId, Plan, Server};
use crate::report::wrap::cut;
use crate::units::{Bytes, Percent, Rate};
use std::fmt::Write;

pub(super) fn operations(plan: &Plan, out: &mut String) {
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
        own_settings(host, out);
        for server in &host.servers {
            line!(out, "    {}", serves(server));
        }
        if host.attachment == Attachment::Fabric {
            edge(&plan.fabric.ports[id.0 as usize], out);
        }
    }
}

/// What is set in each host that has settings of its own: sysctls, rules, scripts, its link.
pub(super) fn settings(plan: &Plan, out: &mut String) {
    let mut first = 0;
    let mut told = String::new();
    for (name, hosts) in runs(plan) {
        let (id, host) = (HostId(first), &hosts[0]);
        first += u32::try_from(hosts.len()).expect("the number of hosts is limited");
        let mut own = String::new();
        own_settings(host, &mut own);
        if host.attachment == Attachment::Fabric {
            edge(&plan.fabric.ports[id.0 as usize], &mut own);
        }
        if !own.is_empty() {
            line!(told, "  {name}");
            told.push_str(&own);
        }
    }
    if !told.is_empty() {
        line!(out, "\nSETTINGS OF HOSTS\n{}", told.trim_end());
    }
}

fn own_settings(host: &Host, out: &mut String) {
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
        App::Echo {
            idle_close,
            message,
        } => {
            let message = message.map_or(String::new(), |bytes| {
                format!(", messages of {}", Bytes(u64::from(bytes)))
            });
            let idle = idle_close.map_or(String::new(), |idle| {
                format!(", closes after {} of silence", time(idle))
            });
            format!("echo{message}{idle}")
        }
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
        let cut = if link.fragments {
            ", larger ones are cut"
        } else {
            ""
        };
        parts.push(format!("mtu {mtu}{cut}"));
    }
    if let Some(queue) = link.queue {
        parts.push(format!("queue {queue} packets"));
    }
    match link.numbers.sequence {
        Some(RandomizedSequence::HeaderOnly) => {
            parts.push("other sequence numbers, but not in SACK blocks".into());
        }
        Some(RandomizedSequence::WithSack) => {
            parts.push("other sequence numbers, in SACK blocks as well".into());
        }
        None => {}
    }
    if link.numbers.timestamp_offset != 0 {
        let ticks = link.numbers.timestamp_offset.cast_signed();
        parts.push(format!("the host's TCP timestamps {ticks:+}"));
    }
    parts.join(", ")
}
