//! Which mutants are tried.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::Fallible;

/// The names in what `cargo mutants --list --json` prints.
///
/// # Errors
///
/// It is no list of mutants.
pub(super) fn names(printed: &str) -> Fallible<BTreeSet<String>> {
    let list: Value = serde_json::from_str(printed)
        .map_err(|error| format!("cargo-mutants printed no JSON: {error}"))?;
    let list = list
        .as_array()
        .ok_or("cargo-mutants printed no list of mutants")?;
    list.iter()
        .map(|mutant| mutant["name"].as_str().map(str::to_owned))
        .collect::<Option<_>>()
        .ok_or_else(|| "cargo-mutants listed a mutant without a name".to_owned())
}

/// `size` of the names, or all. The same seed chooses the same, and more of them for a larger size.
pub(super) fn of(all: &BTreeSet<String>, size: usize, seed: u64) -> Vec<&str> {
    let mut names: Vec<&str> = all.iter().map(String::as_str).collect();
    let mut state = seed;
    let size = size.min(names.len());
    for at in 0..size {
        let rest = (names.len() - at) as u64;
        let offset = usize::try_from(next(&mut state) % rest).unwrap_or_default();
        names.swap(at, at + offset);
    }
    names.truncate(size);
    names
}

/// SplitMix64.
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// The regular expression that matches one name and no other.
pub(super) fn exactly(name: &str) -> String {
    let mut pattern = String::from("^");
    for character in name.chars() {
        if r"\.+*?()|[]{}^$#&-~".contains(character) {
            pattern.push('\\');
        }
        pattern.push(character);
    }
    pattern + "$"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn many() -> BTreeSet<String> {
        (0..100).map(|number| format!("mutant {number}")).collect()
    }

    #[test]
    fn the_same_seed_chooses_the_same_and_another_seed_others() {
        let all = many();
        assert_eq!(of(&all, 10, 1), of(&all, 10, 1));
        assert_ne!(of(&all, 10, 1), of(&all, 10, 2));
    }

    #[test]
    fn a_larger_sample_has_the_smaller_one_in_it() {
        let all = many();
        assert_eq!(of(&all, 20, 1)[..10], of(&all, 10, 1));
    }

    #[test]
    fn no_mutant_is_chosen_twice_and_no_more_than_there_are() {
        let all = many();
        let chosen: BTreeSet<&str> = of(&all, 1000, 3).into_iter().collect();
        assert_eq!(chosen.len(), all.len());
        assert!(of(&BTreeSet::new(), 5, 1).is_empty());
    }

    #[test]
    fn names_are_read_and_what_has_none_is_refused() {
        let printed = r#"[{ "name": "b", "file": "x.rs" }, { "name": "a" }]"#;
        assert_eq!(
            names(printed).unwrap(),
            ["a", "b"].map(str::to_owned).into()
        );
        for wrong in ["", "{}", "[{}]"] {
            assert!(names(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_name_is_matched_as_it_is_written() {
        let name = "src/a.rs:1:2: replace f -> Option<&u8> with Some(&-1)";
        let expected = r"^src/a\.rs:1:2: replace f \-> Option<\&u8> with Some\(\&\-1\)$";
        assert_eq!(exactly(name), expected);
    }
}
