//! `up`, `ps`, `exec` and `shell`.

use super::*;

#[test]
fn a_lab_stays_up_and_programs_find_its_names() {
    let Some(bench) = Bench::new("hand-exec") else {
        return;
    };
    let told = bench.up("web");
    for word in [
        "web is up: ",
        "/plain",
        "client",
        "front/a",
        "hairpin down web",
    ] {
        assert!(told.contains(word), "no `{word}` in\n{told}");
    }
    let rows = bench.ps();
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0]["state"], "up");
    assert_eq!(rows[0]["case"], "plain");
    assert_eq!(
        rows[0]["hosts"],
        serde_json::json!(["client", "one", "two"])
    );

    // The caller's streams, the program's status, the lab's names, by file and by the resolver.
    let names = bench.ends(
        0,
        &["exec", "web", "two", "--", "getent", "ahostsv4", "one"],
    );
    let host = bench.ends(
        0,
        &[
            "exec",
            "client",
            "--",
            "sh",
            "-c",
            "echo $HAIRPIN_LAB $HAIRPIN_HOST",
        ],
    );
    assert_eq!(host, "web client\n");
    assert!(names.contains("10."), "{names}");
    let front = bench.ends(0, &["exec", "client", "--", "getent", "ahostsv4", "front"]);
    assert!(!front.is_empty());
    let links = bench.ends(0, &["exec", "one", "--", "ls", "/sys/class/net"]);
    assert_eq!(links, "eth0\nlo\n");
    // As steps' programs: SCHED_BATCH.
    let policy = [
        "exec",
        "one",
        "--",
        "cut",
        "-d",
        " ",
        "-f41",
        "/proc/self/stat",
    ];
    assert_eq!(bench.ends(0, &policy), "3\n");
    bench.ends(7, &["exec", "web", "one", "--", "sh", "-c", "exit 7"]);
    bench.ends(127, &["exec", "one", "--", "no-such-program"]);
    bench.ends(143, &["exec", "one", "--", "sh", "-c", "kill $$"]);
    let mut cat = bench
        .command(&["exec", "web", "one", "--", "cat"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    std::io::Write::write_all(&mut cat.stdin.take().expect("a pipe"), b"there and back")
        .expect("it reads");
    let mut back = String::new();
    cat.stdout
        .take()
        .expect("a pipe")
        .read_to_string(&mut back)
        .expect("text");
    assert_eq!(back, "there and back");
    assert!(cat.wait().expect("it ends").success());

    // A connection through the balancer, by bash's own means.
    let talk = "exec 3<>/dev/tcp/front/80 && printf hello >&3 && head -c 5 <&3";
    assert_eq!(
        bench.ends(0, &["exec", "client", "--", "bash", "-c", talk]),
        "hello"
    );

    bench.refuses(
        &["exec", "web", "clinet", "--", "true"],
        &["no host `clinet`", "did you mean `client`?"],
    );
    bench.refuses(
        &["exec", "wbe", "client", "--", "true"],
        &["no lab called `wbe` is up"],
    );
    bench.refuses(&["exec", "web", "--", "true"], &["which host of `web`?"]);

    let mut shell = bench
        .command(&["shell", "web", "one"])
        .env("SHELL", "/bin/sh")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    std::io::Write::write_all(
        &mut shell.stdin.take().expect("a pipe"),
        b"echo $HAIRPIN_HOST $PS1; exit 3\n",
    )
    .expect("it reads");
    let output = shell.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(3), "{}", everything(&output));
    assert_eq!(String::from_utf8_lossy(&output.stdout), "one web:one $\n");
}

#[test]
fn a_name_is_given_once_and_two_labs_stand_side_by_side() {
    let Some(bench) = Bench::new("hand-names") else {
        return;
    };
    bench.up("web");
    bench.refuses(
        &["up", &bench.lab, "--name", "web"],
        &[
            "a lab called `web` is up already",
            "hairpin down web",
            "--name",
        ],
    );
    bench.refuses(
        &["up", &bench.lab, "--name", "../web"],
        &["is no name for a lab"],
    );
    // The default case is the first fault, and says so.
    let told = bench.ends(0, &["up", &bench.lab, "--name", "other"]);
    assert!(told.contains("/broken (the lab's first fault)"), "{told}");
    bench.refuses(
        &["exec", "client", "--", "true"],
        &["several labs are up, name one: other, web"],
    );
    let talk = "exec 3<>/dev/tcp/front/80";
    bench.ends(0, &["exec", "web", "client", "--", "bash", "-c", talk]);
    bench.ends(0, &["exec", "other", "client", "--", "bash", "-c", talk]);
    assert_eq!(bench.ps().len(), 2);
    bench.ends(0, &["down", "--all"]);
    assert_eq!(bench.ps().len(), 0);
    bench.refuses(&["down"], &["no lab is up"]);
}

#[test]
fn what_cannot_be_put_up_is_told_at_once() {
    let Some(bench) = Bench::new("hand-refused") else {
        return;
    };
    let broken = bench
        .scratch
        .file("broken.yaml", &LAB.replace("to: front", "to: fornt"));
    bench.refuses(
        &["up", &broken],
        &["fornt", "did you mean `front`?", "to mend; nothing was run"],
    );
    let dies = bench.scratch.file(
        "dies.yaml",
        &LAB.replace(
            "client: {}",
            "client: { setup: 'echo that went wrong; exit 5' }",
        ),
    );
    let output = bench.hairpin(&["up", &dies]);
    assert_eq!(output.status.code(), Some(3), "{}", everything(&output));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        said.contains("exit status 5") && said.contains("that went wrong"),
        "{said}"
    );
    assert_eq!(bench.folders(), [] as [String; 0]);
}

#[test]
fn a_machine_that_cannot_run_labs_says_so_with_status_3() {
    let scratch = Scratch::new("hand-unable");
    let lab = scratch.file("web.yaml", LAB);
    let hidden = "mount -t tmpfs none /dev/net && exec \"$@\"";
    let output = Command::new("unshare")
        .args([
            "--mount",
            "sh",
            "-c",
            hidden,
            "sh",
            env!("CARGO_BIN_EXE_hairpin"),
            "up",
            &lab,
        ])
        .env("XDG_RUNTIME_DIR", &scratch.0)
        .env("NO_COLOR", "1")
        .output()
        .expect("util-linux is there");
    let said = String::from_utf8_lossy(&output.stderr);
    if ["unshare:", "mount:"].iter().any(|by| said.contains(by)) {
        return skip(&format!("/dev/net cannot be hidden here: {said}"));
    }
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(
        said.contains("this machine cannot run labs") && said.contains("/dev/net/tun"),
        "{said}"
    );
    assert!(!scratch.0.join("hairpin/web").exists());
}
