//! Which lab files a command line names. Not here: their cases, see `select`.

use super::pattern::{fits, is_pattern, may_go_on};
use super::{Mistake, terminal};
use crate::diag;
use crate::plan;
use std::path::{Path, PathBuf};

/// Where labs are looked for by name.
const HOME: &str = "labs";
/// So many names are told to one who missed them all; more would be a wall of text.
const LISTED: usize = 12;

/// A lab file and which of its cases are meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selected {
    /// As it will be named in reports.
    pub file: PathBuf,
    /// None: all.
    pub cases: Vec<Wanted>,
    /// It was named itself, not found in a folder.
    pub named: bool,
}

/// A case that a command line names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// By its name.
    Named(String),
    /// Those of which a pattern says LAB/CASE. What labs there are is not known before they are read.
    Like(String),
}

impl Wanted {
    /// The case is one of those, of the lab in this file.
    pub fn is(&self, file: &str, case: &str) -> bool {
        match self {
            Self::Named(name) => name == case,
            Self::Like(pattern) => names(Path::new(file))
                .iter()
                .any(|lab| fits(pattern, &format!("{lab}/{case}"))),
        }
    }

    /// It is a pattern, and says the lab of this file itself.
    pub fn is_whole(&self, file: &str) -> bool {
        match self {
            Self::Named(_) => false,
            Self::Like(pattern) => {
                let names = names(Path::new(file));
                names.iter().any(|lab| fits(pattern, lab))
            }
        }
    }
}

impl Selected {
    fn whole(file: PathBuf, named: bool) -> Self {
        Self {
            file,
            cases: Vec::new(),
            named,
        }
    }

    /// The same file, meant once more.
    fn join(&mut self, other: Self) {
        self.named |= other.named;
        if self.cases.is_empty() || other.cases.is_empty() {
            self.cases.clear();
        } else {
            self.cases.extend(other.cases);
        }
    }
}

/// Finds the files of the labs named; none named: every lab under `labs/`. A file named twice is read and run once.
pub fn files(names: &[String]) -> Result<Vec<Selected>, Mistake> {
    let found = found(names)?;
    // Reports, evidence and the words on a terminal go by a lab's name.
    let odd = |path: &Path| {
        path.to_str()
            .is_none_or(|text| text.contains(char::is_control))
    };
    match found.iter().find(|one| odd(&one.file)) {
        Some(one) => Err(Mistake(format!(
            "the file {:?} cannot be a lab's: its name is not UTF-8, or has control characters in it",
            one.file
        ))),
        None => Ok(found),
    }
}

fn found(names: &[String]) -> Result<Vec<Selected>, Mistake> {
    if names.is_empty() {
        if !Path::new(HOME).is_dir() {
            return Err(Mistake(format!(
                "there is no folder `{HOME}` here: name a lab file or a folder"
            )));
        }
        return folder(Path::new(HOME));
    }
    let mut all: Vec<Selected> = Vec::new();
    for name in names {
        for found in find(name)? {
            match all.iter_mut().find(|one| same(&one.file, &found.file)) {
                None => all.push(found),
                Some(one) => one.join(found),
            }
        }
    }
    Ok(all)
}

/// The only file of the lab named.
pub fn one(name: &str) -> Result<Selected, Mistake> {
    let mut files = files(&[name.to_owned()])?;
    match (files.pop(), files.is_empty()) {
        (Some(only), true) => Ok(only),
        _ => Err(Mistake(match is_pattern(name) {
            true => format!("`{name}` may be several labs: name one of them"),
            false => format!("`{name}` is a folder of labs: name one of them"),
        })),
    }
}

fn same(a: &Path, b: &Path) -> bool {
    a == b || matches!((a.canonicalize(), b.canonicalize()), (Ok(a), Ok(b)) if a == b)
}

