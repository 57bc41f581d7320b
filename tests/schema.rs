//! The JSON schema is what is checked in, knows all that the readers take, and takes every lab of the gallery.
//!
//! The reference of the language for people comes from the same grammar.
//!
//! So is the schema of reports, whose every property is described; the gallery's run is held against it (`tests/gallery.rs`).
//!
//! `BLESS=1 cargo test --test schema` writes both schemas and the reference in `docs/language.md` anew.

use hairpin::spec;
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::{env, fs};

#[path = "schema/told.rs"]
mod told;
#[path = "schema/validator.rs"]
mod validator;

use validator::Validator;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn schema() -> Value {
    serde_json::from_str(&spec::schema()).expect("the schema is JSON")
}

#[test]
fn the_schemas_are_checked_in() {
    for (name, now) in [
        ("schema/lab.json", spec::schema()),
        ("schema/report.json", hairpin::report::schema()),
    ] {
        let path = root().join(name);
        if env::var_os("BLESS").is_some() {
            fs::create_dir_all(root().join("schema")).expect("a writable folder");
            fs::write(&path, &now).expect("a writable folder");
        }
        let written = fs::read_to_string(&path).unwrap_or_default();
        assert!(
            written == now,
            "what it is made of has changed: BLESS=1 writes {name} anew"
        );
    }
}

/// What is not there where there is nothing to tell, since it would stand in each of a thousand rows.
const OPTIONAL: [&str; 5] = [
    "PacketRow.serves",
    "PacketRow.cited",
    "Arrow.midway",
    "Tuple.in_part",
    "Lane.stands_for",
];

#[test]
fn reports_have_all_their_properties_and_each_is_described() {
    let text = hairpin::report::schema();
    let schema: Value = serde_json::from_str(&text).expect("the schema is JSON");
    let defs = schema["$defs"].as_object().expect("a map");
    let mut told = 0;
    for (name, of) in defs
        .iter()
        .map(|(name, of)| (&**name, of))
        .chain([("Report", &schema)])
    {
        let required = of["required"].as_array().into_iter().flatten();
        let required: BTreeSet<&str> = required.filter_map(Value::as_str).collect();
        for (key, property) in of["properties"].as_object().into_iter().flatten() {
            assert!(property["description"].is_string(), "{name}.{key}");
            let property = format!("{name}.{key}");
            let optional = OPTIONAL.contains(&property.as_str());
            assert_eq!(required.contains(key.as_str()), !optional, "{property}");
            told += 1;
        }
    }
    assert!(told > 150, "{told}");
    assert!(
        !text.contains("::") && !text.contains("[`"),
        "a path of the source code"
    );
}

/// Where what people wrote ends in `docs/language.md`, and what comes from the grammar begins.
const REFERENCE: &str = "<!-- From here on written by the test `schema`, from the grammar. -->\n\n";

#[test]
fn the_reference_is_checked_in() {
    let path = root().join("docs/language.md");
    let written = fs::read_to_string(&path).expect("docs/language.md");
    let (head, reference) = written.split_once(REFERENCE).expect("the line between");
    let now = format!(
        "{}\n{}",
        spec::reference::reference(),
        hairpin::plan::lists::glossary()
    );
    if env::var_os("BLESS").is_some() {
        fs::write(&path, format!("{head}{REFERENCE}{now}")).expect("a writable folder");
        return;
    }
    assert!(
        reference == now,
        "the grammar has changed: BLESS=1 writes docs/language.md anew"
    );
}

#[test]
fn the_example_is_a_lab() {
    let text = fs::read_to_string(root().join("docs/language.md")).expect("docs/language.md");
    let (_, rest) = text.split_once("```yaml\n").expect("an example");
    let (example, _) = rest.split_once("```").expect("its end");
    if let Err(problems) = hairpin::plan::read(example.as_bytes(), "language.md") {
        panic!("{problems:?}");
    }
}

