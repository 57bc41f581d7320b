//! Connections that a kernel gave up.

use super::{shown, talking};
use crate::verdict::Finding;
use crate::verdict::findings::connection_timed_out;
use crate::verdict::kit::{Kit, OLD};

fn told(kit: &Kit) -> Finding {
    let found = shown(kit).into_iter();
    let mut found = found.filter(|finding| finding.kind == connection_timed_out::KIND);
    found.next().expect("the finding")
}

/// A client's kernel gives up what no answer comes to; or its program does.
pub(super) fn given_up(happened: bool) -> Kit {
    let (mut kit, talk) = talking();
    for wait in [0.0, 206.0, 212.0] {
        kit.now += wait;
        kit.up(talk, "P.", OLD.client + 65, OLD.server + 65, 64);
        kit.dropped("drop-rule");
    }
    let c = kit.of(talk);
    c.client_state = String::new();
    c.server_state = String::new();
    c.ended = if happened { "timeout" } else { "closed" }.into();
    kit
}

#[test]
fn what_a_kernel_gave_up_is_told_with_what_became_of_it() {
    let mut kit = given_up(true);
    kit.counter("client", "TcpExtTCPAbortOnTimeout", 1);
    let found = told(&kit);
    assert_eq!(
        found.summary,
        "The kernel of client gave \"talk\" up, and its program is told \"Connection timed out\" (ETIMEDOUT): client sent what it \
         has to say 3 times in 418.2 ms. None of it arrived: dropped (drop-rule)."
    );
    assert_eq!(found.packets, [7, 8, 9]);
    let counted = ("client".into(), "TcpExtTCPAbortOnTimeout".into(), 1);
    assert_eq!(found.counters, [counted]);
}

#[test]
fn keepalives_that_arrive_and_whose_answers_do_not_are_told() {
    let (mut kit, talk) = talking();
    // What it acknowledges is no question.
    kit.up(talk, ".", OLD.client + 65, OLD.server + 65, 0);
    for _ in 0..2 {
        kit.now += 1000.0;
        kit.up(talk, ".", OLD.client + 64, OLD.server + 65, 0);
        kit.down(talk, ".", OLD.server + 65, OLD.client + 65, 0);
        kit.dropped("loss");
    }
    let c = kit.of(talk);
    c.client_state = String::new();
    c.ended = "timeout".into();
    let found = told(&kit);
    let (_, said) = found.summary.split_once(": ").expect("two halves");
    assert_eq!(
        said,
        "client sent a keepalive 2 times in 1.00 s. All of it came to web1, and nothing that web1 said came back: dropped (loss)."
    );
}
