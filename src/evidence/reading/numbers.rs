//! Numbers of a record that can be counted with: sums and differences of many do not overflow. They are looked at as they
//! would be written, so no field is forgotten, a new one neither.

use super::Flaw;
use crate::evidence::Evidence;
use serde::Serialize;
use serde_json::Serializer;
use serde_json::ser::Formatter;
use std::fmt::Display;
use std::io::{self, Write};

/// No count is larger, and no time in ms: where whole numbers end that every reader of JSON knows (RFC 8259, section 6).
const LARGEST: u64 = 1 << 53;

/// A number that is too large, and where it is. The seed may be any, nobody counts with it; and indices, which are
/// without a sign as well, are looked at with what they lead to.
pub(super) fn check(evidence: &Evidence) -> Result<(), Flaw> {
    let mut walk = Walk::default();
    let looked = evidence.serialize(&mut Serializer::with_formatter(io::sink(), &mut walk));
    match (walk.flaw, looked) {
        (Some(flaw), _) => Err(flaw),
        (None, Ok(())) => Ok(()),
        (None, Err(error)) => unreachable!("evidence can be written into nothing: {error}"),
    }
}

/// The way from the top to the value that would be written.
#[derive(Default)]
struct Walk {
    place: Vec<Part>,
    in_key: bool,
    flaw: Option<Flaw>,
}

enum Part {
    Key(String),
    Number(usize),
}

impl Walk {
    fn look(&mut self, is_small: bool, number: impl Display) -> io::Result<()> {
        if is_small {
            return Ok(());
        }
        self.flaw = Some(Flaw {
            place: self.place(),
            why: format!("is {number}, and nothing that is recorded comes to more than 2^53"),
        });
        Err(io::Error::other("too large"))
    }

    fn place(&self) -> String {
        let mut place = String::new();
        for part in &self.place {
            match part {
                Part::Key(name) if place.is_empty() => place.push_str(name),
                Part::Key(name) => place.push_str(&format!(".{name}")),
                Part::Number(number) => place.push_str(&format!("[{number}]")),
            }
        }
        place
    }
}

impl Formatter for &mut Walk {
    fn write_i64<W: ?Sized + Write>(&mut self, _: &mut W, value: i64) -> io::Result<()> {
        self.look(value.unsigned_abs() <= LARGEST, value)
    }

    fn write_f64<W: ?Sized + Write>(&mut self, _: &mut W, value: f64) -> io::Result<()> {
        self.look(value.abs() <= LARGEST as f64, value)
    }

    fn begin_array<W: ?Sized + Write>(&mut self, _: &mut W) -> io::Result<()> {
        self.place.push(Part::Number(0));
        Ok(())
    }

    fn end_array_value<W: ?Sized + Write>(&mut self, _: &mut W) -> io::Result<()> {
        if let Some(Part::Number(number)) = self.place.last_mut() {
            *number += 1;
        }
        Ok(())
    }

    fn end_array<W: ?Sized + Write>(&mut self, _: &mut W) -> io::Result<()> {
        self.place.pop();
        Ok(())
    }

    fn begin_object_key<W: ?Sized + Write>(&mut self, _: &mut W, _: bool) -> io::Result<()> {
        self.place.push(Part::Key(String::new()));
        self.in_key = true;
        Ok(())
    }

    fn end_object_key<W: ?Sized + Write>(&mut self, _: &mut W) -> io::Result<()> {
        self.in_key = false;
        Ok(())
    }

    fn end_object_value<W: ?Sized + Write>(&mut self, _: &mut W) -> io::Result<()> {
        self.place.pop();
        Ok(())
    }

    fn write_string_fragment<W: ?Sized + Write>(
        &mut self,
        _: &mut W,
        text: &str,
    ) -> io::Result<()> {
        if let Some(Part::Key(name)) = self.place.last_mut().filter(|_| self.in_key) {
            name.push_str(text);
        }
        Ok(())
    }
}
