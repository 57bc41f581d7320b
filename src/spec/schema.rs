//! The JSON schema of labs (draft 2020-12), made from the grammar that reads them; for editors.
//!
//! It says less than `check`: rules between fields and names that must exist have no place in a schema.

use super::grammar::{Field, Key, Need, RuleKind, Section, Type, Variant, Variants, file::FILE};
use super::set::FIXED;
use serde_json::{Map, Value, json};

const NAME: &str = "^[a-z][a-z0-9-]*$";
const RESULT: &str = "^[a-z][a-z0-9_]*$";
const ZONAL: &str = "^[a-z][a-z0-9-]*(/[a-z][a-z0-9-]*)?$";
const TIME: &str = "^[0-9]+(\\.[0-9]+)?(us|ms|s|m|h)$";
const LAPSE: &str = "^[0-9]+(\\.[0-9]+)?(us|ms|s|m|h)( +cloud)?$";
const RATE: &str = "^[0-9]+(\\.[0-9]+)?(bit|kbit|mbit|gbit)$";
const PERCENT: &str = "^[0-9]+(\\.[0-9]+)?%$";
const BYTES: &str = "^[0-9]+(\\.[0-9]+)?(B|kB|MB|GB|KiB|MiB|GiB)?$";
const REQUEST: &str = "^([0-9]+(\\.[0-9]+)?(B|kB|MB|GB|KiB|MiB|GiB)?|GET +/[!-~]*)$";
const ADDRESS: &str = "^(auto|[0-9]{1,3}(\\.[0-9]{1,3}){3})$";
const IPV6_ADDRESS: &str = "^(auto|[0-9a-fA-F:.]*:[0-9a-fA-F:.]*)$";
const PUBLIC_ADDRESS: &str = "^(auto|none|[0-9]{1,3}(\\.[0-9]{1,3}){3})$";
const PORT: &str = "^[1-9][0-9]{0,4}$";
const SERVE_PORT: &str = "^[1-9][0-9]{0,4}(/tcp|/udp)?$";
const RANGE: &str = "^[0-9]{1,3}(\\.[0-9]{1,3}){3}(/[0-9]{1,2})?$";
const RULE_NUMBER: &str = "^[1-9][0-9]{0,4}$";
const INGRESS: &str = "^(all|icmp|(tcp|udp)(/[0-9]+(-[0-9]+)?)?)( +from +([a-z0-9./-]+|[0-9a-fA-F.]*:[0-9a-fA-F:.]*(/[0-9]+)?))?$";
const EGRESS: &str = "^(all|icmp|(tcp|udp)(/[0-9]+(-[0-9]+)?)?)( +to +([a-z0-9./-]+|[0-9a-fA-F.]*:[0-9a-fA-F:.]*(/[0-9]+)?))?$";
const INBOUND: &str = "^(allow|deny) +(all|icmp|(tcp|udp)(/[0-9]+(-[0-9]+)?)?)( +from +([0-9./]+|[0-9a-fA-F.]*:[0-9a-fA-F:.]*(/[0-9]+)?))?$";
const OUTBOUND: &str = "^(allow|deny) +(all|icmp|(tcp|udp)(/[0-9]+(-[0-9]+)?)?)( +to +([0-9./]+|[0-9a-fA-F.]*:[0-9a-fA-F:.]*(/[0-9]+)?))?$";
const CLAIM: &str = "^[^=?&|<>\\[(\"]* [^=?&|<>\\[(\"]*$";

/// The schema as text, with a line feed at its end.
pub fn schema() -> String {
    let mut defs = Map::new();
    let mut root = section(&FILE, &mut defs);
    let fields = root.as_object_mut().expect("a section is an object");
    let mut whole = Map::new();
    whole.insert(
        "$schema".to_owned(),
        json!("https://json-schema.org/draft/2020-12/schema"),
    );
    whole.insert("title".to_owned(), json!("hairpin lab"));
    whole.append(fields);
    defs.sort_keys();
    whole.insert("$defs".to_owned(), Value::Object(defs));
    let text = serde_json::to_string_pretty(&Value::Object(whole))
        .expect("maps with text keys can be written");
    format!("{text}\n")
}

fn section(section: &'static Section, defs: &mut Map<String, Value>) -> Value {
    let required: Vec<&str> = section
        .fields
        .iter()
        .filter(|field| field.need == Need::Required)
        .map(|field| field.name)
        .collect();
    let properties: Map<String, Value> = section
        .fields
        .iter()
        .map(|f| (f.name.to_owned(), field(f, defs)))
        .collect();
    let mut out = json!({
        "description": section.doc,
        "type": "object",
        "properties": properties,
        "additionalProperties": false,
    });
    if !required.is_empty() {
        out["required"] = json!(required);
    }
    out
}

fn field(field: &'static Field, defs: &mut Map<String, Value>) -> Value {
    if field.need == Need::Later {
        return json!({ "description": format!("{} {NOT_YET}", field.doc), "not": {} });
    }
    let mut out = kind(&field.kind, defs);
    // Beside a `$ref`, the field's own words win in 2020-12.
    out["description"] = json!(field.doc);
    if let Need::Default(text) = field.need {
        out["default"] = default(text);
    }
    out
}

const NOT_YET: &str = "Part of the language; this release does not run it yet.";

/// A default as it would be written: a number, a boolean, a list or text.
fn default(text: &str) -> Value {
    let inner = text
        .strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'));
    match inner {
        Some(inner) => json!(inner.split(", ").collect::<Vec<_>>()),
        None => serde_json::from_str(text).unwrap_or_else(|_| json!(text)),
    }
}

