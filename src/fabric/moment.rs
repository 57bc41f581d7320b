//! Moments as numbers.

use std::time::Duration;

/// Since the fabric started. Saturates after 584 years.
#[inline]
pub fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
