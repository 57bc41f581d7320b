//! Hosts inside other hosts: bridges, and veth pairs between two namespaces without names.
//!
//! A pair is made in the parent's namespace with one end put into the other by descriptor, so no device ever has a
//! wrong place or name. Everything goes with the namespaces. What real equipment does it: a Linux router with a bridge
//! for its network, a container engine's `docker0`, the VPC CNI's `eni*` devices.

use super::builders::{Site, door};
use super::error::Error;
use super::namespace::{Namespace, Pending};
use super::netlink::Netlink;
use super::observer::Observer;
use super::recorder::Ear;
use super::sysctl::{self, Settings};
use super::{Host, tun};
use crate::fabric::config::PortId;
use crate::plan::{Attachment, Bridge, Host as HostPlan, HostId, Plan, Veth, Wiring};
use nix::net::if_::if_nametoindex;
use rtnetlink::packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use rtnetlink::packet_route::link::{InfoData, InfoVeth};
use rtnetlink::packet_route::neighbour::{
    NeighbourAddress, NeighbourAttribute, NeighbourMessage, NeighbourState,
};
use rtnetlink::packet_route::route::RouteScope;
use rtnetlink::packet_route::{AddressFamily, RouteNetlinkMessage};
use rtnetlink::{LinkBridge, LinkUnspec, LinkVeth, RouteMessageBuilder};
use std::collections::{BTreeMap, HashMap};
use std::net::Ipv4Addr;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Where a pod's default route leads ("Proposal: CNI plugin for Kubernetes networking over AWS VPC").
const POD_GATEWAY: Ipv4Addr = Ipv4Addr::new(169, 254, 1, 1);

/// A carrier is there within a millisecond or a few, where the machine is not busy; how long it is waited for, and how often it is looked for.
const CARRIER_LIMIT: Duration = Duration::from_secs(5);
const CARRIER_LOOK: Duration = Duration::from_micros(200);

const CREATE: u16 = NLM_F_CREATE | NLM_F_EXCL;

/// Bridges of the calling thread's namespace, down until their ports are ready (see [`attach`]).
///
/// # Errors
/// The first request the kernel refused.
pub fn add_bridges(bridges: &[Bridge], mtu: u16) -> Result<(), Error> {
    if bridges.is_empty() {
        return Ok(());
    }
    sysctl::quiet_ipv6()?;
    let mut netlink = Netlink::open()?;
    for bridge in bridges {
        // With an address of its own it keeps it, whoever hangs on it.
        let link = LinkBridge::new(&bridge.name)
            .address(hardware_address(HOST_SIDE, bridge.address))
            .mtu(u32::from(mtu))
            .down()
            .build();
        netlink.request(
            &format!("add the bridge {}", bridge.name),
            RouteNetlinkMessage::NewLink(link),
            CREATE,
        )?;
        netlink.add_address(index(&bridge.name)?, bridge.address, bridge.prefix)?;
    }
    Ok(())
}

/// A namespace whose `eth0` will come from its parent. Its descriptor is the namespace's.
pub fn add(site: &mut Site, plan: &HostPlan, connections: usize) -> (Namespace, Pending<OwnedFd>) {
    site.add(&plan.name, connections, || {
        sysctl::quiet_ipv6()?;
        sysctl::plain_defaults()?;
        sysctl::limits_of_the_machine(&mut Settings::default())?;
        door().map(OwnedFd::from)
    })
}

