//! What reports tell of claims: the values that they met, and what is nearest to one that is not true.

use super::*;

#[test]
fn packets_of_a_client_behind_a_router_are_its_own() {
    let mut outcome = failed();
    let evidence = outcome.evidence.as_mut().expect("evidence");
    let spoken_of = nearest(&failed()).connections[0];
    let connection = &mut evidence.connections[spoken_of];
    connection.left_as = std::mem::replace(&mut connection.local, "172.17.0.2:5000".into());
    let told = nearest(&outcome).packets;
    let (behind, before) = (&told[1..], &nearest(&failed()).packets[1..]);
    assert!(told[0].contains("172.17.0.2:5000") && told[0].contains("its last packets of"));
    assert_eq!(behind, before);
}

#[test]
fn a_packet_that_a_link_held_is_told_once_with_its_end() {
    let mut outcome = failed();
    let before = nearest(&outcome).packets;
    let packets = &mut outcome.evidence.as_mut().expect("evidence").packets;
    *packets = packets
        .iter()
        .flat_map(|packet| {
            let held = Packet {
                fate: "held".into(),
                receiver: String::new(),
                ..packet.clone()
            };
            [held, packet.clone()]
        })
        .collect();
    assert_eq!(nearest(&outcome).packets, before);
}

#[test]
fn a_step_over_a_connection_speaks_of_its_packets() {
    let mut outcome = failed();
    let wanted = nearest(&outcome);
    let evidence = outcome.evidence.as_mut().expect("evidence");
    let new = evidence.connections[wanted.connections[0]].step;
    evidence.steps.push(StepResult {
        name: "talk".into(),
        error: "reset".into(),
        over: Some(new),
        ..StepResult::default()
    });
    let missed = claim(
        ("the exchange passes", "talk.ok"),
        ClaimTruth::False,
        &[("talk.ok", value!(false))],
    );
    outcome.verdict.as_mut().expect("a verdict").works = vec![missed.clone()];
    let told = nearest(&outcome);
    assert_eq!(
        (told.connections, told.packets),
        (wanted.connections, wanted.packets)
    );

    // Of a load it is the connection that did not go on to its end.
    let evidence = outcome.evidence.as_mut().expect("evidence");
    let connections: Vec<usize> = (0..evidence.connections.len()).collect();
    for connection in &mut evidence.connections {
        (connection.ended, connection.unacked) = ("open".into(), 0);
    }
    let last = evidence.connections.last_mut().expect("connections");
    last.ended = "reset".into();
    evidence.steps[new].detail = Detail::Load(Load {
        connections: connections.clone(),
        ..Load::default()
    });
    assert_eq!(
        nearest(&outcome).connections,
        connections[connections.len() - 1..]
    );
}

#[test]
fn a_list_that_is_asked_about_twice_is_told_of_twice() {
    let mut outcome = fix();
    let verdict = outcome.verdict.as_mut().expect("a verdict");
    verdict.expect.push(claim(
        (
            "a SYN and no RST",
            "packets.exists(p, p.flags == \"S\") && !packets.exists(p, p.flags == \"R\")",
        ),
        ClaimTruth::True,
        &[
            (
                "packets",
                value!("(120 entries; 4 fit, the first: t 28.06)"),
            ),
            ("packets", value!("(120 entries; none fits)")),
        ],
    ));
    let report = Report::new(&[outcome], None);
    assert_eq!(
        report.cases[0].expect[0].values["packets"],
        "(120 entries; 4 fit, the first: t 28.06), (120 entries; none fits)"
    );
}

#[test]
fn who_got_no_address_dialled_nobody() {
    let mut outcome = failed();
    let evidence = outcome.evidence.as_mut().expect("evidence");
    let connection = &mut evidence.connections[nearest(&failed()).connections[0]];
    connection.remote = String::new();
    let told = nearest(&outcome).packets;
    assert_eq!(told.len(), 1, "{told:?}");
    let (from, via) = (&connection_of(&outcome).from, &connection_of(&outcome).via);
    let wanted = format!("at {from}: no address was known for {via}, so that it dialled nobody");
    assert!(told[0].ends_with(&wanted), "{told:?}");
}

fn connection_of(outcome: &Outcome) -> &crate::evidence::Connection {
    let evidence = outcome.evidence.as_ref().expect("evidence");
    &evidence.connections[nearest(&failed()).connections[0]]
}
