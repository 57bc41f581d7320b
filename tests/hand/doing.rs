//! `do` and `capture`.

use super::*;
use nix::fcntl::{FcntlArg, OFlag, fcntl};

#[test]
fn steps_are_done_by_name_by_number_and_as_written() {
    let Some(bench) = Bench::new("hand-do") else {
        return;
    };
    bench.up("web");
    let told = bench.ends(0, &["do", "web", "hello", "2", "-e"]);
    for word in [
        "hello = connect client -> front: ok",
        "1 SYN",
        "talk = exchange over hello: ok",
        "SYN",
    ] {
        assert!(told.contains(word), "no `{word}` in\n{told}");
    }
    // Once more: under another name, which the next steps mean.
    let told = bench.ends(0, &["do", "hello", "talk"]);
    assert!(
        told.contains("hello_2 = connect") && told.contains("talk_2 = exchange over hello_2"),
        "{told}"
    );
    let told = bench.ends(
        0,
        &[
            "do",
            "web",
            "deregister: web/one",
            "load: { as: all, from: client, to: front, connections: 4 }",
        ],
    );
    assert!(
        told.contains("4 of 4 connected") && told.contains("went to two 4"),
        "{told}"
    );
    let told = bench.ends(
        0,
        &[
            "do",
            "run: { on_host: one, command: 'echo from inside; exit 3' }",
        ],
    );
    assert!(
        told.contains("exit status 3") && told.contains("| from inside"),
        "{told}"
    );

    bench.refuses(
        &["do", "web", "helo"],
        &[
            "no step of the story is called `helo`",
            "did you mean `hello`?",
        ],
    );
    bench.refuses(&["do", "web", "9"], &["the story has no step 9: it has 3"]);
    bench.refuses(
        &["do", "web", "deregister: web/thre"],
        &["HP0560", "no host of this name", "web/thre"],
    );
    bench.refuses(
        &["do", "web", "conect: { from: client, to: front }"],
        &["the step:1:1", "connect"],
    );
    bench.refuses(
        &["do", "web", "connect: { from: client, to: [ }"],
        &["the step:1:"],
    );
    bench.refuses(&["do", "web"], &["which step?"]);
    // What was refused was not done: the names go on as if nothing had been.
    let told = bench.ends(0, &["do", "hello"]);
    assert!(told.contains("hello_3 = connect"), "{told}");
    // The packets are those of the connection that it goes over.
    let told = bench.ends(0, &["do", "talk", "-e"]);
    assert!(
        told.contains("over hello_3: ok") && told.contains("SYN-ACK"),
        "{told}"
    );
}

#[test]
fn metrics_are_told_of_a_lab_that_is_up() {
    let Some(bench) = Bench::new("hand-metrics") else {
        return;
    };
    let words = ["there is no folder `web`, and no lab of this name is up"];
    bench.refuses(&["metrics", "web"], &words);
    bench.up("web");
    // Not of the steps that were planned: of what was done until now.
    for flows in [1.0, 2.0] {
        bench.ends(0, &["do", "hello"]);
        let text = bench.ends(0, &["metrics", "web", "--format", "json"]);
        let cases: Value = serde_json::from_str(&text).expect("JSON");
        let metrics = cases[0]["metrics"].as_array().expect("metrics");
        let of_all_zones = |one: &&Value| {
            one["MetricName"] == "NewFlowCount"
                && one["Dimensions"].as_array().map(Vec::len) == Some(1)
        };
        let found = metrics.iter().find(of_all_zones).expect("it is counted");
        assert_eq!(found["Statistics"]["Sum"], flows, "{text}");
    }
    let told = bench.ends(0, &["metrics", "web"]);
    assert!(
        told.contains("/plain\n") && told.contains("NewFlowCount_TCP"),
        "{told}"
    );
    // A step that takes its time keeps nobody waiting.
    let step = "run: { on_host: client, command: 'sleep 60' }";
    let long = bench.command(&["do", "web", step]).spawn();
    let mut long = long.expect("the binary starts");
    let begun = || bench.hairpin(&["exec", "client", "--", "pgrep", "-x", "sleep"]);
    eventually(LIMIT, "the step begins", || {
        begun().status.success().then_some(())
    });
    bench.ends(0, &["metrics", "web"]);
    assert!(long.try_wait().expect("a child").is_none(), "it goes on");
    bench.ends(0, &["down", "web"]);
    long.wait().expect("it ends");
}

#[test]
fn a_capture_into_a_pipe_that_does_not_block_is_whole() {
    let Some(bench) = Bench::new("hand-non-blocking") else {
        return;
    };
    bench.up("web");
    let talk = "exchange: { over: hello, bytes: 100kB }";
    bench.ends(0, &["do", "web", "hello", talk]);
    let file = bench.scratch.0.join("whole.pcapng");
    let name = file.to_str().expect("UTF-8");
    let capture = || {
        bench.ends(0, &["capture", "web", "-o", name]);
        fs::metadata(&file).expect("a file").len()
    };
    let before = capture();
    let (mut reader, writer) = std::io::pipe().expect("a pipe");
    fcntl(&writer, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).expect("a pipe can");
    let mut command = bench.command(&["capture", "web", "-o", "-"]);
    let child = command.stdout(writer).spawn().expect("the binary starts");
    // Its end of the pipe.
    drop(command);
    let mut bytes = Vec::new();
    reader.read_to_end(&mut bytes).expect("a pipe");
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(0), "{}", everything(&output));
    assert!(bytes.len() > 200_000, "of {} bytes", bytes.len());
    // The last acknowledgement may come between them.
    let within = before..=capture();
    assert!(within.contains(&(bytes.len() as u64)), "{within:?}");
}

