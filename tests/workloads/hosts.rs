//! What a lab sets on a host: sysctls, filters, set-up scripts, names; and what the kernel counts there.

use crate::kit::{fine, has, ms, once, play, refused};
use serde_json::json;

#[test]
fn settings_of_a_host_take_effect_there_and_nowhere_else() {
    let Some(case) = once(
        r#"
hosts:
  client:
    zone: b
    sysctls: { net.ipv4.ip_default_ttl: 33, net.ipv4.tcp_timestamps: 0, net.ipv4.ip_local_port_range: 40000 40009 }
    mtu: 1300
  other: { zone: b }
  web: { zone: a, serve: { 80: echo }, public_address: 203.0.113.77 }
steps:
  - run: { as: ttl, on_host: client, command: "cat /proc/sys/net/ipv4/ip_default_ttl /proc/sys/net/ipv4/tcp_timestamps /sys/class/net/eth0/mtu" }
  - run: { as: other_ttl, on_host: other, command: "cat /proc/sys/net/ipv4/ip_default_ttl /proc/sys/net/ipv4/tcp_timestamps /sys/class/net/eth0/mtu" }
  - run: { as: names, on_host: client, command: "cat /etc/hosts" }
  - run: { as: resolved, on_host: client, command: "getent ahostsv4 other" }
  - connect: { as: call, from: client, to: "web:80" }
  - exchange: { over: call, as: bulk, bytes: 100000, timeout: 20s }
"#,
    ) else {
        return;
    };
    has(
        case.step("ttl"),
        json!({ "ok": true, "stdout": "33\n0\n1300\n" }),
    );
    has(
        case.step("other_ttl"),
        json!({ "ok": true, "stdout": "64\n1\n1500\n" }),
    );
    let address = |host: &str| {
        case.evidence["hosts"][host]["address"]
            .as_str()
            .expect("an address")
            .to_owned()
    };
    let names = case.step("names")["stdout"].as_str().expect("text");
    for host in ["client", "other", "web"] {
        let line = names
            .lines()
            .find(|line| line.split_whitespace().nth(1) == Some(host));
        let line = line.unwrap_or_else(|| panic!("no {host} in {names}"));
        assert!(line.starts_with(&address(host)), "{line}");
    }
    let resolved = case.step("resolved")["stdout"].as_str().expect("text");
    assert!(resolved.starts_with(&address("other")), "{resolved}");
    let local = case.step("call")["local"].as_str().expect("text");
    let port: u16 = local
        .rsplit(':')
        .next()
        .and_then(|p| p.parse().ok())
        .expect("a port");
    assert!((40000..=40009).contains(&port), "{local}");
    fine(case.step("bulk"));
}

/// `lo` is not brought up for hosts that never speak to themselves.
#[test]
fn a_host_reaches_itself_by_its_addresses_and_by_lo() {
    let Some(case) = once(
        r#"
hosts:
  web: { zone: a, ipv6: auto, serve: { 80: echo } }
  other: { zone: a, addresses: [10.0.0.77], serve: { 80: echo } }
  programs: { zone: a }
steps:
  - connect: { as: own, from: web, to: "web:80" }
  - exchange: { over: own, as: talk }
  - connect: { as: further, from: other, to: "10.0.0.77:80" }
  - run: { as: up, on_host: programs, command: "cat /sys/class/net/lo/flags" }
"#,
    ) else {
        return;
    };
    fine(case.step("own"));
    fine(case.step("talk"));
    fine(case.step("further"));
    // IFF_UP and IFF_LOOPBACK.
    has(case.step("up"), json!({ "stdout": "0x9\n" }));
}

#[test]
fn filters_are_the_text_that_operators_write() {
    let Some(lab) = play(
        r#"
hosts:
  client: { zone: b }
  other: { zone: b }
  web: { zone: a, serve: { 80: echo, 8080: name } }
steps:
  - connect: { as: call, from: client, to: "web:80", timeout: 150ms }
  - connect: { as: other, from: other, to: "web:80" }
  - run: { as: shows, on_host: web, command: "nft list ruleset" }
"#,
        &[
            ("none", "{ steps.call.timeout: 5s }"),
            (
                "one-line",
                r#"{ hosts.web.nft: "table ip f { chain in { type filter hook input priority 0; ip saddr $client drop } }" }"#,
            ),
            (
                "lines",
                r#"
      hosts.web.nft: |
        # $other is let in
        define closed = { 80, 81 }
        table ip f {
          chain in {
            type filter hook input priority filter; policy accept;
            ip saddr $client tcp dport $closed counter drop comment "of $client"
          }
        }"#,
            ),
            (
                "iptables",
                r#"
      hosts.web.iptables: |
        *filter
        -A INPUT -s $client -p tcp --dport 80 -j DROP
        COMMIT"#,
            ),
            (
                "script",
                r#"
      hosts.web.setup: |
        nft add table ip f
        nft 'add chain ip f in { type filter hook input priority 0; }'
        nft add rule ip f in ip saddr $client drop"#,
            ),
            (
                // A real DNAT in the kernel, in front of a server on another port.
                "redirect",
                r#"{ steps.call.timeout: 5s, hosts.web.nft: "table ip n { chain pre { type nat hook prerouting priority dstnat; tcp dport 80 redirect to :9 } }" }"#,
            ),
        ],
    ) else {
        return;
    };
    has(lab.case("none").step("call"), json!({ "ok": true }));
    for name in ["one-line", "lines", "iptables", "script"] {
        let case = lab.case(name);
        has(
            case.step("call"),
            json!({ "ok": false, "error": "deadline", "target": "web" }),
        );
        has(case.step("other"), json!({ "ok": true }));
        // What the fabric delivered and the host's own filter threw away is no drop of the fabric.
        assert_eq!(case.evidence["drops"], json!({}), "{name}");
    }
    let shown = lab.case("lines").step("shows")["stdout"]
        .as_str()
        .expect("text");
    let syns = &lab.case("lines").connection("call")["syns"];
    let client = lab.case("lines").evidence["hosts"]["client"]["address"]
        .as_str()
        .expect("text");
    assert!(
        shown.contains(&format!(
            "ip saddr {client} tcp dport {{ 80, 81 }} counter packets {syns} "
        )),
        "{shown}"
    );
    has(
        lab.case("redirect").step("call"),
        json!({ "error": "refused" }),
    );
}

