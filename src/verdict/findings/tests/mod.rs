//! Each mechanism where it must speak and where it must stay silent.

mod beginnings;
mod collisions;
mod endings;
mod gateways;
mod headers;
mod targets;

use super::*;
use crate::verdict::kit::{Kit, OLD, flagship, harmless, old_is_up};

fn kinds(kit: &Kit) -> Vec<String> {
    recognise(&kit.evidence)
        .into_iter()
        .map(|f| f.kind)
        .collect()
}

fn the(kit: &Kit, kind: &str) -> Finding {
    let mut of_kind: Vec<Finding> = recognise(&kit.evidence)
        .into_iter()
        .filter(|f| f.kind == kind)
        .collect();
    assert_eq!(of_kind.len(), 1, "one {kind} in {:?}", kinds(kit));
    of_kind.remove(0)
}

/// The target closes first; its socket is left in TIME_WAIT, the client's is gone.
fn closed_by_the_target() -> (Kit, usize) {
    let (mut kit, old) = old_is_up();
    kit.down(old, "F.", OLD.server + 65, OLD.client + 65, 0);
    kit.up(old, "F.", OLD.client + 65, OLD.server + 66, 0);
    kit.down(old, ".", OLD.server + 66, OLD.client + 66, 0);
    kit.of(old).client_state = String::new();
    kit.of(old).server_state = "TIME_WAIT".into();
    kit.of(old).ended = "eof".into();
    kit.flow(old).state = "closed".into();
    (kit, old)
}

#[test]
fn two_connections_to_two_targets_show_nothing() {
    assert_eq!(kinds(&harmless()), [""; 0]);
    assert_eq!(recognise(&Evidence::default()), []);
}

#[test]
fn findings_come_in_the_order_of_the_list_and_every_kind_has_a_page() {
    let found = kinds(&flagship());
    let places: Vec<_> = found
        .iter()
        .map(|kind| KINDS.iter().position(|k| k == kind))
        .collect();
    assert!(places.is_sorted() && places.iter().all(Option::is_some));
    for kind in KINDS {
        let page =
            crate::verdict::pages::page(kind).unwrap_or_else(|| panic!("no page for {kind}"));
        assert!(
            page.starts_with(kind),
            "{kind}: the page's first word is its name"
        );
    }
    assert_eq!(crate::verdict::pages::page("flow-colision"), None);
}
