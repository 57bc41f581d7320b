//! What a security group remembers, for how long, and what a change of its rules cuts.

use super::*;
use hairpin::fabric::change::Change;
use hairpin::packet::UDP;

#[test]
fn a_security_group_forgets_after_a_while() {
    // web1 asks web2 by UDP, and may be answered only because it asked.
    let ask = datagram(end(WEB1_IP, 5000), end(WEB2_IP, 53), 4);
    let answer = || datagram(end(WEB2_IP, 53), end(WEB1_IP, 5000), 4);
    let mut config = open(config());
    web(vec![])(&mut config.guards);
    config.guards.security_groups[0].egress = vec![rule(Traffic::Udp(Ports::ALL), VPC)];
    let mut net = Net::new(config);
    net.send(WEB1, ask.clone());
    net.now += Duration::from_secs(29);
    assert_eq!(net.send(WEB2, answer()).len(), 1);
    // It went to and fro: a stream.
    net.now += Duration::from_secs(179);
    assert_eq!(net.send(WEB2, answer()).len(), 1);
    net.now += Duration::from_secs(180);
    assert_eq!(net.dropped(WEB2, answer()), Reason::SecurityGroupIngress);
    net.send(WEB1, ask);
    net.now += Duration::from_secs(30);
    let (view, fate) = (net.dropped(WEB2, answer()), net.fabric.refusals().len());
    assert_eq!((view, fate), (Reason::SecurityGroupIngress, 2));
    assert_eq!(net.fabric.refusals()[0].view.protocol, UDP);
}

#[test]
fn a_connection_that_is_over_is_asked_for_again() {
    let mut config = open(config());
    web(vec![])(&mut config.guards);
    let mut net = Net::new(config);
    // web1 may call out; when its connection is over, nobody may use its ports to come in.
    let (web1, web2) = (end(WEB1_IP, 80), end(WEB2_IP, C));
    net.connect(WEB1, web1, web2, 1);
    net.forward(WEB1, segment(web1, web2, FIN | ACK, 2, 9001));
    net.forward(WEB2, segment(web2, web1, FIN | ACK, 9001, 3));
    net.forward(WEB1, segment(web1, web2, ACK, 3, 9002));
    let back = segment(web2, web1, SYN, 77, 0);
    assert_eq!(
        net.dropped(WEB2, back.bytes()),
        Reason::SecurityGroupIngress
    );
}

#[test]
fn an_error_about_a_known_connection_comes_through() {
    let mut config = open(one_target());
    web(vec![rule(tcp(80, 80), CLIENTS)])(&mut config.guards);
    config.guards.security_groups[0].egress = vec![];
    config.balancers[0].on_target_error = OnTargetError::Pass;
    let mut net = Net::new(config);
    let (client, front) = (end(CLIENT_IP, C), end(FRONT_A, 80));
    let arrived = net.syn(CLIENT, client, front, 1);
    // "Port unreachable" of the target, about the client's SYN as the target got it.
    let syn = segment(arrived.from, arrived.to, SYN, 1, 0).bytes();
    let error = port_unreachable(WEB1_IP, CLIENT_IP, &syn);
    let came = net.send(WEB1, error);
    assert_eq!(came.len(), 1, "{:?}", net.last_fate());
    assert_eq!(came[0].to, CLIENT);
    // About a connection that nobody knows.
    let other = segment(end(CLIENT_IP, 1), end(WEB1_IP, 80), SYN, 1, 0).bytes();
    let error = port_unreachable(WEB1_IP, CLIENT_IP, &other);
    assert_eq!(net.dropped(WEB1, error), Reason::SecurityGroupEgress);
}

#[test]
fn an_error_about_a_connection_that_is_forgotten_is_refused() {
    let mut config = open(config());
    web(vec![])(&mut config.guards);
    config.guards.security_groups[0].egress = vec![rule(Traffic::Udp(Ports::ALL), VPC)];
    let mut net = Net::new(config);
    let ask = datagram(end(WEB1_IP, 5000), end(WEB2_IP, 53), 4);
    let error = || port_unreachable(WEB2_IP, WEB1_IP, &ask);
    net.send(WEB1, ask.clone());
    net.now += Duration::from_secs(29);
    assert_eq!(net.send(WEB2, error()).len(), 1, "{:?}", net.last_fate());
    // It was no packet of the connection, whose 30 seconds are over.
    net.now += Duration::from_secs(1);
    assert_eq!(net.dropped(WEB2, error()), Reason::SecurityGroupIngress);
}

/// web1 and web2 talk directly; then the rule that let web2 in is taken away.
fn after_the_rule_is_gone(ingress: &str, egress: Vec<Rule>) -> Fate {
    let mut config = open(config());
    web(vec![rule(tcp(80, 80), ingress)])(&mut config.guards);
    config.guards.security_groups[0].egress = egress;
    let mut net = Net::new(config.clone());
    let (web2, web1) = (end(WEB2_IP, C), end(WEB1_IP, 80));
    net.connect(WEB2, web2, web1, 1);
    config.guards.security_groups[0].ingress.clear();
    let change = Change::Configure(Box::new(config));
    net.fabric.apply(net.now, change, &mut net.out);
    let newcomer = segment(end(WEB2_IP, C + 1), web1, SYN, 1, 0);
    assert_eq!(
        net.dropped(WEB2, newcomer.bytes()),
        Reason::SecurityGroupIngress
    );
    net.send(
        WEB2,
        segment(web2, web1, ACK, 2, 9001).with_payload(10).bytes(),
    );
    net.last_fate()
}

#[test]
fn taking_a_rule_away_leaves_what_is_tracked_and_cuts_what_is_not() {
    let everything = || vec![rule(Traffic::All, ANY)];
    let cut = Fate::Dropped(Reason::SecurityGroupIngress);
    assert_eq!(
        after_the_rule_is_gone(VPC, everything()),
        Fate::Forwarded(WEB1)
    );
    // Allowed for everyone, and every answer too: not tracked.
    assert_eq!(after_the_rule_is_gone(ANY, everything()), cut);
    // For everyone, but not every answer: tracked.
    let some = vec![rule(Traffic::All, VPC)];
    assert_eq!(after_the_rule_is_gone(ANY, some), Fate::Forwarded(WEB1));
}

#[test]
fn what_comes_through_a_balancer_is_always_tracked() {
    let mut config = open(one_target());
    web(vec![rule(tcp(80, 80), ANY)])(&mut config.guards);
    let mut net = Net::new(config.clone());
    let (client, front) = (end(CLIENT_IP, C), end(FRONT_A, 80));
    net.connect(CLIENT, client, front, 1);
    config.guards.security_groups[0].ingress.clear();
    net.fabric
        .apply(net.now, Change::Configure(Box::new(config)), &mut net.out);
    net.forward(
        CLIENT,
        segment(client, front, ACK, 2, 9001).with_payload(10),
    );
    let newcomer = segment(end(CLIENT_IP, C + 1), front, SYN, 1, 0);
    assert_eq!(
        net.dropped(CLIENT, newcomer.bytes()),
        Reason::SecurityGroupIngress
    );
}
