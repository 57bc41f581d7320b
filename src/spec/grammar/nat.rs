//! NAT gateways.

use super::Need::{Default, Optional, Required};
use super::balancers::ON_MISSING_FLOW;
use super::{Section, Type, Words, field};

/// Whose gateways.
pub static NAT_PROFILES: Words = Words {
    now: &["aws", "azure", "google"],
    later: &[],
};
/// Which free port a connection gets.
pub static PORT_ORDERS: Words = Words {
    now: &["random", "sequential", "preserve"],
    later: &[],
};

/// `nat_gateways.X`
pub static NAT_GATEWAY: Section = Section {
    name: "a NAT gateway",
    doc: "The way to the internet of the hosts that name it with `nat:`. They have its public addresses there.",
    fields: &[
        field("zone", Required, Type::Name, "The zone it is in."),
        field(
            "vpc",
            Optional,
            Type::Name,
            "The VPC it is in. Without it, the default one.",
        ),
        field(
            "profile",
            Default("aws"),
            Type::Word(&NAT_PROFILES),
            "Whose it is: a NAT gateway of `aws`, outbound rules of an `azure` load balancer, Cloud NAT of `google`.",
        ),
        field(
            "addresses",
            Default("1"),
            Type::Int { min: 1, max: 16 },
            "How many public addresses it has. AWS: at most 8.",
        ),
        field(
            "attributes",
            Optional,
            Type::Free,
            "The vendor's own settings, by the vendor's names: `idleTimeoutInMinutes`, `enableTcpReset` and \
                `allocatedOutboundPorts` of azure; `minPortsPerVm`, `tcpEstablishedIdleTimeoutSec`, \
                `tcpTransitoryIdleTimeoutSec`, `tcpTimeWaitTimeoutSec` and `udpIdleTimeoutSec` of google. AWS has none.",
        ),
        field(
            "emulate",
            Optional,
            Type::Section(&NAT_EMULATE),
            "The emulator's own knobs: what the vendor does not document, or not so that it could be chosen.",
        ),
    ],
};

/// `nat_gateways.X.emulate`
pub static NAT_EMULATE: Section = Section {
    name: "the emulator of a NAT gateway",
    doc: "What vendors do not document, and a lab may therefore choose.",
    fields: &[
        field(
            "ports",
            Optional,
            Type::Int {
                min: 1,
                max: 64_512,
            },
            "Connections at a time for each public address, destination and protocol, of aws. Default: 55000.",
        ),
        field(
            "port_order",
            Default("random"),
            Type::Word(&PORT_ORDERS),
            "Which of the free ports a new connection gets: a `random` one, the lowest (`sequential`), the client's own \
                (`preserve`).",
        ),
        field(
            "port_reuse",
            Optional,
            Type::Time { zero: true },
            "Cloud time from the end of a TCP connection to when another may have its port toward the same destination. \
                Default: 0s of aws, 240s of azure, 120s of google.",
        ),
        field(
            "on_missing_flow",
            Optional,
            Type::Word(&ON_MISSING_FLOW),
            "The answer to a host's data after its connection has expired. Default: reset of aws, else drop.",
        ),
        field(
            "insertion_delay",
            Optional,
            Type::Time { zero: true },
            "Time from the choice of a new connection's port to the insertion of its entry into the table, for which its first packet \
                is kept (real time; Linux: microseconds). Only entries keep a port from being chosen: of two first packets that \
                choose one port toward one destination in that time, the second is dropped, as `insert_failed`. Default: 0s.",
        ),
        field(
            "clash_resolve",
            Optional,
            Type::Bool,
            "Datagrams of one socket that wait for their entries together go by the first one's: one source for all. Linux does so \
                since 4.19 where they chose the same port (`port_order: preserve`). Where each drew its own (`random`, the default), \
                4.19 drops the later ones, and later kernels let them keep theirs: two sources. False: the later ones are dropped. \
                Needs `insertion_delay`. Default: true.",
        ),
    ],
};
