//! What findings cite is drawn, however much is left out around it.

use super::*;

/// Packets of a connection on which nothing new happens.
fn monotonous() -> (Kit, usize) {
    let mut kit = Kit::new();
    let talk = kit.connect("talk", 40000, "front/a", "web1");
    kit.handshake(talk, OLD);
    for turn in 0..500 {
        kit.up(talk, "P.", OLD.client + 1 + 64 * turn, OLD.server + 1, 64);
    }
    (kit, talk)
}

#[test]
fn what_a_finding_cites_is_never_cut_out() {
    let (kit, talk) = monotonous();
    let cited = |packets: &[usize]| Finding {
        packets: packets.to_vec(),
        ..Finding::default()
    };
    let shown = |found: &[Finding]| {
        let ladder = rows_of(&kit.evidence, vec![talk], found);
        let rows = cut(&ladder.rows, &|_| 1);
        assert!(rows.len() <= LINES + 2 * found.len(), "{}", rows.len());
        let time = kit.evidence.packets[250].t;
        rows.iter()
            .any(|row| matches!(row, Row::Packet(row) if row.time == time))
    };
    assert!(!shown(&[]));
    assert!(shown(&[cited(&[250])]));
}

#[test]
fn connections_of_cited_packets_are_drawn_beside_the_chosen() {
    let (mut kit, talk) = monotonous();
    let other = kit.connect("other", 40001, "front/a", "web1");
    let first = kit.evidence.packets.len();
    kit.handshake(other, NEW);
    let found = Finding {
        packets: vec![first],
        connections: vec![talk],
        ..Finding::default()
    };
    let names = |found: &[Finding]| -> Vec<String> {
        let ladder = rows_of(&kit.evidence, vec![talk], found);
        ladder.tuples.into_iter().map(|tuple| tuple.name).collect()
    };
    assert_eq!(names(&[]), ["talk"]);
    assert_eq!(names(&[found]), ["talk", "other"]);
}

#[test]
fn every_packet_that_is_cited_has_its_row() {
    let (mut kit, talk) = monotonous();
    let mut packets = Vec::new();
    for i in 0..12 {
        let from = format!("office-{i}");
        let host = kit.evidence.hosts["client"].clone();
        kit.evidence.hosts.insert(from.clone(), host);
        let one = kit.connect_from(&from, "late", 41000 + i, "front/a", "web1");
        packets.push(kit.evidence.packets.len());
        kit.handshake(one, NEW);
    }
    // A health check is of no step's connection, and its record may begin with the answer.
    let check = kit.connect("check", 42000, "web2", "web2");
    let first = kit.evidence.packets.len();
    kit.handshake(check, NEW);
    kit.evidence.connections.pop();
    for packet in &mut kit.evidence.packets[first..] {
        packet.probe = true;
        if packet.sender == "client" {
            packet.sender = "front/b".into();
        }
    }
    kit.evidence.packets.remove(first);
    packets.push(first);
    let ids: Vec<i64> = packets
        .iter()
        .map(|p| kit.evidence.packets[*p].id)
        .collect();
    let found = Finding {
        packets,
        ..Finding::default()
    };
    let ladder = rows_of(&kit.evidence, vec![talk], &[found]);
    let rows = cut(&ladder.rows, &|_| 1);
    let drawn: Vec<i64> = rows.iter().filter_map(numbers).flatten().collect();
    for id in ids {
        assert!(drawn.contains(&id), "no {id} among {drawn:?}");
    }
    assert!(ladder.lanes.len() <= 7, "{:?}", ladder.lanes);
    let crowd = ladder.lanes.iter().find(|lane| !lane.stands_for.is_empty());
    assert_eq!(crowd.expect("many clients").name, "11 more");
    let text = text(&ladder, 100);
    assert!(text.contains("of these only what findings cite:"), "{text}");
    assert!(
        text.contains(" check 198.51.100.7:42000 -> 10.0.2.10:80"),
        "{text}"
    );
}

/// Of a packet's row.
fn numbers(row: &Row) -> Option<Vec<i64>> {
    match row {
        Row::Packet(row) => Some(row.packets.clone()),
        Row::More { .. } => None,
    }
}

#[test]
fn what_is_cited_of_packets_that_nobody_kept_has_no_row() {
    let mut evidence = flagship().evidence;
    let found = crate::verdict::findings::recognise(&evidence);
    assert!(found.iter().any(|finding| !finding.packets.is_empty()));
    evidence.packets.clear();
    assert!(rows_of(&evidence, vec![0], &found).rows.is_empty());
}
