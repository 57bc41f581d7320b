//! Diagnostics: what is wrong with a lab or an expression, where, and what to write instead.
//!
//! Many are collected in one go ([`Diagnostics`]) and rendered like rustc does ([`render`]).
//! Not here: the rules themselves (see `spec`, `plan`, `expr`); their codes and pages are in [`codes`].

pub mod codes;
pub mod github;
mod render;

pub use codes::{Code, Rule};
pub use render::{Format, line_column, render};

/// A byte range of a lab's source text, `start..end`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Span {
    /// First byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
}

/// A value and where it was written.
#[derive(Clone, Debug, PartialEq)]
pub struct Spanned<T> {
    /// The value.
    pub value: T,
    /// Where it stands in the lab; a default has the span of the item it belongs to.
    pub span: Span,
}

impl<T> Spanned<T> {
    /// Pairs a value with its place.
    pub fn new(value: T, span: Span) -> Self {
        Self { value, span }
    }
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// The lab cannot be built, or would not say what it seems to.
    Error,
    /// The lab can be built, and hardly means this.
    Warning,
}

/// One problem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Which rule was broken.
    pub code: Code,
    /// Whether anything can come of the lab.
    pub severity: Severity,
    /// One sentence without a full stop: what is wrong, with the value as written.
    pub message: String,
    /// Where; the first byte of the file when it concerns the whole.
    pub span: Span,
    /// What to say right under the underlined text; may be empty.
    pub label: String,
    /// Other places that matter, each with its words.
    pub also: Vec<(Span, String)>,
    /// What to write instead.
    pub help: Option<String>,
}

impl Diagnostic {
    /// A problem at a place.
    pub fn new(code: Code, span: Span, message: impl Into<String>) -> Self {
        Self {
            code,
            severity: Severity::Error,
            message: message.into(),
            span,
            label: String::new(),
            also: Vec::new(),
            help: None,
        }
    }

    /// Something that can be built and is hardly meant.
    pub fn warning(code: Code, span: Span, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Warning,
            ..Self::new(code, span, message)
        }
    }

    /// Words under the underlined text.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }

    /// Another place that matters.
    #[must_use]
    pub fn also(mut self, span: Span, words: impl Into<String>) -> Self {
        self.also.push((span, words.into()));
        self
    }

    /// What to write instead.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// The most problems that are kept of one file.
pub const MOST: usize = 200;

/// A sink of problems. Readers and rules push and go on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diagnostics {
    list: Vec<Diagnostic>,
}

impl Diagnostics {
    /// Adds one, unless the very same is there already (a case repeats what the base lab has), or there are
    /// [`MOST`]: nobody reads more, and a broken file must not take long.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        if self.list.len() < MOST && !self.list.contains(&diagnostic) {
            self.list.push(diagnostic);
        }
    }

    /// The same problem at the same place, whatever help comes with it.
    pub fn alike(&self, other: &Diagnostic) -> Option<&Diagnostic> {
        let of = |one: &Diagnostic| (one.code, one.severity, one.span);
        let words =
            |one: &'_ Diagnostic| (one.message.clone(), one.label.clone(), one.also.clone());
        self.list
            .iter()
            .find(|one| of(one) == of(other) && words(one) == words(other))
    }

    /// True when a problem is known already, whatever else may be said about it.
    pub fn knows(&self, code: Code, span: Span) -> bool {
        self.list
            .iter()
            .any(|known| known.code == code && known.span == span)
    }

    /// Adds those of another sink that are not about a place with a problem already: they would be its echo.
    pub fn append_elsewhere(&mut self, other: Diagnostics) {
        let known: Vec<Span> = self.list.iter().map(|problem| problem.span).collect();
        let overlaps = |a: Span, b: Span| a.start < b.end && b.start < a.end;
        self.extend(
            other
                .list
                .into_iter()
                .filter(|new| !known.iter().any(|known| overlaps(*known, new.span))),
        );
    }

    /// A copy with the problems of some codes only.
    #[must_use]
    pub fn only(&self, wanted: impl Fn(Code) -> bool) -> Self {
        Self {
            list: self
                .list
                .iter()
                .filter(|problem| wanted(problem.code))
                .cloned()
                .collect(),
        }
    }

    /// Adds all of another sink.
    pub fn append(&mut self, other: Diagnostics) {
        self.extend(other.list);
    }

    /// True when there may be more than were kept.
    pub fn is_full(&self) -> bool {
        self.list.len() == MOST
    }

    /// True when nothing is wrong.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// In the order of the file.
    pub fn sorted(&self) -> Vec<&Diagnostic> {
        let mut list: Vec<_> = self.list.iter().collect();
        list.sort_by_key(|d| (d.span, d.code));
        list
    }

    /// The value when nothing is wrong, else the problems.
    pub fn into_result<T>(self, value: T) -> Result<T, Diagnostics> {
        if self.is_empty() {
            Ok(value)
        } else {
            Err(self)
        }
    }
}

