//! The manual pages of findings: what happens, how to recognise it in production, what fixes it, sources.
//!
//! Plain text of at most 100 columns, one file a kind, for `hairpin explain KIND`.

/// The page of a kind of finding; none for a word that is no kind.
pub fn page(kind: &str) -> Option<&'static str> {
    PAGES
        .iter()
        .find(|(name, _)| *name == kind)
        .map(|(_, page)| *page)
}

/// By kind, in the order of [`super::findings::KINDS`].
const PAGES: &[(&str, &str)] = &[
    ("flow-collision", include_str!("flow-collision.txt")),
    ("challenge-ack", include_str!("challenge-ack.txt")),
    ("loopback", include_str!("loopback.txt")),
    ("self-connect", include_str!("self-connect.txt")),
    ("hairpin-bypass", include_str!("hairpin-bypass.txt")),
    ("reverse-path-drop", include_str!("reverse-path-drop.txt")),
    ("asymmetric-path", include_str!("asymmetric-path.txt")),
    ("syn-moved", include_str!("syn-moved.txt")),
    ("moved-flow", include_str!("moved-flow.txt")),
    ("conntrack-invalid", include_str!("conntrack-invalid.txt")),
    ("stale-translation", include_str!("stale-translation.txt")),
    (
        "forgotten-translation",
        include_str!("forgotten-translation.txt"),
    ),
    ("port-exhaustion", include_str!("port-exhaustion.txt")),
    (
        "ephemeral-port-exhaustion",
        include_str!("ephemeral-port-exhaustion.txt"),
    ),
    ("insertion-race", include_str!("insertion-race.txt")),
    ("flow-table-full", include_str!("flow-table-full.txt")),
    ("spillover", include_str!("spillover.txt")),
    (
        "provisioning-failed",
        include_str!("provisioning-failed.txt"),
    ),
    (
        "registration-refused",
        include_str!("registration-refused.txt"),
    ),
    ("target-not-in-use", include_str!("target-not-in-use.txt")),
    (
        "zone-without-targets",
        include_str!("zone-without-targets.txt"),
    ),
    (
        "no-registered-target",
        include_str!("no-registered-target.txt"),
    ),
    ("stale-dns-address", include_str!("stale-dns-address.txt")),
    ("zone-blind-answers", include_str!("zone-blind-answers.txt")),
    ("no-listener", include_str!("no-listener.txt")),
    (
        "security-group-drop",
        include_str!("security-group-drop.txt"),
    ),
    ("network-acl-drop", include_str!("network-acl-drop.txt")),
    ("pmtu-black-hole", include_str!("pmtu-black-hole.txt")),
    ("fragments-dropped", include_str!("fragments-dropped.txt")),
    ("undetected-damage", include_str!("undetected-damage.txt")),
    ("delivered-twice", include_str!("delivered-twice.txt")),
    (
        "needless-retransmission",
        include_str!("needless-retransmission.txt"),
    ),
    ("standing-queue", include_str!("standing-queue.txt")),
    ("delayed-ack", include_str!("delayed-ack.txt")),
    ("untranslated-sack", include_str!("untranslated-sack.txt")),
    (
        "window-scale-mismatch",
        include_str!("window-scale-mismatch.txt"),
    ),
    ("zero-window", include_str!("zero-window.txt")),
    ("black-hole", include_str!("black-hole.txt")),
    (
        "draining-terminated",
        include_str!("draining-terminated.txt"),
    ),
    ("outlives-draining", include_str!("outlives-draining.txt")),
    ("outlives-rule", include_str!("outlives-rule.txt")),
    ("idle-expiry", include_str!("idle-expiry.txt")),
    ("mid-stream-drop", include_str!("mid-stream-drop.txt")),
    ("keepalive-in-vain", include_str!("keepalive-in-vain.txt")),
    ("keep-alive-race", include_str!("keep-alive-race.txt")),
    (
        "client-closed-request",
        include_str!("client-closed-request.txt"),
    ),
    ("ignored-reset", include_str!("ignored-reset.txt")),
    ("vanished-peer", include_str!("vanished-peer.txt")),
    (
        "connection-timed-out",
        include_str!("connection-timed-out.txt"),
    ),
    ("unread-close", include_str!("unread-close.txt")),
    ("undetected-target", include_str!("undetected-target.txt")),
    ("unhealthy-reset", include_str!("unhealthy-reset.txt")),
    ("healthy-but-silent", include_str!("healthy-but-silent.txt")),
    ("fail-open", include_str!("fail-open.txt")),
    ("half-open", include_str!("half-open.txt")),
    ("udp-pinned", include_str!("udp-pinned.txt")),
    ("tw-recycle", include_str!("tw-recycle.txt")),
    ("ipvs-port-reuse", include_str!("ipvs-port-reuse.txt")),
    (
        "ipvs-no-destination",
        include_str!("ipvs-no-destination.txt"),
    ),
    (
        "health-check-host-header",
        include_str!("health-check-host-header.txt"),
    ),
    (
        "proxy-protocol-mismatch",
        include_str!("proxy-protocol-mismatch.txt"),
    ),
    (
        "proxy-protocol-stall",
        include_str!("proxy-protocol-stall.txt"),
    ),
    ("accept-queue-full", include_str!("accept-queue-full.txt")),
    ("syn-queue-full", include_str!("syn-queue-full.txt")),
    ("icmp-rate-limit", include_str!("icmp-rate-limit.txt")),
    ("accept-queue-reset", include_str!("accept-queue-reset.txt")),
    (
        "unshared-connections",
        include_str!("unshared-connections.txt"),
    ),
    ("bad-gateway", include_str!("bad-gateway.txt")),
    ("gateway-timeout", include_str!("gateway-timeout.txt")),
    ("lost-syn", include_str!("lost-syn.txt")),
    ("stale-connection", include_str!("stale-connection.txt")),
    ("refused", include_str!("refused.txt")),
    ("unreachable", include_str!("unreachable.txt")),
    ("syn-unanswered", include_str!("syn-unanswered.txt")),
];

#[cfg(test)]
mod tests {
    use super::PAGES;
    use crate::verdict::findings::KINDS;

    /// What people have at hand where it happens.
    const TOOLS: [&str; 4] = ["tcpdump ", "nstat ", "CloudWatch", "aws "];

    #[test]
    fn every_kind_has_a_page_that_fits_a_terminal() {
        assert!(
            PAGES
                .iter()
                .map(|(kind, _)| *kind)
                .eq(KINDS.iter().copied())
        );
        for (kind, page) in PAGES {
            assert!(page.starts_with(kind) && page.ends_with('\n'), "{kind}");
            for part in [
                "\nWHAT HAPPENS\n",
                "\nHOW TO RECOGNISE IT\n",
                "\nWHAT FIXES IT\n",
                "\nSHOWN IN\n",
                "\nSOURCES\n",
            ] {
                assert!(page.contains(part), "{kind} has no{part}");
            }
            let (_, recognise) = page
                .split_once("\nHOW TO RECOGNISE IT\n")
                .expect("it is there");
            let (recognise, _) = recognise.split_once("\nWHAT FIXES IT\n").expect("and then");
            assert!(
                TOOLS.iter().any(|tool| recognise.contains(tool)),
                "{kind} names nothing to look with"
            );
            for line in page.lines() {
                assert!(
                    (line.chars().count() <= 100 || line.contains("https://"))
                        && !line.ends_with(' '),
                    "{kind}: {line}"
                );
            }
        }
    }
}
