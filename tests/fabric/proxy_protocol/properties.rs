//! However a stream is cut, lost and sent again: what the target reads and what the client is told.

use super::*;
use proptest::prelude::*;
use std::collections::BTreeMap;

/// A target's side of a stream: what has come, by its place.
#[derive(Default)]
struct Reassembly(BTreeMap<u32, u8>);

impl Reassembly {
    fn take(&mut self, offset: u32, bytes: &[u8]) {
        for (place, byte) in (offset..).zip(bytes) {
            let old = self.0.insert(place, *byte);
            assert!(old.is_none_or(|old| old == *byte), "place {place} changed");
        }
    }

    /// Bytes without a gap.
    fn next(&self) -> u32 {
        let gap = (0..).zip(self.0.keys()).find(|(place, key)| place != *key);
        gap.map_or(self.0.len() as u32, |(place, _)| place)
    }

    /// Islands beyond the first gap, at most three.
    fn islands(&self) -> Vec<(u32, u32)> {
        let mut list: Vec<(u32, u32)> = Vec::new();
        for (place, _) in self.0.range(self.next()..) {
            match list.last_mut() {
                Some((_, right)) if *right == *place => *right += 1,
                Some(_) | None => list.push((*place, *place + 1)),
            }
        }
        list.truncate(3);
        list
    }
}

#[derive(Clone, Debug)]
enum Event {
    /// The client sends some of its stream, perhaps again; bits say which of the resulting packets are lost.
    Send { at: u32, len: u32, lost: u8 },
    /// The target acknowledges what it has.
    Acknowledge,
    /// Time for the timer.
    Pass(u64),
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => (0u32..900, 1u32..400, any::<u8>())
            .prop_map(|(at, len, lost)| Event::Send { at, len, lost }),
        3 => Just(Event::Acknowledge),
        1 => (0u64..1500).prop_map(Event::Pass),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    /// However the stream is cut, lost and sent again: the target reads the header and then the client's bytes, and
    /// the client is never told of a byte that has not come, nor of one that it did not send.
    #[test]
    fn the_target_reads_the_header_and_then_the_clients_bytes(
        isn in prop_oneof![any::<u32>(), Just(u32::MAX - 50), Just(u32::MAX)],
        early in any::<bool>(),
        events in prop::collection::vec(event(), 1..60),
    ) {
        let stream: Vec<u8> = (0..1300u32).map(|n| (n % 251) as u8).collect();
        let placement = if early { Placement::OnFirstAck } else { Placement::OnFirstAckWithPayload };
        let mut net = Net::new(with(placement));
        let first = isn.wrapping_add(1);
        let arrived = net.syn(CLIENT, client(), front(), isn);
        net.accept(arrived, isn);
        let mut target = Reassembly::default();
        let receive = |target: &mut Reassembly, came: Vec<Delivery>, lost: u8| {
            for (number, one) in came.iter().enumerate().filter(|(_, one)| one.to == WEB1) {
                if lost >> number & 1 == 0 {
                    let place = one.headers().seq.wrapping_sub(first);
                    target.take(place, payload(one));
                }
            }
        };
        let send = |net: &mut Net, at: u32, len: u32| {
            let end = (at + len).min(stream.len() as u32);
            net.send(CLIENT, Rich {
                from: client(),
                to: front(),
                flags: ACK,
                seq: first.wrapping_add(at),
                ack: 9001,
                options: &[],
                payload: &stream[at as usize..end as usize],
            }.bytes())
        };
        let mut told = 0;
        let ask = |net: &mut Net, target: &Reassembly| -> Result<u32, TestCaseError> {
            let islands = target.islands();
            let at = |(left, right): (u32, u32)| (first.wrapping_add(left), first.wrapping_add(right));
            let mut options = Vec::new();
            if let [one, more @ ..] = &islands[..] {
                let more = [0, 1, 2].map(|n| more.get(n).copied().map(at));
                options.push(TcpOptionElement::SelectiveAcknowledgement(at(*one), more));
            }
            let came = net.send(WEB1, Rich {
                from: web(),
                to: client(),
                flags: ACK,
                seq: 9001,
                ack: first.wrapping_add(target.next()),
                options: &options,
                payload: &[],
            }.bytes()).remove(0);
            let ack = came.headers().ack.wrapping_sub(first);
            let has = |place: u32| target.0.contains_key(&(place + LEN));
            prop_assert!((0..ack).all(has), "{ack} bytes acknowledged that have not come");
            for (left, right) in blocks(&came) {
                let (left, right) = (left.wrapping_sub(first), right.wrapping_sub(first));
                prop_assert!(left < right && (left..right).all(has), "block {left}..{right}");
            }
            Ok(ack)
        };
        let came = send(&mut net, 0, 0);
        receive(&mut target, came, 1);
        for event in events {
            match event {
                // A client sends nothing that was acknowledged.
                Event::Send { at, len, lost } => {
                    let came = send(&mut net, at.max(told), len);
                    receive(&mut target, came, lost);
                }
                Event::Acknowledge => told = told.max(ask(&mut net, &target)?),
                Event::Pass(time) => {
                    let came = net.pass(ms(time)).into_iter().map(|(_, one)| one).collect();
                    receive(&mut target, came, 0);
                }
            }
        }
        // A client goes on from what was acknowledged until all of it is.
        for _ in 0..20 {
            let came = send(&mut net, told, 400);
            receive(&mut target, came, 0);
            told = told.max(ask(&mut net, &target)?);
        }
        prop_assert_eq!(told, stream.len() as u32);
        let read: Vec<u8> = target.0.values().copied().collect();
        prop_assert_eq!(read, [header(), stream].concat());
    }
}
