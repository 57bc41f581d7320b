//! Which labs and cases a command line names.

use super::{Mistake, terminal};
use crate::diag::{self, Diagnostics, Format};
use crate::plan::{self, Plan};
use std::path::{Path, PathBuf};

/// Where labs are looked for by name.
const HOME: &str = "labs";

/// A lab file and which of its cases are meant.
#[derive(Debug)]
pub struct Selected {
    /// As it will be named in reports.
    pub file: PathBuf,
    /// None: all.
    pub case: Option<String>,
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
    /// The case asked for; none: all.
    pub case: Option<String>,
}

/// Finds the files of the labs named; none named: every lab under `labs/`.
pub fn files(names: &[String]) -> Result<Vec<Selected>, Mistake> {
    if names.is_empty() {
        if !Path::new(HOME).is_dir() {
            return Err(Mistake(format!(
                "there is no folder `{HOME}` here: name a lab file or a folder"
            )));
        }
        return folder(Path::new(HOME));
    }
    let mut all = Vec::new();
    for name in names {
        all.extend(find(name)?);
    }
    Ok(all)
}

fn find(name: &str) -> Result<Vec<Selected>, Mistake> {
    let path = Path::new(name);
    if path.is_dir() {
        return folder(path);
    }
    if path.is_file() {
        return Ok(vec![Selected {
            file: path.to_owned(),
            case: None,
        }]);
    }
    let by_name = Path::new(HOME).join(name);
    if by_name.is_dir() {
        return folder(&by_name);
    }
    for base in [path.to_owned(), by_name] {
        let file = with_yaml(&base);
        if file.is_file() {
            return Ok(vec![Selected { file, case: None }]);
        }
        // LAB/CASE
        let (Some(parent), Some(case)) = (base.parent(), base.file_name()) else {
            continue;
        };
        for file in [parent.to_owned(), with_yaml(parent)] {
            if file.is_file() {
                return Ok(vec![Selected {
                    file,
                    case: Some(case.to_string_lossy().into_owned()),
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

fn unknown(name: &str) -> String {
    let known: Vec<String> = folder(Path::new(HOME))
        .unwrap_or_default()
        .iter()
        .map(|selected| plan::lab_name(&selected.file.to_string_lossy()))
        .collect();
    let near = diag::did_you_mean(name, known.iter().map(String::as_str));
    match near {
        Some(near) => format!("no lab, folder or case is called `{name}`: did you mean `{near}`?"),
        None => {
            format!("no lab, folder or case is called `{name}`; `hairpin list` shows what there is")
        }
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
    Ok(files
        .into_iter()
        .map(|file| Selected { file, case: None })
        .collect())
}

fn walk(path: &Path, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(path)? {
        let entry = entry?;
        let (kind, path) = (entry.file_type()?, entry.path());
        if kind.is_dir() {
            walk(&path, files)?;
        } else if path
            .extension()
            .is_some_and(|extension| extension == "yaml" || extension == "yml")
        {
            files.push(path);
        }
    }
    Ok(())
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
                case: selected.case,
            })
        })
        .collect()
}

/// Plans of the cases that are meant. Problems are printed to standard error; then there is nothing to run.
pub fn plans(
    sources: &[Source],
    cases: &[String],
    filter: Option<&str>,
    seed: Option<u64>,
) -> Result<Vec<Plan>, Mistake> {
    let mut plans = Vec::new();
    let mut broken = 0;
    let mut names = Vec::new();
    for source in sources {
        match &source.plans {
            Ok(list) => {
                if let Some(case) = &source.case
                    && !list.iter().any(|plan| plan.case == *case)
                {
                    let known: Vec<&str> = list.iter().map(|plan| plan.case.as_str()).collect();
                    let near = diag::did_you_mean(case, known.iter().copied()).map_or_else(
                        || format!("its cases are {}", known.join(", ")),
                        |near| format!("did you mean `{near}`?"),
                    );
                    return Err(Mistake(format!(
                        "`{}` has no case `{case}`: {near}",
                        source.file
                    )));
                }
                names.extend(list.iter().map(|plan| plan.case.clone()));
                let meant = |plan: &&Plan| {
                    source.case.as_ref().is_none_or(|case| *case == plan.case)
                        && (cases.is_empty() || cases.contains(&plan.case))
                        && filter
                            .is_none_or(|text| format!("{}/{}", plan.lab, plan.case).contains(text))
                };
                plans.extend(list.iter().filter(meant).cloned());
            }
            Err(problems) => {
                broken += problems.len();
                let format = if terminal::colour_on_error() {
                    Format::Colour
                } else {
                    Format::Plain
                };
                eprint!(
                    "{}",
                    diag::render(problems, &source.file, &source.text, format)
                );
            }
        }
    }
    if broken > 0 {
        return Err(Mistake(format!(
            "{broken} {} to mend; nothing was run",
            if broken == 1 { "problem" } else { "problems" }
        )));
    }
    if let Some(missing) = cases.iter().find(|case| !names.contains(case)) {
        let near = diag::did_you_mean(missing, names.iter().map(String::as_str))
            .map_or_else(String::new, |near| format!(": did you mean `{near}`?"));
        return Err(Mistake(format!("no case is called `{missing}`{near}")));
    }
    if plans.is_empty() {
        return Err(Mistake(
            "nothing is left to run: no case matches".to_owned(),
        ));
    }
    if let Some(seed) = seed {
        for plan in &mut plans {
            reseed(plan, seed);
        }
    }
    Ok(plans)
}

/// The same case with another seed.
pub fn reseed(plan: &mut Plan, seed: u64) {
    plan.seed = seed;
    plan.fabric.seed = seed;
}
