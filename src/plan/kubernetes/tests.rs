//! Clusters, planned: who is where, what services bring, and each node's rules.

use crate::fabric::config::CheckProtocol;
use crate::plan::tests::planned;
use crate::plan::{Attachment, Host, HostId, Plan, Verb};
use std::collections::HashSet;
use std::net::Ipv4Addr;

const LAB: &str = "
title: t
kubernetes:
  nodes: { n1: { zone: a }, n2: { zone: b }, n3: { zone: b, service_target: false } }
  pods:
    shell: { node: n1 }
    nginx: { count: 2, serve: { 80: echo } }
    exporter: { node: n2, hostNetwork: true, serve: { 9100: echo } }
  services:
    web: { selector: nginx, ports: [{ port: 80, nodePort: 31468 }] }
    metrics: { type: ClusterIP, selector: exporter, ports: [{ port: 9100 }] }
steps:
  - load: { as: curl, from: shell, to: web, connections: 1 }
  - connect: { as: scrape, from: exporter, to: metrics }
works: [curl.ok]
cases:
  plain: { kind: control }
  ip:
    kind: control
    set:
      kubernetes.services.web.annotations:
        service.beta.kubernetes.io/aws-load-balancer-nlb-target-type: ip
  local: { kind: control, set: { kubernetes.services.web.externalTrafficPolicy: Local } }
  checked:
    kind: control
    set:
      kubernetes.services.web.externalTrafficPolicy: Local
      kubernetes.services.web.healthCheckNodePort: 32000
      kubernetes.services.web.annotations:
        service.beta.kubernetes.io/aws-load-balancer-healthcheck-interval: 20
  vip: { kind: control, set: { kubernetes.services.web.ipMode: VIP, kubernetes.emulate.drop_invalid: false } }
";

fn host<'a>(plan: &'a Plan, name: &str) -> &'a Host {
    let mut hosts = plan.hosts.iter();
    hosts
        .find(|host| host.name == name)
        .expect("a host of the lab")
}

fn rules<'a>(plan: &'a Plan, node: &str) -> &'a str {
    host(plan, node).rules.as_deref().expect("a node has rules")
}

#[test]
fn pods_are_inside_their_nodes_with_addresses_of_the_nodes_interface() {
    let plans = planned(LAB);
    let plan = &plans[0];
    let names: Vec<&str> = plan.hosts.iter().map(|host| host.name.as_str()).collect();
    assert_eq!(names, ["n1", "n2", "n3", "shell", "nginx-1", "nginx-2"]);
    for (pod, node, zone) in [("shell", 0, "a"), ("nginx-1", 0, "a"), ("nginx-2", 1, "b")] {
        let pod = host(plan, pod);
        let Attachment::Inside(veth) = &pod.attachment else {
            panic!("{} is on the fabric", pod.name)
        };
        assert_eq!(veth.parent.0, node);
        assert_eq!(pod.zone.as_deref(), Some(zone));
        assert!(
            plan.fabric.ports[node as usize]
                .routed
                .contains(&pod.address)
        );
    }
    assert_eq!(plan.on_fabric(), 3);
    assert_eq!(plan.groups[0].0, "nginx");
    assert_eq!(
        plan.aliases,
        [("exporter".to_owned(), crate::plan::HostId(1))]
    );
    assert_eq!(host(plan, "n2").servers[0].port, 9100);
}

#[test]
fn a_service_brings_a_balancer_and_its_group() {
    let plans = planned(LAB);
    let targets = |plan: &Plan| -> Vec<(String, Option<u16>)> {
        let targets = plan.fabric.groups[0].targets.iter();
        targets
            .map(|target| (target.name.clone(), target.port))
            .collect()
    };
    let named = |name: &str, port| (name.to_owned(), Some(port));
    assert_eq!(targets(&plans[0]), [named("n1", 31468), named("n2", 31468)]);
    assert!(plans[0].fabric.groups[0].preserve_client_ip);
    assert_eq!(
        targets(&plans[1]),
        [named("nginx-1", 80), named("nginx-2", 80)]
    );
    assert!(!plans[1].fabric.groups[0].preserve_client_ip);
    assert_eq!(plans[1].ip_groups, ["web"]);
    let web = &plans[0].fabric.balancers[0];
    let zones: Vec<&str> = web.zonal.iter().map(|zonal| zonal.zone.as_str()).collect();
    assert_eq!((web.name.as_str(), zones), ("web", vec!["a", "b"]));
    assert!(
        web.zonal.iter().all(|zonal| zonal.public.is_none()),
        "internal by default"
    );
}

