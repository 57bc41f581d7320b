//! The grammar of labs as text for people: the reference in `docs/language.md`, and the pages of `hairpin explain WORD`.

use super::grammar::{Field, Key, Need, RuleKind, Section, Type, Variants, Words, file::FILE};

/// Everything, as Markdown: each section once, those that a section leads to behind it.
pub fn reference() -> String {
    sections()
        .into_iter()
        .map(page)
        .collect::<Vec<_>>()
        .join("\n")
}

/// What there is about a word: a section of that name or behind a key of that name, and each field of that name. None
/// when the language has no such word.
pub fn about(word: &str) -> Option<String> {
    let sections = sections();
    let mut told: Vec<&'static Section> = Vec::new();
    let named = sections.iter().filter(|one| plain(one.name) == word);
    let behind = sections.iter().flat_map(|one| leads_to(one));
    let behind = behind
        .filter(|(key, _)| *key == word)
        .map(|(_, section)| section);
    for section in named.copied().chain(behind) {
        if !told.iter().any(|known| std::ptr::eq(*known, section)) {
            told.push(section);
        }
    }
    let mut parts: Vec<String> = told.into_iter().map(page).collect();
    for section in sections {
        if let Some(field) = section.field(word) {
            parts.push(format!("In {}:\n\n{}", section.name, line(field)));
        }
    }
    (!parts.is_empty()).then(|| parts.join("\n"))
}

/// Every word that [`about`] knows.
pub fn words() -> impl Iterator<Item = &'static str> {
    sections().into_iter().flat_map(|section| {
        let keys = leads_to(section).into_iter().map(|(key, _)| key);
        keys.chain(section.names()).collect::<Vec<_>>()
    })
}

/// All sections, each once, in the order in which a reader of the file meets them.
pub(super) fn sections() -> Vec<&'static Section> {
    let mut met = Vec::new();
    visit(&FILE, &mut met);
    met
}

fn visit(section: &'static Section, met: &mut Vec<&'static Section>) {
    if met.iter().any(|known| std::ptr::eq(*known, section)) {
        return;
    }
    met.push(section);
    for (_, next) in leads_to(section) {
        visit(next, met);
    }
}

/// The sections that stand behind keys of this one, with the key.
fn leads_to(section: &'static Section) -> Vec<(&'static str, &'static Section)> {
    let mut out = Vec::new();
    for field in section.fields {
        inner(field.name, &field.kind, &mut out);
    }
    out
}

fn inner(key: &'static str, kind: &'static Type, out: &mut Vec<(&'static str, &'static Section)>) {
    match kind {
        Type::Section(section) | Type::Short { section, .. } => out.push((key, section)),
        Type::List { of, .. } | Type::Map { of, .. } => inner(key, of, out),
        Type::OneOf(kinds) => {
            for kind in *kinds {
                inner(key, kind, out);
            }
        }
        Type::Variants(variants) => {
            out.extend(variants.list.iter().map(|one| (one.name, one.section)));
            out.extend(variants.other.map(|other| (key, other)));
        }
        Type::Line
        | Type::Text
        | Type::Expression
        | Type::Name
        | Type::GroupOrPort
        | Type::Result
        | Type::Zonal
        | Type::Bool
        | Type::Int { .. }
        | Type::Number { .. }
        | Type::Time { .. }
        | Type::Lapse { .. }
        | Type::Rate
        | Type::Percent
        | Type::Bytes { .. }
        | Type::Request { .. }
        | Type::Address
        | Type::PublicAddress
        | Type::Range
        | Type::Rule(_)
        | Type::Ipv6Address
        | Type::Word(_)
        | Type::Free
        | Type::Claims
        | Type::Set
        | Type::Any => {}
    }
}

/// A section's name without article and quotes: `host`, `connect`.
fn plain(name: &str) -> &str {
    name.trim_start_matches("an ")
        .trim_start_matches("a ")
        .trim_start_matches("the ")
        .trim_matches('`')
}

fn page(section: &'static Section) -> String {
    let fields: String = section.fields.iter().map(line).collect();
    format!("## {}\n\n{}\n\n{fields}", section.name, section.doc)
}

