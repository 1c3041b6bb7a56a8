//! What was measured, and what it may be.

use std::time::Duration;

use crate::Outcome;

/// Prints each figure as it comes, and remembers whether one broke its bound.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    broken: Vec<String>,
}

impl Figures {
    /// A figure without a bound.
    pub(crate) fn note(&self, name: &str, value: impl ToString) {
        println!("{name:<62} {:>12}", value.to_string());
    }

    /// A figure that may be `most` and no more.
    pub(crate) fn at_most<T: PartialOrd + Copy>(
        &mut self,
        name: &str,
        value: T,
        most: T,
        shown: impl Fn(T) -> String,
    ) {
        let holds = value <= most;
        self.bounded(name, &shown(value), &format!("<= {}", shown(most)), holds);
    }

    /// A count that has to be exactly `wanted`.
    pub(super) fn exactly(&mut self, name: &str, value: usize, wanted: usize) {
        let holds = value == wanted;
        self.bounded(name, &value.to_string(), &format!("= {wanted}"), holds);
    }

    fn bounded(&mut self, name: &str, value: &str, bound: &str, holds: bool) {
        let verdict = if holds { "ok" } else { "BROKEN" };
        println!("{name:<62} {value:>12}  {bound:<12} {verdict}");
        if !holds {
            self.broken.push(format!("{name}: {value}, not {bound}"));
        }
    }

    /// Fails when a bound was broken, and names each.
    pub(crate) fn verdict(self) -> Outcome {
        if self.broken.is_empty() {
            return Ok(());
        }
        Err(format!("bounds broken:\n  {}", self.broken.join("\n  ")))
    }
}

/// A count as it is.
pub(super) fn count(value: u64) -> String {
    value.to_string()
}

/// A time in seconds.
pub(super) fn seconds(value: Duration) -> String {
    format!("{:.2} s", value.as_secs_f64())
}

/// A time in milliseconds.
pub(super) fn milliseconds(value: Duration) -> String {
    format!("{:.1} ms", value.as_secs_f64() * 1e3)
}

/// The value that `percent` of `times` do not exceed; zero for none.
pub(super) fn percentile(times: &[Duration], percent: usize) -> Duration {
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    let rank = (sorted.len() * percent).div_ceil(100);
    sorted
        .get(rank.saturating_sub(1))
        .copied()
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broken_bound_fails_by_name() {
        let mut figures = Figures::default();
        figures.at_most("requests", 3, 3, count);
        figures.exactly("users lost", 1, 0);
        let message = figures.verdict().unwrap_err();
        assert!(message.contains("users lost: 1, not = 0"), "{message}");
        assert!(!message.contains("requests"), "{message}");
    }

    #[test]
    fn a_percentile_is_one_of_the_times() {
        let times: Vec<Duration> = (1..=200).rev().map(Duration::from_millis).collect();
        assert_eq!(percentile(&times, 99), Duration::from_millis(198));
        assert_eq!(percentile(&times, 100), Duration::from_millis(200));
        assert_eq!(percentile(&[], 99), Duration::ZERO);
    }
}
