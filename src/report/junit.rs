//! JUnit's XML, as Jenkins and GitLab read it: a test suite a lab, a test case a case.
//!
//! A case that fails is a `failure`. One that is inconclusive, could not be run or was interrupted is an `error`: none
//! may leave a build green, since nothing was shown. A case that held only when it was run again, alone, is a success with a
//! `flakyError`. Properties stand at the suite, for the schema of Jenkins's xunit plugin (junit-10.xsd) has none at a
//! test case; what is of one case alone (its line, its seed) is at the head of its `system-out`.

use super::tally::{Tally, by_lab};
use super::told;
use super::{Record, Report, Word};
use crate::verdict::Ruling;
use quick_junit::{
    NonSuccessKind, Property, Report as Suites, TestCase, TestCaseStatus, TestRerun, TestSuite,
};
use std::collections::BTreeSet;
use std::time::Duration;

/// The document, with a final line feed.
pub fn junit(report: &Report) -> String {
    let mut suites = Suites::new("hairpin");
    let mut whole = 0.0;
    for (lab, tallies) in by_lab(report) {
        let mut suite = TestSuite::new(lab);
        let mut seconds = 0.0;
        for tally in &tallies {
            seconds += spent(tally);
            suite.add_test_case(case(tally));
        }
        suite.set_time(duration(seconds));
        whole += seconds;
        properties(&mut suite, &tallies);
        suites.add_test_suite(suite);
    }
    let missing = report.missing();
    if !missing.is_empty() {
        let mut suite = TestSuite::new("hairpin");
        suite.set_time(Duration::ZERO);
        for shard in missing {
            let name = format!("shard {} of {}", shard.number, shard.of);
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
            status
                .set_message(format!("{name} is missing, so this is not the whole run"))
                .set_type("missing");
            let mut case = TestCase::new(name, status);
            case.set_classname("hairpin").set_time(Duration::ZERO);
            suite.add_test_case(case);
        }
        suites.add_test_suite(suite);
    }
    suites.set_time(duration(whole));
    let mut text = suites
        .to_string()
        .expect("a string takes everything, and the text has been made fit for XML");
    without_skipped(&mut text);
    if !text.ends_with('\n') {
        text.push('\n');
    }
    text
}

/// Takes from the root an attribute that schemas know at a suite only.
fn without_skipped(text: &mut String) {
    const NAME: &str = " skipped=\"";
    let begin = text.find("<testsuites").unwrap_or(0);
    let end = text[begin..].find('>').map_or(begin, |end| begin + end);
    if let Some(at) = text[begin..end].find(NAME).map(|at| begin + at)
        && let Some(length) = text[at + NAME.len()..end].find('"')
    {
        text.replace_range(at..=at + NAME.len() + length, "");
    }
}

/// What all cases of a lab have in common, or each value that is met among them.
fn properties(suite: &mut TestSuite, tallies: &[Tally]) {
    let records = || tallies.iter().flat_map(|tally| &tally.runs);
    let mut add = |name: &str, values: Vec<String>| {
        if !values.is_empty() {
            suite.add_property(Property::new(name, values.join(", ")));
        }
    };
    let texts = |values: BTreeSet<&str>| values.into_iter().map(str::to_owned).collect();
    add("file", texts(records().map(|r| &*r.file).collect()));
    add("title", texts(records().map(|r| &*r.title).collect()));
    add(
        "kernel",
        texts(records().filter_map(|r| r.kernel.as_deref()).collect()),
    );
    let mut scales: Vec<f64> = records().filter_map(|r| r.time_scale).collect();
    scales.sort_by(f64::total_cmp);
    scales.dedup();
    add(
        "time_scale",
        scales.iter().map(ToString::to_string).collect(),
    );
    let seeds: BTreeSet<u64> = records().map(|r| r.seed).collect();
    add("seed", seeds.iter().map(ToString::to_string).collect());
    for tally in tallies {
        let record = tally.shown();
        let place = format!("{}:{}", record.file, record.line);
        suite.add_property(Property::new(format!("{}.at", record.case), place));
    }
}

fn spent(tally: &Tally) -> f64 {
    let whole: f64 = tally.runs.iter().filter_map(|run| run.seconds).sum();
    whole.max(0.0)
}

/// Zero where a report that was read has figures that are no time.
fn duration(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or_default()
}

fn case(tally: &Tally) -> TestCase {
    let shown = tally.shown();
    let mut case = TestCase::new(shown.case.as_str(), status(tally));
    // Jenkins makes packages of the dots.
    case.set_classname(shown.lab.replace('/', "."));
    case.set_time(duration(spent(tally)));
    let rate = tally
        .rate()
        .map_or(String::new(), |rate| format!("{rate}\n"));
    case.set_system_out(format!("{rate}{}", told::explanation(shown)));
    case
}

fn status(tally: &Tally) -> TestCaseStatus {
    let shown = tally.shown();
    let (kind, word) = match tally.word() {
        Word::Ruled(Ruling::Holds) => return success(shown),
        Word::ByHand => return TestCaseStatus::skipped(),
        Word::Ruled(Ruling::Fails) => (NonSuccessKind::Failure, "fails"),
        Word::Ruled(Ruling::Inconclusive) => (NonSuccessKind::Error, "inconclusive"),
        Word::Failure => (NonSuccessKind::Error, "could-not-run"),
        Word::Interrupted => (NonSuccessKind::Error, "interrupted"),
    };
    let mut status = TestCaseStatus::non_success(kind);
    status
        .set_message(told::message(tally))
        .set_type(word)
        .set_description(told::failure(shown));
    status
}

fn success(record: &Record) -> TestCaseStatus {
    let mut status = TestCaseStatus::success();
    if let Some(why) = &record.retried {
        let mut rerun = TestRerun::new(NonSuccessKind::Error);
        rerun.set_message(why.as_str()).set_type("inconclusive");
        status.add_rerun(rerun);
    }
    status
}
