//! Which reports are wanted, and where: `--report html=FILE`.

use std::path::PathBuf;

/// `--report json=FILE`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportTarget {
    /// Which writer.
    pub format: ReportFormat,
    /// `-` is standard output.
    pub file: PathBuf,
}

/// The writers of reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReportFormat {
    /// One page, complete in itself.
    Html,
    /// XML for Jenkins, GitLab and others.
    Junit,
    /// One object with `cases`.
    Json,
    /// Test Anything Protocol.
    Tap,
    /// What GitHub shows under a step.
    Markdown,
}

impl ReportFormat {
    const ALL: [(&'static str, Self); 5] = [
        ("html", Self::Html),
        ("junit", Self::Junit),
        ("json", Self::Json),
        ("tap", Self::Tap),
        ("markdown", Self::Markdown),
    ];

    fn named(word: &str) -> Option<Self> {
        let mut all = Self::ALL.into_iter();
        all.find_map(|(name, format)| (name == word).then_some(format))
    }
}

impl std::str::FromStr for ReportTarget {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (word, file) = text
            .split_once('=')
            .ok_or_else(|| match ReportFormat::named(text) {
                Some(_) => format!("the file is missing: write `{text}=FILE`, or `{text}=-`"),
                None => format!(
                    "the format is missing: write `json={text}`, or html, junit, tap or markdown"
                ),
            })?;
        let Some(format) = ReportFormat::named(word) else {
            let names = ReportFormat::ALL.map(|(name, _)| name).join(", ");
            return Err(format!("no report is called `{word}`; there are: {names}"));
        };
        if file.is_empty() {
            return Err("the file's name is missing".to_owned());
        }
        Ok(Self {
            format,
            file: file.into(),
        })
    }
}
