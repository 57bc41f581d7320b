//! One case, checked and resolved: names are indexes, defaults are values, addresses are given out.
//!
//! Plain data that says what will be built and done: hosts here, in `hosts`; what happens to them, in `steps`. Not here:
//! how (see `world`, `run`). All durations are real time; cloud time has been divided by `time_scale` already.

mod hosts;
mod steps;

pub use crate::spec::Kind;

/// What a host serves on a port; its timers are real time.
pub type App = crate::spec::App<std::time::Duration>;
/// How an HTTP server answers, in real time.
pub type Http = crate::spec::Http<std::time::Duration>;
pub use hosts::*;
pub use steps::*;

use super::kubernetes::KubeProxy;
use crate::diag::{Diagnostics, Span};
use crate::expr::{Expr, Shape};
use crate::fabric;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// Index into [`Plan::hosts`]; of a host on the fabric, the same number is its [`fabric::config::PortId`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HostId(pub u32);

/// Index into [`Plan::steps`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StepId(pub u32);

/// One case of one lab, ready to build.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The lab's file as given on the command line.
    pub file: String,
    /// The lab's name: topic and file stem, as `nlb/source-port-collision`.
    pub lab: String,
    /// One line.
    pub title: String,
    /// May be empty.
    pub story: String,
    /// Links.
    pub sources: Vec<String>,
    /// The word that asks for the lab in runs of whole folders; none: it needs no asking.
    pub opt_in: Option<String>,
    /// The case's name.
    pub case: String,
    /// Its kind.
    pub kind: Kind,
    /// What it shows; may be empty.
    pub shows: String,
    /// Line of the case in the file, from 1.
    pub line: usize,
    /// What this case changes.
    pub changes: Vec<Change>,
    /// The promise.
    pub works: Vec<Claim>,
    /// What the case claims beyond it.
    pub expect: Vec<Claim>,
    /// Findings the case must show.
    pub finds: Vec<String>,
    /// Findings the case may show beside those.
    pub may_find: Vec<String>,
    /// Findings named by any fault of the lab: a fix or control must show none of them.
    pub fault_finds: Vec<String>,
    /// The lab's fixes, in the order of the file; of a fault only.
    pub fixes: Vec<Fix>,
    /// Target groups whose targets are registered by address instead of instance id.
    pub ip_groups: Vec<String>,
    /// What `check` tells of the case besides, though it can be built.
    pub warnings: Diagnostics,
    /// The seed in force.
    pub seed: u64,
    /// Cloud time runs this many times faster.
    pub time_scale: f64,
    /// Hosts with `count` expanded; those on the fabric first.
    pub hosts: Vec<Host>,
    /// Names that stand for several hosts (`count`).
    pub groups: Vec<(String, Vec<HostId>)>,
    /// Further names of single hosts: pods that run in their node's namespace.
    pub aliases: Vec<(String, HostId)>,
    /// Services by the names that programs in pods know them by, and their addresses within the cluster.
    pub services: Vec<(Vec<String>, Ipv4Addr)>,
    /// kube-proxy, where the nodes' kernels turn services into pods by rules that can change.
    pub kube_proxy: Option<KubeProxy>,
    /// The story.
    pub steps: Vec<Step>,
    /// What expressions may say in this very lab.
    pub shape: Shape,
    /// The network between the hosts. Its `ports` are the `hosts` on it, one to one, and behind them the zonal addresses
    /// that have a kernel.
    pub fabric: fabric::Config,
    /// Groups whose targets' states must have settled before the story starts.
    pub settles: Vec<fabric::config::GroupId>,
}

impl Plan {
    /// The network between the hosts as the story finds it, and as each step that changes it leaves it.
    pub fn networks(&self) -> impl Iterator<Item = &fabric::Config> {
        let changed = self.steps.iter().filter_map(|step| {
            let Verb::Set { network, .. } = &step.verb else {
                return None;
            };
            Some(&**network)
        });
        std::iter::once(&self.fabric).chain(changed)
    }

