//! A case that is worked by hand: its lab with the steps done so far in the place of its story.
//!
//! Each step goes through the same checks and readers as those of a lab, so it can say nothing that a lab could not. Not
//! here: what names mean (see `plan`), and doing it (see `run`). `names` changes those of steps that are done again, `told` writes
//! a lab of what was done.

mod names;
mod told;

use super::check::{self, At};
use super::grammar::{Type, steps::STEPS};
use super::model::{Case, Kind, Lab, Patch};
use super::node::{Entry, Node, Value};
use super::scalar::FromText;
use super::set::{self, step_name};
use super::{moments, rules, set_of, yaml};
use crate::diag::{Diagnostic, Diagnostics, Span, Spanned};
use names::{refer_to_the_latest, rename, without_name};
use std::collections::{BTreeMap, HashMap};

/// A case, and what was done of it.
#[derive(Debug)]
pub struct ByHand {
    file: String,
    /// The lab as written, and behind it each step that was typed in, a line between them.
    text: String,
    /// How much of it is the lab.
    own: usize,
    root: Node,
    case: Spanned<String>,
    /// What the case changes besides steps.
    patches: Vec<Patch>,
    /// The case's body, without steps.
    body: Node,
    story: Vec<Node>,
    done: Vec<Done>,
    /// Steps that were done to their end.
    ended: usize,
    /// Something besides steps was done.
    disturbed: bool,
    /// What the latest doing of a step of the story is called, by its name there.
    latest: HashMap<String, String>,
}

/// A step that was done.
#[derive(Clone, Debug)]
struct Done {
    node: Node,
    /// Its place in the story; none: it was typed in.
    told: Option<usize>,
}

/// A step to be done, checked as far as no name need be resolved.
#[derive(Debug)]
pub struct Next {
    /// The lab with this step as the last one of a single case.
    pub lab: Lab,
    done: Done,
    text: String,
    latest: Option<(String, String)>,
}

/// What is wrong with a step, and the text that it is about.
#[derive(Debug)]
pub struct Wrong {
    /// What is wrong.
    pub problems: Diagnostics,
    /// The name of that text.
    pub file: String,
    /// What the problems' places are in.
    pub text: String,
}

impl ByHand {
    /// A case of a lab that has been read without problems; none of whose steps has been done. None: there is no such case.
    pub fn new(text: &str, file: &str, case: &str) -> Option<Self> {
        let mut sink = Diagnostics::default();
        let root = yaml::parse(text, &mut sink)?;
        let entry = root.get("cases")?.entry(case)?;
        let (mut body, patches) = set::apply(&set::body(&root), set_of(entry), &mut sink);
        let story = body.get("steps").and_then(Node::items).unwrap_or(&[]);
        let story = story.to_vec();
        if let Value::Map(entries) = &mut body.value {
            entries.retain(|entry| entry.key.value != "steps");
        }
        let of_steps = |patch: &Patch| patch.path.value.split('.').next() == Some("steps");
        Some(Self {
            file: file.to_owned(),
            text: text.to_owned(),
            own: text.len(),
            case: entry.key.clone(),
            patches: patches
                .into_iter()
                .filter(|patch| !of_steps(patch))
                .collect(),
            body,
            story,
            done: Vec::new(),
            ended: 0,
            disturbed: false,
            latest: HashMap::new(),
            root,
        })
    }

    /// The lab before anything was done.
    ///
    /// # Errors
    /// What is wrong without the story's steps.
    pub fn start(&self) -> Result<Lab, Wrong> {
        let mut problems = Diagnostics::default();
        match self.lab(&[], &self.text, &mut problems) {
            Some(lab) if problems.is_empty() => Ok(lab),
            Some(_) | None => Err(self.wrong(problems, &self.text)),
        }
    }

    /// Names of the story's steps, in order; none for those without.
    pub fn story(&self) -> impl ExactSizeIterator<Item = Option<&str>> {
        self.story.iter().map(step_name)
    }

    /// The whole story was told, in its order and each step to its end, and nothing else was done.
    pub fn is_as_written(&self) -> bool {
        let told = self.done.iter().map(|done| done.told);
        let whole = told.eq((0..self.story.len()).map(Some));
        whole && self.ended == self.done.len() && !self.disturbed
    }

