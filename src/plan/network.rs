//! The network of one moment of a lab: everything but its story, with every name resolved.

use super::addresses::{self, Addresses, ZonalAddresses};
use super::balancers::{self, Balancer};
use super::clock::Clock;
use super::endpoints::{self, Endpoint};
use super::groups::{self, Group, Groups};
use super::hosts::{self, Hosts};
use super::kubernetes::{self, Expanded, KubeProxy};
use super::placeholders::Places;
use super::sink::Sink;
use super::{Host, HostId, Step, Verb, construction, guards, lower, nat, profile, shape, vpcs};
use crate::diag::Diagnostic;
use crate::diag::codes::plan::UNKNOWN_IN_RULES;
use crate::diag::codes::spec as code;
use crate::fabric;
use crate::spec::Body;

/// What a body says of its network.
pub(super) struct Network<'a> {
    pub(super) drafts: Hosts<'a>,
    pub(super) addresses: Addresses,
    pub(super) groups: Groups<'a>,
    pub(super) balancers: Vec<Balancer<'a>>,
    pub(super) endpoints: Vec<Endpoint<'a>>,
    pub(super) hosts: Vec<Host>,
    pub(super) kube_proxy: Option<KubeProxy>,
    pub(super) clock: Clock,
    nat_gateways: Vec<fabric::config::NatGateway>,
    body: &'a Body,
}

impl<'a> Network<'a> {
    /// Resolves it, and says what is wrong with it.
    pub(super) fn of(expanded: &'a Expanded<'_>, sink: &mut Sink) -> Self {
        let body: &Body = &expanded.body;
        let clock = Clock::of(body);
        hosts::zones(body, sink);
        let drafts = hosts::expand(expanded, sink);
        let addresses = addresses::give_out(body, &drafts, sink);
        let groups = groups::resolve(body, &drafts, clock, sink);
        let balancers = balancers::resolve(body, &drafts, &groups, clock, sink);
        balancers::quotas::check(body, &balancers, &groups, &drafts, sink);
        balancers::served(body, &balancers, &groups, &drafts, sink);
        let endpoints = endpoints::resolve(body, sink);
        guards::check(body, sink);
        drafts.renumbered(sink);
        profile::check(body, sink);
        vpcs::check(body, sink);
        vpcs::targets::check(body, &drafts, &groups, &balancers, sink);
        let nat_gateways = nat::resolve(body, &addresses.gateways, clock, sink);
        let places = Places {
            hosts: &drafts,
            addresses: &addresses,
        };
        names_in_rules(body, &places, sink);
        let mut hosts: Vec<Host> = (0..)
            .map(HostId)
            .zip(&drafts.list)
            .zip(&addresses.hosts)
            .map(|((id, draft), addresses)| {
                construction::host(id, draft, *addresses, &places, clock)
            })
            .collect();
        let zonal = |own: &Vec<ZonalAddresses>| {
            let public = own.iter().filter_map(|zonal| zonal.public);
            public
                .chain(own.iter().map(|zonal| zonal.private))
                .collect()
        };
        let vips: Vec<Vec<_>> = addresses.balancers.iter().map(zonal).collect();
        let kube_proxy = kubernetes::write_rules(&expanded.cluster, &mut hosts, &vips);
        Self {
            drafts,
            addresses,
            groups,
            balancers,
            endpoints,
            hosts,
            kube_proxy,
            clock,
            nat_gateways,
            body,
        }
    }

