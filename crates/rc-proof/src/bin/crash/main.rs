//! `crash`: real processes on a real store, killed or stopped at named points around each step of a sign-in, a refresh,
//! a sign-out and a sweep; and many of them with one grant whose token has ended. See `--help`, and docs/proof.md.

mod child;
mod durable;
mod points;
mod rounds;
mod stage;
mod stampede;
mod wrappers;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Kills and stops real processes at each point around their input and output, and sees that no sign-in is lost.
#[derive(Debug, Parser)]
#[command(name = "crash")]
struct Arguments {
    #[command(subcommand)]
    command: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// `kill -9` at each point of a sign-in, a refresh, a sign-out and a sweep
    Kill(Rounds),
    /// `kill -STOP` at each point of a refresh, a take-over by another process, `kill -CONT`
    Stop(Rounds),
    /// Several processes with many callers each on one grant whose token is refused
    Stampede(stampede::Size),
    /// What a refresh costs for being written down, beside the same on a store in memory
    Durable(durable::Size),
    /// One process of the above
    #[command(hide = true)]
    Child(child::Orders),
}

/// Where, and how often.
#[derive(Debug, clap::Args)]
struct Rounds {
    /// The store: sqlite:FILE, or the address of a PostgreSQL
    #[arg(long)]
    store: String,
    /// How often at each point
    #[arg(long, default_value_t = 20)]
    rounds: u32,
}

fn main() -> ExitCode {
    let outcome = runtime().and_then(|runtime| match Arguments::parse().command {
        Action::Kill(rounds) => runtime.block_on(rounds::kill(&rounds.store, rounds.rounds)),
        Action::Stop(rounds) => runtime.block_on(rounds::stop(&rounds.store, rounds.rounds)),
        Action::Stampede(size) => runtime.block_on(stampede::run(&size)),
        Action::Durable(size) => runtime.block_on(durable::run(&size)),
        Action::Child(orders) => child::run(orders).map(|()| true),
    });
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}

fn runtime() -> Result<tokio::runtime::Runtime, String> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("cannot start the runtime: {error}"))
}
