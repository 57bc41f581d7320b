//! From the live world to evidence: the fabric's books, the kernel's counters and sockets, the workloads' results.
//!
//! A file for each thing recorded, as in the evidence's model. `sightings` is what devices inside hosts saw, `ways` joins the
//! records of one packet. Not here: the fabric's own books (see `books`).

mod balancers;
mod connections;
mod datagrams;
mod endpoints;
mod hosts;
mod interfaces;
pub(super) mod links;
mod marks;
mod metrics;
mod nat;
mod pairs;
mod sightings;
mod steps;
mod ways;

use super::Baseline;
use super::books::{Books, books, flow_evidence, packet, refusals};
use super::story::Story;
use crate::evidence::{Evidence, Flow, Lookup, Packet};
use crate::verdict::Scope;
use crate::world::counters::{Counters, Reading};
use crate::world::drops;
use crate::world::tcp_sockets::{TcpListener, TcpSocket, tcp_listeners, tcp_sockets};
use crate::world::{Error, World, conntrack, inherited_of_tcp, proc};
use balancers::{balancers, groups};
use connections::Known;
use endpoints::endpoints;
use futures_util::future::join_all;
use hosts::hosts;
use interfaces::interfaces;
use metrics::Metrics;
use pairs::{own_answers, pairs};
use sightings::{Sightings, sightings};
use steps::steps;

/// Every host's counters now, and from now on what its kernel drops.
///
/// # Errors
/// When /proc cannot be read.
pub async fn counters(world: &World) -> Result<Baseline, Error> {
    let looked = join_all(world.hosts().iter().map(|host| {
        let has_ipv6 = host.has_ipv6;
        host.namespace.call(move || {
            Ok::<_, Error>((
                proc::namespace()?,
                Reading::take(has_ipv6)?,
                conntrack::counters().unwrap_or_default(),
            ))
        })
    }));
    let looked = looked.await.into_iter();
    let (namespaces, counters, tracked) =
        looked.collect::<Result<(Vec<_>, Vec<_>, Vec<_>), _>>()?;
    let drops = drops::watch().map_err(str::to_owned);
    let followed = drops.and_then(|drops| {
        let followed = drops.follow(&namespaces);
        followed.map_err(|error| error.to_string())
    });
    Ok(Baseline {
        counters,
        tracked,
        followed,
    })
}

/// What the kernel tells of a namespace.
struct Look {
    counters: Reading,
    /// Of connection tracking, or why there are none.
    tracked: Result<Counters, String>,
    sockets: Sockets,
}

/// The TCP sockets of a host.
struct Sockets {
    /// All but those that listen.
    connected: Vec<TcpSocket>,
    /// Those; none where nobody asks for them.
    listening: Option<Vec<TcpListener>>,
}

/// At this thread's namespace. Sockets are looked for where there can be any: the kernel walks through its tables for them.
fn look(has_ipv6: bool, with_listeners: bool) -> Result<Look, Error> {
    let counters = Reading::take(has_ipv6)?;
    let connected = match counters.speaks_tcp() {
        true => tcp_sockets()?,
        false => Vec::new(),
    };
    let listening = with_listeners.then(tcp_listeners).transpose()?;
    Ok(Look {
        counters,
        tracked: conntrack::counters(),
        sockets: Sockets {
            connected,
            listening,
        },
    })
}

/// Packets that pass between two looks make them tell of different moments; so look again, this often at most.
pub(super) const LOOKS: usize = 5;

/// Sockets and counters of every host and the fabric's books, all of one moment where the story allows it.
struct Moment {
    /// By host; none where nobody wants them.
    looks: Vec<Look>,
    /// What its kernel dropped since the story began, by its own reasons; none where that is not known.
    drops: Option<Vec<Counters>>,
    books: Books,
}

async fn moment(story: &Story, scope: Scope) -> Result<Moment, Error> {
    if !scope.kernels {
        return Ok(Moment {
            looks: Vec::new(),
            drops: None,
            books: books(story, scope.packets).await,
        });
    }
    let hosts = story.world.hosts();
    let with_listeners = story.plan.asks_for("listeners");
    let mut tries = 0;
    loop {
        let received = received(story).await;
        let looked = join_all(hosts.iter().map(|host| {
            let has_ipv6 = host.has_ipv6;
            host.namespace.call(move || look(has_ipv6, with_listeners))
        }));
        let looked = looked.await.into_iter();
        let looks = looked.collect::<Result<Vec<_>, _>>()?;
        let followed = story.before.followed.as_ref().ok();
        let drops = followed.map(drops::Followed::counted).transpose()?;
        let books = books(story, scope.packets).await;
        tries += 1;
        if books.totals.received == received || tries == LOOKS {
            return Ok(Moment {
                looks,
                drops,
                books,
            });
        }
    }
}

