//! What a packet of an established flow costs inside the fabric: `cargo bench --bench fabric`.
//!
//! Pure: no device, no system call. Packets of random flows, or of a few flows by turns, are made outside the measured
//! time, 64 at once as the driver reads them, and handed to the fabric. In the same rounds, as a yardstick for this
//! machine at this moment: a bare hash map of as many 16-byte keys asked in random order, and a walk through as many
//! cache lines where each says which is next. Rounds of all of them alternate. A round's figure is its median batch, which
//! a machine with other work to do preempts seldom, and the table has the medians of these. With `BENCH_JSON` the
//! rows go into that file; arguments that are numbers are other sizes of the table.

mod network;
mod packets;
mod scene;
mod yardstick;

use hairpin::cli::allocator::Allocator;
use network::{Network, Traffic};
use scene::Shape;
use std::alloc::{GlobalAlloc, Layout};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;
use yardstick::Yardstick;

/// Flows in the table.
const SIZES: [usize; 3] = [1_000, 100_000, 1_000_000];
/// Rounds, of which the median counts.
const ROUNDS: usize = 9;
/// Packets handed over at once.
const BATCH: usize = 64;
/// Batches in a round.
const BATCHES: usize = 800;
/// Counts what is asked of the program's own allocator.
struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);
static BYTES: AtomicU64 = AtomicU64::new(0);

// SAFETY: everything is passed on to the program's own allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        BYTES.fetch_add(layout.size() as u64, Ordering::Relaxed);
        // SAFETY: the caller's promise.
        unsafe { Allocator.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        BYTES.fetch_sub(layout.size() as u64, Ordering::Relaxed);
        // SAFETY: the caller's promise.
        unsafe { Allocator.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        BYTES.fetch_add(size as u64, Ordering::Relaxed);
        BYTES.fetch_sub(layout.size() as u64, Ordering::Relaxed);
        // SAFETY: the caller's promise.
        unsafe { Allocator.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn main() {
    println!(
        "{:>9}  {:<50} {:>7} {:>8} {:>8} {:>8} {:>11}",
        "flows", "what", "ns", "of map", "of chase", "allocs", "bytes/flow"
    );
    let mut rows = Vec::new();
    let asked: Vec<usize> = std::env::args().flat_map(|word| word.parse()).collect();
    for flows in if asked.is_empty() { &SIZES } else { &*asked } {
        rows.extend(measure(*flows));
    }
    if let Ok(file) = std::env::var("BENCH_JSON") {
        let report = serde_json::json!({ "bench": "fabric", "rows": rows });
        std::fs::write(&file, format!("{report:#}\n"))
            .expect("the file of BENCH_JSON can be written");
    }
}

/// Everything at one size.
fn measure(flows: usize) -> Vec<serde_json::Value> {
    let mut yardstick = Yardstick::new(flows);
    let mut networks: Vec<Network> = Shape::ALL.map(|shape| Network::new(shape, flows)).into();
    let (mut map, mut chase) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS as u64 {
        map.push(yardstick.map(round));
        chase.push(yardstick.chase());
        for network in &mut networks {
            network.round(round);
        }
    }
    let (map, chase) = (median(map), median(chase));
    println!(
        "{flows:>9}  {:<50} {map:>7.1} {:>8} {:>8}",
        "(a hash map)", "1.00", ""
    );
    println!(
        "{flows:>9}  {:<50} {chase:>7.1} {:>8} {:>8}",
        "(one cache line after the other)", "", "1.00"
    );
    let mut rows = vec![
        serde_json::json!({ "flows": flows, "what": "map", "ns": map }),
        serde_json::json!({ "flows": flows, "what": "chase", "ns": chase }),
    ];
    for network in networks {
        for (traffic, result) in Traffic::ALL.into_iter().zip(network.results) {
            let ns = median(result.nanos);
            let (of_map, of_chase) = (ns / map, ns / chase);
            let per_packet = result.allocations as f64 / (ROUNDS * BATCHES * BATCH) as f64;
            let what = format!("{}, {}", network.shape.name, traffic.name);
            println!(
                "{flows:>9}  {what:<50} {ns:>7.1} {of_map:>8.2} {of_chase:>8.2} {per_packet:>8.2} {:>11.0}",
                network.bytes_per_flow,
            );
            rows.push(serde_json::json!({
                "flows": flows,
                "what": what,
                "ns": ns,
                "of_map": of_map,
                "of_chase": of_chase,
                "allocations_per_packet": per_packet,
                "bytes_per_flow": network.bytes_per_flow,
            }));
        }
    }
    rows
}

/// Nanoseconds for each packet of a batch.
fn per_packet(began: Instant) -> f64 {
    began.elapsed().as_nanos() as f64 / BATCH as f64
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
