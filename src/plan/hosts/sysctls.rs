//! Kernel settings that a namespace can have.

use crate::diag::codes::{kubernetes, plan as code};
use crate::diag::{Diagnostic, Spanned};
use crate::plan::{Sink, sysctl_file};

/// Settings of the whole machine: read-only or absent inside a namespace (tried on Linux 6.18, and
/// `net/core/sysctl_net_core.c`, `net/ipv4/sysctl_net_ipv4.c`). A lab never changes the machine.
const OF_THE_MACHINE: &[&str] = &[
    "net.core.bpf_jit_enable",
    "net.core.bpf_jit_harden",
    "net.core.busy_poll",
    "net.core.busy_read",
    "net.core.dev_weight",
    "net.core.flow_limit_cpu_bitmap",
    "net.core.flow_limit_table_len",
    "net.core.gro_normal_batch",
    "net.core.high_order_alloc_disable",
    "net.core.max_skb_frags",
    "net.core.message_burst",
    "net.core.message_cost",
    "net.core.netdev_budget",
    "net.core.netdev_budget_usecs",
    "net.core.netdev_max_backlog",
    "net.core.netdev_tstamp_prequeue",
    "net.core.rmem_default",
    "net.core.rmem_max",
    "net.core.rps_sock_flow_entries",
    "net.core.warnings",
    "net.core.wmem_default",
    "net.core.wmem_max",
    "net.ipv4.inet_peer_maxttl",
    "net.ipv4.inet_peer_minttl",
    "net.ipv4.inet_peer_threshold",
    "net.ipv4.tcp_low_latency",
    "net.ipv4.tcp_max_orphans",
    "net.ipv4.tcp_mem",
    "net.ipv4.udp_mem",
    "net.netfilter.nf_conntrack_buckets",
    "net.netfilter.nf_conntrack_expect_max",
    "net.netfilter.nf_conntrack_max",
    "net.nf_conntrack_max",
];

/// Settings that Linux lost: name, release, what to do without.
const REMOVED: &[(&str, &str, &str)] = &[(
    "net.ipv4.tcp_tw_recycle",
    "4.12",
    "`kernel: { tcp_tw_recycle: 1 }` of the host emulates it; `net.ipv4.tcp_tw_reuse` is another thing and exists",
)];

/// Checks one `sysctls` entry.
pub(super) fn check(name: &Spanned<String>, value: &Spanned<String>, sink: &mut Sink) {
    let key = name.value.as_str();
    if !well_formed(key) {
        sink.push(not_a_name(name));
    } else if let Some((_, release, help)) = REMOVED.iter().find(|(gone, ..)| *gone == key) {
        sink.push(
            Diagnostic::new(
                code::SYSCTL_REMOVED,
                name.span,
                format!("Linux has no `{key}` any more"),
            )
            .label(format!("removed in {release}"))
            .help(*help),
        );
    } else if let Some(knob) = key.strip_prefix("net.ipv4.vs.") {
        sink.push(
            Diagnostic::new(
                kubernetes::SYSCTL_OF_IPVS,
                name.span,
                format!("`{key}` is a setting of IPVS, which is emulated"),
            )
            .label("not read from the kernel")
            .help(format!(
                "write `{knob}` under `kubernetes.emulate.ipvs`, with `proxy_mode: ipvs`"
            )),
        );
    } else if OF_THE_MACHINE.contains(&key) {
        sink.push(
            Diagnostic::new(
                code::SYSCTL_OF_THE_MACHINE,
                name.span,
                format!("`{key}` belongs to the whole machine"),
            )
            .label("a namespace has none of its own")
            .help("leave it out: a lab never changes the machine it runs on"),
        );
    }
    if value.value.trim().is_empty() || value.value.contains(['\n', '\0']) {
        sink.push(
            Diagnostic::new(
                code::SYSCTL_VALUE,
                value.span,
                format!("`{key}` needs a value on one line"),
            )
            .help("write it as /proc/sys shows it, several numbers with spaces between: `40000 40199`"),
        );
    }
}

