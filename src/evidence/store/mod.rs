//! Evidence on disk: `DIR/<lab>/<case>/` with `evidence.json`, the lab's own text as `lab.yaml`, and `case.json`,
//! which says what it is. A lab's name makes as many folders as it has parts. Captures, `capture.pcapng` of the case and
//! `capture.<attachment>.pcapng`, stand beside them, or in folders of the same names elsewhere.
//!
//! `case.json` is written last, so a folder that has it is whole; until then `case.draft` says that one was begun. Not here: reading the lab (see `spec`, `plan`),
//! judging it again (see `verdict`).

mod captures;
mod errors;
#[cfg(test)]
mod tests;

pub use captures::{capture_beside, save_capture};
pub use errors::StoreError;

use super::flow_logs::flow_logs;
use super::reading::{self, Unsound};
use super::target_health::target_health;
use super::{Evidence, flow_log_text};
use captures::{is_capture, remove_captures};
use errors::{broken, io_error};
use serde::{Deserialize, Serialize};
use std::fs;
use std::io::{self, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

/// Of the layout. One that is higher was written by a later release.
const VERSION: u32 = 1;

/// Folders within folders that [`load`] looks into: the parts of a lab's name and then some.
const DEPTH: usize = 16;

const CASE: &str = "case.json";
const EVIDENCE: &str = "evidence.json";
const LAB: &str = "lab.yaml";
const FLOW_LOGS: &str = "flow-logs.txt";
const FLOW_LOGS_5: &str = "flow-logs-v5.txt";
const TARGET_HEALTH: &str = "target-health.json";
/// The ending of a file that is being written.
const DRAFT: &str = "draft";

/// Every file of a case.
const FILES: [&str; 6] = [CASE, EVIDENCE, LAB, FLOW_LOGS, FLOW_LOGS_5, TARGET_HEALTH];

/// A case read back.
#[derive(Clone, Debug)]
pub struct Saved {
    /// Its folder.
    pub folder: PathBuf,
    /// What it is.
    pub case: CaseFile,
    /// The lab's text as it was then.
    pub text: String,
    /// What was recorded.
    pub evidence: Evidence,
}

/// The cases of a folder.
#[derive(Debug, Default)]
pub struct Loaded {
    /// Read back.
    pub saved: Vec<Saved>,
    /// Why others were not.
    pub damaged: Vec<StoreError>,
}

/// `case.json`: what a folder holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaseFile {
    /// Of the layout.
    pub version: u32,
    /// The lab's file as it was given on the command line.
    pub file: String,
    /// The lab's name.
    pub lab: String,
    /// The case's name.
    pub case: String,
    /// The seed in force.
    pub seed: u64,
    /// It is no run: the lab was worked by hand, and something else was done than the whole story.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub by_hand: bool,
}

impl CaseFile {
    /// Of this release's layout.
    pub fn new(
        file: impl Into<String>,
        lab: impl Into<String>,
        case: impl Into<String>,
        seed: u64,
    ) -> Self {
        Self {
            version: VERSION,
            file: file.into(),
            lab: lab.into(),
            case: case.into(),
            seed,
            by_hand: false,
        }
    }
}

/// Saves a case under `dir` and returns its folder. The same case of the same lab file is replaced; a folder of
/// another lab, or one that hairpin did not write, is an error and stays as it is.
pub fn save(
    dir: &Path,
    text: &str,
    case: &CaseFile,
    evidence: &Evidence,
) -> Result<PathBuf, StoreError> {
    let folder = folder(dir, &case.lab, &case.case);
    vacate(&folder, case)?;
    fs::create_dir_all(&folder).map_err(io_error("create the folder", &folder))?;
    let begun = draft(&folder.join(CASE));
    fs::write(&begun, "").map_err(io_error("write", &begun))?;
    write(&folder.join(LAB), |file| file.write_all(text.as_bytes()))?;
    write(&folder.join(EVIDENCE), |file| {
        Ok(serde_json::to_writer(file, evidence)?)
    })?;
    let logs = flow_logs(evidence);
    for (name, text) in [
        (FLOW_LOGS, flow_log_text::version_2(evidence, &logs)),
        (FLOW_LOGS_5, flow_log_text::version_5(evidence, &logs)),
    ] {
        write(&folder.join(name), |file| file.write_all(text.as_bytes()))?;
    }
    write(&folder.join(TARGET_HEALTH), |file| {
        serde_json::to_writer_pretty(&mut *file, &target_health(evidence))?;
        file.write_all(b"\n")
    })?;
    write(&folder.join(CASE), |file| {
        serde_json::to_writer_pretty(&mut *file, case)?;
        file.write_all(b"\n")
    })?;
    Ok(folder)
}

/// Every case in `dir`, be it a case's own folder or any folder above, in the order of their paths. One that cannot be read
/// is among the damaged; where nothing else is, its error is this one's.
pub fn load(dir: &Path) -> Result<Loaded, StoreError> {
    let mut folders = Vec::new();
    search(dir, DEPTH, &mut folders)?;
    if folders.is_empty() {
        return Err(StoreError::Nothing {
            path: dir.to_owned(),
        });
    }
    let mut loaded = Loaded::default();
    for folder in folders {
        match load_one(folder) {
            Ok(saved) => loaded.saved.push(saved),
            Err(error) => loaded.damaged.push(error),
        }
    }
    match loaded.saved.is_empty() {
        true => Err(loaded.damaged.swap_remove(0)),
        false => Ok(loaded),
    }
}