fn line(field: &'static Field) -> String {
    let need = match field.need {
        Need::Required => "; must be there".to_owned(),
        Need::Optional => String::new(),
        Need::Default(text) => format!("; `{text}` unless written"),
        Need::Later => {
            return format!(
                "- `{}`: {} Not run by this release.\n",
                field.name, field.doc
            );
        }
    };
    format!(
        "- `{}` ({}{need}): {}\n",
        field.name,
        takes(&field.kind),
        field.doc
    )
}

/// What a value must be, in words.
fn takes(kind: &'static Type) -> String {
    match kind {
        Type::Line => "text on one line".into(),
        Type::Text => "text".into(),
        Type::Expression => "an expression".into(),
        Type::Name => "a name".into(),
        Type::GroupOrPort => "a target group or a port".into(),
        Type::Result => "a name of letters, digits and `_`".into(),
        Type::Zonal => "`front/a`, or a zone".into(),
        Type::Bool => "`true` or `false`".into(),
        Type::Int { min, max: u64::MAX } => format!("a whole number, {min} or more"),
        Type::Int { min, max } => format!("a whole number, {min} to {max}"),
        Type::Number { min, max } => format!("a number, {min} to {max}"),
        Type::Time { zero } => format!("a time, `500ms`{}", or_zero(*zero)),
        Type::Lapse { zero } => format!("a time, `500ms` or `400s cloud`{}", or_zero(*zero)),
        Type::Rate => "a rate, `50mbit`".into(),
        Type::Percent => "a share, `1%`".into(),
        Type::Bytes { max } => format!("bytes, `64` or `16KiB`, at most {max}"),
        Type::Request { max } => format!("bytes, at most {max}, or `GET /path`"),
        Type::Address => "an IPv4 address, or `auto`".into(),
        Type::PublicAddress => "an IPv4 address, `auto` or `none`".into(),
        Type::Range => "a range, `10.0.0.0/8`".into(),
        Type::Rule(kind) => format!("a rule, `{}`", example(*kind)),
        Type::Ipv6Address => "an IPv6 address, or `auto`".into(),
        Type::Word(words) => choices(words),
        Type::List { of, min } => match min {
            0 => format!("a list: {}", takes(of)),
            _ => format!("a list of at least {min}: {}", takes(of)),
        },
        Type::Map { key, of, item } => {
            format!("a map, {} to {item}: {}", key_of(*key), takes(of))
        }
        Type::Free => "a map of names to single values".into(),
        Type::Section(section) => format!("{}, below", section.name),
        Type::Short { field, section } => {
            format!("{}, below, or only its `{field}`", section.name)
        }
        Type::Variants(variants) => alternatives(variants),
        Type::OneOf(kinds) => kinds.iter().map(takes).collect::<Vec<_>>().join(", or "),
        Type::Claims => {
            "a list of expressions, each with a claim in words before it if you like".into()
        }
        Type::Set => "a map of dotted paths to values".into(),
        Type::Any => "anything".into(),
    }
}

fn or_zero(zero: bool) -> &'static str {
    if zero { ", or `0s`" } else { "" }
}

fn example(kind: RuleKind) -> &'static str {
    match kind {
        RuleKind::Ingress => "tcp/80 from 10.0.0.0/8",
        RuleKind::Egress => "all to 0.0.0.0/0",
        RuleKind::Inbound => "allow tcp/80 from 10.0.0.0/8",
        RuleKind::Outbound => "deny udp to 10.0.0.0/8",
    }
}

fn key_of(key: Key) -> &'static str {
    match key {
        Key::Name => "name",
        Key::Port => "port",
        Key::ServePort => "port or `53/udp`",
        Key::Zonal => "`front/a` or zone",
        Key::RuleNumber => "rule number",
    }
}

fn choices(words: &Words) -> String {
    let quoted: Vec<String> = words.now.iter().map(|word| format!("`{word}`")).collect();
    match quoted.as_slice() {
        [] => "a word".into(),
        [only] => only.clone(),
        [many @ .., last] => format!("{} or {last}", many.join(", ")),
    }
}

fn alternatives(variants: &Variants) -> String {
    let names: Vec<String> = variants
        .list
        .iter()
        .map(|one| format!("`{}`", one.name))
        .collect();
    let other = variants
        .other
        .map_or(String::new(), |other| format!(", or {}", other.name));
    format!(
        "one {} of {}{other}, below",
        variants.name,
        names.join(", ")
    )
}
