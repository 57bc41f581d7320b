//! `down`, `clean`, and what is left: nothing.

use super::*;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;

#[test]
fn evidence_of_the_whole_story_is_judged_as_that_of_a_run() {
    let Some(bench) = Bench::new("hand-evidence") else {
        return;
    };
    bench.ends(0, &["up", &bench.lab, "--name", "web"]);
    bench.ends(0, &["do", "web", "--all"]);
    let folder = bench.scratch.0.join("whole");
    let folder = folder.to_str().expect("UTF-8");
    let told = bench.ends(0, &["down", "web", "--evidence", folder, "-e"]);
    assert!(told.contains("broken"), "{told}");
    let judged = bench.ends(0, &["judge", folder]);
    assert!(judged.contains("1 fault reproduced"), "{judged}");
    assert_eq!(bench.folders(), [] as [String; 0]);
}

#[test]
fn a_story_with_a_program_between_its_steps_is_no_run() {
    let Some(bench) = Bench::new("hand-between") else {
        return;
    };
    bench.ends(0, &["up", &bench.lab, "--name", "web"]);
    bench.ends(0, &["exec", "web", "client", "--", "true"]);
    bench.ends(0, &["do", "web", "--all"]);
    let folder = bench.scratch.0.join("between");
    let folder = folder.to_str().expect("UTF-8");
    let told = bench.ends(0, &["down", "web", "--evidence", folder, "-e"]);
    let judged = bench.ends(0, &["judge", folder]);
    for text in [told, judged] {
        let summary = "1 by hand, of which nothing is claimed";
        assert!(text.contains(summary), "{text}");
    }
}

#[test]
fn a_story_that_was_cut_off_is_no_run() {
    let Some(bench) = Bench::new("hand-cut-off") else {
        return;
    };
    bench.ends(0, &["up", &bench.lab, "--name", "web"]);
    let mut long = bench
        .command(&["do", "web", "run: { on_host: client, command: 'sleep 60' }"])
        .spawn()
        .expect("it starts");
    let begun = || bench.hairpin(&["exec", "client", "--", "pgrep", "-x", "sleep"]);
    eventually(LIMIT, "the step begins", || {
        begun().status.success().then_some(())
    });
    let folder = bench.scratch.0.join("cut-off");
    let folder = folder.to_str().expect("UTF-8");
    bench.ends(0, &["down", "web", "--evidence", folder]);
    long.wait().expect("it ends");
    let evidence = common::evidence(Path::new(folder), "broken");
    let step = &evidence["steps"][0];
    assert_eq!(step["error"], "deadline", "{step}");
    assert!(step["at"].as_f64() > Some(0.0), "{step}");
    assert!(step["ms"].as_f64() > Some(0.0), "{step}");
}

#[test]
fn evidence_of_other_steps_has_a_lab_of_its_own() {
    let Some(bench) = Bench::new("hand-other") else {
        return;
    };
    bench.up("web");
    bench.ends(0, &["do", "hello", "deregister: web/one", "hello"]);
    bench.ends(
        0,
        &[
            "exec",
            "client",
            "--",
            "bash",
            "-c",
            "exec 3<>/dev/tcp/front/80",
        ],
    );
    let folder = bench.scratch.0.join("other");
    let folder = folder.to_str().expect("UTF-8");
    bench.ends(0, &["down", "--evidence", folder]);
    let explained = bench.ends(0, &["explain", folder]);
    for word in ["hello = connect", "deregister web/one", "hello_2 = connect"] {
        assert!(explained.contains(word), "no `{word}` in\n{explained}");
    }
    let evidence = common::evidence(Path::new(folder), "plain");
    assert_eq!(evidence["steps"].as_array().map(Vec::len), Some(3));
    // What programs did is among the flows: one more than the steps opened.
    assert_eq!(evidence["flows"].as_array().map(Vec::len), Some(3));
}

