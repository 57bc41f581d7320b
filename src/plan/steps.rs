//! The story: steps with hosts, destinations and connections resolved.

use super::balancers::Balancer;
use super::claims::Compiler;
use super::clock::Clock;
use super::destination_text::Wanted;
use super::destinations::Destinations;
use super::groups::Groups;
use super::hosts::Hosts;
use super::network::Network;
use super::text::Places;
use super::vpcs;
use super::{Dial, HostId, Sink, Step, StepId, Transfer, Verb};
use super::{faults, requests};
use crate::diag::codes::{plan as code, proxy};
use crate::diag::{Diagnostic, Spanned};
use crate::spec::{self, Body};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Duration;

/// Bytes of one `send`, at most: what a test of a network failure can need.
const MOST_BYTES: u32 = 64 << 20;
/// Source ports of one client toward one destination.
const MOST_PORTS: u64 = 65_535;
/// Connections of one lab.
const MOST_CONNECTIONS: u64 = 250_000;

/// What steps are resolved against.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scene<'a> {
    pub(super) hosts: &'a Hosts<'a>,
    pub(super) destinations: &'a Destinations<'a>,
    pub(super) balancers: &'a [Balancer<'a>],
    pub(super) groups: &'a Groups<'a>,
    pub(super) places: Places<'a>,
    pub(super) clock: Clock,
    /// Fixes the emulator's choices, in every moment of the story.
    pub(super) seed: u64,
}

/// Steps by result name, to find what `over` means.
pub(super) type Named<'a> = HashMap<&'a str, usize>;

/// Resolves the story. Steps whose names lead nowhere are left out, so numbers are right only without problems.
pub(super) fn resolve(
    body: &Body,
    scene: Scene<'_>,
    compiler: &mut Compiler<'_>,
    sink: &mut Sink,
) -> Vec<Step> {
    let named: Named<'_> = body
        .steps
        .iter()
        .enumerate()
        .filter(|(_, step)| step.named)
        .map(|(number, step)| (step.name.value.as_str(), number))
        // The first of a name is the one that counts; the others are said to be wrong.
        .rev()
        .collect();
    let resolver = Resolver {
        body,
        scene,
        named: &named,
    };
    let mut steps = Vec::with_capacity(body.steps.len());
    for (number, step) in body.steps.iter().enumerate() {
        let (label, background) = describe(step);
        if let Some(verb) = resolver.verb(number, step, compiler, sink) {
            steps.push(Step {
                name: step.name.value.clone(),
                named: step.named,
                label,
                line: compiler.line(step.span),
                background,
                verb,
            });
        }
    }
    too_many_connections(body, &steps, sink);
    same_tuple(body, &steps, sink);
    super::datagrams::check(body, &steps, sink);
    steps
}

struct Resolver<'a> {
    body: &'a Body,
    scene: Scene<'a>,
    named: &'a Named<'a>,
}

