//! The tests of the stores that need a server, which plain `cargo test --workspace` leaves out.

use crate::{Outcome, cargo, no_arguments, services};

/// Runs the tests of the stores on SQLite, PostgreSQL, MySQL or MariaDB, and Redis. A server that no
/// variable names is started for the time of the tests; one that does not answer fails them.
pub(crate) fn run(arguments: &[String]) -> Outcome {
    no_arguments(arguments)?;
    let (_running, variables) = services::missing()?;
    for arguments in [
        ["test", "-p", "rc-store-sql", "--features", "postgres,mysql"],
        ["test", "-p", "rc-store-redis", "--features", "server-tests"],
    ] {
        cargo::run(cargo::cargo(&arguments).envs(&variables))?;
    }
    Ok(())
}
