//! `bench stores`: what the stores cost beside the bare clients, as a table and a plot. `bench sim`: what the simulated
//! platform costs. `bench call`: what a call of the API costs beside the same request made by hand. `bench web`: what
//! the demo costs beside the application of a tutorial.

mod figures;
mod plot;
mod web;

use std::{fs, process::Command};

use crate::{
    Fallible, Outcome, cargo,
    services::{MariaDb, Postgres, Redis},
};
use figures::{Line, Table};
use plot::Chart;

const SIZES: [&str; 2] = ["1000", "100000"];

/// With `--full`.
const FULL_SIZE: &str = "1000000";

const PLOT: &str = "target/bench/stores.svg";

/// Measures every store, or those named, prints the table, draws the plot, and fails when a bound is broken.
pub(crate) fn run(arguments: &[String]) -> Outcome {
    if arguments == ["sim"] {
        let arguments = ["bench", "-p", "rc-sim", "--bench", "platform"];
        return cargo::run(&mut cargo::cargo(&arguments));
    }
    if let Some((kind, rest)) = arguments.split_first()
        && kind == "call"
    {
        let call = ["bench", "-p", "rc-auth", "--bench", "call", "--"];
        return cargo::run(cargo::cargo(&call).args(rest));
    }
    if arguments == ["web"] {
        return web::run();
    }
    let (full, engines) = chosen(arguments)?;
    build()?;
    let mut sizes = SIZES.to_vec();
    sizes.extend(full.then_some(FULL_SIZE));
    let mut table = Table::default();
    figures::print_head();
    for engine in engines {
        eprintln!("measuring {engine} ..");
        let lines = measure(engine, &sizes).map_err(|error| format!("{engine}: {error}"))?;
        // At once: what comes later may fail, and takes minutes.
        figures::print(engine, &lines);
        table.add(engine, lines);
    }
    draw(PLOT, &table.chart())?;
    table.verdict()
}

/// Draws `chart` into the file called `name` from the root of the workspace.
fn draw(name: &str, chart: &Chart) -> Outcome {
    let path = cargo::root().join(name);
    let folder = path.parent().unwrap_or(cargo::root());
    let drawn = fs::create_dir_all(folder).and_then(|()| fs::write(&path, plot::draw(chart)));
    drawn.map_err(|error| format!("cannot write {}: {error}", path.display()))?;
    println!("\nplot: {name}");
    Ok(())
}

const ENGINES: [&str; 6] = ["seal", "rotation", "sqlite", "postgres", "mysql", "redis"];

fn chosen(arguments: &[String]) -> Fallible<(bool, Vec<&'static str>)> {
    let (kind, rest) = arguments.split_first().unzip();
    if kind.is_none_or(|kind| kind != "stores") {
        return Err(
            "say what to measure: `bench call [--full]`, `bench sim`, `bench web` or \
             `bench stores [--full] [ENGINE..]`"
                .to_owned(),
        );
    }
    let rest = rest.unwrap_or_default();
    let full = rest.iter().any(|word| word == "--full");
    let mut engines = Vec::new();
    for word in rest.iter().filter(|word| *word != "--full") {
        let known = ENGINES.into_iter().find(|engine| engine == word);
        engines.push(known.ok_or_else(|| {
            format!(
                "there is no engine {word:?}; there are: {}",
                ENGINES.join(" ")
            )
        })?);
    }
    if engines.is_empty() {
        engines = ENGINES.to_vec();
    }
    Ok((full, engines))
}

fn build() -> Outcome {
    cargo::run(&mut cargo::cargo(&[
        "build",
        "--release",
        "-p",
        "rc-store-lab",
        "--features",
        "lab",
    ]))
}

/// Runs the measuring program for one engine, on a server or in a folder of its own.
fn measure(engine: &str, sizes: &[&str]) -> Fallible<Vec<Line>> {
    match engine {
        "seal" => lab(&["seal"]),
        "postgres" => {
            let server = Postgres::start()?;
            store(&server.url("postgres"), sizes)
        }
        "mysql" => {
            let server = MariaDb::start()?;
            store(&format!("{}/bench", server.url()), sizes)
        }
        "redis" => {
            let server = Redis::start()?;
            store(&server.url(), sizes)
        }
        _ => {
            // On the disk of the project: a temporary folder may be in memory, where nothing is durable.
            let folder = tempfile::tempdir_in(cargo::root().join("target"));
            let folder = folder.map_err(|error| format!("no folder for the file: {error}"))?;
            let url = format!("sqlite://{}/bench.db?mode=rwc", folder.path().display());
            match engine {
                "rotation" => lab(&["rotate", &url]),
                _ => store(&url, sizes),
            }
        }
    }
}

fn store(url: &str, sizes: &[&str]) -> Fallible<Vec<Line>> {
    lab(&[&[url], sizes].concat())
}

fn lab(arguments: &[&str]) -> Fallible<Vec<Line>> {
    let program = cargo::root().join("target/release/store-lab");
    let mut command = Command::new(program.with_extension(std::env::consts::EXE_EXTENSION));
    let said = cargo::output(command.arg("bench").args(arguments))?;
    said.lines().map(Line::parse).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn without_names_every_engine_is_measured() {
        assert_eq!(chosen(&words("stores")), Ok((false, ENGINES.to_vec())));
        let one = chosen(&words("stores --full redis"));
        assert_eq!(one, Ok((true, vec!["redis"])));
    }

    #[test]
    fn an_unknown_engine_is_refused_with_the_known_ones() {
        let message = chosen(&words("stores oracle")).unwrap_err();
        assert!(
            message.contains("oracle") && message.contains("postgres"),
            "{message}"
        );
        assert!(chosen(&words("lunch")).is_err() && chosen(&[]).is_err());
    }
}