#[test]
fn the_controller_checks_unasked_and_otherwise_where_traffic_stays_local() {
    let plans = planned(LAB);
    for plain in &plans[..2] {
        let check = plain.fabric.groups[0].health_check.as_ref();
        let check = check.expect("a check");
        assert_eq!((check.protocol, check.port), (CheckProtocol::Tcp, None));
        let seconds = (check.interval.as_secs(), check.timeout.as_secs());
        assert_eq!(seconds, (10, 10));
        assert_eq!((check.healthy_threshold, check.unhealthy_threshold), (3, 3));
    }
    let check = plans[2].fabric.groups[0]
        .health_check
        .as_ref()
        .expect("a check");
    assert_eq!(
        (check.protocol, check.path.as_str()),
        (CheckProtocol::Http, "/healthz")
    );
    let seconds = (check.interval.as_secs(), check.timeout.as_secs());
    assert_eq!(seconds, (10, 6));
    assert_eq!((check.healthy_threshold, check.unhealthy_threshold), (2, 2));
    let check = plans[3].fabric.groups[0]
        .health_check
        .as_ref()
        .expect("a check");
    assert_eq!((check.port, check.path.as_str()), (Some(32000), "/healthz"));
    assert_eq!((check.interval.as_secs(), check.healthy_threshold), (20, 2));
    let answers = |node: &str| format!("{:?}", host(&plans[3], node).servers);
    assert!(answers("n1").contains("status: 200"), "{}", answers("n1"));
    assert!(answers("n3").contains("status: 503"), "{}", answers("n3"));
}

#[test]
fn a_node_has_kube_proxys_settings_of_connection_tracking_unless_it_has_its_own() {
    let own = LAB.replace(
        "n2: { zone: b }",
        "n2: { zone: b, sysctls: { net.netfilter.nf_conntrack_tcp_timeout_close_wait: 60 } }",
    );
    let plans = planned(&own);
    let settings = |node: &str| {
        let settings = host(&plans[0], node).sysctls.iter();
        let tracking = settings.filter(|(name, _)| name.starts_with("net.netfilter."));
        let short = tracking.map(|(name, value)| {
            let name = name.rsplit_once("_timeout_").map_or("", |(_, name)| name);
            format!("{name}={value}")
        });
        let mut short: Vec<String> = short.collect();
        short.sort();
        short
    };
    assert_eq!(settings("n1"), ["close_wait=3600", "established=86400"]);
    assert_eq!(settings("n2"), ["close_wait=60", "established=86400"]);
}

#[test]
fn a_cluster_ip_is_dialled_from_within() {
    let plans = planned(LAB);
    let Verb::Connect { dial, .. } = &plans[0].steps[1].verb else {
        panic!("the second step connects")
    };
    assert_eq!(dial.from.0, 1, "the exporter's node");
    assert_eq!(*dial.to[0].address.ip().to_string(), *"172.20.0.101");
}

#[test]
fn the_rules_of_a_node_read_like_kube_proxys() {
    insta::assert_snapshot!(rules(&planned(LAB)[0], "n1"));
}

#[test]
fn a_local_policy_keeps_to_the_nodes_own_pods() {
    let plans = planned(LAB);
    let (with, without) = (rules(&plans[2], "n1"), rules(&plans[2], "n3"));
    assert!(with.contains("chain KUBE-SVL-"), "{with}");
    assert!(!with.contains("has no local endpoints"), "{with}");
    assert!(!without.contains("KUBE-SVL-"), "{without}");
    assert!(
        without.contains("tcp dport 31468 drop comment \"default/web has no local endpoints\""),
        "{without}"
    );
}

