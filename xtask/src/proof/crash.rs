//! `crash`: real processes that are killed and stopped, on SQLite and on a throw-away PostgreSQL.

use std::process::Command;

use tempfile::TempDir;

use crate::{Fallible, Outcome, cargo, services::Postgres};

const DEEDS: [&str; 4] = ["kill", "stop", "stampede", "durable"];

/// `crash [kill | stop | stampede | durable] [ARGUMENTS..]`: one of them, or all, on each store.
pub(super) fn run(arguments: &[String]) -> Outcome {
    let (deeds, arguments) = match arguments.split_first() {
        Some((deed, rest)) if !deed.starts_with('-') => (vec![deed.as_str()], rest),
        _ => (DEEDS.to_vec(), arguments),
    };
    let build = ["build", "--release", "--quiet", "--package=rc-proof"];
    cargo::run(cargo::cargo(&build).args(["--features=processes", "--bin=crash"]))?;
    let folder = TempDir::new().map_err(|error| format!("no temporary folder: {error}"))?;
    let file = folder.path().join("crash.db");
    let postgres = Postgres::start()?;
    let stores = [
        ("SQLite", format!("sqlite:{}?mode=rwc", file.display())),
        ("PostgreSQL", postgres.url("postgres")),
    ];
    let mut broken = Vec::new();
    for (name, store) in &stores {
        for deed in &deeds {
            println!("{deed} on {name}");
            if !is_well(deed, store, arguments)? {
                broken.push(format!("{deed} on {name}"));
            }
        }
    }
    if broken.is_empty() {
        return Ok(());
    }
    Err(format!("something was lost: {}", broken.join(", ")))
}

fn is_well(deed: &str, store: &str, arguments: &[String]) -> Fallible<bool> {
    let program = cargo::target().join("release/crash");
    let status = Command::new(&program)
        .args([deed, "--store", store])
        .args(arguments)
        .status()
        .map_err(|error| format!("{}: {error}", program.display()))?;
    match status.code() {
        Some(0) => Ok(true),
        Some(1) => Ok(false),
        code => Err(format!("{}: ended with {code:?}", program.display())),
    }
}
