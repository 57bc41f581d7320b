//! VPCs: cut off from each other, unless they are peered, and then no further.

use crate::kit::*;
use hairpin::fabric::Config;
use hairpin::fabric::config::*;
use hairpin::fabric::record::*;

/// VPCs that are peered.
type Pairs = &'static [(u16, u16)];

/// web2 is in VPC 1, `inside` in VPC 2, everything else in the default one.
fn apart(peered: &[(u16, u16)]) -> Config {
    let mut config = config();
    config.vpcs = Vpcs {
        ports: vec![VpcId(0), VpcId(0), VpcId(1), VpcId(2)],
        balancers: vec![VpcId(0)],
        peered: peered
            .iter()
            .map(|&(one, other)| (VpcId(one), VpcId(other)))
            .collect(),
    };
    config
}

fn fate(config: Config, from: PortId, source: &str, to: &str) -> Fate {
    let mut net = Net::new(config);
    net.send(
        from,
        segment(end(source, 40_000), end(to, 80), SYN, 1, 0).bytes(),
    );
    net.last_fate()
}

#[test]
fn only_what_is_peered_reaches_each_other_and_no_further() {
    let cut = Fate::Dropped(Reason::NotRoutable);
    // Who is peered, and whether web2 (1) reaches web1 (0), `inside` (2) and the balancer (0).
    let table: [(Pairs, [bool; 3]); 4] = [
        (&[], [false, false, false]),
        (&[(0, 1)], [true, false, true]),
        (&[(1, 0)], [true, false, true]),
        (&[(0, 2), (2, 1)], [false, true, false]),
    ];
    for (peered, reached) in table {
        for (to, reached) in [WEB1_IP, INSIDE_IP, FRONT_A_PRIVATE]
            .into_iter()
            .zip(reached)
        {
            let fate = fate(apart(peered), WEB2, WEB2_IP, to);
            assert_eq!(fate != cut, reached, "{peered:?} {to} {fate:?}");
        }
    }
    // The internet has nothing to do with it.
    let mut config = apart(&[]);
    config.balancers[0].prefer = one_target().balancers[0].prefer.clone();
    let fate = fate(config, INSIDE, INSIDE_IP, FRONT_A);
    assert!(matches!(fate, Fate::Forwarded(_)), "{fate:?}");
}

#[test]
fn a_balancer_reaches_targets_of_peered_vpcs_only() {
    let only_web2 = |peered: &[(u16, u16)]| {
        let mut config = apart(peered);
        config.groups[0].targets.remove(0);
        config
    };
    let without = fate(only_web2(&[]), CLIENT, CLIENT_IP, FRONT_B);
    assert_eq!(without, Fate::Dropped(Reason::NotRoutable));
    let with = fate(only_web2(&[(0, 1)]), CLIENT, CLIENT_IP, FRONT_B);
    assert_eq!(with, Fate::Forwarded(WEB2));
}