#[test]
fn every_key_has_an_explanation() {
    let words: BTreeSet<&str> = spec::reference::words().collect();
    assert!(words.len() > 100, "{words:?}");
    for word in &words {
        let about = spec::reference::about(word).unwrap_or_else(|| panic!("{word}"));
        assert!(!about.contains("  "), "{about}");
    }
    let load = spec::reference::about("load").expect("a verb");
    assert!(
        load.starts_with("## `load`\n\nOpens many connections.\n\n- `as`"),
        "{load}"
    );
    let rate = spec::reference::about("rate").expect("a key of several");
    assert!(
        rate.contains("In `load`:") && rate.contains("`50mbit`"),
        "{rate}"
    );
    assert_eq!(spec::reference::about("laod"), None);
}

/// The words in backticks of a text.
fn words_of(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

#[test]
fn the_readme_names_what_is_not_there_yet() {
    let reference = spec::reference::reference();
    let later: BTreeSet<&str> = reference
        .lines()
        .filter(|line| line.ends_with("Not run by this release."))
        .flat_map(|line| words_of(line).first().copied())
        .collect();
    let readme = fs::read_to_string(root().join("README.md")).expect("README.md");
    let (_, rest) = readme.split_once("Not there yet: ").expect("the words");
    let (said, _) = rest.split_once(" Their words in a lab").expect("the end");
    assert_eq!(words_of(said).into_iter().collect::<BTreeSet<_>>(), later);
}

fn validate(text: &str) -> Result<BTreeSet<String>, String> {
    let value: Value = serde_yaml::from_str(text).map_err(|error| error.to_string())?;
    let schema = schema();
    Validator::met(&value, &schema)
}

fn labs(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.expect("a readable folder").path();
        if path.is_dir() {
            labs(&path, found);
        } else if path
            .extension()
            .is_some_and(|extension| extension == "yaml")
        {
            found.push(path);
        }
    }
}

#[test]
fn the_schema_takes_every_lab_that_the_readers_take() {
    let mut found = vec![root().join("tests/schema/everything.yaml")];
    labs(&root().join("labs"), &mut found);
    for path in found {
        let text = fs::read_to_string(&path).expect("a readable lab");
        if let Err(error) = validate(&text) {
            panic!("{}: {error}", path.display());
        }
        let name = path.display().to_string();
        if let Err(problems) = spec::read(&text, &name) {
            panic!(
                "{}",
                hairpin::diag::render(&problems, &name, &text, hairpin::diag::Format::Plain)
            );
        }
    }
}

#[test]
fn the_schema_refuses_slips_and_what_comes_later() {
    let text =
        fs::read_to_string(root().join("tests/schema/everything.yaml")).expect("a readable lab");
    for (right, wrong) in [
        ("zone: a", "zoen: a"),
        ("zone: a", "link: { duplicate: 1% }"),
        ("kind: fault", "kind: fualt"),
        ("- kill:", "- deregister:"),
        ("hold: true", "hold: maybe"),
        ("seed: 7", "seed: seven"),
    ] {
        assert!(
            validate(&text.replacen(right, wrong, 1)).is_err(),
            "{wrong}"
        );
    }
}

