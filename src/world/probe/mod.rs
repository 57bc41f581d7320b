//! What this machine can do: each ability is tried by its last needed operation, since some systems let a namespace
//! be created and then deny everything inside it.
//!
//! `trial` has one try for each, `need` says which labs cannot do without.

mod need;
mod trial;

pub use need::{Need, of as needs};

use super::annex::RESERVE;
use super::builders::Site;
use super::error::Error;
use super::namespace::Namespace;
use super::{drops, tcp_sockets};
use super::{netlink::Netlink, program::Inside, tun};
use crate::fabric::config::LINK_LOCAL_RESOLVER;
use nix::sys::resource::{Resource, getrlimit};
use std::collections::BTreeSet;
use std::net::Ipv4Addr;

/// Descriptors that a lab of two hosts takes, about.
const A_SMALL_LAB: u64 = 20;

/// An ability and whether this machine has it.
#[derive(Clone, Debug)]
pub struct Ability {
    /// One or two words.
    pub name: &'static str,
    /// What labs need it for.
    pub needed_for: String,
    /// Why it is missing, with the remedy; none when it is there.
    pub missing: Option<String>,
    /// Labs run without it, but for those that need it.
    pub optional: bool,
    /// By what a lab shows that it needs this; none: all do, or none does.
    pub need: Option<Need>,
}

/// Tries everything, inside the namespaces of the worker. `settings`: those that labs write, by name and value.
pub async fn all(settings: &BTreeSet<Need>) -> Vec<Ability> {
    let built = host();
    let mut list = vec![hosts(told(built.as_ref().map(drop)))];
    match &built {
        Ok(namespace) => {
            let inside = Inside::prepare("probe", namespace, "", LINK_LOCAL_RESOLVER);
            list.push(programs(told(inside.as_ref().map(drop))));
            list.extend(rules(match &inside {
                Ok(inside) => [
                    refused(trial::nft(inside).await),
                    refused(trial::tracking(inside).await),
                    refused(trial::iptables(inside).await),
                ],
                Err(_) => untried("programs"),
            }));
            list.extend(devices([
                refused(namespace.run(trial::pair)),
                refused(namespace.run(trial::bridge)),
                refused(namespace.run(trial::bridge_filter)),
                refused(namespace.run(trial::ipv6)),
            ]));
            list.extend(settled(namespace, settings));
        }
        Err(_) => list.extend(without_host("hosts")),
    }
    list.push(drop_reasons(drops::watch().err().map(str::to_owned)));
    list.push(tcp_info(tcp_sockets::by_diag::tcp_sockets().err().map(|error| {
        format!("{error}: load the module (`modprobe tcp_diag`); states, queues and timers are told all the same")
    })));
    list.push(descriptors(descriptor_limit()));
    list
}

/// The same abilities where there are not even namespaces to try them in, behind that one.
pub fn without_namespaces(why: String) -> Vec<Ability> {
    let lack = "namespaces";
    let [hosts, reasons, infos] = untried(lack);
    let mut list = vec![
        Ability {
            name: lack,
            needed_for: "every lab: processes and a network of its own".to_owned(),
            missing: Some(why),
            optional: false,
            need: None,
        },
        self::hosts(hosts),
    ];
    list.extend(without_host(lack));
    list.extend([drop_reasons(reasons), tcp_info(infos)]);
    list.push(descriptors(descriptor_limit()));
    list
}

/// What is tried in a host only.
fn without_host(lack: &str) -> Vec<Ability> {
    let [inside, settings] = untried(lack);
    let mut list = vec![programs(inside)];
    list.extend(rules(untried(lack)));
    list.extend(devices(untried(lack)));
    list.push(all_settings(settings));
    list
}

/// Why abilities are not told: they are tried by means of another one, which is missing.
fn untried<const N: usize>(lack: &str) -> [Option<String>; N] {
    std::array::from_fn(|_| Some(format!("not tried: it needs `{lack}`")))
}

fn descriptor_limit() -> u64 {
    getrlimit(Resource::RLIMIT_NOFILE).map_or(0, |(_, hard)| hard)
}

fn told(tried: Result<(), &Error>) -> Option<String> {
    tried.err().map(Error::to_string)
}

fn refused(tried: Result<(), Error>) -> Option<String> {
    told(tried.as_ref().map(|_: &()| ()))
}

fn hosts(missing: Option<String>) -> Ability {
    Ability {
        name: "hosts",
        needed_for: "every lab: a network namespace with a TUN device, an address and a route"
            .to_owned(),
        missing,
        optional: false,
        need: None,
    }
}

fn programs(missing: Option<String>) -> Ability {
    Ability {
        name: "programs",
        needed_for: "`run`, `setup`, `nft`: mounts of its own for each host".to_owned(),
        missing,
        optional: false,
        need: None,
    }
}

fn drop_reasons(missing: Option<String>) -> Ability {
    Ability {
        name: "drop reasons",
        needed_for: "`--explain`: why hosts' kernels dropped packets, in their own words"
            .to_owned(),
        missing,
        optional: true,
        need: None,
    }
}

