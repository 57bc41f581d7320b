//! `link:`, in both directions.

use crate::kit::{Case, fine, has, ms, once, play};
use serde_json::json;

pub const PAIR: &str = "
hosts:
  client: { zone: b }
  web: { zone: a, serve: { 80: echo, 81: sink, 82: name } }
";

#[test]
fn delay_and_rate_take_time_in_both_directions() {
    let Some(lab) = play(
        &format!(
            r#"{PAIR}
steps:
  - connect: {{ as: call, from: client, to: "web:80" }}
  - exchange: {{ over: call, as: talk, bytes: 20000, timeout: 20s }}
"#
        ),
        &[
            ("plain", "{}"),
            ("both", "{ hosts.client.link: { delay: 30ms } }"),
            ("up", "{ hosts.client.link: { up: { delay: 30ms } } }"),
            ("down", "{ hosts.client.link: { down: { delay: 30ms } } }"),
            (
                "two",
                "{ hosts.client.link: { delay: 10ms }, hosts.web.link: { delay: 20ms } }",
            ),
            ("rate-up", "{ hosts.client.link: { up: { rate: 1mbit } } }"),
            (
                "rate-down",
                "{ hosts.client.link: { down: { rate: 1mbit } } }",
            ),
        ],
    ) else {
        return;
    };
    for (name, least) in [("both", 60.0), ("up", 30.0), ("down", 30.0), ("two", 60.0)] {
        let case = lab.case(name);
        fine(case.step("talk"));
        assert!(
            ms(case.connection("call")) >= least,
            "{name}: {}",
            case.connection("call")
        );
        assert!(
            ms(case.step("talk")) >= least,
            "{name}: {}",
            case.step("talk")
        );
        has(case.step("call"), json!({ "syns": 1 }));
    }
    // A packet that waits in a link has a record for each end, with the delay between them.
    let up = lab.case("up");
    let syns = up.packets(|p| p["flags"] == "S");
    let times: Vec<f64> = syns
        .iter()
        .map(|p| p["t"].as_f64().expect("a time"))
        .collect();
    assert_eq!(syns.len(), 2, "{syns:?}");
    assert_eq!(syns[0]["id"], syns[1]["id"]);
    assert_eq!(
        (syns[0]["fate"].as_str(), syns[1]["fate"].as_str()),
        (Some("held"), Some("forwarded"))
    );
    assert!(times[1] - times[0] >= 30.0, "{times:?}");
    assert_eq!(
        up.packets(|p| p["flags"] == "S.").len(),
        1,
        "the way down is plain"
    );
    // 20,000 bytes at a million bits a second take 160 ms; the headers come on top.
    for name in ["rate-up", "rate-down"] {
        let case = lab.case(name);
        has(case.step("talk"), json!({ "ok": true, "received": 20_000 }));
        assert!(ms(case.step("talk")) >= 160.0, "{name}");
    }
}

/// A thousand numbered datagrams, 20 at a time.
const DATAGRAMS: &str = r#"perl -MIO::Socket::INET -e 'my $s = IO::Socket::INET->new(PeerAddr => "web:53", Proto => "udp") or die "no: $!"; for (1 .. 1000) { $s->send("$_") or die "no: $!"; select(undef, undef, undef, 0.002) if $_ % 20 == 0 }'"#;

/// What the server's kernel has had of them: it counts a datagram when the program reads it, or when the program had no turn for
/// so long that its socket is full.
const TAKEN: &str = "hosts.web.counters.UdpInDatagrams + hosts.web.counters.UdpRcvbufErrors";

/// A client that sends them over the link that a case gives it.
fn datagrams(link: &str, arrived: &str) -> String {
    format!(
        r#"
hosts:
  client: {{ zone: b, link: {link} }}
  web: {{ zone: a, serve: {{ 53/udp: sink }} }}
steps:
  - run:
      as: ask
      on_host: client
      timeout: 60s
      command: >-
        {DATAGRAMS}
  - wait_until: {{ as: arrived, that: "{arrived}", timeout: 20s }}
"#
    )
}

