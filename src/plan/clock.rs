//! From the lab's two clocks to one: cloud time is divided by `time_scale`, real time is left alone.

use super::Sink;
use crate::diag::codes::plan as code;
use crate::diag::{Diagnostic, Span, Spanned};
use crate::spec::{Body, Lapse};
use std::time::Duration;

/// A step that lasts longer is a mistake: nobody waits an hour for a case.
const LONGEST_STEP: Duration = Duration::from_secs(3600);
/// Linux' TCP_KEEPIDLE takes 1..=32767 s (`MAX_TCP_KEEPIDLE`).
const LONGEST_KEEPALIVE: u64 = 32_767;
/// Scaled below this, an idle timeout cannot be told from an ordinary pause between two packets.
const SHORTEST_IDLE: Duration = Duration::from_secs(1);
/// The same of one that the lab does not write, because it is about something else: it is not to pass between two packets.
const SHORTEST_DEFAULT: Duration = Duration::from_millis(500);

/// How fast the cloud's time runs in one case.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    scale: f64,
}

impl Clock {
    /// The body's clock; 1 when `time_scale` makes no sense (the readers have said so).
    pub(super) fn of(body: &Body) -> Self {
        let scale = body.time_scale.value;
        Self {
            scale: if scale.is_finite() && scale >= 1.0 {
                scale
            } else {
                1.0
            },
        }
    }

    /// How many times faster the cloud's time runs, at least 1.
    pub(super) fn scale(self) -> f64 {
        self.scale
    }

    /// Real time of a span of cloud time.
    pub(super) fn cloud(self, span: Duration) -> Duration {
        span.div_f64(self.scale)
    }

    /// Real time of a span as written.
    pub(super) fn lapse(self, lapse: Lapse) -> Duration {
        if lapse.cloud {
            self.cloud(lapse.length)
        } else {
            lapse.length
        }
    }

    /// A step's own limit or pause, which must be bearable.
    pub(super) fn step(self, lapse: &Spanned<Lapse>, sink: &mut Sink) -> Duration {
        let real = self.lapse(lapse.value);
        if real > LONGEST_STEP {
            sink.push(
                Diagnostic::new(
                    code::STEP_TOO_LONG,
                    lapse.span,
                    format!("this takes {} of real time", show(real)),
                )
                .label("longer than an hour")
                .help("write a shorter time, or mark cloud time (`400s cloud`) and raise `time_scale`"),
            );
        }
        real
    }

    /// A keepalive: the kernel counts it in whole seconds.
    pub(super) fn keepalive(
        self,
        lapse: Option<&Spanned<Lapse>>,
        sink: &mut Sink,
    ) -> Option<Duration> {
        let lapse = lapse?;
        let real = self.lapse(lapse.value);
        let whole = real.subsec_nanos() == 0 && (1..=LONGEST_KEEPALIVE).contains(&real.as_secs());
        if !whole {
            let help = if lapse.value.cloud {
                format!(
                    "choose a time that `time_scale: {}` divides into whole seconds, 1 s or more, for example `{}s cloud`",
                    self.scale,
                    (self.scale * real.as_secs_f64().round().max(1.0)).round()
                )
            } else {
                "write whole seconds, from 1s to 32767s".to_owned()
            };
            sink.push(
                Diagnostic::new(
                    code::KEEPALIVE_NOT_WHOLE,
                    lapse.span,
                    format!("a keepalive of {} of real time", show(real)),
                )
                .label("the kernel counts keepalives in whole seconds")
                .help(help),
            );
        }
        Some(real)
    }

    /// A flow's idle limit, in whole cloud seconds: as written, or the default of what stands at `section`.
    pub(super) fn idle(
        self,
        written: Option<&Spanned<u64>>,
        (default, section): (u64, Span),
        sink: &mut Sink,
    ) -> Duration {
        let (seconds, span, shortest, least) = match written {
            Some(written) => (written.value, written.span, SHORTEST_IDLE, "1 s"),
            None => (default, section, SHORTEST_DEFAULT, "500 ms"),
        };
        let real = self.cloud(Duration::from_secs(seconds));
        if real < shortest {
            let scale = (seconds as f64 / shortest.as_secs_f64()).floor();
            sink.push(
                Diagnostic::new(
                    code::IDLE_TOO_SHORT,
                    span,
                    format!(
                        "an idle timeout of {seconds} s passes in {} of real time",
                        show(real)
                    ),
                )
                .label(format!("less than {least}"))
                .help(format!(
                    "`time_scale` of at most {scale} keeps it at {least} or more"
                )),
            );
        }
        real
    }
}

/// Seconds or milliseconds, without noise behind the point.
pub(super) fn show(span: Duration) -> String {
    let seconds = span.as_secs_f64();
    if seconds >= 1.0 {
        format!("{} s", (seconds * 1000.0).round() / 1000.0)
    } else {
        format!("{} ms", (seconds * 1_000_000.0).round() / 1000.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::Span;

    fn lapse(length: Duration, cloud: bool) -> Spanned<Lapse> {
        Spanned::new(Lapse { length, cloud }, Span::default())
    }

    fn codes(sink: &Sink) -> Vec<crate::diag::Code> {
        sink.problems.sorted().iter().map(|d| d.code).collect()
    }

    #[test]
    fn only_cloud_time_is_divided() {
        let clock = Clock { scale: 100.0 };
        let length = Duration::from_secs(350);
        assert_eq!(
            clock.lapse(lapse(length, true).value),
            Duration::from_millis(3500)
        );
        assert_eq!(clock.lapse(lapse(length, false).value), length);
    }

    #[test]
    fn a_keepalive_that_scales_to_a_fraction_is_refused() {
        let clock = Clock { scale: 100.0 };
        let mut sink = Sink::default();
        let fine = clock.keepalive(Some(&lapse(Duration::from_secs(200), true)), &mut sink);
        assert_eq!(fine, Some(Duration::from_secs(2)));
        assert!(sink.problems.is_empty());
        clock.keepalive(Some(&lapse(Duration::from_secs(250), true)), &mut sink);
        assert_eq!(codes(&sink), [code::KEEPALIVE_NOT_WHOLE]);
    }

    #[test]
    fn an_idle_timeout_under_a_second_is_refused() {
        let mut sink = Sink::default();
        let clock = Clock { scale: 350.0 };
        let written = |seconds| Spanned::new(seconds, Span::default());
        let default = (175, Span::default());
        clock.idle(Some(&written(350)), default, &mut sink);
        assert!(sink.problems.is_empty());
        clock.idle(Some(&written(349)), default, &mut sink);
        assert_eq!(codes(&sink), [code::IDLE_TOO_SHORT]);
    }

    #[test]
    fn one_that_the_lab_does_not_write_may_be_half_as_short() {
        let mut sink = Sink::default();
        let clock = Clock { scale: 100.0 };
        let default = |seconds, sink: &mut Sink| clock.idle(None, (seconds, Span::default()), sink);
        assert_eq!(default(60, &mut sink), Duration::from_millis(600));
        default(50, &mut sink);
        assert!(sink.problems.is_empty());
        default(49, &mut sink);
        assert_eq!(codes(&sink), [code::IDLE_TOO_SHORT]);
    }

    #[test]
    fn an_hour_is_too_long_for_a_step() {
        let mut sink = Sink::default();
        let clock = Clock { scale: 1.0 };
        clock.step(&lapse(Duration::from_secs(3601), true), &mut sink);
        assert_eq!(codes(&sink), [code::STEP_TOO_LONG]);
    }
}