    /// Something was done that is no step: a program was started in a host, say.
    pub fn disturb(&mut self) {
        self.disturbed = true;
    }

    /// A step of the story, counted from 0. One that was done before gets a new name, and where it names a step, outside of
    /// expressions, the latest doing of that is meant.
    ///
    /// # Errors
    /// What is wrong with it now.
    ///
    /// # Panics
    /// When the story has no such step.
    pub fn again(&self, number: usize) -> Result<Next, Wrong> {
        let mut node = self.story[number].clone();
        refer_to_the_latest(&mut node, &self.latest);
        let mut latest = None;
        if let Some(name) = step_name(&self.story[number]).map(str::to_owned) {
            let fresh = self.fresh_name(&name);
            rename(&mut node, &fresh);
            latest = Some((name, fresh));
        }
        let done = Done {
            node,
            told: Some(number),
        };
        self.next(done, self.text.clone(), latest, Diagnostics::default())
    }

    /// Steps as typed in: one, or a list of them.
    ///
    /// # Errors
    /// What is wrong with the text.
    pub fn typed(&self, yaml: &str) -> Result<Vec<Typed>, Wrong> {
        let mut problems = Diagnostics::default();
        let Some(node) = yaml::parse(yaml, &mut problems) else {
            return Err(Wrong {
                problems,
                file: TYPED.to_owned(),
                text: yaml.to_owned(),
            });
        };
        let nodes = match node.value {
            Value::List(items) => items,
            Value::Null | Value::Scalar(_) | Value::Map(_) => vec![node],
        };
        let problems: Vec<Diagnostic> = problems.sorted().into_iter().cloned().collect();
        Ok(nodes
            .into_iter()
            .map(|node| Typed {
                node,
                text: yaml.to_owned(),
                problems: problems.clone(),
            })
            .collect())
    }

