//! Which labs and cases a command line names.

use super::terminal::Stream;
use super::{Mistake, count, reports};
use crate::diag::{self, Diagnostics, Format};
use crate::evidence::number_of;
use crate::plan::{self, Plan};
use crate::report::Shard;
use std::collections::BTreeSet;
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
    pub cases: Vec<String>,
    /// It was named itself, not found in a folder.
    pub named: bool,
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

/// A lab file that was read.
#[derive(Debug)]
pub struct Source {
    /// As it will be named in reports.
    pub file: String,
    /// What it says, if it is text at all.
    pub text: String,
    /// Plans of its cases, or what is wrong with it.
    pub plans: Result<Vec<Plan>, Diagnostics>,
    /// The cases asked for; none: all.
    pub cases: Vec<String>,
    /// The lab was named itself, not found in a folder.
    named: bool,
}

impl Source {
    /// A lab that wants to be asked for is meant when it was named, or when the filter has its word in it.
    fn is_asked_for(&self, plan: &Plan, filter: Option<&str>) -> bool {
        let by_filter = |word: &String| filter.is_some_and(|text| text.contains(word));
        self.named || plan.opt_in.as_ref().is_none_or(by_filter)
    }

    /// A case asked for that the lab does not have is a mistake.
    pub fn knows_its_cases(&self, plans: &[Plan]) -> Result<(), Mistake> {
        let known: Vec<&str> = plans.iter().map(|plan| plan.case.as_str()).collect();
        match self
            .cases
            .iter()
            .find(|case| !known.contains(&case.as_str()))
        {
            None => Ok(()),
            Some(case) => Err(Mistake(format!(
                "`{}` has no case `{case}`: {}",
                self.file,
                near(case, &known)
            ))),
        }
    }
}

