//! `interleave`: the unit tests of rc-auth whose threads a scheduler leads, one interleaving after another.

use crate::{Outcome, cargo};

/// `interleave`
pub(super) fn run() -> Outcome {
    let test = ["test", "--package=rc-auth", "--lib", "interleavings"];
    let mut command = cargo::cargo(&test);
    command
        .env("RUSTFLAGS", "--cfg shuttle")
        // With other flags everything is built anew: beside what is there, not over it.
        .env("CARGO_TARGET_DIR", cargo::target().join("shuttle"));
    cargo::run(&mut command)
}
