//! When those end who see what passes inside hosts.

use crate::common::{can_run_labs, eventually};
use crate::{GONE, Run, UP, alone};
use std::collections::BTreeMap;
use std::fs;

/// Three cases, in the order of how long they are thought to take: the first is over at once, the second goes on, and for the
/// third the first one's world stays.
fn one_after_the_other(marker: &str) -> String {
    format!(
        r#"
title: One case is over, another one goes on
hosts:
  router: {{}}
  a: {{ behind: router }}
  b: {{ behind: router, serve: {{ 80: echo }} }}
steps:
  - connect: {{ as: hello, from: a, to: b }}
  - wait_until: {{ as: soon, that: hello.ok, timeout: 100s }}
  - run: {{ as: program, on_host: a, command: "true", timeout: 600s }}
works:
  - hello.ok
cases:
  first:
    kind: control
  second:
    kind: control
    set:
      steps.soon: {{ wait: 1ms }}
      steps.program.command: "sleep 600 & wait; : {marker}"
  third:
    kind: control
    set:
      steps.soon: {{ wait: 1ms }}
      steps.program: {{ wait: 1ms }}
"#
    )
}

/// Left to the end, observers would end one after the other in the process's exit, each after two grace periods of the kernel.
#[test]
fn who_observed_a_case_ends_with_it_and_not_with_the_run() {
    if !can_run_labs() {
        return;
    }
    let _alone = alone();
    let run = Run::of("observed", &["--jobs", "1"], one_after_the_other);
    let [_, _, worker] = eventually(UP, "the second case's program runs", || {
        (!run.alive().is_empty()).then(|| run.family())
    });
    eventually(GONE, "of two worlds one is observed", || {
        let (namespaces, observed) = namespaces(worker);
        (namespaces >= 2 * 3 && observed == 1).then_some(())
    });
}

/// Namespaces of the network that a process has threads in, and those of them with a packet socket.
fn namespaces(pid: u32) -> (usize, usize) {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).expect("it is alive");
    let all: BTreeMap<_, _> = threads
        .flatten()
        .filter_map(|thread| {
            let namespace = fs::read_link(thread.path().join("ns/net")).ok()?;
            let sockets = fs::read_to_string(thread.path().join("net/packet")).ok()?;
            // The first line has titles.
            Some((namespace, sockets.lines().count() > 1))
        })
        .collect();
    (
        all.len(),
        all.values().filter(|observed| **observed).count(),
    )
}
