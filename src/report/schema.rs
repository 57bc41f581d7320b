//! The JSON schema of the machine's report (draft 2020-12), made from the types that are written.
//!
//! A property that is not `required` stands only where it has something to tell: its absence is `false`, or nothing.

use super::Report;
use schemars::Schema;
use schemars::generate::SchemaSettings;
use serde_json::Value;

/// The schema as text, with a line feed at its end.
pub fn schema() -> String {
    let settings = SchemaSettings::draft2020_12().for_serialize();
    let mut schema = settings.into_generator().into_root_schema_for::<Report>();
    schema.insert("title".to_owned(), "hairpin report".into());
    plain(&mut schema);
    let text = serde_json::to_string_pretty(&schema).expect("maps with text keys can be written");
    format!("{text}\n")
}

/// Makes one line of each description.
fn plain(schema: &mut Schema) {
    schemars::transform::transform_subschemas(&mut plain, schema);
    if let Some(Value::String(text)) = schema.get_mut("description") {
        *text = text.replace('\n', " ");
    }
}
