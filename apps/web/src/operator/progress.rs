//! How far a long command has come, on a terminal only.

use std::io::{self, IsTerminal as _, Write as _};

/// A line that is written anew, on stderr; nothing where that is no terminal.
pub(super) struct Progress {
    what: &'static str,
    total: u64,
    shown: bool,
}

/// How wide the bar is, in characters.
const WIDTH: u64 = 30;

impl Progress {
    /// Of `total` records; of an unknown number if it is 0.
    pub(super) fn new(what: &'static str, total: u64) -> Self {
        Self {
            what,
            total,
            shown: io::stderr().is_terminal(),
        }
    }

    pub(super) fn at(&mut self, done: u64) {
        if self.shown {
            // A terminal that is gone is no reason to stop.
            self.shown = write!(io::stderr(), "\r{}", self.line(done)).is_ok();
        }
    }

    fn line(&self, done: u64) -> String {
        if self.total == 0 {
            return format!("{} {done} records", self.what);
        }
        let part = done.min(self.total) * WIDTH / self.total;
        let bar: String = (0..WIDTH)
            .map(|at| if at < part { '#' } else { '.' })
            .collect();
        format!("{} [{bar}] {done} of {}", self.what, self.total)
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.shown {
            crate::output::complain("");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bar_fills_up_and_no_further() {
        let mut progress = Progress::new("Sealed", 200);
        progress.shown = false;
        assert!(
            progress
                .line(0)
                .contains("[..............................] 0 of 200")
        );
        assert!(
            progress
                .line(100)
                .contains("[###############...............]")
        );
        // Others may add records meanwhile.
        assert!(
            progress
                .line(250)
                .contains("[##############################] 250 of 200")
        );
    }
}