#[test]
fn nothing_is_left_and_programs_of_the_lab_end_with_it() {
    let Some(bench) = Bench::new("hand-nothing") else {
        return;
    };
    bench.up("web");
    let keeper = bench.keeper("web");
    let all = family(keeper);
    assert!(all.len() >= 3, "outer, init and worker: {all:?}");
    let mut guest = bench
        .command(&[
            "exec",
            "web",
            "one",
            "--",
            "sh",
            "-c",
            "trap '' TERM; echo in; sleep 600 & wait",
        ])
        .stdout(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let mut word = [0; 3];
    guest
        .stdout
        .as_mut()
        .expect("a pipe")
        .read_exact(&mut word)
        .expect("it runs");
    bench.ends(0, &["down"]);
    eventually(LIMIT, "all of them are gone", || {
        (!all.iter().any(|pid| exists(*pid))).then_some(())
    });
    assert_eq!(guest.wait().expect("it ends").code(), Some(128 + 9));
    assert_eq!(bench.folders(), [] as [String; 0]);
    let output = bench.hairpin(&["clean"]);
    assert!(
        everything(&output).contains("nothing to clean"),
        "{}",
        everything(&output)
    );
}

#[test]
fn a_keeper_that_is_killed_leaves_a_folder_at_most() {
    let Some(bench) = Bench::new("hand-killed") else {
        return;
    };
    bench.up("web");
    let all = family(bench.keeper("web"));
    let killed = Command::new("kill")
        .args(["-9", &all[0].to_string()])
        .status();
    assert!(killed.expect("kill is there").success());
    eventually(LIMIT, "everything of it is gone", || {
        (!all.iter().any(|pid| exists(*pid))).then_some(())
    });
    let rows = bench.ps();
    assert_eq!(rows[0]["state"], "dead");
    let words = ["the lab `web` is dead", "hairpin clean"];
    bench.refuses(&["exec", "web", "one", "--", "true"], &words);
    bench.refuses(&["do", "web", "hello"], &words);
    bench.refuses(&["down", "web"], &words);
    // Named or not: it is the only one that there was.
    bench.refuses(&["down"], &words);
    bench.refuses(&["exec", "one", "--", "true"], &words);
    bench.refuses(&["do", "1"], &words);
    // What is not hairpin's is not touched.
    let foreign = bench.state().join("mine");
    fs::create_dir(&foreign).expect("a folder");
    fs::write(foreign.join("precious"), "data").expect("a file");
    let output = bench.hairpin(&["clean"]);
    assert!(
        everything(&output).contains("1 folder of dead ones removed"),
        "{}",
        everything(&output)
    );
    assert_eq!(bench.folders(), ["mine"]);
    assert!(foreign.join("precious").exists());
    // And its name is free.
    bench.up("web");
}

#[test]
fn state_that_another_may_have_put_there_is_not_trusted() {
    let Some(bench) = Bench::new("hand-foreign") else {
        return;
    };
    let elsewhere = bench.scratch.0.join("elsewhere");
    fs::create_dir(&elsewhere).expect("a folder");
    std::os::unix::fs::symlink(&elsewhere, bench.state()).expect("a link");
    let words = ["is not a folder of this user", "Set XDG_RUNTIME_DIR"];
    bench.refuses_with(3, &["ps"], &words);
    bench.refuses_with(3, &["exec", "web", "one", "--", "true"], &words);
    bench.refuses_with(3, &["up", &bench.lab], &words);
    fs::remove_file(bench.state()).expect("a link");
}

#[test]
fn where_no_state_can_be_kept_nothing_of_the_input_is_wrong() {
    let Some(bench) = Bench::new("hand-stateless") else {
        return;
    };
    // The user's own, and nobody can make a folder there.
    let output = bench
        .command(&["up", &bench.lab])
        .env("XDG_RUNTIME_DIR", "/proc/self")
        .output()
        .expect("the binary starts");
    let all = everything(&output);
    assert_eq!(output.status.code(), Some(3), "{all}");
    for word in ["cannot make `/proc/self/hairpin`", "Set XDG_RUNTIME_DIR"] {
        assert!(all.contains(word), "no `{word}` in\n{all}");
    }
}

#[test]
fn in_front_it_ends_with_ctrl_c() {
    let Some(bench) = Bench::new("hand-front") else {
        return;
    };
    let mut front = bench
        .command(&["up", &bench.lab, "--name", "web", "-f"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    bench.await_up();
    bench.ends(0, &["exec", "client", "--", "true"]);
    let interrupted = Command::new("kill")
        .args(["-INT", &front.id().to_string()])
        .status();
    assert!(interrupted.expect("kill is there").success());
    assert_eq!(front.wait().expect("it ends").code(), Some(0));
    assert_eq!(bench.folders(), [] as [String; 0]);
}

#[test]
fn evidence_without_steps_claims_nothing() {
    let Some(bench) = Bench::new("hand-idle") else {
        return;
    };
    bench.ends(0, &["up", &bench.lab, "--case", "broken", "--name", "web"]);
    let talk = "exec 3<>/dev/tcp/front/80";
    bench.ends(0, &["exec", "client", "--", "bash", "-c", talk]);
    let folder = bench.scratch.0.join("idle");
    let folder = folder.to_str().expect("UTF-8");
    bench.ends(0, &["down", "--evidence", folder]);
    let judged = bench.ends(0, &["judge", folder]);
    let explained = bench.ends(0, &["judge", folder, "-e"]);
    // Only what is so: building it took its time, and no command does it again.
    for wrong in ["up 0.0 ms", "hairpin run"] {
        assert!(!explained.contains(wrong), "{explained}");
    }
    assert!(
        judged.contains("1 by hand, of which nothing is claimed"),
        "{judged}"
    );
    assert!(!judged.contains("control"), "{judged}");
    let evidence = common::evidence(Path::new(folder), "broken");
    assert_eq!(evidence["flows"].as_array().map(Vec::len), Some(1));
    assert!(evidence["up_ms"].as_f64() > Some(0.0), "{evidence}");
}

/// A lab whose set-up takes longer than anybody waits.
fn slow(bench: &Bench) -> String {
    let slow = LAB.replace("client: {}", "client: { setup: 'exec sleep 600' }");
    bench.scratch.file("slow.yaml", &slow)
}

/// The processes of a lab that is being built, once its set-up runs.
fn being_built(bench: &Bench, up: u32) -> Vec<u32> {
    eventually(LIMIT, "it is being built", || {
        let rows = bench.ps();
        let pid = rows.first()?["pid"].as_u64().expect("a number");
        let pid = u32::try_from(pid).expect("a process number");
        let all = family(pid);
        (pid != up && all.len() > 3).then_some(all)
    })
}

fn signal(name: &str, pid: u32) {
    let sent = Command::new("kill").args([name, &pid.to_string()]).status();
    assert!(sent.expect("kill is there").success());
}

#[test]
fn a_lab_that_is_being_built_ends_when_that_is_asked_for() {
    let Some(bench) = Bench::new("hand-interrupted") else {
        return;
    };
    let slow = slow(&bench);
    // Of itself; asked again, since its worker heeds nothing any more; by `down`.
    for (stopped, word) in [(false, "-INT"), (true, "-INT"), (false, "")] {
        let mut up = bench
            .command(&["up", &slow, "--case", "plain"])
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let all = being_built(&bench, up.id());
        // Outer, init, worker.
        if stopped {
            signal("-STOP", all[2]);
        }
        match word {
            "" => drop(bench.ends(0, &["down"])),
            _ => signal(word, up.id()),
        }
        let within = Duration::from_secs(20);
        let status = eventually(within, "it has ended", || {
            let ended = up.try_wait().expect("a child");
            if ended.is_none() && stopped {
                signal(word, up.id());
            }
            ended
        });
        let expected = if word.is_empty() { 3 } else { 130 };
        assert_eq!(status.code(), Some(expected), "stopped: {stopped}");
        eventually(LIMIT, "all of them are gone", || {
            (!all.iter().any(|pid| exists(*pid))).then_some(())
        });
        assert_eq!(bench.folders(), [] as [String; 0]);
    }
}

#[test]
fn who_asks_nothing_keeps_no_lab_from_its_end() {
    let Some(bench) = Bench::new("hand-silent") else {
        return;
    };
    let front = bench
        .command(&["up", &bench.lab, "--name", "web", "-f"])
        .env("HAIRPIN_LOG", "hairpin=debug")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    bench.await_up();
    // Shorter than an address may be, wherever the folder is.
    let folder = fs::File::open(bench.state().join("web")).expect("its folder");
    let control = format!("/proc/self/fd/{}/control", folder.as_raw_fd());
    let silent = || UnixStream::connect(&control).expect("it listens");
    // One that waits for long is told so.
    let mut first = silent();
    first.set_read_timeout(Some(LIMIT)).expect("a limit");
    let mut said = Vec::new();
    first.read_to_end(&mut said).expect("within the limit");
    assert_eq!(said, b"");
    // And no end waits for those that have just come.
    let all = [silent(), silent(), silent()];
    bench.ends(0, &["down"]);
    let output = front.wait_with_output().expect("it ends");
    drop(all);
    let said = String::from_utf8_lossy(&output.stderr);
    let line = said.lines().find(|line| line.contains("has the end of it"));
    let line = line.unwrap_or_else(|| panic!("no word of it in\n{said}"));
    assert!(line.contains("all=Ok"), "{line}");
}

#[test]
fn where_no_evidence_can_be_kept_the_lab_stays() {
    let Some(bench) = Bench::new("hand-nowhere") else {
        return;
    };
    bench.up("web");
    let words = ["cannot keep evidence in `/proc/nowhere`"];
    bench.refuses(&["down", "--evidence", "/proc/nowhere"], &words);
    assert_eq!(bench.ps()[0]["state"], "up");
    bench.ends(0, &["exec", "web", "one", "--", "true"]);
}

#[test]
fn evidence_that_is_lost_is_told_and_the_others_are_kept() {
    let Some(bench) = Bench::new("hand-lost") else {
        return;
    };
    bench.up("deaf");
    bench.up("web");
    fs::remove_file(bench.state().join("deaf/control")).expect("it listens there");
    let folder = bench.scratch.0.join("kept");
    let folder = folder.to_str().expect("UTF-8");
    bench.refuses(
        &["down", "--all", "--evidence", folder],
        &["what was recorded of `deaf` is lost", "web is down"],
    );
    assert!(common::evidence(Path::new(folder), "plain").is_object());
    assert_eq!(bench.folders(), [] as [String; 0]);

    // Two at once: one of them gets it.
    bench.up("web");
    let both = ["first", "second"].map(|name| {
        let mut command = bench.command(&["down", "web", "--evidence"]);
        let command = command.arg(bench.scratch.0.join(name));
        command.stderr(Stdio::piped()).spawn().expect("it starts")
    });
    let mut statuses = both.map(|child| {
        let output = child.wait_with_output().expect("it ends");
        output.status.code()
    });
    statuses.sort_unstable();
    assert_eq!(statuses, [Some(0), Some(2)]);
}

#[test]
fn a_lab_that_dies_leaves_its_last_words() {
    let Some(bench) = Bench::new("hand-dies") else {
        return;
    };
    let kill = |pid: u32| signal("-9", pid);
    bench.up("web");
    let file = bench.scratch.0.join("cut.pcapng");
    let follower = bench
        .command(&["capture", "web", "--follow", "-o"])
        .arg(&file)
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    eventually(LIMIT, "a capture has begun", || {
        fs::metadata(&file)
            .is_ok_and(|file| file.len() > 0)
            .then_some(())
    });
    // Outer, init, worker.
    kill(family(bench.keeper("web"))[2]);
    eventually(LIMIT, "it is dead", || {
        (bench.ps()[0]["state"] == "dead").then_some(())
    });
    let cut = follower.wait_with_output().expect("it ends");
    assert_eq!(cut.status.code(), Some(3), "{cut:?}");
    let said = String::from_utf8_lossy(&cut.stderr);
    assert!(said.contains("the lab `web` broke off"), "{said}");
    let words = ["the lab `web` is dead", "the worker was killed by SIGKILL"];
    bench.refuses(&["down", "web"], &words);
    let output = bench.hairpin(&["exec", "web", "one", "--", "true"]);
    assert!(!everything(&output).contains("report"), "{output:?}");
    bench.ends(0, &["clean"]);

    // While it is built.
    let up = bench
        .command(&["up", &slow(&bench), "--case", "plain"])
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    kill(being_built(&bench, up.id())[2]);
    let output = up.wait_with_output().expect("it ends");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{said}");
    for word in [
        "died before it was ready",
        "the worker was killed by SIGKILL",
    ] {
        assert!(said.contains(word), "no `{word}` in\n{said}");
    }
    assert!(!said.contains("report"), "{said}");
    assert_eq!(bench.folders(), [] as [String; 0]);
}

#[test]
fn in_front_output_that_is_lost_is_no_success() {
    let Some(bench) = Bench::new("hand-full") else {
        return;
    };
    let full = fs::File::options().write(true).open("/dev/full");
    let mut front = bench
        .command(&["up", &bench.lab, "--name", "web", "-f"])
        .stdout(full.expect("a device of every Linux"))
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    bench.await_up();
    bench.ends(0, &["down"]);
    assert_eq!(front.wait().expect("it ends").code(), Some(3));
    assert_eq!(bench.folders(), [] as [String; 0]);
}
