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
        let decimals = usize::from(seconds.abs() < 10.0);
        format!("{} s", rounded(seconds, decimals))
    }

    /// `600 ms (60 s of cloud time)`
    pub(super) fn both(self, ms: f64) -> String {
        let cloud = self.cloud(ms);
        if cloud.is_empty() {
            format!("{} ms", rounded(ms, 0))
        } else {
            format!("{} ms ({cloud} of cloud time)", rounded(ms, 0))
        }
    }
}

/// What rounds to nothing has no sign.
fn rounded(value: f64, decimals: usize) -> String {
    let text = format!("{value:.decimals$}");
    match text.strip_prefix('-') {
        Some(figures) if figures.bytes().all(|b| matches!(b, b'0' | b'.')) => figures.to_owned(),
        _ => text,
    }
}

/// A share for a style.
pub(super) fn percent(value: f64) -> String {
    format!("{:.2}", value.clamp(0.0, 100.0))
}

#[cfg(test)]
mod tests {
    use super::Clock;

    #[test]
    fn what_rounds_to_nothing_has_no_sign() {
        assert_eq!(Clock(30.0).both(-1.4), "-1 ms (0.0 s of cloud time)");
        assert_eq!(Clock(30.0).both(-45.2), "-45 ms (-1.4 s of cloud time)");
        assert_eq!(Clock(1.0).both(-0.4), "0 ms");
    }
}
