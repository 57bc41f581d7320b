//! How long a lab takes to come up, beside the same hosts made by `ip` commands: `cargo bench --bench lab_up`.
//!
//! Runs of both alternate, and the table shows medians and their ratio. The kernel takes a lab down in the background, half
//! a second for a thousand hosts. A user's lab comes up on a machine that does nothing else, so both ways begin when the
//! kernel has taken down everything that was there before; a further column has the lab that comes up right after another.
//!
//! A second table has several labs at once, whose hosts run a program each: the processor time of all of it, where hosts
//! forward as routers and cluster nodes do, beside hosts that do not. Both have settings that the kernel writes under a lock for
//! which their writers would wait awake (`src/world/rtnl.rs`).
//!
//! It needs what labs need, and `ip`. With `BENCH_JSON` the rows go into that file.

mod taken_down;

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use std::fmt::Write;
use std::process::Command;
use std::time::Instant;
use taken_down::await_taken_down;

/// Hosts of a lab, and how often it is built.
const SIZES: [(usize, usize); 4] = [(3, 15), (10, 15), (100, 7), (1000, 3)];

/// Labs at once, the hosts of each, and how often.
const CROWD: (usize, usize, usize) = (12, 40, 7);

fn main() {
    println!(
        "{:>6} {:>12} {:>14} {:>12} {:>8}",
        "hosts", "up ms", "right after ms", "ip ms", "ratio"
    );
    let mut rows = Vec::new();
    for (hosts, rounds) in SIZES {
        let file = lab(hosts);
        let (mut up, mut after, mut reference) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..rounds {
            await_taken_down();
            up.push(hairpin(&file));
            after.push(hairpin(&file));
            // Ten rounds of a thousand hosts by `ip` would take minutes and tell nothing new.
            if hosts <= 100 {
                await_taken_down();
                reference.extend(by_ip(hosts));
            }
        }
        let (up, after, reference) = (median(up), median(after), median(reference));
        let ratio = reference.zip(up).map_or_else(
            || "-".to_owned(),
            |(reference, up)| format!("{:.0}x", reference / up),
        );
        let text = |value: Option<f64>| {
            value.map_or_else(|| "-".to_owned(), |value| format!("{value:.1}"))
        };
        println!(
            "{hosts:>6} {:>12} {:>14} {:>12} {ratio:>8}",
            text(up),
            text(after),
            text(reference)
        );
        rows.push(serde_json::json!({
            "hosts": hosts, "up_ms": up, "right_after_ms": after, "ip_ms": reference,
        }));
        std::fs::remove_file(&file).expect("the lab file was written above");
    }
    let crowds = crowds();
    if let Ok(file) = std::env::var("BENCH_JSON") {
        let report = serde_json::json!({ "bench": "lab_up", "rows": rows, "at_once": crowds });
        std::fs::write(&file, format!("{report:#}\n"))
            .expect("the file of BENCH_JSON can be written");
    }
}

/// Labs at once, whose hosts forward and do not, by turns.
fn crowds() -> serde_json::Value {
    let (labs, hosts, rounds) = CROWD;
    let files = [false, true].map(|forward| busy_lab(hosts, forward));
    let mut seconds = [Vec::new(), Vec::new()];
    for _ in 0..rounds {
        for (file, seconds) in files.iter().zip(&mut seconds) {
            await_taken_down();
            let before = busy();
            let repeat = labs.to_string();
            let status = Command::new(env!("CARGO_BIN_EXE_hairpin"))
                .args(["run", file, "--repeat", &repeat, "--format", "json"])
                .stdout(std::process::Stdio::null())
                .status()
                .expect("the binary starts");
            assert!(status.success(), "the labs hold");
            seconds.push(busy() - before);
        }
    }
    for file in files {
        std::fs::remove_file(file).expect("the lab file was written above");
    }
    let [plain, forward] = seconds.map(|values| median(values).expect("one round at least"));
    println!(
        "\n{labs} labs at once, {hosts} hosts each, a program in each: {plain:.2} s of processor time; hosts that forward: \
         {forward:.2} s, {:.2}x",
        forward / plain
    );
    serde_json::json!({ "labs": labs, "hosts": hosts, "busy_s": plain, "busy_forwarding_s": forward })
}

/// A lab each of whose hosts runs a program.
fn busy_lab(hosts: usize, forward: bool) -> String {
    let name = if forward { "forward" } else { "plain" };
    let path = format!("{}/lab-up-{name}.yaml", env!("CARGO_TARGET_TMPDIR"));
    let mut text = format!("title: {hosts} hosts\nhosts:\n");
    let sysctls = match forward {
        true => "sysctls: { net.ipv4.ip_forward: 1 }",
        false => "",
    };
    for host in 0..hosts {
        writeln!(text, "  h{host}: {{ {sysctls} }}").expect("a string takes everything");
    }
    text.push_str("steps:\n");
    for host in 0..hosts {
        writeln!(
            text,
            "  - run: {{ as: r{host}, on_host: h{host}, command: 'true' }}"
        )
        .expect("a string takes everything");
    }
    text.push_str("works: [r0.ok]\ncases:\n  only: { kind: control }\n");
    std::fs::write(&path, text).expect("a lab file");
    path
}

/// Processor time of children that ended so far, seconds.
fn busy() -> f64 {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).expect("everybody may ask for it");
    let micros = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
    micros as f64 / 1e6
}

/// A lab of so many hosts that does next to nothing.
fn lab(hosts: usize) -> String {
    let path = format!("{}/lab-up-{hosts}.yaml", env!("CARGO_TARGET_TMPDIR"));
    let text = format!(
        "title: {hosts} hosts\nhosts:\n  c: {{ count: {} }}\n  w: {{ zone: a }}\nsteps:\n  - wait: {{ as: moment, for: 1ms }}\nworks:\n  - moment.ok\ncases:\n  only: {{ kind: control }}\n",
        hosts - 1
    );
    std::fs::write(&path, text).expect("a lab file");
    path
}

/// How long it took to come up, milliseconds, as the report tells it.
fn hairpin(file: &str) -> f64 {
    let output = Command::new(env!("CARGO_BIN_EXE_hairpin"))
        .args(["run", file, "--format", "json"])
        .output()
        .expect("the binary starts");
    let report: serde_json::Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
    report["cases"][0]["up_ms"].as_f64().expect("up_ms")
}

/// The same namespaces, devices, addresses and routes by one shell with `ip`, in a namespace of its own; milliseconds.
fn by_ip(hosts: usize) -> Option<f64> {
    let mut script = String::from("set -e; mount -t tmpfs tmpfs /run; date +%s%N\n");
    for host in 0..hosts {
        let address = format!("10.0.{}.{}", host / 250, host % 250 + 1);
        writeln!(
            script,
            "ip netns add h{host}; ip -n h{host} link set lo up; ip -n h{host} tuntap add eth0 mode tun; \
             ip -n h{host} addr add {address}/32 dev eth0; ip -n h{host} link set eth0 up; ip -n h{host} route add default dev eth0"
        )
        .expect("a string takes everything");
    }
    script.push_str("date +%s%N\n");
    let began = Instant::now();
    let output = Command::new("unshare")
        .args(["--mount", "--net", "sh", "-c", &script])
        .output()
        .ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut moments = text.lines().filter_map(|line| line.parse::<f64>().ok());
    let (start, end) = (moments.next()?, moments.next()?);
    assert!(
        began.elapsed().as_nanos() as f64 >= end - start,
        "the clock went backwards"
    );
    Some((end - start) / 1e6)
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}
