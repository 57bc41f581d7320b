//! Settings of a link that can do nothing beside the others. Not here: values that switch something off (`0%`, `0ms`),
//! which a case may need.

use super::super::Sink;
use crate::diag::codes::{Code, links as code};
use crate::diag::{Diagnostic, Span};
use crate::spec::{self, Link};

/// A setting without effect in one direction.
struct Idle {
    code: Code,
    span: Span,
    says: &'static str,
    label: &'static str,
    also: Option<(Span, &'static str)>,
    help: &'static str,
}

/// Tells of every setting that has no effect in any direction for which it is written.
pub(super) fn check(host: &spec::Host, sink: &mut Sink) {
    let [up, down] = [&host.up, &host.down].map(|link| (written(link), idle(link)));
    let acts = |(written, idle): &(Vec<Span>, Vec<Idle>), span: Span| {
        written.contains(&span) && !idle.iter().any(|one| one.span == span)
    };
    let mut said = Vec::new();
    for one in up.1.iter().chain(&down.1) {
        let elsewhere = acts(&up, one.span) || acts(&down, one.span);
        if elsewhere || said.contains(&(one.code, one.span)) {
            continue;
        }
        said.push((one.code, one.span));
        let mut diagnostic = Diagnostic::new(one.code, one.span, one.says).label(one.label);
        if let Some((span, words)) = one.also {
            diagnostic = diagnostic.also(span, words);
        }
        sink.push(diagnostic.help(one.help));
    }
}

/// Where the settings stand that may be without effect.
fn written(link: &Link) -> Vec<Span> {
    let shares = [&link.duplicate, &link.reorder, &link.corrupt];
    let shares = shares.into_iter().flatten().map(|share| share.span);
    let queue = link.queue.iter().map(|queue| queue.span);
    shares.chain(queue).collect()
}

/// Those that have none in this direction.
fn idle(link: &Link) -> Vec<Idle> {
    let mut idle = Vec::new();
    if let Some(queue) = &link.queue
        && link.rate.is_none()
    {
        idle.push(Idle {
            code: code::QUEUE_WITHOUT_RATE,
            span: queue.span,
            says: "a queue in which nothing waits",
            label: "the link has no `rate`",
            also: None,
            help: "add a `rate`: packets that come faster wait in the queue, and those that it has no room for are lost",
        });
    }
    let waits = [&link.delay, &link.jitter].map(|time| {
        let time = time.as_ref().filter(|time| !time.value.is_zero());
        time.map(|time| time.span)
    });
    let wait = waits.into_iter().flatten().next();
    let reorder = link.reorder.as_ref().filter(|share| share.value > 0.0);
    if let Some(reorder) = reorder {
        let nobody = match wait {
            None => Some(("no packet is delayed", None)),
            Some(wait) if reorder.value >= 1.0 => {
                let delayed = Some((wait, "nothing is left that this could hold up"));
                Some(("all of them go at once, past nobody", delayed))
            }
            Some(_) => None,
        };
        if let Some((label, also)) = nobody {
            idle.push(Idle {
                code: code::NOTHING_TO_OVERTAKE,
                span: reorder.span,
                says: "there is nothing to overtake",
                label,
                also,
                help: "packets overtake those that `delay` or `jitter` hold up: write `delay: 10ms, reorder: 25%`",
            });
        }
    }
    let all = link.loss.as_ref().filter(|share| share.value >= 1.0);
    if let Some(all) = all {
        let others = [&link.duplicate, &link.reorder, &link.corrupt];
        let others = others
            .into_iter()
            .flatten()
            .filter(|share| share.value > 0.0);
        idle.extend(others.map(|share| Idle {
            code: code::NOTHING_ARRIVES,
            span: share.span,
            says: "nothing that this is done to arrives",
            label: "no packet is left for it",
            also: Some((all.span, "all are lost")),
            help: "write less than 100%, or remove the other",
        }));
    }
    idle
}
