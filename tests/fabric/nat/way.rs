//! What the internet, the VPC and a balancer see of hosts behind a gateway, and what passes in neither direction.

use super::*;

#[test]
fn the_internet_sees_the_gateways_address_and_answers_come_back() {
    let mut net = net();
    let at = net.connect(APP, app(40000), service(), 100);
    assert_eq!(at.from, end(EGRESS, 1024));
    assert_eq!((at.to, at.port), (service(), CLIENT));
    let mapping = &net.fabric.mappings()[0];
    assert_eq!(
        (mapping.inside.from, mapping.outside.from),
        (app(40000), end(EGRESS, 1024))
    );
    assert_eq!(mapping.state, FlowState::Established);
    let conversation = net.conversation(app(40000), service());
    assert_eq!((conversation.syns, conversation.ended), (1, None));
    close(&mut net, APP, app(40000), at);
    let ended = net
        .conversation(app(40000), service())
        .ended
        .expect("an end");
    assert_eq!((ended.by, ended.reset), (Party::Client, false));
    assert_eq!(net.fabric.mappings()[0].state, FlowState::Closed);
}

#[test]
fn inside_the_vpc_nothing_is_translated() {
    let mut net = net();
    let at = net.connect(APP, app(40000), end(WEB2_IP, 80), 100);
    assert_eq!(at.from, app(40000));
    let at = net.connect(APP, app(40001), end(FRONT_A_PRIVATE, 80), 100);
    assert_eq!(at.from, app(40001));
    assert!(net.fabric.mappings().is_empty());
}

#[test]
fn without_a_gateway_there_is_no_way_out() {
    let mut config = behind(gateway());
    config.ports[APP.0 as usize].nat = None;
    let syn = segment(app(40000), service(), SYN, 1, 0);
    assert_eq!(
        Net::new(config).dropped(APP, syn.bytes()),
        Reason::NotRoutable
    );
}

#[test]
fn a_host_with_a_public_address_is_reached_and_answers_through_the_gateway() {
    let mut net = net();
    let to = end(INSIDE_PUBLIC, 80);
    let came = net
        .forward(APP, segment(app(40000), to, SYN, 100, 0))
        .headers();
    assert_eq!(
        (came.from, came.to),
        (end(EGRESS, 1024), end(INSIDE_IP, 80))
    );
    let reply = segment(end(INSIDE_IP, 80), end(EGRESS, 1024), SYN | ACK, 9000, 101);
    let came = net.forward(INSIDE, reply).headers();
    assert_eq!((came.from, came.to), (to, app(40000)));
}

#[test]
fn a_balancer_sees_the_gateway_as_the_client() {
    let mut net = net();
    let at = net.connect(APP, app(40000), end(FRONT_A, 80), 100);
    assert_eq!((at.from, at.to), (end(EGRESS, 1024), end(WEB1_IP, 80)));
    let conversation = net.conversation(app(40000), end(FRONT_A, 80));
    assert_eq!(conversation.flow, Some(FlowId(0)));
    net.forward(WEB1, segment(at.to, at.from, RST, 9001, 0));
    let ended = net
        .conversation(app(40000), end(FRONT_A, 80))
        .ended
        .expect("an end");
    assert_eq!((ended.by, ended.reset), (Party::Server, true));
}

#[test]
fn nobody_gets_in_uninvited() {
    let mut net = net();
    let syn = segment(end(CLIENT_IP, 40000), end(EGRESS, 1024), SYN, 7, 0);
    assert_eq!(net.dropped(CLIENT, syn.bytes()), Reason::MissingFlow);
    net.connect(APP, app(40000), service(), 100);
    let elsewhere = segment(end(CLIENT_IP, 444), end(EGRESS, 1024), ACK, 7, 0);
    assert_eq!(net.dropped(CLIENT, elsewhere.bytes()), Reason::MissingFlow);
    assert_eq!(counters(&net).dropped_received, 2);
}

#[test]
fn fragments_of_datagrams_pass_behind_the_first_and_no_others() {
    let mut net = net();
    let whole = datagram(app(40000), service(), 152);
    let early = part(&whole, 7, 8, false);
    assert_eq!(net.dropped(APP, early), Reason::Fragment);
    assert_eq!(counters(&net).dropped_sent, 1);
    let first = net.send(APP, part(&whole, 7, 0, true));
    let later = net.send(APP, part(&whole, 7, 8, false));
    assert_eq!(first[0].headers().source(), ip(EGRESS));
    assert_eq!(later[0].headers().source(), ip(EGRESS));
    assert_eq!((later[0].to, net.fabric.mappings().len()), (first[0].to, 1));
    let syn = segment(app(40001), service(), SYN, 7, 0);
    let fragment = part(&syn.bytes(), 7, 0, true);
    assert_eq!(net.dropped(APP, fragment), Reason::Fragment);
}
