//! The tests of the stores that need a server, which plain `cargo test --workspace` leaves out.

use crate::{Outcome, cargo, no_arguments, services};

/// Runs the tests of the stores on SQLite, PostgreSQL, MySQL or MariaDB, and Redis. A server that no
/// variable names is started for the time of the tests; one that does not answer fails them.
pub(crate) fn run(arguments: &[String]) -> Outcome {
    no_arguments(arguments)?;
    let (_running, variables) = services::missing()?;
    for arguments in [
        "test -p rc-store-sql --features server-tests",
        "test -p rc-store-sql --features server-tests,tls --test servers tls",
        "test -p rc-store-redis --features server-tests",
    ] {
        let words: Vec<&str> = arguments.split(' ').collect();
        cargo::run(cargo::cargo(&words).envs(&variables))?;
    }
    Ok(())
}
