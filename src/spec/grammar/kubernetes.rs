//! Kubernetes: nodes, pods, services. Names as in its API (core/v1), where it has them.

use super::Need::{Default, Optional, Required};
use super::hosts::HOST;
use super::{Field, Key, PORT, Section, Type, Words, field};
use super::{balancers, groups};

/// `kubernetes`
pub static KUBERNETES: Section = Section {
    name: "kubernetes",
    doc: "A cluster: nodes with kube-proxy's and the VPC CNI's rules, pods inside of them, and services.",
    fields: &[
        field(
            "nodes",
            Required,
            Type::Map {
                key: Key::Name,
                of: &Type::Section(&NODE),
                item: "node",
            },
            "Machines of the cluster: hosts that forward to the pods inside of them.",
        ),
        field(
            "pods",
            Optional,
            Type::Map {
                key: Key::Name,
                of: &Type::Section(&POD),
                item: "pod",
            },
            "Pods: each a network namespace of its own on a node, with an address of the VPC.",
        ),
        field(
            "services",
            Optional,
            Type::Map {
                key: Key::Name,
                of: &Type::Section(&SERVICE),
                item: "service",
            },
            "Services: groups of pods to dial. One of type LoadBalancer brings the balancer and the target group of its name, which is the \
             balancer's for programs as well. In pods, `NAME.default.svc.cluster.local`, `NAME.default.svc` and `NAME.default` are a \
             service's address within the cluster, and so is `NAME` where there is no balancer of this name. (They stand in \
             /etc/hosts: no packet asks for them.)",
        ),
        field(
            "emulate",
            Optional,
            Type::Section(&EMULATE),
            "What the emulated kube-proxy, or what stands in its place, does where they differ.",
        ),
    ],
};

/// `kubernetes.emulate`
pub static EMULATE: Section = Section {
    name: "what kube-proxy does",
    doc: "Knobs of the emulated kube-proxy, and of an eBPF data plane in its place.",
    fields: &[
        field(
            "proxy_mode",
            Default("iptables"),
            Type::Word(&PROXY_MODES),
            "What turns a service's address into a pod's on every node: kube-proxy by its `--proxy-mode`, `iptables` (real rules in \
                the node's kernel) or `ipvs`; or `ebpf`, a dataplane that stands for kube-proxy, as Calico's does. `ipvs` and `ebpf` are \
                emulated between the node and its device; they know services of type ClusterIP, for clients on other nodes than the \
                service's pods.",
        ),
        field(
            "drop_invalid",
            Default("true"),
            Type::Bool,
            "Packets that connection tracking calls INVALID are dropped before they reach a pod, as kube-proxy does since \
                1.15. `false`: an older one, which lets them pass untranslated. Of `proxy_mode: iptables`.",
        ),
        field(
            "clear_conntrack",
            Optional,
            Type::Word(&CLEAR_CONNTRACK),
            "Which entries of connection tracking nodes delete when a pod is taken out of a service (`deregister: service/pod`): \
                `udp`: those of datagrams to it, as kube-proxy does; `syn-sent`: those of TCP connections to it as well that it has not \
                answered, as kubernetes #102669 would have. Of `proxy_mode: iptables`. Default: udp.",
        ),
        field(
            "terminating_endpoints",
            Optional,
            Type::Word(&TERMINATING_ENDPOINTS),
            "What a pod is that was taken out of a service (`deregister: service/pod`). `drop`: gone. `serve`: it is terminating, and nodes \
                lead to it still where there is no other, on the node itself with the policy Local, as kube-proxy does since 1.26; \
                `healthCheckNodePort` says 503 all the same. Of `proxy_mode: iptables`. Default: drop.",
        ),
        field(
            "load_balancer_mode",
            Default("snat"),
            Type::Word(&MODES),
            "How a node carries what comes to a port of the nodes to a pod elsewhere, with the policy Cluster. `snat`: under its own \
                address, as kube-proxy does. `dsr`: under the client's, and the pod's node answers the client in the name of the \
                node that was dialled, as with Cilium's `loadBalancer.mode: dsr` and Calico's `bpfExternalServiceMode: DSR`. The \
                network then lets nodes send under addresses that are not theirs (AWS: no source/destination check). Which \
                node was dialled is told by DSCP, where those have an IP option or a tunnel.",
        ),
        field(
            "on_collision",
            Optional,
            Type::Word(&ON_COLLISION),
            "In the mode `dsr`: two connections of one client and port that came by two nodes look the same to a pod. `newest`: \
                its answers go out in the name of the node that the last SYN came by. `port-rewrite`: the pod's node gives the \
                newcomer another source port, as Calico does since felix #2983. Default: newest.",
        ),
        field(
            "ipvs",
            Optional,
            Type::Section(&IPVS),
            "Kernel settings of IPVS on every node, for `proxy_mode: ipvs`.",
        ),
        field(
            "ebpf",
            Optional,
            Type::Section(&EBPF),
            "What the dataplane does, for `proxy_mode: ebpf`.",
        ),
    ],
};

