//! Links, addresses and routes of the calling thread's network namespace, over one blocking netlink socket.
//!
//! The messages are `rtnetlink`'s; the socket is plain because a host needs four requests and no event loop. What hosts
//! inside other hosts need besides is in `inside`.

use super::error::Error;
use nix::errno::Errno;
use rtnetlink::packet_core::{
    NLM_F_ACK, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE, NLM_F_REQUEST, NetlinkMessage,
    NetlinkPayload,
};
use rtnetlink::packet_route::RouteNetlinkMessage;
use rtnetlink::packet_route::address::AddressHeaderFlags;
use rtnetlink::packet_route::link::{
    AfSpecInet6, AfSpecUnspec, In6AddrGenMode, LinkAttribute, State,
};
use rtnetlink::packet_route::route::{RouteScope, RouteType};
use rtnetlink::packet_route::tc::{TcAttribute, TcHandle, TcMessage};
use rtnetlink::sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};
use rtnetlink::{AddressMessageBuilder, LinkUnspec, RouteMessageBuilder};
use std::net::{Ipv4Addr, Ipv6Addr};

/// The routing table of what is the namespace's own (RT_TABLE_LOCAL).
const LOCAL_TABLE: u32 = 255;
/// Packets that a device holds for the fabric, at most. The kernel's default for a TUN is 500, which a burst of a large
/// load fills before the fabric's thread has its turn; what is lost there is lost by no element of the lab.
const QUEUE: u32 = 4096;
/// The loopback device's index in every namespace.
const LOOPBACK: u32 = 1;

/// A connection to the kernel's routing of one namespace.
pub struct Netlink {
    socket: Socket,
    sequence: u32,
}

impl Netlink {
    /// Opens it for the namespace of the calling thread, for good.
    ///
    /// # Errors
    /// When the kernel gives no netlink socket.
    pub fn open() -> Result<Self, Error> {
        let fail = |error: std::io::Error| Error::io("open a netlink socket", &error);
        let mut socket = Socket::new(NETLINK_ROUTE).map_err(fail)?;
        socket.bind_auto().map_err(fail)?;
        socket.connect(&SocketAddr::new(0, 0)).map_err(fail)?;
        // Extended answers are a comfort of newer kernels; without them errno has to do. The kernel puts them behind the
        // request that it repeats, of which the header is enough.
        let extended = socket.set_cap_ack(true);
        if let Err(error) = extended.and_then(|()| socket.set_ext_ack(true)) {
            tracing::debug!(%error, "no extended netlink answers");
        }
        Ok(Self {
            socket,
            sequence: 0,
        })
    }

    /// Gives the device `index` an address, and the route to its network.
    ///
    /// # Errors
    /// What the kernel refused, with its extended answer.
    pub fn add_address(&mut self, index: u32, address: Ipv4Addr, prefix: u8) -> Result<(), Error> {
        let message = AddressMessageBuilder::<Ipv4Addr>::new()
            .index(index)
            .address(address, prefix)
            .build();
        self.request(
            "add an address",
            RouteNetlinkMessage::NewAddress(message),
            NLM_F_CREATE | NLM_F_EXCL,
        )
    }

    /// Brings up the TUN device `index` with an MTU, a /32 address and the default route.
    ///
    /// # Errors
    /// The first request the kernel refused, with its extended answer.
    pub fn configure(&mut self, index: u32, mtu: u16, address: Ipv4Addr) -> Result<(), Error> {
        let create = NLM_F_CREATE | NLM_F_EXCL;
        self.without_discipline(index);
        self.bring_up(index, mtu, address, 32)?;
        // No ARP on a TUN: an on-link default route and the fabric as everybody's neighbour.
        let route = RouteMessageBuilder::<Ipv4Addr>::new()
            .output_interface(index)
            .pref_source(address)
            .scope(RouteScope::Link)
            .build();
        self.request(
            "add the default route",
            RouteNetlinkMessage::NewRoute(route),
            create,
        )
    }

    /// Brings up `lo`, by which a host reaches itself.
    ///
    /// # Errors
    /// What the kernel refused, with its extended answer.
    pub fn bring_up_loopback(&mut self) -> Result<(), Error> {
        let link = LinkUnspec::new_with_index(LOOPBACK).up().build();
        self.request("bring up lo", RouteNetlinkMessage::SetLink(link), 0)
    }

    /// Brings up the device `index` with an MTU and an address.
    ///
    /// # Errors
    /// The first request the kernel refused, with its extended answer.
    pub fn bring_up(
        &mut self,
        index: u32,
        mtu: u16,
        address: Ipv4Addr,
        prefix: u8,
    ) -> Result<(), Error> {
        self.before_up(index)?;
        self.add_address(index, address, prefix)?;
        let link = LinkUnspec::new_with_index(index)
            .mtu(u32::from(mtu))
            .up()
            .build();
        self.request("bring up eth0", RouteNetlinkMessage::SetLink(link), 0)
    }

