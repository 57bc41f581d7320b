//! What is given for a lab and is none: special files, and those without an end. Refused in bounded time and memory.

use super::common::{can_run_labs, everything};
use super::*;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::process::{Command, Stdio};

/// Memory that a command may have, kilobytes: a third of the largest file here.
const MEMORY: u32 = 1 << 20;

/// The binary on a desk, with bounded memory; killed, with status 124, where it waits for something.
fn bounded(desk: &Desk, arguments: &[&str]) -> Output {
    let limited = format!("ulimit -v {MEMORY} && exec timeout 30 \"$0\" \"$@\"");
    Command::new("sh")
        .args(["-c", &limited, env!("CARGO_BIN_EXE_hairpin")])
        .args(arguments)
        .current_dir(&desk.0.0)
        .env("NO_COLOR", "1")
        .stdin(Stdio::null())
        .output()
        .expect("sh starts")
}

/// A file that ends, one day: 3 GiB that take no room on the disk.
fn endless(desk: &Desk, name: &str) {
    let file = std::fs::File::create(desk.0.0.join(name)).expect("a file");
    file.set_len(3 << 30).expect("a file with holes");
}

#[test]
fn a_fifo_beside_labs_keeps_nobody_waiting() {
    let desk = Desk::new("fifo");
    desk.file("labs/good.yaml", LAB);
    let fifo = desk.0.0.join("labs/pipe.yaml");
    let mode = nix::sys::stat::Mode::S_IRWXU;
    nix::unistd::mkfifo(&fifo, mode).expect("a FIFO");
    let told = "`labs/pipe.yaml` is left out: it is no regular file";
    for arguments in [&["check", "labs"][..], &["list"], &["check"]] {
        let output = bounded(&desk, arguments);
        assert_eq!(status(&output), 0, "{arguments:?} {}", everything(&output));
        assert!(err(&output).contains(told), "{}", everything(&output));
    }
    let output = bounded(&desk, &["run", "labs", "--case", "none"]);
    mistake(&output, &[told, "no case is called `none`"]);
    mistake(
        &bounded(&desk, &["check", "labs/pipe.yaml"]),
        &["cannot read `labs/pipe.yaml`: it is no regular file"],
    );
    let output = bounded(&desk, &["doctor"]);
    assert_ne!(status(&output), 124, "{}", everything(&output));
}

#[test]
fn a_link_to_a_folder_is_not_followed_and_said() {
    let desk = Desk::new("links");
    desk.file("labs/one.yaml", LAB);
    desk.file("elsewhere/two.yaml", LAB);
    for (to, name) in [("../elsewhere", "labs/there"), ("..", "labs/up")] {
        std::os::unix::fs::symlink(to, desk.0.0.join(name)).expect("a link");
    }
    let output = desk.hairpin(&["list", "labs"]);
    assert_eq!(status(&output), 0, "{}", everything(&output));
    assert!(!out(&output).contains("two"), "{}", out(&output));
    for name in ["labs/there", "labs/up"] {
        let told = format!("`{name}` is a link to a folder, which is not followed");
        assert!(err(&output).contains(&told), "{}", everything(&output));
    }
    let output = desk.hairpin(&["list", "labs/there"]);
    assert!(out(&output).contains("two"), "{}", everything(&output));
}

#[test]
fn a_file_without_an_end_is_read_as_far_as_a_lab_may_go() {
    let desk = Desk::new("endless");
    endless(&desk, "big.yaml");
    for arguments in [
        &["run", "big.yaml"][..],
        &["plan", "big.yaml"],
        &["up", "big.yaml"],
    ] {
        mistake(
            &bounded(&desk, arguments),
            &["HP0004", "more than 1048576 bytes"],
        );
    }
    let output = bounded(&desk, &["check", "big.yaml"]);
    assert_eq!(status(&output), 2, "{}", everything(&output));
    assert!(out(&output).contains("HP0004"), "{}", everything(&output));
    mistake(
        &bounded(&desk, &["new", "copy", "--from", "big.yaml"]),
        &["`big.yaml` has more than 1048576 bytes"],
    );
    assert!(!desk.has("copy.yaml"));
    mistake(
        &bounded(&desk, &["check", "/dev/zero"]),
        &["cannot read `/dev/zero`: it is no regular file"],
    );
}

#[test]
fn evidence_is_judged_against_no_file_without_an_end() {
    if !can_run_labs() {
        return;
    }
    let desk = Desk::new("endless-claims");
    let output = desk.hairpin(&["run", "quick/good", "--evidence", "kept"]);
    assert_eq!(status(&output), 0, "{}", everything(&output));
    endless(&desk, "big.yaml");
    let judge = |lab| bounded(&desk, &["judge", "kept", "--lab", lab]);
    mistake(&judge("big.yaml"), &["HP0004"]);
    mistake(
        &judge("/dev/zero"),
        &["cannot read `/dev/zero`: it is no regular file"],
    );
}

#[test]
fn a_name_that_no_report_can_have_is_no_labs() {
    let desk = Desk::new("odd-names");
    for name in [&b"two\nlines.yaml"[..], b"\x1b[31m.yaml", b"caf\xe8.yaml"] {
        let path = desk.0.0.join("labs").join(OsStr::from_bytes(name));
        desk.file("labs/good.yaml", LAB);
        std::fs::write(&path, LAB).expect("a file");
        let output = bounded(&desk, &["run", "labs"]);
        mistake(
            &output,
            &["cannot be a lab's: its name is not UTF-8, or has"],
        );
        assert!(!everything(&output).contains('\u{1b}'), "{output:?}");
        std::fs::remove_file(path).expect("it is there");
    }
}
