//! The binomial interval behind `plausible`: exact tail sums, in logarithms.

/// Each tail of the interval that `plausible` accepts: one in a million for both together.
const TAIL: f64 = 0.5e-6;

/// Most tries: the sum takes a time in proportion to their square root.
const MAX_TRIES: i64 = 1_000_000_000;

/// Whether k successes in n tries are inside the two-sided interval of one in a million for the probability p.
///
/// More successes than tries are never plausible. An error where nothing can be said: no tries, too many, or p no
/// probability.
pub(super) fn plausible(k: i64, n: i64, p: f64) -> Result<bool, String> {
    if !(0.0..=1.0).contains(&p) {
        return Err(format!("{p} is no probability"));
    }
    if n <= 0 {
        return Err("there were no tries to be plausible about".into());
    }
    if n > MAX_TRIES {
        return Err(format!("{n} tries are too many"));
    }
    if k < 0 || k > n {
        return Ok(false);
    }
    if p == 0.0 || p == 1.0 {
        return Ok(k == if p == 0.0 { 0 } else { n });
    }
    // Only the tail away from the mean can be small. The upper one is the lower one of the failures.
    let (k, p) = if (k as f64) <= n as f64 * p {
        (k, p)
    } else {
        (n - k, 1.0 - p)
    };
    Ok(lower_tail_exceeds(k, n, p, TAIL))
}

/// Whether P(X <= k) > limit, for k at or below the mean.
fn lower_tail_exceeds(k: i64, n: i64, p: f64, limit: f64) -> bool {
    let (kf, nf) = (k as f64, n as f64);
    let ln_term = ln_factorial(nf) - ln_factorial(kf) - ln_factorial(nf - kf)
        + kf * p.ln()
        + (nf - kf) * (-p).ln_1p();
    let mut term = ln_term.exp();
    let mut sum = term;
    let mut i = kf;
    // Downward from k the terms only shrink: P(X = i - 1) / P(X = i) = i (1 - p) / ((n - i + 1) p) <= 1.
    while i > 0.0 && sum <= limit && term > sum * f64::EPSILON {
        term *= i * (1.0 - p) / ((nf - i + 1.0) * p);
        sum += term;
        i -= 1.0;
    }
    sum > limit
}

/// ln n!, by Stirling's series from 16 on, where its first left out term is below 1e-12.
fn ln_factorial(n: f64) -> f64 {
    if n < 16.0 {
        return (2..=n as u32).map(|i| f64::from(i).ln()).sum();
    }
    let inverse = 1.0 / n;
    let square = inverse * inverse;
    n * n.ln() - n
        + 0.5 * (std::f64::consts::TAU * n).ln()
        + inverse
            * (1.0 / 12.0 - square * (1.0 / 360.0 - square * (1.0 / 1260.0 - square / 1680.0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// P(X <= k) by the recurrence upward from P(X = 0), in plain arithmetic: exact enough for small n.
    fn tails(k: i64, n: i64, p: f64) -> (f64, f64) {
        let mut term = (1.0 - p).powi(n as i32);
        let (mut below, mut above) = (0.0, 0.0);
        for i in 0..=n {
            if i <= k {
                below += term;
            }
            if i >= k {
                above += term;
            }
            term *= (n - i) as f64 / (i + 1) as f64 * p / (1.0 - p);
        }
        (below, above)
    }

    #[test]
    fn agrees_with_plain_summation() {
        for n in [1, 2, 7, 20, 60, 300] {
            for p in [0.01, 1.0 / 3.0, 0.5, 0.9] {
                for k in 0..=n {
                    let (below, above) = tails(k, n, p);
                    assert_eq!(
                        plausible(k, n, p),
                        Ok(below > TAIL && above > TAIL),
                        "k {k} n {n} p {p}"
                    );
                }
            }
        }
    }

    #[test]
    fn a_third_of_sixty_is_neither_none_nor_all() {
        assert_eq!(plausible(20, 60, 1.0 / 3.0), Ok(true));
        assert_eq!(plausible(0, 60, 1.0 / 3.0), Ok(false));
        assert_eq!(plausible(60, 60, 1.0 / 3.0), Ok(false));
    }

    #[test]
    fn large_n_follows_the_normal_interval() {
        // Standard deviation 500; one in a million two-sided is 4.89 of them.
        for (k, inside) in [
            (500_000, true),
            (502_400, true),
            (497_600, true),
            (502_500, false),
            (497_500, false),
        ] {
            assert_eq!(plausible(k, 1_000_000, 0.5), Ok(inside), "k {k}");
        }
    }

    #[test]
    fn edges() {
        assert_eq!(plausible(0, 10, 0.0), Ok(true));
        assert_eq!(plausible(1, 10, 0.0), Ok(false));
        assert_eq!(plausible(10, 10, 1.0), Ok(true));
        assert_eq!(plausible(9, 10, 1.0), Ok(false));
        assert_eq!(plausible(11, 10, 0.5), Ok(false));
        assert_eq!(plausible(-1, 10, 0.5), Ok(false));
        assert!(plausible(0, 0, 0.5).is_err());
        assert!(plausible(0, 1, 1.5).is_err());
        assert!(plausible(0, 1, f64::NAN).is_err());
        assert!(plausible(0, i64::MAX, 0.5).is_err());
        assert_eq!(plausible(499_920_000, MAX_TRIES, 0.5), Ok(false));
    }
}
