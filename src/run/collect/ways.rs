//! Packets that were seen in several places on their way: which record is the same packet a place further.
//!
//! Nothing on the way changes a packet's identification, flags, sequence numbers and length, whatever becomes of its
//! addresses; and it goes on from where it came to. Not here: whose packet it is (see `verdict`).

use crate::evidence::Packet;
use std::cmp::Ordering;
use std::collections::HashMap;

/// A host passes a packet on within this, ms; a segment is sent again after 200 ms at the earliest (TCP_RTO_MIN).
const DWELL: f64 = 150.0;
/// The fabric's clock is read once for packets that are there together, a device's for each, ms.
const BATCH: f64 = 2.0;

/// What stays the same.
type Same<'a> = (&'a str, i64, &'a str, i64, i64, i64);

/// A packet from one place to the next: one record, or two and more of one that links held.
struct Stretch {
    id: i64,
    first: usize,
    last: usize,
}

/// Fills [`Packet::follows`].
pub(super) fn link(packets: &mut [Packet]) {
    let mut before: HashMap<i64, i64> = HashMap::new();
    for mut same in sorted(packets).into_values() {
        same.sort_by(|a, b| packets[a.first].t.total_cmp(&packets[b.first].t));
        let mut taken = vec![false; same.len()];
        // All before this one are too old for what is to come.
        let mut oldest = 0;
        for stretch in &same {
            let begins = packets[stretch.first].t;
            let late = |place: &usize| packets[same[*place].last].t + DWELL < begins;
            oldest += (oldest..same.len()).take_while(late).count();
            let found = (oldest..same.len())
                .take_while(|place| packets[same[*place].first].t <= begins + BATCH)
                .filter(|place| !taken[*place] && precedes(packets, &same[*place], stretch))
                .max_by(|a, b| likelier(packets, &same[*a], &same[*b], stretch));
            if let Some(place) = found {
                taken[place] = true;
                before.insert(stretch.id, same[place].id);
            }
        }
    }
    for packet in packets {
        packet.follows = before.get(&packet.id).copied();
    }
}

/// Stretches by what stays the same, health checks left out.
fn sorted(packets: &[Packet]) -> HashMap<Same<'_>, Vec<Stretch>> {
    let mut sorted: HashMap<Same, Vec<Stretch>> = HashMap::new();
    for (place, packet) in packets.iter().enumerate().filter(|(_, p)| !p.probe) {
        let same = (
            packet.protocol.as_str(),
            packet.ip_id,
            packet.flags.as_str(),
            packet.seq,
            packet.ack,
            packet.len,
        );
        let list = sorted.entry(same).or_default();
        match list.iter_mut().rfind(|stretch| stretch.id == packet.id) {
            Some(held) => held.last = place,
            None => list.push(Stretch {
                id: packet.id,
                first: place,
                last: place,
            }),
        }
    }
    sorted
}

/// Which of two stretches `next` rather follows: a datagram that its sender did not number is told by the end that was
/// not translated, one that was sent again by the time.
fn likelier(packets: &[Packet], one: &Stretch, other: &Stretch, next: &Stretch) -> Ordering {
    let goes = &packets[next.first];
    let shared = |stretch: &Stretch| shared(&packets[stretch.last], goes);
    let end = |stretch: &Stretch| packets[stretch.last].t;
    shared(one)
        .cmp(&shared(other))
        .then(end(one).total_cmp(&end(other)))
}

/// How many of its ends, of two, a packet still has that came as the one and goes as the other.
fn shared(came: &Packet, goes: &Packet) -> u8 {
    u8::from(came.from_after == goes.from) + u8::from(came.to_after == goes.to)
}

/// True when a packet that went the one stretch may have gone on by the other.
fn precedes(packets: &[Packet], one: &Stretch, other: &Stretch) -> bool {
    let (came, goes) = (&packets[one.last], &packets[other.first]);
    let dwelt = goes.t - came.t;
    // By one clock what comes later is later: else two that go round in circles would follow each other.
    let same_clock = came.seen_at.is_empty() == goes.seen_at.is_empty();
    let least = if same_clock { 0.0 } else { -BATCH };
    let in_order = !same_clock || one.first < other.first;
    one.id != other.id
        && in_order
        && came.receiver == goes.sender
        && !came.receiver.is_empty()
        // What is answered in kind comes back the same way with its ends changed over; what a forwarder with one leg sends on
        // goes out where it came in, too, and has kept one end at least.
        && (came.seen_at.is_empty() || came.seen_at != goes.seen_at || shared(came, goes) > 0)
        && (least..DWELL).contains(&dwelt)
}