    /// What expressions may name. `inner` are the zonal addresses of application balancers that are targets, by group.
    pub(super) fn names<'n>(&'n self, inner: &'n [Vec<String>]) -> shape::Names<'n> {
        let groups = || self.groups.list.iter().zip(inner);
        let targets = |group: &'n Group<'_>, inner: &'n [String]| {
            let hosts = group.targets.iter().map(|t| &self.drafts.get(t.host).name);
            let names = hosts.chain(inner).map(String::as_str);
            (group.name.value.as_str(), names.collect())
        };
        shape::Names {
            hosts: self.hosts.iter().map(|host| host.name.as_str()).collect(),
            aliases: self
                .drafts
                .aliases
                .iter()
                .map(|(name, _)| name.as_str())
                .collect(),
            inner: inner.iter().flatten().map(String::as_str).collect(),
            groups: groups()
                .filter(|(group, _)| group.owner.is_none())
                .map(|(group, inner)| targets(group, inner))
                .collect(),
            instances: groups()
                .filter(|(group, _)| group.owner.is_some())
                .map(|(group, inner)| targets(group, inner))
                .collect(),
        }
    }

    /// As the fabric takes it.
    pub(super) fn config(&self, seed: u64) -> fabric::Config {
        let mut config = lower::lower(
            seed,
            &self.drafts,
            &self.hosts,
            &self.groups,
            &self.balancers,
            &self.addresses,
            self.clock,
        );
        config.nat_gateways = self.nat_gateways.clone();
        config.service_proxy =
            self.drafts
                .cluster
                .service_proxy(&self.hosts, self.drafts.on_fabric, self.clock);
        for (port, draft) in config
            .ports
            .iter_mut()
            .zip(&self.drafts.list)
            .take(self.drafts.on_fabric)
        {
            port.nat = nat::behind(self.body, draft.section);
        }
        config.endpoints = endpoints::lower(self.body, &self.endpoints, &self.addresses.endpoints);
        let on_fabric = self.drafts.list.iter().take(self.drafts.on_fabric);
        let named = on_fabric.map(|host| host.section.vpc.as_ref());
        config.vpcs = vpcs::lower(self.body, named, &config);
        config.guards = guards::lower(self.body, &self.drafts, &config, self.clock);
        config
    }

    /// The network after a step `set`. What is wrong with it and was not before is said.
    pub(super) fn after(body: &Body, seed: u64, sink: &mut Sink) -> fabric::Config {
        let mut own = sink.fresh();
        let config = {
            let expanded = kubernetes::expand(body, &mut own);
            Network::of(&expanded, &mut own).config(seed)
        };
        sink.settle(&own);
        let known: Vec<_> = sink.problems.sorted().into_iter().cloned().collect();
        for problem in own.problems.sorted() {
            if !known.contains(problem) {
                sink.push(problem.clone());
            }
        }
        config
    }
}

/// Zonal addresses have their kernels from the beginning, or never: a step cannot begin or end TLS there. And who takes connections in
/// such a kernel takes them throughout.
pub(super) fn same_kernels(body: &Body, fabric: &fabric::Config, steps: &[Step], sink: &mut Sink) {
    let kernels = |config: &fabric::Config| -> Vec<(String, bool)> {
        let ports = config.ports.iter();
        ports
            .map(|port| (port.name.clone(), port.terminates))
            .collect()
    };
    for (step, written) in steps.iter().zip(&body.steps) {
        let Verb::Set { network, path, .. } = &step.verb else {
            continue;
        };
        let (what, help) = if kernels(network) != kernels(fabric) {
            (
                "begin or end TLS, or health checks,",
                "give the listener its protocol and its target group from the start",
            )
        } else if endings(network) != endings(fabric) {
            (
                "add, take away or change a listener at which connections end",
                "give the load balancer all of its listeners from the start; where they forward can change",
            )
        } else {
            continue;
        };
        sink.push(
            Diagnostic::new(
                code::SET_WHILE_RUNNING,
                written.span,
                format!("`{path}` cannot {what} while the lab runs"),
            )
            .help(help),
        );
    }
}

/// The listeners at which clients' connections end: balancer, port, and what it speaks there.
fn endings(config: &fabric::Config) -> Vec<(&str, u16, [bool; 3])> {
    let all = config.balancers.iter().flat_map(|balancer| {
        let listeners = balancer.listeners.iter();
        listeners.map(move |listener| (balancer, listener))
    });
    let ends = all.filter(|(balancer, listener)| balancer.kind.is_proxy() || listener.terminates);
    ends.map(|(balancer, listener)| {
        let speaks = [listener.terminates, listener.http, listener.https];
        (balancer.name.as_str(), listener.port, speaks)
    })
    .collect()
}

/// nft rules name nobody else than the lab's hosts and what they define: nft would say so when it is too late.
fn names_in_rules(body: &Body, places: &Places<'_>, sink: &mut Sink) {
    for host in body.hosts.iter().filter_map(|(_, host)| host.nft.as_ref()) {
        let Some(name) = places.undefined(&host.value) else {
            continue;
        };
        let help = sink.help(name, places.hosts.names());
        sink.push(
            Diagnostic::new(
                UNKNOWN_IN_RULES,
                host.span,
                format!("`${name}` is no host's name, and these rules do not define it"),
            )
            .help(help),
        );
    }
}