/// A reference to a section, which is described once.
fn reference(of: &'static Section, defs: &mut Map<String, Value>) -> Value {
    let name = of
        .name
        .trim_start_matches("a ")
        .trim_start_matches("an ")
        .replace('`', "")
        .replace(' ', "-");
    if !defs.contains_key(&name) {
        defs.insert(name.clone(), Value::Null);
        let body = section(of, defs);
        defs.insert(name.clone(), body);
    }
    json!({ "$ref": format!("#/$defs/{name}") })
}

fn text(pattern: &str) -> Value {
    json!({ "type": "string", "pattern": pattern })
}

fn kind(kind_: &'static Type, defs: &mut Map<String, Value>) -> Value {
    match kind_ {
        Type::Line | Type::Text => json!({ "type": ["string", "number"], "minLength": 1 }),
        Type::Expression => json!({ "type": ["string", "boolean"], "minLength": 1 }),
        Type::Name => text(NAME),
        Type::GroupOrPort => {
            json!({ "anyOf": [text(NAME), kind(&super::grammar::PORT, defs)] })
        }
        Type::Result => text(RESULT),
        Type::Zonal => text(ZONAL),
        Type::Bool => json!({ "type": "boolean" }),
        Type::Int { min, max } => json!({ "type": "integer", "minimum": min, "maximum": max }),
        Type::Number { min, max } => json!({ "type": "number", "minimum": min, "maximum": max }),
        Type::Time { .. } => text(TIME),
        Type::Lapse { .. } => text(LAPSE),
        Type::Rate => text(RATE),
        Type::Percent => text(PERCENT),
        Type::Bytes { max } => {
            json!({ "type": ["integer", "string"], "minimum": 1, "maximum": max, "pattern": BYTES })
        }
        Type::Request { max } => {
            json!({ "type": ["integer", "string"], "minimum": 1, "maximum": max, "pattern": REQUEST })
        }
        Type::Address => text(ADDRESS),
        Type::PublicAddress => text(PUBLIC_ADDRESS),
        Type::Range => text(RANGE),
        Type::Rule(kind) => text(match kind {
            RuleKind::Ingress => INGRESS,
            RuleKind::Egress => EGRESS,
            RuleKind::Inbound => INBOUND,
            RuleKind::Outbound => OUTBOUND,
        }),
        Type::Ipv6Address => text(IPV6_ADDRESS),
        Type::Word(words) => json!({ "enum": words.now }),
        Type::List { of, min } => {
            let mut out = json!({ "type": "array", "items": kind(of, defs) });
            if *min > 0 {
                out["minItems"] = json!(min);
            }
            if matches!(of, Type::Name | Type::Word(_)) {
                out["uniqueItems"] = json!(true);
            }
            out
        }
        Type::Map { key, of, .. } => {
            let names = match key {
                Key::Name => NAME,
                Key::Port => PORT,
                Key::ServePort => SERVE_PORT,
                Key::Zonal => ZONAL,
                Key::RuleNumber => RULE_NUMBER,
            };
            json!({ "type": "object", "propertyNames": { "pattern": names }, "additionalProperties": kind(of, defs) })
        }
        Type::Free => {
            json!({ "type": "object", "additionalProperties": { "type": ["string", "number", "boolean"] } })
        }
        Type::Section(of) => reference(of, defs),
        Type::Short { field, section } => {
            let field = section
                .field(field)
                .expect("the grammar names a field of its section");
            json!({ "anyOf": [kind(&field.kind, defs), reference(section, defs)] })
        }
        Type::Variants(of) => variants(of, defs),
        Type::OneOf(kinds) => {
            json!({ "anyOf": kinds.iter().map(|k| kind(k, defs)).collect::<Vec<_>>() })
        }
        Type::Claims => json!({
            "type": "array",
            "items": { "anyOf": [
                { "description": "an expression", "type": ["string", "boolean"], "minLength": 1 },
                {
                    "description": "a claim in words, and its expression",
                    "type": "object",
                    "minProperties": 1,
                    "maxProperties": 1,
                    "propertyNames": { "pattern": CLAIM },
                    "additionalProperties": { "type": ["string", "boolean"], "minLength": 1 },
                },
            ] },
        }),
        Type::Set => json!({
            "type": ["object", "null"],
            "propertyNames": { "not": { "pattern": format!("^({})(\\.|$)", FIXED.join("|")) } },
        }),
        Type::Any => json!({}),
    }
}

fn variants(of: &'static Variants, defs: &mut Map<String, Value>) -> Value {
    let properties: Map<String, Value> = of
        .list
        .iter()
        .map(|v| (v.name.to_owned(), variant(v, defs)))
        .collect();
    let one = json!({
        "description": format!("one {} and its settings", of.name),
        "type": "object",
        "properties": properties,
        "additionalProperties": false,
        "minProperties": 1,
        "maxProperties": 1,
    });
    let mut ways = vec![one];
    if of.bare {
        let words: Vec<&str> = of.list.iter().map(|variant| variant.name).collect();
        ways.insert(0, json!({ "enum": words }));
    }
    if let Some(other) = of.other {
        ways.push(reference(other, defs));
    }
    match ways.len() {
        1 => ways.remove(0),
        _ => json!({ "anyOf": ways }),
    }
}

fn variant(variant: &'static Variant, defs: &mut Map<String, Value>) -> Value {
    let mut ways = vec![reference(variant.section, defs)];
    if let Some(name) = variant.text {
        let field = variant
            .section
            .field(name)
            .expect("the grammar names a field of its section");
        let mut short = kind(&field.kind, defs);
        short["description"] = json!(field.doc);
        ways.insert(0, short);
    }
    let mut out = if ways.len() == 1 {
        ways.remove(0)
    } else {
        json!({ "anyOf": ways })
    };
    out["description"] = json!(variant.section.doc);
    out
}
