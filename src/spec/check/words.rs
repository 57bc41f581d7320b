//! Types in words, for messages and help texts.

use crate::spec::grammar::{Field, Key, Need, RuleKind, Type, Variant, Variants};
use crate::spec::scalar;

/// Types of single values.
pub fn single(kind: &Type) -> bool {
    match kind {
        Type::Line
        | Type::Text
        | Type::Expression
        | Type::Name
        | Type::GroupOrPort
        | Type::Result
        | Type::Zonal
        | Type::Bool => true,
        Type::Int { .. }
        | Type::Number { .. }
        | Type::Time { .. }
        | Type::Lapse { .. }
        | Type::Rate => true,
        Type::Percent
        | Type::Bytes { .. }
        | Type::Request { .. }
        | Type::Address
        | Type::PublicAddress
        | Type::Range
        | Type::Rule(_)
        | Type::Ipv6Address
        | Type::Word(_) => true,
        Type::List { .. }
        | Type::Map { .. }
        | Type::Free
        | Type::Section(_)
        | Type::Short { .. } => false,
        Type::Variants(_) | Type::OneOf(_) | Type::Claims | Type::Set | Type::Any => false,
    }
}

/// The shape of a type, for messages.
pub fn shape(kind: &Type) -> &'static str {
    match kind {
        Type::List { .. } | Type::Claims => "a list",
        Type::Map { .. } | Type::Free | Type::Section(_) | Type::Set | Type::Variants(_) => "a map",
        Type::Short { .. } => "a name or a map",
        Type::OneOf(kinds) => match kinds {
            [Type::List { .. }, ..] => "a list or a map",
            [_, Type::List { .. }] => "a name or a list",
            [_, Type::Section(_)] => "a single value or a map",
            _ => "a name, a list or a map",
        },
        Type::Text | Type::Line | Type::Expression => "text",
        Type::Name
        | Type::GroupOrPort
        | Type::Result
        | Type::Zonal
        | Type::Bool
        | Type::Int { .. }
        | Type::Number { .. } => "a single value",
        Type::Time { .. }
        | Type::Lapse { .. }
        | Type::Rate
        | Type::Percent
        | Type::Bytes { .. }
        | Type::Request { .. } => "a single value",
        Type::Address | Type::PublicAddress | Type::Ipv6Address => "a single value",
        Type::Rule(_) | Type::Range | Type::Word(_) | Type::Any => "a single value",
    }
}

/// A type in words, for help texts.
pub fn describe(kind: &Type) -> String {
    match kind {
        Type::List { min: 0, .. } => "a list: `[a, b]`".to_owned(),
        Type::List { .. } => "a list of values, at least one".to_owned(),
        Type::Claims => "a list of expectations: `- what must hold: new.ok`".to_owned(),
        Type::Map { key, of, item } => format!(
            "a map with one entry for each {item}: `{}`",
            entry(*key, of, None)
        ),
        Type::Free => "a map of names and values: `{ name: value }`".to_owned(),
        Type::Section(section) => format!(
            "{} as a map: `{{ {}: ... }}`",
            section.name,
            section.names().next().unwrap_or("key")
        ),
        Type::Set => "a map of paths and new values: `hosts.web1.zone: b`".to_owned(),
        Type::Variants(variants) => format!("a {}: {}", variants.name, choices(variants)),
        Type::Short { field, .. } => {
            format!("the name of its {}, or a map", field.replace('_', " "))
        }
        Type::OneOf(kinds) => kinds.iter().map(describe).collect::<Vec<_>>().join(", or "),
        Type::Word(words) => format!("one of: {}", words.now.join(", ")),
        kind => format!("{}, like `{}`", plain(kind), example(kind)),
    }
}

fn plain(kind: &Type) -> &'static str {
    match kind {
        Type::Bool => "a boolean",
        Type::Int { .. } => "a whole number",
        Type::Number { .. } => "a number",
        Type::Time { .. } | Type::Lapse { .. } => "a duration",
        Type::Rate => "a rate",
        Type::Percent => "a share",
        Type::Bytes { .. } => "a number of bytes",
        Type::Request { .. } => "a number of bytes or an HTTP request",
        Type::Address | Type::PublicAddress => "an IPv4 address",
        Type::Rule(_) => "a rule",
        Type::Range => "a range of addresses",
        Type::Ipv6Address => "an IPv6 address",
        Type::Expression => "an expression",
        Type::Line | Type::Text => "text",
        Type::Name | Type::Result => "a name",
        Type::GroupOrPort => "a target group's name",
        Type::Zonal => "a zonal address",
        Type::List { .. }
        | Type::Map { .. }
        | Type::Free
        | Type::Section(_)
        | Type::Short { .. } => "a value",
        Type::Variants(_)
        | Type::OneOf(_)
        | Type::Claims
        | Type::Set
        | Type::Any
        | Type::Word(_) => "a value",
    }
}

