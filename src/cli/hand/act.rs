//! `hairpin do`: a step now, of the lab's own story or as a lab has them.

use super::choice::first_named;
use super::state::Home;
use super::wire::{self, Answer, Ask, Record, Told, line};
use crate::cli::args::DoArgs;
use crate::cli::terminal::{self, Stream};
use crate::cli::{Mistake, Refusal, Status};
use crate::diag::{self, Diagnostics, Format};
use crate::evidence::Evidence;
use crate::plan::{self, Plan};
use crate::report::{self, Style};
use crate::run::Live;
use crate::spec::Lab;
use crate::spec::hand::{ByHand, Next, Wrong};
use crate::world::Error;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncWriteExt;

/// Does steps, and tells what came of them.
pub fn act(args: &DoArgs) -> Result<u8, Refusal> {
    let (place, steps) = first_named(&Home::of_user(), &args.steps)?;
    if args.all != steps.is_empty() {
        return Err(Mistake(match args.all {
            true => "`--all` is the whole story: name no step beside it".to_owned(),
            false => format!(
                "which step? `hairpin do {} --all` does the whole story",
                place.name()
            ),
        })
        .into());
    }
    let style = Stream::Output.style(args.explain);
    let ask = Ask::Do {
        steps: steps.to_vec(),
        all: args.all,
        style: Told {
            colour: style.colour,
            width: style.width,
            explain: style.explain,
        },
    };
    let mut asked = wire::ask(&place, ask)?;
    loop {
        match asked.next()? {
            Answer::Said { text } => terminal::print(&text),
            Answer::Refused { why, status } => {
                // Problems of a step come as they are to be shown.
                match why.ends_with('\n') {
                    true => Stream::Error.print(&why),
                    false => terminal::complain(&why),
                }
                return Ok(status);
            }
            Answer::Done => return Ok(Status::Held as u8),
            Answer::Ready { .. } | Answer::Doors { .. } | Answer::Packets | Answer::Recorded(_) => {
            }
        }
    }
}

/// The lab before anything is done, on the very network that was planned.
///
/// # Errors
/// When the lab's network hangs on its story in a way that cannot be kept without it.
pub fn start(hand: &ByHand, planned: &Plan) -> Result<Arc<Plan>, Error> {
    let refused = |why: String| {
        Error::other(
            format!("work {}/{} by hand", planned.lab, planned.case),
            why,
        )
    };
    let lab = hand
        .start()
        .map_err(|wrong| refused(told(&wrong, Format::Plain)))?;
    let plan = planned_by(&lab, hand.count(), planned).map_err(|problems| {
        let texts: Vec<String> = problems
            .sorted()
            .iter()
            .map(|one| one.message.clone())
            .collect();
        refused(texts.join("; "))
    })?;
    match same_network(&plan, planned) {
        true => Ok(Arc::new(plan)),
        false => Err(refused(
            "its network is another one without the steps of its story".to_owned(),
        )),
    }
}

/// The plan of a lab with so many steps by hand.
fn planned_by(lab: &Lab, steps: usize, like: &Plan) -> Result<Plan, Diagnostics> {
    let mut plan = plan::plan(lab, &like.case, Some(like.seed))?;
    plan.steps.truncate(steps);
    plan.fabric.record_limit = like.fabric.record_limit;
    Ok(plan)
}

/// What is built is the same.
fn same_network(one: &Plan, other: &Plan) -> bool {
    format!("{:?}", (&one.fabric, &one.hosts)) == format!("{:?}", (&other.fabric, &other.hosts))
}

fn told(wrong: &Wrong, format: Format) -> String {
    diag::render(&wrong.problems, &wrong.file, &wrong.text, format)
}

/// Who does the steps.
pub struct Actor {
    /// As it was planned, with the whole story.
    plan: Arc<Plan>,
    hand: ByHand,
    live: Live,
    /// How long building its world took.
    up: Duration,
}

/// A step that was asked for.
enum Wanted<'a> {
    /// Its place in the story.
    Told(usize),
    /// As a lab has it.
    Typed(&'a str),
}

impl Actor {
    /// Of a lab in which nothing was done.
    pub fn new(plan: Arc<Plan>, hand: ByHand, live: Live, up: Duration) -> Self {
        Self {
            plan,
            hand,
            live,
            up,
        }
    }

    /// Nothing is done for a while.
    pub fn rest(&mut self) {
        self.live.rest();
    }

    /// What was recorded until now.
    ///
    /// # Errors
    /// As [`Live::evidence`].
    pub async fn evidence(&self) -> Result<Evidence, Error> {
        self.live.evidence().await
    }

