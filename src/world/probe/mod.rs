//! What this machine can do: each ability is tried by its last needed operation, since some systems let a namespace
//! be created and then deny everything inside it.
//!
//! `trial` has one try for each, `need` says which labs cannot do without.

mod need;
mod trial;

pub use need::{Need, of as needs};

use super::annex::RESERVE;
use super::error::Error;
use super::namespace::Namespace;
use super::{drops, sock_diag};
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
    let mut list = vec![Ability {
        name: "hosts",
        needed_for: "every lab: a network namespace with a TUN device, an address and a route"
            .to_owned(),
        missing: told(built.as_ref().map(drop)),
        optional: false,
        need: None,
    }];
    if let Ok(namespace) = &built {
        let inside = Inside::prepare("probe", namespace, "", LINK_LOCAL_RESOLVER);
        list.push(Ability {
            name: "programs",
            needed_for: "`run`, `setup`, `nft`: mounts of its own for each host".to_owned(),
            missing: told(inside.as_ref().map(drop)),
            optional: false,
            need: None,
        });
        if let Ok(inside) = &inside {
            list.extend(rules(inside).await);
        }
        list.extend(devices(namespace));
        list.extend(settled(namespace, settings));
    }
    list.push(Ability {
        name: "drop reasons",
        needed_for: "`--explain`: why hosts' kernels dropped packets, in their own words"
            .to_owned(),
        missing: drops::watch().err().map(str::to_owned),
        optional: true,
        need: None,
    });
    list.push(Ability {
        name: "tcp_info",
        needed_for: "evidence of sockets: round trips, congestion windows, segments sent again".to_owned(),
        missing: sock_diag::tcp_sockets().err().map(|error| {
            format!("{error}: load the module (`modprobe tcp_diag`); states, queues and timers are told all the same")
        }),
        optional: true,
        need: None,
    });
    list.push(descriptors(
        getrlimit(Resource::RLIMIT_NOFILE).map_or(0, |(_, hard)| hard),
    ));
    list
}

fn told(tried: Result<(), &Error>) -> Option<String> {
    tried.err().map(Error::to_string)
}

/// Something that only some labs need.
fn some(name: &'static str, needed_for: &str, need: Need, tried: Result<(), Error>) -> Ability {
    Ability {
        name,
        needed_for: needed_for.to_owned(),
        missing: tried.err().map(|error| error.to_string()),
        optional: true,
        need: Some(need),
    }
}

/// What loads rules: the programs, and the kernel behind them.
async fn rules(host: &Inside) -> [Ability; 3] {
    [
        some(
            "nft",
            "labs with `nft:` text, and Kubernetes nodes",
            Need::Nft,
            trial::nft(host).await,
        ),
        some(
            "conntrack",
            "rules that translate addresses or ask for a connection's state",
            Need::Tracking,
            trial::tracking(host).await,
        ),
        some(
            "iptables",
            "labs with `iptables:` text",
            Need::Iptables,
            trial::iptables(host).await,
        ),
    ]
}

/// What hosts inside others and IPv6 are made of.
fn devices(namespace: &Namespace) -> [Ability; 4] {
    [
        some(
            "veth",
            "hosts behind others, and pods",
            Need::Inside,
            namespace.run(trial::pair),
        ),
        some(
            "bridge",
            "hosts behind others",
            Need::Bridges,
            namespace.run(trial::bridge),
        ),
        some(
            "br_netfilter",
            "labs whose bridges show packets to the firewall (`net.bridge` settings)",
            Need::BridgeFilter,
            namespace.run(trial::bridge_filter),
        ),
        some(
            "IPv6",
            "hosts with `ipv6`, dualstack balancers",
            Need::Ipv6,
            namespace.run(trial::ipv6),
        ),
    ]
}

/// The settings that labs write: one line when all can be written, else one for each that cannot.
fn settled(namespace: &Namespace, settings: &BTreeSet<Need>) -> Vec<Ability> {
    let mut refused = Vec::new();
    for need in settings {
        let Need::Setting(name, value) = need else {
            continue;
        };
        let (name, value) = (name.clone(), value.clone());
        let tried = namespace.run(move || trial::setting(&name, &value));
        if tried.is_err() {
            refused.push(some(
                "settings",
                "labs with this one in `sysctls:`",
                need.clone(),
                tried,
            ));
        }
    }
    if refused.is_empty() {
        refused.push(Ability {
            name: "settings",
            needed_for: "labs with `sysctls:`, by the release of the kernel".to_owned(),
            missing: None,
            optional: true,
            need: None,
        });
    }
    refused
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
    let (namespace, pending) = Namespace::spawn("probe", 0, || {
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
