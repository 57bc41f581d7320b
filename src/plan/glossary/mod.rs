//! Words of expressions and verdicts that are no keys of a lab file: errors, fields of results and hosts, states, functions,
//! metrics, counters, what a case is.
//!
//! Not here: keys (see `spec::reference`), attributes and annotations (see `lists`).

mod words;

use super::counters::COUNTERS;
use super::vocabulary::{ENDPOINT_METRICS, metrics};
use crate::fabric::config::NatProfile;
use crate::fabric::metric::{Measure, Namespace};
use words::CHAPTERS;

/// Publishers of balancers' metrics, in the order in which they are told.
const OF_BALANCERS: [Namespace; 3] = [
    Namespace::Network,
    Namespace::Application,
    Namespace::Classic,
];

/// What a word means, in each place where it means something; none: it is none of these.
pub(super) fn meaning(word: &str) -> Option<String> {
    let mut lines: Vec<String> = Vec::new();
    // A fate is told by its reason.
    let whole = ["dropped: ", "answered: "];
    let mut reasons = whole.iter().filter_map(|fate| word.strip_prefix(fate));
    let told = reasons.next().unwrap_or(word);
    for chapter in CHAPTERS {
        let own = chapter.words.iter().filter(|(known, _)| *known == told);
        lines.extend(own.map(|(_, text)| format!("{}: {text}", chapter.title)));
    }
    lines.extend(metric(word));
    if COUNTERS.contains(&word) {
        lines.push(format!(
            "Counters of hosts: what its kernel counted under this name of nstat(8) while the story ran: \
             `hosts.web.counters.{word}`."
        ));
    }
    (!lines.is_empty()).then(|| {
        let list = lines.iter().map(|line| format!("- {line}\n"));
        format!("`{word}`:\n\n{}", list.collect::<String>())
    })
}

/// Every word that [`meaning`] knows, counters left out.
pub(super) fn words() -> impl Iterator<Item = &'static str> {
    let words = CHAPTERS.iter().flat_map(|chapter| chapter.words);
    let metrics = published().into_iter().flat_map(|(_, _, names)| names);
    words.map(|(word, _)| *word).chain(metrics)
}

/// All of it for docs/language.md, in Markdown.
pub fn glossary() -> String {
    let mut text = String::from("# Words of expressions, states and verdicts\n");
    for chapter in CHAPTERS {
        text.push_str(&format!("\n## {}\n\n", chapter.title));
        for (word, meaning) in chapter.words {
            text.push_str(&format!("- `{word}`: {meaning}\n"));
        }
    }
    text.push_str(
        "\n## Metrics\n\nBy the names that their publishers give them, over the whole case; `--explain` says which statistic each \
         is. The kernel's counters are nstat's.\n\n",
    );
    for (namespace, of, names) in published() {
        let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
        text.push_str(&format!("- {namespace}, {of}: {}.\n", names.join(", ")));
    }
    text
}

/// Where a metric is published, and what it is, by each publisher that has it.
fn metric(word: &str) -> Vec<String> {
    let mut lines = Vec::new();
    for namespace in OF_BALANCERS {
        let rows = namespace.rows().filter(|row| row.name == word);
        lines.extend(rows.map(|row| {
            let kind = match row.measure {
                Measure::Sum => "a sum",
                Measure::Level => "more or less at a time",
                Measure::Peak => "the largest average over ten seconds",
                Measure::Time => "how long something took; no name in expressions",
            };
            let (name, unit) = (namespace.name(), row.unit);
            format!("Metrics: of {name} on CloudWatch, {kind} ({unit}); `hairpin metrics` has it minute by minute.")
        }));
    }
    let others = published().into_iter().skip(OF_BALANCERS.len());
    let others = others.filter(|(_, _, names)| names.contains(&word));
    lines.extend(others.map(|(name, of, _)| format!("Metrics: of {name}, {of}.")));
    lines
}

/// By publisher: its name, what expressions have them of, the metrics.
fn published() -> Vec<(&'static str, &'static str, Vec<&'static str>)> {
    let of_balancers = |namespace: Namespace| {
        let of = "of `load_balancers.X`, its zones and target groups";
        (namespace.name(), of, metrics(namespace).collect())
    };
    let of_gateways = |profile: NatProfile| {
        let names = profile.metrics().iter().map(|metric| metric.name);
        (profile.namespace(), "of `nat_gateways.X`", names.collect())
    };
    let gateways = [NatProfile::Aws, NatProfile::Azure, NatProfile::Google];
    let of_endpoints = (
        "AWS/PrivateLinkEndpoints",
        "of `endpoints.X`",
        ENDPOINT_METRICS.to_vec(),
    );
    let all = OF_BALANCERS.map(of_balancers).into_iter();
    all.chain(gateways.map(of_gateways))
        .chain([of_endpoints])
        .collect()
}

#[cfg(test)]
mod tests;
