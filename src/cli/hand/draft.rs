//! `hairpin new`: a lab to begin with.

use crate::cli::args::NewArgs;
use crate::cli::{Mistake, Status, find, terminal, text};
use crate::report;
use crate::spec::MAX_BYTES;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Small, with comments, and it holds.
const STARTER: &str = include_str!("starter.yaml");

/// How a line begins that tells editors where the schema of labs is, from the lab's folder.
const SCHEMA: &str = "# yaml-language-server: $schema=";

/// Writes a new lab file; one that is there stays as it is.
pub fn draft(args: &NewArgs) -> Result<u8, Mistake> {
    let file = file(&args.name)?;
    let folder = file.parent().unwrap_or(Path::new(""));
    let text = match &args.from {
        None => STARTER.to_owned(),
        Some(lab) => copy_of(lab, folder)?,
    };
    let name = file.display();
    if !folder.as_os_str().is_empty() && !folder.is_dir() {
        return Err(Mistake(format!(
            "there is no folder `{}`: make it first",
            folder.display()
        )));
    }
    match write(&file, &text) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            return Err(Mistake(format!(
                "`{name}` is there already, and stays as it is"
            )));
        }
        Err(error) => {
            terminal::complain(&format!("cannot write `{name}`: {error}"));
            return Ok(Status::Unable as u8);
        }
    }
    terminal::print(&format!(
        "{name} is written\n\n  hairpin check {typed}\n  hairpin run {typed} -e\n  hairpin up {typed}\n",
        typed = report::shell(&name.to_string())
    ));
    Ok(Status::Held as u8)
}

/// A name is a file of its own here.
fn file(name: &str) -> Result<PathBuf, Mistake> {
    let path = PathBuf::from(name);
    if name.ends_with('/') || path.file_name().is_none() {
        return Err(Mistake(format!(
            "`{name}` is no name of a file: write one, like `my-lab.yaml`"
        )));
    }
    Ok(match path.extension().and_then(|ending| ending.to_str()) {
        Some("yaml" | "yml") => path,
        Some(_) | None => PathBuf::from(format!("{name}.yaml")),
    })
}

/// The text of a lab, for a file in this folder.
fn copy_of(lab: &str, folder: &Path) -> Result<String, Mistake> {
    let only = find::one(lab)?;
    let text = text::text(&only.file)?;
    if text.len() > MAX_BYTES {
        return Err(Mistake(format!(
            "`{}` has more than {MAX_BYTES} bytes: no lab is as large",
            only.file.display()
        )));
    }
    Ok(with_schema_there(&text, folder).to_owned())
}

/// Without the first line where that tells editors where the schema is, and from the folder it leads nowhere.
fn with_schema_there<'a>(text: &'a str, folder: &Path) -> &'a str {
    let line = text
        .split_once('\n')
        .map(|(first, rest)| (first.strip_prefix(SCHEMA), rest));
    match line {
        Some((Some(schema), rest)) if !folder.join(schema.trim()).is_file() => rest,
        Some(_) | None => text,
    }
}

fn write(file: &Path, text: &str) -> io::Result<()> {
    let mut new = OpenOptions::new().write(true).create_new(true).open(file)?;
    let written = new.write_all(text.as_bytes());
    if written.is_err() {
        // Else the next try would find it there.
        let _ = std::fs::remove_file(file);
    }
    written
}

#[cfg(test)]
mod tests {
    use super::file;
    use std::path::Path;

    #[test]
    fn a_name_is_that_of_a_file() {
        for (name, expected) in [
            ("my-lab", "my-lab.yaml"),
            ("my-lab.yml", "my-lab.yml"),
            ("no/such/lab", "no/such/lab.yaml"),
        ] {
            let file = file(name).expect("a file");
            assert_eq!(file, Path::new(expected));
        }
        for name in ["", "/", ".", "..", "src/"] {
            assert!(file(name).is_err(), "{name}");
        }
    }
}