/// Every object in a schema that names its properties and leaves it open whether there are others.
fn open_objects(schema: &Value, path: &str, found: &mut Vec<String>) {
    match schema {
        Value::Object(object) => {
            let is_object = object.get("type").is_some_and(|kind| kind == "object");
            if is_object
                && object.contains_key("properties")
                && object.get("additionalProperties") != Some(&Value::Bool(false))
            {
                found.push(path.to_owned());
            }
            for (key, inner) in object {
                open_objects(inner, &format!("{path}.{key}"), found);
            }
        }
        Value::Array(items) => items
            .iter()
            .for_each(|item| open_objects(item, path, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Editors underline a key that the readers do not know: JSON Schema itself takes any.
#[test]
fn the_schema_of_labs_leaves_no_object_open() {
    let mut open = Vec::new();
    open_objects(&schema(), "lab", &mut open);
    assert!(open.is_empty(), "{open:?}");
}

/// What reports may have beside what their schema tells, a user of them would never learn.
#[test]
fn the_validator_takes_no_key_that_a_schema_does_not_have() {
    let schema: Value =
        serde_json::from_str(&hairpin::report::schema()).expect("the schema is JSON");
    let change = |more: &str| {
        let text = format!(r#"{{"path": "seed", "before": "1", "after": "2"{more}}}"#);
        serde_json::from_str::<Value>(&text).expect("JSON")
    };
    let changed = serde_json::json!({ "$ref": "#/$defs/Changed", "$defs": schema["$defs"] });
    assert_eq!(
        Validator::met(&change(""), &changed).map(|met| met.len()),
        Ok(3)
    );
    let error = Validator::met(&change(r#", "why": "none""#), &changed);
    assert_eq!(error, Err("lab.why is not in the schema".to_owned()));
}

/// Every property of the schema that this release runs, as `section.key`.
fn properties(schema: &Value, section: &str, found: &mut BTreeSet<String>) {
    match schema {
        Value::Object(object) => {
            for (key, of) in object
                .get("properties")
                .and_then(Value::as_object)
                .into_iter()
                .flatten()
            {
                if of.get("not").is_none() {
                    found.insert(format!("{section}.{key}"));
                }
            }
            for (key, inner) in object {
                if key != "$defs" {
                    properties(inner, section, found);
                }
            }
        }
        Value::Array(items) => items
            .iter()
            .for_each(|item| properties(item, section, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[test]
fn one_lab_uses_every_field() {
    let text =
        fs::read_to_string(root().join("tests/schema/everything.yaml")).expect("a readable lab");
    let met = validate(&text).expect("a right lab");
    let schema = schema();
    let mut all = BTreeSet::new();
    properties(&schema, "lab", &mut all);
    for (name, of) in schema["$defs"].as_object().expect("definitions") {
        properties(of, name, &mut all);
    }
    // Servers without settings are written as a word.
    let words = ["sink", "http", "name"].map(|word| format!("host.{word}"));
    let missing: Vec<&String> = all
        .difference(&met)
        .filter(|name| !words.contains(name))
        .collect();
    assert!(
        missing.is_empty(),
        "tests/schema/everything.yaml does not use {missing:?}"
    );
}

/// The paths of all optional single values in what a case can change.
fn leaves(value: &Value, path: &str, found: &mut Vec<String>) {
    let Some(object) = value.as_object() else {
        return;
    };
    for (key, inner) in object {
        let path = if path.is_empty() {
            key.clone()
        } else {
            format!("{path}.{key}")
        };
        found.push(path.clone());
        leaves(inner, &path, found);
    }
}

#[test]
fn the_readers_read_every_field() {
    let text =
        fs::read_to_string(root().join("tests/schema/everything.yaml")).expect("a readable lab");
    let value: Value = serde_yaml::from_str(&text).expect("YAML");
    let mut paths = Vec::new();
    for section in [
        "seed",
        "time_scale",
        "hosts",
        "target_groups",
        "load_balancers",
        "security_groups",
        "nat_gateways",
        "vpcs",
        "endpoint_services",
        "endpoints",
        "peerings",
        "network_acls",
        "kubernetes",
    ] {
        if let Some(object) = value[section].as_object() {
            object
                .iter()
                .for_each(|(name, item)| leaves(item, &format!("{section}.{name}"), &mut paths));
        } else {
            paths.push(section.to_owned());
        }
    }
    for step in value["steps"].as_array().expect("a list") {
        let fields = step
            .as_object()
            .and_then(|step| step.values().next())
            .expect("a step");
        let name = fields["as"].as_str().expect("a name");
        leaves(fields, &format!("steps.{name}"), &mut paths);
    }
    let marker = "set: { seed: 8 }";
    assert!(text.contains(marker), "nothing would be set");
    let (mut read, mut unread) = (0, Vec::new());
    for path in paths.iter().filter(|path| !path.ends_with(".as")) {
        let text = text.replace(marker, &format!("set: {{ {path}: null }}"));
        let spec::Reading { lab, problems } = spec::read_all(&text, "everything.yaml");
        // A required field cannot be removed, and that shows that it is known.
        if !problems.is_empty() {
            continue;
        }
        let lab = lab.expect("a lab without problems");
        let (before, after) = (
            format!("{:?}", lab.body),
            format!("{:?}", lab.cases[1].body),
        );
        // These are written as their defaults.
        let default = ["type", "protocol", "listeners.80.protocol", "targets.other"];
        if !default.iter().any(|name| path.ends_with(name)) {
            read += 1;
            unread.extend((before == after).then_some(path));
        }
    }
    assert!(
        unread.is_empty(),
        "in the grammar, and no reader takes it: {unread:?}"
    );
    assert!(read > 60, "only {read} fields were tried");
}
