//! Says which databases this run leaves out, where it is seen although the test passes.

use std::io::Write as _;

#[test]
fn databases_that_are_not_built_in_are_named() {
    let engines = [
        ("PostgreSQL", cfg!(feature = "postgres")),
        ("MySQL and MariaDB", cfg!(feature = "mysql")),
    ];
    for (engine, _) in engines.iter().filter(|(_, is_built_in)| !is_built_in) {
        // Not `eprintln!`, which is shown of tests that fail only.
        let line = format!("\nNOT EXERCISED: {engine}; `cargo xtask stores` does\n");
        std::io::stderr()
            .write_all(line.as_bytes())
            .expect("stderr takes a line");
    }
}