    /// What was recorded, with a lab whose story is what was done. `entered`: somebody was in a host meanwhile.
    ///
    /// # Errors
    /// As [`Live::end`].
    pub async fn end(mut self, entered: bool) -> Result<Record, Error> {
        if entered {
            self.hand.disturb();
        }
        let by_hand = !self.hand.is_as_written();
        let told = self.hand.text();
        // What was done may be no lab by itself: without a step that is still to come, say.
        let (text, apart) = match plan::read(told.as_bytes(), &self.plan.file) {
            Ok(_) => (told, None),
            Err(problems) => {
                let first = problems.sorted().first().map(|first| first.message.clone());
                (self.hand.unclaimed(), Some(first.unwrap_or_default()))
            }
        };
        let mut evidence = self.live.end().await?.evidence;
        evidence.up_ms = self.up.as_secs_f64() * 1e3;
        Ok(Record {
            file: self.plan.file.clone(),
            text,
            apart,
            by_hand,
            evidence,
        })
    }

    /// Does steps and tells what came of each; ends with the first that cannot be done.
    pub async fn act(
        &mut self,
        out: &mut (impl AsyncWriteExt + Unpin),
        steps: &[String],
        all: bool,
        style: Told,
    ) {
        let answer = match self.try_act(out, steps, all, style).await {
            Ok(()) => Answer::Done,
            Err((why, status)) => Answer::Refused {
                why,
                status: status as u8,
            },
        };
        let said = out.write_all(&line(&answer)).await;
        tracing::debug!(?said, "steps by hand");
    }

    async fn try_act(
        &mut self,
        out: &mut (impl AsyncWriteExt + Unpin),
        steps: &[String],
        all: bool,
        style: Told,
    ) -> Result<(), (String, Status)> {
        let wrong = |why: String| (why, Status::Wrong);
        let wanted = match all {
            true => (0..self.hand.story().len()).map(Wanted::Told).collect(),
            false => steps
                .iter()
                .map(|step| self.wanted(step))
                .collect::<Result<Vec<_>, _>>()
                .map_err(wrong)?,
        };
        let format = match style.colour {
            true => Format::Colour,
            false => Format::Plain,
        };
        for one in wanted {
            match one {
                Wanted::Told(number) => {
                    let next = self.hand.again(number);
                    let next = next.map_err(|bad| wrong(told(&bad, format)))?;
                    self.step(out, next, style, format).await?;
                }
                Wanted::Typed(text) => {
                    let typed = self.hand.typed(text);
                    for one in typed.map_err(|bad| wrong(told(&bad, format)))? {
                        let next = self.hand.further(&one);
                        let next = next.map_err(|bad| wrong(told(&bad, format)))?;
                        self.step(out, next, style, format).await?;
                    }
                }
            }
        }
        Ok(())
    }

    async fn step(
        &mut self,
        out: &mut (impl AsyncWriteExt + Unpin),
        next: Next,
        style: Told,
        format: Format,
    ) -> Result<(), (String, Status)> {
        let wrong = |why: String| (why, Status::Wrong);
        let unable = |error: Error| (error.to_string(), Status::Unable);
        let number = self.hand.count();
        let planned = planned_by(&next.lab, number + 1, &self.plan);
        let refused = |problems| wrong(told(&self.hand.refused(&next, problems), format));
        let plan = planned.map_err(refused)?;
        if !same_network(&plan, &self.plan) {
            let why = "the network that is up cannot become what this step needs (a zone more, or a target that no group and no step of the story has): \
                       make it a step of the lab, and put that up anew";
            return Err(wrong(why.to_owned()));
        }
        self.hand.accept(next);
        let ended = self.live.step(Arc::new(plan)).await.map_err(unable)?;
        self.hand.end_step();
        let evidence = self.live.evidence().await.map_err(unable)?;
        let style = Style {
            colour: style.colour,
            width: style.width,
            explain: style.explain,
            wall: None,
        };
        let text = match ended {
            true => report::step(&evidence, number, &style),
            false => format!(
                "{} goes on in the background\n",
                evidence.steps[number].label
            ),
        };
        // Who asked may have gone away.
        let said = out.write_all(&line(&Answer::Said { text })).await;
        tracing::debug!(?said, "a step by hand");
        Ok(())
    }

    fn wanted<'a>(&self, step: &'a str) -> Result<Wanted<'a>, String> {
        let names: Vec<Option<&str>> = self.hand.story().collect();
        if let Ok(number) = step.parse::<usize>() {
            return match number {
                1.. if number <= names.len() => Ok(Wanted::Told(number - 1)),
                _ => Err(format!(
                    "the story has no step {number}: it has {}",
                    names.len()
                )),
            };
        }
        if let Some(number) = names.iter().position(|name| *name == Some(step)) {
            return Ok(Wanted::Told(number));
        }
        if step.contains(':') {
            return Ok(Wanted::Typed(step));
        }
        let known = || names.iter().flatten().copied();
        let help = match diag::did_you_mean(step, known()) {
            Some(near) => format!("did you mean `{near}`?"),
            None if known().next().is_none() => "no step of the story has a name".to_owned(),
            None => format!("there is {}", known().collect::<Vec<_>>().join(", ")),
        };
        Err(format!(
            "no step of the story is called `{step}`: {help}\n  \
             others by their number, or as a lab has them: `hairpin do 'wait: 1s'`"
        ))
    }
}
