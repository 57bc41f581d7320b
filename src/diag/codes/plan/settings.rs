//! Rules of the area `plan`: settings of kernels, quirks and times (0320..0339).

use crate::diag::codes::{Code, Rule};

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
/// A quirk of timestamps whose beginning is not known.
pub const TIMESTAMPS_UNKNOWN: Code = Code(326);
/// An idle timeout below a second.
pub const IDLE_TOO_SHORT: Code = Code(330);
/// A keepalive that the kernel cannot count.
pub const KEEPALIVE_NOT_WHOLE: Code = Code(331);
/// A step of more than an hour.
pub const STEP_TOO_LONG: Code = Code(332);

/// In order of their codes.
#[rustfmt::skip]
pub(in crate::diag::codes) const RULES: &[Rule] = &[
    Rule {
        code: SYSCTL_NAME,
        title: "no network sysctl",
        page: "A lab sets what a network namespace has of its own, and that begins with `net.`. Dots separate the parts; a dot\n\
        of a device's name is written as `/` there, as sysctl(8) has it: `net.ipv4.conf.eth0/100.rp_filter`.\n\
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
        `tcp_tw_recycle: 1` drops SYNs with older timestamps than their address had before, as the sysctl did until 4.12;\n\
        `tcp_timestamp_offset: -3600000` makes its TCP timestamps those of a host that was started an hour later.\n\
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
        code: TIMESTAMPS_UNKNOWN,
        title: "an offset of TCP timestamps that begin nobody knows where",
        page: "`tcp_timestamp_offset` makes a host's TCP timestamps those of one that was started earlier or later. By default Linux\n\
        begins them at a random number for each connection; only with `net.ipv4.tcp_timestamps: 2` do they count from the\n\
        start of the machine, and with 0 there are none.\n\
        \n\
        Wrong:\n\
        \x20   kernel: { tcp_timestamp_offset: -3600000 }\n\
        Right:\n\
        \x20   sysctls: { net.ipv4.tcp_timestamps: 2 }\n\
        \x20   kernel: { tcp_timestamp_offset: -3600000 }",
    },
    Rule {
        code: IDLE_TOO_SHORT,
        title: "an idle timeout is too short once scaled",
        page: "`time_scale` divides cloud time. Below one second of real time an idle timeout cannot be told from an ordinary\n\
        pause between two packets. A default that the lab does not write may be half as short.\n\
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
];
