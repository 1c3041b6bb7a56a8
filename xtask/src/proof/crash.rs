//! `crash`: real processes that are killed and stopped, on SQLite and on a throw-away PostgreSQL.

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
    thread,
};

use tempfile::TempDir;

use crate::{Fallible, Outcome, cargo, services::Postgres};

const DEEDS: [&str; 4] = ["kill", "stop", "stampede", "durable"];

/// These wait most of the time, for processes that are silent, and measure nothing.
const WAITING: [&str; 2] = ["kill", "stop"];

/// How many of those run beside each other on each store: each with a share of the rounds, a database and a platform
/// of its own.
const LANES: u32 = 3;

/// How often at each point, where nobody says so.
const ROUNDS: u32 = 20;

/// `crash [kill | stop | stampede | durable] [ARGUMENTS..]`: one of them, or all, on each store.
pub(super) fn run(arguments: &[String]) -> Outcome {
    let (deeds, arguments) = match arguments.split_first() {
        Some((deed, rest)) if !deed.starts_with('-') => (vec![deed.as_str()], rest),
        _ => (DEEDS.to_vec(), arguments),
    };
    let stage = Stage::set(&build("release")?)?;
    let mut broken = Vec::new();
    for deed in deeds {
        broken.extend(if WAITING.contains(&deed) {
            stage.run_beside(deed, arguments)?
        } else {
            stage.run_alone(deed, arguments)?
        });
    }
    verdict(&broken)
}

/// One round of what measures nothing, with a program that is built in a fraction of the time.
pub(super) fn check() -> Outcome {
    let stage = Stage::set(&build("dev")?)?;
    let one = ["--rounds".to_owned(), "1".to_owned()];
    let mut broken = Vec::new();
    for deed in WAITING {
        broken.extend(stage.run_beside(deed, &one)?);
    }
    verdict(&broken)
}

fn verdict(broken: &[String]) -> Outcome {
    if broken.is_empty() {
        return Ok(());
    }
    Err(format!("something was lost: {}", broken.join(", ")))
}

/// Builds the program; its path.
fn build(profile: &str) -> Fallible<PathBuf> {
    let build = [
        "build",
        "--quiet",
        "--package=rc-proof",
        "--profile",
        profile,
    ];
    cargo::run(cargo::cargo(&build).args(["--features=processes", "--bin=crash"]))?;
    let folder = if profile == "dev" { "debug" } else { profile };
    Ok(cargo::target().join(folder).join("crash"))
}

/// The stores, and the program that is run on them.
struct Stage {
    program: PathBuf,
    folder: TempDir,
    postgres: Postgres,
}

/// A database of its own on one of the stores.
struct Lane {
    store: &'static str,
    address: String,
}

impl Stage {
    fn set(program: &Path) -> Fallible<Self> {
        let postgres = Postgres::start()?;
        for lane in 0..LANES {
            postgres.create_database(&database(lane))?;
        }
        Ok(Self {
            program: program.to_owned(),
            folder: TempDir::new().map_err(|error| format!("no temporary folder: {error}"))?,
            postgres,
        })
    }

    fn lanes(&self, number: u32) -> [Lane; 2] {
        let name = database(number);
        let file = self.folder.path().join(format!("{name}.db"));
        [
            Lane {
                store: "SQLite",
                address: format!("sqlite:{}?mode=rwc", file.display()),
            },
            Lane {
                store: "PostgreSQL",
                address: self.postgres.url(&name),
            },
        ]
    }

    /// One after another; what was broken.
    fn run_alone(&self, deed: &str, arguments: &[String]) -> Fallible<Vec<String>> {
        let mut broken = Vec::new();
        for lane in self.lanes(0) {
            let on = format!("{deed} on {}", lane.store);
            println!("{on}");
            let status = lane.command(&self.program, deed).args(arguments).status();
            let status = status.map_err(|error| self.failed(&error))?;
            broken.extend((!self.is_well(status.code())?).then_some(on));
        }
        Ok(broken)
    }

