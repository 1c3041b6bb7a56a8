//! Licences, banned crates, sources and advisories: cargo-deny with `deny.toml`.

use std::{
    path::Path,
    process::{Command, Output},
};

use crate::{Fallible, Outcome, cargo, no_arguments, tool};

/// Checks the dependencies of the whole workspace, on all platforms that `deny.toml` names.
pub(crate) fn run(arguments: &[String]) -> Outcome {
    no_arguments(arguments)?;
    let program = tool::CARGO_DENY.program()?;
    // All platforms, so that the check itself needs no network.
    cargo::run(&mut cargo::cargo(&["fetch", "--locked", "--quiet"]))?;
    cargo::run(deny(&program, &["--offline"]).args(["check", "bans", "licenses", "sources"]))?;
    match fetched(&program)? {
        Database::Current => {
            cargo::run(deny(&program, &["--offline"]).args(["check", "advisories"]))
        }
        Database::Unreachable(why) => {
            println!("deny: advisories were NOT checked: their database cannot be reached ({why})");
            Ok(())
        }
    }
}

/// Its own words only for what is wrong: warnings name every crate that is there in two versions.
fn deny(program: &Path, options: &[&str]) -> Command {
    let mut command = Command::new(program);
    command
        .current_dir(cargo::root())
        .args(["--log-level", "error"])
        .args(options);
    command
}

/// What came of fetching the database of advisories.
#[derive(Debug, PartialEq)]
enum Database {
    Current,
    /// The network does not lead there, for this reason.
    Unreachable(String),
}

fn fetched(program: &Path) -> Fallible<Database> {
    let mut fetch = deny(program, &[]);
    fetch.args(["fetch", "db"]);
    // cargo-deny calls Git: in English, without asking anybody, and not for ever.
    fetch.envs([("LC_ALL", "C"), ("GIT_TERMINAL_PROMPT", "0")]);
    fetch.envs([
        ("GIT_HTTP_LOW_SPEED_LIMIT", "1000"),
        ("GIT_HTTP_LOW_SPEED_TIME", "30"),
    ]);
    let output = fetch.output();
    let Output { status, stderr, .. } =
        output.map_err(|error| format!("cannot start cargo-deny: {error}"))?;
    if status.success() {
        return Ok(Database::Current);
    }
    judged(&String::from_utf8_lossy(&stderr))
}

/// What a failed fetch says. Only a network that does not lead to the database is no error.
fn judged(said: &str) -> Fallible<Database> {
    // Git's words for everything that goes wrong below HTTP, and with its status.
    let reason = said
        .lines()
        .find_map(|line| line.split_once("unable to access "));
    match reason {
        Some((_, reason)) => Ok(Database::Unreachable(reason.trim().to_owned())),
        None => Err(format!("cannot fetch the database of advisories:\n{said}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_that_does_not_lead_to_the_database_is_no_error_and_is_named() {
        for reason in [
            "'https://example.com/db/': Could not resolve host: example.com",
            "'https://example.com/db/': Failed to connect to example.com port 443 after 2 ms: Couldn't connect to server",
            "'https://example.com/db/': The requested URL returned error: 403",
        ] {
            let said = format!(
                "[ERROR] failed to fetch database\n\nCaused by:\n    fatal: unable to access {reason}\n"
            );
            assert_eq!(judged(&said), Ok(Database::Unreachable(reason.to_owned())));
        }
    }

    #[test]
    fn every_other_failure_is_an_error_with_what_was_said() {
        for said in [
            "[ERROR] failed to acquire advisory database lock: Permission denied (os error 13)",
            "[ERROR] failed to load advisory database: not a database",
            "fatal: could not create work tree dir: No space left on device",
            "error[vulnerability]: a sample vulnerability",
            "",
        ] {
            let message = judged(said).unwrap_err();
            assert!(message.ends_with(said), "{message}");
        }
    }
}