/// `kubernetes.emulate.load_balancer_mode`
static MODES: Words = Words {
    now: &["snat", "dsr"],
    later: &[],
};
/// `kubernetes.emulate.clear_conntrack`
static CLEAR_CONNTRACK: Words = Words {
    now: &["udp", "syn-sent"],
    later: &[],
};
/// `kubernetes.emulate.terminating_endpoints`
static TERMINATING_ENDPOINTS: Words = Words {
    now: &["drop", "serve"],
    later: &[],
};
/// `kubernetes.emulate.on_collision`
static ON_COLLISION: Words = Words {
    now: &["newest", "port-rewrite"],
    later: &[],
};
/// `kubernetes.emulate.proxy_mode`
pub static PROXY_MODES: Words = Words {
    now: &["iptables", "ipvs", "ebpf"],
    later: &[],
};
/// `kubernetes.emulate.ipvs.kernel`
pub static IPVS_KERNELS: Words = Words {
    now: &["since-5.9", "before-5.9"],
    later: &[],
};
const SWITCH: Type = Type::Int { min: 0, max: 1 };

/// `kubernetes.emulate.ipvs`
pub static IPVS: Section = Section {
    name: "IPVS",
    doc: "The settings in /proc/sys/net/ipv4/vs of every node's kernel, by their names there, and the timeouts of `ipvsadm --set`. \
        Defaults are the kernel's own. The scheduler is `rr`, the forwarding method NAT, as kube-proxy has them.",
    fields: &[
        field(
            "conn_reuse_mode",
            Default("1"),
            Type::Int { min: 0, max: 3 },
            "What becomes of a SYN for whose port there is an entry already. `0`: it goes to that entry's pod, there or gone. `1`: \
                where the entry is in TIME_WAIT (or CLOSE) it is ended, and the connection scheduled anew. `2` (a bit): in FIN_WAIT as \
                well, where no packet of the pod has been seen. kube-proxy writes 0 since #71114 (November 2018), in later releases \
                with kernels before 5.9 only.",
        ),
        field(
            "expire_nodest_conn",
            Default("0"),
            SWITCH,
            "`0`: packets of an entry whose pod was deregistered are dropped silently, until the entry ends by its timeout. `1`: the entry \
                ends, and the client's next packet is reset. kube-proxy writes 1 since #71834 (December 2018).",
        ),
        field(
            "conntrack",
            Default("1"),
            SWITCH,
            "Connections of IPVS have entries in connection tracking as well. The kernel's default is 0; kube-proxy writes 1.",
        ),
        field(
            "kernel",
            Default("since-5.9"),
            Type::Word(&IPVS_KERNELS),
            "`before-5.9`: where `conn_reuse_mode` ends an entry that is in connection tracking too, the SYN is dropped with it, and its client \
                sends it again after a second; and entries of a pod that is gone are not ended before a packet asks for them.",
        ),
        field(
            "tcp",
            Default("900s"),
            Type::Time { zero: false },
            "Cloud time that an established entry is kept without a packet. All other states of TCP have the kernel's own times: 120 s in \
                TIME_WAIT, 60 s in SYN_RECV and CLOSE_WAIT, 10 s in CLOSE.",
        ),
        field(
            "tcpfin",
            Default("120s"),
            Type::Time { zero: false },
            "Cloud time after a FIN of the pod.",
        ),
        field(
            "udp",
            Default("300s"),
            Type::Time { zero: false },
            "Cloud time for datagrams.",
        ),
    ],
};

/// `kubernetes.emulate.ebpf`
pub static EBPF: Section = Section {
    name: "a dataplane in eBPF",
    doc: "Knobs of the dataplane. It picks pods at random, and its entries outlive every case.",
    fields: &[field(
        "pin_syn",
        Default("true"),
        Type::Bool,
        "A SYN that is sent again goes to the pod of the first one. `false`: each SYN is given any pod, and what follows goes where the last \
            one went (Calico until felix #2675, March 2021).",
    )],
};

/// A field that hosts have too.
const fn of_host(name: &str) -> Field {
    let mut number = 0;
    while number < HOST.fields.len() {
        let shared = &HOST.fields[number];
        if same(shared.name, name) {
            return field(shared.name, shared.need, shared.kind, shared.doc);
        }
        number += 1;
    }
    panic!("a host has no such field")
}

const fn same(one: &str, other: &str) -> bool {
    let (one, other) = (one.as_bytes(), other.as_bytes());
    let mut place = 0;
    while place < one.len() && place < other.len() && one[place] == other[place] {
        place += 1;
    }
    place == one.len() && place == other.len()
}

