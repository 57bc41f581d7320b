//! PROXY protocol headers in streams of real kernels: every byte arrives, and servers learn who their clients are.

use crate::kit::{fine, has, play};
use serde_json::json;

/// Sends 64 MiB and compares what comes back, both at once.
const BULK: &str = r#"perl -MIO::Socket::INET -MDigest::MD5 -e '
my $s = IO::Socket::INET->new("front:80") or die "no connection: $!";
my $block = join("", map { pack("N", $_ * 2654435761 % 4294967296) } 1 .. 16384);
my $size = 64 << 20; my ($out, $in) = (Digest::MD5->new, Digest::MD5->new);
if (!fork) { for (my $n = 0; $n < $size; $n += length $block) { my $at = 0;
  while ($at < length $block) { $at += syswrite($s, $block, length($block) - $at, $at) // die "cut: $!" } } exit }
for (my $n = 0; $n < $size; $n += length $block) { $out->add($block) }
for (my $n = 0; $n < $size;) { my $got = sysread($s, my $part, 1 << 20) or die "cut at $n"; $n += $got; $in->add($part) }
print $in->hexdigest eq $out->hexdigest ? "the same" : "not the same"'"#;

fn lab(steps: &str) -> String {
    format!(
        r#"
hosts:
  client: {{ address: 198.51.100.7 }}
  web: {{ zone: a, serve: {{ 80: {{ echo: {{ proxy_protocol: v2 }} }}, 81: sink }} }}
target_groups:
  web: {{ target_type: ip, targets: [web], attributes: {{ proxy_protocol_v2.enabled: true }} }}
load_balancers:
  front: {{ zones: [a], listeners: {{ 80: web, 81: web }} }}
steps:
{steps}"#
    )
}

#[test]
fn every_byte_arrives_behind_the_header() {
    let steps = format!(
        "  - run:\n      as: bulk\n      on_host: client\n      timeout: 60s\n      command: |\n{}\n",
        BULK.replace('$', "$$")
            .lines()
            .map(|line| format!("        {line}"))
            .collect::<Vec<_>>()
            .join("\n")
    );
    let cases = [
        ("plain", "{}"),
        (
            "first-ack",
            "{ target_groups.web.attributes.proxy_protocol_v2.client_to_server.header_placement: on_first_ack }",
        ),
        ("lossy", "{ hosts.web.link: { loss: 0.3% } }"),
    ];
    let Some(lab) = play(&lab(&steps), &cases) else {
        return;
    };
    for (name, _) in cases {
        let case = lab.case(name);
        has(case.step("bulk"), json!({ "stdout": "the same" }));
    }
    // Loss acts on what a wire carries; without it, super-packets go through whole.
    let large = lab
        .case("plain")
        .packets(|p| p["len"].as_i64() > Some(1500));
    assert!(large.len() > 100, "{} super-packets", large.len());
}

#[test]
fn a_server_is_told_its_client_and_one_that_is_not_asked_reads_the_header() {
    let steps = r#"  - connect: { as: told, from: client, to: "front:80" }
  - exchange: { over: told, as: echoed, bytes: 30 }
  - connect: { as: plain, from: client, to: "front:81" }
  - send: { over: plain, as: sent, bytes: 30 }
  - wait_until: { as: arrived, that: "plain.delivered == 130", timeout: 30s }
"#;
    let cases = [
        ("both", "{}"),
        (
            "neither",
            "{ target_groups.web.attributes.proxy_protocol_v2.enabled: false, steps.arrived.that: plain.delivered == 30 }",
        ),
        ("lost", "{ hosts.web.link: { down: { loss: 20% } } }"),
    ];
    let Some(lab) = play(&lab(steps), &cases) else {
        return;
    };
    let case = lab.case("both");
    for (name, _) in cases {
        fine(lab.case(name).step("arrived"));
    }
    fine(case.step("echoed"));
    let told = case.connection("told");
    assert_eq!(told["told"], told["local"]);
    has(told, json!({ "header": "read", "delivered": 30 }));
    has(
        case.connection("plain"),
        json!({ "header": "not-expected", "delivered": 130, "told": "" }),
    );
    has(
        lab.case("neither").connection("told"),
        json!({ "header": "broken", "ended_by": "server" }),
    );
    let told = lab.case("lost").connection("told");
    assert_eq!(told["told"], told["local"]);
}
