//! `simulate`: short stories of several processes on one store and one platform that fail in every way, in virtual
//! time, one after another. See `--help`, and docs/proof.md.

mod call;
mod chance;
mod checks;
mod dice;
mod episode;
mod ledger;
mod network;
mod plan;
mod series;
mod setting;
mod shrink;
mod store;
mod story;
mod town;
mod trace;
mod zoo;

use std::{collections::BTreeSet, fmt::Display, process::ExitCode, str::FromStr, time::Duration};

use clap::Parser;

use chance::Op;
use story::{Script, Story};

pub(crate) const SECOND: Duration = Duration::from_secs(1);

/// Runs stories of several processes, a store and a platform that fail, and shows the first that loses something.
#[derive(Debug, Parser)]
#[command(name = "simulate")]
struct Arguments {
    /// How many seeds to run
    #[arg(long, default_value_t = 2_000)]
    seeds: u64,
    /// The first seed: to go on where another run ended
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// Runs this seed alone, and prints what happened
    #[arg(long, conflicts_with = "seeds")]
    seed: Option<u64>,
    /// With --seed: only these steps, such as 3,7,12
    #[arg(long, requires = "seed")]
    steps: Option<String>,
    /// With --seed: only these operations fail, such as 1s4,2p3
    #[arg(long, requires = "seed")]
    faults: Option<String>,
    /// Threads
    #[arg(long, default_value_t = 2)]
    threads: u64,
    /// Runs the first seeds twice, and compares what was said
    #[arg(long, default_value_t = 100)]
    twice: u64,
    /// A bug to run with, in a build that has bugs in it
    #[arg(long)]
    bug: Option<String>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let outcome = match &arguments.bug {
        Some(bug) => zoo::choose(bug).and_then(|()| run(&arguments)),
        None => run(&arguments),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(message) => {
            eprintln!("simulate: {message}");
            ExitCode::from(2)
        }
    }
}

/// `false`: something was lost.
fn run(arguments: &Arguments) -> Result<bool, String> {
    let Some(seed) = arguments.seed else {
        return series::run(&series::Series {
            seeds: arguments.from..arguments.from.saturating_add(arguments.seeds),
            threads: arguments.threads.max(1),
            twice: arguments.twice,
            bug: arguments.bug.clone(),
        });
    };
    let script = Script {
        seed,
        steps: arguments.steps.as_deref().map(list).transpose()?,
        faults: arguments.faults.as_deref().map(list::<Op>).transpose()?,
        keeps: true,
    };
    let outcome = Story::run(&script)?;
    outcome
        .trace
        .lines()
        .iter()
        .for_each(|line| println!("{line}"));
    for complaint in &outcome.complaints {
        println!("BROKEN  {complaint}");
    }
    println!("{:016x} is the hash of this story", outcome.trace.hash());
    Ok(outcome.complaints.is_empty())
}

fn list<T: FromStr + Ord>(text: &str) -> Result<BTreeSet<T>, String>
where
    T::Err: Display,
{
    let items = text.split(',').filter(|item| !item.is_empty());
    let items = items.map(|item| item.parse().map_err(|error| format!("{item:?}: {error}")));
    items.collect()
}
