//! Requests over connections that last: the exchanges before and after are near, and other clients use the connections to targets.

use super::*;
use crate::evidence::Pair;

/// A connection of `front/a` to a target: its own end, the target and that one's.
type Way = (&'static str, (&'static str, &'static str));
const QUICK: Way = ("10.0.1.5:40001", ("web1", "10.0.1.10:80"));
const SLOW: Way = ("10.0.1.5:40002", ("web2", "10.0.2.10:80"));

/// The requests of `page`: when, for how long and with what they were answered. The balancer answered one with `status` by
/// itself. Ways that came to stand, each with when.
fn page(
    status: i64,
    answers: &[(f64, f64, i64)],
    ways: &[(Way, f64)],
    said: &[(Way, Said)],
) -> Kit {
    let mut kit = request(status, 1, &[]);
    let Detail::Load(load) = &mut kit.evidence.steps[0].detail else {
        panic!("a load");
    };
    let answer = |(at, ms, status): &(f64, f64, i64)| Answer {
        connection: 0,
        at: *at,
        ms: *ms,
        status: *status,
    };
    load.answers = answers.iter().map(answer).collect();
    for (way, opened) in ways {
        lead(&mut kit, 0, *way, *opened);
    }
    for ((end, target), said) in said {
        say(&mut kit, end, *target, *said);
    }
    kit
}

/// A client's connection leads over a way from a moment on.
fn lead(kit: &mut Kit, connection: usize, (end, target): Way, opened: f64) {
    let pair = kit.evidence.pairs.len();
    let connection = &mut kit.evidence.connections[connection];
    connection.pair.get_or_insert(pair);
    kit.evidence.pairs.push(Pair {
        via: "front/a".into(),
        port: 80,
        client: connection.local.clone(),
        target: target.0.into(),
        seen_as: end.into(),
        target_address: target.1.into(),
        opened,
        ..Pair::default()
    });
}

/// A handshake and a request of 100 bytes, from a moment on.
fn asks(way: Way, t: f64) -> [(Way, Said); 4] {
    [
        (way, (true, t, "S", 0)),
        (way, (false, t + 0.02, "S.", 0)),
        (way, (true, t + 0.04, ".", 0)),
        (way, (true, t + 0.1, "P.", 100)),
    ]
}

fn summary(kit: &Kit, kind: &str) -> String {
    told(kit, kind).unwrap_or_default()
}

#[test]
fn a_target_that_answered_the_request_before_is_not_blamed() {
    let answered = [(QUICK, (false, 1.3, "P.", 94))];
    let before = [&asks(QUICK, 1.1)[..], &answered, &asks(SLOW, 1.7)].concat();
    let ways = [(QUICK, 1.13), (SLOW, 1.73)];
    let after = |status, end| {
        let said = [&before[..], &[(SLOW, end)]].concat();
        page(
            status,
            &[(1.0, 0.5, 200), (1.502, 50.0, status)],
            &ways,
            &said,
        )
    };
    assert_eq!(
        summary(&after(504, (true, 51.4, "F.", 0)), "gateway-timeout"),
        "front/a answered 1 request with 504 by itself. web2 had the request of front/a and did not answer it: the idle timeout \
         ran out, after 49.7 ms."
    );
    assert_eq!(
        summary(&after(502, (false, 40.0, "R", 0)), "bad-gateway"),
        "front/a answered 1 request with 502 by itself. web2 reset the connection with the request of front/a on it: RST at most \
         38.2 ms after the request."
    );
}

#[test]
fn a_target_that_answered_the_request_behind_is_not_blamed() {
    let answered = [(QUICK, (false, 51.4, "P.", 94))];
    let said = [
        &[(SLOW, (true, 1.2, "S", 0))],
        &asks(QUICK, 51.1)[..],
        &answered,
    ]
    .concat();
    let answers = [(1.0, 50.0, 504), (51.002, 0.5, 200)];
    let kit = page(504, &answers, &[(QUICK, 51.13)], &said);
    assert_eq!(
        summary(&kit, "gateway-timeout"),
        "front/a answered 1 request with 504 by itself. web2 did not answer the SYN of front/a: the connect timeout ran out, \
         after 49.8 ms."
    );
}

#[test]
fn who_comes_back_to_a_connection_after_somebody_else_is_known() {
    let answers = [(0.8, 0.4, 200), (9.9, 50.0, 504)];
    let behind = [
        (QUICK, (false, 1.0, "P.", 94)),
        (QUICK, (true, 5.1, "P.", 100)),
        (QUICK, (false, 5.2, "P.", 94)),
        (QUICK, (true, 10.1, "P.", 100)),
        (QUICK, (true, 59.8, "F.", 0)),
    ];
    let said = [&asks(QUICK, 0.85)[..], &behind].concat();
    let mut kit = page(504, &answers, &[(QUICK, 0.88)], &said);
    let other = kit.connect("other", 40009, "front/a", "web1");
    let connection = kit.of(other);
    (connection.proxied, connection.flow, connection.pair) = (true, None, None);
    kit.evidence.flows.clear();
    lead(&mut kit, other, QUICK, 5.0);
    assert_eq!(summary(&kit, "gateway-timeout"), "", "it is the other's");
    kit.evidence.pairs[0].resumed = vec![10.0];
    assert_eq!(
        summary(&kit, "gateway-timeout"),
        "front/a answered 1 request with 504 by itself. web1 had the request of front/a and did not answer it: the idle timeout \
         ran out, after 49.8 ms."
    );
}

#[test]
fn what_is_sent_again_is_no_other_request() {
    let again = (SLOW, (true, 51.5, "P.", 100));
    let refused = [
        (QUICK, (true, 51.6, "S", 0)),
        (QUICK, (false, 51.7, "R.", 0)),
    ];
    let gone = [
        (SLOW, (true, 30.0, "P.", 100)),
        (SLOW, (true, 50.9, "F.", 0)),
    ];
    let said = [&asks(SLOW, 1.7)[..], &gone, &[again], &refused].concat();
    let answers = [(1.0, 50.0, 504), (51.002, 10.0, 502)];
    let mut kit = page(502, &answers, &[(SLOW, 1.73)], &said);
    let request = kit.evidence.packets[3].seq;
    for packet in [4, 6] {
        kit.evidence.packets[packet].seq = request;
    }
    assert_eq!(
        summary(&kit, "bad-gateway"),
        "front/a answered 1 request with 502 by itself. web1 refused the connection of front/a: RST in answer to the SYN, \
         nothing listens there."
    );
    let front = kit.evidence.load_balancers.get_mut("front").expect("front");
    let zone = front.zones.get_mut("a").expect("a zone");
    zone.metrics = [("HTTPCode_ELB_504_Count".to_owned(), 1)].into();
    let told = summary(&kit, "gateway-timeout");
    assert!(told.ends_with("ran out, after 49.2 ms."), "{told}");
}