#[test]
fn a_capture_is_read_back_with_fates_and_followed() {
    let Some(bench) = Bench::new("hand-capture") else {
        return;
    };
    bench.up("web");
    let followed = bench.scratch.0.join("followed.pcapng");
    let mut follower = bench
        .command(&["capture", "web", "--follow", "-o"])
        .arg(&followed)
        .spawn()
        .expect("the binary starts");
    eventually(LIMIT, "a capture has begun", || {
        fs::metadata(&followed)
            .is_ok_and(|file| file.len() > 0)
            .then_some(())
    });
    bench.ends(0, &["do", "hello", "talk"]);
    let file = bench.scratch.0.join("web.pcapng");
    bench.ends(0, &["capture", "web", "-o", file.to_str().expect("UTF-8")]);
    // The lab's end is the capture's.
    bench.ends(0, &["down"]);
    assert!(follower.wait().expect("it ends").success());
    bench.refuses(&["capture"], &["no lab is up"]);
    let passed = comments(&file);
    let syn = passed.iter().find(|comment| comment.contains("step hello"));
    assert!(
        syn.is_some_and(|comment| comment.starts_with("to ")),
        "{passed:?}"
    );
    // Who follows gets the same packets; whose they are may not have been known yet.
    let number = |comment: &String| {
        comment
            .rsplit_once("packet ")
            .map(|(_, number)| number.to_owned())
    };
    let seen: Vec<_> = comments(&followed).iter().map(number).collect();
    let missing = passed
        .iter()
        .find(|comment| !seen.contains(&number(comment)));
    assert_eq!(missing, None, "the follower has them, too: {seen:?}");
}

#[test]
fn what_was_done_twice_is_undone_twice() {
    let Some(bench) = Bench::new("hand-twice") else {
        return;
    };
    let faults =
        "  - drop: { as: cut, to: front }\n  - heal: { as: mend, drop: cut }\n  - wait: 1ms";
    let lab = bench
        .scratch
        .file("twice.yaml", &LAB.replace("  - wait: 1ms", faults));
    bench.ends(0, &["up", &lab, "--case", "plain"]);
    let told = bench.ends(0, &["do", "cut", "mend", "cut", "mend", "hello"]);
    assert!(told.contains("heal cut_2"), "{told}");
    assert!(
        told.contains("hello = connect client -> front: ok"),
        "{told}"
    );
    bench.ends(0, &["down"]);
}

#[test]
fn a_step_in_the_background_that_does_not_end_with_the_lab_is_past_its_deadline() {
    let Some(bench) = Bench::new("hand-endless") else {
        return;
    };
    bench.up("web");
    let endless = "receive: { as: never, over: hello, timeout: 600s, background: true }";
    let told = bench.ends(0, &["do", "hello", endless]);
    assert!(told.contains("goes on in the background"), "{told}");
    let folder = bench.scratch.0.join("endless");
    bench.ends(0, &["down", "--evidence", folder.to_str().expect("UTF-8")]);
    let evidence = common::evidence(&folder, "plain");
    assert_eq!(evidence["steps"][1]["name"], "never");
    assert_eq!(evidence["steps"][1]["error"], "deadline");
}

#[test]
fn what_the_machine_refuses_in_the_background_is_told_at_the_end() {
    let Some(bench) = Bench::new("hand-refusal") else {
        return;
    };
    // Longer than any argument of a program may be.
    let long = format!(
        "  - run: {{ as: long, on_host: one, command: ': {}', background: true }}\n  - wait: 1ms",
        "x".repeat(200_000)
    );
    let lab = bench
        .scratch
        .file("refusal.yaml", &LAB.replace("  - wait: 1ms", &long));
    bench.ends(0, &["up", &lab, "--case", "plain"]);
    bench.ends(0, &["do", "long"]);
    let folder = bench.scratch.0.join("refusal");
    let output = bench.hairpin(&["down", "--evidence", folder.to_str().expect("UTF-8")]);
    let all = everything(&output);
    assert_eq!(output.status.code(), Some(3), "{all}");
    assert!(all.contains("is lost") && all.contains("E2BIG"), "{all}");
    assert_eq!(bench.folders(), [] as [String; 0]);
}

/// Of every packet of a file, as far as it is written.
fn comments(file: &Path) -> Vec<String> {
    use pcap_file::pcapng::PcapNgReader;
    use pcap_file::pcapng::blocks::enhanced_packet::EnhancedPacketOption;
    let Ok(file) = fs::File::open(file) else {
        return Vec::new();
    };
    let Ok(mut reader) = PcapNgReader::new(file) else {
        return Vec::new();
    };
    let mut comments = Vec::new();
    while let Some(Ok(block)) = reader.next_block() {
        let Some(packet) = block.into_owned().into_enhanced_packet() else {
            continue;
        };
        comments.extend(packet.options.iter().filter_map(|option| match option {
            EnhancedPacketOption::Comment(comment) => Some(comment.to_string()),
            _ => None,
        }));
    }
    comments
}