#[test]
fn jitter_keeps_order() {
    let Some(lab) = play(
        &datagrams(
            "{ up: { delay: 1ms, jitter: 20ms } }",
            &format!("{TAKEN} == 1000"),
        ),
        &[("jitter", "{}")],
    ) else {
        return;
    };
    let case = lab.case("jitter");
    fine(case.step("ask"));
    fine(case.step("arrived"));
    let sent = |fate: &str| -> Vec<(i64, f64)> {
        let packets = case.packets(|p| p["protocol"] == "udp" && p["fate"] == fate);
        let pairs = packets.iter().map(|p| {
            (
                p["id"].as_i64().expect("a number"),
                p["t"].as_f64().expect("a time"),
            )
        });
        pairs.collect()
    };
    let (held, forwarded) = (sent("held"), sent("forwarded"));
    assert_eq!(held.len(), 1000);
    let order = |list: &[(i64, f64)]| list.iter().map(|(id, _)| *id).collect::<Vec<_>>();
    assert_eq!(
        order(&held),
        order(&forwarded),
        "as they went in, so they came out"
    );
    // Nothing came early, and of a thousand some waited for more than half of the jitter.
    let waits = held
        .iter()
        .zip(&forwarded)
        .map(|(into, out)| out.1 - into.1);
    let (least, most) = waits.fold((f64::MAX, 0.0_f64), |(least, most), wait| {
        (least.min(wait), most.max(wait))
    });
    assert!(least >= 1.0 && most >= 11.0, "{least} to {most} ms");
}

#[test]
fn loss_is_random_but_the_seed_decides() {
    let Some(lab) = play(
        &datagrams(
            "{ up: { loss: 30% } }",
            &format!("packets.filter(p, p.fate == 'forwarded').size() == {TAKEN}"),
        ),
        &[
            ("one", "{}"),
            ("same", "{}"),
            ("other", "{ seed: 2 }"),
            ("none", "{ hosts.client.link.up.loss: 0% }"),
            (
                "down",
                "{ hosts.client.link: null, hosts.web.link: { down: { loss: 30% } } }",
            ),
        ],
    ) else {
        return;
    };
    let fates = |case: &Case| -> Vec<String> {
        let packets = case.packets(|p| p["protocol"] == "udp");
        packets
            .iter()
            .map(|p| p["fate"].as_str().expect("a fate").to_owned())
            .collect()
    };
    let lost = |name: &str| {
        let case = lab.case(name);
        fine(case.step("ask"));
        fine(case.step("arrived"));
        let fates = fates(case);
        assert_eq!(fates.len(), 1000, "{name}");
        let lost = fates
            .iter()
            .filter(|fate| *fate == "dropped: link-loss")
            .count() as i64;
        assert_eq!(lost, case.drops("link-loss"), "{name}");
        lost
    };
    // Six standard deviations around 300.
    for name in ["one", "other", "down"] {
        assert!((213..=387).contains(&lost(name)), "{name}: {}", lost(name));
    }
    assert_eq!(lost("none"), 0);
    assert_eq!(
        fates(lab.case("one")),
        fates(lab.case("same")),
        "the same seed loses the same packets"
    );
    assert_ne!(
        fates(lab.case("one")),
        fates(lab.case("other")),
        "another seed loses others"
    );
    let counter = |name| lab.case("one").counter("web", name);
    let arrived = counter("UdpInDatagrams") + counter("UdpRcvbufErrors");
    assert_eq!(arrived, 1000 - lost("one"));
}

