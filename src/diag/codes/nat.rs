//! Rules of the area `plan`: NAT gateways.

use super::{Code, Rule};

/// `nat:` names no gateway.
pub const UNKNOWN_GATEWAY: Code = Code(730);
/// `nat:` of a host that needs none.
pub const NEEDS_NO_GATEWAY: Code = Code(731);
/// `nat:` names a gateway of another VPC.
pub const GATEWAY_OF_ANOTHER_VPC: Code = Code(732);
/// More addresses than the vendor gives a gateway.
pub const TOO_MANY_ADDRESSES: Code = Code(733);
/// A setting that this vendor's gateway does not have.
pub const UNKNOWN_SETTING: Code = Code(734);
/// A setting's value is none.
pub const SETTING_VALUE: Code = Code(735);
/// `emulate.ports` where hosts have ports of their own.
pub const PORTS_BY_HOST: Code = Code(736);
/// More hosts than there are ports for.
pub const NO_PORTS_FOR_HOSTS: Code = Code(737);
/// `emulate.clash_resolve` where no entries can clash.
pub const NOTHING_CLASHES: Code = Code(738);

/// In order of their codes.
pub(super) const RULES: &[Rule] = &[
    Rule {
        code: UNKNOWN_GATEWAY,
        title: "a NAT gateway that is not there",
        page: "`nat:` names one of the lab's `nat_gateways`.\n\
        \n\
        Wrong:\n\
        \x20   hosts: { app: { zone: a, nat: egres } }\n\
        \x20   nat_gateways: { egress: { zone: a } }\n\
        Right:\n\
        \x20   hosts: { app: { zone: a, nat: egress } }",
    },
    Rule {
        code: NEEDS_NO_GATEWAY,
        title: "a NAT gateway for a host that reaches the internet without one",
        page: "A host without a zone is out on the internet, and one with a public address leaves by the internet gateway,\n\
        which translates one to one. A subnet's default route leads to one of the two, never to both.\n\
        \n\
        Wrong:\n\
        \x20   app: { zone: a, public_address: auto, nat: egress }\n\
        Right:\n\
        \x20   app: { zone: a, nat: egress }",
    },
    Rule {
        code: GATEWAY_OF_ANOTHER_VPC,
        title: "a NAT gateway of another VPC",
        page: "A NAT gateway serves the subnets of its own VPC. A peering does not lead to it: AWS does not route on to a\n\
        peer's gateways.\n\
        \n\
        Wrong:\n\
        \x20   hosts: { app: { zone: a, vpc: shared, nat: egress } }\n\
        \x20   nat_gateways: { egress: { zone: a } }\n\
        Right:\n\
        \x20   nat_gateways: { egress: { zone: a, vpc: shared } }",
    },
    Rule {
        code: TOO_MANY_ADDRESSES,
        title: "more addresses than a NAT gateway has",
        page: "A NAT gateway of AWS has one primary and up to seven secondary IPv4 addresses, each with 55,000 ports for each\n\
        destination. More ports than that take more gateways.\n\
        \n\
        Wrong:\n\
        \x20   egress: { zone: a, addresses: 9 }\n\
        Right:\n\
        \x20   egress: { zone: a, addresses: 8 }",
    },
    Rule {
        code: UNKNOWN_SETTING,
        title: "a setting that this NAT gateway does not have",
        page: "`attributes` of a NAT gateway are its vendor's own: azure has idleTimeoutInMinutes, enableTcpReset and\n\
        allocatedOutboundPorts; google has minPortsPerVm, tcpEstablishedIdleTimeoutSec, tcpTransitoryIdleTimeoutSec,\n\
        tcpTimeWaitTimeoutSec and udpIdleTimeoutSec. AWS has none: its idle timeout is 350 s, whatever is wanted.\n\
        \n\
        Wrong:\n\
        \x20   egress: { zone: a, attributes: { idleTimeoutInMinutes: 30 } }\n\
        Right:\n\
        \x20   egress: { zone: a, profile: azure, attributes: { idleTimeoutInMinutes: 30 } }",
    },
    Rule {
        code: SETTING_VALUE,
        title: "a setting of a NAT gateway with an impossible value",
        page: "Each setting has its vendor's range: idleTimeoutInMinutes 4 to 100, allocatedOutboundPorts 8 to 64000 in steps\n\
        of 8, minPortsPerVm 2 to 64512, timeouts in whole seconds from 1.\n\
        \n\
        Wrong:\n\
        \x20   egress: { zone: a, profile: azure, attributes: { idleTimeoutInMinutes: 3 } }\n\
        Right:\n\
        \x20   egress: { zone: a, profile: azure, attributes: { idleTimeoutInMinutes: 4 } }",
    },
    Rule {
        code: PORTS_BY_HOST,
        title: "ports of all hosts, where each host has its own",
        page: "`emulate.ports` is for gateways of aws, whose hosts share the ports. Azure and Google give each host a block of\n\
        its own, and have a setting for its size.\n\
        \n\
        Wrong:\n\
        \x20   egress: { zone: a, profile: azure, emulate: { ports: 8 } }\n\
        Right:\n\
        \x20   egress: { zone: a, profile: azure, attributes: { allocatedOutboundPorts: 8 } }",
    },
    Rule {
        code: NO_PORTS_FOR_HOSTS,
        title: "more hosts behind a NAT gateway than it has ports for",
        page: "Where each host has a block of ports, the addresses' ports must be enough for all of them: 64,000 of each at Azure,\n\
        64,512 at Google. The vendor refuses the setting otherwise.\n\
        \n\
        Wrong, with three hosts behind it:\n\
        \x20   egress: { zone: a, profile: azure, attributes: { allocatedOutboundPorts: 32000 } }\n\
        Right:\n\
        \x20   egress: { zone: a, profile: azure, addresses: 2, attributes: { allocatedOutboundPorts: 32000 } }",
    },
    Rule {
        code: NOTHING_CLASHES,
        title: "how clashes are resolved, where there are none",
        page: "Entries of a NAT gateway's table clash when a port is chosen some time before its entry is inserted, which is\n\
        `insertion_delay`. Without it each port is taken as soon as it is chosen, and `clash_resolve` has nothing to say.\n\
        \n\
        Wrong:\n\
        \x20   egress: { zone: a, emulate: { clash_resolve: false } }\n\
        Right:\n\
        \x20   egress: { zone: a, emulate: { insertion_delay: 50ms, clash_resolve: false } }",
    },
];
