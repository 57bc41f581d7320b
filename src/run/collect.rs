//! From the live world to evidence: the fabric's records, the kernel's counters and sockets, the workloads' results.

use super::Baseline;
use super::client::Client;
use super::server::Served;
use super::story::Story;
use crate::evidence::{
    BalancerEvidence, Connection, Detail, Displaced, Evidence, Flow, GroupEvidence, HostEvidence,
    Packet, Quantiles, Request, Socket, StepResult, TargetEvidence,
};
use crate::fabric::config::{BalancerId, PortId, Protocol};
use crate::fabric::record::{
    Answer, Conversation, Fate, FlowRecord, FlowState, PacketRecord, Party, Totals, Tuple,
};
use crate::plan::Plan;
use crate::world::{Error, World, proc};
use futures_util::future::join_all;
use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddrV4;
use std::sync::Arc;
use std::time::Duration;

/// The fabric's books at one moment.
struct Books {
    records: Vec<PacketRecord>,
    flows: Vec<FlowRecord>,
    conversations: Vec<Conversation>,
    totals: Totals,
    metrics: Vec<BTreeMap<String, i64>>,
    self_sourced: Vec<u64>,
    /// From the fabric's start to the first step.
    offset: Duration,
}

/// Every host's counters now.
///
/// # Errors
/// When /proc cannot be read.
pub async fn counters(world: &World) -> Result<Baseline, Error> {
    join_all(
        world
            .hosts()
            .iter()
            .map(|host| host.namespace.call(proc::counters)),
    )
    .await
    .into_iter()
    .collect()
}

/// Everything known at this moment.
///
/// # Errors
/// When /proc cannot be read.
pub async fn evidence(story: &Story) -> Result<Evidence, Error> {
    let (plan, world) = (&story.plan, &story.world);
    let sockets = join_all(
        world
            .hosts()
            .iter()
            .map(|host| host.namespace.call(proc::tcp_sockets)),
    )
    .await;
    let sockets = sockets.into_iter().collect::<Result<Vec<_>, _>>()?;
    let after = counters(world).await?;
    let books = books(story).await;
    let flows: Vec<Flow> = books
        .flows
        .iter()
        .map(|flow| flow_evidence(plan, &books, flow))
        .collect();
    let connections = connections(story, &books, &flows, &sockets);
    let mut evidence = Evidence {
        lab: plan.lab.clone(),
        case: plan.case.clone(),
        seed: plan.seed,
        time_scale: plan.time_scale,
        kernel: kernel_release(),
        steps: steps(story, &connections),
        packets: books
            .records
            .iter()
            .filter(|record| record.at >= books.offset)
            .map(|record| packet(plan, &books, record))
            .collect(),
        packets_cut: books.totals.records_cut as i64,
        drops: books
            .totals
            .dropped
            .iter()
            .map(|(reason, count)| (kebab(&format!("{reason:?}")), *count as i64))
            .collect(),
        load_balancers: balancers(plan, &books),
        target_groups: groups(plan, &books),
        ..Evidence::default()
    };
    for (number, host) in plan.hosts.iter().enumerate() {
        let requests = story.servers[number].requests();
        evidence.hosts.insert(
            host.name.clone(),
            HostEvidence {
                address: host.address.to_string(),
                counters: proc::delta(&story.before[number], &after[number]),
                sockets: sockets[number]
                    .iter()
                    .filter(|socket| socket.state != "LISTEN")
                    .map(|socket| Socket {
                        state: socket.state.to_owned(),
                        local: socket.local.to_string(),
                        remote: socket.remote.to_string(),
                    })
                    .collect(),
                self_sourced: books.self_sourced[number] as i64,
                requests: requests
                    .into_iter()
                    .map(|request| Request {
                        host: request.host,
                        path: request.path,
                        status: request.status.into(),
                    })
                    .collect(),
            },
        );
    }
    evidence.flows = flows;
    evidence.connections = connections;
    Ok(evidence)
}

