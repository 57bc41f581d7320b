//! What a process has from whoever starts it: signals that are ignored, limits, streams that do not block.

use super::common::{can_run_labs, eventually, everything};
use super::*;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::{SigHandler, Signal, kill, signal};
use nix::unistd::Pid;
use std::io::Read;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Within this everything ends, also on a busy machine.
const LIMIT: Duration = Duration::from_secs(60);

/// The binary on a desk, after this has been done in its process.
fn after(
    desk: &Desk,
    arguments: &[&str],
    done: impl Fn() -> nix::Result<()> + Send + Sync + 'static,
) -> Command {
    let mut command = hairpin();
    command
        .current_dir(&desk.0.0)
        .args(arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    // SAFETY: what is done makes system calls only.
    unsafe { command.pre_exec(move || done().map_err(Into::into)) };
    command
}

/// Its output; it must end.
fn ended(mut child: Child, what: &str) -> Output {
    let waited = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        eventually(LIMIT, what, || child.try_wait().expect("a child"));
    }));
    if waited.is_err() {
        // Whatever it does not heed.
        child.kill().expect("it is there");
    }
    let output = child.wait_with_output().expect("it has ended");
    assert!(waited.is_ok(), "{what}\n{}", everything(&output));
    output
}

fn set(which: Signal, as_is: SigHandler) -> nix::Result<()> {
    // SAFETY: there is no handler.
    unsafe { signal(which, as_is) }.map(drop)
}

#[test]
fn who_ignores_children_gets_the_status_all_the_same() {
    if !can_run_labs() {
        return;
    }
    let desk = Desk::new("ignored-children");
    for (arguments, expected) in [(&["run", "quick"][..], 1), (&["run", "quick/good"], 0)] {
        let child = after(&desk, arguments, || {
            set(Signal::SIGCHLD, SigHandler::SigIgn)
        })
        .spawn();
        let output = ended(child.expect("the binary starts"), "the run ends");
        assert_eq!(status(&output), expected, "{}", everything(&output));
    }
}

#[test]
fn what_nohup_starts_outlives_its_terminal() {
    if !can_run_labs() {
        return;
    }
    let desk = Desk::new("nohup");
    let begun = desk.0.0.join("begun");
    let go_on = desk.0.0.join("go-on");
    // Programs of the lab have the signal as ever: none of the first bit's in what is ignored.
    let command = format!(
        "case $(grep SigIgn /proc/self/status) in *[02468ace]) echo > {}; until test -e {}; do sleep 0.05; done ;; *) exit 1 ;; esac",
        begun.display(),
        go_on.display()
    );
    let step = format!("  - run: {{ as: long, on_host: a, command: '{command}' }}\nworks:");
    let long = LAB.replace("works:", &step);
    desk.file(
        "long.yaml",
        &long.replace("hello.ok", "hello.ok && long.ok"),
    );
    for (nohup, expected) in [(true, 0), (false, 130)] {
        // Also where the test was started by nohup.
        let as_is = match nohup {
            true => SigHandler::SigIgn,
            false => SigHandler::SigDfl,
        };
        let done = move || set(Signal::SIGHUP, as_is);
        let child = after(&desk, &["run", "long/good"], done).spawn();
        let child = child.expect("the binary starts");
        eventually(LIMIT, "its program runs", || begun.exists().then_some(()));
        let process = i32::try_from(child.id()).expect("a process number");
        kill(Pid::from_raw(process), Signal::SIGHUP).expect("it is there");
        if nohup {
            std::fs::write(&go_on, "").expect("a folder that can be written to");
        }
        let output = ended(child, "the run ends");
        assert_eq!(status(&output), expected, "{}", everything(&output));
        std::fs::remove_file(&begun).expect("it is there");
        if nohup {
            std::fs::remove_file(&go_on).expect("it is there");
        }
    }
}

#[test]
fn output_that_does_not_block_is_waited_for() {
    let desk = Desk::new("non-blocking");
    let (mut reader, writer) = std::io::pipe().expect("a pipe");
    fcntl(&writer, FcntlArg::F_SETPIPE_SZ(4096)).expect("room of one page");
    fcntl(&writer, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).expect("a pipe can");
    let mut command = after(&desk, &["schema"], || Ok(()));
    command.stdout(writer);
    let child = command.spawn().expect("the binary starts");
    // Its end of the pipe.
    drop(command);
    let mut text = String::new();
    reader.read_to_string(&mut text).expect("UTF-8");
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(status(&output), 0, "{}", everything(&output));
    assert!(json(&text).is_object());
    assert!(text.len() > 65_536, "more than a page: {}", text.len());
}

#[test]
fn a_report_larger_than_a_file_may_be_is_told() {
    if !can_run_labs() {
        return;
    }
    let desk = Desk::new("file-size");
    let arguments = ["run", "quick/good", "--report", "json=r.json"];
    let done = || setrlimit(Resource::RLIMIT_FSIZE, 1000, 1000);
    let child = after(&desk, &arguments, done).spawn();
    let output = ended(child.expect("the binary starts"), "the run ends");
    assert_eq!(status(&output), 3, "{}", everything(&output));
    let words = "cannot write the report `r.json`: File too large";
    assert!(err(&output).contains(words), "{}", everything(&output));
    assert!(out(&output).contains("1 control holds"));
}

/// A report may take as long as its reader, who may be a person with a pager.
#[test]
fn a_reader_who_takes_time_gets_the_report_of_an_interrupted_run() {
    if !can_run_labs() {
        return;
    }
    let desk = Desk::new("pager");
    let (mut reader, writer) = std::io::pipe().expect("a pipe");
    fcntl(&writer, FcntlArg::F_SETPIPE_SZ(4096)).expect("room of one page");
    let mut command = after(&desk, &["run", "quick", "--format", "json"], || Ok(()));
    command.stdout(writer);
    let mut child = command.spawn().expect("the binary starts");
    drop(command);
    let mut first = [0];
    reader.read_exact(&mut first).expect("it is begun");
    let process = i32::try_from(child.id()).expect("a process number");
    kill(Pid::from_raw(process), Signal::SIGINT).expect("it is there");
    let read_late = std::time::Instant::now() + ::hairpin::world::supervise::GRACE;
    let read_late = read_late + Duration::from_secs(2);
    while std::time::Instant::now() < read_late {
        assert!(child.try_wait().expect("a child").is_none(), "it waits");
        std::thread::park_timeout(Duration::from_millis(100));
    }
    let mut rest = String::new();
    reader.read_to_string(&mut rest).expect("UTF-8");
    let text = format!("{}{rest}", char::from(first[0]));
    assert_eq!(json(&text)["summary"]["cases"], 2);
    ended(child, "the run ends");
}
