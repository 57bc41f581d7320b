//! From the live world to evidence: the fabric's books, the kernel's counters and sockets, the workloads' results.

use super::books::{Books, balancers, books, flow_evidence, groups, kebab, packet, refusals};
use super::connections::connections;
use super::endpoints::endpoints;
use super::interfaces::interfaces;
use super::links;
use super::metrics::Metrics;
use super::pairs::pairs;
use super::server::Header;
use super::sightings::{Sightings, sightings};
use super::story::Story;
use super::{Baseline, nat, ways};
use crate::evidence::{
    Connection, Detail, Evidence, Flow, HostEvidence, Lookup, Packet, Quantiles, Request, Socket,
    StepResult, TcpInfo,
};
use crate::plan::{Attachment, Plan};
use crate::world::drops::{self, Drops};
use crate::world::{Error, World, proc, sock_diag};
use futures_util::future::join_all;

/// Every host's counters now.
///
/// # Errors
/// When /proc cannot be read.
pub async fn counters(world: &World) -> Result<Baseline, Error> {
    let drops = match drops::watch() {
        Ok(drops) => Ok(kernel_drops(world, drops).await?),
        Err(why) => Err(why),
    };
    let counters = join_all(world.hosts().iter().map(|host| {
        let has_ipv6 = host.has_ipv6;
        host.namespace.call(move || {
            let mut counters = proc::counters()?;
            if has_ipv6 {
                counters.extend(proc::ipv6_counters()?);
            }
            Ok(counters)
        })
    }))
    .await
    .into_iter()
    .collect::<Result<Vec<_>, _>>()?;
    Ok(Baseline { counters, drops })
}

/// What every host's kernel has dropped so far.
async fn kernel_drops(world: &World, drops: &Drops) -> Result<Vec<proc::Counters>, Error> {
    let hosts = world.hosts().iter();
    let namespaces = join_all(hosts.map(|host| host.namespace.call(proc::namespace))).await;
    let counted = drops.counted()?;
    let of = |namespace: Result<u32, Error>| Ok(drops.of(&counted, namespace?));
    namespaces.into_iter().map(of).collect()
}

/// Packets that pass between two looks make them tell of different moments; so look again, this often at most.
const LOOKS: usize = 5;

/// Sockets and counters of every host and the fabric's books, all of one moment where the story allows it.
async fn moment(story: &Story) -> Result<(Vec<Vec<proc::TcpSocket>>, Baseline, Books), Error> {
    let hosts = story.world.hosts();
    let mut looks = 0;
    loop {
        let received = received(story).await;
        let sockets = join_all(
            hosts
                .iter()
                .map(|host| host.namespace.call(proc::tcp_sockets)),
        )
        .await;
        let sockets = sockets.into_iter().collect::<Result<Vec<_>, _>>()?;
        let counters = counters(&story.world).await?;
        let books = books(story).await;
        looks += 1;
        if books.totals.received == received || looks == LOOKS {
            return Ok((sockets, counters, books));
        }
    }
}

/// By host. Empty where the kernel does not tell: sockets are then without.
async fn tcp_infos(story: &Story) -> Vec<sock_diag::Infos> {
    let hosts = story.world.hosts().iter();
    let asked = hosts.map(|host| host.namespace.call(sock_diag::tcp_infos));
    let told = join_all(asked).await.into_iter();
    told.map(|told| {
        told.unwrap_or_else(|error| {
            tracing::debug!(%error, "no sock_diag");
            sock_diag::Infos::new()
        })
    })
    .collect()
}

