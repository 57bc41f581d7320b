//! What a run leaves behind: nothing, however it ends. Observed from outside, on the built binary.

mod common;
#[path = "lifecycle/machine.rs"]
mod machine;
#[path = "lifecycle/observers.rs"]
mod observers;

use common::{Scratch, can_run_labs, eventually, everything, hairpin, skip};
use machine::Machine;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Within this everything of a dead run must be gone, also on a busy machine; a second on another.
const GONE: Duration = Duration::from_secs(5);
/// Within this a lab must be up, also on a busy machine.
const UP: Duration = Duration::from_secs(20);

/// A lab that waits, with a program that became a daemon and ignores SIGTERM. `marker` tells its processes from others.
fn lab(marker: &str) -> String {
    format!(
        r#"
title: A lab that waits
hosts:
  a: {{}}
  b: {{ zone: a, serve: {{ 80: echo }} }}
target_groups:
  web: {{ targets: [b] }}
load_balancers:
  front: {{ zones: [a], listeners: {{ 80: web }} }}
steps:
  - connect: {{ as: hello, from: a, to: front }}
  - run: {{ on_host: a, command: "setsid sh -c 'trap \"\" TERM; sleep 600; : {marker}' > /dev/null 2>&1 & sleep 600; : {marker}", background: true, timeout: 600s }}
  - wait: 600s
works:
  - hello.ok
cases:
  only:
    kind: control
"#
    )
}

/// A running lab, seen from outside.
struct Run {
    child: Child,
    marker: String,
    scratch: Scratch,
}

impl Run {
    fn start(name: &str) -> Self {
        Self::of(name, &[], lab)
    }

    /// `lab` makes a lab of a marker.
    fn of(name: &str, options: &[&str], lab: impl Fn(&str) -> String) -> Self {
        let marker = format!("hairpin-test-{name}-{}", std::process::id());
        let scratch = Scratch::new(name);
        let file = scratch.file("lab.yaml", &lab(&marker));
        let report = scratch.0.join("report.xml");
        let child = hairpin()
            .args([
                "run",
                &file,
                "--report",
                &format!("junit={}", report.display()),
            ])
            .args(options)
            .env(MARK, &marker)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        Self {
            child: child.expect("the binary starts"),
            marker,
            scratch,
        }
    }

    /// Outer, init and worker, in this order; waits until the lab's programs run.
    fn processes(&self) -> [u32; 3] {
        eventually(UP, "the lab's programs run", || {
            (self.alive().len() >= 2).then_some(())
        });
        self.family()
    }

    /// Outer, init and worker, in this order.
    fn family(&self) -> [u32; 3] {
        let outer = self.child.id();
        let init = *children_of(outer).first().expect("outer has a child");
        let worker = *children_of(init).first().expect("init has a child");
        [outer, init, worker]
    }

    /// It says that it was interrupted and ends with 130; its report says it too, and nothing is left.
    fn ends_interrupted(&mut self) {
        let limit = Duration::from_secs(20);
        let status = eventually(limit, "the run ends after a signal", || {
            self.child.try_wait().expect("a child")
        });
        assert_eq!(status.code(), Some(130));
        let said = self.said();
        assert!(
            said.contains("interrupted") && said.contains("torn down"),
            "{said}"
        );
        let report = fs::read_to_string(self.scratch.0.join("report.xml"));
        let report = report.expect("the report that was asked for");
        assert!(report.contains("type=\"interrupted\""), "{report}");
        eventually(GONE, "every process is gone", || {
            self.left().is_empty().then_some(())
        });
    }

    /// What it had to say, once it has ended.
    fn said(&mut self) -> String {
        let mut said = String::new();
        let stream = self.child.stderr.as_mut().expect("piped");
        std::io::Read::read_to_string(stream, &mut said).expect("text");
        said
    }

    /// The programs of the run.
    fn alive(&self) -> Vec<u32> {
        let says = |pid: &u32| {
            let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            String::from_utf8_lossy(&line).contains(&self.marker)
        };
        marked(&self.marker).into_iter().filter(says).collect()
    }

    /// Every process of the run, threads and programs included: all inherit its environment.
    fn left(&self) -> Vec<u32> {
        marked(&self.marker)
    }
}

/// In the environment of a run, so that its processes are told from those of any other run on this machine.
const MARK: &str = "HAIRPIN_TEST_MARK";

/// Living processes with this mark in their environment.
fn marked(mark: &str) -> Vec<u32> {
    let entry = format!("{MARK}={mark}");
    let has = |pid: &u32| {
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environment
            .split(|byte| *byte == 0)
            .any(|word| word == entry.as_bytes())
    };
    pids()
        .into_iter()
        .filter(|pid| is_alive(*pid) && has(pid))
        .collect()
}

