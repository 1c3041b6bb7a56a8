//! Fuzzing of rc-sim: the loop of its tests, built for speed, as long as somebody wants.

use std::collections::BTreeSet;

use crate::{Fallible, Outcome, cargo, number};

/// Where the inputs of each target are kept.
const CORPUS: &str = "crates/rc-sim/tests/fuzz/corpus";
/// The longest run per target.
const MOST_MINUTES: u64 = 24 * 60;

/// What the command line asks for.
#[derive(Debug, Eq, PartialEq)]
struct Plan {
    targets: Vec<String>,
    /// Per target.
    minutes: u64,
    seed: u64,
    /// Whether inputs that came to something new are added to the corpus.
    keep: bool,
}

/// `cargo xtask fuzz [--minutes N] [--seed N] [--keep] [TARGET..]`
pub(crate) fn run(arguments: &[String]) -> Outcome {
    let plan = read(arguments, &targets()?)?;
    let mut failed = Vec::new();
    for target in &plan.targets {
        if let Err(message) = fuzz(target, &plan) {
            eprintln!("{target}: {message}");
            failed.push(target.as_str());
        }
    }
    if failed.is_empty() {
        return Ok(());
    }
    Err(format!(
        "found something in {}; the inputs are kept below {CORPUS}",
        failed.join(", ")
    ))
}

fn fuzz(target: &str, plan: &Plan) -> Outcome {
    let mut command = cargo::cargo(&["test", "--quiet", "--profile", "fuzz"]);
    command.args(["--package", "rc-sim", "--test", "fuzz", "--"]);
    command.args(["--ignored", "--exact", "long", "--nocapture"]);
    command.env("RC_FUZZ_TARGET", target);
    command.env("RC_FUZZ_SECONDS", (plan.minutes * 60).to_string());
    command.env("RC_FUZZ_SEED", plan.seed.to_string());
    if plan.keep {
        command.env("RC_FUZZ_KEEP", "1");
    }
    cargo::run(&mut command)
}

/// The folders of the corpus.
fn targets() -> Fallible<BTreeSet<String>> {
    let unread = |error| format!("cannot read {CORPUS}: {error}");
    let folders = std::fs::read_dir(cargo::root().join(CORPUS)).map_err(unread)?;
    folders
        .map(|entry| Ok(entry.map_err(unread)?.file_name().to_string_lossy().into()))
        .collect()
}

fn read(arguments: &[String], known: &BTreeSet<String>) -> Fallible<Plan> {
    let mut plan = Plan {
        targets: Vec::new(),
        minutes: 1,
        seed: 1,
        keep: false,
    };
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--keep" => plan.keep = true,
            "--minutes" => plan.minutes = number(argument, arguments.next())?,
            "--seed" => plan.seed = number(argument, arguments.next())?,
            name if known.contains(name) => plan.targets.push(name.to_owned()),
            name => {
                let known: Vec<&str> = known.iter().map(String::as_str).collect();
                let known = known.join(" ");
                return Err(format!("{name:?} is no target; there are: {known}"));
            }
        }
    }
    if !(1..=MOST_MINUTES).contains(&plan.minutes) {
        return Err(format!("--minutes takes a number from 1 to {MOST_MINUTES}"));
    }
    if plan.targets.is_empty() {
        plan.targets = known.iter().cloned().collect();
    }
    Ok(plan)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(arguments: &[&str]) -> Fallible<Plan> {
        let arguments: Vec<_> = arguments.iter().map(ToString::to_string).collect();
        let known = ["token", "toml"].map(String::from);
        read(&arguments, &BTreeSet::from(known))
    }

    #[test]
    fn without_arguments_every_target_runs_for_a_minute() {
        let plan = plan(&[]).expect("a plan");
        assert_eq!((plan.targets.len(), plan.minutes, plan.keep), (2, 1, false));
    }

    #[test]
    fn targets_and_times_are_read_in_any_order() {
        let plan = plan(&["toml", "--minutes", "10", "--keep", "--seed", "3"]);
        let plan = plan.expect("a plan");
        assert_eq!(plan.targets, ["toml"]);
        assert_eq!((plan.minutes, plan.seed, plan.keep), (10, 3, true));
    }

    #[test]
    fn what_makes_no_sense_is_refused_by_name() {
        for (wrong, named) in [
            (&["lunch"][..], "lunch"),
            (&["--minutes"], "--minutes"),
            (&["--minutes", "0"], "--minutes"),
            (&["--seed", "x"], "--seed"),
        ] {
            let message = plan(wrong).unwrap_err();
            assert!(message.contains(named), "{message}");
        }
    }

    #[test]
    fn the_corpus_names_the_targets() {
        let targets = targets().expect("a corpus");
        assert!(targets.contains("authorize") && targets.contains("toml"));
    }
}
