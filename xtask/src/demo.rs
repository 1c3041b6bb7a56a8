//! The web application, as people run it first.

use crate::{Outcome, cargo};

/// `cargo run -p rc-web -- ARGUMENTS`.
pub(crate) fn run(arguments: &[String]) -> Outcome {
    let mut command = cargo::cargo(&["run", "--package", "rc-web", "--"]);
    command.args(arguments);
    instead_of_this(command)
}

/// Signals meant for the demo reach it: it takes the place of this process.
#[cfg(unix)]
fn instead_of_this(mut command: std::process::Command) -> Outcome {
    let error = std::os::unix::process::CommandExt::exec(&mut command);
    Err(format!("cannot start cargo: {error}"))
}

#[cfg(not(unix))]
fn instead_of_this(mut command: std::process::Command) -> Outcome {
    cargo::run(&mut command)
}
