//! What a scenario says in the end.

use std::fmt;

/// So many complaints are enough for anybody.
const MOST: usize = 10;

/// The figures of a scenario, and what is wrong with them.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    figures: Vec<String>,
    complaints: Vec<String>,
}

impl Verdict {
    /// Adds a figure.
    pub(crate) fn figure(&mut self, text: impl Into<String>) {
        self.figures.push(text.into());
    }

    /// Complains, unless `holds`.
    pub(crate) fn expect(&mut self, holds: bool, otherwise: impl FnOnce() -> String) {
        if !holds && self.complaints.len() < MOST {
            self.complaints.push(otherwise());
        }
    }

    pub(crate) fn is_ok(&self) -> bool {
        self.complaints.is_empty()
    }
}

/// One line: the figures, then `ok`, or `BROKEN` and why.
impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.figures.join(", "))?;
        if self.is_ok() {
            f.write_str("ok")
        } else {
            write!(f, "BROKEN {}", self.complaints.join("; "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_broken_promise_is_enough() {
        let mut verdict = Verdict::default();
        verdict.figure("3 calls");
        verdict.expect(true, || unreachable!());
        assert_eq!(verdict.to_string(), "3 calls: ok");
        verdict.expect(false, || "1 failed".to_owned());
        assert_eq!(verdict.to_string(), "3 calls: BROKEN 1 failed");
        assert!(!verdict.is_ok());
    }
}