/// Packets that entered the fabric so far.
pub async fn received(story: &Story) -> u64 {
    story
        .world
        .driver()
        .ask(|fabric, _| fabric.totals().received)
        .await
}

/// What is known at this moment, as far as it is wanted.
///
/// # Errors
/// When /proc cannot be read.
pub async fn evidence(story: &Story, scope: Scope) -> Result<Evidence, Error> {
    let plan = &story.plan;
    let scope = Scope {
        packets: scope.packets || only_packets_tell(story),
        ..scope
    };
    let moment = moment(story, scope).await?;
    let hosts = hosts(story, &moment);
    let Moment { looks, books, .. } = moment;
    let sockets: Vec<&[TcpSocket]> = looks
        .iter()
        .map(|look| look.sockets.connected.as_slice())
        .collect();
    let flows: Vec<Flow> = books
        .flows
        .iter()
        .map(|flow| flow_evidence(plan, &books, flow))
        .collect();
    let pairs = pairs(story);
    let sightings = sightings(story);
    let packets = match scope.packets {
        true => packets(story, &books, &sightings),
        false => Vec::new(),
    };
    // Before the connections: a load that ends meanwhile would tell of some that are not among them.
    let results = story.results();
    let connections = Known::new(
        story, &books, &flows, &pairs, &sockets, &sightings, &packets,
    )
    .connections()
    .await;
    let metrics = Metrics::new(plan, &books.readings);
    let mut published = metrics.published();
    published.extend(nat::published(plan, &books));
    let dropped = books.totals.dropped.iter();
    Ok(Evidence {
        lab: plan.lab.clone(),
        case: plan.case.clone(),
        seed: plan.seed,
        time_scale: plan.time_scale,
        kernel: proc::kernel_release(),
        tcp: inherited_of_tcp(),
        steps: steps(story, results, &connections, &books),
        refusals: refusals(plan, &books),
        packets_cut: (books.totals.records_cut + books.totals.impairments_cut + sightings.missed)
            as i64,
        drops: dropped
            .map(|(reason, count)| (reason.word().to_owned(), *count as i64))
            .collect(),
        load_balancers: balancers(plan, &books, &metrics, &pairs),
        endpoints: endpoints(plan, &books),
        target_groups: groups(plan, &books, &metrics),
        own_answers: own_answers(story),
        nat_gateways: nat::gateways(plan, &books),
        mappings: nat::mappings(plan, &books),
        metrics: published,
        interfaces: interfaces(plan),
        no_kernel_drops: story
            .before
            .followed
            .as_ref()
            .err()
            .cloned()
            .unwrap_or_default(),
        lookups: lookups(story),
        hosts,
        connections,
        packets,
        flows,
        pairs,
        ..Evidence::default()
    })
}

/// True when only packets tell to whom some client's datagrams went: those of clients inside hosts have no number.
fn only_packets_tell(story: &Story) -> bool {
    !story.world.observers().is_empty() && story.clients().iter().any(|client| client.udp)
}

/// What the fabric saw, then what devices inside hosts did.
fn packets(story: &Story, books: &Books, sightings: &Sightings) -> Vec<Packet> {
    let since = books
        .records
        .iter()
        .filter(|record| record.at >= books.offset);
    let mut packets: Vec<Packet> = since
        .map(|record| packet(&story.plan, books, record))
        .collect();
    links::tell(
        &mut packets,
        links::effects(&story.plan, &books.impairments),
    );
    marks::tell(&mut packets, books);
    packets.extend(sightings.packets(story, books.numbered as i64));
    if !story.world.observers().is_empty() {
        ways::link(&mut packets);
    }
    packets
}

fn lookups(story: &Story) -> Vec<Lookup> {
    let lookups = story.names().lookups();
    let keep_ms = story.plan.fabric.resolver.ttl.as_secs_f64() * 1e3;
    lookups
        .into_iter()
        .map(|lookup| Lookup {
            keep_ms: if lookup.addresses.is_empty() {
                0.0
            } else {
                keep_ms
            },
            from: story.plan.hosts[lookup.from.0 as usize].name.clone(),
            at: story.millis(lookup.began),
            ms: lookup.took.as_secs_f64() * 1e3,
            addresses: lookup.addresses.iter().map(ToString::to_string).collect(),
            error: lookup.fault.word.to_owned(),
            name: lookup.name,
        })
        .collect()
}