/// `kubernetes.nodes.X`
pub static NODE: Section = Section {
    name: "a node",
    doc: "A machine of the cluster: a host in a zone, with the rules of kube-proxy and of the VPC CNI.",
    fields: &NODE_FIELDS,
};
static NODE_FIELDS: [Field; 12] = [
    field("zone", Required, Type::Name, "The zone it is in."),
    field(
        "service_target",
        Default("true"),
        Type::Bool,
        "Whether balancers of services register it. `false` stands for the label \
            `node.kubernetes.io/exclude-from-external-load-balancers`.",
    ),
    of_host("address"),
    of_host("public_address"),
    of_host("sysctls"),
    of_host("nft"),
    of_host("iptables"),
    of_host("setup"),
    of_host("link"),
    of_host("mtu"),
    of_host("kernel"),
    of_host("security_groups"),
];

/// `kubernetes.pods.X`
pub static POD: Section = Section {
    name: "a pod",
    doc: "A pod, or `count` of them that are alike.",
    fields: &POD_FIELDS,
};
static POD_FIELDS: [Field; 9] = [
    field(
        "node",
        Optional,
        Type::Name,
        "The node it is on. Without it, pods are spread over the nodes in order.",
    ),
    of_host("count"),
    of_host("serve"),
    field(
        "hostNetwork",
        Default("false"),
        Type::Bool,
        "It has no namespace of its own: it runs in its node's, under the node's address.",
    ),
    of_host("sysctls"),
    of_host("nft"),
    of_host("iptables"),
    of_host("setup"),
    of_host("dns_cache"),
];

/// `kubernetes.services.X.type`
pub static SERVICE_TYPES: Words = Words {
    now: &["LoadBalancer", "NodePort", "ClusterIP"],
    later: &[],
};
/// `kubernetes.services.X.externalTrafficPolicy`
pub static TRAFFIC_POLICIES: Words = Words {
    now: &["Cluster", "Local"],
    later: &[],
};
/// `kubernetes.services.X.ipMode`
pub static IP_MODES: Words = Words {
    now: &["VIP", "Proxy"],
    later: &[],
};
static PROTOCOLS: Words = Words {
    now: &["TCP", "UDP"],
    later: &[],
};
/// kube-apiserver's default `--service-node-port-range`.
const NODE_PORT: Type = Type::Int {
    min: 30_000,
    max: 32_767,
};

/// `kubernetes.services.X`
pub static SERVICE: Section = Section {
    name: "a service",
    doc: "A service: one name and one address for the pods that it selects.",
    fields: &[
        field(
            "type",
            Default("LoadBalancer"),
            Type::Word(&SERVICE_TYPES),
            "How it can be reached; each type can what those after it can.",
        ),
        field(
            "selector",
            Required,
            Type::Name,
            "The pods behind it: one of `kubernetes.pods`.",
        ),
        field(
            "ports",
            Required,
            Type::List {
                of: &Type::Section(&SERVICE_PORT),
                min: 1,
            },
            "Its ports: `[{ port: 80, nodePort: 31468 }]`.",
        ),
        field(
            "externalTrafficPolicy",
            Default("Cluster"),
            Type::Word(&TRAFFIC_POLICIES),
            "`Cluster`: a node passes connections on to pods anywhere, under its own address. `Local`: only to pods of \
                its own, which then see the client's; the balancer checks on `healthCheckNodePort` which nodes have one.",
        ),
        field(
            "healthCheckNodePort",
            Optional,
            NODE_PORT,
            "With the policy `Local`, where nodes answer HTTP checks: 200 with a pod behind the service, else 503. A pod \
                whose server is gone stays an endpoint until it is taken out (`deregister: service/pod`). Without it, one is given out.",
        ),
        field(
            "clusterIP",
            Optional,
            Type::Address,
            "Its address within the cluster. Without it, one is given out of 172.20.0.0/16.",
        ),
        field(
            "ipMode",
            Default("Proxy"),
            Type::Word(&IP_MODES),
            "`VIP`: the balancer's addresses are in the service's status, and nodes handle what pods send there \
                themselves. `Proxy`: it goes to the balancer, as with AWS, whose status has a name only.",
        ),
        field(
            "emulate",
            Optional,
            Type::Section(&balancers::EMULATE),
            "What the emulated balancer does where AWS's documentation is silent.",
        ),
        field(
            "target_group_emulate",
            Optional,
            Type::Section(&groups::GROUP_EMULATE),
            "The same of its target groups: how long a deregistered target still gets new flows, for instance.",
        ),
        field(
            "annotations",
            Optional,
            Type::Free,
            "Annotations of the AWS Load Balancer Controller, \
                `service.beta.kubernetes.io/aws-load-balancer-...`.",
        ),
    ],
};

/// An item of `kubernetes.services.X.ports`
pub static SERVICE_PORT: Section = Section {
    name: "a port of a service",
    doc: "A port of a service, and where it leads.",
    fields: &[
        field("port", Required, PORT, "The service's port."),
        field(
            "targetPort",
            Optional,
            PORT,
            "The pods' port. Without it, the same.",
        ),
        field(
            "nodePort",
            Optional,
            NODE_PORT,
            "The nodes' port. Without it, one is given out.",
        ),
        field(
            "protocol",
            Default("TCP"),
            Type::Word(&PROTOCOLS),
            "What it carries.",
        ),
    ],
};