impl Resolver<'_> {
    fn verb(
        &self,
        number: usize,
        step: &spec::Step,
        compiler: &mut Compiler<'_>,
        sink: &mut Sink,
    ) -> Option<Verb> {
        let clock = self.scene.clock;
        Some(match &step.verb {
            spec::Verb::Connect {
                from,
                to,
                source_port,
                family,
                keepalive,
                tls,
                timeout,
            } => {
                let family = family.as_ref();
                let timeout = clock.step(timeout, sink);
                let keepalive = clock.keepalive(keepalive.as_ref(), sink);
                let from = self.scene.hosts.resolve_one(from, sink)?;
                let wanted = Wanted { to, family };
                let dial = self.scene.destinations.dials(&[from], wanted, sink).pop()?;
                if *tls && dial.udp {
                    sink.push(
                        Diagnostic::new(
                            proxy::TLS_OVER_UDP,
                            to.span,
                            "TLS goes over TCP, and this is UDP",
                        )
                        .help("remove `tls`, or the `/udp`"),
                    );
                }
                Verb::Connect {
                    dial,
                    source_port: source_port.as_ref().map(|port| port.value),
                    keepalive,
                    tls: *tls,
                    timeout,
                }
            }
            spec::Verb::Load {
                from,
                to,
                connections,
                rate,
                hold,
                request,
                family,
                keepalive,
                timeout,
                background: _,
            } => {
                let family = family.as_ref();
                let timeout = clock.step(timeout, sink);
                let keepalive = clock.keepalive(keepalive.as_ref(), sink);
                let from = self.scene.hosts.resolve(from, sink);
                let dials = self
                    .scene
                    .destinations
                    .dials(&from, Wanted { to, family }, sink);
                if dials.is_empty() {
                    return None;
                }
                ports_suffice(connections, &dials[0], sink);
                let request = request
                    .as_ref()
                    .map(|request| requests::resolve(request, &dials[0], to, clock, sink));
                Verb::Load {
                    dials,
                    connections: connections.value,
                    rate: rate.as_ref().map(|rate| rate.value),
                    hold: *hold,
                    request,
                    keepalive,
                    timeout,
                }
            }
            spec::Verb::Exchange(transfer) => {
                Verb::Exchange(self.transfer(number, transfer, sink)?)
            }
            spec::Verb::Send(transfer) => Verb::Send(self.transfer(number, transfer, sink)?),
            spec::Verb::Receive(transfer) => Verb::Receive(self.transfer(number, transfer, sink)?),
            spec::Verb::Close { over } => Verb::Close {
                over: self.over(number, over, sink)?,
            },
            spec::Verb::Abort { over } => Verb::Abort {
                over: self.over(number, over, sink)?,
            },
            spec::Verb::Inject {
                over,
                beyond,
                bytes,
            } => Verb::Inject {
                over: self.over(number, over, sink)?,
                beyond: beyond.value,
                bytes: bytes.value,
            },
            spec::Verb::Shutdown { over } => Verb::Shutdown {
                over: self.over(number, over, sink)?,
            },
            spec::Verb::Wait { span } => Verb::Wait {
                lapse: clock.step(span, sink),
            },
            spec::Verb::WaitUntil { that, timeout } => Verb::WaitUntil {
                timeout: clock.step(timeout, sink),
                that: Box::new(compiler.expression(that, sink)?),
            },
            spec::Verb::Stop { host, reset } => Verb::Stop {
                hosts: self.some_hosts(host, sink)?,
                reset: *reset,
            },
            spec::Verb::Kill { host } => Verb::Kill {
                hosts: self.some_hosts(host, sink)?,
            },
            spec::Verb::Fault(fault) => {
                let scene = faults::Scene {
                    body: self.body,
                    named: self.named,
                    hosts: self.scene.hosts,
                    balancers: self.scene.balancers,
                };
                Verb::Fault(scene.resolve(number, fault, sink)?)
            }
            spec::Verb::Registration { target, registered } => {
                let place = self
                    .scene
                    .groups
                    .registration(target, self.scene.hosts, sink)?;
                let mut foreign = Vec::new();
                if *registered {
                    foreign = vpcs::foreign(
                        self.body,
                        self.scene.hosts,
                        self.scene.groups,
                        self.scene.balancers,
                        usize::from(place.0.0),
                    );
                    foreign.retain(|target| place.1.contains(target));
                }
                Verb::Registration {
                    group: place.0,
                    targets: place.1,
                    registered: *registered,
                    foreign,
                }
            }
            spec::Verb::Set { path, value, after } => Verb::Set {
                path: path.value.clone(),
                value: value.clone(),
                network: Box::new(Network::after(after.as_deref()?, self.scene.seed, sink)),
            },
            spec::Verb::Run {
                on_host,
                command,
                timeout,
                background: _,
            } => Verb::Run {
                timeout: clock.step(timeout, sink),
                host: self.scene.hosts.resolve_one(on_host, sink)?,
                command: self.scene.places.fill(&command.value),
            },
        })
    }

    fn some_hosts(&self, name: &Spanned<String>, sink: &mut Sink) -> Option<Vec<HostId>> {
        let hosts = self.scene.hosts.resolve(name, sink);
        (!hosts.is_empty()).then_some(hosts)
    }

    fn transfer(
        &self,
        number: usize,
        transfer: &spec::Transfer,
        sink: &mut Sink,
    ) -> Option<Transfer> {
        let clock = self.scene.clock;
        if transfer.bytes.value > MOST_BYTES {
            sink.push(
                Diagnostic::new(
                    code::TOO_MANY_BYTES,
                    transfer.bytes.span,
                    format!("{} bytes at once", transfer.bytes.value),
                )
                .label("more than 64 MiB")
                .help("send less, more often: `bytes: 64MiB, times: 4`"),
            );
        }
        let timeout = clock.step(&transfer.timeout, sink);
        let every = transfer
            .every
            .as_ref()
            .map_or(Duration::ZERO, |every| clock.step(every, sink));
        Some(Transfer {
            over: self.over(number, &transfer.over, sink)?,
            bytes: transfer.bytes.value,
            times: transfer.times.value.max(1),
            every,
            timeout,
        })
    }

    /// The `connect` or `load` that `over` names. It must have come before.
    fn over(&self, number: usize, over: &Spanned<String>, sink: &mut Sink) -> Option<StepId> {
        let Some(found) = self.named.get(over.value.as_str()).copied() else {
            sink.push(self.unknown_step(over, sink));
            return None;
        };
        let step = &self.body.steps[found];
        if !opens(&step.verb) {
            sink.push(
                Diagnostic::new(
                    code::OVER_NO_CONNECTION,
                    over.span,
                    format!("step `{}` opens no connection", over.value),
                )
                .label("`over` takes a `connect` or a `load`")
                .also(step.span, "this step")
                .help(sink.help(&over.value, self.openers())),
            );
            return None;
        }
        if found >= number {
            sink.push(
                Diagnostic::new(
                    code::OVER_LATER,
                    over.span,
                    format!("step `{}` comes later", over.value),
                )
                .label("not open yet")
                .also(step.span, "it opens here")
                .help("move one of the two steps"),
            );
            return None;
        }
        u32::try_from(found).ok().map(StepId)
    }

    fn unknown_step(&self, over: &Spanned<String>, sink: &Sink) -> Diagnostic {
        Diagnostic::new(
            code::OVER_UNKNOWN,
            over.span,
            format!("no step is called `{}`", over.value),
        )
        .label("needs a `connect` or `load` with this name")
        .help(sink.help(&over.value, self.openers()))
    }

    fn openers(&self) -> impl Iterator<Item = &str> {
        self.body
            .steps
            .iter()
            .filter(|step| step.named && opens(&step.verb))
            .map(|step| step.name.value.as_str())
    }
}