/// Where a case is kept under `dir`.
pub fn folder(dir: &Path, lab: &str, case: &str) -> PathBuf {
    let mut path = dir.to_owned();
    path.extend(
        lab.split('/')
            .filter(|part| !part.is_empty())
            .map(file_name),
    );
    path.push(file_name(case));
    path
}

/// A name as one safe path component: letters, digits, `-`, `_`, and dots that do not lead; all else as `%41`.
fn file_name(name: &str) -> String {
    let mut safe = String::with_capacity(name.len());
    for (i, byte) in name.bytes().enumerate() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' => safe.push(char::from(byte)),
            b'.' if i > 0 => safe.push('.'),
            other => safe.push_str(&format!("%{other:02X}")),
        }
    }
    if safe.is_empty() { "%".into() } else { safe }
}

/// Makes sure that nothing of somebody else's is overwritten, and takes the mark of wholeness off.
fn vacate(folder: &Path, case: &CaseFile) -> Result<(), StoreError> {
    let occupied = |holds: String| {
        Err(StoreError::Occupied {
            path: folder.to_owned(),
            holds,
        })
    };
    for name in names_in(folder)? {
        let ours = |file: &&str| name == Path::new(file) || name == draft(Path::new(file));
        if !FILES.iter().any(ours) && !is_capture(&name) {
            return occupied(format!("holds `{}`, which is no evidence", name.display()));
        }
    }
    let mark = folder.join(CASE);
    match read_case(&mark) {
        Ok(there)
            if there.file == case.file && there.lab == case.lab && there.case == case.case =>
        {
            fs::remove_file(&mark).map_err(io_error("replace", &mark))?;
            remove_captures(folder)
        }
        Ok(there) => occupied(format!("holds case `{}` of {}", there.case, there.file)),
        // Without the mark a save was interrupted: it is nobody's evidence.
        Err(StoreError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
            remove_captures(folder)
        }
        Err(error) => Err(error),
    }
}

/// The names of what is in a folder; none of one that is not there.
fn names_in(folder: &Path) -> Result<Vec<PathBuf>, StoreError> {
    let failed = io_error("look into", folder);
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed(error)),
    };
    entries
        .map(|entry| Ok(PathBuf::from(entry?.file_name())))
        .collect::<io::Result<_>>()
        .map_err(failed)
}

fn search(dir: &Path, depth: usize, folders: &mut Vec<PathBuf>) -> Result<(), StoreError> {
    let (whole, evidence) = (dir.join(CASE), dir.join(EVIDENCE));
    // What was begun here and is not whole is a case too, a damaged one.
    if whole.is_file() || draft(&whole).is_file() || evidence.is_file() {
        folders.push(dir.to_owned());
        return Ok(());
    }
    let entries = fs::read_dir(dir).map_err(io_error("look into", dir))?;
    let mut inner = Vec::new();
    for entry in entries {
        let entry = entry.map_err(io_error("look into", dir))?;
        // A link is not followed: it may lead back up.
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            inner.push(entry.path());
        }
    }
    inner.sort();
    if depth > 0 {
        inner
            .iter()
            .try_for_each(|path| search(path, depth - 1, folders))?;
    }
    Ok(())
}

fn load_one(folder: PathBuf) -> Result<Saved, StoreError> {
    let mark = folder.join(CASE);
    if !mark.exists() {
        return Err(StoreError::Unfinished { path: folder });
    }
    let case = read_case(&mark)?;
    let lab = folder.join(LAB);
    let text = fs::read_to_string(&lab).map_err(io_error("read", &lab))?;
    let path = folder.join(EVIDENCE);
    let file = fs::File::open(&path).map_err(io_error("read", &path))?;
    let evidence = reading::read(BufReader::new(file)).map_err(|why| match why {
        Unsound::Shape(source) => broken(path, source),
        Unsound::Value(flaw) => StoreError::Unsound { path, flaw },
    })?;
    Ok(Saved {
        folder,
        case,
        text,
        evidence,
    })
}

fn read_case(path: &Path) -> Result<CaseFile, StoreError> {
    let text = fs::read_to_string(path).map_err(io_error("read", path))?;
    let case: CaseFile =
        serde_json::from_str(&text).map_err(|source| broken(path.to_owned(), source))?;
    if case.version > VERSION {
        return Err(StoreError::Later {
            path: path.to_owned(),
            version: case.version,
        });
    }
    Ok(case)
}

/// Into a neighbour first, then in one step into place: a file is there whole or not at all.
fn write(
    path: &Path,
    content: impl FnOnce(&mut BufWriter<fs::File>) -> io::Result<()>,
) -> Result<(), StoreError> {
    let draft = draft(path);
    let attempt = || -> io::Result<()> {
        let mut file = BufWriter::new(fs::File::create(&draft)?);
        content(&mut file)?;
        file.flush()?;
        fs::rename(&draft, path)
    };
    attempt().map_err(|error| {
        // What is left of the draft is of no use, and its loss no news beside the error itself.
        let _ = fs::remove_file(&draft);
        io_error("write", path)(error)
    })
}

/// What a file is called while it is being written.
fn draft(path: &Path) -> PathBuf {
    path.with_extension(DRAFT)
}
