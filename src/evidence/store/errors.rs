//! Why evidence could not be saved or read.

use super::{CASE, VERSION};
use crate::evidence::reading::Flaw;
use std::io;
use std::path::{Path, PathBuf};

/// Why evidence could not be saved or read: what was attempted, where, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The system refused.
    #[error("cannot {doing} {path}: {source}", path = path.display())]
    Io {
        /// `write`, `read`, `create the folder`, ...
        doing: &'static str,
        /// What it was about.
        path: PathBuf,
        /// The system's word.
        source: io::Error,
    },
    /// A file is not what it should be.
    #[error("{path} is not what hairpin wrote there: {source}", path = path.display())]
    Broken {
        /// The file.
        path: PathBuf,
        /// Where and why.
        source: serde_json::Error,
    },
    /// A value in a file cannot be.
    #[error("{path} is not what hairpin wrote there: {flaw}", path = path.display())]
    Unsound {
        /// The file.
        path: PathBuf,
        /// Where in it, and why.
        flaw: Flaw,
    },
    /// A later release wrote it.
    #[error("{path} has layout version {version}, and this hairpin knows up to {VERSION}", path = path.display())]
    Later {
        /// The file.
        path: PathBuf,
        /// Its version.
        version: u32,
    },
    /// The case was begun there, and its evidence is not all there.
    #[error("{path} is not whole: the run that wrote there was cut off, or its disk was full; run the case again", path = path.display())]
    Unfinished {
        /// The folder.
        path: PathBuf,
    },
    /// The folder holds something that must not be lost.
    #[error("{path} {holds}; give another folder, or remove it", path = path.display())]
    Occupied {
        /// The folder.
        path: PathBuf,
        /// What it holds.
        holds: String,
    },
    /// No case there.
    #[error("{path} holds no saved case: neither it nor a folder in it has a {CASE} (hairpin run --evidence writes one)", path = path.display())]
    Nothing {
        /// The folder.
        path: PathBuf,
    },
}

pub(super) fn io_error<'a>(
    doing: &'static str,
    path: &'a Path,
) -> impl Fn(io::Error) -> StoreError + 'a {
    move |source| StoreError::Io {
        doing,
        path: path.to_owned(),
        source,
    }
}

/// serde_json wraps what the system said while reading; that is not the file's fault.
pub(super) fn broken(path: PathBuf, source: serde_json::Error) -> StoreError {
    if source.is_io() {
        StoreError::Io {
            doing: "read",
            path,
            source: source.into(),
        }
    } else {
        StoreError::Broken { path, source }
    }
}