fn tcp_info(missing: Option<String>) -> Ability {
    Ability {
        name: "tcp_info",
        needed_for: "evidence of sockets: round trips, congestion windows, segments sent again"
            .to_owned(),
        missing,
        optional: true,
        need: None,
    }
}

/// Something that only some labs need.
fn some(name: &'static str, needed_for: &str, need: Need, missing: Option<String>) -> Ability {
    Ability {
        name,
        needed_for: needed_for.to_owned(),
        missing,
        optional: true,
        need: Some(need),
    }
}

/// What loads rules: the programs, and the kernel behind them.
fn rules([nft, tracking, iptables]: [Option<String>; 3]) -> [Ability; 3] {
    [
        some(
            "nft",
            "labs with `nft:` text, and Kubernetes nodes",
            Need::Nft,
            nft,
        ),
        some(
            "conntrack",
            "rules that translate addresses or ask for a connection's state",
            Need::Tracking,
            tracking,
        ),
        some(
            "iptables",
            "labs with `iptables:` text",
            Need::Iptables,
            iptables,
        ),
    ]
}

/// What hosts inside others and IPv6 are made of.
fn devices([pair, bridge, filter, ipv6]: [Option<String>; 4]) -> [Ability; 4] {
    [
        some("veth", "hosts behind others, and pods", Need::Inside, pair),
        some("bridge", "hosts behind others", Need::Bridges, bridge),
        some(
            "br_netfilter",
            "labs whose bridges show packets to the firewall (`net.bridge` settings)",
            Need::BridgeFilter,
            filter,
        ),
        some(
            "IPv6",
            "hosts with `ipv6`, dualstack balancers",
            Need::Ipv6,
            ipv6,
        ),
    ]
}

/// The settings that labs write: one line when all can be written, else one for each that cannot.
fn settled(namespace: &Namespace, settings: &BTreeSet<Need>) -> Vec<Ability> {
    let mut list = Vec::new();
    for need in settings {
        let Need::Setting(name, value) = need else {
            continue;
        };
        let (name, value) = (name.clone(), value.clone());
        let tried = namespace.run(move || trial::setting(&name, &value));
        if tried.is_err() {
            list.push(some(
                "settings",
                "labs with this one in `sysctls:`",
                need.clone(),
                refused(tried),
            ));
        }
    }
    if list.is_empty() {
        list.push(all_settings(None));
    }
    list
}

fn all_settings(missing: Option<String>) -> Ability {
    Ability {
        name: "settings",
        needed_for: "labs with `sysctls:`, by the release of the kernel".to_owned(),
        missing,
        optional: true,
        need: None,
    }
}

/// What the limit of descriptors allows: of devices that of one table, of loads any number.
fn descriptors(limit: u64) -> Ability {
    let least = RESERVE as u64 + A_SMALL_LAB;
    let few = (limit < 4096).then(|| {
        let whom = if limit < least {
            "every lab needs"
        } else {
            "labs of many hosts need"
        };
        format!("only {limit} in a table: {whom} more; raise the hard limit with `ulimit -Hn`")
    });
    Ability {
        name: "descriptors",
        needed_for: "hosts by the thousand; the sockets of large loads are spread over several tables of so many".to_owned(),
        missing: few,
        optional: limit >= least,
        need: None,
    }
}

/// Tries the least that every lab needs: about a millisecond, so that a machine that cannot is told once, not by every case.
///
/// # Errors
/// What is refused, with the remedy.
pub fn least() -> Result<(), Error> {
    host().map(drop)
}

fn host() -> Result<Namespace, Error> {
    let (namespace, pending) = Site::one("probe", 0, || {
        let device = tun::create()?;
        let index = nix::net::if_::if_nametoindex(tun::NAME)
            .map_err(|errno| Error::system("find eth0", errno))?;
        Netlink::open()?.configure(index, 1500, Ipv4Addr::new(192, 0, 2, 1))?;
        Ok(device)
    })?;
    pending.wait()?;
    Ok(namespace)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_tried_is_told_all_the_same() {
        let list = without_namespaces("forbidden".to_owned());
        assert_eq!(list[0].missing.as_deref(), Some("forbidden"));
        let untried = list.iter().filter(|ability| {
            let missing = ability.missing.as_deref();
            missing == Some("not tried: it needs `namespaces`")
        });
        // All but that one and the limit of descriptors.
        assert_eq!(untried.count(), list.len() - 2);
        assert_eq!(list.len(), 14);
    }

    #[test]
    fn without_room_for_a_small_lab_no_lab_can_run() {
        let told = |limit| {
            let ability = descriptors(limit);
            (ability.missing.is_some(), ability.optional)
        };
        assert_eq!(told(256), (true, false));
        assert_eq!(told(1024), (true, true));
        assert_eq!(told(1 << 20), (false, true));
    }
}