/// True for steps that `over` can name.
pub(super) fn opens(verb: &spec::Verb) -> bool {
    matches!(verb, spec::Verb::Connect { .. } | spec::Verb::Load { .. })
}

/// A step in words, and whether the story goes on at once.
fn describe(step: &spec::Step) -> (String, bool) {
    let over = |verb: &str, over: &Spanned<String>| (format!("{verb} over {}", over.value), false);
    match &step.verb {
        spec::Verb::Connect { from, to, .. } => {
            (format!("connect {} -> {}", from.value, to.value), false)
        }
        spec::Verb::Load {
            from,
            to,
            connections,
            background,
            ..
        } => (
            format!(
                "load {} -> {}, {} each",
                from.value, to.value, connections.value
            ),
            *background,
        ),
        spec::Verb::Exchange(t) => (format!("exchange over {}", t.over.value), t.background),
        spec::Verb::Send(t) => (format!("send over {}", t.over.value), t.background),
        spec::Verb::Receive(t) => (format!("receive over {}", t.over.value), t.background),
        spec::Verb::Close { over: name } => over("close", name),
        spec::Verb::Abort { over: name } => over("abort", name),
        spec::Verb::Inject { over: name, .. } => over("inject", name),
        spec::Verb::Shutdown { over: name } => over("shutdown", name),
        spec::Verb::Wait { span } => (
            format!(
                "wait {}{}",
                super::clock::show(span.value.length),
                if span.value.cloud { " cloud" } else { "" }
            ),
            false,
        ),
        spec::Verb::WaitUntil { that, .. } => (format!("wait until {}", that.value), false),
        spec::Verb::Stop { host, reset } => (
            format!(
                "stop {}{}",
                host.value,
                if *reset { " with reset" } else { "" }
            ),
            false,
        ),
        spec::Verb::Kill { host } => (format!("kill {}", host.value), false),
        spec::Verb::Fault(fault) => (super::faults::label(fault), false),
        spec::Verb::Registration { target, registered } => {
            let verb = if *registered {
                "register"
            } else {
                "deregister"
            };
            (format!("{verb} {}", target.value), false)
        }
        spec::Verb::Set { path, value, .. } => {
            let value = value.as_deref().unwrap_or("null");
            (format!("set {}: {value}", path.value), false)
        }
        spec::Verb::Run {
            on_host,
            background,
            ..
        } => (format!("run on {}", on_host.value), *background),
    }
}

