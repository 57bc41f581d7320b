//! How the cost of labs grows with their size: `cargo bench --bench growth`.
//!
//! Labs of one, two, four and eight times as many hosts, connections, packets, steps and cases are checked, run, judged
//! again from their evidence and reported, each by the built binary. Told is processor time, which hardly depends on what else the machine
//! does, the lowest of the rounds. What grows with the work doubles from one row to the next, what is quadratic quadruples:
//! where a stage grows by more than [`LIMIT`] from half to the whole, the bench says so and fails. It needs what labs need. Rounds: a number
//! as argument, 2 without. With `BENCH_JSON` the rows go into that file.

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

const ROUNDS: usize = 2;
/// Times as much for twice the size, at most.
const LIMIT: f64 = 3.0;
/// What is below this is a start of the program and little else, milliseconds.
const LITTLE: f64 = 100.0;
const STAGES: [&str; 4] = ["check", "run", "judge", "report"];

/// What a lab may have more of.
struct Axis {
    name: &'static str,
    /// The largest of four sizes, each half of the next.
    most: usize,
    lab: fn(usize) -> String,
}

const AXES: [Axis; 5] = [
    Axis {
        name: "hosts",
        most: 1000,
        lab: hosts,
    },
    Axis {
        name: "connections",
        most: 32_000,
        lab: connections,
    },
    Axis {
        name: "exchanges",
        most: 16_000,
        lab: exchanges,
    },
    Axis {
        name: "steps",
        most: 800,
        lab: steps,
    },
    Axis {
        name: "cases",
        most: 200,
        lab: cases,
    },
];

fn main() -> ExitCode {
    let asked = std::env::args().find_map(|word| word.parse().ok());
    let rounds: usize = asked.unwrap_or(ROUNDS);
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("growth");
    let mut rows = Vec::new();
    let mut fast_growing = Vec::new();
    println!(
        "{:<12} {:>7} {:>10} {:>10} {:>10} {:>10}    ms of processor time",
        "", "", STAGES[0], STAGES[1], STAGES[2], STAGES[3]
    );
    for axis in AXES {
        let mut before: Option<[f64; 4]> = None;
        for size in [8, 4, 2, 1].map(|part| axis.most / part) {
            let cost = cost(&folder, &(axis.lab)(size), rounds);
            let [check, run, judge, report] = cost;
            println!(
                "{:<12} {size:>7} {check:>10.0} {run:>10.0} {judge:>10.0} {report:>10.0}",
                axis.name
            );
            for (stage, times) in grown(before, cost) {
                if times > LIMIT && size == axis.most {
                    fast_growing.push(format!(
                        "{stage} of {size} {} costs {times:.1} times as much as of half as many",
                        axis.name
                    ));
                }
            }
            rows.push(serde_json::json!({
                "axis": axis.name, "size": size, "check_ms": check, "run_ms": run, "judge_ms": judge, "report_ms": report,
            }));
            before = Some(cost);
        }
    }
    std::fs::remove_dir_all(&folder).expect("it was made above");
    if let Ok(file) = std::env::var("BENCH_JSON") {
        let report =
            serde_json::json!({ "bench": "growth", "rows": rows, "fast_growing": fast_growing });
        std::fs::write(&file, format!("{report:#}\n"))
            .expect("the file of BENCH_JSON can be written");
    }
    for told in &fast_growing {
        println!("more than linear: {told}");
    }
    match fast_growing.is_empty() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}

/// How much more each stage costs than with half of the size; only those that cost something.
fn grown(before: Option<[f64; 4]>, now: [f64; 4]) -> Vec<(&'static str, f64)> {
    let Some(before) = before else {
        return Vec::new();
    };
    let stages = STAGES.into_iter().zip(before.into_iter().zip(now));
    stages
        .filter(|(_, (_, now))| *now > LITTLE)
        .map(|(stage, (before, now))| (stage, now / before))
        .collect()
}

