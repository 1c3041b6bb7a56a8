//! `simulate`, `explore`, `lives`, `interleave` and `crash`: the proofs that no sign-in is lost, as docs/proof.md describes them.

mod crash;
mod interleave;
mod whole;
mod zoo;

use crate::{Outcome, cargo};

/// `simulate [ARGUMENTS..]`, and `simulate zoo` for the build with bugs in it.
pub(crate) fn simulate(arguments: &[String]) -> Outcome {
    match arguments.split_first() {
        Some((first, rest)) if first == "zoo" => zoo::run(rest),
        _ => run("simulate", arguments),
    }
}

/// `explore [ARGUMENTS..]`
pub(crate) fn explore(arguments: &[String]) -> Outcome {
    run("explore", arguments)
}

/// `lives [SCENARIO..] [ARGUMENTS..]`
pub(crate) fn lives(arguments: &[String]) -> Outcome {
    run("lives", arguments)
}

/// `crash [kill | stop | stampede | durable] [ARGUMENTS..]`
pub(crate) fn crash(arguments: &[String]) -> Outcome {
    crash::run(arguments)
}

/// `interleave`
pub(crate) fn interleave(_: &[String]) -> Outcome {
    interleave::run()
}

/// `prove [--resume] [PART..]`
pub(crate) fn prove(arguments: &[String]) -> Outcome {
    whole::prove(arguments)
}

/// All proofs at a reduced size, and the bug that has to be found. What measures is left out: others may be at work.
pub(crate) fn check() -> Outcome {
    run("simulate", &words(&["--seeds", "20000"]))?;
    run("explore", &[])?;
    run("explore", &words(&["--rotations", "1", "--strict", "1"]))?;
    run("explore", &words(&["--spoiled"]))?;
    run("lives", &words(&["--reduced"]))?;
    interleave::run()?;
    crash::check()?;
    zoo::run(&words(&["--bug", "canary"]))
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

fn run(program: &str, arguments: &[String]) -> Outcome {
    let run = ["run", "--release", "--quiet", "--package=rc-proof", "--bin"];
    cargo::run(cargo::cargo(&run).args([program, "--"]).args(arguments))
}
