//! What was done by hand, as a lab to be read again.

use super::ByHand;
use crate::spec::node::Node;
use crate::spec::set;
use std::fmt::Write;

impl ByHand {
    /// The lab as it is written.
    pub fn written(&self) -> &str {
        &self.text[..self.own]
    }

    /// A lab whose story is what was done, with a case that claims nothing; the lab as it is written when the whole story
    /// was told to its end and nothing else was done.
    pub fn text(&self) -> String {
        if self.is_as_written() {
            return self.written().to_owned();
        }
        let mut steps = String::new();
        for done in &self.done {
            item(&mut steps, &done.node);
        }
        match steps.as_str() {
            // A lab has a step.
            "" => self.claiming_nothing("# Nothing was done by hand.", "  - wait: 0s\n"),
            steps => self.claiming_nothing("# What was done by hand.", steps),
        }
    }

    /// The lab with the case's own story, which claims nothing: for what was done and is no lab by itself.
    pub fn unclaimed(&self) -> String {
        let mut steps = String::new();
        for step in &self.story {
            item(&mut steps, step);
        }
        self.claiming_nothing("# Not what was done by hand.", &steps)
    }

    /// The lab with these steps and a single case, as the case has it besides.
    fn claiming_nothing(&self, comment: &str, steps: &str) -> String {
        let entries = self.root.entries().unwrap_or(&[]);
        let ends = entries.iter().skip(1).map(|entry| entry.key.span.start);
        let ends = ends.chain([self.own]);
        let mut out = String::new();
        for (entry, end) in entries.iter().zip(ends) {
            let key = entry.key.value.as_str();
            let patched = self.body.get(key);
            match patched {
                _ if ["works", "steps", "cases"].contains(&key) => {}
                Some(patched) if !patched.same(&entry.value) => put(&mut out, key, patched),
                Some(_) => out.push_str(&self.text[entry.key.span.start..end]),
                None if set::FIXED.contains(&key) => {
                    out.push_str(&self.text[entry.key.span.start..end]);
                }
                // The case does without.
                None => {}
            }
        }
        let new = self.body.entries().unwrap_or(&[]).iter();
        for entry in new.filter(|entry| self.root.get(&entry.key.value).is_none()) {
            put(&mut out, &entry.key.value, &entry.value);
        }
        if !out.ends_with('\n') {
            out.push('\n');
        }
        // A string takes everything.
        let _ = write!(
            out,
            "{comment}\nsteps:\n{steps}cases:\n  {}:\n    kind: control\n",
            self.case.value
        );
        out
    }
}

/// A step of a list.
fn item(out: &mut String, step: &Node) {
    // A string takes everything.
    let _ = writeln!(out, "  - {}", step.compact());
}

fn put(out: &mut String, key: &str, value: &Node) {
    if !out.is_empty() && !out.ends_with('\n') {
        out.push('\n');
    }
    // A string takes everything.
    let _ = writeln!(out, "{key}: {}", value.compact());
}
