//! Hosts behind other hosts: which bridge each hangs on, and its address there.
//!
//! A segment is a bridge in its router's namespace and a network of its own: nobody outside of the router knows its
//! addresses, so segments of different routers may have the same. Where no address is written, segment number N of a
//! lab is 192.168.N.0/24 (or 172.(15 + N).0.0/16 when it has more hosts than that), and its router's address the first.
//! An address that is written makes the /24 around it the segment's. Not here: bridges and veths (see `world`).

use super::hosts::{Draft, Hosts};
use super::model::{Attachment, Bridge, Veth, Wiring};
use super::{HostId, Sink};
use crate::diag::codes::segments as code;
use crate::diag::{Diagnostic, Span, Spanned};
use crate::fabric::guard::rules::Cidr;
use crate::spec;
use std::net::Ipv4Addr;

/// The bridge of a router's first segment.
const FIRST: &str = "lan0";
/// A device's name, bytes (IFNAMSIZ less the final zero).
const LONGEST_NAME: usize = 15;
/// Hosts that have room in a /24 beside the router; the rest reads like networks.
const ROOM: usize = 253;
/// Prefixes of segments.
const SMALL: u8 = 24;
const LARGE: u8 = 16;
/// Default ranges of either size; then they begin anew.
const SMALL_RANGES: usize = 250;
const LARGE_RANGES: usize = 16;

/// A bridge and who hangs on it.
#[derive(Debug)]
struct Segment {
    router: HostId,
    bridge: String,
    range: Cidr,
    /// The router's address.
    first: Ipv4Addr,
    members: Vec<HostId>,
}

/// A host's place in a segment.
#[derive(Clone, Copy, Debug)]
struct Place {
    segment: usize,
    address: Ipv4Addr,
    gateway: Ipv4Addr,
    /// Of its veth, counted by router from 1.
    number: usize,
}

/// All segments of a lab.
#[derive(Debug, Default)]
pub(super) struct Segments {
    list: Vec<Segment>,
    /// By host number; none for hosts on the fabric, and for those whose router is not known.
    places: Vec<Option<Place>>,
}

impl Segments {
    fn place(&self, host: HostId) -> Option<&Place> {
        self.places.get(host.0 as usize)?.as_ref()
    }

    /// Who routes for a host.
    pub(super) fn router(&self, host: HostId) -> Option<HostId> {
        Some(self.list[self.place(host)?.segment].router)
    }

    /// A host's address in its segment.
    pub(super) fn address(&self, host: HostId) -> Option<Ipv4Addr> {
        Some(self.place(host)?.address)
    }

    /// True for an address in the range of one of this router's segments: its packets go there without the fabric.
    pub(super) fn is_behind(&self, router: HostId, address: Ipv4Addr) -> bool {
        let mut own = self.list.iter().filter(|segment| segment.router == router);
        own.any(|segment| segment.range.contains(address))
    }

    /// How a host is attached.
    pub(super) fn attachment(&self, host: HostId) -> Attachment {
        let Some(place) = self.place(host) else {
            return Attachment::Fabric;
        };
        let segment = &self.list[place.segment];
        Attachment::Inside(Veth {
            parent: segment.router,
            name: format!("veth{}", place.number),
            wiring: Wiring::Bridged {
                bridge: segment.bridge.clone(),
                prefix: segment.range.prefix,
                gateway: place.gateway,
            },
        })
    }

    /// The bridges in a host's namespace.
    pub(super) fn bridges(&self, router: HostId) -> Vec<Bridge> {
        let own = self.list.iter().filter(|segment| segment.router == router);
        own.map(|segment| Bridge {
            name: segment.bridge.clone(),
            address: segment.first,
            prefix: segment.range.prefix,
        })
        .collect()
    }
}

/// Finds every segment and gives its hosts their addresses.
pub(super) fn resolve(hosts: &Hosts<'_>, sink: &mut Sink) -> Segments {
    let mut segments = Segments::default();
    let mut homes = Vec::with_capacity(hosts.list.len());
    let mut last: Option<(&Spanned<String>, Option<usize>)> = None;
    for (number, draft) in (0..).map(HostId).zip(&hosts.list) {
        // Those of one `count` share their router and what is wrong with it.
        let home = match last {
            Some((key, home)) if std::ptr::eq(key, draft.key) => home,
            Some(_) | None => home(draft, hosts, &mut segments, sink),
        };
        last = Some((draft.key, home));
        if let Some(home) = home {
            segments.list[home].members.push(number);
        }
        homes.push(home);
    }
    for number in 0..segments.list.len() {
        range(number, &mut segments, hosts, sink);
    }
    let mut given: Vec<Vec<Ipv4Addr>> = segments.list.iter().map(|s| vec![s.first]).collect();
    reserve(&homes, hosts, &segments, &mut given, sink);
    let mut ports: Vec<usize> = vec![0; hosts.on_fabric];
    for (draft, home) in hosts.list.iter().zip(homes) {
        let place = home.map(|home| {
            let segment = &segments.list[home];
            let count = &mut ports[segment.router.0 as usize];
            *count += 1;
            Place {
                segment: home,
                address: match &draft.section.address {
                    Some(written) => written.value,
                    None => next(segment.range, &mut given[home]),
                },
                gateway: gateway(draft, segment, sink),
                number: *count,
            }
        });
        segments.places.push(place);
    }
    segments
}