fn find(name: &str) -> Result<Vec<Selected>, Mistake> {
    let path = Path::new(name);
    if path.is_dir() {
        return folder(path);
    }
    if path.is_file() {
        return Ok(vec![Selected::whole(path.to_owned(), true)]);
    }
    let by_name = Path::new(HOME).join(name);
    if by_name.is_dir() {
        return folder(&by_name);
    }
    for base in [path.to_owned(), by_name] {
        let file = with_yaml(&base);
        if file.is_file() {
            return Ok(vec![Selected::whole(file, true)]);
        }
        // LAB/CASE
        let (Some(parent), Some(case)) = (base.parent(), base.file_name()) else {
            continue;
        };
        for file in [parent.to_owned(), with_yaml(parent)] {
            if file.is_file() {
                let case = case.to_string_lossy().into_owned();
                let wanted = match is_pattern(&case) {
                    true => Wanted::Like(format!("{}/{case}", plain_path(&file))),
                    false => Wanted::Named(case),
                };
                return Ok(vec![Selected {
                    file,
                    cases: vec![wanted],
                    named: true,
                }]);
            }
        }
    }
    match is_pattern(name) {
        true => like(name),
        false => Err(Mistake(unknown(name))),
    }
}

/// Labs of which the pattern says the name or the path, and those of which it may say cases.
fn like(pattern: &str) -> Result<Vec<Selected>, Mistake> {
    let mut files = Vec::new();
    let fixed = pattern.split(['*', '?']).next().unwrap_or_default();
    let home = Path::new(HOME);
    let named = fixed.rsplit_once('/').map(|(folder, _)| Path::new(folder));
    let read = |folder: &Path, files: &mut Vec<PathBuf>| match folder.is_dir() {
        true => walk(folder, files)
            .map_err(|error| Mistake(format!("cannot read `{}`: {error}", folder.display()))),
        false => Ok(()),
    };
    match named {
        // What is in folders here, everybody's, is not looked through.
        None => files.extend(beside(Path::new(pattern)).into_iter().map(PathBuf::from)),
        Some(folder) => read(folder, &mut files)?,
    }
    if !named.is_some_and(|folder| folder.starts_with(home)) {
        read(home, &mut files)?;
    }
    files.sort();
    let found = files.into_iter().filter_map(|file| {
        let names = names(&file);
        let whole = names.iter().any(|name| fits(pattern, name));
        let some = || {
            let mut names = names.iter();
            names.any(|name| may_go_on(pattern, &format!("{name}/")))
        };
        match whole {
            true => Some(Selected::whole(file, false)),
            false => some().then(|| Selected {
                file,
                cases: vec![Wanted::Like(pattern.to_owned())],
                named: false,
            }),
        }
    });
    let found: Vec<Selected> = found.collect();
    match found.is_empty() {
        true => Err(Mistake(unlike(pattern))),
        false => Ok(found),
    }
}

/// What to say to a pattern that says nothing that is there.
pub fn unlike(pattern: &str) -> String {
    format!("no lab and no case is like `{pattern}`; `hairpin list` shows what there is")
}

/// What a pattern may call a lab: its name, its path, and that without the ending.
fn names(file: &Path) -> [String; 3] {
    let path = file.display().to_string();
    [plan::lab_name(&path), plain_path(file), path]
}

fn plain_path(file: &Path) -> String {
    file.with_extension("").display().to_string()
}

fn with_yaml(path: &Path) -> PathBuf {
    let mut text = path.as_os_str().to_owned();
    text.push(".yaml");
    text.into()
}

/// What to say to a name that leads nowhere: the nearest lab, file beside it, or case of a lab.
fn unknown(name: &str) -> String {
    if let Some(why) = unreadable(name) {
        return why;
    }
    if name.contains(['[', '{']) {
        return format!(
            "no lab, folder or case is called `{name}`; in patterns `*` is any text and `?` any one letter, there are no others"
        );
    }
    let labs: Vec<String> = folder(Path::new(HOME))
        .unwrap_or_default()
        .iter()
        .map(|selected| plan::lab_name(&selected.file.to_string_lossy()))
        .collect();
    let lab = |name: &str| diag::did_you_mean(name, labs.iter().map(String::as_str));
    let with_case = |(parent, case): (&str, &str)| Some(format!("{}/{case}", lab(parent)?));
    let file = || {
        let beside = beside(Path::new(name));
        diag::did_you_mean(name, beside.iter().map(String::as_str)).map(str::to_owned)
    };
    // With a case behind it a name is still near to its lab's, so that is tried first.
    let near = name
        .rsplit_once('/')
        .and_then(with_case)
        .or_else(|| lab(name).map(str::to_owned))
        .or_else(|| lab(&plan::lab_name(name)).map(str::to_owned))
        .or_else(file);
    match near {
        Some(near) => format!("no lab, folder or case is called `{name}`: did you mean `{near}`?"),
        None => {
            format!("no lab, folder or case is called `{name}`; `hairpin list` shows what there is")
        }
    }
}

