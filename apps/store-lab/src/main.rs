//! Measures the stores, and writes to them while what is around them is broken.
//!
//! Run by `cargo xtask`, which starts the servers and kills them; by itself it only talks to the store of
//! the URL it is given.

mod bench;
mod open;
mod writers;

use std::process::ExitCode;

const USAGE: &str = "\
Usage: store-lab write URL WRITERS    counts records up; prints each answered write; ends when killed
       store-lab bench URL RECORDS..  measures a new store against its bare client, at each number of records
       store-lab bench rotate URL     changes the key of 20,000 records of a new SQLite file
       store-lab bench seal           measures sealing against the bare cipher
       store-lab check URL            reads `KEY COUNT` lines from stdin; fails if the store has less";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    let done = runtime
        .map_err(|error| format!("no runtime: {error}"))
        .and_then(|runtime| runtime.block_on(run(&arguments)));
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("store-lab: {message}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: &[String]) -> Result<(), String> {
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["write", url, count] => {
            let count = count.parse().map_err(|_| "WRITERS is a number")?;
            writers::write(open::open(url).await?, count).await
        }
        ["bench", rest @ ..] => bench::run(rest).await,
        ["check", url] => writers::check(&*open::open(url).await?).await,
        _ => Err(USAGE.to_owned()),
    }
}
