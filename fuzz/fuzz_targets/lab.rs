//! Any bytes as a lab: problems or plans, never a panic, and the problems can be printed.
//!
//! `tests/diagnostics` and `labs` are a good corpus to start from.

#![no_main]

use hairpin::diag::{Format, render};
use hairpin::{plan, spec};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else {
        assert!(spec::read_bytes(bytes, "fuzz.yaml").is_err());
        return;
    };
    let spec::Reading { lab, mut problems } = spec::read_all(text, "fuzz.yaml");
    if let Some(Err(more)) = lab.map(|lab| plan::plans(&lab)) {
        problems.append_elsewhere(more);
    }
    for format in [Format::Plain, Format::Colour, Format::Json, Format::Github] {
        render(&problems, "fuzz.yaml", text, format);
    }
});
