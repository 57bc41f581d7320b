//! Rules of the area `plan`: what names mean, and whether a lab can be what it says (0300..0499).

use super::{Code, Rule};

/// A case that the lab does not have.
pub const UNKNOWN_CASE: Code = Code(300);
/// More than a lab can hold.
pub const TOO_LARGE: Code = Code(301);
/// Two hosts of one name.
pub const HOST_NAME_TWICE: Code = Code(302);
/// A balancer and a host of one name.
pub const DESTINATION_NAME_TWICE: Code = Code(303);
/// A host that the lab does not have.
pub const UNKNOWN_HOST: Code = Code(304);
/// A group where one host is needed.
pub const ONE_HOST_NEEDED: Code = Code(305);
/// A zone that the lab does not have.
pub const UNKNOWN_ZONE: Code = Code(306);
/// More zones than 10.0.0.0/16 has /20 subnets.
pub const TOO_MANY_ZONES: Code = Code(307);
/// One address for two.
pub const ADDRESS_TAKEN: Code = Code(310);
/// Multicast, loopback and such.
pub const ADDRESS_UNUSABLE: Code = Code(311);
/// A public address inside the VPC.
pub const ADDRESS_NOT_PRIVATE: Code = Code(312);
/// A private address out on the internet.
pub const ADDRESS_NOT_PUBLIC: Code = Code(313);
/// A range is used up.
pub const NO_ADDRESS_LEFT: Code = Code(314);
/// `count` with a fixed address.
pub const ONE_ADDRESS_FOR_MANY: Code = Code(315);
/// `public_address` on the internet.
pub const PUBLIC_WITHOUT_ZONE: Code = Code(316);
/// No name of a network sysctl.
pub const SYSCTL_NAME: Code = Code(320);
/// A sysctl that Linux lost.
pub const SYSCTL_REMOVED: Code = Code(321);
/// A sysctl that namespaces share.
pub const SYSCTL_OF_THE_MACHINE: Code = Code(322);
/// A sysctl without a value.
pub const SYSCTL_VALUE: Code = Code(323);
/// A quirk that is not emulated.
pub const UNKNOWN_QUIRK: Code = Code(324);
/// A quirk's value.
pub const QUIRK_VALUE: Code = Code(325);
/// An idle timeout below a second.
pub const IDLE_TOO_SHORT: Code = Code(330);
/// A keepalive that the kernel cannot count.
pub const KEEPALIVE_NOT_WHOLE: Code = Code(331);
/// A step of more than an hour.
pub const STEP_TOO_LONG: Code = Code(332);
/// A target group that the lab does not have.
pub const UNKNOWN_GROUP: Code = Code(340);
/// A target that is no host.
pub const UNKNOWN_TARGET: Code = Code(341);
/// A target registered twice.
pub const TARGET_TWICE: Code = Code(342);
/// A target out on the internet.
pub const TARGET_WITHOUT_ZONE: Code = Code(343);
/// A target without a server on its port.
pub const TARGET_SERVES_NOTHING: Code = Code(344);
/// Listener and group disagree.
pub const PROTOCOLS_DIFFER: Code = Code(345);
/// No AWS attribute.
pub const ATTRIBUTE_UNKNOWN: Code = Code(350);
/// An attribute of another section.
pub const ATTRIBUTE_ELSEWHERE: Code = Code(351);
/// An attribute's value.
pub const ATTRIBUTE_VALUE: Code = Code(352);
/// An attribute that UDP fixes.
pub const ATTRIBUTE_FIXED: Code = Code(354);
/// `prefer` names no target.
pub const PREFER_TARGET: Code = Code(360);
/// `prefer` names no zonal address.
pub const PREFER_ZONAL: Code = Code(361);
/// `prefer` over several groups.
pub const PREFER_AMBIGUOUS: Code = Code(362);
/// Nothing of this name can be dialled.
pub const UNKNOWN_DESTINATION: Code = Code(400);
/// No destination.
pub const DESTINATION_SYNTAX: Code = Code(401);
/// A zonal address that the balancer lacks.
pub const ZONE_NOT_ENABLED: Code = Code(402);
/// None or several ports to choose from.
pub const PORT_NEEDED: Code = Code(403);
/// The internet cannot reach it.
pub const PRIVATE_FROM_INTERNET: Code = Code(404);
/// A host that the internet cannot reach.
pub const NO_PUBLIC_ADDRESS: Code = Code(405);
/// A client without a way out.
pub const NO_WAY_TO_INTERNET: Code = Code(406);
/// No step of this name.
pub const OVER_UNKNOWN: Code = Code(410);
/// A step that opens nothing.
pub const OVER_NO_CONNECTION: Code = Code(411);
/// A connection that is not open yet.
pub const OVER_LATER: Code = Code(412);
/// One 4-tuple twice.
pub const SAME_TUPLE: Code = Code(413);
/// More connections than ports, or than a lab holds.
pub const TOO_MANY_CONNECTIONS: Code = Code(414);
/// More than 64 MiB at once.
pub const TOO_MANY_BYTES: Code = Code(415);
/// `finds` where nothing is found.
pub const FINDS_IN_A_FIX: Code = Code(420);
/// `may_find` leaves open what `finds` decides.
pub const MAY_FIND_WHAT_IS_JUDGED: Code = Code(421);

