//! IPv6 end to end: what targets see, streams that change their family on the way, byte for byte, and small links.

use crate::kit::{fine, has, once, play};
use serde_json::{Value, json};

/// Each of the four ways through a dualstack balancer.
const WAYS: [(&str, &str, u16); 4] = [
    ("four_four", "203.0.113.10", 80),
    ("six_four", "2001:db8:1234:1a00::f:10", 80),
    ("four_six", "203.0.113.10", 8080),
    ("six_six", "2001:db8:1234:1a00::f:10", 8080),
];

const TOPOLOGY: &str = r#"
hosts:
  client: { ipv6: auto }
  web: { zone: a, ipv6: auto, serve: { 80: echo } }
target_groups:
  web: { port: 80, targets: [web] }
  web6: { port: 80, ip_address_type: ipv6, targets: [web] }
load_balancers:
  front: { ip_address_type: dualstack, zones: [a], listeners: { 80: web, 8080: web6 } }
"#;

#[test]
fn streams_keep_every_byte_through_every_change_of_family() {
    let stream = "seq 2000000 | head -c 8000000";
    let steps: String = WAYS
        .iter()
        .map(|(name, address, port)| {
            format!(
                "  - run:\n      as: {name}\n      on_host: client\n      timeout: 30s\n      command: |\n        \
                 exec bash -c 'exec 3<>/dev/tcp/{address}/{port}; {stream} >&3 & head -c 8000000 <&3 | sha256sum'\n"
            )
        })
        .collect();
    let right =
        format!("  - run: {{ as: right, on_host: client, command: \"{stream} | sha256sum\" }}\n");
    let Some(case) = once(&format!("{TOPOLOGY}steps:\n{steps}{right}")) else {
        return;
    };
    let packets = case.evidence["packets"].as_array().expect("a list");
    for (name, address, port) in WAYS {
        let step = case.step(name);
        has(step, json!({ "ok": true, "exit_code": 0 }));
        assert_eq!(step["stdout"], case.step("right")["stdout"], "{name}");
        let listener = match address.contains(':') {
            true => format!("[{address}]:{port}"),
            false => format!("{address}:{port}"),
        };
        let largest = |end: &str| {
            let of_it = packets.iter().filter(|packet| packet[end] == listener);
            of_it.filter_map(|packet| packet["len"].as_i64()).max()
        };
        // Both ways in super-packets: the kernels' segmentation offload survives the translation.
        assert!(largest("to") > Some(10_000), "{name}: {:?}", largest("to"));
        assert!(largest("from_after") > Some(10_000), "{name}");
    }
}

#[test]
fn each_target_sees_what_the_documentation_says() {
    let Some(case) = once(&format!(
        r#"{TOPOLOGY}
steps:
  - connect: {{ as: four_four, from: client, to: "front/a:80" }}
  - connect: {{ as: six_four, from: client, to: "front:80", family: ipv6 }}
  - connect: {{ as: four_six, from: client, to: "front:8080" }}
  - connect: {{ as: six_six, from: client, to: "[2001:db8:1234:1a00::f:10]:8080" }}
  - connect: {{ as: direct, from: client, to: web, family: ipv6 }}
  - exchange: {{ over: six_four, as: talk }}
  - connect: {{ as: nowhere, from: client, to: "[2001:db8::dead]:80", timeout: 100ms }}
"#
    )) else {
        return;
    };
    let client = |name: &str| case.connection(name)["local"].clone();
    for name in [
        "four_four",
        "six_four",
        "four_six",
        "six_six",
        "direct",
        "talk",
    ] {
        fine(case.step(name));
    }
    for name in ["four_four", "six_six", "direct"] {
        assert_eq!(case.connection(name)["seen_as"], client(name), "{name}");
    }
    for (name, source) in [
        ("six_four", "10.0.15.10:"),
        ("four_six", "[2001:db8:1234:1a00::f:10]:"),
    ] {
        let seen = &case.connection(name)["seen_as"];
        assert!(
            seen.as_str().expect("text").starts_with(source),
            "{name}: {seen}"
        );
    }
    for name in ["four_four", "six_four", "four_six", "six_six", "direct"] {
        let states = json!({ "client_state": "ESTABLISHED", "server_state": "ESTABLISHED", "syns": 1, "target": "web" });
        has(case.connection(name), states);
    }
    has(
        case.connection("nowhere"),
        json!({ "error": "deadline", "target": "" }),
    );
    let syns = &case.connection("nowhere")["syns"];
    assert_eq!(case.evidence["drops"], json!({ "no-route": syns }));
    let host = &case.evidence["hosts"]["client"];
    assert_eq!(host["ipv6"], "2001:db8::10");
    let received = |name: &str| host["counters"][name].as_i64().expect("a counter");
    assert!(received("Ip6InReceives") > 0);
    // No neighbour discovery, no router solicitation, no group reports: nothing but the story.
    assert_eq!(
        (received("Icmp6OutMsgs"), received("Ip6OutMcastPkts")),
        (0, 0)
    );
    has(
        &case.evidence["load_balancers"]["front"],
        json!({ "ipv6_addresses": { "a": "2001:db8:1234:1a00::f:10" } }),
    );
}

/// A link smaller than both devices: the sender learns its size in its own family's terms.
#[test]
fn a_small_link_is_found_out_over_every_family() {
    let body = format!(
        r#"{}
steps:
  - connect: {{ as: way, from: client, to: "front:80", family: ipv6 }}
  - exchange: {{ as: bulk, over: way, bytes: 1MiB, timeout: 10s }}
"#,
        TOPOLOGY.replace(
            "serve: { 80: echo }",
            "serve: { 80: echo }, link: { mtu: 1400 }"
        )
    );
    let cases = [
        ("six-to-four", "{}"),
        ("six-to-six", "{ steps.way.to: \"front:8080\" }"),
        (
            "four-to-six",
            "{ steps.way.to: \"front:8080\", steps.way.family: ipv4 }",
        ),
        ("four-to-four", "{ steps.way.family: ipv4 }"),
    ];
    let Some(lab) = play(&body, &cases) else {
        return;
    };
    for (name, _) in cases {
        let case = lab.case(name);
        has(
            case.step("bulk"),
            json!({ "ok": true, "received": 1 << 20 }),
        );
        let answered = case.evidence["packets"].as_array().expect("a list").iter();
        let words = |packet: &Value| match packet["from"].as_str().expect("text").starts_with('[') {
            true => "answered: ICMPv6, packet too big",
            false => "answered: ICMP, fragmentation needed",
        };
        let told: Vec<&Value> = answered
            .filter(|packet| {
                packet["fate"]
                    .as_str()
                    .is_some_and(|it| it.contains("ICMP"))
            })
            .collect();
        assert!(!told.is_empty(), "{name}: nobody was told");
        for packet in told {
            assert_eq!(packet["fate"], words(packet), "{name}");
        }
    }
}
