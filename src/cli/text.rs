//! Files of labs, read: regular ones only, and no more of one than it takes to say that it is no lab.

use super::Mistake;
use crate::spec::MAX_BYTES;
use std::fs::OpenOptions;
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Bytes of the longest character: a text that is cut is still longer than a lab when its last one is taken off.
const CHARACTER: usize = 4;

/// The bytes of a lab's file. One that is too large is cut behind its [`MAX_BYTES`], between two characters.
pub fn bytes(path: &Path) -> Result<Vec<u8>, Mistake> {
    read(path).map_err(|error| failed(path, &error))
}

/// The same of a file that has to be text.
pub fn text(path: &Path) -> Result<String, Mistake> {
    String::from_utf8(bytes(path)?)
        .map_err(|_| failed(path, &io::Error::other("it is not UTF-8 text")))
}

fn failed(path: &Path, error: &io::Error) -> Mistake {
    Mistake(format!("cannot read `{}`: {error}", path.display()))
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    // Else whoever opens a FIFO waits until somebody writes to it.
    let flags = libc::O_NONBLOCK;
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(flags)
        .open(path)?;
    let about = file.metadata()?;
    if about.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    if !about.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    let most = MAX_BYTES + CHARACTER;
    let mut bytes = Vec::new();
    file.take(most as u64).read_to_end(&mut bytes)?;
    if bytes.len() == most
        && let Err(error) = std::str::from_utf8(&bytes)
        && error.error_len().is_none()
    {
        bytes.truncate(error.valid_up_to());
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_is_too_large_is_cut_between_two_characters() {
        let path = std::env::temp_dir().join(format!("hairpin-text-{}", std::process::id()));
        for word in ["a", "\u{e9}", "\u{20ac}", "\u{1f980}"] {
            for lead in ["", "x", "xx", "xxx"] {
                let content = lead.to_owned() + &word.repeat(MAX_BYTES + CHARACTER);
                std::fs::write(&path, &content).expect("a file");
                let read = text(&path);
                std::fs::remove_file(&path).expect("it was there");
                let read = read.unwrap_or_else(|mistake| panic!("{word}: {mistake}"));
                assert!(content.starts_with(&read));
                assert!((MAX_BYTES + 1..=MAX_BYTES + CHARACTER).contains(&read.len()));
            }
        }
    }
}
