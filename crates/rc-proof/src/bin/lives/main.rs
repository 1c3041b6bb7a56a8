//! `lives`: long lives of grants in virtual time, as production clients live them on one store and one simulated
//! platform. Each scenario prints one line with its figures and whether they are as promised. See `--help`.

mod callers;
mod dead;
mod dice;
mod heals;
mod in_the_air;
mod rotations;
mod shelf;
mod sweep;
mod town;
mod verdict;
mod wire;
mod year;

use std::{process::ExitCode, time::Instant};

use clap::{Parser, ValueEnum};

use verdict::Verdict;

/// Runs long lives of grants in virtual time, and says whether a sign-in was lost.
#[derive(Debug, Parser)]
#[command(name = "lives")]
struct Arguments {
    /// The scenarios to run; all, where none is named
    scenarios: Vec<Scenario>,
    /// Fewer rotations, users and days
    #[arg(long)]
    reduced: bool,
    /// Spoils each scenario on purpose: every one has to say BROKEN
    #[arg(long)]
    spoiled: bool,
}

/// How a scenario is run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size {
    pub(crate) seed: u64,
    pub(crate) reduced: bool,
    pub(crate) spoiled: bool,
}

impl Size {
    /// One of two numbers.
    pub(crate) fn of<T>(self, full: T, reduced: T) -> T {
        if self.reduced { reduced } else { full }
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Scenario {
    /// A grant is refreshed thousands of times while everything fails now and then
    Rotations,
    /// A thousand callers of a grant whose refresh token is dead
    Dead,
    /// The access token dies while a thousand calls are in the air
    InTheAir,
    /// The token endpoint is in trouble and heals
    Heals,
    /// A year of users who call now and then
    Year,
    /// Many grants are due after an outage
    Sweep,
}

impl Scenario {
    const fn seed(self) -> u64 {
        match self {
            Self::Rotations => 101,
            Self::Dead => 202,
            Self::InTheAir => 303,
            Self::Heals => 404,
            Self::Year => 505,
            Self::Sweep => 606,
        }
    }

    fn run(self, size: Size) -> Result<Verdict, String> {
        match self {
            Self::Rotations => rotations::run(size),
            Self::Dead => dead::run(size),
            Self::InTheAir => in_the_air::run(size),
            Self::Heals => heals::run(size),
            Self::Year => year::run(size),
            Self::Sweep => sweep::run(size),
        }
    }
}

fn main() -> ExitCode {
    let mut arguments = Arguments::parse();
    if arguments.scenarios.is_empty() {
        arguments.scenarios = Scenario::value_variants().to_vec();
    }
    match run(&arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(message) => {
            eprintln!("lives: {message}");
            ExitCode::from(2)
        }
    }
}

/// `false`: one is broken.
fn run(arguments: &Arguments) -> Result<bool, String> {
    let mut all_ok = true;
    for scenario in &arguments.scenarios {
        let size = Size {
            seed: scenario.seed(),
            reduced: arguments.reduced,
            spoiled: arguments.spoiled,
        };
        let began = Instant::now();
        let verdict = scenario.run(size)?;
        let name = scenario.to_possible_value();
        let name = name.as_ref().map_or("", |name| name.get_name());
        let took = began.elapsed().as_secs_f64();
        println!("{name} (seed {}, {took:.1} s): {verdict}", size.seed);
        all_ok &= verdict.is_ok();
    }
    Ok(all_ok)
}
