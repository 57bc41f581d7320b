//! What steps `set` in a running lab that AWS refuses for where a balancer comes from: a balancer as it was just before, beside what
//! the step makes of it.
//!
//! Sources: the Network Load Balancer guide (security groups; attributes; document history). Not here: what no step can
//! change (see `spec`), and what is wrong with the outcome by itself (see `network`).

use super::Sink;
use super::attributes::SECONDARY_IPS;
use super::profile::{is_of_2020, too_new};
use crate::diag::codes::{guards, plan as code};
use crate::diag::{Diagnostic, Spanned};
use crate::spec::{Balancer, Body, Verb};

/// Looks at every step `set` of a story.
pub(super) fn check(body: &Body, sink: &mut Sink) {
    let mut before = body;
    for step in &body.steps {
        let Verb::Set {
            path,
            after: Some(after),
            ..
        } = &step.verb
        else {
            continue;
        };
        for (name, now) in &after.load_balancers {
            let mut earlier = before.load_balancers.iter();
            let found = earlier.find(|(known, _)| known.value == name.value);
            if let Some((_, was)) = found
                && !now.is_classic()
                && !now.is_application()
            {
                let change = Change {
                    path,
                    name,
                    was,
                    now,
                };
                change.security_groups(sink);
                change.secondary_addresses(sink);
                change.zones(body, sink);
            }
        }
        before = after;
    }
}

/// A network balancer before and after a step.
struct Change<'a> {
    path: &'a Spanned<String>,
    name: &'a Spanned<String>,
    was: &'a Balancer,
    now: &'a Balancer,
}

impl Change<'_> {
    /// AWS: whoever is made without has none ever, and whoever has some keeps one at least.
    fn security_groups(&self, sink: &mut Sink) {
        let name = &self.name.value;
        let (what, help) = match (
            self.was.security_groups.is_empty(),
            self.now.security_groups.is_empty(),
        ) {
            (true, false) => (
                format!("`{name}` was made without security groups and cannot get any"),
                "give it one from the start; a group may have no rules at first",
            ),
            (false, true) => (
                format!("`{name}` cannot lose all its security groups"),
                "leave one; to let everything in, give it a rule: `{ ingress: { all: all } }`",
            ),
            (true, true) | (false, false) => return,
        };
        sink.push(
            Diagnostic::new(guards::GROUPS_FROM_THE_START, self.path.span, what)
                .label("AWS refuses this")
                .also(self.name.span, "the load balancer")
                .help(help),
        );
    }

    /// AWS: they can become more, and never fewer.
    fn secondary_addresses(&self, sink: &mut Sink) {
        let count = |balancer: &Balancer| {
            let mut written = balancer.attributes.iter();
            let found = written.find(|(name, _)| name.value == SECONDARY_IPS);
            found.map_or(Some(0), |(_, value)| value.value.parse::<u8>().ok())
        };
        let (Some(was), Some(now)) = (count(self.was), count(self.now)) else {
            return;
        };
        if now < was {
            sink.push(
                Diagnostic::new(
                    code::FEWER_ADDRESSES,
                    self.path.span,
                    format!("`{}` goes from {was} to {now}", SECONDARY_IPS),
                )
                .label("AWS refuses this: it can only grow")
                .also(self.name.span, "the load balancer")
                .help(format!("set it to {was} or more")),
            );
        }
    }

    /// AWS: a zone can be taken from a balancer since February 2025.
    fn zones(&self, body: &Body, sink: &mut Sink) {
        let mut gone = self.now.disabled.iter();
        if is_of_2020(body)
            && let Some(zone) = gone.find(|zone| !self.was.disabled.contains(zone))
        {
            let what = format!("taking zone `{zone}` from `{}`", self.name.value);
            sink.push(too_new(body, self.path.span, &what, Some("February 2025")));
        }
    }
}
