//! Other people's clients, unchanged, against the simulated platform: `xtask/interop` has a script for each.

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
};

use crate::{Fallible, Outcome, cargo, processes::executable};

mod clients;
mod install;
mod process;
mod simulator;
mod spoiled;

pub(crate) use clients::Language;
use clients::{CLIENTS, Client, Walked};
pub(crate) use install::Installed;
pub(crate) use process::own_environment;
use simulator::Simulator;

/// Where the clients are installed and run, below the root of the workspace.
const FOLDER: &str = "target/interop";

/// What is asked for.
#[derive(Debug, Default)]
struct Request {
    list: bool,
    spoiled: bool,
    simulator: Option<PathBuf>,
    clients: Vec<&'static Client>,
}

/// Runs every client, or those named; or all that with a spoiled platform; or lists the spoilings.
pub(crate) fn run(arguments: &[String]) -> Outcome {
    let request = Request::parse(arguments)?;
    if request.list {
        print!("{}", spoiled::listed(&spoiled::all()?));
        return Ok(());
    }
    let installed = install::install(&request.clients)?;
    let simulator = match request.simulator {
        Some(program) => program,
        None => build()?,
    };
    if request.spoiled {
        return spoiled::run(&installed, &simulator, &request.clients);
    }
    walk_all(&installed, &simulator, &request.clients)
}

/// As a step of ci: every client passes, and none does on a spoiled platform.
pub(crate) fn check() -> Outcome {
    run(&[])?;
    run(&["--spoiled".to_owned()])
}

/// What all clients need, installed if need be.
pub(crate) fn install_all() -> Fallible<Installed> {
    install::install(&CLIENTS.each_ref())
}

impl Request {
    fn parse(arguments: &[String]) -> Fallible<Self> {
        let mut request = Self::default();
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--list" => request.list = true,
                "--spoiled" => request.spoiled = true,
                "--simulator" => {
                    let program = arguments.next().ok_or("--simulator needs a program")?;
                    request.simulator = Some(program.into());
                }
                name => request.clients.push(clients::named(name)?),
            }
        }
        if request.clients.is_empty() {
            request.clients = CLIENTS.iter().collect();
        }
        Ok(request)
    }
}

/// With the features of the whole workspace, so that nothing is compiled again after its tests.
pub(crate) fn build() -> Fallible<PathBuf> {
    let mut command = cargo::cargo(&["build", "--workspace", "--bin", "rc-sim"]);
    let messages = cargo::output(command.arg("--message-format=json-render-diagnostics"))?;
    executable(&messages, "rc-sim")
}

fn walk_all(installed: &Installed, simulator: &Path, chosen: &[&'static Client]) -> Outcome {
    let mut table = Vec::new();
    let mut failed = Vec::new();
    for client in chosen {
        println!("{}", client.name);
        let walked = walk(installed, simulator.as_os_str(), client);
        let row = match &walked {
            Ok(walked) => {
                walked.steps.iter().for_each(|step| println!("  {step}"));
                let (passed, failed) = (walked.passed(), walked.failures().count());
                format!("{passed:>3} passed {failed:>3} failed")
            }
            Err(error) => format!("did not run: {error}"),
        };
        if !walked.is_ok_and(|walked| walked.failures().count() == 0) {
            failed.push(client.name);
        }
        table.push(format!("  {:<18} {row}", client.name));
    }
    println!("\n{}", table.join("\n"));
    if failed.is_empty() {
        return Ok(());
    }
    Err(format!(
        "not every step passed with {}. The lines `not ok` above say why; \
         repeat one client alone: cargo xtask interop {}",
        failed.join(", "),
        failed[0]
    ))
}

/// On a platform of its own, so that no client finds what another left.
fn walk(installed: &Installed, simulator: &OsStr, client: &Client) -> Fallible<Walked> {
    let simulator = Simulator::start(simulator)?;
    clients::walk(client, installed, simulator.environment())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_names_every_client_is_meant_and_with_names_only_those() {
        let all = Request::parse(&[]).unwrap();
        assert_eq!(all.clients.len(), CLIENTS.len());
        let one = Request::parse(&["--spoiled".into(), "openid-client".into()]).unwrap();
        assert!(one.spoiled);
        assert_eq!(one.clients.len(), 1);
    }

    #[test]
    fn an_unknown_client_is_refused_with_the_names_of_all() {
        let message = Request::parse(&["lunch".into()]).unwrap_err();
        assert!(
            message.contains("lunch") && message.contains("@rc-ex/core"),
            "{message}"
        );
    }
}
