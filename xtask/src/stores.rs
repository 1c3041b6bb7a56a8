//! The tests of the stores that need a server, which plain `cargo test --workspace` leaves out.

use crate::{Outcome, cargo, no_arguments};

/// Runs the tests of `rc-store-sql` on SQLite, PostgreSQL and MySQL or MariaDB, and those of
/// `rc-store-redis`. A server that does not answer fails them.
pub(crate) fn run(arguments: &[String]) -> Outcome {
    no_arguments(arguments)?;
    let arguments = ["test", "-p", "rc-store-sql", "--features", "postgres,mysql"];
    cargo::run(&mut cargo::cargo(&arguments))?;
    let arguments = ["test", "-p", "rc-store-redis", "--features", "server-tests"];
    cargo::run(&mut cargo::cargo(&arguments))
}