/// The segment that a host hangs on; none for one on the fabric, or when something is wrong.
fn home(
    draft: &Draft<'_>,
    hosts: &Hosts<'_>,
    segments: &mut Segments,
    sink: &mut Sink,
) -> Option<usize> {
    let Some(behind) = &draft.section.behind else {
        if let Some(gateway) = &draft.section.gateway {
            sink.push(
                Diagnostic::new(
                    code::GATEWAY_ON_FABRIC,
                    gateway.span,
                    format!("`{}` has no gateway to choose", draft.key.value),
                )
                .label("its default route is the fabric")
                .help("put it `behind:` a host, or remove `gateway`"),
            );
        }
        return None;
    };
    out_of_place(draft, sink);
    let [(router, name)] = behind.routers.as_slice() else {
        sink.push(
            Diagnostic::new(
                code::ONE_ROUTER,
                behind.span,
                format!(
                    "`{}` is behind {} hosts",
                    draft.key.value,
                    behind.routers.len()
                ),
            )
            .label("one router is needed here")
            .help("write `behind: router`, or `behind: { router: members }` for a second segment"),
        );
        return None;
    };
    let id = hosts.resolve_one(router, sink)?;
    if hosts.get(id).section.behind.is_some() {
        sink.push(
            Diagnostic::new(
                code::ROUTER_INSIDE,
                router.span,
                format!("`{}` is behind a host itself", router.value),
            )
            .label("a router is on the fabric")
            .also(hosts.get(id).key.span, "this host")
            .help("give the router no `behind:`; a NAT in front of it is one that it names with `nat:`"),
        );
        return None;
    }
    let bridge = name.as_ref().map_or(FIRST, |name| name.value.as_str());
    if let Some(name) = name {
        device_name(name, sink);
    }
    Some(segments.of(id, bridge))
}

impl Segments {
    /// The segment of this name behind a router; a new one when nobody was there before.
    fn of(&mut self, router: HostId, bridge: &str) -> usize {
        let mut known = self.list.iter();
        let found = known.position(|one| one.router == router && one.bridge == bridge);
        found.unwrap_or_else(|| {
            self.list.push(Segment {
                router,
                bridge: bridge.to_owned(),
                range: Cidr::ANYWHERE,
                first: Ipv4Addr::UNSPECIFIED,
                members: Vec::new(),
            });
            self.list.len() - 1
        })
    }
}

/// What only a host on the fabric has.
fn out_of_place(draft: &Draft<'_>, sink: &mut Sink) {
    let host = draft.section;
    let links = [&host.up, &host.down];
    let link = links.iter().find_map(|link| link.span());
    let written = [
        ("zone", host.zone.as_ref().map(|v| v.span)),
        ("vpc", host.vpc.as_ref().map(|v| v.span)),
        (
            "public_address",
            host.public_address.as_ref().map(|v| v.span),
        ),
        ("ipv6", host.ipv6.as_ref().map(|v| v.span)),
        ("addresses", host.addresses.first().map(|v| v.span)),
        (
            "security_groups",
            host.security_groups.first().map(|v| v.span),
        ),
        ("link", link),
        ("kernel", host.kernel.first().map(|(name, _)| name.span)),
    ];
    for (field, span) in written {
        let Some(span) = span else { continue };
        sink.push(
            Diagnostic::new(
                code::NOT_BEHIND_A_ROUTER,
                span,
                format!(
                    "`{}` is behind a host, and has no `{field}`",
                    draft.key.value
                ),
            )
            .label("only a host on the fabric has one")
            .help("write it with the router, or remove it"),
        );
    }
}

/// A bridge is called after its segment.
fn device_name(name: &Spanned<String>, sink: &mut Sink) {
    let taken = ["eth", "veth", "eni"].iter().any(|kind| {
        let number = name.value.strip_prefix(kind);
        number.is_some_and(|rest| rest.bytes().all(|b| b.is_ascii_digit()))
    });
    let reason = if name.value.len() > LONGEST_NAME {
        format!("longer than {LONGEST_NAME} bytes")
    } else if taken || name.value == "lo" {
        "the name of another device".to_owned()
    } else {
        return;
    };
    sink.push(
        Diagnostic::new(
            code::SEGMENT_NAME,
            name.span,
            format!("no bridge can be called `{}`", name.value),
        )
        .label(reason)
        .help("a segment's name is that of its bridge: `members`, `br-app`"),
    );
}

