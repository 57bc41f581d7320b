//! For every kind of finding one story, told twice: as it happened, where the detector must speak and cite something,
//! and with the one thing changed that makes it something else, where it must be silent. As it happened, a story shows
//! its own kind and what is named beside it, and nothing else: so each detector meets the stories of all others.

mod balancers;
pub(in crate::verdict::findings) mod boxes;
mod connections;
mod hosts;
mod links;
mod network;
pub(in crate::verdict::findings) mod nodes;
mod requests;
mod timeouts;
pub(in crate::verdict::findings) mod ways;

pub(super) use balancers::behind_a_header;

use super::*;
use crate::verdict::kit::{Kit, OLD};
use balancers::*;
use boxes::*;
use connections::*;
use hosts::*;
use links::*;
use network::*;
use nodes::*;
use requests::*;
use timeouts::*;
use ways::*;

/// A kind, its story (`true`: as it happened), and what else the story shows.
struct Story {
    kind: &'static str,
    told: fn(bool) -> Kit,
    beside: &'static [&'static str],
}

const fn story(
    kind: &'static str,
    told: fn(bool) -> Kit,
    beside: &'static [&'static str],
) -> Story {
    Story { kind, told, beside }
}

/// In the order of [`KINDS`].
const STORIES: &[Story] = &[
    story(
        flow_collision::KIND,
        collision,
        &["challenge-ack", "stale-connection"],
    ),
    story(
        challenge_ack::KIND,
        challenge,
        &["flow-collision", "stale-connection"],
    ),
    story(loopback::KIND, home, &["syn-unanswered"]),
    story(self_connect::KIND, both_ends, &[]),
    story(hairpin_bypass::KIND, bypass, &[]),
    story(reverse_path_drop::KIND, reverse_path, &[]),
    story(asymmetric_path::KIND, one_direction, &[]),
    story(syn_moved::KIND, opened_twice, &[]),
    story(moved_flow::KIND, elsewhere, &[]),
    story(conntrack_invalid::KIND, invalid, &[]),
    story(stale_translation::KIND, inherited, &[]),
    story(forgotten_translation::KIND, lost_entry, &[]),
    story(port_exhaustion::KIND, no_port, &[]),
    story(ephemeral_port_exhaustion::KIND, no_local_port, &[]),
    story(insertion_race::KIND, chosen_twice, &[]),
    story(flow_table_full::KIND, no_room, &[]),
    story(spillover::KIND, spilled, &[]),
    story(provisioning_failed::KIND, not_provisioned, &[]),
    story(registration_refused::KIND, not_registered, &[]),
    story(target_not_in_use::KIND, not_in_use, &[]),
    story(zone_without_targets::KIND, empty_zone, &[]),
    story(no_registered_target::KIND, nobody_registered, &[]),
    story(stale_dns_address::KIND, old_answer, &["unreachable"]),
    story(zone_blind_answers::KIND, answered_alike, &[]),
    story(no_listener::KIND, nobody_listens, &[]),
    story(guard_drop::SECURITY_GROUP, by_group, &[]),
    story(guard_drop::NETWORK_ACL, by_acl, &[]),
    story(pmtu_black_hole::KIND, too_large, &[]),
    story(fragments_dropped::KIND, without_ports, &[]),
    story(undetected_damage::KIND, damaged, &[]),
    story(delivered_twice::KIND, said_twice, &[]),
    story(needless_retransmission::KIND, overtaken, &[]),
    story(standing_queue::KIND, queued, &[]),
    story(delayed_ack::KIND, held_back, &[]),
    story(untranslated_sack::KIND, renumbered, &[]),
    story(window_scale_mismatch::KIND, in_units, &[]),
    story(zero_window::KIND, unread, &[]),
    story(black_hole::KIND, swallowed, &[]),
    story(draining_terminated::KIND, terminated, &[]),
    story(outlives_draining::KIND, talked_on, &[]),
    story(
        outlives_rule::KIND,
        revoked,
        &["security-group-drop", "syn-unanswered"],
    ),
    story(idle_expiry::KIND, forgotten, &[]),
    story(mid_stream_drop::KIND, forgotten_by_a_firewall, &[]),
    story(keepalive_in_vain::KIND, kept_in_vain, &[]),
    story(keep_alive_race::KIND, crossed, &[]),
    story(client_closed_request::KIND, impatient, &[]),
    story(ignored_reset::KIND, not_believed, &[]),
    story(vanished_peer::KIND, cut_off, &[]),
    story(connection_timed_out::KIND, given_up, &[]),
    story(unread_close::KIND, closed_unread, &[]),
    story(undetected_target::KIND, not_noticed, &["syn-unanswered"]),
    story(unhealthy_reset::KIND, turned_away, &[]),
    story(healthy_but_silent::KIND, nothing_said, &[]),
    story(fail_open::KIND, none_healthy, &[]),
    story(half_open::KIND, late_answer, &[]),
    story(udp_pinned::KIND, one_port, &[]),
    story(tw_recycle::KIND, older_timestamp, &[]),
    story(ipvs_port_reuse::KIND, old_entry, &[]),
    story(ipvs_no_destination::KIND, kept_entry, &[]),
    story(health_check_host_header::KIND, other_name, &[]),
    story(proxy_protocol_mismatch::KIND, unread_header, &[]),
    story(proxy_protocol_stall::KIND, awaited_header, &[]),
    story(accept_queue_full::KIND, full_queue, &[]),
    story(syn_queue_full::KIND, half_open_ones, &[]),
    story(icmp_rate_limit::KIND, kept_back, &[]),
    story(accept_queue_reset::KIND, closed_queue, &[]),
    story(unshared_connections::KIND, one_for_each_client, &[]),
    story(bad_gateway::KIND, no_answer, &[]),
    story(gateway_timeout::KIND, no_answer_in_time, &[]),
    story(lost_syn::KIND, sent_again, &[]),
    story(stale_connection::KIND, one_end_gone, &[]),
    story(refused::KIND, refusal, &[]),
    story(unreachable::KIND, no_way, &[]),
    story(syn_unanswered::KIND, silence, &[]),
];