async fn books(story: &Story) -> Books {
    let driver = story.world.driver();
    let offset = story
        .start()
        .into_std()
        .saturating_duration_since(driver.start_time());
    driver
        .ask(move |fabric, _| {
            let metrics = (0..fabric.config().balancers.len() as u16)
                .map(|number| {
                    fabric
                        .balancer_counters(BalancerId(number))
                        .metrics()
                        .into_iter()
                        .map(|(name, value)| (name.to_owned(), value as i64))
                        .collect()
                })
                .collect();
            Books {
                records: fabric.records().to_vec(),
                flows: fabric.flows(),
                conversations: fabric.conversations().to_vec(),
                totals: fabric.totals().clone(),
                metrics,
                self_sourced: (0..fabric.config().ports.len() as u32)
                    .map(|number| fabric.self_sourced(PortId(number)))
                    .collect(),
                offset,
            }
        })
        .await
}

impl Books {
    fn millis(&self, at: Duration) -> f64 {
        (at.as_secs_f64() - self.offset.as_secs_f64()) * 1e3
    }
}

fn connections(
    story: &Story,
    books: &Books,
    flows: &[Flow],
    sockets: &[Vec<proc::TcpSocket>],
) -> Vec<Connection> {
    let plan = &story.plan;
    let mut attempts: HashMap<Tuple, Vec<&Conversation>> = HashMap::new();
    for conversation in &books.conversations {
        attempts
            .entry(conversation.tuple)
            .or_default()
            .push(conversation);
    }
    let served: Vec<Vec<Arc<Served>>> = story
        .servers
        .iter()
        .map(super::server::Servers::served)
        .collect();
    let start = story.world.driver().start_time();
    story
        .clients()
        .iter()
        .map(|client| {
            let began = client.began.into_std().saturating_duration_since(start);
            let conversation = client.local.and_then(|local| {
                let tuple = Tuple {
                    protocol: Protocol::Tcp,
                    from: local,
                    to: client.to.address,
                };
                attempts
                    .get(&tuple)?
                    .iter()
                    .find(|conversation| conversation.opened >= began)
                    .copied()
            });
            connection(story, plan, client, conversation, flows, sockets, &served)
        })
        .collect()
}

fn connection(
    story: &Story,
    plan: &Plan,
    client: &Client,
    conversation: Option<&Conversation>,
    flows: &[Flow],
    sockets: &[Vec<proc::TcpSocket>],
    served: &[Vec<Arc<Served>>],
) -> Connection {
    let end = client.examine();
    let flow = conversation
        .and_then(|conversation| conversation.flow)
        .map(|flow| flow.0 as usize);
    let (target, seen_as, target_address) = match flow.map(|flow| &flows[flow]) {
        Some(flow) => (
            flow.target.clone(),
            flow.seen_as.clone(),
            flow.target_address.clone(),
        ),
        None => direct(plan, client),
    };
    let server = plan.hosts.iter().position(|host| host.name == target);
    let (seen, at) = (
        seen_as.parse::<SocketAddrV4>().ok(),
        target_address.parse::<SocketAddrV4>().ok(),
    );
    let stood = client.began + client.took;
    // Two connections may show one tuple to a server: ours is the one accepted nearest to when it came to stand.
    let accepted = server.and_then(|server| {
        let same = served[server].iter().filter(|served| {
            Some(served.peer) == seen && Some(served.local) == at && client.fault.is_none()
        });
        same.min_by_key(|served| {
            if served.accepted > stood {
                served.accepted - stood
            } else {
                stood - served.accepted
            }
        })
    });
    let acknowledged = end.info.bytes_acked.saturating_sub(1).min(end.sent);
    let delivered = accepted.map_or(acknowledged, |served| served.delivered());
    let state_of =
        |host: Option<usize>, local: Option<SocketAddrV4>, remote: Option<SocketAddrV4>| {
            let socket = host.and_then(|host| {
                sockets[host]
                    .iter()
                    .find(|socket| Some(socket.local) == local && Some(socket.remote) == remote)
            });
            socket.map_or(String::new(), |socket| socket.state.to_owned())
        };
    let ended = conversation.and_then(|conversation| conversation.ended);
    Connection {
        step: client.step,
        from: plan.hosts[client.from.0 as usize].name.clone(),
        via: client.to.label.clone(),
        local: client
            .local
            .map_or(String::new(), |local| local.to_string()),
        remote: client.to.address.to_string(),
        target,
        seen_as,
        target_address,
        flow,
        error: client.fault.word.to_owned(),
        errno: client.fault.errno,
        at: story.millis(client.began),
        ms: client.took.as_secs_f64() * 1e3,
        syns: conversation.map_or(0, |conversation| i64::from(conversation.syns)),
        sent: end.sent as i64,
        received: end.received as i64,
        delivered: delivered as i64,
        lost: acknowledged.saturating_sub(delivered) as i64,
        unacked: end.info.unacked as i64,
        ended: end.ended.to_owned(),
        ended_by: ended.map_or(String::new(), |ended| {
            match ended.by {
                Party::Client => "client",
                Party::Server => "server",
                Party::Fabric => "fabric",
            }
            .to_owned()
        }),
        client_state: state_of(
            Some(client.from.0 as usize),
            client.local,
            Some(client.to.address),
        ),
        server_state: state_of(server, at, seen),
        server_error: accepted.map_or(String::new(), |served| served.fault().word.to_owned()),
    }
}