/// Connects every host that is inside another one; `doors` are their namespaces, in order. `capture`: for each host that
/// others are inside of there is an ear too. `connections`: how many there may be at once, for the room of observers.
///
/// # Errors
/// The first operation that failed.
pub async fn attach(
    plan: &Plan,
    hosts: &[Arc<Host>],
    doors: Vec<OwnedFd>,
    connections: usize,
    capture: bool,
) -> Result<(Vec<Observed>, Vec<Ear>), Error> {
    let first = plan.on_fabric();
    let mut by_parent: BTreeMap<usize, Vec<Guest>> = BTreeMap::new();
    let inside = (0..).map(HostId).zip(&plan.hosts).skip(first);
    for ((id, host), door) in inside.zip(doors) {
        if let Attachment::Inside(veth) = &host.attachment {
            let own = by_parent.entry(veth.parent.0 as usize).or_default();
            own.push(Guest {
                id,
                host: host.clone(),
                veth: veth.clone(),
                door,
            });
        }
    }
    let mut observers = Vec::with_capacity(by_parent.len());
    let mut ears = Vec::new();
    for (parent, guests) in by_parent {
        let live = &hosts[parent];
        let wired = live.namespace.call(move || {
            let observed = wire(&guests, connections)?;
            let number = |id: &HostId| PortId(id.0 - first as u32);
            let interfaces = observed.1.iter().map(|(device, id)| (*device, number(id)));
            let ear = capture
                .then(|| Ear::open(interfaces.collect()))
                .transpose()?;
            Ok((observed, ear))
        });
        let (observed, ear) = wired.await.map_err(|error: Error| error.on(&live.name))?;
        observers.push(observed);
        ears.extend(ear);
    }
    for (plan, live) in plan.hosts.iter().zip(hosts).skip(first) {
        let host = plan.clone();
        let configured = live.namespace.call(move || configure(&host)).await;
        configured.map_err(|error| error.on(&live.name))?;
    }
    let parents = (0..).map(HostId).zip(&plan.hosts[..first]).zip(hosts);
    for ((id, parent), live) in parents {
        let veths: Vec<String> = plan.hosts[first..]
            .iter()
            .filter_map(|host| match &host.attachment {
                Attachment::Inside(veth) if veth.parent == id => Some(veth.name.clone()),
                Attachment::Inside(_) | Attachment::Fabric => None,
            })
            .collect();
        if veths.is_empty() {
            continue;
        }
        let bridges = parent.bridges.clone();
        let opened = live.namespace.call(move || open(&veths, &bridges)).await;
        opened.map_err(|error| error.on(&live.name))?;
    }
    Ok((observers, ears))
}

/// In the parent: waits for its ends to have a carrier, and brings the bridges up.
///
/// The kernel notices a carrier in a work queue, and until then a device drops what it is given: for a veth a moment on an
/// idle machine and seconds on a busy one, for a bridge that was up before its first port up to a second
/// (net/core/link_watch.c). A bridge brought up with live ports is ready when the request returns.
fn open(veths: &[String], bridges: &[Bridge]) -> Result<(), Error> {
    let mut netlink = Netlink::open()?;
    let until = Instant::now() + CARRIER_LIMIT;
    for device in veths {
        let index = index(device)?;
        while !netlink.is_up(index)? {
            if Instant::now() > until {
                let why = format!("no carrier after {CARRIER_LIMIT:?}");
                return Err(Error::other(format!("bring up {device}"), why));
            }
            std::thread::sleep(CARRIER_LOOK);
        }
    }
    for Bridge { name, .. } in bridges {
        let link = LinkUnspec::new_with_index(index(name)?).up().build();
        netlink.request(
            &format!("bring up {name}"),
            RouteNetlinkMessage::SetLink(link),
            0,
        )?;
    }
    Ok(())
}

/// A host to be connected.
struct Guest {
    id: HostId,
    host: HostPlan,
    veth: Veth,
    door: OwnedFd,
}

/// Who sees what passes the veths in one parent, and whose they are, by the device's index there.
pub type Observed = (Observer, HashMap<u32, HostId>);

