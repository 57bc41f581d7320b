//! What becomes of what has expired, and who is told.

use super::*;

#[test]
fn a_balancers_own_reset_comes_home() {
    let mut net = net();
    net.connect(APP, app(40000), end(FRONT_A, 80), 100);
    // The gateway keeps the mapping, the balancer forgets: of two limits the shorter one.
    let mut config = behind(gateway());
    config.balancers[0].listeners[0].idle_timeout = ms(1000);
    let mut net = Net::new(config);
    net.connect(APP, app(40000), end(FRONT_A, 80), 100);
    net.pass(ms(2000));
    let data = segment(app(40000), end(FRONT_A, 80), ACK | PSH, 101, 9001).with_payload(5);
    let (answer, headers) = net.reset(APP, data);
    assert_eq!(answer, Answer::ResetExpired);
    assert_eq!(headers.seq, 9001);
    let ended = net
        .conversation(app(40000), end(FRONT_A, 80))
        .ended
        .expect("an end");
    assert_eq!(ended.by, Party::Fabric);
    assert_eq!(net.metric("TCP_ELB_Reset_Count"), 1);
    assert_eq!(counters(&net).idle, 0);
}

#[test]
fn who_speaks_after_expiry_is_reset_and_the_other_side_is_not_told() {
    let mut net = net();
    let at = net.connect(APP, app(40000), service(), 100);
    assert!(net.pass(IDLE - ms(1)).is_empty());
    net.forward(APP, segment(app(40000), service(), ACK, 100, 9001));
    assert!(
        net.pass(IDLE - ms(1)).is_empty(),
        "a keepalive starts the clock again"
    );
    assert_eq!(counters(&net).idle, 0);
    assert!(net.pass(ms(1)).is_empty(), "nobody is told");
    let seen = counters(&net);
    assert_eq!((seen.idle, seen.active, seen.most_active), (1, 0, 1));
    let outside = segment(at.to, at.from, ACK | PSH, 9001, 101).with_payload(9);
    assert_eq!(net.dropped(CLIENT, outside.bytes()), Reason::ExpiredFlow);
    let inside = segment(app(40000), service(), ACK | PSH, 101, 9001).with_payload(9);
    let (answer, headers) = net.reset(APP, inside);
    assert_eq!((answer, headers.seq), (Answer::ResetExpired, 9001));
    let rst = segment(app(40000), service(), RST, 110, 0);
    assert_eq!(net.dropped(APP, rst.bytes()), Reason::ExpiredFlow);
    assert_eq!(net.fabric.mappings()[0].state, FlowState::Expired);
    // A SYN makes a mapping of its own.
    net.connect(APP, app(40000), service(), 500);
    assert_eq!(net.fabric.mappings().len(), 2);
}

#[test]
fn silence_where_the_vendor_is_silent() {
    let mut config = behind(gateway());
    config.nat_gateways[0].on_missing_flow = OnMissingFlow::Drop;
    let mut net = Net::new(config);
    net.connect(APP, app(40000), service(), 100);
    net.pass(IDLE);
    let data = segment(app(40000), service(), ACK, 101, 9001);
    assert_eq!(net.dropped(APP, data.bytes()), Reason::ExpiredFlow);
    let stray = segment(app(40001), service(), ACK, 101, 9001);
    assert_eq!(net.dropped(APP, stray.bytes()), Reason::MissingFlow);
}

#[test]
fn both_ends_are_reset_at_the_moment_of_expiry_where_that_is_asked_for() {
    let mut config = behind(gateway());
    config.nat_gateways[0].reset_at_expiry = true;
    let mut net = Net::new(config);
    let at = net.connect(APP, app(40000), service(), 100);
    net.forward(
        APP,
        segment(app(40000), service(), ACK | PSH, 101, 9001).with_payload(10),
    );
    net.forward(CLIENT, segment(at.to, at.from, ACK, 9001, 111));
    let half_open = segment(app(40001), service(), SYN, 7, 0);
    net.forward(APP, half_open);
    let came = net.pass(IDLE);
    let resets: Vec<_> = came
        .iter()
        .map(|(when, one)| {
            let headers = one.headers();
            assert!(headers.is_reset());
            (*when, one.to, headers.from, headers.to, headers.seq)
        })
        .collect();
    assert_eq!(
        resets,
        [
            (IDLE, APP, service(), app(40000), 9001),
            (IDLE, CLIENT, at.from, service(), 111)
        ]
    );
    let ended = net
        .conversation(app(40000), service())
        .ended
        .expect("an end");
    assert_eq!((ended.by, ended.reset), (Party::Fabric, true));
}

#[test]
fn a_syn_without_answer_and_datagrams_have_limits_of_their_own() {
    let mut net = net();
    net.forward(APP, segment(app(40000), service(), SYN, 7, 0));
    net.send(APP, datagram(app(40000), end(CLIENT_IP, 53), 10));
    assert_eq!(net.fabric.mappings().len(), 2);
    net.pass(ms(30_000));
    let states =
        |net: &Net| -> Vec<FlowState> { net.fabric.mappings().iter().map(|m| m.state).collect() };
    assert_eq!(states(&net), [FlowState::Expired, FlowState::SynSent]);
    net.pass(ms(30_000));
    assert_eq!(states(&net), [FlowState::Expired, FlowState::Expired]);
    assert_eq!(counters(&net).idle, 0, "they were never established");
}