fn shown(kit: &Kit) -> Vec<Finding> {
    recognise(&kit.evidence)
}

#[test]
fn every_kind_has_a_story() {
    assert!(
        STORIES
            .iter()
            .map(|story| story.kind)
            .eq(KINDS.iter().copied())
    );
}

#[test]
fn every_detector_speaks_in_its_own_story_and_cites_something() {
    for story in STORIES {
        let kit = (story.told)(true);
        let found = shown(&kit);
        let own = found.iter().find(|finding| finding.kind == story.kind);
        let own = own.unwrap_or_else(|| panic!("{} is mute", story.kind));
        assert!(
            own.summary.ends_with('.'),
            "{}: {}",
            story.kind,
            own.summary
        );
        assert!(
            !own.packets.is_empty()
                || !own.connections.is_empty()
                || !own.counters.is_empty()
                || !own.values.is_empty(),
            "{} cites nothing",
            story.kind
        );
        assert!(own.packets.iter().all(|p| *p < kit.evidence.packets.len()));
        assert!(
            own.connections
                .iter()
                .all(|c| *c < kit.evidence.connections.len())
        );
    }
}

#[test]
fn every_detector_is_silent_in_the_look_alike_of_its_story() {
    for story in STORIES {
        let found = shown(&(story.told)(false));
        assert!(
            found.iter().all(|finding| finding.kind != story.kind),
            "{} speaks of its look-alike",
            story.kind
        );
    }
}

#[test]
fn every_detector_is_silent_in_the_stories_of_the_others() {
    for story in STORIES {
        let found = shown(&(story.told)(true));
        let others: Vec<&str> = found
            .iter()
            .map(|finding| finding.kind.as_str())
            .filter(|kind| *kind != story.kind)
            .collect();
        assert_eq!(others, story.beside, "beside {}", story.kind);
    }
}

/// A connection that has talked.
fn talking() -> (Kit, usize) {
    let mut kit = Kit::new();
    let one = kit.connect("talk", 40000, "front/a", "web1");
    kit.handshake(one, OLD);
    kit.exchange(one, OLD);
    kit.now = 4000.0;
    (kit, one)
}