/// In the parent: a pair for each host, its own end ready and observed.
fn wire(guests: &[Guest], connections: usize) -> Result<Observed, Error> {
    sysctl::quiet_ipv6()?;
    sysctl::write("net.ipv4.ip_forward", "1")?;
    let mut netlink = Netlink::open()?;
    let mut devices = HashMap::with_capacity(guests.len());
    for Guest {
        id,
        host,
        veth,
        door,
    } in guests
    {
        let mtu = u32::from(host.mtu);
        let peer = LinkUnspec::new_with_name(tun::NAME)
            .address(hardware_address(GUEST_SIDE, host.address))
            .mtu(mtu)
            .setns_by_fd(door.as_raw_fd())
            .build();
        let link = LinkVeth::new(&veth.name, tun::NAME)
            .set_info_data(InfoData::Veth(InfoVeth::Peer(peer)))
            .address(hardware_address(PORT_SIDE, host.address))
            .mtu(mtu);
        let link = match &veth.wiring {
            Wiring::Bridged { bridge, .. } => link.controller(index(bridge)?),
            Wiring::Routed => link,
        };
        netlink.request(
            &format!("add the veth pair of {}", host.name),
            RouteNetlinkMessage::NewLink(link.up().build()),
            CREATE,
        )?;
        let device = index(&veth.name)?;
        devices.insert(device, *id);
        if veth.wiring == Wiring::Routed {
            let route = RouteMessageBuilder::<Ipv4Addr>::new()
                .destination_prefix(host.address, 32)
                .output_interface(device)
                .scope(RouteScope::Link)
                .build();
            netlink.request(
                &format!("add the route to {}", host.name),
                RouteNetlinkMessage::NewRoute(route),
                CREATE,
            )?;
            let guest = hardware_address(GUEST_SIDE, host.address);
            netlink.request(
                &format!("add {} as a neighbour", host.name),
                RouteNetlinkMessage::NewNeighbour(neighbour(device, host.address, guest)),
                CREATE,
            )?;
        }
    }
    let first = devices.keys().min().copied().unwrap_or_default();
    let last = devices.keys().max().copied().unwrap_or_default();
    Ok((Observer::start(first..=last, connections)?, devices))
}

/// In the host: its end, its routes, its settings.
fn configure(host: &HostPlan) -> Result<(), Error> {
    let Attachment::Inside(veth) = &host.attachment else {
        return Ok(());
    };
    let device = index(tun::NAME)?;
    let mut netlink = Netlink::open()?;
    let (prefix, gateway) = match veth.wiring {
        Wiring::Bridged {
            prefix, gateway, ..
        } => (prefix, gateway),
        Wiring::Routed => (32, POD_GATEWAY),
    };
    netlink.bring_up_loopback()?;
    netlink.bring_up(device, host.mtu, host.address, prefix)?;
    if veth.wiring == Wiring::Routed {
        let route = RouteMessageBuilder::<Ipv4Addr>::new()
            .destination_prefix(POD_GATEWAY, 32)
            .output_interface(device)
            .scope(RouteScope::Link)
            .build();
        netlink.request(
            "add the route to the gateway",
            RouteNetlinkMessage::NewRoute(route),
            CREATE,
        )?;
        netlink.request(
            "add the gateway as a neighbour",
            RouteNetlinkMessage::NewNeighbour(neighbour(
                device,
                POD_GATEWAY,
                hardware_address(PORT_SIDE, host.address),
            )),
            CREATE,
        )?;
    }
    let route = RouteMessageBuilder::<Ipv4Addr>::new()
        .gateway(gateway)
        .output_interface(device)
        .build();
    netlink.request(
        "add the default route",
        RouteNetlinkMessage::NewRoute(route),
        CREATE,
    )?;
    let mut settings = Settings::default();
    for (name, value) in &host.sysctls {
        settings.write(name, value)?;
    }
    Ok(())
}

/// A static entry for who is at the other end of a veth. What ARP learns has 1,024 places for all namespaces of a machine
/// (`gc_thresh3`), and a hundred labs with pods need more at a time; static entries take none.
fn neighbour(device: u32, address: Ipv4Addr, hardware: Vec<u8>) -> NeighbourMessage {
    let mut message = NeighbourMessage::default();
    message.header.family = AddressFamily::Inet;
    message.header.ifindex = device;
    message.header.state = NeighbourState::Permanent;
    message.attributes = vec![
        NeighbourAttribute::Destination(NeighbourAddress::Inet(address)),
        NeighbourAttribute::LinkLayerAddress(hardware),
    ];
    message
}

/// Second bytes of hardware addresses, so that nothing on a segment shares one.
const GUEST_SIDE: u8 = 0x42; // as Docker has it
const PORT_SIDE: u8 = 0x43;
const HOST_SIDE: u8 = 0x44;

/// A locally administered address with the IPv4 address in it, as Docker makes them: always the same for a lab.
fn hardware_address(side: u8, address: Ipv4Addr) -> Vec<u8> {
    let [a, b, c, d] = address.octets();
    vec![0x02, side, a, b, c, d]
}

/// A device of the calling thread's namespace by its name.
pub(super) fn index(device: &str) -> Result<u32, Error> {
    if_nametoindex(device).map_err(|errno| Error::system(format!("find {device}"), errno))
}
