//! Segments that a story puts into the network.

use crate::kit::{fine, has, once};
use serde_json::json;

/// A connection stands as soon as the SYN-ACK is here, over either family: there is a place in the stream to go on from.
#[test]
fn a_segment_is_injected_into_whatever_stands() {
    let Some(case) = once(
        r#"
hosts:
  client: { ipv6: auto }
  web: { zone: a, ipv6: auto, public_address: auto, serve: { 80: echo } }
steps:
  - connect: { as: four, from: client, to: "web/public:80", family: ipv4 }
  - inject: { as: into_four, over: four, flags: RST, beyond: 0 }
  - connect: { as: six, from: client, to: "web/public:80", family: ipv6 }
  - inject: { as: into_six, over: six, flags: RST, beyond: 0 }
  - connect: { as: older, from: client, to: "web/public:80", family: ipv6 }
  - exchange: { over: older, as: talk }
  - inject: { as: into_older, over: older, flags: RST, beyond: 0 }
  - connect: { as: nobody, from: client, to: "web/public:81", family: ipv6, source_port: 20000 }
  - inject: { as: into_nobody, over: nobody, flags: RST, beyond: 0 }
  - wait_until: { as: gone, that: 'hosts.client.sockets.size() == 0', timeout: 5s }
"#,
    ) else {
        return;
    };
    for step in ["into_four", "into_six", "talk", "into_older", "gone"] {
        fine(case.step(step));
    }
    for connection in ["four", "six", "older"] {
        has(case.connection(connection), json!({ "ended": "reset" }));
    }
    let resets = case.packets(|p| p["flags"] == "R" && p["sender"] == "web");
    assert_eq!(resets.len(), 3);
    assert!(resets.iter().all(|p| p["injected"] == true), "{resets:?}");
    let error = json!({ "ok": false, "error": "not-connected" });
    has(case.step("into_nobody"), error);
}
