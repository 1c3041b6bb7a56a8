//! What `docs/simulator.md` says of the platform is what the code says.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use rc_sim::Switches;
use serde_json::Value;

const PAGE: &str = include_str!("../../../../docs/simulator.md");

/// Of a section, from its heading to the next one of the same rank.
fn section(number: u32) -> &'static str {
    let heading = format!("\n## {number}. ");
    let (_, rest) = PAGE.split_once(&heading).expect("the section");
    rest.split("\n## ").next().unwrap_or(rest)
}

/// The cells of the tables' rows, without code marks.
fn rows(text: &str) -> impl Iterator<Item = Vec<String>> {
    let rows = text.lines().filter(|line| line.starts_with("| "));
    rows.map(|row| {
        let cells = row.trim_matches('|').split(" | ");
        cells.map(|cell| cell.trim().replace('`', "")).collect()
    })
}

#[test]
fn the_table_of_switches_has_every_switch_with_its_default() {
    let mut table: BTreeMap<String, Value> = BTreeMap::new();
    for row in rows(section(12)).skip(1) {
        let default = serde_json::from_str(&row[1]).expect("a default in JSON");
        assert_eq!(table.insert(row[0].clone(), default), None, "{}", row[0]);
    }
    let switches = serde_json::to_value(Switches::default()).expect("JSON");
    take(&mut table, "", &switches);
    assert!(table.is_empty(), "there are no such switches: {table:?}");
}

/// Takes a switch, or the members it is made of, out of the table.
fn take(table: &mut BTreeMap<String, Value>, name: &str, default: &Value) {
    match (table.remove(name), default) {
        (Some(told), _) => assert_eq!(told, *default, "{name}"),
        (None, Value::Object(members)) => {
            for (member, default) in members {
                let name = match name {
                    "" => member.clone(),
                    name => format!("{name}.{member}"),
                };
                take(table, &name, default);
            }
        }
        (None, _) => panic!("{name} is not in the table"),
    }
}

#[test]
fn every_row_says_how_sure_it_is() {
    let marks = ["documented", "observed", "assumed", "the simulator's own"];
    for number in (1..=9).chain([13, 14]) {
        for row in rows(section(number)).filter(|row| row.iter().all(|cell| cell != "Mark")) {
            let told = row
                .iter()
                .any(|cell| marks.iter().any(|mark| cell.contains(mark)));
            assert!(told, "section {number}: {row:?}");
        }
    }
}

#[test]
fn every_section_rule_and_fact_that_the_code_names_is_on_the_page() {
    let mut sources = Vec::new();
    read(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("src"),
        &mut sources,
    );
    let mut sections = BTreeSet::new();
    for source in &sources {
        for place in source.split("Platform §").skip(1) {
            let end = place.find(|c: char| !c.is_ascii_digit() && c != '.');
            let number = place[..end.unwrap_or(place.len())].trim_end_matches('.');
            sections.insert(number.to_owned());
        }
        for word in ["rule ", "fact "] {
            for place in source.split(&format!("Platform §4, {word}")).skip(1) {
                let number: String = place.chars().take_while(char::is_ascii_digit).collect();
                let known = rows(section(4)).any(|row| row[0] == number);
                assert!(known, "{word}{number}");
            }
        }
    }
    assert!(sections.len() > 8, "{sections:?}");
    for number in sections {
        let heading = match number.contains('.') {
            true => format!("\n### {number} "),
            false => format!("\n## {number}. "),
        };
        assert!(PAGE.contains(&heading), "section {number}");
    }
}

fn read(folder: &Path, sources: &mut Vec<String>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            read(&path, sources);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            sources.push(fs::read_to_string(&path).expect("a source"));
        }
    }
}