/// Target, the client's address there, and the target's own, of a connection that met no balancer's flow.
fn direct(plan: &Plan, client: &Client) -> (String, String, String) {
    let remote = client.to.address;
    let Some(host) = plan
        .hosts
        .iter()
        .find(|host| host.address == *remote.ip() || host.public_address == Some(*remote.ip()))
    else {
        return Default::default();
    };
    let from = &plan.hosts[client.from.0 as usize];
    // A host with a public address appears under it wherever its packet passes the internet gateway.
    let crosses_gateway = host.zone.is_none() || host.address != *remote.ip();
    let source = from
        .public_address
        .filter(|_| crosses_gateway)
        .unwrap_or(from.address);
    let seen_as = client.local.map_or(String::new(), |local| {
        SocketAddrV4::new(source, local.port()).to_string()
    });
    (
        host.name.clone(),
        seen_as,
        SocketAddrV4::new(host.address, remote.port()).to_string(),
    )
}

fn steps(story: &Story, connections: &[Connection]) -> Vec<StepResult> {
    let results = story.results();
    results
        .into_iter()
        .zip(&story.plan.steps)
        .map(|(result, step)| {
            let mut result = result.unwrap_or_else(|| StepResult {
                name: step.name.clone(),
                label: step.label.clone(),
                error: "not-connected".to_owned(),
                ..StepResult::default()
            });
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
                    .map(|host| (host.name.clone(), 0))
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

fn balancers(plan: &Plan, books: &Books) -> BTreeMap<String, BalancerEvidence> {
    let list = plan
        .fabric
        .balancers
        .iter()
        .enumerate()
        .map(|(number, balancer)| {
            let addresses = balancer
                .zonal
                .iter()
                .map(|zonal| {
                    (
                        zonal.zone.clone(),
                        zonal.public.unwrap_or(zonal.private).to_string(),
                    )
                })
                .collect();
            let flows = books
                .flows
                .iter()
                .filter(|flow| flow.balancer == BalancerId(number as u16))
                .count() as i64;
            (
                balancer.name.clone(),
                BalancerEvidence {
                    metrics: books.metrics[number].clone(),
                    state: "active".to_owned(),
                    addresses,
                    flows,
                },
            )
        });
    list.collect()
}

fn groups(plan: &Plan, books: &Books) -> BTreeMap<String, GroupEvidence> {
    let list = plan
        .fabric
        .groups
        .iter()
        .enumerate()
        .map(|(number, group)| {
            let targets = group.targets.iter().enumerate().map(|(index, target)| {
                let flows = books
                    .flows
                    .iter()
                    .filter(|flow| usize::from(flow.group.0) == number && flow.target == index)
                    .count() as i64;
                (
                    target.name.clone(),
                    TargetEvidence {
                        state: "healthy".to_owned(),
                        reason: String::new(),
                        flows,
                    },
                )
            });
            (
                group.name.clone(),
                GroupEvidence {
                    targets: targets.collect(),
                },
            )
        });
    list.collect()
}

fn flow_evidence(plan: &Plan, books: &Books, flow: &FlowRecord) -> Flow {
    let balancer = &plan.fabric.balancers[usize::from(flow.balancer.0)];
    let group = &plan.fabric.groups[usize::from(flow.group.0)];
    Flow {
        balancer: balancer.name.clone(),
        via: format!(
            "{}/{}",
            balancer.name,
            balancer.zonal[usize::from(flow.zonal.0)].zone
        ),
        group: group.name.clone(),
        target: group.targets[flow.target].name.clone(),
        client: flow.client_side.from.to_string(),
        listener: flow.client_side.to.to_string(),
        seen_as: flow.target_side.from.to_string(),
        target_address: flow.target_side.to.to_string(),
        opened: books.millis(flow.opened),
        last: books.millis(flow.last),
        state: state_word(flow.state).to_owned(),
        displaced: flow.displaced.map(|displaced| Displaced {
            at: books.millis(displaced.at),
            by: displaced.by.0 as usize,
            was: state_word(displaced.was).to_owned(),
        }),
    }
}

fn state_word(state: FlowState) -> &'static str {
    match state {
        FlowState::SynSent => "syn-sent",
        FlowState::Established => "established",
        FlowState::Closing => "closing",
        FlowState::Closed => "closed",
        FlowState::Expired => "expired",
    }
}

fn packet(plan: &Plan, books: &Books, record: &PacketRecord) -> Packet {
    let host = |port: PortId| plan.hosts[port.0 as usize].name.clone();
    let maker = || {
        record.flow.map_or_else(
            || "fabric".to_owned(),
            |flow| {
                plan.fabric.balancers[usize::from(books.flows[flow.0 as usize].balancer.0)]
                    .name
                    .clone()
            },
        )
    };
    let (receiver, fate) = match record.fate {
        Fate::Forwarded(port) => (host(port), "forwarded".to_owned()),
        Fate::Held => (String::new(), "held".to_owned()),
        Fate::Answered(answer) => {
            let word = match answer {
                Answer::ResetNoFlow => "reset, no flow",
                Answer::ResetExpired => "reset, expired flow",
                Answer::TtlExceeded => "ICMP, TTL exceeded",
                Answer::FragmentationNeeded => "ICMP, fragmentation needed",
            };
            (String::new(), format!("answered: {word}"))
        }
        Fate::Dropped(reason) => (
            String::new(),
            format!("dropped: {}", kebab(&format!("{reason:?}"))),
        ),
    };
    Packet {
        id: record.id as i64,
        t: books.millis(record.at),
        sender: record.sender.map_or_else(maker, host),
        receiver,
        protocol: match record.protocol {
            1 => "icmp".to_owned(),
            6 => "tcp".to_owned(),
            17 => "udp".to_owned(),
            other => other.to_string(),
        },
        from: record.before.from.to_string(),
        to: record.before.to.to_string(),
        from_after: record.after.from.to_string(),
        to_after: record.after.to.to_string(),
        flags: flags_text(record.flags),
        seq: record.seq.into(),
        ack: if record.flags & 0x10 == 0 {
            0
        } else {
            record.ack.into()
        },
        len: record.payload.into(),
        window: record.window.into(),
        fate,
        flow: record.flow.map(|flow| flow.0 as usize),
        probe: false,
    }
}

/// As tcpdump writes them: `S`, `S.`, `.`, `P.`, `F.`, `R`, `R.`
fn flags_text(flags: u8) -> String {
    let letters = [
        (0x02, 'S'),
        (0x01, 'F'),
        (0x04, 'R'),
        (0x08, 'P'),
        (0x20, 'U'),
        (0x10, '.'),
    ];
    letters
        .iter()
        .filter(|(bit, _)| flags & bit != 0)
        .map(|(_, letter)| letter)
        .collect()
}

/// `LinkLoss` becomes `link-loss`.
fn kebab(name: &str) -> String {
    let mut text = String::with_capacity(name.len() + 4);
    for (position, letter) in name.char_indices() {
        if letter.is_ascii_uppercase() && position > 0 {
            text.push('-');
        }
        text.push(letter.to_ascii_lowercase());
    }
    text
}

fn kernel_release() -> String {
    nix::sys::utsname::uname()
        .map(|name| name.release().to_string_lossy().into_owned())
        .unwrap_or_default()
}
