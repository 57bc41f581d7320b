//! A listener with several target groups: shares of new connections.

use crate::kit::play;

const LAB: &str = "
hosts:
  client: {}
  web1: { zone: a, serve: { 80: echo } }
  web2: { zone: b, serve: { 80: echo } }
target_groups:
  blue: { targets: [web1] }
  green: { targets: [web2] }
load_balancers:
  front:
    zones: [a, b]
    listeners: { 80: { target_groups: { blue: 90, green: 10 } } }
    attributes: { load_balancing.cross_zone.enabled: true }
steps:
  - load: { as: visits, from: client, to: front, connections: 400, request: 16 }
";

const BLUE: &str = "load_balancers.front.listeners.80.target_groups.blue";

#[test]
fn weights_are_shares_of_connections() {
    let cases = [
        ("nine-to-one", "{}".to_owned()),
        ("rolled-forward", format!("{{ {BLUE}: 0 }}")),
        ("removed", format!("{{ {BLUE}: null }}")),
        ("evenly", format!("{{ {BLUE}: 10 }}")),
        (
            "sticky",
            format!("{{ {BLUE}: 10, target_groups.blue.attributes.stickiness.enabled: true }}"),
        ),
        (
            "one",
            "{ load_balancers.front.listeners.80: { target_groups: null, target_group: green } }"
                .to_owned(),
        ),
    ];
    let cases: Vec<(&str, &str)> = cases.iter().map(|(name, set)| (*name, &**set)).collect();
    let Some(lab) = play(LAB, &cases) else {
        return;
    };
    let blue = |name: &str| {
        let visits = lab.case(name).step("visits");
        assert_eq!(visits["failed"], 0, "{visits}");
        assert_eq!(visits["attempts"], 400, "{visits}");
        visits["by_target"]["web1"].as_u64().unwrap_or(0)
    };
    // Six standard deviations of the binomial: 6 * sqrt(400 * 0.9 * 0.1) = 36, 6 * sqrt(400 * 0.25) = 60.
    let share = blue("nine-to-one");
    assert!((324..=396).contains(&share), "{share}");
    let share = blue("evenly");
    assert!((140..=260).contains(&share), "{share}");
    assert_eq!(blue("rolled-forward"), 0);
    assert_eq!(blue("removed"), 0);
    assert_eq!(blue("one"), 0);
    // One client, one choice.
    let share = blue("sticky");
    assert!(share == 0 || share == 400, "{share}");
}
