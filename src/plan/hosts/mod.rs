//! Hosts: `count` expanded, names that are unique, kernel settings that can be set.
//!
//! `sysctls` says which settings a namespace can have, `nft` makes rules readable for every release of the program. Not here:
//! addresses (see `addresses`), and hosts behind others (see `segments`).

mod links;
pub(super) mod nft;
mod quirks;
mod sysctls;

use super::kubernetes::{Cluster, Expanded};
use super::{HostId, Sink};
use crate::diag::codes::{links as links_code, plan as code, proxy};
use crate::diag::{Diagnostic, Span, Spanned, did_you_mean};
use crate::spec::{self, Body};
pub(super) use quirks::{quirk_names, quirks_listed, timestamp_offset};
use std::collections::{HashMap, HashSet};

/// Subnets of a zone in 10.0.0.0/16: no more zones than that.
pub(super) const MOST_ZONES: usize = 16;

/// One host before it has addresses.
#[derive(Debug)]
pub(super) struct Draft<'a> {
    /// `web-1`
    pub(super) name: String,
    /// Its key under `hosts`.
    pub(super) key: &'a Spanned<String>,
    /// What the lab says of it.
    pub(super) section: &'a spec::Host,
}

/// All hosts, found by name.
#[derive(Debug)]
pub(super) struct Hosts<'a> {
    /// By number; those on the fabric first.
    pub(super) list: Vec<Draft<'a>>,
    /// How many of them are on the fabric.
    pub(super) on_fabric: usize,
    /// Names that stand for several.
    pub(super) groups: Vec<(String, Vec<HostId>)>,
    /// Further names of single hosts.
    pub(super) aliases: Vec<(String, HostId)>,
    /// Whose nodes and pods some of them are.
    pub(super) cluster: &'a Cluster,
    by_name: HashMap<String, HostId>,
    group_by_name: HashMap<String, usize>,
}

impl<'a> Hosts<'a> {
    /// The host whose namespace it is inside of, when it is a pod.
    pub(super) fn node_of(&self, host: HostId) -> Option<HostId> {
        self.one(self.cluster.node_of(&self.get(host).name)?)
    }

    /// Tells of hosts whose sequence numbers change at their edge, and that others are inside of or behind.
    pub(super) fn renumbered(&self, sink: &mut Sink) {
        for (outer, inner) in self.routers() {
            let draft = self.get(outer);
            if let Some(word) = &draft.section.up.randomize_sequence {
                sink.push(
                    Diagnostic::new(
                        links_code::RENUMBERS_OTHERS,
                        word.span,
                        format!("`{}` is not alone there: `{inner}` sends by its link", draft.name),
                    )
                    .label("sequence numbers would be others on devices inside")
                    .help("write it with the link of the host at the other end, or with one that stands alone"),
                );
            }
        }
    }

    /// Hosts that have others inside or behind, each once, with the first of those.
    fn routers(&self) -> impl Iterator<Item = (HostId, &str)> {
        let mut known = HashSet::new();
        let inner = (0..).map(HostId).zip(&self.list).skip(self.on_fabric);
        let outer = inner.filter_map(|(id, draft)| {
            let behind = draft
                .section
                .behind
                .iter()
                .flat_map(|behind| &behind.routers);
            let router = behind.map(|(router, _)| self.one(&router.value)).next();
            Some((self.node_of(id).or(router.flatten())?, draft.name.as_str()))
        });
        outer.filter(move |(outer, _)| known.insert(*outer))
    }

    /// True for a host that is not on the fabric, but inside of another one.
    pub(super) fn is_inside(&self, host: HostId) -> bool {
        host.0 as usize >= self.on_fabric
    }

    /// The host of a name, not a group.
    pub(super) fn one(&self, name: &str) -> Option<HostId> {
        self.by_name.get(name).copied()
    }

    /// What a name stands for: a host, or all of a group.
    pub(super) fn all(&self, name: &str) -> Option<&[HostId]> {
        if let Some(group) = self.group_by_name.get(name) {
            return Some(&self.groups[*group].1);
        }
        self.by_name.get(name).map(std::slice::from_ref)
    }

    /// The same by their own names; none of a name that nobody has.
    pub(super) fn called(&self, name: &str) -> Vec<String> {
        let hosts = self.all(name).unwrap_or_default().iter();
        hosts.map(|host| self.get(*host).name.clone()).collect()
    }

