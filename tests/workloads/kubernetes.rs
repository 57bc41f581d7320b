//! Clusters: real kernels under kube-proxy's rules and the VPC CNI's, every kind of service dialled.

use crate::kit::{fine, has, once, play};
use serde_json::json;

const NODES: &str = r#"
kubernetes:
  nodes: { n1: { zone: a }, n2: { zone: b }, n3: { zone: b, service_target: false } }
  pods:
    shell: { node: n1 }
    other: { node: n2 }
    nginx: { count: 2, serve: { 80: echo, 53/udp: echo } }
    exporter: { node: n2, hostNetwork: true, serve: { 9100: echo } }
"#;

#[test]
fn every_kind_of_service_is_reached() {
    let Some(case) = once(&format!(
        r#"
hosts: {{ client: {{ zone: a }} }}
{NODES}
  services:
    web:
      selector: nginx
      ports: [{{ port: 80, nodePort: 31468 }}, {{ port: 53, nodePort: 31053, protocol: UDP }}]
      annotations:
        service.beta.kubernetes.io/aws-load-balancer-healthcheck-port: "31468"
    inside: {{ type: ClusterIP, selector: nginx, ports: [{{ port: 8080, targetPort: 80 }}] }}
    metrics: {{ type: NodePort, selector: exporter, ports: [{{ port: 9100, nodePort: 30910 }}] }}
    direct:
      selector: nginx
      ports: [{{ port: 80 }}]
      annotations:
        service.beta.kubernetes.io/aws-load-balancer-nlb-target-type: ip
steps:
  - connect: {{ as: out, from: client, to: "web:80" }}
  - exchange: {{ over: out, as: said }}
  - connect: {{ as: far, from: shell, to: "web/b:80" }}
  - connect: {{ as: datagram, from: client, to: "web:53/udp" }}
  - exchange: {{ over: datagram, as: told }}
  - connect: {{ as: own, from: shell, to: inside }}
  - connect: {{ as: node, from: n3, to: "web/clusterIP:80" }}
  - connect: {{ as: port, from: client, to: "n3:30910" }}
  - connect: {{ as: pod, from: client, to: "nginx-2:80" }}
  - connect: {{ as: neighbour, from: shell, to: "nginx-1:80" }}
  - connect: {{ as: exporter, from: other, to: exporter }}
  - load: {{ as: many, from: shell, to: direct, connections: 12, request: 8 }}
  - load: {{ as: spread, from: other, to: inside, connections: 200 }}
"#
    )) else {
        return;
    };
    for step in [
        "out",
        "said",
        "far",
        "datagram",
        "told",
        "own",
        "node",
        "port",
        "pod",
        "neighbour",
        "exporter",
        "many",
        "spread",
    ] {
        fine(case.step(step));
    }
    // 200 tosses of a coin: between 57 and 143 with six sigma to either side, besides what the other steps and checks opened.
    for pod in ["nginx-1", "nginx-2"] {
        let opened = case.evidence["hosts"][pod]["counters"]["TcpPassiveOpens"].as_i64();
        let opened = opened.expect("a counter");
        assert!(opened >= 57, "{pod}: {opened}");
    }
}

/// What ARP learns has 1,024 places for all namespaces of the machine: many clusters at a time would lose packets.
#[test]
fn neither_nodes_nor_pods_learn_each_other_by_arp() {
    let Some(case) = once(
        r#"
kubernetes:
  nodes: { n1: { zone: a }, n2: { zone: b } }
  pods:
    shell: { node: n1 }
    page: { node: n2, serve: { 80: http } }
steps:
  - connect: { as: asks, from: shell, to: "page:80" }
  - run: { as: of_node, on_host: n1, command: "awk 'NR > 1 { print $3 }' /proc/net/arp" }
  - run: { as: of_pod, on_host: shell, command: "awk 'NR > 1 { print $3 }' /proc/net/arp" }
"#,
    ) else {
        return;
    };
    fine(case.step("asks"));
    // Complete and permanent (linux/if_arp.h): ATF_COM, ATF_PERM.
    for table in ["of_node", "of_pod"] {
        has(case.step(table), json!({ "ok": true, "stdout": "0x6\n" }));
    }
}

/// As cluster DNS has it; a node asks the VPC's resolver, which does not know them.
#[test]
fn programs_in_pods_know_services_by_name() {
    let Some(case) = once(
        r#"
kubernetes:
  nodes: { n1: { zone: a }, n2: { zone: b } }
  pods:
    shell: { node: n1 }
    page: { node: n2, serve: { 80: http } }
  services:
    web: { selector: page, ports: [{ port: 80 }] }
    page: { type: ClusterIP, selector: page, ports: [{ port: 8080, targetPort: 80 }] }
steps:
  - run: { as: short, on_host: shell, command: "getent ahostsv4 page | awk '/STREAM/ { print $1 }'" }
  - run: { as: whole, on_host: shell, command: "getent ahostsv4 page.default.svc.cluster.local | awk '/STREAM/ { print $1 }'" }
  - run: { as: asked, on_host: shell, command: "curl -sS -o /dev/null -w '%{http_code} %{remote_ip}' --max-time 5 http://web.default/" }
  - run: { as: front, on_host: shell, command: "getent ahostsv4 web | awk '/STREAM/ { print $1 }'" }
  - run: { as: node, on_host: n1, command: "getent hosts page.default.svc.cluster.local" }
"#,
    ) else {
        return;
    };
    has(
        case.step("short"),
        json!({ "ok": true, "stdout": "172.20.0.101\n" }),
    );
    has(
        case.step("whole"),
        json!({ "ok": true, "stdout": "172.20.0.101\n" }),
    );
    has(
        case.step("asked"),
        json!({ "ok": true, "stdout": "200 172.20.0.100" }),
    );
    let front = case.step("front")["stdout"].as_str().expect("text");
    assert!(front.starts_with("10.0."), "{front}");
    has(case.step("node"), json!({ "exit_code": 2 }));
}

#[test]
fn a_node_without_a_pod_of_a_local_service_fails_its_check_and_drops() {
    let body = format!(
        r#"
time_scale: 50
hosts: {{ client: {{ zone: a }} }}
{}
  services:
    web:
      selector: nginx
      ports: [{{ port: 80, nodePort: 31468 }}]
      externalTrafficPolicy: Local
steps:
  - load: {{ as: all, from: client, to: web, connections: 12, timeout: 2s }}
  - connect: {{ as: none, from: client, to: "n3:31468", timeout: 300ms }}
"#,
        NODES.replace(", service_target: false", "")
    );
    let Some(lab) = play(&body, &[("only", "{}")]) else {
        return;
    };
    let case = lab.case("only");
    fine(case.step("all"));
    has(
        case.step("none"),
        json!({ "ok": false, "error": "deadline" }),
    );
    let targets = &case.evidence["target_groups"]["web"]["targets"];
    for (node, state) in [("n1", "healthy"), ("n2", "healthy"), ("n3", "unhealthy")] {
        assert_eq!(targets[node]["state"], state, "{node}");
    }
}
