//! Says that this run leaves the servers out, where it is seen although the test passes.
#![cfg(not(feature = "server-tests"))]

use std::io::Write as _;

#[test]
fn servers_that_are_not_asked_are_named() {
    // Not `eprintln!`, which is shown of tests that fail only.
    std::io::stderr()
        .write_all(b"\nNOT EXERCISED: Redis; `cargo xtask stores` does\n")
        .expect("stderr takes a line");
}