    /// A longer queue, and no IPv6 address of its own: the kernel makes none for the device, and so asks nobody whether
    /// another has it and looks for no router. Before it is up: afterwards the kernel waits for an RCU grace period, with
    /// everybody else behind it, and the address is there.
    fn before_up(&mut self, index: u32) -> Result<(), Error> {
        let longer = || {
            LinkUnspec::new_with_index(index)
                .append_extra_attribute(LinkAttribute::TxQueueLen(QUEUE))
        };
        let silent = AfSpecInet6::AddrGenMode(In6AddrGenMode::None);
        let both = longer().append_extra_attribute(LinkAttribute::AfSpecUnspec(vec![
            AfSpecUnspec::Inet6(vec![silent]),
        ]));
        let operation = "lengthen the queue of eth0";
        match self.request(operation, RouteNetlinkMessage::SetLink(both.build()), 0) {
            // This kernel has no IPv6.
            Err(error) if error.errno == Some(Errno::EAFNOSUPPORT) => {
                self.request(operation, RouteNetlinkMessage::SetLink(longer().build()), 0)
            }
            done => done,
        }
    }

    /// No queueing discipline before the queue of a TUN device, which takes every packet at once or drops it: one would never
    /// hold any, but have room for three times [`QUEUE`], which the kernel clears when the device comes up (a fifth of the
    /// work on it). Before it is up, for the same reason as [`Netlink::before_up`].
    fn without_discipline(&mut self, index: u32) {
        if let Err(error) = self.discipline(index, "noqueue") {
            tracing::debug!(%error, "the kernel's default discipline stays");
        }
    }

    /// Gives the device `index` the queueing discipline `kind`, in place of what it has.
    ///
    /// # Errors
    /// What the kernel refused, with its extended answer: it may not have this one.
    pub fn discipline(&mut self, index: u32, kind: &str) -> Result<(), Error> {
        let mut message = TcMessage::with_index(index.cast_signed());
        message.header.parent = TcHandle::ROOT;
        message.attributes.push(TcAttribute::Kind(kind.to_owned()));
        self.request(
            &format!("give a device the queueing discipline {kind}"),
            RouteNetlinkMessage::NewQueueDiscipline(message),
            NLM_F_CREATE | NLM_F_REPLACE,
        )
    }

    /// Adds a /128 address and the default route of IPv6, usable at once.
    ///
    /// # Errors
    /// The first request the kernel refused, with its extended answer.
    pub fn configure_ipv6(&mut self, index: u32, address: Ipv6Addr) -> Result<(), Error> {
        let create = NLM_F_CREATE | NLM_F_EXCL;
        let mut message = AddressMessageBuilder::<Ipv6Addr>::new()
            .index(index)
            .address(address, 128)
            .build();
        message.header.flags = AddressHeaderFlags::Nodad;
        self.request(
            "add an IPv6 address to eth0",
            RouteNetlinkMessage::NewAddress(message),
            create,
        )?;
        // The kernel itself makes the address reachable later, in a work queue (addrconf_dad_work), and a first SYN may
        // come sooner: it would be lost.
        let local = RouteMessageBuilder::<Ipv6Addr>::new()
            .destination_prefix(address, 128)
            .output_interface(index)
            .table_id(LOCAL_TABLE)
            .kind(RouteType::Local)
            .build();
        self.request(
            "add the local route of IPv6",
            RouteNetlinkMessage::NewRoute(local),
            create,
        )?;
        let route = RouteMessageBuilder::<Ipv6Addr>::new()
            .output_interface(index)
            .pref_source(address)
            .build();
        self.request(
            "add the default route of IPv6",
            RouteNetlinkMessage::NewRoute(route),
            create,
        )
    }

    /// Whether the device `index` takes what it is given: its operational state (RFC 2863) is up.
    ///
    /// The kernel notices a new carrier in a work queue, and until then the device drops everything; its state is unknown
    /// at first, and IFF_RUNNING is set then, too. Asking for one link does at once what the queue has yet to do for it
    /// where the kernel is new enough (linkwatch_sync_dev), and tells what it has done where it is older.
    ///
    /// # Errors
    /// What the kernel refused.
    pub fn is_up(&mut self, index: u32) -> Result<bool, Error> {
        let operation = "ask for the state of a device";
        let message = RouteNetlinkMessage::GetLink(LinkUnspec::new_with_index(index).build());
        match self.exchange(operation, message, 0)? {
            NetlinkPayload::InnerMessage(RouteNetlinkMessage::NewLink(link)) => Ok(link
                .attributes
                .contains(&LinkAttribute::OperState(State::Up))),
            answer => done(operation, answer).map(|()| false),
        }
    }

    /// One request and its answer; `flags` besides those that every request has.
    ///
    /// # Errors
    /// What the kernel refused, with its extended answer.
    pub fn request(
        &mut self,
        operation: &str,
        message: RouteNetlinkMessage,
        flags: u16,
    ) -> Result<(), Error> {
        done(
            operation,
            self.exchange(operation, message, NLM_F_ACK | flags)?,
        )
    }

