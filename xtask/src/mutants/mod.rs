//! Whether the tests of a crate notice changes of its code: cargo-mutants on a sample.

use std::{collections::BTreeSet, fs, path::PathBuf, process::Command};

use crate::{Fallible, Outcome, cargo, libraries, number, tool};

mod results;
mod sample;

use results::{Results, Summary};

/// As many as an hour takes for most crates.
const SAMPLE: usize = 50;

/// How `cargo mutants` ends where it ran to its end: all caught, some missed, some timed out.
const RAN: [i32; 3] = [0, 2, 3];

#[derive(Debug)]
struct Plan {
    crates: Vec<String>,
    sample: usize,
    seed: u64,
    resume: bool,
}

/// Where the results of a crate are.
struct Places {
    /// What is known of it from all runs.
    results: PathBuf,
    /// For what cargo-mutants writes.
    output: PathBuf,
}

/// `cargo xtask mutants [CRATE..] [--sample N] [--seed S] [--resume]`
pub(crate) fn run(arguments: &[String]) -> Outcome {
    let plan = read(arguments)?;
    let metadata = cargo::metadata()?;
    let chosen = libraries::chosen(&metadata, &plan.crates)?;
    let program = tool::CARGO_MUTANTS.program()?;
    let mut weak = Vec::new();
    for library in chosen {
        let summary = try_out(&library.name, &plan, &program)?;
        print!("{}", summary.told(&library.name));
        if !summary.is_enough() {
            weak.push(library.name.as_str());
        }
    }
    if weak.is_empty() {
        return Ok(());
    }
    Err(format!(
        "fewer than {} % of the mutants were caught in {}; write tests that fail for those missed",
        results::ENOUGH,
        weak.join(" ")
    ))
}

/// Runs the mutants of the sample that have no result yet.
fn try_out(name: &str, plan: &Plan, program: &PathBuf) -> Fallible<Summary> {
    let places = Places::of(name);
    let mut results = known(&places, plan.resume)?;
    let all = listed(name, program)?;
    let chosen = sample::of(&all, plan.sample, plan.seed);
    let left: Vec<&str> = chosen
        .iter()
        .copied()
        .filter(|mutant| !results.has(mutant))
        .collect();
    println!(
        "mutants: {} of the {} of {name}, {} of them have a result",
        chosen.len(),
        all.len(),
        chosen.len() - left.len()
    );
    if !left.is_empty() {
        test(name, program, &left, &places)?;
        results.absorb(&places.outcomes()?)?;
        write(&places, &results)?;
    }
    results.summary(&chosen)
}

impl Places {
    fn of(name: &str) -> Self {
        let folder = cargo::target().join("mutants");
        Self {
            results: folder.join(format!("{name}.json")),
            output: folder.join(name),
        }
    }

    /// What cargo-mutants wrote last, after each mutant: also where it was interrupted.
    fn outcomes(&self) -> Fallible<String> {
        let file = self.output.join("mutants.out").join("outcomes.json");
        fs::read_to_string(&file)
            .map_err(|error| format!("cannot read {}: {error}", file.display()))
    }
}

/// The results of earlier runs, where they are to be kept; those of an interrupted one too.
fn known(places: &Places, resume: bool) -> Fallible<Results> {
    let mut results = Results::default();
    if !resume {
        return Ok(results);
    }
    if places.results.exists() {
        let text = fs::read_to_string(&places.results)
            .map_err(|error| format!("cannot read {}: {error}", places.results.display()))?;
        results = Results::read(&text)?;
    }
    if places.output.join("mutants.out/outcomes.json").exists() {
        results.absorb(&places.outcomes()?)?;
        write(places, &results)?;
    }
    Ok(results)
}

fn write(places: &Places, results: &Results) -> Outcome {
    let folder = cargo::target().join("mutants");
    fs::create_dir_all(folder)
        .and_then(|()| fs::write(&places.results, results.text()))
        .map_err(|error| format!("cannot write {}: {error}", places.results.display()))
}