/// Finds the files of the labs named; none named: every lab under `labs/`. A file named twice is read and run once.
pub fn files(names: &[String]) -> Result<Vec<Selected>, Mistake> {
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
                return Ok(vec![Selected {
                    file,
                    cases: vec![case.to_string_lossy().into_owned()],
                    named: true,
                }]);
            }
        }
    }
    Err(Mistake(unknown(name)))
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
fn near(word: &str, known: &[&str]) -> String {
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

fn walk(path: &Path, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(path)? {
        let entry = entry?;
        let (kind, path) = (entry.file_type()?, entry.path());
        if kind.is_dir() {
            walk(&path, files)?;
        } else if is_lab(&path) {
            files.push(path);
        }
    }
    Ok(())
}

/// By its name.
pub fn is_lab(path: &Path) -> bool {
    path.extension()
        .is_some_and(|extension| extension == "yaml" || extension == "yml")
}

/// Reads and plans the files.
pub fn read(selected: Vec<Selected>) -> Result<Vec<Source>, Mistake> {
    selected
        .into_iter()
        .map(|selected| {
            let file = selected.file.display().to_string();
            let bytes = std::fs::read(&selected.file)
                .map_err(|error| Mistake(format!("cannot read `{file}`: {error}")))?;
            let text = String::from_utf8_lossy(&bytes).into_owned();
            let plans = plan::read(&bytes, &file);
            Ok(Source {
                file,
                text,
                plans,
                cases: selected.cases,
                named: selected.named,
            })
        })
        .collect()
}

/// What a command line comes to.
#[derive(Debug)]
pub struct Meant {
    /// Of the cases that are meant; one at least.
    pub plans: Vec<Plan>,
    /// What would have been among them, had it been asked for.
    pub left_out: LeftOut,
}

/// Cases of labs that want to be asked for, and were not.
#[derive(Debug, Default)]
pub struct LeftOut {
    labs: BTreeSet<String>,
    words: BTreeSet<String>,
    cases: usize,
}

impl LeftOut {
    fn add(&mut self, plan: &Plan) {
        self.labs.insert(plan.lab.clone());
        self.words.extend(plan.opt_in.clone());
        self.cases += 1;
    }

    /// How many, and how to run them; none when nothing was left out.
    pub fn told(&self) -> Option<String> {
        let filters: Vec<String> = self
            .words
            .iter()
            .map(|word| format!("`--filter {word}`"))
            .collect();
        (self.cases > 0).then(|| {
            format!(
                "left out: {} of {}, to be asked for by name or with {}",
                count(self.cases, "case"),
                count(self.labs.len(), "opt-in lab"),
                filters.join(", ")
            )
        })
    }
}

/// Plans of the cases that are meant. Problems are printed to standard error; then there is nothing to run.
pub fn plans(
    sources: &[Source],
    cases: &[String],
    filter: Option<&str>,
    seed: Option<u64>,
) -> Result<Meant, Mistake> {
    let mut plans = Vec::new();
    let mut left_out = LeftOut::default();
    let mut broken = 0;
    let mut names = Vec::new();
    for source in sources {
        match &source.plans {
            Ok(list) => {
                source.knows_its_cases(list)?;
                names.extend(list.iter().map(|plan| plan.case.as_str()));
                let meant = |plan: &&Plan| {
                    (source.cases.is_empty() || source.cases.contains(&plan.case))
                        && (cases.is_empty() || cases.contains(&plan.case))
                        && filter
                            .is_none_or(|text| format!("{}/{}", plan.lab, plan.case).contains(text))
                };
                for plan in list.iter().filter(meant) {
                    if source.is_asked_for(plan, filter) {
                        plans.push(plan.clone());
                    } else {
                        left_out.add(plan);
                    }
                }
            }
            Err(problems) => {
                broken += problems.len();
                complain(problems, source);
            }
        }
    }
    if broken > 0 {
        return Err(Mistake(format!(
            "{} to mend; nothing was run",
            count(broken, "problem")
        )));
    }
    if let Some(missing) = cases.iter().find(|case| !names.contains(&case.as_str())) {
        names.sort_unstable();
        names.dedup();
        return Err(Mistake(format!(
            "no case is called `{missing}`: {}",
            near(missing, &names)
        )));
    }
    if plans.is_empty() {
        return Err(Mistake(match (left_out.told(), filter) {
            (Some(left_out), _) => format!("nothing is left to run; {left_out}"),
            (None, Some(text)) => format!(
                "nothing is left to run: no LAB/CASE that is meant contains `{text}`; `hairpin list` shows them"
            ),
            (None, None) => {
                "nothing is left to run: no case is meant by all of this at once".to_owned()
            }
        }));
    }
    if let Some(seed) = seed {
        for plan in &mut plans {
            reseed(plan, seed);
        }
    }
    Ok(Meant { plans, left_out })
}

/// Shows what is wrong with a lab, also where GitHub Actions looks for it.
fn complain(problems: &Diagnostics, source: &Source) {
    let mut formats = vec![Stream::Error.diagnostics()];
    if reports::for_github() {
        formats.push(Format::Github);
    }
    for format in formats {
        Stream::Error.print(&diag::render(problems, &source.file, &source.text, format));
    }
}

/// The same case with another seed.
pub fn reseed(plan: &mut Plan, seed: u64) {
    plan.seed = seed;
    plan.fabric.seed = seed;
}

/// True for a case in this part of a run that is split. Its name alone decides, so that no case changes its part when
/// labs come or go.
pub fn is_in(shard: Shard, lab: &str, case: &str) -> bool {
    let number = number_of(&format!("{lab}/{case}"));
    number % u64::from(shard.of) == u64::from(shard.number - 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_case_is_in_one_part(lab in "[a-z/-]{1,30}", case in "[a-z-]{1,30}", of in 1u32..50) {
            let parts = (1..=of).filter(|number| is_in(Shard { number: *number, of }, &lab, &case));
            prop_assert_eq!(parts.count(), 1);
        }
    }

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

    #[test]
    fn parts_stay_as_they_are_from_release_to_release() {
        let part = |lab: &str, case: &str| {
            (1..=4).find(|number| {
                is_in(
                    Shard {
                        number: *number,
                        of: 4,
                    },
                    lab,
                    case,
                )
            })
        };
        let cases = [
            "as-deployed",
            "cross-zone-off",
            "another-client",
            "keep-the-old",
        ];
        let parts: Vec<_> = cases
            .map(|case| part("nlb/source-port-collision", case))
            .into();
        assert_eq!(parts, [Some(3), Some(1), Some(1), Some(3)]);
    }

    #[test]
    fn parts_are_about_equal() {
        let of_four = |number| {
            let shard = Shard { number, of: 4 };
            (0..1000)
                .filter(|n| is_in(shard, "nlb/lab", &format!("case-{n}")))
                .count()
        };
        for number in 1..=4 {
            let size = of_four(number);
            assert!(
                (200..300).contains(&size),
                "{size} of 1000 in part {number}"
            );
        }
    }
}
