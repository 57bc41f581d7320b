//! Keys and words of other tools that people write first (Terraform, Kubernetes, command lines), and what they are here.
//!
//! Only what no slip of the pen explains: those are found by their likeness. Not here: the keys themselves (see `grammar`).

/// By section, or by what is chosen from (`verb`, `server`): the foreign key, and what to write.
#[rustfmt::skip]
static FOREIGN: &[(&str, &str, &str)] = &[
    ("the lab", "name", "write `title`"),
    ("the lab", "description", "write `story`"),
    ("the lab", "expect", "write `works`, what every case is held against; `expect` is of a case"),
    ("the lab", "assertions", "write `works`, what every case is held against"),
    ("the lab", "tests", "write `cases`"),
    ("the lab", "scenarios", "write `cases`"),
    ("the lab", "clients", "write `hosts`: clients and servers are hosts"),
    ("the lab", "servers", "write `hosts`: clients and servers are hosts"),
    ("the lab", "targets", "write `target_groups: { web: { targets: [web1] } }`"),
    ("the lab", "listeners", "listeners are a balancer's: `load_balancers: { front: { zones: [a], listeners: { 80: web } } }`"),
    ("a case", "description", "write `shows`, on one line"),
    ("a case", "title", "write `shows`, on one line"),
    ("a case", "type", "write `kind`"),
    ("a case", "changes", "write `set`, a map of paths: `set: { hosts.web1.zone: b }`"),
    ("a case", "works", "the promise is the lab's; what one case claims besides is its `expect`"),
    ("a case", "steps", "write `set: { steps: [...] }`, or change one of them by its name: `set: { steps.visit.timeout: 5s }`"),
    ("a host", "availability_zone", "write `zone: a`"),
    ("a host", "subnet", "write `zone: a`: each zone has one subnet"),
    ("a host", "ip", "write `address`"),
    ("a host", "public_ip", "write `public_address: auto`"),
    ("a host", "replicas", "write `count`"),
    ("a host", "ports", "write `serve: { 80: echo }`"),
    ("a host", "listen", "write `serve: { 80: echo }`"),
    ("a host", "latency", "write `link: { delay: 10ms }`"),
    ("a host", "loss", "write `link: { loss: 1% }`"),
    ("a node", "nat", "nodes have no NAT gateway here; write `public_address: auto`"),
    ("a pod", "replicas", "write `count`"),
    ("a pod", "containers", "write what the pod serves: `serve: { 80: http }`"),
    ("a pod", "image", "write what the pod serves: `serve: { 80: http }`"),
    ("a pod", "ports", "write what the pod serves: `serve: { 80: http }`"),
    ("a pod", "nodeName", "write `node`"),
    ("a pod", "nodeSelector", "write `node`"),
    ("a pod", "labels", "services select pods by their key: `selector: web`"),
    ("a pod", "readinessProbe", "pods have no readiness; write what follows from it as steps: `deregister: web/pod-1`"),
    ("a pod", "livenessProbe", "pods are not started anew by themselves; write what ends its connections as a step: `stop: pod-1`, or `kill: pod-1`"),
    ("a pod", "lifecycle", "write what becomes of a pod as steps: `deregister: web/pod-1`, then `wait: 15s`, then `stop: pod-1`"),
    ("a pod", "preStop", "write what becomes of a pod as steps: `deregister: web/pod-1`, then `wait: 15s`, then `stop: pod-1`"),
    ("a pod", "terminationGracePeriodSeconds", "write what becomes of a pod as a step: `stop: pod-1`, or `kill: pod-1` of one that does not end in time"),
    ("a service", "port", "write `ports: [{ port: 80 }]`"),
    ("a service", "internalTrafficPolicy", "services are reached by pods on all nodes from everywhere within the cluster; leave it out"),
    ("a service", "loadBalancerClass", "leave it out: balancers are those of the AWS Load Balancer Controller"),
    ("a service", "loadBalancerSourceRanges", "write a security group, and name it in the annotation \
        `service.beta.kubernetes.io/aws-load-balancer-security-groups`"),
    ("a service", "sessionAffinity", "leave it out: each connection goes to any pod; a balancer's own stickiness is an attribute of its target group"),
    ("a port of a service", "name", "leave it out: ports are known by their numbers"),
    ("a service", "scheme", "write it as an annotation: `service.beta.kubernetes.io/aws-load-balancer-scheme: internet-facing`"),
    ("a target group", "target", "write `targets: [web1]`"),
    ("a target group", "members", "write `targets: [web1]`"),
    ("a target group", "hosts", "write `targets: [web1]`"),
    ("a target group", "vpc_id", "leave it out: targets are where their hosts are"),
    ("a target group", "deregistration_delay", "write `attributes: { deregistration_delay.timeout_seconds: 300 }`"),
    ("a target group", "connection_termination", "write `attributes: { deregistration_delay.connection_termination.enabled: true }`"),
    ("a target group", "preserve_client_ip", "write `attributes: { preserve_client_ip.enabled: false }`"),
    ("a target group", "proxy_protocol_v2", "write `attributes: { proxy_protocol_v2.enabled: true }`"),
    ("a target group", "stickiness", "write `attributes: { stickiness.enabled: true }`"),
    ("a target group", "cross_zone", "write `attributes: { load_balancing.cross_zone.enabled: true }`"),
    ("a target group", "load_balancing_cross_zone_enabled", "write `attributes: { load_balancing.cross_zone.enabled: true }`"),
    ("a target group", "load_balancing_algorithm_type", "write `attributes: { load_balancing.algorithm.type: round_robin }`"),
    ("a health check", "enabled", "leave it out: a health check that is written is on"),
    ("a health check", "healthy_threshold_count", "write `healthy_threshold`"),
    ("a health check", "unhealthy_threshold_count", "write `unhealthy_threshold`"),
    ("a load balancer", "load_balancer_type", "write `type: network`"),
    ("a load balancer", "internal", "write `scheme: internal`"),
    ("a load balancer", "subnets", "write `zones: [a, b]`: each zone has one subnet"),
    ("a load balancer", "subnet_mapping", "write `zones: { a: 203.0.113.10 }`"),
    ("a load balancer", "availability_zones", "write `zones: [a, b]`"),
    ("a load balancer", "targets", "targets are of a group: `target_groups: { web: { targets: [web1] } }`"),
    ("a load balancer", "target_group", "a listener names its group: `listeners: { 80: web }`"),
    ("a load balancer", "cross_zone", "write `attributes: { load_balancing.cross_zone.enabled: true }`"),
    ("a load balancer", "cross_zone_load_balancing", "write `attributes: { load_balancing.cross_zone.enabled: true }`"),
    ("a load balancer", "enable_cross_zone_load_balancing", "write `attributes: { load_balancing.cross_zone.enabled: true }`"),
    ("a load balancer", "idle_timeout", "write it among the attributes, a network balancer's at its listener: \
        `80: { target_group: web, attributes: { tcp.idle_timeout.seconds: 350 } }`"),
    ("a listener", "default_action", "write `target_group: web`"),
    ("a listener", "forward", "write `target_group: web`"),
    ("a listener", "port", "the port is the key: `listeners: { 80: { target_group: web } }`"),
    ("a listener", "idle_timeout", "write `attributes: { tcp.idle_timeout.seconds: 350 }`"),
    ("a listener", "tcp_idle_timeout_seconds", "write `attributes: { tcp.idle_timeout.seconds: 350 }`"),
    ("a listener", "ssl_policy", "leave it out: certificates and policies are the lab's own"),
    ("a listener", "certificate_arn", "leave it out: certificates and policies are the lab's own"),
    ("verb", "sleep", "write `wait: 5s`"),
    ("verb", "pause", "write `wait: 5s`; who shall stand still is `freeze`"),
    ("verb", "curl", "write `load: { from: client, to: front, request: GET / }`, or run the program: `run: { on_host: client, command: curl http://front/ }`"),
    ("verb", "get", "write `load: { from: client, to: front, request: GET / }`"),
    ("verb", "http", "write `load: { from: client, to: front, request: GET / }`"),
    ("verb", "request", "write `load: { from: client, to: front, request: GET / }`"),
    ("verb", "ping", "write `run: { on_host: client, command: ping -c 1 web1 }`"),
    ("verb", "exec", "write `run: { on_host: client, command: ip route }`"),
    ("verb", "shell", "write `run: { on_host: client, command: ip route }`"),
    ("verb", "command", "write `run: { on_host: client, command: ip route }`"),
    ("verb", "open", "write `connect: { from: client, to: front }`"),
    ("verb", "disconnect", "write `close: visit`, with the name of the `connect`"),
    ("verb", "reset", "write `abort: visit`, with the name of the `connect`; who resets as a server is `stop: { host: web1, with: reset }`"),
    ("verb", "start", "servers are there from the beginning; `reload: web1` starts them anew"),
    ("verb", "restart", "write `reload: web1`"),
    ("verb", "partition", "write `drop: { from: client, to: web1 }`, or `link_down: web1`"),
    ("verb", "assert", "claims stand under `works`, and under `expect` of a case"),
    ("verb", "expect", "claims stand under `works`, and under `expect` of a case"),
    ("verb", "change", "write `set: { path: hosts.web1.link, value: { delay: 10ms } }`"),
    ("server", "nginx", "write `http`, the HTTP server of labs, or run the program: `{ command: ... }`"),
    ("server", "tcp", "write `echo`, which answers with what it is sent"),
    ("server", "udp", "write the protocol with the port: `serve: { 53/udp: echo }`"),
    ("server", "discard", "write `sink`"),
    ("`connect`", "port", "the port belongs to the destination: `to: front:80`"),
    ("`connect`", "host", "write `from`, whose connection it is, and `to`"),
    ("`connect`", "request", "write a `load`, which sends requests: `load: { from: client, to: front, request: GET / }`"),
    ("`load`", "requests", "write `connections`, or of one connection `request: { path: /, times: 10 }`"),
    ("`load`", "path", "write `request: GET /path`"),
    ("`load`", "url", "write `to: front`, and `request: GET /path`"),
    ("`load`", "concurrency", "write `connections`"),
    ("`load`", "clients", "write `connections`; they are of each host of `from`"),
    ("`drop`", "probability", "a share of all packets is a link's: `link: { loss: 10% }` of a host"),
    ("`drop`", "loss", "a share of all packets is a link's: `link: { loss: 10% }` of a host"),
    ("`deregister`", "target_group", "write it before the target: `deregister: web/web1`"),
    ("`register`", "target_group", "write it before the target: `register: web/web1`"),
    ("`run`", "host", "write `on_host`"),
    ("`run`", "from", "write `on_host`"),
];