    /// True when a claim of the case, or a step that waits for one, has this word in it: what is dear to record is recorded
    /// for those only.
    pub fn asks_for(&self, word: &str) -> bool {
        let awaited = self.steps.iter().filter_map(|step| match &step.verb {
            Verb::WaitUntil { that, .. } => Some(&**that),
            _ => None,
        });
        let mut claims = self.works.iter().chain(&self.expect).chain(awaited);
        claims.any(|claim| claim.that.contains(word))
    }

    /// How many of the hosts are on the fabric: they are the first ones, and its first ports.
    pub fn on_fabric(&self) -> usize {
        self.hosts
            .partition_point(|host| host.attachment == Attachment::Fabric)
    }

    /// Where a host's packets meet the fabric: at its own port, or at that of the host it is inside of.
    pub fn port(&self, host: HostId) -> fabric::config::PortId {
        match &self.hosts[host.0 as usize].attachment {
            Attachment::Fabric => fabric::config::PortId(host.0),
            Attachment::Inside(veth) => fabric::config::PortId(veth.parent.0),
        }
    }

    /// The hosts inside another one, with the veths between.
    pub fn inside_of(&self, parent: HostId) -> impl Iterator<Item = (HostId, &Veth)> {
        let all = (0..).map(HostId).zip(&self.hosts);
        all.skip(self.on_fabric())
            .filter_map(move |(id, host)| match &host.attachment {
                Attachment::Inside(veth) if veth.parent == parent => Some((id, veth)),
                Attachment::Inside(_) | Attachment::Fabric => None,
            })
    }

    /// The hosts that run on these machines: they themselves, and of a node its pods. What is on a router's bridge is a machine of its own.
    pub fn on_machines(&self, machines: &[HostId]) -> Vec<HostId> {
        let pods = machines.iter().flat_map(|machine| {
            let inside = self.inside_of(*machine);
            inside.filter(|(_, veth)| veth.wiring == Wiring::Routed)
        });
        let pods = pods.map(|(pod, _)| pod);
        machines.iter().copied().chain(pods).collect()
    }

    /// The host of an address, as seen from another one: addresses on a bridge inside a host are known only there.
    pub fn host_of(&self, address: IpAddr, from: HostId) -> Option<HostId> {
        let port = self.port(from);
        let known = |(id, host): &(HostId, &Host)| {
            let visible = host.is_known_everywhere() || self.port(*id) == port;
            visible && (host.has(address) || host.public_address.map(IpAddr::from) == Some(address))
        };
        (0..)
            .map(HostId)
            .zip(&self.hosts)
            .find(known)
            .map(|(id, _)| id)
    }

    /// True for an end of a zonal address's own kernel: nothing but its health checks comes from there.
    pub fn is_of_kernel(&self, end: SocketAddr) -> bool {
        let kernels = &self.fabric.ports[self.on_fabric()..];
        let inside = self.fabric.stand_ins.inside(end).map(|end| *end.ip());
        fabric::config::KERNEL_PORTS.contains(&end.port())
            && kernels.iter().any(|port| {
                !port.is_backend_port(end.port())
                    && inside.is_some()
                    && (inside == Some(port.address) || inside == port.ipv6)
            })
    }
}

/// One entry of `set`, for "what this changes".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Dotted path.
    pub path: String,
    /// Compact YAML; none: not written before.
    pub before: Option<String>,
    /// Compact YAML; none: removed.
    pub after: Option<String>,
}

/// A fix that the lab offers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fix {
    /// The case.
    pub case: String,
    /// What it shows; may be empty.
    pub shows: String,
    /// What it changes.
    pub changes: Vec<Change>,
    /// It settles all that sets the fault apart from the lab as written, so its run is the fault's own with the fix.
    pub settles: bool,
}

/// A checked claim.
#[derive(Clone, Debug)]
pub struct Claim {
    /// In words; none when the lab gives only the expression.
    pub words: Option<String>,
    /// The expression's source.
    pub that: String,
    /// Where it stands.
    pub span: Span,
    /// Line in the file, from 1.
    pub line: usize,
    /// Compiled and type-checked.
    pub expr: Expr,
}
