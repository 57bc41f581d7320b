//! The end of what a bench left before: the kernel takes namespaces down in the background, with all that they know, and whoever is
//! measured meanwhile shares the processors with that.

use std::process::Command;

/// How long the kernel may take, seconds.
const TAKEN_DOWN_WITHIN: u32 = 60;

/// Waits until the kernel has taken down every namespace that was left before.
///
/// It takes them down one batch after the other, in their order (net/core/net_namespace.c, `cleanup_net`), so one that is
/// left now goes after them, and the other end of its veth goes with it. Namespaces that only a socket held until lately join
/// while the first batch waits for everybody's callbacks; the third batch begins when all of that is done.
pub fn await_taken_down() {
    let script = format!(
        "set -e; mount -t tmpfs tmpfs /run; ends=$(($(date +%s) + {TAKEN_DOWN_WITHIN})); for batch in 1 2 3; do \
         ip netns add last; ip link add seen type veth peer name gone netns last; ip netns del last; \
         while ip link show seen >/dev/null 2>&1; do [ $(date +%s) -lt $ends ]; sleep 0.01; done; done"
    );
    let done = Command::new("unshare")
        .args(["--mount", "--net", "sh", "-c", &script])
        .status()
        .expect("unshare starts");
    assert!(
        done.success(),
        "what was left before is not down after {TAKEN_DOWN_WITHIN} s, or `ip` failed"
    );
}