impl Drop for Run {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn killed(name: &str, which: usize) {
    if !can_run_labs() {
        return;
    }
    let _alone = alone();
    let before = Machine::look();
    let mut run = Run::start(name);
    let victims = run.processes();
    kill(victims[which], libc::SIGKILL);
    eventually(
        GONE,
        &format!("every process is gone after SIGKILL of process {which}"),
        || {
            let left = victims.iter().any(|pid| is_alive(*pid)) || !run.left().is_empty();
            (!left).then_some(())
        },
    );
    let status = run.child.wait().expect("the child can be waited for");
    if which > 0 {
        assert_eq!(status.code(), Some(128 + libc::SIGKILL));
        let said = run.said();
        assert!(
            said.contains("was killed by SIGKILL")
                && said.contains("no report is written. What was over"),
            "{said}"
        );
    }
    before.assert_same_soon();
}

#[test]
fn sigkill_of_outer_leaves_nothing() {
    killed("outer", 0);
}

#[test]
fn sigkill_of_init_leaves_nothing() {
    killed("init", 1);
}

#[test]
fn sigkill_of_worker_leaves_nothing() {
    killed("worker", 2);
}

#[test]
fn sigkill_while_building_leaves_nothing() {
    if !can_run_labs() {
        return;
    }
    let _alone = alone();
    let before = Machine::look();
    // Moments spread over start, build and story.
    for micros in [500u64, 2_000, 4_000, 8_000, 16_000, 40_000] {
        let mut run = Run::start("building");
        std::thread::park_timeout(Duration::from_micros(micros));
        kill(run.child.id(), libc::SIGKILL);
        run.child.wait().expect("the child can be waited for");
        let what = format!("every process is gone, killed after {micros} us");
        eventually(GONE, &what, || run.left().is_empty().then_some(()));
    }
    before.assert_same_soon();
}

#[test]
fn interrupt_tears_down_says_so_and_exits_130() {
    if !can_run_labs() {
        return;
    }
    let _alone = alone();
    for signal in [libc::SIGINT, libc::SIGTERM] {
        let before = Machine::look();
        let mut run = Run::start("interrupt");
        run.processes();
        // One request, even if it comes from two: the terminal and whoever hands it on.
        kill(run.child.id(), signal);
        kill(run.child.id(), libc::SIGHUP);
        run.ends_interrupted();
        before.assert_same_soon();
    }
}

/// A lab of one host, which is not ready soon.
fn slow(host: &str) -> String {
    format!(
        "title: A lab that is not ready\nhosts:\n  a: {host}\nsteps: [{{ wait: 1ms }}]\nworks: [size(packets) == 0]\ncases: {{ only: {{ kind: control }} }}\n"
    )
}

#[test]
fn interrupt_is_heeded_before_a_lab_is_ready() {
    if !can_run_labs() {
        return;
    }
    let _alone = alone();
    let setting_up =
        |marker: &str| slow(&format!("{{ setup: \"sh -c 'sleep 600; : {marker}'\" }}"));
    let starting = |marker: &str| {
        slow(&format!(
            "{{ serve: {{ 80: {{ command: \"sleep 600; : {marker}\" }} }} }}"
        ))
    };
    let before = Machine::look();
    for mut run in [
        Run::of("setting-up", &[], setting_up),
        Run::of("starting", &[], starting),
    ] {
        eventually(UP, "the program runs that it waits for", || {
            (!run.alive().is_empty()).then_some(())
        });
        kill(run.child.id(), libc::SIGINT);
        run.ends_interrupted();
    }
    before.assert_same_soon();
}

#[test]
fn a_second_interrupt_waits_for_nobody() {
    if !can_run_labs() {
        return;
    }
    let _alone = alone();
    let before = Machine::look();
    let mut run = Run::start("twice");
    let [outer, _, worker] = run.processes();
    // It heeds nothing any more.
    kill(worker, libc::SIGSTOP);
    let limit = Duration::from_secs(20);
    // Those that come at once are one request.
    let status = eventually(limit, "the run ends after signals", || {
        kill(outer, libc::SIGINT);
        run.child.try_wait().expect("a child")
    });
    assert_eq!(status.code(), Some(130));
    let said = run.said();
    assert!(said.contains("interrupted again"), "{said}");
    assert!(!run.scratch.0.join("report.xml").exists());
    eventually(GONE, "every process is gone", || {
        run.left().is_empty().then_some(())
    });
    before.assert_same_soon();
}

/// Who asks once only, as `timeout` does, gets the end all the same. Here nobody looks at the machine, so others may.
#[test]
fn what_does_not_heed_an_interrupt_is_made_to_end() {
    if !can_run_labs() {
        return;
    }
    let mut run = Run::start("deaf");
    let [outer, _, worker] = run.processes();
    kill(worker, libc::SIGSTOP);
    kill(outer, libc::SIGTERM);
    let status = eventually(
        ::hairpin::world::supervise::GRACE * 2,
        "the run is made to end",
        || run.child.try_wait().expect("a child"),
    );
    assert_eq!(status.code(), Some(130));
    let said = run.said();
    assert!(said.contains("it has not ended: everything"), "{said}");
    eventually(GONE, "every process is gone", || {
        run.left().is_empty().then_some(())
    });
}

#[test]
fn a_run_leaves_the_machine_as_it_was() {
    if !can_run_labs() {
        return;
    }
    let _alone = alone();
    let before = Machine::look();
    let marker = format!("hairpin-test-plain-{}", std::process::id());
    let output = hairpin()
        .args(["run", "nlb/source-port-collision"])
        .env(MARK, &marker)
        .output()
        .expect("the binary starts");
    assert!(output.status.signal().is_none(), "{}", everything(&output));
    eventually(GONE, "every process is gone", || {
        marked(&marker).is_empty().then_some(())
    });
    before.assert_same_soon();
}

/// Whole folders are compared, which others write into as well: so they are empty ones of this test's own, in the places of
/// the machine's.
#[test]
fn a_run_leaves_no_file_anywhere() {
    if !can_run_labs() {
        return;
    }
    let scratch = Scratch::new("files");
    let lab = "title: All kinds of programs\nhosts:\n  a: { zone: a, setup: 'true' }\n  \
               b: { zone: a, nft: 'table ip t {}', serve: { 80: echo } }\nsteps:\n  \
               - run: { as: told, on_host: a, command: 'cat /etc/hosts /etc/resolv.conf' }\n  \
               - connect: { as: hello, from: a, to: 'b:80' }\nworks: [told.ok, hello.ok]\n\
               cases: { only: { kind: control } }\n";
    scratch.file("lab.yaml", lab);
    // The binary and this folder may be in one of those: they are opened before.
    let script = "set -e; exec 3<\"$0\"; for place in /tmp /var/tmp /run /dev/shm; do mount -t tmpfs none $place; done; \
                  all() { find /tmp /var/tmp /run /dev/shm; }; before=$(all); /proc/self/fd/3 run lab.yaml; after=$(all); \
                  if [ \"$before\" = \"$after\" ]; then echo nothing is left; else echo \"$after\"; fi";
    let mut command = Command::new("unshare");
    // SAFETY: it always succeeds.
    if unsafe { libc::geteuid() } != 0 {
        command.args(["--user", "--map-root-user"]);
    }
    let output = command
        .args(["--mount", "sh", "-c", script, env!("CARGO_BIN_EXE_hairpin")])
        .current_dir(&scratch.0)
        .env("NO_COLOR", "1")
        .output()
        .expect("util-linux is there");
    let said = everything(&output);
    if ["unshare:", "mount:"].iter().any(|by| said.contains(by)) {
        return skip(&format!("no folder can be hidden here: {said}"));
    }
    assert_eq!(output.status.code(), Some(0), "{said}");
    for word in ["1 control holds", "nothing is left"] {
        assert!(said.contains(word), "{said}");
    }
}

/// The tests of this file look at the whole machine, so one at a time.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn pids() -> Vec<u32> {
    let entries = fs::read_dir("/proc").expect("/proc").flatten();
    entries
        .filter_map(|entry| entry.file_name().to_string_lossy().parse().ok())
        .collect()
}

/// `/proc/PID/task/TID/children` would tell, but not every kernel has it.
fn children_of(pid: u32) -> Vec<u32> {
    let parent = |child: u32| {
        let stat = fs::read_to_string(format!("/proc/{child}/stat")).ok()?;
        stat.rsplit_once(')')?
            .1
            .split_whitespace()
            .nth(1)?
            .parse::<u32>()
            .ok()
    };
    pids()
        .into_iter()
        .filter(|child| parent(*child) == Some(pid))
        .collect()
}

/// Not gone and not a zombie that waits for its parent's attention.
fn is_alive(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat
        .rsplit_once(')')
        .and_then(|(_, rest)| rest.trim_start().chars().next());
    matches!(state, Some(state) if state != 'Z' && state != 'X')
}

fn kill(pid: u32, signal: i32) {
    // SAFETY: a plain system call; the process is one this test started.
    unsafe { libc::kill(pid as libc::pid_t, signal) };
}
