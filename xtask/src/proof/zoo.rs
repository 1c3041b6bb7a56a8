//! The zoo: a copy of the crates with bugs in it, to see that the simulation finds each of them.

use std::{
    collections::BTreeMap,
    fs,
    hash::{DefaultHasher, Hasher as _},
    path::{Path, PathBuf},
    process::Command,
};

use serde::{Deserialize, Serialize};

use crate::{Fallible, Outcome, cargo};

const LIST: &str = "crates/rc-proof/zoo.toml";
/// A bug that is not found within so many seeds is not found.
const MOST_SEEDS: &str = "50000";
/// Each bug is looked for from so many different first seeds.
const STARTS: u64 = 3;
/// How far they are apart.
const APART: u64 = 1_000_000;

#[derive(Deserialize)]
struct Zoo {
    bug: Vec<Bug>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Bug {
    name: String,
    about: String,
    edit: Vec<Edit>,
}

/// A change of one place.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Edit {
    file: String,
    find: String,
    put: String,
}

/// `zoo [--resume] [--bug NAME [--seed N ..]]`: looks for all bugs, or for one, or tells the story of one seed.
pub(super) fn run(arguments: &[String]) -> Outcome {
    let zoo: Zoo =
        toml::from_str(&read(Path::new(LIST))?).map_err(|error| format!("{LIST}: {error}"))?;
    let program = build(&zoo)?;
    if arguments.iter().any(|word| word == "--seed") {
        return cargo::run(Command::new(&program).args(arguments));
    }
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (wanted, mut notes) = match arguments[..] {
        [] => (None, Notes::begin(Some(&program))?),
        ["--resume"] => (None, Notes::resume(&program)?),
        ["--bug", name] => (Some(name), Notes::begin(None)?),
        _ => return Err("simulate zoo [--resume] [--bug NAME [--seed N ..]]".to_owned()),
    };
    let bugs = zoo
        .bug
        .iter()
        .filter(|bug| wanted.is_none_or(|name| *name == bug.name));
    let mut found = Vec::new();
    for bug in bugs {
        let finds = match notes.finds.get(&bug.name) {
            Some(finds) => finds.clone(),
            None => look_for(&program, bug)?,
        };
        tell(bug, &finds);
        notes.add(bug, &finds)?;
        found.push((bug, finds));
    }
    if found.is_empty() {
        return Err(format!("{LIST} knows no such bug"));
    }
    verdict(&found)
}

/// What was found so far by a run over all bugs, for one that goes on.
struct Notes {
    finds: BTreeMap<String, Vec<Find>>,
    /// `None`: not kept.
    file: Option<PathBuf>,
}

impl Notes {
    /// `program`: where they are kept.
    fn begin(program: Option<&Path>) -> Fallible<Self> {
        let notes = Self {
            finds: BTreeMap::new(),
            file: program.map(Self::of).transpose()?,
        };
        notes.keep()?;
        Ok(notes)
    }

    /// Beside the program that they are about: another one begins anew.
    fn of(program: &Path) -> Fallible<PathBuf> {
        let bytes = fs::read(program).map_err(|error| format!("{}: {error}", program.display()))?;
        let mut hash = DefaultHasher::new();
        hash.write(&bytes);
        Ok(program.with_file_name(format!("found-{:016x}.json", hash.finish())))
    }

    fn resume(program: &Path) -> Fallible<Self> {
        let file = Self::of(program)?;
        if !file.exists() {
            return Self::begin(Some(program));
        }
        let wrong = |error: &dyn std::fmt::Display| format!("{}: {error}", file.display());
        let text = fs::read_to_string(&file).map_err(|error| wrong(&error))?;
        let finds = serde_json::from_str(&text).map_err(|error| wrong(&error))?;
        Ok(Self {
            finds,
            file: Some(file),
        })
    }

    fn add(&mut self, bug: &Bug, finds: &[Find]) -> Outcome {
        self.finds.insert(bug.name.clone(), finds.to_vec());
        self.keep()
    }

    fn keep(&self) -> Outcome {
        let Some(file) = &self.file else {
            return Ok(());
        };
        let text = serde_json::to_string_pretty(&self.finds)
            .map_err(|error| format!("{}: {error}", file.display()))?;
        write(file, &text)
    }
}

/// What it took to find a bug.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
struct Find {
    seeds: u64,
    /// Steps and faults of the smallest story.
    steps: u64,
}