/// Milliseconds of processor time of each stage: the lowest of the rounds.
fn cost(folder: &Path, lab: &str, rounds: usize) -> [f64; 4] {
    let mut lowest = [f64::INFINITY; 4];
    for _ in 0..rounds {
        // It is there unless this is the first.
        let _ = std::fs::remove_dir_all(folder);
        std::fs::create_dir_all(folder).expect("the target folder can be written");
        std::fs::write(folder.join("lab.yaml"), lab).expect("a folder of our own");
        let stages: [&[&str]; 4] = [
            &["check", "lab.yaml"],
            &[
                "run",
                "lab.yaml",
                "--evidence",
                "evidence",
                "--report",
                "json=run.json",
            ],
            &["judge", "evidence"],
            &["report", "run.json", "--report", "html=run.html"],
        ];
        for (lowest, arguments) in lowest.iter_mut().zip(stages) {
            *lowest = lowest.min(hairpin(folder, arguments));
        }
    }
    lowest
}

/// What one command costs, milliseconds.
fn hairpin(folder: &Path, arguments: &[&str]) -> f64 {
    let before = busy();
    let output = Command::new(env!("CARGO_BIN_EXE_hairpin"))
        .args(arguments)
        .current_dir(folder)
        .output()
        .expect("the binary starts");
    assert!(
        output.status.success(),
        "{arguments:?}: {}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    busy() - before
}

/// Processor time of children that ended so far, milliseconds.
fn busy() -> f64 {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).expect("everybody may ask for it");
    let micros = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
    micros as f64 / 1e3
}

/// A lab of one balancer and two servers; `box` is what the client has.
fn lab(client: &str, steps: &str, claim: &str, cases: &str) -> String {
    format!(
        "title: A lab of the bench\n\
         hosts:\n  box: {client}\n  web: {{ zone: a, count: 2, serve: {{ 80: echo }} }}\n\
         target_groups:\n  web: {{ targets: [web] }}\n\
         load_balancers:\n  front: {{ zones: [a], listeners: {{ 80: web }} }}\n\
         steps:\n{steps}works:\n  - {claim}\ncases:\n{cases}"
    )
}

const PLAIN: &str = "  plain: { kind: control }\n";

/// Machines that open five connections each.
fn hosts(count: usize) -> String {
    let steps = "  - load: { as: fleet, from: box, to: front, connections: 5, rate: 10, hold: true, timeout: 60s }\n";
    lab(
        &format!("{{ count: {count} }}"),
        steps,
        "fleet.failed == 0",
        PLAIN,
    )
}

/// One machine that opens many.
fn connections(count: usize) -> String {
    let steps = format!(
        "  - load: {{ as: many, from: box, to: front, connections: {count}, source_port: 20000, hold: true, timeout: 60s }}\n"
    );
    lab("{}", &steps, "many.failed == 0", PLAIN)
}

/// One connection that says much: four packets each time, at least.
fn exchanges(count: usize) -> String {
    let steps = format!(
        "  - connect: {{ as: one, from: box, to: front }}\n  \
           - exchange: {{ as: talk, over: one, times: {count}, timeout: 60s }}\n"
    );
    lab("{}", &steps, "talk.ok", PLAIN)
}

/// One connection after the other, each with a step of its own.
fn steps(count: usize) -> String {
    let steps = (0..count).fold(String::new(), |mut text, number| {
        // A string takes everything, here and below.
        let _ = writeln!(
            text,
            "  - connect: {{ as: c{number}, from: box, to: front }}"
        );
        text
    });
    lab("{}", &steps, "c0.ok", PLAIN)
}

/// The same story many times.
fn cases(count: usize) -> String {
    let cases = (0..count).fold(String::new(), |mut text, number| {
        let _ = writeln!(
            text,
            "  c{number}: {{ kind: control, set: {{ steps.one.timeout: {}ms }} }}",
            3000 + number
        );
        text
    });
    let steps = "  - connect: { as: one, from: box, to: front }\n";
    lab("{}", steps, "one.ok", &cases)
}