impl Extend<Diagnostic> for Diagnostics {
    fn extend<T: IntoIterator<Item = Diagnostic>>(&mut self, diagnostics: T) {
        diagnostics
            .into_iter()
            .for_each(|diagnostic| self.push(diagnostic));
    }
}

/// The nearest of `names` to a misspelt `word`, if any is near enough to be meant. Looks at the first 500 names.
pub fn did_you_mean<'a>(word: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    did_you_mean_within(word, names, (word.chars().count() / 3).max(1))
}

/// The same, where no more than so many letters may be other ones, missing, too many or swapped.
pub fn did_you_mean_within<'a>(
    word: &str,
    names: impl IntoIterator<Item = &'a str>,
    limit: usize,
) -> Option<&'a str> {
    let length = word.chars().count();
    let word = word.to_lowercase();
    names
        .into_iter()
        .take(500)
        .filter(|name| name.chars().count().abs_diff(length) <= limit)
        .map(|name| (edit_distance(&word, &name.to_lowercase()), name))
        // What has no letter in its place is no misspelling, however short it is.
        .filter(|(distance, name)| {
            *distance <= limit && *distance < length.max(name.chars().count())
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// Optimal string alignment distance: insertions, deletions, substitutions, swaps of neighbours.
fn edit_distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) =
        (a.chars().take(64).collect(), b.chars().take(64).collect());
    let mut rows = vec![vec![0usize; b.len() + 1]; a.len() + 1];
    for (i, row) in rows.iter_mut().enumerate() {
        row[0] = i;
    }
    for (j, cell) in rows[0].iter_mut().enumerate() {
        *cell = j;
    }
    for i in 1..=a.len() {
        for j in 1..=b.len() {
            let substitute = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = substitute.min(rows[i - 1][j] + 1).min(rows[i][j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            rows[i][j] = best;
        }
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_of_the_pen_are_recognised_and_other_words_are_not() {
        let names = ["zone", "serve", "sysctls", "address"];
        assert_eq!(did_you_mean("zoen", names), Some("zone"));
        assert_eq!(did_you_mean("Sysctl", names), Some("sysctls"));
        assert_eq!(did_you_mean("adress", names), Some("address"));
        assert_eq!(did_you_mean("colour", names), None);
        assert_eq!(did_you_mean("w", ["c"]), None);
        assert_eq!(did_you_mean("w", ["c", "w1"]), Some("w1"));
        assert_eq!(did_you_mean("", names), None);
    }

    #[test]
    fn a_sink_says_nothing_twice_and_has_an_end() {
        let mut sink = Diagnostics::default();
        for at in 0..MOST * 2 {
            sink.push(Diagnostic::new(
                Code(1),
                Span {
                    start: at / 2,
                    end: at,
                },
                "wrong",
            ));
            sink.push(Diagnostic::new(
                Code(1),
                Span {
                    start: at / 2,
                    end: at,
                },
                "wrong",
            ));
        }
        assert_eq!(sink.len(), MOST);
        assert!(sink.is_full());
    }

    #[test]
    fn echoes_of_a_known_problem_are_left_out() {
        let at = |start, end| Diagnostic::new(Code(1), Span { start, end }, format!("{start}"));
        let (mut sink, mut more) = (Diagnostics::default(), Diagnostics::default());
        sink.push(at(10, 20));
        more.extend([at(15, 16), at(20, 25), at(0, 10)]);
        sink.append_elsewhere(more);
        let starts: Vec<usize> = sink
            .sorted()
            .iter()
            .map(|problem| problem.span.start)
            .collect();
        assert_eq!(starts, [0, 10, 20]);
    }
}
