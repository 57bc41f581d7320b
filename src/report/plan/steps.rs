//! The steps of a plan, with what they resolve to.

use super::quantities::{bytes, time};
use super::{WIDTH, listed};
use crate::plan::{Dial, Fault, HostId, Plan, Request, Step, Transfer, Verb};
use crate::report::wrap::{count, cut};
use std::fmt::Write;
use std::time::Duration;

/// The story, one line a step.
pub(super) fn steps(plan: &Plan, out: &mut String) {
    line!(out, "\nSTEPS");
    let digits = plan.steps.len().to_string().len();
    for (number, step) in (1..).zip(&plan.steps) {
        let name = if step.named {
            format!(" ({})", step.name)
        } else {
            String::new()
        };
        let details = details(plan, step);
        let details = if details.is_empty() {
            String::new()
        } else {
            format!(": {details}")
        };
        let background = if step.background {
            ", in the background"
        } else {
            ""
        };
        line!(
            out,
            "  {number:>digits$}  {}{name}{details}{background}",
            step.label
        );
    }
}

fn details(plan: &Plan, step: &Step) -> String {
    match &step.verb {
        Verb::Connect {
            dial,
            source_port,
            keepalive,
            user_timeout,
            nodelay,
            tls,
            timeout,
        } => {
            let tls = if *tls { ", TLS" } else { "" };
            let nodelay = if *nodelay { ", TCP_NODELAY" } else { "" };
            let port = source_port.map_or(String::new(), |port| format!(" from port {port}"));
            format!(
                "{}{port}{tls}{nodelay}{}, limit {}",
                dialled(dial),
                timers(*keepalive, *user_timeout),
                time(*timeout)
            )
        }
        Verb::Load {
            dials,
            connections,
            source_port,
            rate,
            hold,
            request,
            keepalive,
            user_timeout,
            tls,
            timeout,
        } => {
            let tls = if *tls { ", TLS" } else { "" };
            let clients = count(dials.len(), "client");
            let ports = source_port.map_or(String::new(), |first| {
                format!(
                    " from ports {first} to {}",
                    u32::from(first) + connections - 1
                )
            });
            let first = dials.first().map_or(String::new(), dialled);
            let rate = rate.map_or(String::new(), |rate| format!(", {rate} a second"));
            let request = request.as_ref().map_or(String::new(), asked);
            let hold = if *hold { ", kept open" } else { "" };
            format!(
                "{clients}, {first}{ports}{tls}{rate}{request}{hold}{}, limit {}",
                timers(*keepalive, *user_timeout),
                time(*timeout)
            )
        }
        Verb::Exchange(t) | Verb::Send(t) | Verb::Receive(t) => transfer(t),
        Verb::WaitUntil { timeout, .. } => format!("limit {}", time(*timeout)),
        Verb::Wait { lapse } => format!("{} of real time", time(*lapse)),
        Verb::Stop { hosts, .. } | Verb::Kill { hosts } | Verb::Reload { hosts, .. } => {
            listed(&names(plan, hosts))
        }
        Verb::Fault(
            Fault::Freeze(hosts)
            | Fault::PowerOff(hosts)
            | Fault::LinkDown(hosts)
            | Fault::Heal { hosts, .. },
        ) => listed(&names(plan, hosts)),
        Verb::Fault(Fault::Drop(_)) => String::new(),
        Verb::Registration { group, targets, .. } => {
            let group = &plan.fabric.groups[group.0 as usize];
            let names: Vec<String> = targets
                .iter()
                .map(|target| group.targets[*target].name.clone())
                .collect();
            format!("{} of {}", listed(&names), group.name)
        }
        Verb::Endpoints { pods, service, .. } => format!("{} of {service}", listed(pods)),
        Verb::Set { .. } => String::new(),
        Verb::Run {
            command, timeout, ..
        } => format!(
            "{}, limit {}",
            cut(command.trim(), WIDTH).replace('\n', "; "),
            time(*timeout)
        ),
        Verb::Inject {
            beyond,
            bytes: n,
            reset,
            ..
        } => {
            let what = match reset {
                true => "RST".to_owned(),
                false => bytes(u32::from(*n)),
            };
            format!("to the client, {what}, {beyond} bytes after the last segment's end")
        }
        Verb::Close { .. } | Verb::Abort { .. } | Verb::Shutdown { .. } => String::new(),
    }
}

fn asked(request: &Request) -> String {
    match request {
        Request::Bytes(size) => format!(", {} each way", bytes(*size)),
        Request::Http(http) => {
            let host = http
                .host
                .as_ref()
                .map_or(String::new(), |host| format!(" of {host}"));
            let times = match http.times {
                1 => String::new(),
                times => format!(", {times} times every {}", time(http.every)),
            };
            let close = if http.keep_alive { "" } else { ", then closed" };
            let (method, content) = match http.body {
                None => ("GET", String::new()),
                Some(body) => ("POST", format!(" with {}", bytes(body))),
            };
            let cookies = if http.cookies { ", with cookies" } else { "" };
            format!(
                ", {method} {}{host}{content}{times}{cookies}{close}",
                http.path
            )
        }
    }
}

fn timers(keepalive: Option<Duration>, user_timeout: Option<Duration>) -> String {
    let told = |name: &str, timer: Option<Duration>| {
        timer.map_or(String::new(), |timer| format!(", {name} {}", time(timer)))
    };
    told("keepalive", keepalive) + &told("user timeout", user_timeout)
}

fn names(plan: &Plan, hosts: &[HostId]) -> Vec<String> {
    hosts
        .iter()
        .map(|host| plan.hosts[host.0 as usize].name.clone())
        .collect()
}

fn dialled(dial: &Dial) -> String {
    let addresses: Vec<String> = dial.to.iter().map(|to| to.address.to_string()).collect();
    match (addresses.as_slice(), &dial.name) {
        ([one], None) => one.clone(),
        (several, None) => format!("{} in turn", listed(several)),
        (several, Some(name)) => format!("{} as `{name}` resolves", listed(several)),
    }
}

fn transfer(transfer: &Transfer) -> String {
    let times = match (transfer.times, transfer.every) {
        (1, _) => String::new(),
        (times, Duration::ZERO) => format!(", {times} times"),
        (times, every) => format!(", {times} times, every {}", time(every)),
    };
    format!(
        "{}{times}, limit {}",
        bytes(transfer.bytes),
        time(transfer.timeout)
    )
}
