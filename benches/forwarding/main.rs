//! Traffic through the emulated NLB, beside the kernel's own NAT and beside HAProxy: `cargo bench --bench forwarding`.
//!
//! The same client and server on every path. Paths alternate within a round, and each begins when the kernel has taken down what
//! the one before left (DNAT leaves tens of thousands of tracked connections); the table shows medians over the rounds, and
//! each as a ratio to the kernel's. It needs what labs need, `ip`, `nft` and `haproxy`.
//!
//! The client's streams have the congestion control that the machine gives to sockets, or `CONGESTION`. It decides about
//! streams: BBR sends at the pace that it believes in, and what is measured is that pace; CUBIC sends what fits.
//! HAProxy's own connections have the machine's in any case.

mod paths;
mod peer;
#[path = "../taken_down/mod.rs"]
mod taken_down;

use paths::Path;
use peer::Figures;
use serde_json::json;
use std::time::Duration;
use taken_down::await_taken_down;

const MTUS: [u32; 3] = [1500, 9001, 65_000];
/// Rounds, unless `ROUNDS` says another number.
const ROUNDS: usize = 5;
/// How long each figure is measured.
const TIME: Duration = Duration::from_millis(600);
/// Of a figure: its name, whether less is better, and how it is read.
type Column = (&'static str, bool, fn(&Figures) -> f64);
const COLUMNS: [Column; 5] = [
    ("1 stream Gbit/s", false, |figures| figures.one_stream),
    ("4 streams Gbit/s", false, |figures| figures.four_streams),
    ("conn/s, 4 threads", false, |figures| figures.by_threads),
    ("conn/s, 64 events", false, |figures| figures.by_events),
    ("latency us", true, |figures| figures.latency),
];

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let words: Vec<&str> = arguments.iter().skip(1).map(String::as_str).collect();
    match words.as_slice() {
        ["peer", "serve", port] => peer::serve(port.parse().expect("a port")),
        ["peer", "serve-by-events", port] => peer::serve_by_events(port.parse().expect("a port")),
        ["peer", "measure", to, millis, file, congestion @ ..] => {
            let time = Duration::from_millis(millis.parse().expect("milliseconds"));
            let figures = peer::measure(to, time, congestion.first().copied());
            let text = serde_json::to_string(&figures).expect("JSON");
            std::fs::write(file, text).expect("a file");
        }
        _ => compare(),
    }
}

fn compare() {
    let rounds = std::env::var("ROUNDS")
        .ok()
        .and_then(|rounds| rounds.parse().ok())
        .unwrap_or(ROUNDS);
    let congestion = std::env::var("CONGESTION").unwrap_or_default();
    let mut rows = Vec::new();
    for mtu in MTUS {
        let mut all = Path::ALL.map(|path| (path, Vec::new()));
        for _ in 0..rounds {
            // There and back: no path always comes after the same other one.
            all.reverse();
            for (path, figures) in &mut all {
                await_taken_down();
                figures.extend(path.measure(mtu, TIME, &congestion));
            }
        }
        all.sort_by_key(|(path, _)| Path::ALL.iter().position(|one| one == path));
        // What they had, which without `CONGESTION` is the machine's choice.
        let congestion = all
            .iter()
            .find_map(|(_, figures)| Some(figures.first()?.congestion.as_str()))
            .unwrap_or_default();
        print!("{:<26}", format!("MTU {mtu}, {congestion}"));
        for (name, _, _) in COLUMNS {
            print!(" {name:>19}");
        }
        println!();
        for (path, figures) in &all {
            print!("{:<26}", path.name());
            for (name, less, read) in COLUMNS {
                // Each round's path beside the same round's reference: what slows the machine slows both.
                let ratios = figures.iter().zip(&all[0].1).map(|(own, reference)| {
                    let ratio = read(own) / read(reference);
                    if less { 1.0 / ratio } else { ratio }
                });
                let ratio = median(ratios.collect());
                let value = median(figures.iter().map(read).collect());
                match value.zip(ratio) {
                    Some((value, ratio)) => print!(" {:>19}", format!("{value:.2} ({ratio:.2}x)")),
                    None => print!(" {:>19}", "not measured"),
                }
                rows.push(json!({ "mtu": mtu, "congestion": congestion, "path": path.name(), "figure": name, "median": value, "ratio": ratio }));
            }
            println!();
        }
    }
    if let Some(file) = std::env::var_os("BENCH_JSON") {
        let text = json!({ "bench": "forwarding", "rounds": rounds, "rows": rows }).to_string();
        std::fs::write(file, text).expect("the file that BENCH_JSON names");
    }
}

/// The middle one.
fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}