    /// The draft of a number.
    pub(super) fn get(&self, host: HostId) -> &Draft<'_> {
        &self.list[host.0 as usize]
    }

    /// Every name there is: groups, hosts, further names.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.groups
            .iter()
            .map(|(name, _)| name.as_str())
            .chain(self.list.iter().map(|host| host.name.as_str()))
            .chain(self.aliases.iter().map(|(name, _)| name.as_str()))
    }

    /// The host or group of a name, or the problem.
    pub(super) fn resolve(&self, name: &Spanned<String>, sink: &mut Sink) -> Vec<HostId> {
        match self.all(&name.value) {
            Some(hosts) => hosts.to_vec(),
            None => {
                sink.push(self.unknown(name, sink));
                Vec::new()
            }
        }
    }

    /// The single host of a name, or the problem.
    pub(super) fn resolve_one(&self, name: &Spanned<String>, sink: &mut Sink) -> Option<HostId> {
        if let Some(host) = self.one(&name.value) {
            return Some(host);
        }
        match self.group_by_name.get(&name.value) {
            Some(group) => {
                let hosts = &self.groups[*group].1;
                let first = hosts.first().map(|id| self.get(*id).name.as_str());
                sink.push(
                    Diagnostic::new(
                        code::ONE_HOST_NEEDED,
                        name.span,
                        format!("`{}` names {} hosts", name.value, hosts.len()),
                    )
                    .label("one host is needed here")
                    .help(format!(
                        "write one of them, as `{}`; `load` takes a whole group",
                        first.unwrap_or("web-1")
                    )),
                );
            }
            None => sink.push(self.unknown(name, sink)),
        }
        None
    }

    fn unknown(&self, name: &Spanned<String>, sink: &Sink) -> Diagnostic {
        Diagnostic::new(
            code::UNKNOWN_HOST,
            name.span,
            format!("there is no host `{}`", name.value),
        )
        .label("not under `hosts`")
        .help(sink.help(&name.value, self.names()))
    }
}

/// Expands `count` and checks what concerns one host.
pub(super) fn expand<'a>(expanded: &'a Expanded<'_>, sink: &mut Sink) -> Hosts<'a> {
    let Expanded { body, cluster } = expanded;
    let mut hosts = Hosts {
        list: Vec::new(),
        on_fabric: 0,
        groups: Vec::new(),
        aliases: Vec::new(),
        cluster,
        by_name: HashMap::new(),
        group_by_name: HashMap::new(),
    };
    let mut first_use: HashMap<String, Span> = HashMap::new();
    let (on_fabric, inside): (Vec<_>, Vec<_>) = body.hosts.iter().partition(|(key, section)| {
        section.behind.is_none() && cluster.node_of(&key.value).is_none()
    });
    let outside = on_fabric.len();
    for (place, (key, section)) in on_fabric.into_iter().chain(inside).enumerate() {
        check(key, section, body, sink);
        let names: Vec<String> = match &section.count {
            None => vec![key.value.clone()],
            Some(count) => (1..=count.value)
                .map(|n| format!("{}-{n}", key.value))
                .collect(),
        };
        let mut members = Vec::with_capacity(names.len());
        for name in names {
            unique(&name, key, &mut first_use, sink);
            let id =
                HostId(u32::try_from(hosts.list.len()).expect("the number of hosts is limited"));
            hosts.by_name.entry(name.clone()).or_insert(id);
            members.push(id);
            hosts.on_fabric += usize::from(place < outside);
            hosts.list.push(Draft { name, key, section });
        }
        if section.count.is_some() {
            unique(&key.value, key, &mut first_use, sink);
            hosts
                .group_by_name
                .insert(key.value.clone(), hosts.groups.len());
            hosts.groups.push((key.value.clone(), members));
        }
    }
    name_pods(cluster, &mut hosts, &mut first_use, sink);
    hosts
}

/// Names of pods that are not those of hosts: of several, and of those in their node's namespace.
fn name_pods(
    cluster: &Cluster,
    hosts: &mut Hosts<'_>,
    first_use: &mut HashMap<String, Span>,
    sink: &mut Sink,
) {
    for (alias, node) in &cluster.aliases {
        unique(&alias.value, alias, first_use, sink);
        let Some(node) = hosts.one(node) else {
            continue;
        };
        hosts.by_name.entry(alias.value.clone()).or_insert(node);
        hosts.aliases.push((alias.value.clone(), node));
    }
    for (group, pods) in &cluster.groups {
        unique(&group.value, group, first_use, sink);
        let members = pods.iter().filter_map(|pod| hosts.one(pod)).collect();
        let number = hosts.groups.len();
        hosts.group_by_name.insert(group.value.clone(), number);
        hosts.groups.push((group.value.clone(), members));
    }
}

