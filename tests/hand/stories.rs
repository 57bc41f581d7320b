//! Every story of the gallery, told step by step: without privilege, on plans alone.

use hairpin::plan::{self, Plan};
use hairpin::spec::hand::ByHand;
use std::fs;
use std::path::{Path, PathBuf};

fn labs(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a readable folder").flatten() {
        match entry.path() {
            path if path.is_dir() => labs(&path, found),
            path => found.push(path),
        }
    }
}

fn network(plan: &Plan) -> String {
    format!("{:?}", (&plan.fabric, &plan.hosts))
}

fn steps(plan: &Plan) -> Vec<String> {
    let steps = plan.steps.iter();
    steps
        .map(|step| {
            format!(
                "{} {} {} {:?}",
                step.name,
                step.label,
                step.background,
                step.verb.dials()
            )
        })
        .collect()
}

#[test]
fn every_story_of_the_gallery_can_be_told_by_hand() {
    let mut files = Vec::new();
    labs(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("labs"),
        &mut files,
    );
    let mut wrong = Vec::new();
    let mut cases = 0;
    for path in files {
        let file = path.display().to_string();
        let text = fs::read_to_string(&path).expect("a readable lab");
        let plans = plan::read(text.as_bytes(), &file).expect("a lab of the gallery");
        for planned in plans {
            cases += 1;
            if let Err(why) = tell(&text, &file, &planned) {
                wrong.push(format!("{}/{}: {why}", planned.lab, planned.case));
            }
        }
    }
    assert!(cases > 300, "these are not all: {cases}");
    assert!(
        wrong.is_empty(),
        "{} of {cases}:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

/// The whole story, one step after the other; then one step more.
fn tell(text: &str, file: &str, planned: &Plan) -> Result<(), String> {
    let mut hand = ByHand::new(text, file, &planned.case).ok_or("no such case")?;
    let lab = hand
        .start()
        .map_err(|wrong| format!("at the start: {:?}", wrong.problems))?;
    let plan = plan::plan(&lab, &planned.case, Some(planned.seed));
    let plan = plan.map_err(|problems| format!("at the start: {problems:?}"))?;
    if network(&plan) != network(planned) {
        return Err("at the start: another network".to_owned());
    }
    claims_nothing(&hand.text(), file, 1)?;
    claims_nothing(&hand.unclaimed(), file, planned.steps.len())?;
    let mut last = None;
    let count = hand.story().len();
    for number in 0..count {
        let next = hand
            .again(number)
            .map_err(|wrong| format!("step {number}: {:?}", wrong.problems))?;
        let plan = plan::plan(&next.lab, &planned.case, Some(planned.seed));
        let plan = plan.map_err(|problems| format!("step {number}: {problems:?}"))?;
        hand.accept(next);
        hand.end_step();
        if network(&plan) != network(planned) {
            return Err(format!("step {number}: another network"));
        }
        last = Some(plan);
    }
    if last.is_some_and(|plan| steps(&plan) != steps(planned)) {
        return Err("another story".to_owned());
    }
    if hand.text() != text {
        return Err("what was told as written is not told as written".to_owned());
    }
    let mut entered = ByHand::new(text, file, &planned.case).ok_or("no such case")?;
    for number in 0..count {
        let next = entered.again(number);
        entered.accept(next.map_err(|wrong| format!("step {number}: {:?}", wrong.problems))?);
        // The last is given up, and is told to its end only then.
        match number + 1 == count {
            true if entered.text() == text => return Err("a step given up is told".to_owned()),
            true | false => entered.end_step(),
        }
    }
    entered.disturb();
    if entered.text() == text {
        return Err("what was disturbed is told as written".to_owned());
    }
    let typed = hand
        .typed("wait: 1ms")
        .map_err(|wrong| format!("{:?}", wrong.problems))?;
    let next = hand
        .further(&typed[0])
        .map_err(|wrong| format!("{:?}", wrong.problems))?;
    hand.accept(next);
    let told = hand.text();
    if told == text {
        return Err("no lab of what was done".to_owned());
    }
    claims_nothing(&told, file, planned.steps.len() + 1)
}

/// A lab of so many steps, with one case of which nothing is claimed.
fn claims_nothing(text: &str, file: &str, steps: usize) -> Result<(), String> {
    let plans =
        plan::read(text.as_bytes(), file).map_err(|problems| format!("{problems:?}\n{text}"))?;
    let [plan] = &plans[..] else {
        return Err(format!("{} cases", plans.len()));
    };
    let claims = plan.works.len() + plan.expect.len() + plan.finds.len();
    match (claims, plan.steps.len() == steps) {
        (0, true) => Ok(()),
        _ => Err(format!(
            "{claims} claims, {} steps\n{text}",
            plan.steps.len()
        )),
    }
}
