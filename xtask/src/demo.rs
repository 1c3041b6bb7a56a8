//! The web application, as people run it first: one, or several behind a proxy.

mod replicas;

use crate::{Outcome, cargo};

/// `cargo run -p rc-web -- ARGUMENTS`; with `--replicas N` so many of them.
pub(crate) fn run(arguments: &[String]) -> Outcome {
    match arguments {
        [first, count] if first == "--replicas" => {
            let count = count.parse().ok().filter(|count| (1..=20).contains(count));
            let count = count.ok_or("--replicas takes a number from 1 to 20")?;
            replicas::run(count)
        }
        [first, ..] if first == "--replicas" => {
            Err("say how many, and nothing else: cargo xtask demo --replicas 3".to_owned())
        }
        _ => {
            let mut command = cargo::cargo(&["run", "--package", "rc-web", "--"]);
            command.args(arguments);
            instead_of_this(command)
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_of_replicas_that_makes_no_sense_is_refused() {
        for wrong in [
            &["--replicas"][..],
            &["--replicas", "0"],
            &["--replicas", "x"],
        ] {
            let wrong: Vec<_> = wrong.iter().map(ToString::to_string).collect();
            let message = run(&wrong).unwrap_err();
            assert!(message.contains("--replicas"), "{message}");
        }
    }
}