#[test]
fn tcp_gets_through_a_lossy_link() {
    let Some(case) = once(
        &format!(
            r#"{PAIR}
steps:
  - connect: {{ as: call, from: client, to: "web:80", timeout: 60s }}
  - exchange: {{ over: call, as: talk, bytes: 300000, timeout: 120s }}
"#
        )
        .replace(
            "client: { zone: b }",
            "client: { zone: b, link: { loss: 2% } }",
        ),
    ) else {
        return;
    };
    has(
        case.step("talk"),
        json!({ "ok": true, "received": 300_000 }),
    );
    has(
        case.step("call"),
        json!({ "delivered": 300_000, "lost": 0, "ended": "open" }),
    );
    // Super-packets are cut up before the link may lose a part: a full segment is the most a record has.
    assert!(
        case.packets(|p| p["fate"] == "dropped: link-loss")
            .iter()
            .all(|p| p["len"].as_i64() <= Some(1460))
    );
    let again = case.counter("client", "TcpRetransSegs") + case.counter("web", "TcpRetransSegs");
    let data = case
        .packets(|p| p["fate"] == "dropped: link-loss" && p["len"] != 0)
        .len();
    assert!(again >= data as i64, "{again} re-sent, {data} lost");
}

#[test]
fn a_full_queue_drops_its_tail() {
    let body = r#"
hosts:
  client: { zone: b, link: { up: { rate: 10mbit, queue: 5 } } }
  web: { zone: a, serve: { 80: echo } }
steps:
  - connect: { as: call, from: client, to: "web:80" }
  - exchange: { over: call, as: bulk, bytes: 300000, timeout: 60s }
"#;
    let Some(lab) = play(
        body,
        &[
            ("short", "{}"),
            ("long", "{ hosts.client.link.up.queue: 2000 }"),
        ],
    ) else {
        return;
    };
    for name in ["short", "long"] {
        has(
            lab.case(name).step("bulk"),
            json!({ "ok": true, "received": 300_000 }),
        );
        assert!(
            ms(lab.case(name).step("bulk")) >= 240.0,
            "{name}: 300,000 bytes at 10 million bits a second"
        );
    }
    assert!(lab.case("short").drops("link-queue") > 0);
    assert_eq!(lab.case("long").drops("link-queue"), 0);
}

/// Two megabytes to and fro over a link that a case spoils.
const MEGABYTES: &str = r#"
steps:
  - connect: { as: call, from: client, to: "web:80" }
  - exchange: { as: talk, over: call, bytes: 2MB, timeout: 20s }
"#;