/// A name stands for one thing.
fn unique(
    name: &str,
    key: &Spanned<String>,
    first_use: &mut HashMap<String, Span>,
    sink: &mut Sink,
) {
    match first_use.get(name) {
        None => {
            first_use.insert(name.to_owned(), key.span);
        }
        Some(first) => sink.push(
            Diagnostic::new(
                code::HOST_NAME_TWICE,
                key.span,
                format!("two hosts are called `{name}`"),
            )
            .label("this is the second")
            .also(*first, "this is the first")
            .help(
                "`count: 3` makes the names web-1, web-2 and web-3 of `web`; rename one of the two",
            ),
        ),
    }
}

/// No more zones than the address plan has room for.
pub(super) fn zones(body: &Body, sink: &mut Sink) {
    if let Some(zone) = body.zones.get(MOST_ZONES) {
        sink.push(
            Diagnostic::new(
                code::TOO_MANY_ZONES,
                zone.span,
                format!("{} zones", body.zones.len()),
            )
            .label(format!("the first zone past {MOST_ZONES}"))
            .help(format!(
                "a lab has at most {MOST_ZONES} zones; no AWS region has more than six"
            )),
        );
    }
}

/// A zone that the lab has.
pub(super) fn known_zone(zone: &Spanned<String>, body: &Body, sink: &mut Sink) -> bool {
    let known = body.zones.iter().any(|z| z.value == zone.value);
    if !known {
        let names = || body.zones.iter().map(|zone| zone.value.as_str());
        let mut help = sink.help(&zone.value, names());
        if did_you_mean(&zone.value, names()).is_none() {
            help = format!("{help}; a lab can have its own: `zones: [{}]`", zone.value);
        }
        sink.push(
            Diagnostic::new(
                code::UNKNOWN_ZONE,
                zone.span,
                format!("there is no zone `{}`", zone.value),
            )
            .label("not in `zones`")
            .help(help),
        );
    }
    known
}

fn check(key: &Spanned<String>, host: &spec::Host, body: &Body, sink: &mut Sink) {
    if let Some(zone) = &host.zone {
        known_zone(zone, body, sink);
    }
    one_address_for_many(host, sink);
    public_needs_a_zone(key, host, sink);
    for (name, value) in &host.sysctls {
        sysctls::check(name, value, sink);
    }
    quirks::check(host, sink);
    links::check(host, sink);
    for (port, serve) in &host.serve {
        if let Some(word) = serve.proxy_protocol.filter(|_| port.value.udp) {
            sink.push(
                Diagnostic::new(
                    proxy::HEADER_OF_DATAGRAMS,
                    word,
                    "a server of datagrams reads no PROXY protocol header",
                )
                .also(port.span, "UDP")
                .help("remove `proxy_protocol`"),
            );
        }
    }
}

fn one_address_for_many(host: &spec::Host, sink: &mut Sink) {
    let Some(count) = &host.count else { return };
    if count.value < 2 {
        return;
    }
    let public = match &host.public_address {
        Some(Spanned {
            value: spec::PublicAddress::Fixed(_),
            span,
        }) => Some(*span),
        Some(_) | None => None,
    };
    let secondary = host.addresses.iter().map(|address| address.span);
    for span in host
        .address
        .as_ref()
        .map(|a| a.span)
        .into_iter()
        .chain(secondary)
        .chain(public)
    {
        sink.push(
            Diagnostic::new(
                code::ONE_ADDRESS_FOR_MANY,
                span,
                format!("one address for {} hosts", count.value),
            )
            .label("each of them needs its own")
            .also(count.span, "so many hosts")
            .help("leave the address out (each gets one), or write the hosts one by one"),
        );
    }
}

fn public_needs_a_zone(key: &Spanned<String>, host: &spec::Host, sink: &mut Sink) {
    let Some(public) = &host.public_address else {
        return;
    };
    if host.zone.is_none() && host.behind.is_none() && public.value != spec::PublicAddress::None {
        sink.push(
            Diagnostic::new(
                code::PUBLIC_WITHOUT_ZONE,
                public.span,
                format!("`{}` is on the internet already", key.value),
            )
            .label("only a host in a zone has a second, public address")
            .help("remove `public_address`, or put the host into a `zone`"),
        );
    }
}
