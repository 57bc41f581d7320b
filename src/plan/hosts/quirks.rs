//! Quirks: what other kernels do, emulated at the fabric's edge. Not here: what the fabric does then.

use super::super::Sink;
use crate::diag::Diagnostic;
use crate::diag::codes::plan as code;
use crate::spec;

/// Quirks that are emulated: name, values, what they mean.
const QUIRKS: &[(&str, Values, &str)] = &[
    (
        "syn_resend",
        Values::Words(["classic", "modern"]),
        "write `classic` (Linux before 5.6: a full second) or `modern`",
    ),
    (
        "tcp_tw_recycle",
        Values::Words(["0", "1"]),
        "write `1` (as the sysctl did until Linux 4.12) or `0`",
    ),
    (
        TIMESTAMP_OFFSET,
        Values::Ticks,
        "write by how many milliseconds the clock of its TCP timestamps is ahead, from -2147483647 to 2147483647: those of a host \
         that has been up for an hour longer are 3600000 ahead. It needs the sysctl `net.ipv4.tcp_timestamps: 2`, with which \
         they count from the start of the machine; by default the kernel adds a random number to each connection's",
    ),
];
const TIMESTAMP_OFFSET: &str = "tcp_timestamp_offset";

/// What a quirk may be.
enum Values {
    Words([&'static str; 2]),
    /// A signed number of ticks of the timestamp clock.
    Ticks,
}

impl Values {
    fn take(&self, text: &str) -> bool {
        match self {
            Values::Words(words) => words.contains(&text),
            Values::Ticks => text.parse().is_ok_and(|ticks: i32| ticks != i32::MIN),
        }
    }
}

/// By how many ticks a host's timestamps are ahead, around the end of 32 bits.
pub(in crate::plan) fn timestamp_offset(host: &spec::Host) -> u32 {
    let mut quirks = host.kernel.iter();
    let found = quirks.find(|(name, _)| name.value == TIMESTAMP_OFFSET);
    let ticks: i32 = found.map_or(0, |(_, value)| value.value.parse().unwrap_or(0));
    ticks.cast_unsigned()
}

/// An offset means something only where the kernel adds none of its own.
fn timestamps(host: &spec::Host, sink: &mut Sink) {
    let mut quirks = host.kernel.iter();
    let Some((name, _)) = quirks.find(|(name, _)| name.value == TIMESTAMP_OFFSET) else {
        return;
    };
    const SYSCTL: &str = "net.ipv4.tcp_timestamps";
    let set = host
        .sysctls
        .iter()
        .rev()
        .find(|(key, _)| key.value == SYSCTL);
    if set.is_some_and(|(_, value)| value.value == "2") {
        return;
    }
    let mut diagnostic = Diagnostic::new(
        code::TIMESTAMPS_UNKNOWN,
        name.span,
        "nobody knows what this is added to",
    );
    if let Some((_, value)) = set {
        diagnostic = diagnostic.also(
            value.span,
            "with 2 timestamps have no offset of the kernel's own",
        );
    }
    sink.push(
        diagnostic
            .label("the kernel begins each connection's timestamps at random, or has none")
            .help("add `sysctls: { net.ipv4.tcp_timestamps: 2 }`"),
    );
}

/// Every quirk's name.
pub(in crate::plan) fn quirk_names() -> impl Iterator<Item = &'static str> {
    QUIRKS.iter().map(|(name, ..)| *name)
}

/// Those with such names, for people: what they may be, and mean.
pub(in crate::plan) fn quirks_listed(wanted: impl Fn(&str) -> bool) -> String {
    let named = QUIRKS.iter().filter(|(name, ..)| wanted(name));
    let lines: Vec<String> = named
        .map(|(name, _, help)| format!("- `{name}`: {help}\n"))
        .collect();
    match lines.is_empty() {
        true => String::new(),
        false => format!(
            "Quirks, under `kernel` of a host or node:\n\n{}",
            lines.concat()
        ),
    }
}

/// Quirks that are not emulated, and values that they cannot have.
pub(super) fn check(host: &spec::Host, sink: &mut Sink) {
    timestamps(host, sink);
    for (name, value) in &host.kernel {
        let found = QUIRKS.iter().find(|(quirk, ..)| *quirk == name.value);
        let Some((quirk, values, help)) = found else {
            let help = sink.help(&name.value, QUIRKS.iter().map(|(quirk, ..)| *quirk));
            sink.push(
                Diagnostic::new(
                    code::UNKNOWN_QUIRK,
                    name.span,
                    format!("no kernel quirk is called `{}`", name.value),
                )
                .label("not emulated")
                .help(help),
            );
            continue;
        };
        if !values.take(&value.value) {
            sink.push(
                Diagnostic::new(
                    code::QUIRK_VALUE,
                    value.span,
                    format!("`{quirk}` cannot be `{}`", value.value),
                )
                .help(*help),
            );
        }
    }
}