    fn exchange(
        &mut self,
        operation: &str,
        message: RouteNetlinkMessage,
        flags: u16,
    ) -> Result<NetlinkPayload<RouteNetlinkMessage>, Error> {
        self.sequence += 1;
        let mut packet = NetlinkMessage::from(message);
        packet.header.flags = NLM_F_REQUEST | flags;
        packet.header.sequence_number = self.sequence;
        packet.finalize();
        let mut bytes = vec![0; packet.buffer_len()];
        packet.serialize(&mut bytes);
        let fail = |error: std::io::Error| Error::io(operation, &error);
        self.socket.send(&bytes, 0).map_err(fail)?;
        let (answer, _) = self.socket.recv_from_full().map_err(fail)?;
        let answer = NetlinkMessage::<RouteNetlinkMessage>::deserialize(&answer)
            .map_err(|error| Error::other(operation, error.to_string()))?;
        Ok(answer.payload)
    }
}

fn done(operation: &str, answer: NetlinkPayload<RouteNetlinkMessage>) -> Result<(), Error> {
    match answer {
        NetlinkPayload::Error(error) => match error.code {
            None => Ok(()),
            Some(code) => {
                let mut failure = Error::system(operation, Errno::from_raw(code.get().abs()));
                failure.detail = extended_answer(&error.header);
                Err(failure)
            }
        },
        other => Err(Error::other(
            operation,
            format!("unexpected netlink answer {other:?}"),
        )),
    }
}

/// The text attribute (NLMSGERR_ATTR_MSG, type 1) of an extended answer, behind the 16-byte header of the request.
fn extended_answer(header: &[u8]) -> String {
    let mut rest = header.get(16..).unwrap_or_default();
    while let [a, b, c, d, ..] = *rest {
        let (length, kind) = (
            usize::from(u16::from_ne_bytes([a, b])),
            u16::from_ne_bytes([c, d]),
        );
        let Some(value) = rest.get(4..length) else {
            break;
        };
        if kind & 0x3fff == 1 {
            return String::from_utf8_lossy(value)
                .trim_end_matches('\0')
                .to_owned();
        }
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    String::new()
}

#[cfg(test)]
mod tests {
    use super::super::builders::Site;
    use super::*;
    use nix::net::if_::if_nametoindex;
    use rtnetlink::LinkVeth;
    use rtnetlink::packet_core::DefaultNla;
    use rtnetlink::packet_route::link::{InfoData, InfoVeth};
    use std::time::{Duration, Instant};

    /// A pair whose `near` end is up, and then `far`: whether the near one was ready before, and whether it came to be.
    fn near_end() -> Result<(bool, bool), Error> {
        let far = LinkUnspec::new_with_name("far").build();
        let pair = LinkVeth::new("near", "far").set_info_data(InfoData::Veth(InfoVeth::Peer(far)));
        let mut netlink = Netlink::open()?;
        let add = RouteNetlinkMessage::NewLink(pair.up().build());
        netlink.request("add a pair", add, NLM_F_CREATE | NLM_F_EXCL)?;
        let index =
            |name| if_nametoindex(name).map_err(|errno| Error::system("find an end", errno));
        let near = index("near")?;
        let before = netlink.is_up(near)?;
        let up = LinkUnspec::new_with_index(index("far")?).up().build();
        netlink.request("bring up far", RouteNetlinkMessage::SetLink(up), 0)?;
        let until = Instant::now() + Duration::from_secs(10);
        let mut after = false;
        while !after && Instant::now() < until {
            after = netlink.is_up(near)?;
        }
        Ok((before, after))
    }

    #[test]
    fn a_device_without_a_carrier_is_not_ready_though_it_is_up() {
        let made = Site::one("pair", 0, near_end);
        match made.and_then(|(_namespace, ends)| ends.wait()) {
            Ok(ends) => assert_eq!(ends, (false, true)),
            Err(error) if error.errno == Some(Errno::EPERM) => {
                assert!(std::env::var_os("CI").is_none(), "{error}");
                eprintln!("SKIPPED: {error}");
            }
            Err(error) => panic!("{error}"),
        }
    }

    /// An MTU is four bytes (linux/if_link.h).
    #[test]
    fn what_the_kernel_says_of_a_request_is_told_with_errno() {
        const MTU: u16 = 4;
        let link = LinkUnspec::new_with_index(LOOPBACK)
            .append_extra_attribute(LinkAttribute::Other(DefaultNla::new(MTU, vec![1])))
            .build();
        let asked = Netlink::open().and_then(|mut netlink| {
            netlink.request("ask wrongly", RouteNetlinkMessage::GetLink(link), 0)
        });
        let told = asked.expect_err("one byte is no MTU");
        assert!(told.errno.is_some(), "{told}");
        assert!(told.detail.contains("policy"), "{told}");
    }
}