#[test]
fn knobs_show_in_the_rules() {
    let plans = planned(LAB);
    let (plain, vip) = (rules(&plans[0], "n1"), rules(&plans[4], "n1"));
    assert!(plain.contains("ct state invalid drop") && !vip.contains("invalid"));
    let address: Ipv4Addr = plans[4].fabric.balancers[0].zonal[0].private;
    let shortcut = format!("ip daddr {address} tcp dport 80 jump KUBE-EXT-");
    assert!(
        vip.contains(&shortcut) && !plain.contains(&shortcut),
        "{vip}"
    );
}

/// Hashes as a real kube-proxy makes them: `KUBE-SVC-NPX46M4PTMTKRN6Y` is known from every cluster.
#[test]
fn hashes_are_kube_proxys() {
    assert_eq!(
        super::kube_proxy::hash("default/kubernetes:httpstcp"),
        "NPX46M4PTMTKRN6Y"
    );
}

const RETURNING: &str = "
title: t
hosts: { client: { zone: a } }
kubernetes:
  nodes: { n1: { zone: a }, n2: { zone: b } }
  pods:
    web: { count: 2, serve: { 80: echo } }
    own: { node: n2, serve: { 81: echo } }
  services:
    shop: { type: NodePort, selector: web, ports: [{ port: 80, nodePort: 31468 }] }
    kept: { type: NodePort, selector: own, externalTrafficPolicy: Local, ports: [{ port: 81, nodePort: 31469 }] }
  emulate: { load_balancer_mode: dsr }
steps:
  - connect: { as: visit, from: client, to: 'n1:31468' }
works: [visit.ok]
cases:
  newest: { kind: control }
  rewrite: { kind: control, set: { kubernetes.emulate.on_collision: port-rewrite } }
  snat: { kind: control, set: { kubernetes.emulate.load_balancer_mode: snat } }
";

#[test]
fn nodes_that_return_directly_send_under_each_others_addresses() {
    let plans = planned(RETURNING);
    let checked = |plan: &Plan| -> Vec<bool> {
        let ports = plan.fabric.ports.iter();
        ports.map(|port| port.source_check).collect()
    };
    // The client is on the fabric first.
    assert_eq!(checked(&plans[0]), [true, false, false]);
    assert_eq!(checked(&plans[2]), [true, true, true]);
    assert!(!rules(&plans[2], "n1").contains("table ip dsr"));
    let rules = rules(&plans[0], "n2");
    let (_, dsr) = rules.split_once("table ip dsr").expect("the table");
    assert!(!dsr.contains("31469"), "the policy Local is kube-proxy's");
    insta::assert_snapshot!("a_node_answers_in_the_name_of_another", dsr);
    let redirects = |plan: &Plan| {
        let mut sysctls = host(plan, "n1").sysctls.iter();
        sysctls.any(|(key, _)| key.ends_with("send_redirects"))
    };
    assert!(redirects(&plans[0]) && !redirects(&plans[2]));
}

#[test]
fn rules_without_endpoints_lead_to_the_others_or_refuse() {
    let plans = planned(LAB);
    let plan = &plans[0];
    let kube_proxy = plan.kube_proxy.as_ref().expect("rules that can change");
    let n1 = host(plan, "n1");
    let id = HostId(0);
    assert_eq!(plan.hosts[0].name, n1.name);
    let rules = |gone: &[(usize, usize)]| {
        let text = kube_proxy.rules_without(id, &gone.iter().copied().collect::<HashSet<_>>());
        let (cleared, rules) =
            text.split_at(text.find("table ip kube-proxy-nat {").expect("a table"));
        assert!(cleared.contains("delete table ip kube-proxy-nat\n"));
        assert!(cleared.contains("delete table ip kube-proxy-filter\n"));
        rules.to_owned()
    };
    let leads_to = |name: &str| format!("dnat to {}:80", host(plan, name).address);
    let written = n1.rules.as_deref().expect("a node's rules");
    assert!(
        written.starts_with(&rules(&[])),
        "the same as at the beginning"
    );
    let without_first = rules(&[(0, 0)]);
    assert!(!without_first.contains(&leads_to("nginx-1")));
    assert!(without_first.contains(&leads_to("nginx-2")));
    assert!(!without_first.contains("reject"));
    let without_both = rules(&[(0, 0), (0, 1)]);
    assert!(without_both.contains("reject comment \"default/web has no endpoints\""));
    let gone = kube_proxy.translation((0, 1)).expect("an endpoint");
    assert_eq!(*gone.endpoint.ip(), host(plan, "nginx-2").address);
    assert!(
        !kube_proxy.clears(&gone),
        "kube-proxy leaves entries of TCP"
    );
    assert!(kube_proxy.translation((0, 2)).is_none());
}