/// A client has only so many ports toward one destination.
fn ports_suffice(connections: &Spanned<u32>, dial: &Dial, sink: &mut Sink) {
    let room = MOST_PORTS * dial.to.len() as u64;
    if u64::from(connections.value) > room {
        sink.push(
            Diagnostic::new(
                code::TOO_MANY_CONNECTIONS,
                connections.span,
                format!("{} connections from one client", connections.value),
            )
            .label(format!(
                "a client has {room} ports toward {} {}",
                dial.to.len(),
                if dial.to.len() == 1 {
                    "address"
                } else {
                    "addresses"
                }
            ))
            .help("use more clients (`count:`), or fewer connections"),
        );
    }
}

fn too_many_connections(body: &Body, steps: &[Step], sink: &mut Sink) {
    let opened = |step: &Step| {
        let each = if let Verb::Load { connections, .. } = &step.verb {
            u64::from(*connections)
        } else {
            1
        };
        each * step.verb.dials().len() as u64
    };
    let total: u64 = steps.iter().map(opened).sum();
    if total > MOST_CONNECTIONS {
        let span = body
            .steps
            .iter()
            .find_map(|step| {
                let spec::Verb::Load { connections, .. } = &step.verb else {
                    return None;
                };
                Some(connections.span)
            })
            .unwrap_or_default();
        sink.push(
            Diagnostic::new(
                code::TOO_MANY_CONNECTIONS,
                span,
                format!("{total} connections in one lab"),
            )
            .label(format!("the most is {MOST_CONNECTIONS}"))
            .help("use fewer connections; `connections` counts for each host of a group"),
        );
    }
}

/// Two open connections cannot share one 4-tuple: the second connect(2) fails with EADDRNOTAVAIL, and the lab
/// would measure nothing but that.
fn same_tuple(body: &Body, steps: &[Step], sink: &mut Sink) {
    if steps.len() != body.steps.len() {
        return;
    }
    let mut open: HashMap<(HostId, u16, SocketAddr, bool), usize> = HashMap::new();
    for (number, step) in steps.iter().enumerate() {
        if let Verb::Connect {
            dial,
            source_port: Some(port),
            ..
        } = &step.verb
        {
            let [only] = dial.to.as_slice() else { continue };
            let tuple = (dial.from, *port, only.address, dial.udp);
            let first = *open.entry(tuple).or_insert(number);
            if first != number {
                sink.push(tuple_taken(&body.steps[number], &body.steps[first], *port));
            }
        } else if let Verb::Close { over } | Verb::Abort { over } = &step.verb {
            open.retain(|_, opener| *opener != over.0 as usize);
        }
    }
}

fn tuple_taken(step: &spec::Step, first: &spec::Step, port: u16) -> Diagnostic {
    let span = if let spec::Verb::Connect {
        source_port: Some(port),
        ..
    } = &step.verb
    {
        port.span
    } else {
        step.span
    };
    Diagnostic::new(
        code::SAME_TUPLE,
        span,
        format!("source port {port} is in use toward this very destination"),
    )
    .label("the kernel refuses the same 4-tuple twice")
    .also(first.span, "opened here, and not closed since")
    .help("choose another `source_port` or destination, or `close` the first connection before")
}