/// What to write instead of a key or word that another tool has.
pub fn instead(of: &str, word: &str) -> Option<&'static str> {
    let mut known = FOREIGN.iter();
    let found = known.find(|(whose, foreign, _)| *whose == of && *foreign == word);
    found.map(|(.., help)| *help)
}

#[cfg(test)]
mod tests {
    use super::FOREIGN;
    use crate::spec;
    use crate::spec::grammar::servers::APPS;
    use crate::spec::grammar::steps::STEPS;
    use crate::spec::reference::sections;
    use std::collections::BTreeSet;

    #[test]
    fn foreign_words_are_of_something_that_has_none_of_this_name() {
        let mut met = BTreeSet::new();
        for (whose, word, _) in FOREIGN {
            assert!(met.insert((whose, word)), "{whose}: {word} stands twice");
            let own: Vec<&str> = match *whose {
                "verb" => STEPS.list.iter().map(|one| one.name).collect(),
                "server" => APPS.list.iter().map(|one| one.name).collect(),
                whose => {
                    let sections = sections().into_iter().filter(|one| one.name == whose);
                    sections.flat_map(|one| one.names()).collect()
                }
            };
            assert!(!own.is_empty(), "nothing is called {whose}");
            assert!(!own.contains(word), "{whose} has {word}");
        }
    }

