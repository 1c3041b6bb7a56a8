//! `docs/lifecycle.md` says what the code says: its states, inputs, policy fields and names of tests.
#![allow(clippy::unwrap_used, reason = "a file of tests")]
#![allow(clippy::disallowed_methods, reason = "it reads the tests beside it")]

use std::{collections::BTreeSet, fs, path::Path};

const TEXT: &str = include_str!("../../../docs/lifecycle.md");
const STATE: &str = include_str!("../src/grant/state.rs");
const OUTPUT: &str = include_str!("../src/grant/output.rs");
const POLICY: &str = include_str!("../src/grant/policy.rs");

/// The lines between the braces of an item, for an item that ends with a brace in the first column.
fn body<'a>(source: &'a str, head: &str) -> impl Iterator<Item = &'a str> {
    let (_, rest) = source
        .split_once(&format!("{head} {{\n"))
        .unwrap_or_else(|| panic!("no {head} in the source"));
    rest.lines().take_while(|line| *line != "}")
}

/// The word that `line` begins with, if it is indented by four spaces and no more.
fn member(line: &str) -> Option<&str> {
    let line = line.strip_prefix("    ")?;
    let end = line.find(|c: char| !is_of_name(c)).unwrap_or(line.len());
    Some(&line[..end]).filter(|word| !word.is_empty())
}

fn is_of_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

fn variants<'a>(source: &'a str, head: &str) -> BTreeSet<&'a str> {
    let found: BTreeSet<&str> = body(source, head).filter_map(member).collect();
    assert!(found.len() > 2, "{head} was not understood: {found:?}");
    found
}

fn fields_of_the_policy() -> BTreeSet<&'static str> {
    let lines = body(POLICY, "pub struct RefreshPolicy");
    let found: BTreeSet<&str> = lines
        .filter_map(|line| line.strip_prefix("    pub ")?.split_once(": "))
        .map(|(name, _)| name)
        .collect();
    assert!(found.len() > 2, "RefreshPolicy was not understood");
    found
}

/// From, to and label of each transition of the first diagram.
fn transitions() -> Vec<(&'static str, &'static str, &'static str)> {
    let (_, rest) = TEXT.split_once("```mermaid\nstateDiagram-v2\n").unwrap();
    let (diagram, _) = rest.split_once("```").unwrap();
    let lines = diagram
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty());
    lines
        .map(|line| {
            let (from, rest) = line
                .split_once(" --> ")
                .unwrap_or_else(|| panic!("no transition: {line}"));
            let (to, label) = rest.split_once(": ").unwrap_or((rest, ""));
            (from, to, label)
        })
        .collect()
}

/// What stands between two backticks, outside of fenced blocks.
fn code_spans() -> Vec<&'static str> {
    let prose = TEXT.split("```").step_by(2);
    prose
        .flat_map(|part| part.split('`').skip(1).step_by(2))
        .collect()
}

/// The first cells of the rows of the table whose first column is headed `head`, without backticks.
fn first_column(head: &str) -> BTreeSet<&'static str> {
    let head = format!("| {head} |");
    let from = TEXT
        .find(&head)
        .unwrap_or_else(|| panic!("no table {head}"));
    TEXT[from..]
        .lines()
        .skip(2)
        .take_while(|line| line.starts_with('|'))
        .map(|line| line.split('|').nth(1).unwrap().trim().trim_matches('`'))
        .collect()
}

/// The tests in the files of `tests/grant`, as `file::name`.
fn tests_of_the_machine() -> BTreeSet<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/grant");
    let mut tests = BTreeSet::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let file = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let mut is_test = false;
        for line in fs::read_to_string(&path).unwrap().lines() {
            let line = line.trim_start();
            is_test |= line.starts_with("#[test]");
            if let Some(rest) = line.strip_prefix("fn ").filter(|_| is_test) {
                let name = rest.split('(').next().unwrap();
                tests.insert(format!("{file}::{name}"));
                is_test = false;
            }
        }
    }
    tests
}

/// A name of a test as the text writes it: `file::name`, in small letters.
fn names_a_test(span: &str) -> bool {
    let is_name = |part: &str| {
        !part.is_empty()
            && part
                .chars()
                .all(|c| is_of_name(c) && !c.is_ascii_uppercase())
    };
    span.split_once("::")
        .is_some_and(|(file, name)| is_name(file) && is_name(name))
}

#[test]
fn the_diagram_has_the_states_of_the_machine_and_no_others() {
    let states = variants(STATE, "pub(super) enum State");
    let drawn: BTreeSet<&str> = transitions()
        .into_iter()
        .flat_map(|(from, to, _)| [from, to])
        .filter(|name| *name != "[*]")
        .collect();
    assert_eq!(drawn, states, "left: the diagram; right: `enum State`");
    let entered: BTreeSet<&str> = transitions().into_iter().map(|(_, to, _)| to).collect();
    assert_eq!(entered, states, "left: states that the diagram leads to");
}

#[test]
fn the_table_has_the_states_of_the_machine_and_no_others() {
    let states = variants(STATE, "pub(super) enum State");
    assert_eq!(first_column("State"), states, "left: the table");
}

#[test]
fn each_transition_names_the_input_that_causes_it() {
    let inputs = variants(OUTPUT, "pub enum Input");
    for (from, to, label) in transitions() {
        let input = label.split([' ', ',']).next().unwrap();
        let is_start = from == "[*]" && label.is_empty();
        let by_driver = input == "fall_asleep";
        assert!(
            is_start || by_driver || inputs.contains(input),
            "{from} --> {to}: {label}"
        );
        // Mermaid ends a label there.
        assert!(!label.contains([':', ';']), "{from} --> {to}: {label}");
    }
}

#[test]
fn each_test_that_is_named_exists() {
    let tests = tests_of_the_machine();
    let spans = code_spans();
    let named: Vec<&str> = spans
        .iter()
        .copied()
        .filter(|span| names_a_test(span))
        .collect();
    assert!(named.len() >= 8, "the text names tests: {named:?}");
    for name in named {
        assert!(tests.contains(name), "no test `{name}` in tests/grant");
    }
    // A name without its file would be looked for by nobody.
    for span in spans {
        let is_bare = tests
            .iter()
            .any(|test| test.ends_with(&format!("::{span}")));
        let is_long = span.chars().all(is_of_name) && span.matches('_').count() > 3;
        assert!(
            !is_bare && !is_long,
            "`{span}` is to be written with its file"
        );
    }
}

#[test]
fn each_of_the_eight_invariants_names_a_test() {
    let (_, rest) = TEXT.split_once("\n## The eight invariants\n").unwrap();
    let section = rest.split("\n## ").next().unwrap();
    let items: Vec<&str> = section.split("\n\n").collect();
    for number in 1..=8 {
        let start = format!("{number}. **");
        let item = items
            .iter()
            .find(|item| item.trim_start().starts_with(&start));
        let item = item.unwrap_or_else(|| panic!("no invariant {number}"));
        let holds = item.split('`').skip(1).step_by(2).any(names_a_test);
        assert!(holds, "no test is named for invariant {number}");
    }
}

#[test]
fn each_field_of_the_policy_is_mentioned() {
    let spans: BTreeSet<&str> = code_spans().into_iter().collect();
    for field in fields_of_the_policy() {
        assert!(spans.contains(field), "`{field}` is not mentioned");
    }
}

#[test]
fn lines_are_no_longer_than_120_characters() {
    for (at, line) in TEXT.lines().enumerate() {
        let length = line.chars().count();
        assert!(length <= 120, "line {}: {length}", at + 1);
    }
}