/// In order of their codes.
#[rustfmt::skip]
pub const RULES: &[Rule] = &[
    Rule {
        code: UNKNOWN_CASE,
        title: "no case of this name",
        page: "`--case` names a key under `cases`.",
    },
    Rule {
        code: TOO_LARGE,
        title: "a lab is too large",
        page: "A lab is built on one machine and checked within a second, so its numbers are limited: 4,000 hosts, 200 load\n\
        balancers and target groups, 1,000 steps, 50 listeners a balancer and 1,000 targets a group (AWS's own limits).\n\
        All cases together hold at most 100,000 hosts, targets, steps and claims; each load counts every host once more,\n\
        since its result names them all, and a claim counts for ten.\n\
        \n\
        Wrong:\n\
        \x20   hosts: { a: { count: 1000 }, b: { count: 1000 }, c: { count: 1000 }, d: { count: 1000 }, e: { count: 1000 } }\n\
        Right: fewer hosts, or several labs.",
    },
    Rule {
        code: HOST_NAME_TWICE,
        title: "two hosts have one name",
        page: "`count` makes names: `web: { count: 3 }` is web-1, web-2, web-3, and `web` names them all.\n\
        \n\
        Wrong:\n\
        \x20   hosts: { web: { count: 3 }, web-2: {} }\n\
        Right:\n\
        \x20   hosts: { web: { count: 3 }, api: {} }",
    },
    Rule {
        code: DESTINATION_NAME_TWICE,
        title: "a load balancer and a host have one name",
        page: "`to:` takes load balancers and hosts by name, and could not tell them apart. Target groups may share a name with\n\
        either: nothing dials them.\n\
        \n\
        Wrong:\n\
        \x20   hosts: { web: { zone: a } }\n\
        \x20   load_balancers: { web: { zones: [a], listeners: { 80: web } } }\n\
        Right: call the balancer `front`.",
    },
    Rule {
        code: UNKNOWN_HOST,
        title: "no host of this name",
        page: "`from`, `on_host`, `stop` and `kill` name hosts; all but `on_host` and the `from` of a `connect` also take the\n\
        name of a `count` group.\n\
        \n\
        Wrong:\n\
        \x20   hosts: { client: {} }\n\
        \x20   steps: [ { connect: { from: clinet, to: front } } ]\n\
        Right:\n\
        \x20   steps: [ { connect: { from: client, to: front } } ]",
    },
    Rule {
        code: ONE_HOST_NEEDED,
        title: "a group of hosts where one is needed",
        page: "A `connect` opens one connection, from one host, and a `run` has one place to run in. A `load` takes a group.\n\
        \n\
        Wrong:\n\
        \x20   hosts: { desk: { count: 20 } }\n\
        \x20   steps: [ { connect: { from: desk, to: front } } ]\n\
        Right:\n\
        \x20   steps: [ { connect: { from: desk-1, to: front } } ]",
    },
    Rule {
        code: UNKNOWN_ZONE,
        title: "no zone of this name",
        page: "`zones` lists the lab's zones; without it they are a, b and c.\n\
        \n\
        Wrong:\n\
        \x20   hosts: { web: { zone: eu-west-1a } }\n\
        Right:\n\
        \x20   hosts: { web: { zone: a } }\n\
        or\n\
        \x20   zones: [eu-west-1a, eu-west-1b]",
    },
    Rule {
        code: TOO_MANY_ZONES,
        title: "too many zones",
        page: "Each zone is a /20 of 10.0.0.0/16, as in a default VPC, so there is room for sixteen.",
    },
    Rule {
        code: ADDRESS_TAKEN,
        title: "an address is taken already",
        page: "Every host and every zonal address has its own. Addresses that the lab does not write are given out around those\n\
        that it does.\n\
        \n\
        Wrong:\n\
        \x20   hosts: { web1: { zone: a, address: 10.0.0.7 }, web2: { zone: a, address: 10.0.0.7 } }\n\
        Right:\n\
        \x20   hosts: { web1: { zone: a, address: 10.0.0.7 }, web2: { zone: a } }",
    },
    Rule {
        code: ADDRESS_UNUSABLE,
        title: "no host can have this address",
        page: "0.0.0.0/8, 127.0.0.0/8, 169.254.0.0/16, 224.0.0.0/4 and 240.0.0.0/4 mean something else.\n\
        \n\
        Wrong:\n\
        \x20   hosts: { web: { zone: a, address: 127.0.0.1 } }\n\
        Right:\n\
        \x20   hosts: { web: { zone: a, address: 10.0.0.7 } }",
    },
    Rule {
        code: ADDRESS_NOT_PRIVATE,
        title: "an address inside the VPC is not private",
        page: "A host in a zone has a private address on its device; its public one, if any, is translated 1:1 by the internet\n\
        gateway and never seen by the host. The same holds for the addresses of an internal load balancer.\n\
        \n\
        Wrong:\n\
        \x20   hosts: { web: { zone: a, address: 203.0.113.7 } }\n\
        Right:\n\
        \x20   hosts: { web: { zone: a, public_address: 203.0.113.7 } }",
    },
    Rule {
        code: ADDRESS_NOT_PUBLIC,
        title: "an address on the internet is private",
        page: "A host without a zone is out on the internet, which routes no private address. The addresses chosen for an\n\
        internet-facing load balancer are its public ones.\n\
        \n\
        Wrong:\n\
        \x20   hosts: { client: { address: 192.168.0.7 } }\n\
        Right:\n\
        \x20   hosts: { client: { address: 198.51.100.7 } }",
    },
    Rule {
        code: NO_ADDRESS_LEFT,
        title: "no address is left",
        page: "A zone has room for some 3,500 hosts and 245 zonal addresses.\n\
        \n\
        Wrong: 4,000 hosts in zone a.\n\
        Right: 2,000 in zone a and 2,000 in zone b.",
    },
    Rule {
        code: ONE_ADDRESS_FOR_MANY,
        title: "one address for several hosts",
        page: "Wrong:\n\
        \x20   hosts: { web: { count: 3, zone: a, address: 10.0.0.7 } }\n\
        Right:\n\
        \x20   hosts: { web: { count: 3, zone: a } }",
    },
    Rule {
        code: PUBLIC_WITHOUT_ZONE,
        title: "a public address for a host on the internet",
        page: "A host without a zone is on the internet: its one address is public. Only a host in a zone has a second one.\n\
        \n\
        Wrong:\n\
        \x20   hosts: { client: { public_address: auto } }\n\
        Right:\n\
        \x20   hosts: { client: { zone: a, public_address: auto } }",
    },
    Rule {
        code: SYSCTL_NAME,
        title: "no network sysctl",
        page: "A lab sets what a network namespace has of its own, and that begins with `net.`. Dots separate the parts.\n\
        \n\
        Wrong:\n\
        \x20   sysctls: { net/ipv4/tcp_sack: 0 }\n\
        Right:\n\
        \x20   sysctls: { net.ipv4.tcp_sack: 0 }",
    },
    Rule {
        code: SYSCTL_REMOVED,
        title: "a sysctl that Linux has no more",
        page: "The setting is gone from the kernel, so no value of it can be tried.\n\
        \n\
        Wrong:\n\
        \x20   sysctls: { net.ipv4.tcp_tw_recycle: 1 }     # removed in Linux 4.12\n\
        Right:\n\
        \x20   kernel: { tcp_tw_recycle: 1 }               # emulated at the fabric's edge",
    },
    Rule {
        code: SYSCTL_OF_THE_MACHINE,
        title: "a sysctl of the whole machine",
        page: "Some network settings exist once a machine: inside a namespace they are missing or read-only. A lab changes\n\
        nothing outside its namespaces.\n\
        \n\
        Wrong:\n\
        \x20   sysctls: { net.core.rmem_max: 4194304 }\n\
        Right:\n\
        \x20   sysctls: { net.ipv4.tcp_rmem: 4096 131072 6291456 }",
    },
    Rule {
        code: SYSCTL_VALUE,
        title: "a sysctl needs a value on one line",
        page: "Wrong:\n\
        \x20   sysctls: { net.ipv4.tcp_sack: \"\" }\n\
        Right:\n\
        \x20   sysctls: { net.ipv4.tcp_sack: 0 }",
    },
    Rule {
        code: UNKNOWN_QUIRK,
        title: "no kernel quirk of this name",
        page: "`kernel` emulates, at the edge of the fabric, what other releases of Linux do:\n\
        `syn_resend: classic` brings back the full second that Linux before 5.6 waited after a suspicious answer to a SYN;\n\
        `tcp_tw_recycle: 1` drops SYNs with older timestamps than their address had before, as the sysctl did until 4.12.\n\
        \n\
        Wrong:\n\
        \x20   kernel: { syn_resent: classic }\n\
        Right:\n\
        \x20   kernel: { syn_resend: classic }",
    },
    Rule {
        code: QUIRK_VALUE,
        title: "a kernel quirk cannot have this value",
        page: "Wrong:\n\
        \x20   kernel: { syn_resend: slow }\n\
        Right:\n\
        \x20   kernel: { syn_resend: classic }     # or modern",
    },
    Rule {
        code: IDLE_TOO_SHORT,
        title: "an idle timeout is too short once scaled",
        page: "`time_scale` divides cloud time. Below one second of real time an idle timeout cannot be told from an ordinary\n\
        pause between two packets.\n\
        \n\
        Wrong:\n\
        \x20   time_scale: 1000      # 350 s pass in 350 ms\n\
        Right:\n\
        \x20   time_scale: 100       # 350 s pass in 3.5 s",
    },
    Rule {
        code: KEEPALIVE_NOT_WHOLE,
        title: "a keepalive is no whole number of seconds",
        page: "The kernel counts TCP_KEEPIDLE and TCP_KEEPINTVL in whole seconds, and kernel timers never scale.\n\
        \n\
        Wrong, with `time_scale: 100`:\n\
        \x20   keepalive: 250s cloud     # 2.5 s\n\
        Right:\n\
        \x20   keepalive: 200s cloud     # 2 s",
    },
    Rule {
        code: STEP_TOO_LONG,
        title: "a step takes too long",
        page: "Real time is real: nobody waits an hour for a case.\n\
        \n\
        Wrong:\n\
        \x20   - wait: 2h\n\
        Right:\n\
        \x20   time_scale: 1000\n\
        \x20   steps: [ { wait: 2h cloud } ]     # 7.2 s",
    },
    Rule {
        code: UNKNOWN_GROUP,
        title: "no target group of this name",
        page: "A listener forwards to a key of `target_groups`.\n\
        \n\
        Wrong:\n\
        \x20   target_groups: { web: { targets: [web1] } }\n\
        \x20   load_balancers: { front: { zones: [a], listeners: { 80: www } } }\n\
        Right:\n\
        \x20   load_balancers: { front: { zones: [a], listeners: { 80: web } } }",
    },
    Rule {
        code: UNKNOWN_TARGET,
        title: "no host of this name to be a target",
        page: "Targets are hosts, or the name of a `count` group.\n\
        \n\
        Wrong:\n\
        \x20   hosts: { web1: { zone: a } }\n\
        \x20   target_groups: { web: { targets: [web2] } }\n\
        Right:\n\
        \x20   target_groups: { web: { targets: [web1] } }",
    },
    Rule {
        code: TARGET_TWICE,
        title: "a target is registered twice",
        page: "A host may be a target once for each port.\n\
        \n\
        Wrong:\n\
        \x20   targets: [web, web-1]        # web is web-1, web-2, ...\n\
        Right:\n\
        \x20   targets: [web]",
    },
    Rule {
        code: TARGET_WITHOUT_ZONE,
        title: "a target is on the internet",
        page: "Targets are instances in a zone, or private addresses of the VPC.\n\
        \n\
        Wrong:\n\
        \x20   hosts: { web1: { serve: { 80: echo } } }\n\
        Right:\n\
        \x20   hosts: { web1: { zone: a, serve: { 80: echo } } }",
    },
    Rule {
        code: TARGET_SERVES_NOTHING,
        title: "a target serves nothing on its port",
        page: "Every connection would be refused, for a reason that the story does not tell. Hosts with `setup`, `nft`,\n\
        `iptables` or a `run` step are trusted to serve in a way of their own. A server that dies is a step: `stop: web1`.\n\
        \n\
        Wrong:\n\
        \x20   hosts: { web1: { zone: a, serve: { 8080: echo } } }\n\
        \x20   load_balancers: { front: { zones: [a], listeners: { 80: web } } }\n\
        Right:\n\
        \x20   target_groups: { web: { port: 8080, targets: [web1] } }",
    },
    Rule {
        code: PROTOCOLS_DIFFER,
        title: "a listener and its group have different protocols",
        page: "A TCP listener forwards to a TCP group, a UDP listener to a UDP group.\n\
        \n\
        Wrong:\n\
        \x20   target_groups: { dns: { protocol: UDP, targets: [ns1] } }\n\
        \x20   load_balancers: { front: { zones: [a], listeners: { 53: dns } } }\n\
        Right:\n\
        \x20   load_balancers: { front: { zones: [a], listeners: { 53: { protocol: UDP, target_group: dns } } } }",
    },
    Rule {
        code: ATTRIBUTE_UNKNOWN,
        title: "no such attribute",
        page: "Attributes have their AWS names, verbatim.\n\
        \n\
        Wrong:\n\
        \x20   attributes: { cross_zone: true }\n\
        Right:\n\
        \x20   attributes: { load_balancing.cross_zone.enabled: true }",
    },
    Rule {
        code: ATTRIBUTE_ELSEWHERE,
        title: "an attribute of something else",
        page: "AWS keeps attributes on load balancers, on target groups and on listeners.\n\
        \n\
        Wrong:\n\
        \x20   load_balancers: { front: { attributes: { preserve_client_ip.enabled: false } } }\n\
        Right:\n\
        \x20   target_groups: { web: { attributes: { preserve_client_ip.enabled: false } } }",
    },
    Rule {
        code: ATTRIBUTE_VALUE,
        title: "an attribute cannot have this value",
        page: "Wrong:\n\
        \x20   attributes: { tcp.idle_timeout.seconds: 30 }      # 60 to 6000\n\
        Right:\n\
        \x20   attributes: { tcp.idle_timeout.seconds: 60 }",
    },
    Rule {
        code: ATTRIBUTE_FIXED,
        title: "an attribute that cannot be changed for UDP",
        page: "Over UDP the client's address is always preserved, and a flow's idle timeout is always 120 s.\n\
        \n\
        Wrong:\n\
        \x20   target_groups: { dns: { protocol: UDP, attributes: { preserve_client_ip.enabled: false } } }",
    },
    Rule {
        code: PREFER_TARGET,
        title: "a preferred target is not registered",
        page: "`emulate.prefer` names targets of the groups behind this balancer.\n\
        \n\
        Wrong:\n\
        \x20   target_groups: { web: { targets: [web1] } }\n\
        \x20   load_balancers: { front: { zones: [a], listeners: { 80: web }, emulate: { prefer: web2 } } }\n\
        Right:\n\
        \x20   emulate: { prefer: web1 }",
    },
    Rule {
        code: PREFER_ZONAL,
        title: "a preference for an address that the balancer lacks",
        page: "The map form of `prefer` goes by zonal address: `front/a`, or just `a`.\n\
        \n\
        Wrong:\n\
        \x20   zones: [a, b]\n\
        \x20   emulate: { prefer: { front/c: web1 } }\n\
        Right:\n\
        \x20   emulate: { prefer: { front/b: web1 } }",
    },
    Rule {
        code: PREFER_AMBIGUOUS,
        title: "a preference that means different things for different listeners",
        page: "A balancer has one preference for all its listeners. It is kept by a target's place in its group, so with several\n\
        groups a preferred target must stand at the same place in each.\n\
        \n\
        Wrong:\n\
        \x20   target_groups: { web: { targets: [web1, web2] }, api: { targets: [web2, web1] } }\n\
        \x20   emulate: { prefer: web1 }\n\
        Right: the same order in both.",
    },
    Rule {
        code: UNKNOWN_DESTINATION,
        title: "no load balancer or host of this name",
        page: "`to` takes load balancers, hosts and addresses. Target groups are reached through a balancer.\n\
        \n\
        Wrong:\n\
        \x20   to: frnt\n\
        Right:\n\
        \x20   to: front",
    },
    Rule {
        code: DESTINATION_SYNTAX,
        title: "a destination cannot be read",
        page: "\x20   balancer[/zone][:port]\n\
        \x20   host[/public][:port]\n\
        \x20   address:port\n\
        \n\
        Wrong:\n\
        \x20   to: front/a/80\n\
        Right:\n\
        \x20   to: front/a:80",
    },
    Rule {
        code: ZONE_NOT_ENABLED,
        title: "a load balancer has no address in this zone",
        page: "A balancer has one address in each of its `zones`.\n\
        \n\
        Wrong:\n\
        \x20   load_balancers: { front: { zones: [a, b], listeners: { 80: web } } }\n\
        \x20   steps: [ { connect: { from: client, to: front/c } } ]\n\
        Right:\n\
        \x20   steps: [ { connect: { from: client, to: front/b } } ]",
    },
    Rule {
        code: PORT_NEEDED,
        title: "a destination needs a port",
        page: "The port may be left out when there is exactly one. An address always needs one.\n\
        \n\
        Wrong:\n\
        \x20   listeners: { 80: web, 443: web }\n\
        \x20   to: front\n\
        Right:\n\
        \x20   to: front:443",
    },
    Rule {
        code: PRIVATE_FROM_INTERNET,
        title: "a private destination for a client on the internet",
        page: "An internal load balancer and private addresses are reached from inside the VPC only.\n\
        \n\
        Wrong:\n\
        \x20   hosts: { client: {} }\n\
        \x20   load_balancers: { front: { scheme: internal, zones: [a], listeners: { 80: web } } }\n\
        Right:\n\
        \x20   hosts: { client: { zone: a } }",
    },
    Rule {
        code: NO_PUBLIC_ADDRESS,
        title: "a host has no public address",
        page: "A client on the internet reaches a host in a zone by its public address only.\n\
        \n\
        Wrong:\n\
        \x20   hosts: { client: {}, web1: { zone: a, serve: { 80: echo } } }\n\
        \x20   to: web1\n\
        Right:\n\
        \x20   hosts: { client: {}, web1: { zone: a, public_address: auto, serve: { 80: echo } } }",
    },
    Rule {
        code: NO_WAY_TO_INTERNET,
        title: "a client has no way to the internet",
        page: "A host in a zone reaches the internet through its own public address.\n\
        \n\
        Wrong:\n\
        \x20   hosts: { client: { zone: a }, far: { serve: { 80: echo } } }\n\
        \x20   steps: [ { connect: { from: client, to: far } } ]\n\
        Right:\n\
        \x20   hosts: { client: { zone: a, public_address: auto }, far: { serve: { 80: echo } } }",
    },
    Rule {
        code: OVER_UNKNOWN,
        title: "no connection of this name",
        page: "`over` takes the name (`as`) of a `connect` or `load` step. A case that removes a step with `null` must not leave\n\
        others that use it.\n\
        \n\
        Wrong:\n\
        \x20   - connect: { as: old, from: client, to: front }\n\
        \x20   - exchange: { over: odl }\n\
        Right:\n\
        \x20   - exchange: { over: old }",
    },
    Rule {
        code: OVER_NO_CONNECTION,
        title: "a step that opens no connection",
        page: "Wrong:\n\
        \x20   - exchange: { over: old, as: again }\n\
        \x20   - exchange: { over: again }\n\
        Right:\n\
        \x20   - exchange: { over: old }",
    },
    Rule {
        code: OVER_LATER,
        title: "a connection that opens later",
        page: "Steps run in the order of the file.\n\
        \n\
        Wrong:\n\
        \x20   - exchange: { over: old }\n\
        \x20   - connect: { as: old, from: client, to: front }\n\
        Right: the other way round.",
    },
    Rule {
        code: SAME_TUPLE,
        title: "one source port twice toward one destination",
        page: "Two open connections never share one 4-tuple on one host: the second connect(2) fails with EADDRNOTAVAIL. One\n\
        source port toward two destinations is legal, and what the collision labs are about.\n\
        \n\
        Wrong:\n\
        \x20   - connect: { as: old, from: client, to: front/a, source_port: 40000 }\n\
        \x20   - connect: { as: new, from: client, to: front/a, source_port: 40000 }\n\
        Right:\n\
        \x20   - connect: { as: new, from: client, to: front/b, source_port: 40000 }",
    },
    Rule {
        code: TOO_MANY_CONNECTIONS,
        title: "too many connections",
        page: "A client has 65,535 ports toward one destination, and a lab holds 250,000 connections. `connections` counts for\n\
        each host of a group.\n\
        \n\
        Wrong:\n\
        \x20   - load: { from: client, to: front/a, connections: 100000 }\n\
        Right:\n\
        \x20   - load: { from: client, to: front, connections: 100000 }     # over three addresses",
    },
    Rule {
        code: TOO_MANY_BYTES,
        title: "too many bytes at once",
        page: "Wrong:\n\
        \x20   - send: { over: old, bytes: 256MiB }\n\
        Right:\n\
        \x20   - send: { over: old, bytes: 64MiB, times: 4 }",
    },
    Rule {
        code: FINDS_IN_A_FIX,
        title: "a fix or control names findings",
        page: "A fix or control shows none of the findings that the lab's faults name; that is part of its proof. So it names\n\
        none itself.\n\
        \n\
        Wrong:\n\
        \x20   kind: fix\n\
        \x20   finds: [flow-collision]\n\
        Right:\n\
        \x20   kind: fault\n\
        \x20   finds: [flow-collision]",
    },
    Rule {
        code: MAY_FIND_WHAT_IS_JUDGED,
        title: "`may_find` names what the case is judged by",
        page: "A fault must show what its `finds` names; a fix or control must show nothing that a fault's `finds` names.\n\
        `may_find` is for what else is at work, or is in some runs only: nothing depends on it.\n\
        \n\
        Wrong:\n\
        \x20   kind: fault\n\
        \x20   finds: [flow-collision]\n\
        \x20   may_find: [flow-collision]\n\
        Right:\n\
        \x20   kind: fault\n\
        \x20   finds: [flow-collision]\n\
        \x20   may_find: [stale-connection]",
    },
];
