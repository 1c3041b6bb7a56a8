//! Every chore of this repository as a command: `cargo xtask` lists them.

use std::{env, process::ExitCode};

mod alone;
mod api;
mod bench;
mod cargo;
mod ci;
mod demo;
mod deny;
mod e2e;
mod fuzz;
mod guide;
mod interop;
mod layers;
mod libraries;
mod mutants;
mod new_store;
mod processes;
mod proof;
mod services;
mod stores;
mod stress;
mod tool;
mod wire;

/// What a chore says when it did not work out: what happened, to what, what to do next.
type Outcome = Fallible<()>;

/// The answer of a step of a chore, or what is wrong as a sentence.
type Fallible<T> = Result<T, String>;

/// One command.
struct Chore {
    name: &'static str,
    arguments: &'static str,
    purpose: &'static str,
    run: fn(&[String]) -> Outcome,
}

const CHORES: [Chore; 22] = [
    Chore {
        name: "ci",
        arguments: "[STEP..]",
        purpose: "everything a change has to pass; or only the steps named: fmt layers deny clippy test doc api proof new-store e2e interop guide stores",
        run: ci::run,
    },
    Chore {
        name: "layers",
        arguments: "",
        purpose: "checks which crate depends on which, and that rc-auth-core does no I/O",
        run: layers::run,
    },
    Chore {
        name: "deny",
        arguments: "",
        purpose: "runs cargo-deny: licences, banned crates, sources and advisories against deny.toml; installs it where it is missing",
        run: deny::run,
    },
    Chore {
        name: "alone",
        arguments: "[CRATE..]",
        purpose: "checks each library from outside: every feature by itself, the examples of its README, its package",
        run: alone::run,
    },
    Chore {
        name: "api",
        arguments: "[--bless]",
        purpose: "compares the public API of each library with its public-api.txt; --bless: writes these files",
        run: api::run,
    },
    Chore {
        name: "e2e",
        arguments: "[-- TEST ARGUMENTS..]",
        purpose: "runs the browser tests (needs Chromium and its driver)",
        run: e2e::run,
    },
    Chore {
        name: "interop",
        arguments: "[--spoiled] [CLIENT..]",
        purpose: "runs other people's clients against rc-sim (needs Node.js and Python); --list: how --spoiled spoils it",
        run: interop::run,
    },
    Chore {
        name: "guide",
        arguments: "",
        purpose: "runs every block of docs/testing.md (needs Node.js, Python, curl and jq)",
        run: guide::run,
    },
    Chore {
        name: "fuzz",
        arguments: "[--minutes N] [TARGET..]",
        purpose: "runs changed inputs through rc-sim, a minute per target; --keep adds to the corpus what came to something new, --seed N starts elsewhere",
        run: fuzz::run,
    },
    Chore {
        name: "mutants",
        arguments: "[CRATE..]",
        purpose: "changes the code of a library and runs its tests, for a sample of changes; --sample N, --seed S, --resume (minutes to hours; not part of ci)",
        run: mutants::run,
    },
    Chore {
        name: "simulate",
        arguments: "[zoo]",
        purpose: "runs stories of processes, a store and a platform that fail, in virtual time; --seeds N, --seed N, --help; zoo [--resume]: looks for bugs put in on purpose",
        run: proof::simulate,
    },
    Chore {
        name: "explore",
        arguments: "",
        purpose: "visits every order of events around the state machine of a grant, within bounds; --processes N, --rotations N, --crashes N; --spoiled: with each invariant taken away",
        run: proof::explore,
    },
    Chore {
        name: "lives",
        arguments: "[SCENARIO..] [--reduced]",
        purpose: "lives long lives of grants in virtual time: thousands of rotations, a year, outages; --spoiled: each has to say BROKEN; --help",
        run: proof::lives,
    },
    Chore {
        name: "crash",
        arguments: "[kill | stop | stampede | durable]",
        purpose: "kills and stops real processes at each point around their input and output, on SQLite and PostgreSQL; --rounds N",
        run: proof::crash,
    },
    Chore {
        name: "interleave",
        arguments: "",
        purpose: "tries thousands of interleavings of threads that wait for a grant, refresh it and sign it out",
        run: proof::interleave,
    },
    Chore {
        name: "prove",
        arguments: "[PART..]",
        purpose: "runs every proof at its full size, over an hour: simulate explore explore-three lives interleave kill stop stampede zoo; --resume goes on on the same commit",
        run: proof::prove,
    },
    Chore {
        name: "new-store",
        arguments: "NAME",
        purpose: "begins crates/rc-store-NAME for another backend: compiles, and says what to write next",
        run: new_store::run,
    },
    Chore {
        name: "stores",
        arguments: "",
        purpose: "tests the stores on PostgreSQL, MySQL or MariaDB, and Redis: throw-away servers, or those of RC_TEST_…_URL",
        run: stores::run,
    },
    Chore {
        name: "services",
        arguments: "[NAME..] [-- COMMAND..]",
        purpose: "starts throw-away servers from installed programs: postgres mysql redis redis-cluster",
        run: services::run,
    },
    Chore {
        name: "stress",
        arguments: "[NAME..]",
        purpose: "measures release builds under crashes and floods against bounds: kill flood pages replicas stores failover (Linux; minutes)",
        run: stress::run,
    },
    Chore {
        name: "bench",
        arguments: "call | sim | web | stores [--full] [ENGINE..]",
        purpose: "measures a call, the simulator, the demo beside a tutorial's application (Linux), or the stores beside their bare clients, against bounds; web and stores: a table, and target/bench/NAME.svg (minutes)",
        run: bench::run,
    },
    Chore {
        name: "demo",
        arguments: "[--replicas N]",
        purpose: "runs the web application with the simulated platform; or N behind HAProxy on one PostgreSQL",
        run: demo::run,
    },
];

