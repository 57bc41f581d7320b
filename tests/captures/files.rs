//! What there is room for, and where files go.

use crate::captured;
use crate::common::{Scratch, can_run_labs, everything, hairpin};
use crate::file::Capture;
use std::path::Path;

const LAB: &str = "
hosts:
  client: { zone: a }
  web1: { zone: a, serve: { 80: echo } }
steps:
  - connect: { as: call, from: client, to: web1 }
  - exchange: { over: call, bytes: 60000, times: 16, timeout: 60s }
";

#[test]
fn a_full_ring_forgets_its_oldest_and_says_so() {
    let Some(case) = captured(LAB, &["--capture-limit=256KiB"]) else {
        return;
    };
    let capture = case.capture(None);
    let cut: u64 = capture.statistics.iter().map(|(_, cut)| cut).sum();
    let seen: u64 = capture.statistics.iter().map(|(seen, _)| seen).sum();
    assert!(cut > 0 && cut < seen, "{cut} of {seen}");
    assert_eq!(case.report["capture"]["cut"], cut);
    let said = format!("the oldest {cut} packets and super-packets were cut, to keep 262144 bytes");
    assert!(capture.comment.contains(&said), "{}", capture.comment);
    let bytes: usize = capture.frames.iter().map(|frame| frame.bytes.len()).sum();
    // Headers of segments come on top of what the ring held.
    assert!(bytes < 300_000, "{bytes}");
    assert!(
        !capture
            .frames
            .iter()
            .any(|frame| frame.segment().is_some_and(|segment| segment.syn))
    );
}

#[test]
fn packets_are_cut_off_after_their_checksums_are_finished() {
    let Some(case) = captured(LAB, &["--capture-snaplen=100"]) else {
        return;
    };
    let capture = Capture::read_cut(&case.path(None));
    assert!(capture.frames.iter().all(|frame| frame.bytes.len() <= 100));
    let long = capture
        .frames
        .iter()
        .find(|frame| frame.original_len > 1000)
        .expect("a full segment");
    assert_eq!(long.bytes.len(), 100);
    // The sum covers what was cut off: put it back, and it is right.
    let letter = |place: u32| b'a' + (place % 60_000 % 26) as u8;
    let first = capture.of("client", false)[0]
        .segment_of_cut()
        .seq
        .wrapping_add(1);
    for frame in capture.of("client", false) {
        let mut frame = frame.clone();
        let segment = frame.segment_of_cut();
        let place = segment.seq.wrapping_sub(first);
        let known = segment.payload.len() as u32;
        let missing = frame.original_len - frame.bytes.len() as u32;
        let cut = place + known..place + known + missing;
        frame.bytes.extend(cut.map(letter));
        frame.verify();
    }
}

/// Every capture under a folder.
fn found(folder: &Path) -> Vec<String> {
    let mut all = Vec::new();
    let Ok(entries) = std::fs::read_dir(folder) else {
        return all;
    };
    for entry in entries {
        let path = entry.expect("an entry").path();
        match path.is_dir() {
            true => all.extend(found(&path)),
            false => all.push(
                path.file_name()
                    .expect("a name")
                    .to_string_lossy()
                    .into_owned(),
            ),
        }
    }
    all.sort();
    all
}

#[test]
fn of_repetitions_the_first_failure_is_kept_and_the_report_says_where() {
    if !can_run_labs() {
        return;
    }
    let scratch = Scratch::new("capture");
    let lab = |works: &str| {
        format!(
            "title: A lab of the tests\n{LAB}\nworks: [{works}]\ncases:\n  only:\n    kind: control\n"
        )
    };
    let run = |name: &str, text: &str, arguments: &[&str]| {
        let file = scratch.file("lab.yaml", text);
        let folder = scratch.0.join(name);
        let output = hairpin()
            .args(["run", &file])
            .arg(format!("--capture={}", folder.display()))
            .args(arguments)
            .output()
            .expect("the binary starts");
        (everything(&output), folder)
    };
    let evidence = format!("--evidence={}", scratch.0.join("evidence").display());
    let (said, folder) = run("good", &lab("call.ok"), &["--repeat=3", &evidence]);
    assert_eq!(found(&folder), Vec::<String>::new(), "{said}");
    let (said, folder) = run("bad", &lab("call.syns == 7"), &["--repeat=3", &evidence]);
    let files = [
        "capture.client.pcapng",
        "capture.pcapng",
        "capture.web1.pcapng",
    ];
    assert_eq!(found(&folder), files, "{said}");
    let (said, folder) = run("once", &lab("call.syns == 7"), &[]);
    assert_eq!(found(&folder), files, "{said}");
    let path = folder.join("lab/only/capture.pcapng").display().to_string();
    assert!(
        said.contains(&path) || said.contains("only/capture.pcapng"),
        "{said}"
    );
}