const LEAVING: &str = "
title: t
kubernetes:
  nodes: { n1: { zone: a }, n2: { zone: b } }
  pods:
    shop: { count: 2, serve: { 80: echo, 81: echo } }
  services:
    web: { selector: shop, externalTrafficPolicy: Local, healthCheckNodePort: 32000, ports: [{ port: 80, nodePort: 31468 }] }
steps:
  - deregister: { as: pod, target: web/shop-1 }
  - register: { as: again, target: web/shop }
  - deregister: { as: node, target: web/n1 }
works: [pod.ok]
cases:
  nodes: { kind: control }
  serving: { kind: control, set: { kubernetes.emulate.terminating_endpoints: serve } }
  pods:
    kind: control
    set:
      steps.node: null
      kubernetes.services.web:
        externalTrafficPolicy: Cluster
        healthCheckNodePort: null
        target_group_emulate: { deregister_propagation: 120s }
        annotations: { service.beta.kubernetes.io/aws-load-balancer-nlb-target-type: ip }
  two-ports:
    kind: control
    set:
      steps.node: null
      kubernetes.services.web.ports: [{ port: 80 }, { port: 81 }]
";

#[test]
fn pods_are_endpoints_and_nodes_are_targets_unless_pods_are() {
    let plans = planned(LEAVING);
    let told = |plan: &Plan| -> Vec<String> {
        let steps = plan.steps.iter();
        let told = steps.map(|step| match &step.verb {
            Verb::Endpoints { places, there, .. } => format!("{places:?} {there}"),
            Verb::Registration { targets, .. } => format!("targets {targets:?}"),
            other => panic!("{other:?}"),
        });
        told.collect()
    };
    let nodes = ["[(0, 0)] false", "[(0, 0), (0, 1)] true", "targets [0]"];
    assert_eq!(told(&plans[0]), nodes);
    assert_eq!(told(&plans[2]), ["targets [0]", "targets [0, 1]"]);
    let ports = [
        "[(0, 0), (1, 0)] false",
        "[(0, 0), (0, 1), (1, 0), (1, 1)] true",
    ];
    assert_eq!(
        told(&plans[3]),
        ports,
        "a pod leaves all ports of a service"
    );
    let propagation = |plan: &Plan| {
        plan.fabric.groups[0]
            .emulate
            .deregister_propagation
            .as_secs()
    };
    assert_eq!((propagation(&plans[0]), propagation(&plans[2])), (0, 120));
}

#[test]
fn a_pod_that_is_terminating_counts_in_rules_where_it_is_the_last_and_never_in_health_checks() {
    let plans = planned(LEAVING);
    let gone: HashSet<(usize, usize)> = HashSet::from([(0, 0)]);
    let told = |plan: &Plan, node: u32| {
        let kube_proxy = plan.kube_proxy.as_ref().expect("rules that can change");
        let checks: Vec<(u32, u16, u16)> = kube_proxy
            .checks_without(&gone)
            .map(|(node, port, status)| (node.0, port, status))
            .collect();
        assert_eq!(checks, [(0, 32000, 503), (1, 32000, 200)]);
        kube_proxy.rules_without(HostId(node), &gone)
    };
    let own = format!("dnat to {}:80", host(&plans[0], "shop-1").address);
    let dropped = told(&plans[0], 0);
    assert!(!dropped.contains(&own) && dropped.contains("has no local endpoints"));
    let served = told(&plans[1], 0);
    assert!(served.contains(&own) && !served.contains("has no local endpoints"));
    assert!(served.contains("KUBE-SVL-"));
    // The other node has a pod that stays, and the cluster another one.
    assert!(!told(&plans[1], 1).contains(&own));
    let kube_proxy = plans[1].kube_proxy.as_ref().expect("rules that can change");
    let all = HashSet::from([(0, 0), (0, 1)]);
    let last = kube_proxy.rules_without(HostId(0), &all);
    assert!(!last.contains("has no endpoints"), "all are terminating");
}