/// `net.` and at least one more part; what `/proc/sys` has as names, so no way out of it. As in sysctl(8), a `/` within a part is
/// a dot within a name, of which devices may have some.
fn well_formed(key: &str) -> bool {
    let part = |part: &str| {
        !part.is_empty()
            && part
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '@'))
    };
    key.starts_with("net.") && key.split(['.', '/']).all(part)
}

/// How the last parts of `net.ipv4.*` begin, which people write alone.
const OF_IPV4: [&str; 4] = ["tcp_", "udp_", "ip_", "icmp_"];

fn not_a_name(name: &Spanned<String>) -> Diagnostic {
    let key = name.value.as_str();
    let file = key.trim_start_matches("/proc/sys/").trim_start_matches('/');
    let dotted = match file.find(['.', '/']).map(|at| &file[at..=at]) {
        Some("/") => sysctl_file(file),
        Some(_) | None => file.to_owned(),
    };
    let help = if well_formed(&dotted) {
        format!("write it with dots: `{dotted}`")
    } else if well_formed(&format!("net.{dotted}")) && dotted.starts_with("ipv4.") {
        format!("write `net.{dotted}`")
    } else if OF_IPV4.iter().any(|start| key.starts_with(start)) && !key.contains(['.', '/']) {
        format!("write `net.ipv4.{key}`")
    } else {
        "only the network's settings are a namespace's own: `net.ipv4.tcp_syn_retries`, ..."
            .to_owned()
    };
    Diagnostic::new(
        code::SYSCTL_NAME,
        name.span,
        format!("`{key}` is no network sysctl"),
    )
    .label("names begin with `net.`")
    .help(help)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::{Code, Span};

    fn problems(name: &str, value: &str) -> Vec<(Code, Option<String>)> {
        let mut sink = Sink::default();
        let spanned = |text: &str| Spanned::new(text.to_owned(), Span::default());
        check(&spanned(name), &spanned(value), &mut sink);
        sink.problems
            .sorted()
            .iter()
            .map(|d| (d.code, d.help.clone()))
            .collect()
    }

    #[test]
    fn ordinary_settings_pass() {
        assert_eq!(problems("net.ipv4.ip_local_port_range", "40000 40199"), []);
        assert_eq!(problems("net.ipv4.conf.eth0.rp_filter", "0"), []);
        assert_eq!(problems("net.ipv4.conf.eth0/100.rp_filter", "0"), []);
    }

    #[test]
    fn a_path_is_no_name_and_cannot_leave_the_tree() {
        let [(code, help)] = &problems("/proc/sys/net/ipv4/ip_forward", "1")[..] else {
            panic!("one problem")
        };
        assert_eq!(*code, code::SYSCTL_NAME);
        assert_eq!(
            help.as_deref(),
            Some("write it with dots: `net.ipv4.ip_forward`")
        );
        let vlan = &problems("net/ipv4/conf/eth0.100/rp_filter", "1")[0];
        assert_eq!(
            vlan.1.as_deref(),
            Some("write it with dots: `net.ipv4.conf.eth0/100.rp_filter`")
        );
        for way_out in [
            "net.../../kernel.panic",
            "net.//.kernel.panic",
            "net.ipv4.//.//.kernel.panic",
            "net./.ipv4",
            "net.ipv4/",
        ] {
            let found = problems(way_out, "1");
            assert_eq!(found[0].0, code::SYSCTL_NAME, "{way_out}");
        }
        assert_eq!(problems("kernel.panic", "1")[0].0, code::SYSCTL_NAME);
    }

    #[test]
    fn settings_of_the_machine_and_of_the_past_have_their_own_words() {
        assert_eq!(
            problems("net.ipv4.tcp_tw_recycle", "1")[0].0,
            code::SYSCTL_REMOVED
        );
        assert_eq!(
            problems("net.core.rmem_max", "1")[0].0,
            code::SYSCTL_OF_THE_MACHINE
        );
        assert_eq!(problems("net.ipv4.tcp_sack", " ")[0].0, code::SYSCTL_VALUE);
    }
}
