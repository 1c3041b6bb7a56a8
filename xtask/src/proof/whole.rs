//! `prove`: every proof at its full size, one after another; goes on where it was interrupted.

use std::{
    collections::BTreeSet, fs, io::ErrorKind, iter, path::PathBuf, process::Command, time::Instant,
};

use crate::{Fallible, Outcome, cargo};

use super::{crash, interleave, run, words, zoo};

/// One proof at its full size.
struct Part {
    name: &'static str,
    /// Whether it goes on where it was interrupted, if it can.
    run: fn(bool) -> Outcome,
}

const fn part(name: &'static str, run: fn(bool) -> Outcome) -> Part {
    Part { name, run }
}

const PARTS: [Part; 11] = [
    part("simulate", |_| {
        let size = ["--seeds", "200000", "--twice", "1000"];
        run("simulate", &words(&size))
    }),
    part("explore", |_| run("explore", &[])),
    part("explore-strict", |_| {
        run("explore", &words(&["--strict", "1"]))
    }),
    part("explore-three", |_| {
        let bounds = ["--processes", "3", "--rotations", "1", "--crashes", "1"];
        // Breadth first it does not fit into 16 GiB.
        run("explore", &words(&[&bounds[..], &["--deep", "1"]].concat()))
    }),
    part("lives", |_| run("lives", &[])),
    part("interleave", |_| interleave::run()),
    part("kill", |_| crash::run(&words(&["kill", "--rounds", "20"]))),
    part("stop", |_| crash::run(&words(&["stop", "--rounds", "20"]))),
    part("stampede", |_| {
        crash::run(&words(&["stampede", "--rounds", "300"]))
    }),
    part("durable", |_| crash::run(&words(&["durable"]))),
    // Last: it may take as long as all others together.
    part("zoo", |resume| {
        let all: &[&str] = if resume { &["--resume"] } else { &[] };
        zoo::run(&words(all))
    }),
];

/// `prove [--resume] [PART..]`: all parts or those named. What passed last is noted with the commit; `--resume` leaves
/// out what passed on the same one.
pub(super) fn prove(arguments: &[String]) -> Outcome {
    let (flags, names): (Vec<&str>, Vec<&str>) = arguments
        .iter()
        .map(String::as_str)
        .partition(|word| *word == "--resume");
    let parts = chosen(&names)?;
    let resume = !flags.is_empty();
    let mut notes = Notes::of_this_commit()?;
    let mut failed = Vec::new();
    for part in parts {
        let name = part.name;
        if resume && notes.passed.contains(name) {
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
                notes.set(name, true)?;
            }
            Err(message) => {
                println!("prove: {name} FAILED after {took} s: {message}");
                notes.set(name, false)?;
                failed.push(name);
            }
        }
    }
    if failed.is_empty() {
        return Ok(());
    }
    let failed = failed.join(" ");
    Err(format!(
        "failed: {failed}; once that is mended and committed, run all again: cargo xtask prove"
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
    passed: BTreeSet<String>,
}

impl Notes {
    fn of_this_commit() -> Fallible<Self> {
        let mut git = Command::new("git");
        git.args(["describe", "--always", "--dirty", "--abbrev=40"])
            .current_dir(cargo::root());
        let commit = cargo::output(&mut git)?.trim().to_owned();
        Self::read(cargo::target().join("proved.txt"), commit)
    }

    fn read(file: PathBuf, commit: String) -> Fallible<Self> {
        let text = match fs::read_to_string(&file) {
            Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
            text => text.map_err(|error| format!("{}: {error}", file.display()))?,
        };
        let mut lines = text.lines().map(str::to_owned);
        // Two trees that are changed in different ways have the same name.
        let is_same =
            lines.next().is_some_and(|line| line == commit) && !commit.ends_with("-dirty");
        let passed = if is_same {
            lines.collect()
        } else {
            BTreeSet::new()
        };
        Ok(Self {
            file,
            commit,
            passed,
        })
    }

    fn set(&mut self, name: &str, passed: bool) -> Outcome {
        if passed {
            self.passed.insert(name.to_owned());
        } else {
            self.passed.remove(name);
        }
        let passed = self.passed.iter().map(String::as_str);
        let lines: Vec<&str> = iter::once(self.commit.as_str()).chain(passed).collect();
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

    #[test]
    fn what_passed_is_remembered_for_its_commit_alone_and_until_it_fails() {
        let folder = tempfile::tempdir().unwrap();
        let read = |commit: &str| {
            let notes = Notes::read(folder.path().join("proved.txt"), commit.to_owned());
            notes.unwrap()
        };
        read("one").set("kill", true).unwrap();
        read("one").set("stop", true).unwrap();
        assert_eq!(read("one").passed.len(), 2);
        read("one").set("kill", false).unwrap();
        assert!(!read("one").passed.contains("kill"));
        assert!(read("one").passed.contains("stop"));
        assert!(read("two").passed.is_empty());
        read("two-dirty").set("kill", true).unwrap();
        assert!(read("two-dirty").passed.is_empty());
    }
}
