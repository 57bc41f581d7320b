//! Rules of the area `kubernetes`: nodes, pods, services (0700..).

use super::{Code, Rule};

/// An annotation that the controller does not have.
pub const ANNOTATION_UNKNOWN: Code = Code(700);
/// An annotation's value.
pub const ANNOTATION_VALUE: Code = Code(701);
/// Annotations of a service without a balancer, and other settings that nothing reads.
pub const SETTING_UNUSED: Code = Code(702);
/// A pod on a node that the cluster does not have.
pub const UNKNOWN_NODE: Code = Code(703);
/// A selector that selects nothing.
pub const UNKNOWN_PODS: Code = Code(704);
/// A service's balancer or target group, and another of the same name.
pub const SERVICE_NAME_TAKEN: Code = Code(705);
/// Two services on one port of the nodes.
pub const NODE_PORT_TAKEN: Code = Code(706);
/// Two pods on one port of their node.
pub const SERVED_TWICE: Code = Code(707);
/// What a pod without a namespace of its own has not.
pub const OF_THE_NODE: Code = Code(708);
/// An address within the cluster that cannot be one.
pub const CLUSTER_IP: Code = Code(709);
/// A service whose pods do not listen.
pub const ENDPOINT_SERVES_NOTHING: Code = Code(710);
/// A service's address dialled from outside of its cluster.
pub const OUTSIDE_THE_CLUSTER: Code = Code(711);
/// A cluster without nodes.
pub const NO_NODES: Code = Code(712);
/// More ports than the nodes have.
pub const NODE_PORTS_GONE: Code = Code(713);
/// A service of type LoadBalancer that is called like pods or a node.
pub const SERVICE_NAME_OF_HOST: Code = Code(714);
/// A knob of a proxy mode that the cluster does not have.
pub const KNOB_OF_ANOTHER_MODE: Code = Code(715);
/// A service that is reached from outside, in a proxy mode that is emulated.
pub const CLUSTER_IP_ONLY: Code = Code(716);
/// A client on the node of a pod behind the service that it dials, in such a mode.
pub const BESIDE_AN_ENDPOINT: Code = Code(717);
/// Endpoints that come or go while the nodes have rules for them.
pub const ENDPOINTS_STAY: Code = Code(718);
/// A sysctl of IPVS.
pub const SYSCTL_OF_IPVS: Code = Code(719);
/// More nodes than can be told apart.
pub const DSR_NODES: Code = Code(720);
/// Two services on one port of the same pods, with direct server return.
pub const DSR_SERVICES: Code = Code(721);

