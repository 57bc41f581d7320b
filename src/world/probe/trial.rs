//! One try of each thing that only some labs need, by the same operations as a lab's.

use super::super::netlink::Netlink;
use super::super::program::Inside;
use super::super::{Error, inside, sysctl, tun};
use crate::plan::Bridge;
use nix::net::if_::if_nametoindex;
use rtnetlink::LinkVeth;
use rtnetlink::packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use rtnetlink::packet_route::RouteNetlinkMessage;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::Path;
use std::time::Duration;

/// How long a program may take to load a rule.
const LIMIT: Duration = Duration::from_secs(10);

/// A table with a chain that sees packets.
const FILTER: &str = "table ip probe {
  chain input { type filter hook input priority filter; tcp dport 9 drop; }
}";

/// Rules that translate and that ask for the state of a connection.
const TRACKING: &str = "table ip tracked {
  chain post { type nat hook postrouting priority srcnat; masquerade; }
  chain input { type filter hook input priority filter; ct state invalid drop; }
}";

const IPTABLES: &str = "*filter\n-A INPUT -m conntrack --ctstate INVALID -j DROP\nCOMMIT\n";

/// Loads a table with `nft`.
pub(super) async fn nft(host: &Inside) -> Result<(), Error> {
    load(host, "nft", &["-f", "-"], FILTER).await
}

/// Loads rules that track connections.
pub(super) async fn tracking(host: &Inside) -> Result<(), Error> {
    let loaded = load(host, "nft", &["-f", "-"], TRACKING).await;
    loaded.map_err(|error| match error.hint.is_empty() {
        true => error.hint("load the modules (`modprobe -a nf_conntrack nft_ct nft_nat nft_masq`)"),
        false => error,
    })
}

/// Loads a rule with `iptables-restore`.
pub(super) async fn iptables(host: &Inside) -> Result<(), Error> {
    load(host, "iptables-restore", &[], IPTABLES).await
}

async fn load(host: &Inside, program: &str, arguments: &[&str], rules: &str) -> Result<(), Error> {
    let ended = host.run(program, arguments, Some(rules), LIMIT).await?;
    ended.success(&format!("load rules with {program}"), LIMIT)
}

/// In a namespace: a veth pair.
pub(super) fn pair() -> Result<(), Error> {
    sysctl::quiet_ipv6()?;
    Netlink::open()?.request(
        "add a veth pair",
        RouteNetlinkMessage::NewLink(LinkVeth::new("near", "far").build()),
        NLM_F_CREATE | NLM_F_EXCL,
    )
}

/// In a namespace: a bridge.
pub(super) fn bridge() -> Result<(), Error> {
    let bridge = Bridge {
        name: "lan0".to_owned(),
        address: Ipv4Addr::new(192, 168, 0, 1),
        prefix: 24,
    };
    inside::add_bridges(&[bridge], 1500)
}

/// In a namespace: whether bridged packets could be shown to the firewall.
pub(super) fn bridge_filter() -> Result<(), Error> {
    sysctl::write("net.bridge.bridge-nf-call-iptables", "1")
}

/// In a namespace with `eth0`: an IPv6 address on it.
pub(super) fn ipv6() -> Result<(), Error> {
    let index = if_nametoindex(tun::NAME).map_err(|errno| Error::system("find eth0", errno))?;
    let documentation = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);
    Netlink::open()?.configure_ipv6(index, documentation)
}

/// In a namespace with `eth0`: a setting, unless it is one of a device that is not there.
pub(super) fn setting(name: &str, value: &str) -> Result<(), Error> {
    let mut parts = name.split('.').skip(2);
    if let (Some("conf" | "neigh"), Some(device)) = (parts.next(), parts.next())
        && !Path::new(&format!("/proc/sys/net/ipv4/conf/{device}")).exists()
    {
        return Ok(());
    }
    sysctl::write(name, value)
}
