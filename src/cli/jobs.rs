//! Runs to be made: each case so many times. A run's plan is made when it begins, however many are to come.

use super::select;
use crate::plan::Plan;
use crate::run::length;
use std::cmp::Reverse;
use std::sync::Arc;

/// One run of one case.
#[derive(Clone, Debug)]
pub struct Job {
    /// What to run.
    pub plan: Arc<Plan>,
    /// Which repetition, from 1.
    pub attempt: u32,
}

/// All of them. Their numbers are in the order of reports: every case once, then every case once more.
#[derive(Debug)]
pub struct Jobs {
    plans: Vec<Arc<Plan>>,
    repeat: u32,
}

impl Jobs {
    /// Of these cases, each so many times.
    pub fn new(plans: Vec<Plan>, repeat: u32) -> Self {
        Self {
            plans: plans.into_iter().map(Arc::new).collect(),
            repeat,
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.plans.len() * self.repeat as usize
    }

    /// Those of the first repetition.
    pub fn plans(&self) -> impl ExactSizeIterator<Item = &Plan> {
        self.plans.iter().map(|plan| &**plan)
    }

    /// The job of this number. Each repetition has another seed.
    pub fn job(&self, number: usize) -> Job {
        let (round, case) = (number / self.plans.len(), number % self.plans.len());
        let attempt = u32::try_from(round + 1).expect("there are no more repetitions");
        let plan = match attempt {
            1 => Arc::clone(&self.plans[case]),
            _ => {
                let mut plan = Plan::clone(&self.plans[case]);
                let seed = plan.seed.wrapping_add(u64::from(attempt - 1));
                select::reseed(&mut plan, seed);
                Arc::new(plan)
            }
        };
        Job { plan, attempt }
    }

    /// Lab and case of the job of this number.
    pub fn name(&self, number: usize) -> (&str, &str) {
        let plan = &self.plans[number % self.plans.len()];
        (&plan.lab, &plan.case)
    }

    /// All numbers, those of the longest cases first: a long case that began last would be waited for alone. Cases of one
    /// length take turns.
    pub fn longest_first(&self) -> impl Iterator<Item = usize> + Send + use<> {
        let lengths = self.plans.iter().map(|plan| length::of(plan));
        let mut cases: Vec<_> = lengths.enumerate().collect();
        cases.sort_by_key(|(_, length)| Reverse(*length));
        let (all, repeat) = (self.plans.len(), self.repeat as usize);
        let alike = cases.chunk_by(|(_, one), (_, other)| one == other);
        let alike: Vec<Arc<[usize]>> = alike
            .map(|cases| cases.iter().map(|(case, _)| *case).collect())
            .collect();
        alike.into_iter().flat_map(move |cases| {
            (0..repeat).flat_map(move |round| {
                let cases = Arc::clone(&cases);
                (0..cases.len()).map(move |place| round * all + cases[place])
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Cases that wait so many seconds each.
    fn plans(seconds: &[u32]) -> Vec<Plan> {
        let one = |(number, seconds): (usize, &u32)| {
            let text = format!(
                "title: t\nseed: 7\nhosts: {{ a: {{ zone: a }} }}\nsteps: [{{ wait: {seconds}s }}]\nworks: [size(packets) == 0]\ncases: {{ only: {{ kind: control }} }}\n"
            );
            let file = format!("lab{number}/lab{number}.yaml");
            let plans = crate::plan::read(text.as_bytes(), &file).expect("a good lab");
            plans.into_iter().next().expect("it has a case")
        };
        seconds.iter().enumerate().map(one).collect()
    }

    #[test]
    fn the_longest_come_first_and_those_of_one_length_take_turns() {
        let jobs = Jobs::new(plans(&[1, 3, 1, 2]), 3);
        assert_eq!(jobs.len(), 12);
        let order: Vec<usize> = jobs.longest_first().collect();
        assert_eq!(order, [1, 5, 9, 3, 7, 11, 0, 2, 4, 6, 8, 10]);
    }

    #[test]
    fn a_run_has_its_own_seed_and_the_first_the_cases_own_plan() {
        let jobs = Jobs::new(plans(&[1, 2]), 3);
        assert!(Arc::ptr_eq(&jobs.job(1).plan, &jobs.plans[1]));
        let third = jobs.job(4);
        assert_eq!((third.attempt, jobs.name(4)), (3, ("lab0/lab0", "only")));
        let seeds = [0, 4].map(|number| {
            let plan = jobs.job(number).plan;
            (plan.seed, plan.fabric.seed)
        });
        assert_eq!(seeds, [(7, 7), (9, 9)]);
    }

    /// With a plan for each there would be no memory for them.
    #[test]
    fn what_is_to_come_takes_no_memory() {
        let jobs = Jobs::new(plans(&[1, 2]), u32::MAX);
        let mut order = jobs.longest_first();
        assert_eq!(order.next(), Some(1));
        let last = jobs.job(jobs.len() - 1);
        assert_eq!(last.attempt, u32::MAX);
    }
}
