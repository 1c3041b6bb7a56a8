//! Fuzzing: changed inputs at every way into the platform, and what has to hold whatever they are.
//!
//! A plain loop of small changes of a kept corpus, from a seed. Property tests start from nothing and build a
//! tree to shrink by for every input; this starts from inputs that are nearly right, so more of them get deep.
//! An input that comes to something new, a status or a code, is changed further.
//!
//! `cargo test` replays the corpus and runs shortly; `cargo xtask fuzz` runs long.

mod checks;
mod corpus;
mod jose;
mod message;
mod mutation;
mod random;
mod run;
mod stage;
mod target;
mod words;

use std::{env, time::Duration};

use run::{Failure, Plan, Report, Runner};
use target::{TARGETS, Target};

#[test]
fn every_kept_input_is_answered_as_it_must_be() {
    for target in TARGETS {
        let inputs = corpus::read(target.name).expect("a corpus");
        assert!(!inputs.is_empty(), "{}", target.name);
        let mut runner = Runner::new(target);
        for (name, input) in inputs {
            let failed = runner.run(&input).err().map(|failure| failure.what);
            assert_eq!(failed, None, "{}/{name}", target.name);
        }
        assert_eq!(runner.bounds(), Ok(()), "{}", target.name);
    }
}

#[test]
fn inputs_of_a_fixed_seed_are_answered_as_they_must_be() {
    let plan = Plan {
        seed: 1,
        inputs: 60,
        time: Duration::MAX,
        replay: false,
        keep: false,
    };
    for target in TARGETS {
        let failed = Runner::new(target).explore(&plan).err();
        let failed = failed.map(|failure| {
            (
                failure.what,
                String::from_utf8_lossy(&failure.input).into_owned(),
            )
        });
        assert_eq!(failed, None, "{}", target.name);
    }
}

/// What `cargo xtask fuzz` runs: `RC_FUZZ_TARGET`, for `RC_FUZZ_SECONDS`, from `RC_FUZZ_SEED`.
#[test]
#[ignore = "runs as long as RC_FUZZ_SECONDS says"]
fn long() {
    let name = env::var("RC_FUZZ_TARGET").expect("RC_FUZZ_TARGET");
    let target = TARGETS.iter().find(|target| target.name == name);
    let target = target.expect("RC_FUZZ_TARGET is no target");
    let number = |name: &str| env::var(name).ok()?.parse::<u64>().ok();
    let plan = Plan {
        seed: number("RC_FUZZ_SEED").unwrap_or(1),
        inputs: u64::MAX,
        time: Duration::from_secs(number("RC_FUZZ_SECONDS").unwrap_or(60)),
        replay: true,
        keep: env::var_os("RC_FUZZ_KEEP").is_some(),
    };
    let runner = Runner::new(target);
    runner.watch();
    match runner.explore(&plan) {
        Ok(report) => tell(target, &report),
        Err(failure) => fail(target, &failure),
    }
}

fn tell(target: &Target, report: &Report) {
    let per_second = report.inputs as f64 / report.took.as_secs_f64();
    let [before, half, after] = report.memory.map(|bytes| bytes / 1024 / 1024);
    println!(
        "{:<17}{:>10} inputs {per_second:>8.0}/s {:>6.1} s {:>5} outcomes, slowest {:>7.2} ms, memory {before} > {half} > {after} MiB",
        target.name,
        report.inputs,
        report.took.as_secs_f64(),
        report.outcomes,
        report.slowest.as_secs_f64() * 1_000.0,
    );
    if env::var_os("RC_FUZZ_SLOWEST").is_some() {
        println!(
            "slowest: {:?}",
            String::from_utf8_lossy(&report.slowest_input)
        );
    }
}

fn fail(target: &Target, failure: &Failure) {
    let name = run::keep(target, "failed", &failure.input);
    let kept = name.unwrap_or_else(|failure| failure.what);
    println!("{}: {}", target.name, failure.what);
    println!(
        "kept as crates/rc-sim/tests/fuzz/corpus/{}/{kept}; replay it:",
        target.name
    );
    println!("  cargo test -p rc-sim --test fuzz every_kept_input");
    panic!("{}: {}", target.name, failure.what);
}