/// Looks for a bug from several first seeds.
fn look_for(program: &Path, bug: &Bug) -> Fallible<Vec<Find>> {
    let mut finds = Vec::new();
    for start in 0..STARTS {
        let from = (start * APART).to_string();
        let output = Command::new(program)
            .args(["--twice", "0", "--seeds", MOST_SEEDS, "--from", &from])
            .args(["--bug", &bug.name])
            .output();
        let output = output.map_err(|error| format!("{}: {error}", program.display()))?;
        let said = String::from_utf8_lossy(&output.stdout);
        match (output.status.code(), find(&said)) {
            (Some(1), Some(find)) => finds.push(find),
            (Some(0), _) => {}
            (code, _) => {
                let errors = String::from_utf8_lossy(&output.stderr);
                return Err(format!("{}: ended with {code:?}: {errors}", bug.name));
            }
        }
    }
    Ok(finds)
}

/// Prints the line about a bug.
fn tell(bug: &Bug, finds: &[Find]) {
    let seeds: Vec<String> = finds.iter().map(|find| find.seeds.to_string()).collect();
    let missing = STARTS - finds.len() as u64;
    let missing = if missing > 0 {
        format!(" NOT FOUND {missing} times")
    } else {
        String::new()
    };
    println!(
        "{:<38} {:>24}{missing}  {}",
        bug.name,
        seeds.join(" "),
        bug.about
    );
}

/// Reads `found after 12 seeds, 7 steps and faults are left`.
fn find(said: &str) -> Option<Find> {
    let (_, rest) = said.split_once("found after ")?;
    let mut words = rest.split_ascii_whitespace();
    Some(Find {
        seeds: words.next()?.parse().ok()?,
        steps: words.nth(1)?.parse().ok()?,
    })
}

fn verdict(found: &[(&Bug, Vec<Find>)]) -> Outcome {
    let mut seeds: Vec<u64> = found
        .iter()
        .flat_map(|(_, finds)| finds)
        .map(|it| it.seeds)
        .collect();
    let mut steps: Vec<u64> = found
        .iter()
        .flat_map(|(_, finds)| finds)
        .map(|it| it.steps)
        .collect();
    seeds.sort_unstable();
    steps.sort_unstable();
    let median = |values: &[u64]| values.get(values.len() / 2).copied().unwrap_or_default();
    println!(
        "{} bugs: seeds to find one {} at the median, {} at worst; steps and faults left {} at the median, {} at worst",
        found.len(),
        median(&seeds),
        seeds.last().copied().unwrap_or_default(),
        median(&steps),
        steps.last().copied().unwrap_or_default(),
    );
    let missed: Vec<&str> = found
        .iter()
        .filter(|(_, finds)| (finds.len() as u64) < STARTS)
        .map(|(bug, _)| bug.name.as_str())
        .collect();
    if missed.is_empty() {
        Ok(())
    } else {
        Err(format!(
            "not found within {MOST_SEEDS} seeds: {}",
            missed.join(" ")
        ))
    }
}

fn read(name: &Path) -> Fallible<String> {
    let path = cargo::root().join(name);
    fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))
}

/// Builds `simulate` with all bugs in it; its path.
fn build(zoo: &Zoo) -> Fallible<PathBuf> {
    let copy = cargo::root().join("target/zoo");
    copy_folder(&cargo::root().join("crates"), &copy.join("crates"), zoo)?;
    let manifest: String = read(Path::new("Cargo.toml"))?
        .lines()
        .filter(|line| {
            let line = line.trim_start();
            !line.starts_with("\"apps/")
                && !line.starts_with("\"xtask\"")
                && !line.starts_with("default-members")
        })
        .map(|line| format!("{line}\n"))
        .collect();
    write(&copy.join("Cargo.toml"), &manifest)?;
    write(&copy.join("Cargo.lock"), &read(Path::new("Cargo.lock"))?)?;
    let build = [
        "build",
        "--release",
        "--quiet",
        "--package=rc-proof",
        "--bin=simulate",
    ];
    // Of its own: cargo would take the crates of both for the same.
    let target = copy.join("target");
    cargo::run(
        cargo::cargo(&build)
            .current_dir(&copy)
            .env("CARGO_TARGET_DIR", &target)
            // Linked in seconds; nobody measures it.
            .env("CARGO_PROFILE_RELEASE_LTO", "off"),
    )?;
    Ok(target.join("release/simulate"))
}

