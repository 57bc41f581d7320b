//! Quantities as the page writes them: times of both clocks, figures, shares.

/// Both clocks: cloud time runs this many times as fast.
#[derive(Clone, Copy)]
pub(super) struct Clock(pub(super) f64);

impl Clock {
    /// `285 s` of the cloud's time; empty where both clocks are the same.
    pub(super) fn cloud(self, ms: f64) -> String {
        if self.0 == 1.0 {
            return String::new();
        }
        let seconds = ms * self.0 / 1e3;
        if seconds.abs() < 10.0 {
            format!("{seconds:.1} s")
        } else {
            format!("{seconds:.0} s")
        }
    }

    /// `600 ms (60 s of cloud time)`
    pub(super) fn both(self, ms: f64) -> String {
        let cloud = self.cloud(ms);
        if cloud.is_empty() {
            format!("{ms:.0} ms")
        } else {
            format!("{ms:.0} ms ({cloud} of cloud time)")
        }
    }
}

/// A share for a style.
pub(super) fn percent(value: f64) -> String {
    format!("{:.2}", value.clamp(0.0, 100.0))
}