fn tcp_info(info: &sock_diag::TcpInfo) -> TcpInfo {
    TcpInfo {
        rtt_ms: f64::from(info.rtt) / 1e3,
        rto_ms: f64::from(info.rto) / 1e3,
        cwnd: info.snd_cwnd.into(),
        unacked: info.unacked.into(),
        lost: info.lost.into(),
        resent: info.total_retrans.into(),
        bytes_acked: info.bytes_acked as i64,
        bytes_received: info.bytes_received as i64,
        segments_out: info.segs_out.into(),
        segments_in: info.segs_in.into(),
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

/// Everything known at this moment.
///
/// # Errors
/// When /proc cannot be read.
pub async fn evidence(story: &Story) -> Result<Evidence, Error> {
    let plan = &story.plan;
    let (sockets, after, books) = moment(story).await?;
    let infos = tcp_infos(story).await;
    let flows: Vec<Flow> = books
        .flows
        .iter()
        .map(|flow| flow_evidence(plan, &books, flow))
        .collect();
    let pairs = pairs(story);
    let sightings = sightings(story);
    let packets = packets(story, &books, &sightings);
    let connections = connections(
        story, &books, &flows, &pairs, &sockets, &sightings, &packets,
    )
    .await;
    let metrics = Metrics::new(plan, &books.readings);
    let mut evidence = Evidence {
        lab: plan.lab.clone(),
        case: plan.case.clone(),
        seed: plan.seed,
        time_scale: plan.time_scale,
        kernel: kernel_release(),
        steps: steps(story, &connections, &books),
        packets,
        refusals: refusals(plan, &books),
        packets_cut: (books.totals.records_cut + sightings.missed) as i64,
        drops: books
            .totals
            .dropped
            .iter()
            .map(|(reason, count)| (kebab(&format!("{reason:?}")), *count as i64))
            .collect(),
        load_balancers: balancers(plan, &books, &metrics, &pairs),
        endpoints: endpoints(plan, &books),
        target_groups: groups(plan, &books, &metrics),
        nat_gateways: nat::gateways(plan, &books),
        mappings: nat::mappings(plan, &books),
        metrics: {
            let mut all = metrics.published();
            all.extend(nat::published(plan, &books));
            all
        },
        interfaces: interfaces(plan),
        no_kernel_drops: after.drops.as_ref().err().map_or("", |why| why).to_owned(),
        ..Evidence::default()
    };
    for (number, host) in plan.hosts.iter().enumerate() {
        let requests = story.servers[number].requests();
        evidence.hosts.insert(
            host.name.clone(),
            HostEvidence {
                address: host.address.to_string(),
                ipv6: host.ipv6.map_or(String::new(), |ipv6| ipv6.to_string()),
                inside: match &host.attachment {
                    Attachment::Inside(veth) => plan.hosts[veth.parent.0 as usize].name.clone(),
                    Attachment::Fabric => String::new(),
                },
                counters: proc::delta(&story.before.counters[number], &after.counters[number]),
                kernel_drops: match (&story.before.drops, &after.drops) {
                    (Ok(before), Ok(after)) => {
                        let delta = proc::delta(&before[number], &after[number]);
                        Some(delta.into_iter().filter(|(_, count)| *count != 0).collect())
                    }
                    (Err(_), _) | (_, Err(_)) => None,
                },
                sockets: sockets[number]
                    .iter()
                    .filter(|socket| socket.state != "LISTEN")
                    .map(|socket| Socket {
                        state: socket.state.to_owned(),
                        local: socket.local.to_string(),
                        remote: socket.remote.to_string(),
                        send_queue: socket.send_queue as i64,
                        recv_queue: socket.recv_queue as i64,
                        timer: socket.timer.to_owned(),
                        timer_ms: socket.timer_ms as i64,
                        retransmits: socket.retransmits as i64,
                        tcp_info: infos[number]
                            .get(&(socket.local, socket.remote))
                            .map(tcp_info),
                    })
                    .collect(),
                // What is not on the fabric is delivered nothing by it.
                self_sourced: books
                    .self_sourced
                    .get(number)
                    .filter(|_| number < plan.on_fabric())
                    .map_or(0, |count| *count as i64),
                broken_headers: story.servers[number]
                    .served()
                    .iter()
                    .filter(|served| served.header.get() == Some(&Header::Broken))
                    .filter(|served| !plan.is_of_kernel(served.peer))
                    .map(|served| served.peer.to_string())
                    .collect(),
                requests: requests
                    .into_iter()
                    .filter(|request| request.at >= story.start())
                    .map(|request| Request {
                        client: request.client.to_string(),
                        forwarded_for: request.forwarded_for,
                        probe: plan.is_of_kernel(request.peer),
                        host: request.host,
                        path: request.path,
                        status: request.status.into(),
                    })
                    .collect(),
            },
        );
    }
    evidence.lookups = lookups(story);
    evidence.flows = flows;
    evidence.pairs = pairs;
    evidence.connections = connections;
    Ok(evidence)
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
    let next = books
        .records
        .last()
        .map_or(0, |record| record.id as i64 + 1);
    packets.extend(sightings.packets(story, next));
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

fn steps(story: &Story, connections: &[Connection], books: &Books) -> Vec<StepResult> {
    let results = story.results();
    results
        .into_iter()
        .zip(&story.plan.steps)
        .enumerate()
        .map(|(number, (result, step))| {
            let mut result = result.unwrap_or_else(|| StepResult {
                name: step.name.clone(),
                label: step.label.clone(),
                error: "not-connected".to_owned(),
                ..StepResult::default()
            });
            if let Detail::Drop { dropped } = &mut result.detail {
                let count = story
                    .rule_of(number)
                    .and_then(|rule| books.dropped.get(rule));
                *dropped = count.map_or(0, |count| *count as i64);
            }
            if let Detail::Load(load) = &mut result.detail {
                let own: Vec<&Connection> = load
                    .connections
                    .iter()
                    .map(|index| &connections[*index])
                    .collect();
                load.retried = own.iter().filter(|connection| connection.syns > 1).count() as i64;
                load.by_target = story
                    .plan
                    .hosts
                    .iter()
                    .map(|host| host.name.clone())
                    .chain(inner_targets(&story.plan))
                    .map(|name| (name, 0))
                    .collect();
                for connection in own
                    .iter()
                    .filter(|connection| !connection.target.is_empty())
                {
                    *load.by_target.entry(connection.target.clone()).or_default() += 1;
                }
                load.connect_ms = quantiles(
                    own.iter()
                        .filter(|connection| connection.error.is_empty())
                        .map(|connection| connection.ms)
                        .collect(),
                );
            }
            result
        })
        .collect()
}

/// The zonal addresses of application balancers that are targets.
fn inner_targets(plan: &Plan) -> impl Iterator<Item = String> {
    let targets = plan.fabric.groups.iter().flat_map(|group| &group.targets);
    let inner = targets.filter(|target| target.name.contains('/'));
    inner.map(|target| target.name.clone())
}

fn quantiles(mut values: Vec<f64>) -> Quantiles {
    values.sort_by(f64::total_cmp);
    // Nearest rank: the smallest value that at least this share of all does not exceed.
    let at = |share: f64| {
        values
            .get(((values.len() as f64 * share).ceil() as usize).saturating_sub(1))
            .copied()
            .unwrap_or(0.0)
    };
    Quantiles {
        min: at(0.0),
        p50: at(0.5),
        p90: at(0.9),
        p99: at(0.99),
        max: at(1.0),
    }
}

fn kernel_release() -> String {
    nix::sys::utsname::uname()
        .map(|name| name.release().to_string_lossy().into_owned())
        .unwrap_or_default()
}
