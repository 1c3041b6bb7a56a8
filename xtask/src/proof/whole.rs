//! `prove`: every proof at its full size, one after another; goes on where it was interrupted.

use std::{fs, path::PathBuf, time::Instant};

use crate::{Fallible, Outcome, cargo};

use super::{crash, run, words, zoo};

/// One proof at its full size.
struct Part {
    name: &'static str,
    /// Whether it goes on where it was interrupted, if it can.
    run: fn(bool) -> Outcome,
}

/// The shortest first; the zoo takes as long as all others together.
const PARTS: [Part; 8] = [
    Part {
        name: "simulate",
        run: |_| {
            let size = ["--seeds", "200000", "--twice", "1000"];
            run("simulate", &words(&size))
        },
    },
    Part {
        name: "explore",
        run: |_| run("explore", &[]),
    },
    Part {
        name: "explore-three",
        run: |_| {
            let bounds = ["--processes", "3", "--rotations", "1", "--crashes", "0"];
            run("explore", &words(&bounds))
        },
    },
    Part {
        name: "lives",
        run: |_| run("lives", &[]),
    },
    Part {
        name: "kill",
        run: |_| crash::run(&words(&["kill", "--rounds", "20"])),
    },
    Part {
        name: "stop",
        run: |_| crash::run(&words(&["stop", "--rounds", "20"])),
    },
    Part {
        name: "stampede",
        run: |_| crash::run(&words(&["stampede", "--rounds", "300"])),
    },
    Part {
        name: "zoo",
        run: |resume| {
            let all: &[&str] = if resume { &["--resume"] } else { &[] };
            zoo::run(&words(all))
        },
    },
];

/// `prove [--resume] [PART..]`: all parts or those named. What passed is noted with the commit; `--resume` leaves out
/// what passed on the same one.
pub(super) fn prove(arguments: &[String]) -> Outcome {
    let (flags, names): (Vec<&str>, Vec<&str>) = arguments
        .iter()
        .map(String::as_str)
        .partition(|word| *word == "--resume");
    let parts = chosen(&names)?;
    let resume = !flags.is_empty();
    let mut notes = Notes::of_this_commit(resume)?;
    let mut failed = Vec::new();
    for part in parts {
        let name = part.name;
        if notes.passed.iter().any(|passed| passed == name) {
            println!("prove: {name} passed before, on the same commit");
            continue;
        }
        println!("prove: {name} …");
        let began = Instant::now();
        let outcome = (part.run)(resume);
        let took = began.elapsed().as_secs();
        match outcome {
            Ok(()) => {
                println!("prove: {name} passed in {took} s");
                notes.add(name)?;
            }
            Err(message) => {
                println!("prove: {name} FAILED after {took} s: {message}");
                failed.push(name);
            }
        }
    }
    if failed.is_empty() {
        return Ok(());
    }
    let failed = failed.join(" ");
    Err(format!(
        "failed: {failed}; run one again with: cargo xtask prove {failed}"
    ))
}

fn chosen(names: &[&str]) -> Fallible<Vec<&'static Part>> {
    if names.is_empty() {
        return Ok(PARTS.iter().collect());
    }
    let named = |name: &&str| PARTS.iter().find(|part| part.name == *name);
    let known = || PARTS.map(|part| part.name).join(" ");
    names
        .iter()
        .map(|name| named(name).ok_or_else(|| format!("no part {name:?}; there are: {}", known())))
        .collect()
}

/// What passed, and on which commit: its first line.
struct Notes {
    file: PathBuf,
    commit: String,
    passed: Vec<String>,
}

impl Notes {
    fn of_this_commit(resume: bool) -> Fallible<Self> {
        let mut git = std::process::Command::new("git");
        git.args(["describe", "--always", "--dirty", "--abbrev=40"])
            .current_dir(cargo::root());
        let commit = cargo::output(&mut git)?.trim().to_owned();
        let file = cargo::target().join("proved.txt");
        // Two trees that are changed in different ways have the same name.
        let may_resume = resume && !commit.ends_with("-dirty");
        let text = fs::read_to_string(&file).unwrap_or_default();
        let mut lines = text.lines().map(str::to_owned);
        let is_same = lines.next().is_some_and(|line| line == commit);
        let passed = if may_resume && is_same {
            lines.collect()
        } else {
            Vec::new()
        };
        Ok(Self {
            file,
            commit,
            passed,
        })
    }

    fn add(&mut self, name: &str) -> Outcome {
        self.passed.push(name.to_owned());
        let lines: Vec<&str> = std::iter::once(self.commit.as_str())
            .chain(self.passed.iter().map(String::as_str))
            .collect();
        fs::write(&self.file, lines.join("\n") + "\n")
            .map_err(|error| format!("{}: {error}", self.file.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_chosen_by_name_and_others_are_refused_with_the_list() {
        assert_eq!(chosen(&[]).unwrap().len(), PARTS.len());
        let two: Vec<_> = chosen(&["zoo", "kill"]).unwrap();
        assert_eq!([two[0].name, two[1].name], ["zoo", "kill"]);
        let message = chosen(&["lunch"]).err().unwrap();
        assert!(message.contains("lunch") && message.contains("stampede"));
    }
}
