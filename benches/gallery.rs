//! The whole gallery's wall time beside its longest case: `cargo bench --bench gallery`.
//!
//! Cases run at once, so a gallery should take hardly longer than its longest case; what it takes longer is processor
//! time and waiting for a turn. Told are both, and what the processors were busy with: a gallery cannot be faster than
//! its processor time allows. It needs what labs need. Rounds: a number as argument, 3 without; the fastest counts.
//! With `BENCH_JSON` the rows go into that file.

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use std::process::Command;
use std::time::Instant;

const ROUNDS: usize = 3;

/// One run of the gallery, seconds.
struct Round {
    wall: f64,
    /// Processor time of all of it.
    busy: f64,
    longest: f64,
    /// Its lab and case.
    longest_name: String,
    cases: usize,
}

fn main() {
    let asked = std::env::args().find_map(|word| word.parse().ok());
    let rounds = (0..asked.unwrap_or(ROUNDS)).map(|_| round());
    let best = rounds
        .min_by(|a, b| a.wall.total_cmp(&b.wall))
        .expect("one round at least");
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let floor = best.longest.max(best.busy / processors as f64);
    println!("{} cases on {processors} processors", best.cases);
    println!("wall               {:>7.2} s", best.wall);
    println!(
        "longest case       {:>7.2} s  {}",
        best.longest, best.longest_name
    );
    println!("processor time     {:>7.2} s", best.busy);
    println!("wall / longest     {:>7.2}", best.wall / best.longest);
    println!(
        "wall / possible    {:>7.2}    (the longest case, or the processor time shared by all processors)",
        best.wall / floor
    );
    if let Ok(file) = std::env::var("BENCH_JSON") {
        let row = serde_json::json!({
            "cases": best.cases, "processors": processors, "wall_s": best.wall, "busy_s": best.busy,
            "longest_s": best.longest, "longest": best.longest_name,
            "wall_to_longest": best.wall / best.longest, "wall_to_possible": best.wall / floor,
        });
        let report = serde_json::json!({ "bench": "gallery", "rows": [row] });
        std::fs::write(&file, format!("{report:#}\n"))
            .expect("the file of BENCH_JSON can be written");
    }
}

fn round() -> Round {
    let before = busy();
    let began = Instant::now();
    let output = Command::new(env!("CARGO_BIN_EXE_hairpin"))
        .args(["run", "--format", "json"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("the binary starts");
    let wall = began.elapsed().as_secs_f64();
    let report: serde_json::Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
    let cases = report["cases"].as_array().expect("cases");
    let seconds = |case: &serde_json::Value| case["seconds"].as_f64().unwrap_or(0.0);
    let longest = cases
        .iter()
        .max_by(|a, b| seconds(a).total_cmp(&seconds(b)))
        .expect("a case");
    let name = |key: &str| longest[key].as_str().unwrap_or_default().to_owned();
    Round {
        wall,
        busy: busy() - before,
        longest: seconds(longest),
        longest_name: format!("{}/{}", name("lab"), name("case")),
        cases: cases.len(),
    }
}

/// Processor time of children that ended so far, seconds.
fn busy() -> f64 {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).expect("everybody may ask for it");
    let micros = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
    micros as f64 / 1e6
}
