//! Evidence on disk: `DIR/<lab>/<case>/` with `evidence.json`, the lab's own text as `lab.yaml`, and `case.json`,
//! which says what it is. A lab's name makes as many folders as it has parts. Captures, `capture.pcapng` of the case and
//! `capture.<attachment>.pcapng`, stand beside them, or in folders of the same names elsewhere.
//!
//! `case.json` is written last, so a folder that has it is whole. Not here: reading the lab (see `spec`, `plan`),
//! judging it again (see `verdict`).

use super::capture::Files;
use super::flow_logs::flow_logs;
use super::target_health::target_health;
use super::{Evidence, flow_log_text};
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
const CAPTURE: &str = "capture";
/// The ending of a file that is being written.
const DRAFT: &str = "draft";
const PCAPNG: &str = "pcapng";

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
        }
    }
}

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
    /// A later release wrote it.
    #[error("{path} has layout version {version}, and this hairpin knows up to {VERSION}", path = path.display())]
    Later {
        /// The file.
        path: PathBuf,
        /// Its version.
        version: u32,
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

/// Every case in `dir`, be it a case's own folder or any folder above, in the order of their paths.
pub fn load(dir: &Path) -> Result<Vec<Saved>, StoreError> {
    let mut folders = Vec::new();
    search(dir, DEPTH, &mut folders)?;
    if folders.is_empty() {
        return Err(StoreError::Nothing {
            path: dir.to_owned(),
        });
    }
    folders.into_iter().map(load_one).collect()
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
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(io_error("look into", folder)(error)),
    };
    for entry in entries {
        let entry = entry.map_err(io_error("look into", folder))?;
        let name = PathBuf::from(entry.file_name());
        let ours = |file: &&str| name == Path::new(file) || name == draft(Path::new(file));
        if !FILES.iter().any(ours) && !is_capture(&name) {
            return occupied(format!(
                "holds `{}`, which is no evidence",
                entry.file_name().to_string_lossy()
            ));
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

/// `capture.pcapng`, `capture.web1.pcapng`, or the draft of one.
fn is_capture(name: &Path) -> bool {
    let text = name.to_str().unwrap_or_default();
    let rest = text.strip_prefix(CAPTURE).unwrap_or_default();
    let ending = rest.rsplit_once('.').map_or("", |(_, ending)| ending);
    rest.starts_with('.') && (ending == PCAPNG || ending == DRAFT)
}

/// A capture of an earlier run tells of other packets.
fn remove_captures(folder: &Path) -> Result<(), StoreError> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(io_error("look into", folder)(error)),
    };
    for entry in entries {
        let entry = entry.map_err(io_error("look into", folder))?;
        if is_capture(Path::new(&entry.file_name())) {
            let path = entry.path();
            fs::remove_file(&path).map_err(io_error("replace", &path))?;
        }
    }
    Ok(())
}

/// Saves a case's capture in its folder under `dir`: a file for all attachments, and one for each of those named.
/// `write` gets the attachment's name, none for the case. What an earlier run left there is removed.
pub fn save_capture(
    dir: &Path,
    (lab, case): (&str, &str),
    attachments: &[String],
    mut write: impl FnMut(Option<&str>, &mut BufWriter<fs::File>) -> io::Result<()>,
) -> Result<Files, StoreError> {
    let folder = folder(dir, lab, case);
    fs::create_dir_all(&folder).map_err(io_error("create the folder", &folder))?;
    remove_captures(&folder)?;
    let path = folder.join(format!("{CAPTURE}.{PCAPNG}"));
    self::write(&path, |file| write(None, file))?;
    let mut files = Files {
        case: path.display().to_string(),
        ..Files::default()
    };
    for name in attachments {
        // Names have no dots, so no two are the same file.
        let parts: Vec<String> = name.split('/').map(file_name).collect();
        let path = folder.join(format!("{CAPTURE}.{}.{PCAPNG}", parts.join(".")));
        self::write(&path, |file| write(Some(name), file))?;
        files
            .attachments
            .insert(name.clone(), path.display().to_string());
    }
    Ok(files)
}

/// The capture beside a saved case, the file of the whole case only.
pub fn capture_beside(folder: &Path) -> Option<Files> {
    let path = folder.join(format!("{CAPTURE}.{PCAPNG}"));
    path.is_file().then(|| Files {
        case: path.display().to_string(),
        ..Files::default()
    })
}

fn search(dir: &Path, depth: usize, folders: &mut Vec<PathBuf>) -> Result<(), StoreError> {
    if dir.join(CASE).is_file() {
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
    let case = read_case(&folder.join(CASE))?;
    let lab = folder.join(LAB);
    let text = fs::read_to_string(&lab).map_err(io_error("read", &lab))?;
    let path = folder.join(EVIDENCE);
    let file = fs::File::open(&path).map_err(io_error("read", &path))?;
    let evidence =
        serde_json::from_reader(BufReader::new(file)).map_err(|source| broken(path, source))?;
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

fn io_error<'a>(doing: &'static str, path: &'a Path) -> impl Fn(io::Error) -> StoreError + 'a {
    move |source| StoreError::Io {
        doing,
        path: path.to_owned(),
        source,
    }
}

/// serde_json wraps what the system said while reading; that is not the file's fault.
fn broken(path: PathBuf, source: serde_json::Error) -> StoreError {
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

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder of its own for a test, removed at its end.
    struct Scratch(PathBuf);

    impl Scratch {
        fn new(name: &str) -> Self {
            let path =
                std::env::temp_dir().join(format!("hairpin-store-{name}-{}", std::process::id()));
            let _ = fs::remove_dir_all(&path);
            fs::create_dir_all(&path).expect("a scratch folder");
            Self(path)
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn case(file: &str, name: &str) -> CaseFile {
        CaseFile::new(file, "nlb/source-port-collision", name, 7)
    }

    fn evidence() -> Evidence {
        Evidence {
            lab: "nlb/source-port-collision".into(),
            seed: 7,
            lag_ms: 0.25,
            ..Evidence::default()
        }
    }

    #[test]
    fn what_is_saved_is_read_back_from_its_folder_and_from_any_above() {
        let dir = Scratch::new("round-trip");
        let first = save(
            &dir.0,
            "title: x\n",
            &case("a.yaml", "as-deployed"),
            &evidence(),
        )
        .expect("saved");
        save(&dir.0, "title: x\n", &case("a.yaml", "a-fix"), &evidence()).expect("saved");
        assert_eq!(first, dir.0.join("nlb/source-port-collision/as-deployed"));
        for (from, cases) in [
            (first.clone(), 1),
            (dir.0.join("nlb"), 2),
            (dir.0.clone(), 2),
        ] {
            let saved = load(&from).expect("read back");
            assert_eq!(saved.len(), cases);
            let one = saved.last().expect("a case");
            assert_eq!(
                (one.case.clone(), one.text.as_str()),
                (case("a.yaml", "as-deployed"), "title: x\n")
            );
            assert_eq!((one.evidence.seed, one.evidence.lag_ms), (7, 0.25));
        }
    }

    #[test]
    fn the_same_case_is_replaced_and_another_lab_s_is_not() {
        let dir = Scratch::new("occupied");
        save(&dir.0, "old\n", &case("a.yaml", "c"), &evidence()).expect("saved");
        save(&dir.0, "new\n", &case("a.yaml", "c"), &evidence()).expect("replaced");
        assert_eq!(load(&dir.0).expect("read back")[0].text, "new\n");
        let error =
            save(&dir.0, "other\n", &case("b.yaml", "c"), &evidence()).expect_err("another lab");
        assert!(
            error
                .to_string()
                .contains("holds case `c` of a.yaml; give another folder"),
            "{error}"
        );
        assert_eq!(load(&dir.0).expect("still there")[0].text, "new\n");
    }

    #[test]
    fn a_folder_with_other_things_in_it_is_left_alone() {
        let dir = Scratch::new("foreign");
        let folder = folder(&dir.0, "nlb/source-port-collision", "c");
        fs::create_dir_all(&folder).expect("a folder");
        fs::write(folder.join("thesis.tex"), "x").expect("a file");
        let error = save(&dir.0, "x", &case("a.yaml", "c"), &evidence()).expect_err("foreign");
        assert!(
            error
                .to_string()
                .contains("`thesis.tex`, which is no evidence"),
            "{error}"
        );
        assert_eq!(fs::read_dir(&folder).expect("there").count(), 1);
    }

    #[test]
    fn an_interrupted_save_is_no_case_and_does_not_stand_in_the_way() {
        let dir = Scratch::new("interrupted");
        let folder = save(&dir.0, "x", &case("a.yaml", "c"), &evidence()).expect("saved");
        fs::remove_file(folder.join(CASE)).expect("the mark");
        fs::write(folder.join("evidence.draft"), "{").expect("a draft");
        assert!(matches!(load(&dir.0), Err(StoreError::Nothing { .. })));
        save(&dir.0, "y", &case("b.yaml", "c"), &evidence()).expect("saved over it");
    }

    #[test]
    fn names_stay_inside_the_folder() {
        let under = |lab, case| folder(Path::new("d"), lab, case).display().to_string();
        assert_eq!(under("nlb/a.b", "c"), "d/nlb/a.b/c");
        assert_eq!(under("../..//x", ".."), "d/%2E./%2E./x/%2E.");
        assert_eq!(under("a b", "c/d"), "d/a%20b/c%2Fd");
        assert_eq!(under("", ""), "d/%");
    }

    #[test]
    fn errors_say_what_and_where() {
        let dir = Scratch::new("errors");
        let nothing = load(&dir.0).expect_err("empty").to_string();
        assert!(nothing.contains("holds no saved case"), "{nothing}");
        let missing = load(&dir.0.join("none")).expect_err("missing").to_string();
        assert!(missing.starts_with("cannot look into "), "{missing}");
        let folder = save(&dir.0, "x", &case("a.yaml", "c"), &evidence()).expect("saved");
        fs::write(folder.join(EVIDENCE), "{\"lab\": 3}").expect("broken");
        let broken = load(&dir.0).expect_err("broken").to_string();
        assert!(
            broken.contains("evidence.json is not what hairpin wrote there"),
            "{broken}"
        );
        let later = CaseFile {
            version: 99,
            ..case("a.yaml", "c")
        };
        fs::write(
            folder.join(CASE),
            serde_json::to_string(&later).expect("json"),
        )
        .expect("later");
        let later = load(&dir.0).expect_err("later").to_string();
        assert!(later.contains("layout version 99"), "{later}");
        fs::write(dir.0.join("file"), "").expect("a file");
        let error = save(&dir.0.join("file"), "x", &case("a.yaml", "c"), &evidence())
            .expect_err("no folder");
        assert!(error.to_string().starts_with("cannot "), "{error}");
    }
}