/// Why what is there under this name cannot be read as a lab: it is neither a file nor a folder, or leads nowhere.
fn unreadable(name: &str) -> Option<String> {
    if name == "-" {
        return Some("a lab is read from a file, not from standard input".to_owned());
    }
    let path = Path::new(name);
    path.symlink_metadata().ok()?;
    Some(match path.metadata() {
        Err(error) => format!("cannot read `{name}`: {error}"),
        Ok(_) => format!("cannot read `{name}`: it is no regular file"),
    })
}

/// Lab files in the folder where this one would be.
fn beside(path: &Path) -> Vec<String> {
    let parent = path.parent().unwrap_or(Path::new(""));
    let here = if parent == Path::new("") {
        Path::new(".")
    } else {
        parent
    };
    let Ok(entries) = std::fs::read_dir(here) else {
        return Vec::new();
    };
    entries
        .flatten()
        .map(|entry| parent.join(entry.file_name()))
        .filter(|file| is_lab(file))
        .map(|file| file.display().to_string())
        .collect()
}

/// `did you mean ...`, or the names there are.
pub fn near(word: &str, known: &[&str]) -> String {
    match diag::did_you_mean(word, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None if known.len() <= LISTED => format!("there is {}", known.join(", ")),
        None => "`hairpin list` shows what there is".to_owned(),
    }
}

fn folder(path: &Path) -> Result<Vec<Selected>, Mistake> {
    let mut files = Vec::new();
    walk(path, &mut files)
        .map_err(|error| Mistake(format!("cannot read `{}`: {error}", path.display())))?;
    if files.is_empty() {
        return Err(Mistake(format!(
            "no lab (`*.yaml`) is under `{}`",
            path.display()
        )));
    }
    files.sort();
    let found = files.into_iter();
    Ok(found.map(|file| Selected::whole(file, false)).collect())
}

/// Lab files under a folder. What is called so and is none is left out, and so are links to folders, which may lead back up; both
/// are told.
fn walk(path: &Path, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(path)? {
        let entry = entry?;
        let (kind, path) = (entry.file_type()?, entry.path());
        if kind.is_dir() {
            walk(&path, files)?;
            continue;
        }
        // Of a link, what it leads to; one that leads nowhere is told by who reads it.
        let about = path.metadata();
        let is = |what: fn(&std::fs::Metadata) -> bool| about.as_ref().is_ok_and(what);
        if is(std::fs::Metadata::is_dir) {
            terminal::note(&format!(
                "`{}` is a link to a folder, which is not followed: name it to have its labs",
                path.display()
            ));
        } else if is_lab(&path) {
            match about.is_err() || is(std::fs::Metadata::is_file) {
                true => files.push(path),
                false => terminal::note(&format!(
                    "`{}` is left out: it is no regular file",
                    path.display()
                )),
            }
        }
    }
    Ok(())
}

/// By its name.
pub fn is_lab(path: &Path) -> bool {
    path.extension()
        .is_some_and(|extension| extension == "yaml" || extension == "yml")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_and_no_file_is_told_as_it_is() {
        let folder = std::env::temp_dir().join(format!("hairpin-select-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        let ring = folder.join("ring.yaml");
        std::os::unix::fs::symlink("ring.yaml", &ring).expect("a link");
        let told = |name: &str| files(&[name.to_owned()]).expect_err("no lab").0;
        let link = told(&ring.display().to_string());
        std::fs::remove_dir_all(&folder).expect("its folder");
        assert!(
            link.starts_with("cannot read") && !link.contains("did you mean"),
            "{link}"
        );
        assert_eq!(
            told("/dev/null"),
            "cannot read `/dev/null`: it is no regular file"
        );
        assert!(told("-").contains("standard input"));
    }
}
