//! The same requests by programs, of which only packets tell, and what the balancer wrote down.

use super::*;
use crate::evidence::OwnAnswer;

/// The same request by a program: no step tells of its connection, and only the balancer has written its answer down.
fn by_program(mut kit: Kit) -> Kit {
    let page = kit.evidence.connections.remove(0);
    let step = &mut kit.evidence.steps[0];
    let Detail::Load(load) = std::mem::take(&mut step.detail) else {
        panic!("a load");
    };
    step.name = "fetch".into();
    step.label = "run on client".into();
    step.detail = Detail::Run {
        exit_code: 0,
        stdout: String::new(),
        stdout_cut: 0,
        stderr: String::new(),
        stderr_cut: 0,
    };
    let own = load.answers.iter().map(|answer| OwnAnswer {
        via: "front/a".into(),
        port: 80,
        client: page.local.clone(),
        at: answer.at,
        ms: answer.ms,
        status: answer.status,
    });
    kit.evidence.own_answers = own.collect();
    for pair in &mut kit.evidence.pairs {
        pair.opened = ACK.1;
    }
    let (client, front) = (
        ("client", page.local.as_str()),
        ("front/a", "203.0.113.10:80"),
    );
    kit.apart(0.5, client, front, "S");
    let syn = kit.evidence.packets.pop().expect("pushed above");
    kit.evidence.packets.insert(0, syn);
    for (id, packet) in kit.evidence.packets.iter_mut().enumerate() {
        packet.id = id as i64;
    }
    kit
}

#[test]
fn a_program_s_requests_are_told_as_those_of_clients_are() {
    let refused = [SYN, (false, 2.1, "R.", 0)];
    let reset = [SYN, SYN_ACK, ACK, REQUEST, (false, 40.0, "R", 0)];
    let timed_out = [SYN, SYN_ACK, ACK, REQUEST];
    for (kind, kit) in [
        ("bad-gateway", request(502, 1, &refused)),
        ("bad-gateway", request(502, 1, &reset)),
        ("gateway-timeout", request(504, 1, &timed_out)),
        ("gateway-timeout", of_classic(504, 1, 0, &refused)),
        ("no-registered-target", nobody_registered(true)),
    ] {
        let of_client = told(&kit, kind).expect("a client's is told");
        let kit = by_program(kit);
        assert_eq!(told(&kit, kind), Some(of_client), "{kind}");
        for finding in shown(&kit) {
            assert_eq!(finding.connections, [0; 0], "the record has none");
        }
        // Nothing tells of an answer that the balancer has not written down.
        let mut unwritten = kit;
        unwritten.evidence.own_answers.clear();
        assert_eq!(told(&unwritten, kind), None, "{kind}");
    }
}

#[test]
fn an_answer_to_a_program_is_written_down_before_it_is_sent() {
    let mut kit = by_program(nobody_registered(true));
    let client = kit.evidence.own_answers[0].client.clone();
    let page = kit.evidence.packets.len();
    let front = ("front/a", "203.0.113.10:80");
    kit.apart(51.2, front, ("client", &client), "P.").len = 90;
    let found = shown(&kit);
    let found = found.iter().find(|one| one.kind == "no-registered-target");
    assert_eq!(found.expect("the finding").packets, [page]);
}

#[test]
fn a_balancer_s_attempt_for_a_program_is_no_health_check_on_ladders() {
    let kit = by_program(request(502, 1, &[SYN, (false, 2.1, "R.", 0)]));
    let ladder = crate::verdict::ladder::ladder(&kit.evidence, &[], 100);
    assert!(
        ladder.contains("front/a 10.0.1.5:40001 -> 10.0.1.10:80"),
        "{ladder}"
    );
    assert!(!ladder.contains("check"), "{ladder}");
}

#[test]
fn an_answer_that_a_client_and_the_balancer_tell_of_is_told_once() {
    let mut kit = request(502, 1, &[SYN, (false, 2.1, "R.", 0)]);
    let once = told(&kit, "bad-gateway");
    let client = kit.evidence.connections[0].local.clone();
    kit.apart(
        0.5,
        ("client", &client),
        ("front/a", "203.0.113.10:80"),
        "S",
    );
    let syn = kit.evidence.packets.pop().expect("pushed above");
    kit.evidence.packets.insert(0, syn);
    kit.evidence.own_answers.push(OwnAnswer {
        via: "front/a".into(),
        port: 80,
        client,
        at: 1.0,
        ms: 50.0,
        status: 502,
    });
    assert_eq!(told(&kit, "bad-gateway"), once);
}
