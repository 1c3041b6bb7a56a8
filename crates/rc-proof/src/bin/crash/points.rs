//! Named points before and after each step that leaves the process: where it dies, or stands still.

use std::{
    collections::BTreeMap,
    process::Command,
    sync::{Mutex, PoisonError},
};

/// What happens at a point.
#[derive(Clone, Copy, Debug, Eq, PartialEq, clap::ValueEnum)]
pub(crate) enum How {
    /// Nothing; each point is told.
    Tell,
    /// `kill -9`
    Kill,
    /// `kill -STOP`, until somebody says `kill -CONT`
    Stop,
}

/// The points of this process.
#[derive(Debug)]
pub(crate) struct Points {
    how: How,
    /// Where it happens.
    at: String,
    /// How often each was passed.
    passed: Mutex<BTreeMap<String, u32>>,
}

impl Points {
    pub(crate) const fn new(how: How, at: String) -> Self {
        Self {
            how,
            at,
            passed: Mutex::new(BTreeMap::new()),
        }
    }

    /// Passes a point, the second time under the name `… #2`, and so on.
    pub(crate) fn pass(&self, name: &str) {
        let mut passed = self.passed.lock().unwrap_or_else(PoisonError::into_inner);
        let times = passed.entry(name.to_owned()).or_default();
        *times += 1;
        let name = match *times {
            1 => name.to_owned(),
            times => format!("{name} #{times}"),
        };
        drop(passed);
        match self.how {
            How::Tell => println!("point {name}"),
            How::Kill if name == self.at => die(),
            How::Stop if name == self.at => {
                println!("stops");
                signal("-STOP");
            }
            How::Kill | How::Stop => {}
        }
    }
}

/// The runtime has one thread, so nothing else goes on meanwhile.
fn signal(signal: &str) {
    let id = std::process::id().to_string();
    if let Err(error) = Command::new("kill").args([signal, &id]).status() {
        println!("cannot signal: {error}");
    }
}

fn die() {
    signal("-KILL");
    loop {
        std::thread::park();
    }
}
