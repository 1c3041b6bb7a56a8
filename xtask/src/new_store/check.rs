//! Whether a crate that `new-store` makes is what it says it is.

use std::process::Command;

use super::{Name, elsewhere};
use crate::{Fallible, Outcome, cargo};

/// As long as a name may be, and as short: lines break in other places.
const NAMES: [&str; 2] = ["sample-of-twenty-four-ch", "x"];

/// What the kit has to say of a crate that is as it was made.
const SAID: [&str; 5] = [
    "expected an answer, got NotWritten",
    "`load` of XStore is not written yet: step 2 in the README of rc-store-x",
    "`save` of XStore is not written yet: step 3",
    "`scan` of XStore is not written yet: step 7",
    "skipped: fault",
];

/// Makes a crate elsewhere; it has to be formatted, to compile without a warning, to have its
/// documentation, and to fail the kit by the names of what is not written.
pub(crate) fn check() -> Outcome {
    let folder = tempfile::tempdir();
    let folder = folder.map_err(|error| format!("cannot make a temporary folder: {error}"))?;
    for name in NAMES {
        let place = folder.path().join(name);
        elsewhere(&Name::new(name)?, &place)?;
        let there = |arguments: &[&str]| command(arguments, &place);
        let package = format!("rc-store-{name}");
        cargo::run(&mut there(&["fmt", "-p", &package, "--check"]))?;
    }
    let place = folder.path().join("x");
    let clippy = [
        "clippy",
        "-p",
        "rc-store-x",
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ];
    cargo::run(&mut command(&clippy, &place))?;
    let mut doc = command(&["doc", "-p", "rc-store-x", "--no-deps"], &place);
    cargo::run(doc.env("RUSTDOCFLAGS", "-D warnings"))?;
    let test = ["test", "-p", "rc-store-x", "--no-fail-fast"];
    let test = [&test[..], &["--", "--show-output"]].concat();
    says_what_is_not_written(&mut command(&test, &place))
}

/// Builds into the folder of this workspace, so that what both need is compiled once.
fn command(arguments: &[&str], place: &std::path::Path) -> Command {
    let mut command = cargo::cargo(arguments);
    command
        .current_dir(place)
        .env("CARGO_TARGET_DIR", cargo::root().join("target"));
    command
}

fn says_what_is_not_written(test: &mut Command) -> Outcome {
    let output = test
        .output()
        .map_err(|error| format!("cannot start the kit of the new crate: {error}"))?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Err("the kit passes on a store that is not written".to_owned());
    }
    named(&said).map_err(|missing| {
        let errors = String::from_utf8_lossy(&output.stderr);
        format!("the kit of the new crate does not say {missing:?}:\n{errors}\n{said}")
    })
}

/// The first of [`SAID`] that is missing, as the error.
fn named(said: &str) -> Fallible<()> {
    match SAID.iter().find(|words| !said.contains(**words)) {
        Some(missing) => Err((*missing).to_owned()),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kit_that_does_not_name_a_method_is_told() {
        let all = SAID.join("\n");
        assert_eq!(named(&all), Ok(()));
        let missing = named(&all.replace("`scan`", "a method"));
        assert!(missing.unwrap_err().contains("`scan`"));
    }
}
