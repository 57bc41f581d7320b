//! As much of JSON Schema as the schemas use, patterns and formats apart; and stricter in one thing: an object that has
//! `properties` has no others, unless `additionalProperties` says which. What is in a report and not in its schema would
//! pass otherwise.

use serde_json::Value;
use std::collections::BTreeSet;

/// Collects the properties that were met.
pub struct Validator {
    schema: Value,
    met: BTreeSet<String>,
}

impl Validator {
    /// The properties that a lab has, as `section.key`; or why it is none.
    pub fn met(lab: &Value, schema: &Value) -> Result<BTreeSet<String>, String> {
        let mut validator = Self {
            schema: schema.clone(),
            met: BTreeSet::new(),
        };
        validator.check(lab, schema, "lab", "lab")?;
        Ok(validator.met)
    }

    fn check(
        &mut self,
        value: &Value,
        schema: &Value,
        path: &str,
        section: &str,
    ) -> Result<(), String> {
        if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
            let name = reference
                .strip_prefix("#/$defs/")
                .expect("references are local");
            let target = self.schema["$defs"][name].clone();
            return self.object(value, &target, path, name);
        }
        self.object(value, schema, path, section)
    }

    fn object(
        &mut self,
        value: &Value,
        schema: &Value,
        path: &str,
        section: &str,
    ) -> Result<(), String> {
        if schema == &Value::Bool(true) {
            return Ok(());
        }
        if schema == &Value::Bool(false) {
            return Err(format!("{path}: nothing may be here"));
        }
        if schema.get("not").is_some() && schema.get("type").is_none() {
            return Err(format!("{path} is not run by this release"));
        }
        let ways = schema.get("anyOf").or_else(|| schema.get("oneOf"));
        if let Some(ways) = ways.and_then(Value::as_array) {
            let errors: Vec<String> = ways
                .iter()
                .filter_map(|way| self.check(value, way, path, section).err())
                .collect();
            return if errors.len() < ways.len() {
                Ok(())
            } else {
                Err(errors.join(" / "))
            };
        }
        if let Some(words) = schema.get("enum").and_then(Value::as_array) {
            return if words.contains(value) {
                Ok(())
            } else {
                Err(format!("{path}: {value} is no choice"))
            };
        }
        if let Some(word) = schema.get("const") {
            return match word == value {
                true => Ok(()),
                false => Err(format!("{path}: {value} is not {word}")),
            };
        }
        let types: Vec<&str> = match schema.get("type") {
            Some(Value::String(one)) => vec![one],
            Some(Value::Array(many)) => many.iter().filter_map(Value::as_str).collect(),
            Some(_) | None => return Ok(()),
        };
        let kind = match value {
            Value::Null => "null",
            Value::Bool(_) => "boolean",
            Value::Number(number) if number.is_f64() => "number",
            Value::Number(_) => "integer",
            Value::String(_) => "string",
            Value::Array(_) => "array",
            Value::Object(_) => "object",
        };
        let fits = types.contains(&kind) || (kind == "integer" && types.contains(&"number"));
        if !fits {
            return Err(format!("{path}: {value} is {kind}, not {types:?}"));
        }
        self.inside(value, schema, path, section)
    }

    fn inside(
        &mut self,
        value: &Value,
        schema: &Value,
        path: &str,
        section: &str,
    ) -> Result<(), String> {
        let first = schema.get("prefixItems").and_then(Value::as_array);
        let first = first.map_or(&[][..], Vec::as_slice);
        for (place, item) in value.as_array().into_iter().flatten().enumerate() {
            let of = first.get(place).or_else(|| schema.get("items"));
            if let Some(of) = of {
                self.check(item, of, &format!("{path}[{place}]"), section)?;
            }
        }
        let count = value.as_array().map_or(0, Vec::len) as u64;
        let least = schema.get("minItems").and_then(Value::as_u64);
        let most = schema.get("maxItems").and_then(Value::as_u64);
        if value.is_array() && (least > Some(count) || most.is_some_and(|most| most < count)) {
            return Err(format!("{path} has {count} entries"));
        }
        let Some(object) = value.as_object() else {
            return Ok(());
        };
        for key in schema
            .get("required")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
        {
            let key = key.as_str().expect("required keys are text");
            if !object.contains_key(key) {
                return Err(format!("{path} lacks {key}"));
            }
        }
        for (key, inner) in object {
            let path = format!("{path}.{key}");
            match (
                schema["properties"].get(key),
                schema.get("additionalProperties"),
            ) {
                (Some(of), _) => {
                    self.check(inner, of, &path, section)?;
                    self.met.insert(format!("{section}.{key}"));
                }
                (None, Some(Value::Bool(false))) => return Err(format!("{path} is unknown")),
                (None, Some(of)) => self.check(inner, of, &path, section)?,
                (None, None) if schema.get("properties").is_some() => {
                    return Err(format!("{path} is not in the schema"));
                }
                (None, None) => {}
            }
        }
        Ok(())
    }
}
