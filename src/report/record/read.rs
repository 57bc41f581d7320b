//! Reading a machine's report back. Anybody may have written it, so its numbers are looked at before they are trusted.

use super::{MOST_SHARDS, OverTime, Report, VERSION};
use serde_json::Value;

impl Report {
    /// Reads a machine's report.
    ///
    /// # Errors
    /// Words that say why the text is none.
    pub fn read(text: &str) -> Result<Self, String> {
        let head: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
        match head["version"].as_u64() {
            None => return Err("it has no `version`, so it is no report of hairpin".to_owned()),
            Some(version) if version > u64::from(VERSION) => {
                return Err(format!(
                    "it has version {version}, and this hairpin knows up to {VERSION}"
                ));
            }
            Some(_) => {}
        }
        let report: Self = serde_json::from_value(head).map_err(|error| error.to_string())?;
        report.shards_exist()?;
        report.grids_are_bounded()?;
        Ok(report)
    }

    fn shards_exist(&self) -> Result<(), String> {
        let none = |shard: &&super::Shard| {
            shard.of > MOST_SHARDS || !(1..=shard.of).contains(&shard.number)
        };
        match self.shards.iter().find(none) {
            None => Ok(()),
            Some(shard) => Err(format!(
                "there is no part {} of {} (at most {MOST_SHARDS})",
                shard.number, shard.of
            )),
        }
    }

    fn grids_are_bounded(&self) -> Result<(), String> {
        let steps = self.cases.iter().flat_map(|case| &case.steps);
        for step in steps {
            for name in ["connect_over_time", "answer_over_time"] {
                let Some(value) = step.fields.get(name).filter(|value| !value.is_null()) else {
                    continue;
                };
                let grid: Result<OverTime, _> = serde_json::from_value(value.clone());
                if !grid.is_ok_and(|grid| grid.is_bounded()) {
                    return Err(format!("the `{name}` of `{}` is none", step.name));
                }
            }
        }
        Ok(())
    }
}