/// In order of their codes.
pub(super) const RULES: &[Rule] = &[
    Rule {
        code: ANNOTATION_UNKNOWN,
        title: "no such annotation",
        page: "Annotations of a service are those of the AWS Load Balancer Controller, with their whole names; each begins\n\
        with `service.beta.kubernetes.io/aws-load-balancer-`. In a real cluster, a misspelt one is ignored without a\n\
        word. Not all that the controller has are emulated; `hairpin explain annotations` lists those that are.\n\
        \n\
        Wrong:\n\
        \x20   annotations: { service.beta.kubernetes.io/aws-load-balancer-target-type: ip }\n\
        Right:\n\
        \x20   annotations: { service.beta.kubernetes.io/aws-load-balancer-nlb-target-type: ip }",
    },
    Rule {
        code: ANNOTATION_VALUE,
        title: "not a value of this annotation",
        page: "Attributes are pairs with an equals sign, commas between them; other annotations have a few words, or numbers.\n\
        \n\
        Wrong:\n\
        \x20   service.beta.kubernetes.io/aws-load-balancer-target-group-attributes: preserve_client_ip.enabled\n\
        Right:\n\
        \x20   service.beta.kubernetes.io/aws-load-balancer-target-group-attributes: preserve_client_ip.enabled=false",
    },
    Rule {
        code: SETTING_UNUSED,
        title: "a setting that this service does not use",
        page: "Only a service of type LoadBalancer has a balancer to annotate; only one with the policy Local has its nodes\n\
        checked on a port of their own.\n\
        \n\
        Wrong:\n\
        \x20   web: { type: ClusterIP, annotations: { ... }, ... }\n\
        Right:\n\
        \x20   web: { type: LoadBalancer, annotations: { ... }, ... }",
    },
    Rule {
        code: UNKNOWN_NODE,
        title: "a pod on a node that there is not",
        page: "A pod's `node` is one of `kubernetes.nodes`.\n\
        \n\
        Wrong:\n\
        \x20   nodes: { n1: { zone: a } }\n\
        \x20   pods: { shell: { node: n2 } }\n\
        Right:\n\
        \x20   pods: { shell: { node: n1 } }",
    },
    Rule {
        code: UNKNOWN_PODS,
        title: "a selector that selects nothing",
        page: "A service's `selector` is the name of one of `kubernetes.pods`; with `count`, it means all of them.\n\
        \n\
        Wrong:\n\
        \x20   pods: { nginx: { count: 3 } }\n\
        \x20   services: { web: { selector: apache, ports: [{ port: 80 }] } }\n\
        Right:\n\
        \x20   services: { web: { selector: nginx, ports: [{ port: 80 }] } }",
    },
    Rule {
        code: SERVICE_NAME_TAKEN,
        title: "a service's balancer or target group has the name of another one",
        page: "A service of type LoadBalancer brings a load balancer and target groups of its own name.\n\
        \n\
        Wrong:\n\
        \x20   load_balancers: { web: { ... } }\n\
        \x20   kubernetes: { services: { web: { ... } }, ... }\n\
        Right:\n\
        \x20   load_balancers: { front: { ... } }",
    },
    Rule {
        code: NODE_PORT_TAKEN,
        title: "two services on one port of the nodes",
        page: "Every node takes connections for a service on its `nodePort`, so a port belongs to one service.\n\
        \n\
        Wrong:\n\
        \x20   one:   { ports: [{ port: 80, nodePort: 31468 }], ... }\n\
        \x20   other: { ports: [{ port: 81, nodePort: 31468 }], ... }\n\
        Right, or leave `nodePort` out:\n\
        \x20   other: { ports: [{ port: 81, nodePort: 31469 }], ... }",
    },
    Rule {
        code: SERVED_TWICE,
        title: "two pods on one port of their node",
        page: "A pod with `hostNetwork: true` listens on its node's own ports, and each of them takes one listener.\n\
        \n\
        Wrong:\n\
        \x20   nodes: { n1: { zone: a } }\n\
        \x20   pods: { proxy: { count: 2, hostNetwork: true, serve: { 80: echo } } }\n\
        Right:\n\
        \x20   nodes: { n1: { zone: a }, n2: { zone: b } }",
    },
    Rule {
        code: OF_THE_NODE,
        title: "a setting of a network namespace, for a pod that has none",
        page: "A pod with `hostNetwork: true` runs in its node's namespace: kernel settings and rules are the node's.\n\
        \n\
        Wrong:\n\
        \x20   pods: { shell: { hostNetwork: true, sysctls: { ... } } }\n\
        Right:\n\
        \x20   nodes: { n1: { zone: a, sysctls: { ... } } }",
    },
    Rule {
        code: CLUSTER_IP,
        title: "an address that no service can have",
        page: "Addresses of services are of 172.20.0.0/16, the range that EKS gives a cluster in a VPC of 10.0.0.0/8; each\n\
        belongs to one service, and 172.20.0.1 to the API server.\n\
        \n\
        Wrong:\n\
        \x20   web: { clusterIP: 10.0.0.80, ... }\n\
        Right:\n\
        \x20   web: { clusterIP: 172.20.0.80, ... }",
    },
    Rule {
        code: ENDPOINT_SERVES_NOTHING,
        title: "a service whose pods serve nothing on the port",
        page: "A service passes connections on to the `targetPort` of its pods, which is its `port` when not written; they must\n\
        serve it, else every client is refused.\n\
        \n\
        Wrong:\n\
        \x20   pods: { nginx: { serve: { 8080: echo } } }\n\
        \x20   services: { web: { selector: nginx, ports: [{ port: 80 }] } }\n\
        Right:\n\
        \x20   services: { web: { selector: nginx, ports: [{ port: 80, targetPort: 8080 }] } }",
    },
    Rule {
        code: OUTSIDE_THE_CLUSTER,
        title: "a service's own address, dialled from outside of the cluster",
        page: "The rules that turn a `clusterIP` into a pod's address are on the nodes: only pods and nodes can dial it. Others\n\
        dial the service's balancer, or `node:nodePort`.\n\
        \n\
        Wrong:\n\
        \x20   - connect: { from: client, to: web/clusterIP }\n\
        Right:\n\
        \x20   - connect: { from: client, to: web }",
    },
    Rule {
        code: NO_NODES,
        title: "a cluster without nodes",
        page: "Pods run on nodes, and a service's balancer is in the zones of the nodes.\n\
        \n\
        Wrong:\n\
        \x20   kubernetes: { nodes: {}, pods: { shell: {} } }\n\
        Right:\n\
        \x20   kubernetes: { nodes: { n1: { zone: a } }, pods: { shell: {} } }",
    },
    Rule {
        code: NODE_PORTS_GONE,
        title: "services need more ports than the nodes have",
        page: "Each port of a service of the type NodePort or LoadBalancer has a port of its own on every node, and a service\n\
        with `externalTrafficPolicy: Local` one more for its health checks. They are given out between 30000 and 32767, as\n\
        kube-apiserver does: 2,768 for TCP, and as many for UDP.\n\
        \n\
        Wrong:\n\
        \x20   sixty services with fifty ports each\n\
        Right:\n\
        \x20   as many as the story needs, or `type: ClusterIP` for those that nobody outside reaches",
    },
    Rule {
        code: SERVICE_NAME_OF_HOST,
        title: "a service with a balancer has the name of pods or of a node",
        page: "In a cluster a Deployment and its Service often have one name. In a lab both are destinations and senders: the\n\
        service brings a load balancer of its name, pods are hosts of theirs, and `to: web`, `hosts.web` and `p.sender` must\n\
        say which. Give the pods another name, as real pods have (`web-6d4f...`). A service of type ClusterIP brings no\n\
        balancer and may have the name of its pods.\n\
        \n\
        Wrong:\n\
        \x20   pods: { web: { count: 2, serve: { 80: echo } } }\n\
        \x20   services: { web: { selector: web, ports: [{ port: 80 }] } }\n\
        Right:\n\
        \x20   pods: { web-pod: { count: 2, serve: { 80: echo } } }\n\
        \x20   services: { web: { selector: web-pod, ports: [{ port: 80 }] } }",
    },
    Rule {
        code: KNOB_OF_ANOTHER_MODE,
        title: "a knob of another proxy mode",
        page: "`ipvs` holds settings of a kernel's IPVS, `ebpf` those of a dataplane in eBPF, `drop_invalid` is about rules of\n\
        kube-proxy in its mode `iptables`. In another `proxy_mode` nothing reads them, as nothing reads\n\
        /proc/sys/net/ipv4/vs on a node without IPVS.\n\
        \n\
        Wrong:\n\
        \x20   emulate: { ipvs: { expire_nodest_conn: 1 } }\n\
        Right:\n\
        \x20   emulate: { proxy_mode: ipvs, ipvs: { expire_nodest_conn: 1 } }",
    },
    Rule {
        code: CLUSTER_IP_ONLY,
        title: "a service that is reached from outside, in an emulated proxy mode",
        page: "The proxy modes `ipvs` and `ebpf` are emulated between a node and its device, for addresses of services within the\n\
        cluster: what comes from outside to a node's port would have to pass the node's kernel as well, to be masqueraded.\n\
        \n\
        Wrong:\n\
        \x20   emulate: { proxy_mode: ipvs }\n\
        \x20   services: { web: { type: NodePort, ... } }\n\
        Right:\n\
        \x20   services: { web: { type: ClusterIP, ... } }",
    },
    Rule {
        code: BESIDE_AN_ENDPOINT,
        title: "a client on the node of a pod behind the service",
        page: "In the proxy modes `ipvs` and `ebpf` a service's address is translated between the node and its device. A pod's answer\n\
        to a client on its own node does not come by there and would not be translated back; a real node does both inside.\n\
        Put the client on a node without pods of the service.\n\
        \n\
        Wrong:\n\
        \x20   pods: { shell: { node: n1 }, web: { node: n1, serve: { 80: echo } } }\n\
        Right:\n\
        \x20   pods: { shell: { node: n1 }, web: { node: n2, serve: { 80: echo } } }",
    },
    Rule {
        code: ENDPOINTS_STAY,
        title: "endpoints that cannot come or go",
        page: "`deregister: service/pod` takes a pod out of a service on all nodes, and `register` puts it back. With\n\
        `load_balancer_mode: dsr` the nodes' rules are written once, before the story begins.\n\
        \n\
        Wrong:\n\
        \x20   emulate: { load_balancer_mode: dsr }\n\
        \x20   - deregister: shop/web-1\n\
        Right:\n\
        \x20   emulate: { load_balancer_mode: snat }",
    },
    Rule {
        code: SYSCTL_OF_IPVS,
        title: "a kernel setting of IPVS",
        page: "IPVS is emulated: a kernel without it has no /proc/sys/net/ipv4/vs, and one with it would not ask there. Its settings are\n\
        under `kubernetes.emulate.ipvs`, by the same names, and hold for all nodes.\n\
        \n\
        Wrong:\n\
        \x20   sysctls: { net.ipv4.vs.expire_nodest_conn: 1 }\n\
        Right:\n\
        \x20   kubernetes: { emulate: { proxy_mode: ipvs, ipvs: { expire_nodest_conn: 1 } }, ... }",
    },
    Rule {
        code: DSR_NODES,
        title: "more nodes than direct server return can tell apart",
        page: "With `load_balancer_mode: dsr` the node that was dialled puts its number into DSCP, from which the pod's node knows in\n\
        whose name to answer. DSCP has six bits, and 0 stands for no node.\n\
        \n\
        Wrong:\n\
        \x20   seventy nodes with `emulate: { load_balancer_mode: dsr }`\n\
        Right:\n\
        \x20   as many as the story needs, at most 63",
    },
    Rule {
        code: DSR_SERVICES,
        title: "two services lead to one port of the same pods, with direct server return",
        page: "With `load_balancer_mode: dsr` the pod's node answers in the name of the port that was dialled, and knows it by the pod's\n\
        own. Real data planes carry the service's port with each connection; the emulated one has no room for it.\n\
        \n\
        Wrong:\n\
        \x20   services:\n\
        \x20     one: { type: NodePort, selector: web, ports: [{ port: 80 }] }\n\
        \x20     two: { type: NodePort, selector: web, ports: [{ port: 8080, targetPort: 80 }] }\n\
        Right:\n\
        \x20   a `targetPort` of its own for each, or `type: ClusterIP` for one of them",
    },
];
