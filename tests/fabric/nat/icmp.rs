//! ICMP errors: they follow the packet that they quote.

use super::*;
use hairpin::packet::VnetHeader;
use hairpin::packet::quote::Quote;

#[test]
fn icmp_errors_follow_the_packet_they_quote_both_ways() {
    let mut net = net();
    let out = net.forward_datagram(APP, app(40000), service());
    let error = port_unreachable(CLIENT_IP, EGRESS, &out.bytes);
    let came = net.send(CLIENT, error).remove(0);
    assert_eq!((came.to, came.headers().destination()), (APP, ip(APP_IP)));
    let quote = Quote::read(&came.bytes, &came.headers()).expect("a quote");
    assert_eq!((quote.from, quote.to), (app(40000), service()));
    // The other way: the host has closed its socket when the answer comes.
    let back = net
        .send(CLIENT, datagram(service(), end(EGRESS, 1024), 20))
        .remove(0);
    let error = port_unreachable(APP_IP, CLIENT_IP, &back.bytes);
    let came = net.send(APP, error).remove(0);
    assert_eq!((came.to, came.headers().source()), (CLIENT, ip(EGRESS)));
    let quote = Quote::read(&came.bytes, &came.headers()).expect("a quote");
    assert_eq!((quote.from, quote.to), (service(), end(EGRESS, 1024)));
    // About something that never was.
    let error = port_unreachable(CLIENT_IP, EGRESS, &datagram(end(EGRESS, 9), service(), 20));
    assert_eq!(net.dropped(CLIENT, error), Reason::IcmpUnrelated);
}

#[test]
fn errors_about_what_a_target_got_come_home_through_balancer_and_gateway() {
    let mut config = behind(gateway());
    config.balancers[0].on_target_error = OnTargetError::Pass;
    let mut net = Net::new(config);
    let at = net.connect(APP, app(40000), end(FRONT_A, 80), 100);
    let data = net.forward(APP, segment(app(40000), end(FRONT_A, 80), ACK, 101, 9001));
    let came = net
        .send(at.port, port_unreachable(WEB1_IP, EGRESS, &data.bytes))
        .remove(0);
    assert_eq!(came.to, APP);
    assert_eq!(
        (came.headers().source(), came.headers().destination()),
        (ip(FRONT_A), ip(APP_IP))
    );
    let quote = Quote::read(&came.bytes, &came.headers()).expect("a quote");
    assert_eq!((quote.from, quote.to), (app(40000), end(FRONT_A, 80)));
}

impl Net {
    fn forward_datagram(
        &mut self,
        from: PortId,
        source: SocketAddrV4,
        to: SocketAddrV4,
    ) -> Delivery {
        self.send_frame(from, VnetHeader::default(), datagram(source, to, 20))
            .remove(0)
    }
}
