//! The cloud's clock of a case: it stands at a fixed moment when the first step begins, and runs `time_scale` times as
//! fast as real time. So the same story has the same timestamps.

/// The cloud's time at the first step, seconds since 1970: 2026-01-01T00:00:00Z.
pub const EPOCH: i64 = 1_767_225_600;

/// The cloud's time of a moment in the evidence, whole seconds since 1970.
pub fn cloud_seconds(ms: f64, time_scale: f64) -> i64 {
    EPOCH + (ms * time_scale / 1e3).floor() as i64
}

/// Seconds since 1970 as `2026-01-01T00:00:00Z`.
pub fn timestamp(seconds: i64) -> String {
    let (days, rest) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    // Days counted from 0000-03-01, in cycles of 400 years: a leap day is then the last of its year.
    let days = days + 719_468;
    let (cycle, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (year, month) = if month < 10 {
        (year + 400 * cycle, month + 3)
    } else {
        (year + 400 * cycle + 1, month - 9)
    };
    let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_dates() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (4_107_542_399, "2100-02-28T23:59:59Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
            (EPOCH, "2026-01-01T00:00:00Z"),
            (EPOCH - 1, "2025-12-31T23:59:59Z"),
        ] {
            assert_eq!(timestamp(seconds), text);
        }
    }

    #[test]
    fn the_clouds_time_runs_faster() {
        assert_eq!(cloud_seconds(0.0, 100.0), EPOCH);
        assert_eq!(cloud_seconds(3_505.0, 100.0), EPOCH + 350);
        assert_eq!(cloud_seconds(-1.0, 1.0), EPOCH - 1);
    }
}
