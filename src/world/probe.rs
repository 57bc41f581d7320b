//! What this machine can do: each ability is tried by its last needed operation, since some systems let a namespace
//! be created and then deny everything inside it.

use super::annex::RESERVE;
use super::error::Error;
use super::namespace::Namespace;
use super::{drops, sock_diag};
use super::{netlink::Netlink, program::Inside, tun};
use crate::fabric::config::LINK_LOCAL_RESOLVER;
use nix::sys::resource::{Resource, getrlimit};
use std::net::Ipv4Addr;

/// Descriptors that a lab of two hosts takes, about.
const A_SMALL_LAB: u64 = 20;

/// An ability and whether this machine has it.
#[derive(Clone, Debug)]
pub struct Ability {
    /// One or two words.
    pub name: &'static str,
    /// What labs need it for.
    pub needed_for: &'static str,
    /// Why it is missing, with the remedy; none when it is there.
    pub missing: Option<String>,
    /// Labs run without it.
    pub optional: bool,
}

/// Tries everything, inside the namespaces of the worker.
pub fn all() -> Vec<Ability> {
    let built = host();
    let ability = |name, needed_for, missing: Option<String>, optional| Ability {
        name,
        needed_for,
        missing,
        optional,
    };
    let failed = |error: &Error| Some(error.to_string());
    let mut list = vec![ability(
        "hosts",
        "every lab: a network namespace with a TUN device, an address and a route",
        built.as_ref().err().and_then(failed),
        false,
    )];
    if let Ok(namespace) = &built {
        let inside = Inside::prepare("probe", namespace, "", LINK_LOCAL_RESOLVER);
        list.push(ability(
            "programs",
            "`run`, `setup`, `nft`: mounts of its own for each host",
            inside.as_ref().err().and_then(failed),
            false,
        ));
    }
    list.push(ability(
        "nft",
        "labs with `nft:` text",
        program("nft", "nftables"),
        true,
    ));
    list.push(ability(
        "iptables",
        "labs with `iptables:` text",
        program("iptables-restore", "iptables"),
        true,
    ));
    list.push(ability(
        "drop reasons",
        "`--explain`: why hosts' kernels dropped packets, in their own words",
        drops::watch().err().map(str::to_owned),
        true,
    ));
    list.push(ability(
        "tcp_info",
        "evidence of sockets: round trips, congestion windows, segments sent again",
        sock_diag::tcp_infos().err().map(|error| {
            format!("{error}: load the module (`modprobe tcp_diag`); states, queues and timers are told all the same")
        }),
        true,
    ));
    list.push(descriptors(
        getrlimit(Resource::RLIMIT_NOFILE).map_or(0, |(_, hard)| hard),
    ));
    list
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
        needed_for: "hosts by the thousand; the sockets of large loads are spread over several tables of so many",
        missing: few,
        optional: limit >= least,
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

fn program(name: &str, package: &str) -> Option<String> {
    let path = std::env::var("PATH").unwrap_or_default();
    let found = path
        .split(':')
        .chain(["/usr/sbin", "/sbin"])
        .any(|folder| std::path::Path::new(folder).join(name).exists());
    (!found).then(|| format!("not installed: `apt-get install {package}`"))
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