    /// A map of these entries, with what is written in place of the one of its name, or added.
    fn map(entries: &[(&str, &str)], written: &str) -> String {
        let own = written.split(':').next();
        let mut all: Vec<String> = entries
            .iter()
            .filter(|(key, _)| Some(*key) != own)
            .map(|(key, value)| format!("{key}: {value}"))
            .collect();
        all.push(written.to_owned());
        format!("{{ {} }}", all.join(", "))
    }

    /// Labs in which what is written stands wherever it could be meant.
    fn labs(written: &str) -> Vec<String> {
        let host = map(&[("zone", "a")], written);
        let pod = map(&[], written);
        let service = format!("{{ selector: web, ports: [{{ port: 80 }}], annotations: {pod} }}");
        let service_too = map(&[("selector", "web"), ("ports", "[{ port: 80 }]")], written);
        let kubernetes = |pod: &str, service: &str| {
            let one = "nodes: { n1: { zone: a } }";
            format!(
                "kubernetes: {{ {one}, pods: {{ web: {pod} }}, services: {{ shop: {service} }} }}"
            )
        };
        let groups = |web: &str| format!("target_groups: {{ web: {web} }}");
        let check = map(&[("protocol", "TCP")], written);
        let balancers = |front: &str| format!("load_balancers: {{ front: {front} }}");
        let listener = map(&[("target_group", "web")], written);
        let listeners = format!("{{ zones: [a], listeners: {pod} }}");
        let steps = |step: &str| {
            format!("steps: [{{ connect: {{ as: visit, from: client, to: front }} }}, {step}]")
        };
        let dials = [("from", "client"), ("to", "front")];
        let of = |verb: &str, entries: &[(&str, &str)]| {
            steps(&format!("{{ {verb}: {} }}", map(entries, written)))
        };
        let entries = [
            written.to_owned(),
            format!("hosts: {{ client: {{}}, web1: {host} }}"),
            kubernetes(&pod, "{ selector: web, ports: [{ port: 80 }] }"),
            kubernetes("{}", &service),
            kubernetes("{}", &service_too),
            groups(&map(&[("targets", "[web1]")], written)),
            groups(&format!("{{ targets: [web1], health_check: {check} }}")),
            balancers(&map(
                &[("zones", "[a]"), ("listeners", "{ 80: web }")],
                written,
            )),
            balancers(&listeners),
            balancers(&format!(
                "{{ zones: [a], listeners: {{ 80: {listener} }} }}"
            )),
            format!(
                "cases: {{ only: {} }}",
                map(&[("kind", "control")], written)
            ),
            steps(&pod),
            of("connect", &dials),
            of("load", &dials),
            of("run", &[("command", "ip route")]),
        ];
        let usual = [
            ("title", "a lab"),
            ("hosts", "{ client: {}, web1: { zone: a } }"),
            (
                "steps",
                "[{ connect: { as: visit, from: client, to: front } }]",
            ),
            ("works", "[visit.ok]"),
            ("cases", "{ only: { kind: control } }"),
        ];
        entries.iter().map(|entry| map(&usual, entry)).collect()
    }

    #[test]
    fn what_is_said_instead_can_be_written_somewhere() {
        let mut wrong = Vec::new();
        for (whose, word, help) in FOREIGN {
            // Every other part stands in backquotes.
            for written in help
                .split('`')
                .skip(1)
                .step_by(2)
                .filter(|code| code.contains(": "))
            {
                let written = match written.strip_prefix('{') {
                    Some(server) => format!("serve: {{ 80: {{{server} }}"),
                    None => written.replace("[...]", "[{ wait: 5s }]"),
                };
                let read = labs(&written)
                    .iter()
                    .any(|lab| spec::read(lab, "lab.yaml").is_ok());
                if !read {
                    wrong.push(format!("{whose}, {word}: {written}"));
                }
            }
        }
        assert_eq!(wrong, Vec::<String>::new());
    }
}