/// Several of a type.
pub fn plural(kind: &Type) -> &'static str {
    if matches!(kind, Type::Variants(_)) {
        return "steps";
    }
    if matches!(kind, Type::Name) {
        "names"
    } else {
        "values"
    }
}

/// An entry of a map. `item` is the first of a list that stands in its place: the key, where it can be one.
pub fn entry(key: Key, of: &Type, item: Option<&str>) -> String {
    let (item, value) = (item.map(scalar::short), example(of));
    match (key, item) {
        (Key::Name | Key::Zonal, Some(item)) if item.contains(' ') => format!("name: {item}"),
        (Key::Name | Key::Zonal, item) => {
            format!("{}: {value}", item.unwrap_or_else(|| "name".into()))
        }
        (Key::RuleNumber, item) => format!("100: {}", item.unwrap_or(value)),
        (Key::Port | Key::ServePort, Some(item))
            if item.starts_with(|c: char| c.is_ascii_digit()) =>
        {
            format!("{item}: {value}")
        }
        (Key::Port | Key::ServePort, item) => format!("80: {}", item.unwrap_or(value)),
    }
}

/// A short example of a field: by its name, where that says more than its type.
pub fn example_of(field: &Field) -> String {
    let known = match field.name {
        "zone" => "a",
        "zones" => "[a]",
        "from" => "client",
        "to" => "front",
        "selector" => "web",
        "load_balancer" => "front",
        _ => return example(&field.kind),
    };
    known.to_owned()
}

/// A short example of a type.
pub fn example(kind: &Type) -> String {
    match kind {
        Type::Bool => "true".to_owned(),
        Type::Int { min, .. } => min.max(&1).to_string(),
        Type::Number { min, .. } => min.to_string(),
        Type::Time { .. } | Type::Lapse { .. } => "2s".to_owned(),
        Type::Rate => "50mbit".to_owned(),
        Type::Percent => "1%".to_owned(),
        Type::Bytes { .. } => "64".to_owned(),
        Type::Request { .. } => "GET /".to_owned(),
        Type::Address | Type::PublicAddress => "192.0.2.10".to_owned(),
        Type::Range => "10.1.0.0/16".to_owned(),
        Type::Rule(RuleKind::Ingress) => "tcp/80 from 10.0.0.0/8".to_owned(),
        Type::Rule(RuleKind::Egress) => "tcp/443 to 0.0.0.0/0".to_owned(),
        Type::Rule(RuleKind::Inbound) => "allow tcp/80 from 0.0.0.0/0".to_owned(),
        Type::Rule(RuleKind::Outbound) => "allow tcp/1024-65535 to 10.0.0.0/8".to_owned(),
        Type::Ipv6Address => "\"2001:db8::10\"".to_owned(),
        Type::Zonal => "front/a".to_owned(),
        Type::Expression => "new.ok".to_owned(),
        Type::Word(words) => words.now.join("|"),
        Type::List { of, .. } => format!("[{}]", example(of)),
        Type::OneOf(kinds) => kinds.first().map_or("...".to_owned(), example),
        Type::Result => "new".to_owned(),
        Type::Name => "web1".to_owned(),
        Type::GroupOrPort => "web".to_owned(),
        Type::Variants(variants) if variants.bare => variants.list[0].name.to_owned(),
        Type::Short { field, section } => section
            .field(field)
            .map_or("...".to_owned(), |field| example(&field.kind)),
        Type::Line | Type::Text | Type::Map { .. } | Type::Free | Type::Section(_) => {
            "...".to_owned()
        }
        Type::Variants(_) | Type::Claims | Type::Set | Type::Any => "...".to_owned(),
    }
}

/// The words to choose from.
pub fn choices(variants: &Variants) -> String {
    let names: Vec<&str> = variants.list.iter().map(|variant| variant.name).collect();
    let other = variants.other.map_or(String::new(), |section| {
        format!(", {{ {}: ... }}", section.fields[0].name)
    });
    format!("{}{other}", names.join(", "))
}

/// How a variant is written: its required fields, or its short form.
pub fn usage(variant: &Variant) -> String {
    let fields: Vec<String> = variant
        .section
        .fields
        .iter()
        .filter(|field| field.need == Need::Required)
        .map(|field| format!("{}: {}", field.name, example_of(field)))
        .collect();
    match (variant.text, fields.is_empty()) {
        (Some(text), false) => {
            let kind = variant
                .section
                .field(text)
                .map_or("...".to_owned(), |field| example(&field.kind));
            format!(
                "`{}: {kind}` or `{}: {{ {} }}`",
                variant.name,
                variant.name,
                fields.join(", ")
            )
        }
        (_, true) => format!("`{}: {{}}`", variant.name),
        (None, false) => format!("`{}: {{ {} }}`", variant.name, fields.join(", ")),
    }
}
