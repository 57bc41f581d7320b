//! Report files, and what GitHub Actions wants to see.

use super::args::{ReportFormat, ReportTarget};
use super::terminal::{self, Stream};
use super::{Mistake, Status};
use crate::diag::github::{data, property};
use crate::report::{self, Report};
use nix::unistd::{AccessFlags, access};
use std::fs;
use std::io::Write;
use std::path::{Component, Path, PathBuf};

/// A file that cannot be written is a mistake to hear of before the run, not after it; and so are two reports in one place.
pub fn writable(targets: &[ReportTarget]) -> Result<(), Mistake> {
    for (number, target) in targets.iter().enumerate() {
        let there = place(&target.file);
        let same =
            |other: &ReportTarget| other.format != target.format && place(&other.file) == there;
        if targets[..number].iter().any(same) {
            return Err(Mistake(format!(
                "two reports cannot both be written to `{}`",
                target.file.display()
            )));
        }
    }
    for target in targets.iter().filter(|target| !on_output(target)) {
        let file = target.file.as_path();
        let folder = match file.parent() {
            Some(folder) if folder != Path::new("") => folder,
            Some(_) | None => Path::new("."),
        };
        // An existing file decides for itself (`/dev/stderr`, a file of one's own in a folder of others).
        let decides = if file.exists() { file } else { folder };
        let why = if file.is_dir() {
            "it is a folder".to_owned()
        } else if folder.exists() && !folder.is_dir() {
            format!("{} is no folder", folder.display())
        } else if let Err(errno) = access(decides, AccessFlags::W_OK) {
            format!("{}: {}", decides.display(), errno.desc())
        } else {
            continue;
        };
        return Err(Mistake(format!(
            "cannot write the report `{}`: {why}",
            file.display()
        )));
    }
    Ok(())
}

/// The one path of a file, whatever it is called and also before it is there.
fn place(file: &Path) -> PathBuf {
    let folder = match file.parent() {
        Some(folder) if folder != Path::new("") => folder,
        Some(_) | None => Path::new("."),
    };
    let to_be = || Some(folder.canonicalize().ok()?.join(file.file_name()?));
    let there = file.canonicalize().ok();
    there.or_else(to_be).unwrap_or_else(|| file.to_owned())
}

/// A folder that what a run leaves cannot be kept in is one, too. It is made where it is not there. `what`: evidence, captures.
pub fn keeps(folder: &Path, what: &str) -> Result<(), Mistake> {
    let made = fs::create_dir_all(folder);
    let writable = made.and_then(|()| access(folder, AccessFlags::W_OK).map_err(Into::into));
    writable.map_err(|error| {
        Mistake(format!(
            "cannot keep {what} in `{}`: {error}",
            folder.display()
        ))
    })
}

/// Where the table for people goes, so that a report on standard output stays whole.
pub fn beside(targets: &[ReportTarget]) -> Stream {
    if targets.iter().any(on_output) {
        Stream::Error
    } else {
        Stream::Output
    }
}

/// Writes every report asked for; what cannot be written is said, and nothing else is lost by it.
pub fn write(targets: &[ReportTarget], report: &Report) -> Status {
    let mut status = Status::Held;
    for target in targets {
        let text = match target.format {
            ReportFormat::Html => report::html(report),
            ReportFormat::Junit => report::junit(report),
            ReportFormat::Json => report::json(report),
            ReportFormat::Tap => report::tap(report),
            ReportFormat::Markdown => report::markdown(report),
        };
        if on_output(target) {
            terminal::print(&text);
        } else if let Err(error) = fs::write(&target.file, text) {
            terminal::complain(&format!(
                "cannot write the report `{}`: {error}",
                target.file.display()
            ));
            status = Status::Unable;
        }
    }
    status
}

fn on_output(target: &ReportTarget) -> bool {
    target.file == Path::new("-")
}

/// True under GitHub Actions.
pub fn for_github() -> bool {
    std::env::var_os("GITHUB_ACTIONS").is_some_and(|value| value == "true")
}

/// A lab's file as GitHub Actions looks for it: from the workspace, wherever in it the step works.
pub fn in_workspace(file: &str) -> String {
    let workspace = std::env::var_os("GITHUB_WORKSPACE");
    let here = std::env::current_dir();
    match (workspace, here) {
        (Some(workspace), Ok(here)) => from(Path::new(&workspace), &here, file),
        _ => file.to_owned(),
    }
}

/// A file that is named from `here`, named from `root`; as it is when it is elsewhere.
fn from(root: &Path, here: &Path, file: &str) -> String {
    let mut path = PathBuf::new();
    for part in here.join(file).components() {
        match part {
            Component::ParentDir => {
                path.pop();
            }
            Component::CurDir => {}
            Component::Prefix(_) | Component::RootDir | Component::Normal(_) => path.push(part),
        }
    }
    match path.strip_prefix(root) {
        Ok(inside) => inside.display().to_string(),
        Err(_) => file.to_owned(),
    }
}

/// Under GitHub Actions: an annotation at the line of each case that did not hold, and the result in the step's
/// summary. GitHub reads annotations from either stream.
pub fn annotate(report: &Report, stream: Stream) -> Status {
    if !for_github() {
        return Status::Held;
    }
    stream.print(&report::github(report, in_workspace));
    summarise(&report::markdown(report))
}

/// Under GitHub Actions: the same of a run in which no case was begun. `why`: in words, as they were said.
pub fn annotate_nothing(why: &str) {
    if !for_github() {
        return;
    }
    Stream::Error.print(&format!(
        "::error title={}::{}\n",
        property("hairpin: nothing was run"),
        data(why)
    ));
    summarise(&format!("**Nothing was run.**\n\n{}", fenced(why)));
}

/// Under GitHub Actions: problems of a lab, as they are shown, in the step's summary.
pub fn summarise_problems(shown: &str) {
    if for_github() {
        summarise(&fenced(shown));
    }
}

/// As it is, whatever of Markdown is in it.
fn fenced(text: &str) -> String {
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    format!("{fence}text\n{}\n{fence}\n\n", text.trim_end())
}

/// Adds to the step's summary, where there is one.
fn summarise(text: &str) -> Status {
    let file = std::env::var_os("GITHUB_STEP_SUMMARY").filter(|file| !file.is_empty());
    let Some(file) = file else {
        return Status::Held;
    };
    let mut options = fs::OpenOptions::new();
    let opened = options.append(true).create(true).open(&file);
    match opened.and_then(|mut file| file.write_all(text.as_bytes())) {
        Ok(()) => Status::Held,
        Err(error) => {
            terminal::complain(&format!("cannot write the step summary: {error}"));
            Status::Unable
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn github_looks_for_files_from_the_workspace() {
        let named = |here, file| from(Path::new("/home/w"), Path::new(here), file);
        assert_eq!(named("/home/w", "labs/a.yaml"), "labs/a.yaml");
        assert_eq!(named("/home/w/net", "labs/a.yaml"), "net/labs/a.yaml");
        assert_eq!(named("/home/w/net", "./../b/a.yaml"), "b/a.yaml");
        assert_eq!(named("/", "/home/w/a.yaml"), "a.yaml");
        assert_eq!(named("/home/w", "../a.yaml"), "../a.yaml");
        assert_eq!(named("/tmp", "/elsewhere/a.yaml"), "/elsewhere/a.yaml");
    }
}