/// The range of a segment: around the first address that is written, else the next of the default ones.
fn range(number: usize, segments: &mut Segments, hosts: &Hosts<'_>, sink: &mut Sink) {
    let segment = &segments.list[number];
    let large = segment.members.len() > ROOM;
    let written = segment.members.iter().find_map(|member| {
        let section = hosts.get(*member).section;
        section.address.as_ref().or(section.gateway.as_ref())
    });
    let (address, prefix) = match (written, large) {
        (Some(address), false) => (address.value, SMALL),
        (Some(address), true) => (address.value, LARGE),
        (None, false) => {
            let third = u8::try_from(1 + number % SMALL_RANGES).unwrap_or(u8::MAX);
            (Ipv4Addr::new(192, 168, third, 0), SMALL)
        }
        (None, true) => {
            let second = u8::try_from(16 + number % LARGE_RANGES).unwrap_or(u8::MAX);
            (Ipv4Addr::new(172, second, 0, 0), LARGE)
        }
    };
    let base = address.to_bits() & (u32::MAX << (32 - prefix));
    let range = Cidr {
        address: Ipv4Addr::from_bits(base),
        prefix,
    };
    let mut earlier = segments.list[..number].iter();
    if let Some(other) =
        earlier.find(|one| one.router == segment.router && one.range.overlaps(range))
    {
        let place = segment.members.first().map(|member| hosts.get(*member).key);
        sink.push(
            Diagnostic::new(
                code::SEGMENTS_OVERLAP,
                written.map_or(place.map_or(Span::default(), |key| key.span), |w| w.span),
                format!(
                    "segments `{}` and `{}` of one router have the addresses {}/{prefix} in common",
                    other.bridge, segment.bridge, range.address
                ),
            )
            .label("the router could not tell them apart")
            .help("choose addresses of another /24 for one of them"),
        );
    }
    let segment = &mut segments.list[number];
    segment.range = range;
    segment.first = Ipv4Addr::from_bits(base + 1);
}

/// Addresses that are written, in their segment and each once.
fn reserve(
    homes: &[Option<usize>],
    hosts: &Hosts<'_>,
    segments: &Segments,
    given: &mut [Vec<Ipv4Addr>],
    sink: &mut Sink,
) {
    for (draft, home) in hosts.list.iter().zip(homes) {
        let (Some(home), Some(address)) = (home, &draft.section.address) else {
            continue;
        };
        belongs(address, &segments.list[*home], sink);
        if given[*home].contains(&address.value) {
            sink.push(
                Diagnostic::new(
                    code::SEGMENT_ADDRESS_TAKEN,
                    address.span,
                    format!("{} is taken already in its segment", address.value),
                )
                .label(format!("also wanted by `{}`", draft.key.value))
                .help("the first address of a segment is its router's; choose another"),
            );
        }
        given[*home].push(address.value);
    }
}

fn belongs(address: &Spanned<Ipv4Addr>, segment: &Segment, sink: &mut Sink) {
    let range = segment.range;
    let hosts = 1u32 << (32 - range.prefix);
    let offset = address
        .value
        .to_bits()
        .wrapping_sub(range.address.to_bits());
    if !(1..hosts - 1).contains(&offset) {
        sink.push(
            Diagnostic::new(
                code::OUTSIDE_SEGMENT,
                address.span,
                format!("{} is no address of its segment", address.value),
            )
            .label(format!(
                "`{}` has {}/{}, from the first address that is written for it",
                segment.bridge, range.address, range.prefix
            ))
            .help("choose one of that range, or leave it out and one is given out"),
        );
    }
}

fn gateway(draft: &Draft<'_>, segment: &Segment, sink: &mut Sink) -> Ipv4Addr {
    let Some(gateway) = &draft.section.gateway else {
        return segment.first;
    };
    belongs(gateway, segment, sink);
    gateway.value
}

/// The next free address. There is one: a segment has no more hosts than its range has room for (see `size`).
fn next(range: Cidr, given: &mut Vec<Ipv4Addr>) -> Ipv4Addr {
    let mut offset = 2 + u32::try_from(given.len() - 1).unwrap_or(0);
    let mut free = Ipv4Addr::from_bits(range.address.to_bits() + offset);
    while given.contains(&free) || matches!(free.octets()[3], 0 | 255) {
        offset = offset % (1 << (32 - range.prefix)) + 1;
        free = Ipv4Addr::from_bits(range.address.to_bits() + offset);
    }
    given.push(free);
    free
}

/// Only what a spec says of it.
impl spec::Link {
    /// Where something of it is written.
    fn span(&self) -> Option<Span> {
        let durations = [&self.delay, &self.jitter];
        let durations = durations.into_iter().flatten().map(|v| v.span);
        let shares = [&self.loss, &self.duplicate, &self.reorder, &self.corrupt];
        let shares = shares.into_iter().flatten().map(|v| v.span);
        let others = [
            self.rate.as_ref().map(|v| v.span),
            self.mtu.as_ref().map(|v| v.span),
            self.queue.as_ref().map(|v| v.span),
        ];
        durations
            .chain(shares)
            .chain(others.into_iter().flatten())
            .next()
    }
}