    /// A step that was typed in, behind all that was done.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn further(&self, typed: &Typed) -> Result<Next, Wrong> {
        let text = format!("{}\n{}", self.text, typed.text);
        let offset = self.text.len() + 1;
        let mut node = typed.node.clone();
        shift(&mut node, offset);
        let mut problems = Diagnostics::default();
        problems.extend(
            typed
                .problems
                .iter()
                .map(|problem| moved(problem, |at| at + offset)),
        );
        self.next(Done { node, told: None }, text, None, problems)
    }

    fn next(
        &self,
        done: Done,
        text: String,
        latest: Option<(String, String)>,
        mut problems: Diagnostics,
    ) -> Result<Next, Wrong> {
        let at = At {
            what: "a step",
            span: done.node.span,
        };
        check::value(&done.node, &Type::Variants(&STEPS), at, &mut problems);
        let all: Vec<&Done> = self.done.iter().chain([&done]).collect();
        match self.lab(&all, &text, &mut problems) {
            Some(lab) if problems.is_empty() => Ok(Next {
                lab,
                done,
                text,
                latest,
            }),
            Some(_) | None => Err(self.wrong(problems, &text)),
        }
    }

    /// What is wrong with a step that could be read, as `plan` says.
    pub fn refused(&self, next: &Next, problems: Diagnostics) -> Wrong {
        self.wrong(problems, &next.text)
    }

    /// The step is being done.
    pub fn accept(&mut self, next: Next) {
        self.text = next.text;
        self.done.push(next.done);
        self.latest.extend(next.latest);
    }

    /// The step that is being done has come to its end, or goes on in the background.
    pub fn end_step(&mut self) {
        self.ended += 1;
    }

    /// How many steps were done.
    pub fn count(&self) -> usize {
        self.done.len()
    }

    /// The lab with these steps and a single case that claims nothing. Steps of the story that bring zones and
    /// targets stand behind them, so that the network has all of these from the beginning; [`ByHand::count`] tells how many are not these.
    fn lab(&self, done: &[&Done], text: &str, sink: &mut Diagnostics) -> Option<Lab> {
        let told: Vec<usize> = done.iter().filter_map(|done| done.told).collect();
        let later = self.story.iter().enumerate();
        let later = later.filter(|(number, step)| !told.contains(number) && is_foreseen(step));
        let later = later.map(|(_, step)| without_name(step));
        let all = done.iter().map(|done| done.node.clone()).chain(later);
        let mut body = self.body.clone();
        if let Value::Map(entries) = &mut body.value {
            entries.push(Entry {
                key: Spanned::new("steps".to_owned(), Span::default()),
                value: Node {
                    span: Span::default(),
                    value: Value::List(all.collect()),
                },
            });
        }
        rules::body(&body, sink);
        let typed = moments::body(&body, sink)?;
        let title = self.root.get("title")?;
        let scalar = |key: &str| {
            let node = self.root.get(key)?;
            Some(Spanned::new(node.scalar()?.text.clone(), node.span))
        };
        Some(Lab {
            file: self.file.clone(),
            text: text.to_owned(),
            title: Spanned::new(title.scalar()?.text.trim().to_owned(), title.span),
            story: scalar("story"),
            sources: Vec::new(),
            opt_in: None,
            works: Vec::new(),
            body: typed.clone(),
            cases: vec![Case {
                name: self.case.clone(),
                kind: Spanned::new(Kind::Control, self.case.span),
                shows: None,
                set: self.patches.clone(),
                differs: BTreeMap::new(),
                finds: Vec::new(),
                may_find: Vec::new(),
                expect: Vec::new(),
                body: typed,
            }],
        })
    }

    /// Problems of the last step alone are told in its own text.
    fn wrong(&self, problems: Diagnostics, text: &str) -> Wrong {
        let begin = self.text.len() + 1;
        let spans = |problem: &Diagnostic| {
            let also = problem.also.iter().map(|(span, _)| *span);
            std::iter::once(problem.span)
                .chain(also)
                .collect::<Vec<_>>()
        };
        let mut places = problems.sorted().into_iter().flat_map(spans);
        let is_typed = text.len() > begin && places.all(|span| span.start >= begin);
        drop(places);
        if is_typed {
            let list = problems.sorted().into_iter();
            let mut own = Diagnostics::default();
            own.extend(list.map(|problem| moved(problem, |at| at - begin)));
            return Wrong {
                problems: own,
                file: TYPED.to_owned(),
                text: text[begin..].to_owned(),
            };
        }
        Wrong {
            problems,
            file: self.file.clone(),
            text: text.to_owned(),
        }
    }

    fn fresh_name(&self, name: &str) -> String {
        let taken = |name: &str| {
            self.done
                .iter()
                .any(|done| step_name(&done.node) == Some(name))
        };
        if !taken(name) {
            return name.to_owned();
        }
        (2..)
            .map(|number| format!("{name}_{number}"))
            .find(|name| !taken(name))
            .expect("not every number is taken")
    }
}

/// A step that was typed in.
#[derive(Debug)]
pub struct Typed {
    node: Node,
    text: String,
    problems: Vec<Diagnostic>,
}

/// What a text is called that is in no file.
const TYPED: &str = "the step";

/// A step that brings what the network must know from the beginning: zones, and targets that no group has.
fn is_foreseen(step: &Node) -> bool {
    let path = step.get("set").and_then(|set| set.get("path")?.scalar());
    let path = path.and_then(|path| String::from_text(&path.text));
    let sets_zones = path.is_some_and(|path| {
        let mut words = path.split('.');
        words.next() == Some("load_balancers") && words.nth(1) == Some("zones")
    });
    sets_zones
        || ["register", "deregister"]
            .iter()
            .any(|verb| step.get(verb).is_some())
}

fn shift(node: &mut Node, offset: usize) {
    node.span = later(node.span, offset);
    match &mut node.value {
        Value::Null | Value::Scalar(_) => {}
        Value::List(items) => items.iter_mut().for_each(|item| shift(item, offset)),
        Value::Map(entries) => {
            for entry in entries {
                entry.key.span = later(entry.key.span, offset);
                shift(&mut entry.value, offset);
            }
        }
    }
}

fn later(span: Span, offset: usize) -> Span {
    Span {
        start: span.start + offset,
        end: span.end + offset,
    }
}

/// The same problem in another text.
fn moved(problem: &Diagnostic, to: impl Fn(usize) -> usize) -> Diagnostic {
    let place = |span: Span| Span {
        start: to(span.start),
        end: to(span.end),
    };
    Diagnostic {
        span: place(problem.span),
        also: problem
            .also
            .iter()
            .map(|(span, words)| (place(*span), words.clone()))
            .collect(),
        ..problem.clone()
    }
}