/// Copies what differs, with the bugs put in.
fn copy_folder(from: &Path, to: &Path, zoo: &Zoo) -> Outcome {
    let failed = |error: std::io::Error| format!("{}: {error}", from.display());
    for entry in fs::read_dir(from).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let name = path.file_name().unwrap_or_default();
        if path.is_dir() {
            if name != "target" {
                copy_folder(&path, &to.join(name), zoo)?;
            }
            continue;
        }
        let bytes = fs::read(&path).map_err(failed)?;
        let bytes = match String::from_utf8(bytes) {
            Ok(text) => with_bugs(&path, text, zoo)?.into_bytes(),
            Err(error) => error.into_bytes(),
        };
        write_bytes(&to.join(name), &bytes)?;
    }
    Ok(())
}

fn with_bugs(path: &Path, mut text: String, zoo: &Zoo) -> Fallible<String> {
    let name = path.strip_prefix(cargo::root()).unwrap_or(path);
    for (number, bug) in (1..).zip(&zoo.bug) {
        for edit in bug.edit.iter().filter(|edit| Path::new(&edit.file) == name) {
            text =
                with_bug(&text, number, edit).map_err(|error| format!("{}: {error}", bug.name))?;
        }
    }
    match name.to_str() {
        Some("crates/rc-auth-core/src/lib.rs") => text.push_str(CHOICE),
        Some("crates/rc-proof/src/bin/simulate/zoo.rs") => text = chooser(zoo),
        _ => {}
    }
    Ok(text)
}

fn with_bug(text: &str, number: u32, edit: &Edit) -> Fallible<String> {
    let Edit { file, find, put } = edit;
    let count = text.matches(find.as_str()).count();
    if count != 1 {
        return Err(format!("{file} has {count} places, not one, with:\n{find}"));
    }
    let at = if file.starts_with("crates/rc-auth-core/") {
        "crate"
    } else {
        "rc_auth_core"
    };
    Ok(text.replacen(
        find,
        &put.replace("BUG", &format!("{at}::zoo::is({number})")),
        1,
    ))
}

/// Which bug is chosen.
const CHOICE: &str = "
/// Bugs put in on purpose.
#[doc(hidden)]
pub mod zoo {
    use std::sync::atomic::{AtomicU32, Ordering};
    static CHOSEN: AtomicU32 = AtomicU32::new(0);
    /// Chooses one.
    pub fn choose(number: u32) {
        CHOSEN.store(number, Ordering::Relaxed);
    }
    /// Whether it is chosen.
    pub fn is(number: u32) -> bool {
        CHOSEN.load(Ordering::Relaxed) == number
    }
}
";

fn chooser(zoo: &Zoo) -> String {
    let names = (1..)
        .zip(&zoo.bug)
        .map(|(number, bug): (u32, &Bug)| format!("        {:?} => {number},\n", bug.name));
    let names: String = names.collect();
    format!(
        "//! Chooses a bug.\npub(crate) fn choose(bug: &str) -> Result<(), String> {{\n    \
         rc_auth_core::zoo::choose(match bug {{\n{names}        _ => return Err(format!(\"no bug {{bug:?}}\")),\n    \
         }});\n    Ok(())\n}}\n"
    )
}

fn write(path: &Path, text: &str) -> Outcome {
    write_bytes(path, text.as_bytes())
}

/// Leaves a file alone that says the same already, so that it is not built again.
fn write_bytes(path: &Path, bytes: &[u8]) -> Outcome {
    if fs::read(path).is_ok_and(|there| there == bytes) {
        return Ok(());
    }
    let folder = path.parent().unwrap_or(path);
    let written = fs::create_dir_all(folder).and_then(|()| fs::write(path, bytes));
    written.map_err(|error| format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bug_still_has_its_place_in_the_code() {
        let zoo: Zoo = toml::from_str(&read(Path::new(LIST)).unwrap()).unwrap();
        assert!(zoo.bug.len() >= 40);
        for bug in &zoo.bug {
            for edit in &bug.edit {
                let path = cargo::root().join(&edit.file);
                let text = read(Path::new(&edit.file)).unwrap();
                with_bugs(&path, text, &zoo).unwrap();
                assert!(edit.put.contains("BUG"), "{}", bug.name);
            }
        }
    }

    #[test]
    fn what_it_took_is_read_from_what_the_simulation_says() {
        let said = "BROKEN  X\n\nfound after 12 seeds, 7 steps and faults are left. Again:\n";
        assert_eq!(
            find(said),
            Some(Find {
                seeds: 12,
                steps: 7
            })
        );
        assert_eq!(find("12 seeds"), None);
    }
}
