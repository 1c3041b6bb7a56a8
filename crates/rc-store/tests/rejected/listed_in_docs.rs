//! The table of `docs/conformance.md` is what these tests say, and its list of checks is the kit's.

use std::{collections::BTreeSet, fs, path::Path};

/// Each fault with the check that rejects it, from the `by` lines of one file.
fn faults(source: &str) -> BTreeSet<(String, String)> {
    let mut faults = BTreeSet::new();
    let mut name = None;
    let words = source.lines().flat_map(|line| {
        let is_test = line.starts_with("    ") && !line.starts_with("     ");
        let test = line.trim().split_once(':').map(|(test, _)| test);
        let test = test.filter(|test| is_test && is_name(test));
        let check = line
            .split_once(" by ")
            .or(line.trim().strip_prefix("by ").map(|by| ("", by)));
        [
            test.map(|test| (true, test)),
            check.map(|(_, by)| (false, by)),
        ]
    });
    for (is_test, word) in words.flatten() {
        let word = word.split([' ', ';']).next().unwrap_or_default();
        match (is_test, name.take()) {
            (true, _) => name = Some(word.to_owned()),
            (false, Some(test)) => {
                let check = word.rsplit("::").next().unwrap_or_default();
                if is_name(check) {
                    faults.insert((test, check.to_owned()));
                }
            }
            (false, None) => {}
        }
    }
    faults
}

fn is_name(word: &str) -> bool {
    word.len() > 8
        && word
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The rows of the table: a fault and its check, both in backticks.
fn documented(text: &str) -> BTreeSet<(String, String)> {
    let rows = text.lines().filter(|line| line.starts_with("| `"));
    rows.filter_map(|row| {
        let mut cells = row.split('`');
        let (test, check) = (cells.nth(1)?, cells.nth(1)?);
        Some((test.to_owned(), check.rsplit("::").next()?.to_owned()))
    })
    .collect()
}

#[test]
fn documentation_lists_each_broken_store_with_its_check() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut tested = BTreeSet::new();
    for file in fs::read_dir(here.join("tests/rejected")).expect("these tests") {
        let path = file.expect("a file").path();
        tested.extend(faults(&read(&path)));
    }
    let documented = documented(&read(&here.join("../../docs/conformance.md")));
    let missing: Vec<_> = tested.difference(&documented).collect();
    let invented: Vec<_> = documented.difference(&tested).collect();
    assert!(
        missing.is_empty() && invented.is_empty(),
        "docs/conformance.md lacks {missing:#?} and says too much with {invented:#?}"
    );
    assert!(tested.len() >= 115, "{} broken stores", tested.len());
}

#[test]
fn documentation_lists_each_check_of_the_kit() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let kit = read(&here.join("src/conformance/macros.rs"));
    let checks = kit
        .lines()
        .filter_map(|line| line.strip_prefix("            "));
    let checks: BTreeSet<&str> = checks.filter(|check| is_name(check)).collect();
    let text = read(&here.join("../../docs/conformance.md"));
    let listed = text.lines().filter_map(|line| line.strip_prefix("- `"));
    let listed: BTreeSet<&str> = listed.filter_map(|line| line.strip_suffix('`')).collect();
    assert_eq!(
        listed, checks,
        "the lists of docs/conformance.md, and the kit"
    );
}