#[test]
fn a_set_up_that_fails_is_reported_with_its_output() {
    let body = |host: &str| {
        format!(
            r#"
hosts:
  client: {{ zone: b }}
  web: {{ zone: a, serve: {{ 80: echo }}, {host} }}
steps:
  - connect: {{ from: client, to: "web:80" }}
"#
        )
    };
    let setup = refused(&body(
        r#"setup: "echo begun; echo the disk is full >&2; exit 9""#,
    ));
    let Some(said) = setup else { return };
    assert!(said.contains("the disk is full"), "{said}");
    assert!(
        said.contains("web") && said.contains("setup") && said.contains('9'),
        "{said}"
    );
    let said =
        refused(&body(r#"sysctls: { net.ipv4.tcp_no_such_setting: 1 }"#)).expect("privilege");
    assert!(
        said.contains("net.ipv4.tcp_no_such_setting") && said.contains("web"),
        "{said}"
    );
    let said = refused(&body(r#"sysctls: { net.ipv4.tcp_timestamps: many }"#)).expect("privilege");
    assert!(
        said.contains("net.ipv4.tcp_timestamps") && said.contains("many"),
        "{said}"
    );
    let said =
        refused(&body(r#"nft: "table ip f { chain in { no such rule } }""#)).expect("privilege");
    assert!(
        said.contains("nft") && said.contains("web") && said.contains("syntax error"),
        "{said}"
    );
    let said =
        refused(&body(r#"iptables: "*filter\n-A NOWHERE -j DROP\nCOMMIT""#)).expect("privilege");
    assert!(said.contains("iptables") && said.contains("web"), "{said}");
}

#[test]
fn counters_are_those_of_the_steps_alone() {
    // Before the story: a set-up that makes the very same counters move.
    let Some(case) = once(
        r#"
hosts:
  client: { zone: b }
  web:
    zone: a
    serve: { 80: echo }
    setup: |
      perl -MIO::Socket::INET -e 'for (1 .. 7) { IO::Socket::INET->new("127.0.0.1:1") }'
steps:
  - connect: { as: call, from: client, to: "web:80" }
  - exchange: { over: call, bytes: 10 }
  - connect: { as: refused, from: client, to: "web:81" }
  - run: { as: looks, on_host: web, command: "cat /proc/net/snmp" }
"#,
    ) else {
        return;
    };
    let text = case.step("looks")["stdout"].as_str().expect("text");
    let mut tcp = text.lines().filter(|line| line.starts_with("Tcp:"));
    let (names, values) = (tcp.next().expect("names"), tcp.next().expect("values"));
    let all = names.split_whitespace().zip(values.split_whitespace());
    let total: i64 = all
        .filter(|(name, _)| *name == "OutRsts")
        .find_map(|(_, v)| v.parse().ok())
        .expect("a counter");
    assert_eq!(total, 8, "the kernel's own count: seven before, one now");
    assert_eq!(case.counter("web", "TcpOutRsts"), 1);
    assert_eq!(case.counter("web", "TcpActiveOpens"), 0);
    assert_eq!(case.counter("web", "TcpPassiveOpens"), 1);
    assert_eq!(case.counter("client", "TcpActiveOpens"), 2);
    assert_eq!(case.counter("client", "TcpAttemptFails"), 1);
}

#[test]
fn keepalive_is_seen_on_the_wire() {
    let body = r#"
hosts:
  client: { zone: b }
  web: { zone: a, serve: { 80: echo } }
steps:
  - connect: { as: call, from: client, to: "web:80", keepalive: 1s }
  - exchange: { over: call, as: talk }
  - wait_until: { as: probed, that: "hosts.client.counters.TcpExtTCPKeepAlive >= 1", timeout: 5s }
  - wait_until: { as: answered, that: "packets.exists(p, p.sender == 'web' && p.flags == '.' && p.t > 900.0)", timeout: 5s }
"#;
    let Some(lab) = play(
        body,
        &[
            ("with", "{}"),
            (
                "without",
                "{ steps.call.keepalive: null, steps.probed.timeout: 1300ms, steps.answered.timeout: 1ms }",
            ),
        ],
    ) else {
        return;
    };
    // A probe is an empty segment one byte before what was sent last.
    let late = |name: &str| {
        let case = lab.case(name);
        let talk = case.step("talk");
        let quiet = talk["at"].as_f64().expect("a time") + ms(talk) + 500.0;
        let late = |p: &serde_json::Value| p["sender"] == "client" && p["t"].as_f64() > Some(quiet);
        case.packets(late).len()
    };
    fine(lab.case("with").step("probed"));
    fine(lab.case("with").step("answered"));
    assert!(late("with") >= 1);
    has(
        lab.case("without").step("probed"),
        json!({ "error": "deadline" }),
    );
    assert_eq!(late("without"), 0);
}

#[test]
fn a_user_timeout_ends_what_is_not_acknowledged() {
    let Some(lab) = play(
        r#"
hosts:
  client: { zone: a }
  web: { zone: a, serve: { 80: echo } }
steps:
  - connect: { as: call, from: client, to: "web:80", user_timeout: 1200ms }
  - load: { as: calls, from: client, to: "web:80", connections: 2, hold: true, user_timeout: 1200ms }
  - exchange: { over: call }
  - power_off: web
  - exchange: { as: asked, over: call, timeout: 5s }
  - exchange: { as: all, over: calls, timeout: 5s }
"#,
        &[
            ("with", "{}"),
            (
                "without",
                "{ steps.call.user_timeout: null, steps.calls.user_timeout: null }",
            ),
        ],
    ) else {
        return;
    };
    let asked = lab.case("with").step("asked");
    has(asked, json!({ "error": "timeout" }));
    let waited = asked["ms"].as_f64().expect("a time");
    assert!((1200.0..4000.0).contains(&waited), "{waited}");
    assert_eq!(lab.case("with").step("all")["errors"]["timeout"], 2);
    has(
        lab.case("without").step("asked"),
        json!({ "error": "deadline" }),
    );
    assert_eq!(lab.case("without").step("all")["errors"]["deadline"], 2);
}

/// A bucket of a table of few that 200,000 connections share is walked through at every packet (bench `connections`).
#[test]
fn kernels_of_large_loads_have_large_tables_of_connections() {
    let Some(lab) = play(
        r#"
hosts:
  client: { zone: a }
  web: { zone: a, serve: { 80: echo } }
steps:
  - load: { as: all, from: client, to: "web:80", connections: 2049, hold: true }
  - run: { as: buckets, on_host: web, command: "cat /proc/sys/net/ipv4/tcp_ehash_entries" }
"#,
        &[("large", "{}"), ("small", "{ steps.all.connections: 16 }")],
    ) else {
        return;
    };
    let failed = lab.case("large").step("buckets")["stderr"].as_str();
    if failed.is_some_and(|text| text.contains("No such file")) {
        eprintln!("SKIPPED: the setting came with Linux 6.1");
        return;
    }
    has(
        lab.case("large").step("buckets"),
        json!({ "ok": true, "stdout": "4096\n" }),
    );
    has(
        lab.case("small").step("buckets"),
        json!({ "ok": true, "stdout": "512\n" }),
    );
}

/// Tables of connections are small, and the kernel would make small limits of that.
#[test]
fn limits_of_connections_are_those_of_a_machine_of_this_size() {
    const READ: &str =
        "cat /proc/sys/net/ipv4/tcp_max_tw_buckets /proc/sys/net/ipv4/tcp_max_syn_backlog";
    let body = r#"
hosts:
  web: { zone: a, serve: { 80: echo } }
  idle: {}
  busy: { zone: a }
  set: { sysctls: { net.ipv4.tcp_max_tw_buckets: 77 } }
kubernetes:
  nodes: { n1: { zone: a } }
  pods: { inside: {} }
steps:
  - load: { from: busy, to: "web:80", connections: 2100, hold: true }
  - run: { as: of_web, on_host: web, command: "READ" }
  - run: { as: of_idle, on_host: idle, command: "READ" }
  - run: { as: of_busy, on_host: busy, command: "READ" }
  - run: { as: of_inside, on_host: inside, command: "READ" }
  - run: { as: of_set, on_host: set, command: "READ" }
  - run: { as: expected, on_host: idle, command: "unshare --net READ" }
"#;
    let Some(case) = once(&body.replace("READ", READ)) else {
        return;
    };
    // A namespace that a host makes is made by the machine's rules: hosts hand nothing down.
    let expected = &case.step("expected")["stdout"];
    for host in ["of_web", "of_idle", "of_busy", "of_inside"] {
        assert_eq!(&case.step(host)["stdout"], expected, "{host}");
    }
    let set = case.step("of_set")["stdout"].as_str().expect("it ran");
    assert!(set.starts_with("77\n"), "{set}");
}
