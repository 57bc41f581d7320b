//! The story: steps with hosts, destinations and connections resolved.
//!
//! Not here: how a step is called in reports (`labels`), and whether the ports of clients suffice for all of them (`ports`).

mod datagrams;
mod faults;
mod labels;
mod ports;
mod requests;

use super::balancers::Balancer;
use super::claims::Compiler;
use super::clock::Clock;
use super::destinations::Destinations;
use super::destinations::text::Wanted;
use super::groups::Groups;
use super::hosts::Hosts;
use super::network::Network;
use super::placeholders::Places;
use super::{Dial, HostId, Sink, Step, StepId, Transfer, Verb, vpcs};
use crate::diag::codes::{plan as code, proxy};
use crate::diag::{Diagnostic, Spanned};
use crate::spec::{self, Body};
use labels::describe;
use ports::{ports_suffice, same_tuple, too_many_connections};
use std::collections::HashMap;
use std::time::Duration;

/// Bytes of one `send`, at most: what a test of a network failure can need.
const MOST_BYTES: u32 = 64 << 20;

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
    same_tuple(body, &steps, scene.hosts, sink);
    datagrams::check(body, &steps, sink);
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
            spec::Verb::Connect(connect) => self.connect(connect, sink)?,
            spec::Verb::Load(load) => self.load(load, sink)?,
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
                reset,
            } => Verb::Inject {
                over: self.over(number, over, sink)?,
                beyond: beyond.value,
                bytes: bytes.value,
                reset: *reset,
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
            spec::Verb::Reload { host, handover } => Verb::Reload {
                hosts: self.some_hosts(host, sink)?,
                handover: *handover,
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
                self.registration(target, *registered, sink)?
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

    fn connect(&self, connect: &spec::Connect, sink: &mut Sink) -> Option<Verb> {
        let (clock, to) = (self.scene.clock, &connect.to);
        let timeout = clock.step(&connect.timeout, sink);
        let keepalive = clock.keepalive(connect.keepalive.as_ref(), sink);
        let user_timeout = connect.user_timeout.as_ref();
        let user_timeout = user_timeout.map(|lapse| clock.step(lapse, sink));
        // Whoever dials, the other end may be wrong, too.
        let from = self.scene.hosts.resolve_one(&connect.from, sink);
        let family = connect.family.as_ref();
        let wanted = Wanted { to, family };
        let mut dials = self.scene.destinations.dials(from.as_slice(), wanted, sink);
        let dial = dials.pop()?;
        tls_over_tcp(connect.tls, &dial, to, sink);
        Some(Verb::Connect {
            dial,
            source_port: connect.source_port.as_ref().map(|port| port.value),
            keepalive,
            user_timeout,
            nodelay: connect.nodelay.value,
            tls: connect.tls,
            timeout,
        })
    }

    fn load(&self, load: &spec::Load, sink: &mut Sink) -> Option<Verb> {
        let (clock, to) = (self.scene.clock, &load.to);
        let timeout = clock.step(&load.timeout, sink);
        let keepalive = clock.keepalive(load.keepalive.as_ref(), sink);
        let user_timeout = load.user_timeout.as_ref();
        let user_timeout = user_timeout.map(|lapse| clock.step(lapse, sink));
        let from = self.scene.hosts.resolve(&load.from, sink);
        let family = load.family.as_ref();
        let wanted = Wanted { to, family };
        let dials = self.scene.destinations.dials(&from, wanted, sink);
        ports_suffice(load, dials.first()?, sink);
        tls_over_tcp(load.tls, dials.first()?, to, sink);
        let request = load
            .request
            .as_ref()
            .map(|request| requests::resolve(request, &dials[0], to, clock, sink));
        Some(Verb::Load {
            dials,
            connections: load.connections.value,
            source_port: load.source_port.as_ref().map(|port| port.value),
            rate: load.rate.as_ref().map(|rate| rate.value),
            hold: load.hold,
            request,
            keepalive,
            user_timeout,
            tls: load.tls,
            timeout,
        })
    }

    fn registration(
        &self,
        target: &Spanned<String>,
        registered: bool,
        sink: &mut Sink,
    ) -> Option<Verb> {
        let scene = &self.scene;
        let called = |name: &str| scene.hosts.called(name);
        if let Some(found) = scene.hosts.cluster.endpoints_of(target, called, sink) {
            let mut pods: Vec<String> = Vec::new();
            for (.., pod) in &found {
                if !pods.contains(pod) {
                    pods.push(pod.clone());
                }
            }
            let service = target.value.split('/').next().unwrap_or_default();
            return Some(Verb::Endpoints {
                places: found
                    .iter()
                    .map(|(port, place, _)| (*port, *place))
                    .collect(),
                pods,
                service: service.to_owned(),
                there: registered,
            });
        }
        let (group, targets) = scene.groups.registration(target, scene.hosts, sink)?;
        let mut foreign = Vec::new();
        if registered {
            let number = usize::from(group.0);
            foreign = vpcs::targets::foreign(
                self.body,
                scene.hosts,
                scene.groups,
                scene.balancers,
                number,
            );
            foreign.retain(|target| targets.contains(target));
        }
        Some(Verb::Registration {
            group,
            targets,
            registered,
            foreign,
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
            writes: transfer
                .writes
                .as_ref()
                .map_or(1, |writes| writes.value.max(1)),
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

fn tls_over_tcp(tls: bool, dial: &Dial, to: &Spanned<String>, sink: &mut Sink) {
    if !tls || !dial.udp {
        return;
    }
    sink.push(
        Diagnostic::new(
            proxy::TLS_OVER_UDP,
            to.span,
            "TLS goes over TCP, and this is UDP",
        )
        .help("remove `tls`, or the `/udp`"),
    );
}

/// True for steps that `over` can name.
pub(super) fn opens(verb: &spec::Verb) -> bool {
    matches!(verb, spec::Verb::Connect { .. } | spec::Verb::Load { .. })
}