#[test]
fn kernels_notice_what_links_do_to_packets() {
    let Some(lab) = play(
        &format!("{PAIR}{MEGABYTES}"),
        &[
            ("plain", "{}"),
            ("corrupt", "{ hosts.client.link: { up: { corrupt: 1% } } }"),
            (
                "duplicate",
                "{ hosts.client.link: { up: { duplicate: 5% } } }",
            ),
            (
                "reorder",
                "{ hosts.client.link: { up: { delay: 5ms, reorder: 5% } } }",
            ),
        ],
    ) else {
        return;
    };
    let counted = |case: &str, host: &str, name: &str| {
        let counters = &lab.case(case).evidence["hosts"][host]["counters"];
        counters[name].as_i64().unwrap_or(0)
    };
    for case in ["plain", "corrupt", "duplicate", "reorder"] {
        // Whatever the link does, TCP gives every byte.
        fine(lab.case(case).step("talk"));
    }
    // Nobody but the checksum knows of damage; the sender sees a loss.
    assert_eq!(counted("plain", "web", "TcpInCsumErrors"), 0);
    assert!(counted("corrupt", "web", "TcpInCsumErrors") > 0);
    assert!(counted("corrupt", "client", "TcpRetransSegs") > 0);
    // What comes twice is told with a D-SACK (RFC 2883); a kernel that takes a late answer for a loss sends twice, too.
    let twice = |case: &str| counted(case, "web", "TcpExtTCPDSACKOldSent");
    let again = |case: &str| counted(case, "client", "TcpRetransSegs");
    assert!(twice("plain") <= again("plain"));
    assert!(twice("duplicate") > again("duplicate"));
    assert!(counted("duplicate", "client", "TcpExtTCPDSACKRecv") > again("duplicate"));
    // What overtakes waits for the rest.
    assert!(counted("reorder", "web", "TcpExtTCPOFOQueue") > 0);
    // The record tells which packets it was, and says it once of each.
    let told = |case: &str, what: &str| {
        let packets = lab.case(case).packets(|p| !p["links"].is_null());
        let packets = packets.into_iter().filter(|packet| {
            let effects = packet["links"]["effects"].as_array();
            let mut effects = effects.into_iter().flatten();
            effects.any(|effect| {
                let on_link = effect["host"] == "client" && effect["direction"] == "up";
                on_link && !effect[what].is_null()
            })
        });
        packets.collect::<Vec<_>>()
    };
    for what in ["damaged", "copied", "overtook"] {
        assert!(told("plain", what).is_empty());
    }
    let damaged = told("corrupt", "damaged");
    assert_eq!(
        damaged.len() as i64,
        counted("corrupt", "web", "TcpInCsumErrors")
    );
    let copies = told("duplicate", "copied");
    assert!(!copies.is_empty());
    for copy in copies {
        let from = &copy["links"]["effects"][0]["copied"]["from"];
        let same = |p: &serde_json::Value| p["id"] == *from && p["seq"] == copy["seq"];
        assert_eq!(lab.case("duplicate").packets(same).len(), 1);
    }
    let early = told("reorder", "overtook");
    assert!(!early.is_empty());
    for packet in early {
        assert_eq!(packet["links"]["delayed_ms"], 0.0, "{packet}");
    }
    let delayed = |p: &serde_json::Value| p["links"]["delayed_ms"].as_f64() >= Some(5.0);
    let waited = lab.case("reorder").packets(delayed);
    let held = lab.case("reorder").packets(|p| p["fate"] == "held");
    assert!(!waited.is_empty() && waited.len() <= held.len());
    assert!(waited.iter().all(|p| p["fate"] == "forwarded"));
    let links = &lab.case("corrupt").report["network"]["links"]["client's link (up)"];
    assert_eq!(links["damaged"], damaged.len());
}

#[test]
fn goodput_follows_loss_and_rate() {
    const RENO: &str = "hosts.client.sysctls: { net.ipv4.tcp_congestion_control: reno }";
    let link = |link: &str| format!("{{ {RENO}, hosts.client.link: {{ up: {link} }} }}");
    let (plain, some, more, slow) = (
        link("{ delay: 20ms }"),
        link("{ delay: 20ms, loss: 0.5% }"),
        link("{ delay: 20ms, loss: 5% }"),
        link("{ delay: 20ms, rate: 32mbit }"),
    );
    let story = MEGABYTES.replace("2MB", "4MB").replace("20s", "60s");
    let cases = [
        ("plain", &*plain),
        ("some", &*some),
        ("more", &*more),
        ("slow", &*slow),
    ];
    let Some(lab) = play(&format!("{PAIR}{story}"), &cases) else {
        return;
    };
    for (case, _) in cases {
        fine(lab.case(case).step("talk"));
    }
    let took = |case: &str| ms(lab.case(case).step("talk"));
    // Mathis, Semke, Mahdavi and Ott 1997: Reno gets 1.22 segments of 1448 bytes each round trip over the root of the
    // loss. Timeouts make it less, slow start more.
    let mathis = |loss: f64| 4_000_000.0 / (1448.0 * 1.22 / loss.sqrt()) * 20.0;
    for (case, loss) in [("some", 0.005), ("more", 0.05)] {
        let ratio = took(case) / mathis(loss);
        assert!(
            (0.5..2.5).contains(&ratio),
            "{case}: {} ms, {ratio} of Mathis",
            took(case)
        );
    }
    assert!(took("plain") < took("some") / 2.0, "{} ms", took("plain"));
    // Four million bytes at 32 million bits a second take a second, and headers come on top.
    assert!(
        (1000.0..5000.0).contains(&took("slow")),
        "{} ms",
        took("slow")
    );
}