    /// All rounds of both stores, some at once; each says what it has found when it is done.
    fn run_beside(&self, deed: &str, arguments: &[String]) -> Fallible<Vec<String>> {
        let (rounds, arguments) = rounds(arguments)?;
        let lanes: Vec<(Lane, u32)> = (0..LANES)
            .flat_map(|number| self.lanes(number).map(|lane| (lane, share(rounds, number))))
            .filter(|(_, share)| *share > 0)
            .collect();
        let outputs: Vec<Fallible<Output>> = thread::scope(|scope| {
            let arguments = &arguments;
            let begun: Vec<_> = lanes
                .iter()
                .map(|(lane, share)| {
                    scope.spawn(move || {
                        let mut command = lane.command(&self.program, deed);
                        command.args(["--rounds", &share.to_string()]);
                        let output = command.args(arguments).output();
                        output.map_err(|error| self.failed(&error))
                    })
                })
                .collect();
            let ended = begun.into_iter().map(|lane| {
                let output = lane.join();
                output.unwrap_or_else(|_| Err("a thread has panicked".to_owned()))
            });
            ended.collect()
        });
        let mut broken = Vec::new();
        for ((lane, share), output) in lanes.iter().zip(outputs) {
            let output = output?;
            println!("{deed} on {}, {share} rounds", lane.store);
            print!("{}", String::from_utf8_lossy(&output.stdout));
            eprint!("{}", String::from_utf8_lossy(&output.stderr));
            if !self.is_well(output.status.code())? {
                broken.push(format!("{deed} on {}", lane.store));
            }
        }
        Ok(broken)
    }

    fn is_well(&self, code: Option<i32>) -> Fallible<bool> {
        match code {
            Some(0) => Ok(true),
            Some(1) => Ok(false),
            code => Err(format!("{}: ended with {code:?}", self.program.display())),
        }
    }

    fn failed(&self, error: &std::io::Error) -> String {
        format!("{}: {error}", self.program.display())
    }
}

impl Lane {
    fn command(&self, program: &Path, deed: &str) -> Command {
        let mut command = Command::new(program);
        command.args([deed, "--store", &self.address]);
        command
    }
}

fn database(lane: u32) -> String {
    format!("lane{lane}")
}

/// How many of the rounds a lane runs.
const fn share(rounds: u32, lane: u32) -> u32 {
    (rounds + LANES - 1 - lane) / LANES
}

/// The number after `--rounds`, and the other arguments.
fn rounds(arguments: &[String]) -> Fallible<(u32, Vec<String>)> {
    let mut arguments = arguments.to_vec();
    let Some(at) = arguments.iter().position(|word| word == "--rounds") else {
        return Ok((ROUNDS, arguments));
    };
    let number = arguments.get(at + 1).and_then(|number| number.parse().ok());
    let number = number.filter(|number| *number > 0);
    let number = number.ok_or("--rounds wants a number")?;
    arguments.drain(at..at + 2);
    Ok((number, arguments))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_rounds_are_shared_out() {
        for rounds in [1, 2, 3, 20, 21] {
            let shares = (0..LANES).map(|lane| share(rounds, lane));
            assert_eq!(shares.sum::<u32>(), rounds);
        }
    }

    #[test]
    fn the_number_of_rounds_is_taken_out_of_the_arguments() {
        let words = |text: &str| -> Vec<String> { text.split(' ').map(str::to_owned).collect() };
        assert_eq!(rounds(&words("-v")).unwrap(), (ROUNDS, words("-v")));
        assert_eq!(rounds(&words("--rounds 3 -v")).unwrap(), (3, words("-v")));
        assert!(rounds(&words("--rounds")).is_err());
        assert!(rounds(&words("--rounds none")).is_err());
        assert!(rounds(&words("--rounds 0")).is_err());
    }
}