fn main() -> ExitCode {
    if let Some(code) = api::stand_in() {
        return code;
    }
    let arguments: Vec<String> = env::args().skip(1).collect();
    match dispatch(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(arguments: &[String]) -> Outcome {
    let Some((name, rest)) = arguments.split_first() else {
        print!("{}", help());
        return Ok(());
    };
    if matches!(name.as_str(), "help" | "--help" | "-h") {
        print!("{}", help());
        return Ok(());
    }
    let chore = CHORES.iter().find(|chore| chore.name == name);
    let chore = chore.ok_or_else(|| format!("there is no chore {name:?}\n\n{}", help()))?;
    (chore.run)(rest)
}

fn help() -> String {
    let mut text = "Every chore of this repository.\n\nUsage: cargo xtask COMMAND\n\n".to_owned();
    for Chore {
        name,
        arguments,
        purpose,
        ..
    } in CHORES
    {
        let call = format!("{name} {arguments}");
        text.push_str(&format!("  {call:<27} {purpose}\n"));
    }
    text
}

/// For chores that take no arguments.
fn no_arguments(arguments: &[String]) -> Outcome {
    match arguments {
        [] => Ok(()),
        [first, ..] => Err(format!(
            "this chore takes no arguments, and {first:?} is one"
        )),
    }
}

/// The number that follows the option `name`.
fn number(name: &str, value: Option<&String>) -> Fallible<u64> {
    let number = value.and_then(|value| value.parse().ok());
    number.ok_or_else(|| format!("{name} takes a number"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_help_names_every_chore() {
        for chore in CHORES {
            assert!(
                help().contains(&format!("\n  {} ", chore.name)),
                "{}",
                chore.name
            );
        }
    }

    #[test]
    fn an_unknown_chore_is_refused_with_the_help() {
        let message = dispatch(&["lunch".to_owned()]).unwrap_err();
        assert!(
            message.contains("lunch") && message.contains("Usage"),
            "{message}"
        );
    }
}