#[cfg(test)]
mod tests {
    use super::link;
    use crate::evidence::Packet;

    fn seen(id: i64, t: f64, place: &str, sender: &str, receiver: &str) -> Packet {
        Packet {
            id,
            t,
            seen_at: place.to_owned(),
            sender: sender.to_owned(),
            receiver: receiver.to_owned(),
            protocol: "tcp".to_owned(),
            flags: "S".to_owned(),
            seq: 77,
            ..Packet::default()
        }
    }

    fn links(packets: &mut [Packet]) -> Vec<Option<i64>> {
        link(packets);
        packets.iter().map(|packet| packet.follows).collect()
    }

    #[test]
    fn a_packet_is_followed_out_to_the_network_and_back() {
        // The fabric's clock is a little behind the devices'.
        let mut packets = [
            seen(1, 0.9, "", "n1", "n1"),
            seen(2, 1.0, "n1 eni0", "pod", "n1"),
            seen(3, 1.1, "n1 eni1", "n1", "web"),
        ];
        assert_eq!(links(&mut packets), [Some(2), None, Some(1)]);
    }

    #[test]
    fn what_goes_round_in_circles_does_not_follow_itself() {
        let mut packets = [seen(1, 0.0, "", "n1", "n1"), seen(2, 0.1, "", "n1", "n1")];
        assert_eq!(links(&mut packets), [None, Some(1)]);
    }

    /// Seen at the one device of `fw`, between these ends.
    fn at_the_leg(id: i64, inward: bool, from: &str, to: &str) -> Packet {
        let (sender, receiver) = if inward { ("r", "fw") } else { ("fw", "r") };
        Packet {
            from: from.into(),
            to: to.into(),
            from_after: from.into(),
            to_after: to.into(),
            ..seen(id, id as f64 / 10.0, "r veth1", sender, receiver)
        }
    }

    #[test]
    fn a_forwarder_with_one_leg_sends_on_what_came_in_there() {
        let (desk, web) = ("192.168.1.10:40000", "203.0.113.5:80");
        let mut same = [
            at_the_leg(1, true, desk, web),
            at_the_leg(2, false, desk, web),
        ];
        assert_eq!(links(&mut same), [None, Some(1)]);
        // Masquerading it.
        let mut translated = [
            at_the_leg(1, true, desk, web),
            at_the_leg(2, false, "192.168.1.2:40000", web),
        ];
        assert_eq!(links(&mut translated), [None, Some(1)]);
    }

    #[test]
    fn an_answer_in_kind_is_not_what_it_answers() {
        let (desk, fw) = ("192.168.1.10:40000", "192.168.1.2:53");
        let mut answered = [
            at_the_leg(1, true, desk, fw),
            at_the_leg(2, false, fw, desk),
        ];
        assert_eq!(links(&mut answered), [None, None]);
        // Nor what somebody else is asked then.
        let mut asked = [
            at_the_leg(1, true, desk, fw),
            at_the_leg(2, false, "192.168.1.2:5000", "203.0.113.5:53"),
        ];
        assert_eq!(links(&mut asked), [None, None]);
    }

    #[test]
    fn each_sending_has_a_way_of_its_own() {
        let mut packets = [
            seen(1, 0.0, "r veth1", "desk", "r"),
            seen(2, 1000.0, "r veth1", "desk", "r"),
            seen(3, 1000.1, "", "r", "web"),
        ];
        assert_eq!(links(&mut packets), [None, None, Some(2)]);
    }

    #[test]
    fn what_a_link_held_goes_on_from_where_it_came_to() {
        let held = Packet {
            fate: "held".to_owned(),
            ..seen(1, 0.0, "", "client", "")
        };
        let mut packets = [
            held,
            seen(1, 300.0, "", "client", "n1"),
            seen(2, 300.1, "n1 eni0", "n1", "pod"),
        ];
        assert_eq!(links(&mut packets), [None, None, Some(1)]);
    }

    #[test]
    fn another_packet_is_another() {
        let mut packets = [
            seen(1, 0.0, "r veth1", "desk", "r"),
            Packet {
                seq: 78,
                ..seen(2, 0.1, "", "r", "web")
            },
            seen(3, 0.1, "", "elsewhere", "web"),
        ];
        assert_eq!(links(&mut packets), [None, None, None]);
    }
}
