//! Reading evidence back. Anybody may have written or changed it, so what the rest of the program takes for granted is
//! looked at once, here: that what is referred to is there, and that numbers are such as can be counted with.
//!
//! Not here: whether a record is likely. What packets say of each other is for `verdict` to judge, and it makes no
//! assumption about it. Nor files (see `store`).

mod numbers;
mod references;

use super::Evidence;
use std::fmt;
use std::io::Read;

/// Why bytes are no evidence.
#[derive(Debug, thiserror::Error)]
pub enum Unsound {
    /// Not JSON, or not of the shape of [`Evidence`]; it says where, by line and column.
    #[error("{0}")]
    Shape(#[from] serde_json::Error),
    /// A value that cannot be.
    #[error("{0}")]
    Value(Flaw),
}

/// A value that cannot be, and where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flaw {
    /// `connections[3].flow`
    pub place: String,
    /// `is 7, and of flows there are 2`
    pub why: String,
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` {}", self.place, self.why)
    }
}

/// Evidence from its JSON.
///
/// # Errors
/// What it is not, and where. What the reader says of its own failure is [`Unsound::Shape`], too.
pub fn read(source: impl Read) -> Result<Evidence, Unsound> {
    let evidence = serde_json::from_reader(source)?;
    numbers::check(&evidence)
        .and_then(|()| references::check(&evidence))
        .map_err(Unsound::Value)?;
    Ok(evidence)
}

#[cfg(test)]
mod tests;