/// The names of all mutants of a crate.
fn listed(name: &str, program: &PathBuf) -> Fallible<BTreeSet<String>> {
    let mut list = mutants(program);
    list.args(["--list", "--json", "--package", name]);
    sample::names(&cargo::output(&mut list)?)
}

fn mutants(program: &PathBuf) -> Command {
    let mut command = Command::new(program);
    command.arg("mutants").current_dir(cargo::root());
    command
}

/// Tests the mutants named with the tests of their crate alone.
///
/// Each run builds in a folder of its own: in a shared one, cargo could take what an earlier mutant left for current.
fn test(name: &str, program: &PathBuf, left: &[&str], places: &Places) -> Outcome {
    fs::create_dir_all(&places.output)
        .map_err(|error| format!("cannot make {}: {error}", places.output.display()))?;
    let mut command = mutants(program);
    command
        .env_remove("CARGO_TARGET_DIR")
        // For nobody to read, and each mutant would write it anew.
        .env("CARGO_PROFILE_DEV_DEBUG", "false")
        .args(["--package", name, "--test-package", name])
        .args(["--cap-lints", "true", "--output"])
        .arg(&places.output);
    for mutant in left {
        command.args(["--re", &sample::exactly(mutant)]);
    }
    // Examples in the documentation would be built anew for each mutant; and what takes ten times as long as all
    // other tests shows how much can be done, which other tests show of a little.
    command.args(["--", "--tests", "--", "--skip", "at_scale::"]);
    let status = command.status();
    let status = status.map_err(|error| format!("cannot start cargo-mutants: {error}"))?;
    if status.code().is_some_and(|code| RAN.contains(&code)) {
        return Ok(());
    }
    Err(format!(
        "cargo-mutants did not test {name} to the end ({status}); see {}, then go on with --resume",
        places.output.join("mutants.out/log").display()
    ))
}

fn read(arguments: &[String]) -> Fallible<Plan> {
    let mut plan = Plan {
        crates: Vec::new(),
        sample: SAMPLE,
        seed: 1,
        resume: false,
    };
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--resume" => plan.resume = true,
            "--seed" => plan.seed = number(argument, arguments.next())?,
            "--sample" => {
                plan.sample = usize::try_from(number(argument, arguments.next())?)
                    .map_err(|_| "--sample is too large".to_owned())?;
            }
            option if option.starts_with('-') => {
                return Err(format!(
                    "{option:?} is no option; there are: --sample N, --seed S, --resume"
                ));
            }
            name => plan.crates.push(name.to_owned()),
        }
    }
    if plan.sample == 0 {
        return Err("--sample takes a number from 1".to_owned());
    }
    Ok(plan)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(arguments: &[&str]) -> Fallible<Plan> {
        let arguments: Vec<_> = arguments.iter().map(ToString::to_string).collect();
        read(&arguments)
    }

    #[test]
    fn crates_and_options_are_read_in_any_order() {
        let plan = plan(&["--sample", "5", "rc-x", "--resume", "--seed", "7"]).unwrap();
        assert_eq!(plan.crates, ["rc-x"]);
        assert_eq!((plan.sample, plan.seed, plan.resume), (5, 7, true));
    }

    #[test]
    fn what_makes_no_sense_is_refused_by_name() {
        for wrong in [
            &["--sample", "0"][..],
            &["--sample"],
            &["--seed", "x"],
            &["--lunch"],
        ] {
            let message = plan(wrong).unwrap_err();
            assert!(message.contains(wrong[0]), "{message}");
        }
    }

    #[test]
    fn results_are_kept_only_where_the_run_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        let places = Places {
            results: folder.path().join("rc-x.json"),
            output: folder.path().join("rc-x"),
        };
        assert!(!known(&places, true).unwrap().has("a"));
        fs::write(&places.results, r#"{ "a": "CaughtMutant" }"#).unwrap();
        assert!(known(&places, true).unwrap().has("a"));
        assert!(!known(&places, false).unwrap().has("a"));
    }
}
