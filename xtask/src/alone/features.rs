//! The sets of features that are tried.

use std::collections::BTreeSet;

use cargo_metadata::Package;

/// Features of a library, without those that are on by default.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Set {
    /// As a sentence names it: `no features`, `sqlite`.
    pub(super) label: String,
    pub(super) features: Vec<String>,
}

/// No feature, each alone, what is on by default, and all together; what is the same is there once.
pub(super) fn sets(library: &Package) -> Vec<Set> {
    let named: Vec<&str> = library
        .features
        .keys()
        .map(String::as_str)
        .filter(|name| *name != "default")
        .collect();
    let mut sets = vec![set("no features".to_owned(), &[])];
    sets.extend(named.iter().map(|name| set((*name).to_owned(), &[name])));
    if let Some(default) = library.features.get("default") {
        let default: Vec<&str> = default.iter().map(String::as_str).collect();
        sets.push(set("the default features".to_owned(), &default));
    }
    sets.push(set("all features".to_owned(), &named));
    for set in &mut sets {
        set.features.extend(needs(library));
        set.features.sort_unstable();
        set.features.dedup();
    }
    let mut seen = BTreeSet::new();
    sets.retain(|set| seen.insert(set.features.clone()));
    sets
}

fn set(label: String, features: &[&str]) -> Set {
    let mut features: Vec<String> = features.iter().map(|name| (*name).to_owned()).collect();
    features.sort();
    Set { label, features }
}

/// Features without which the library says itself that it does not compile: `needs` of
/// `[package.metadata.alone]`.
fn needs(library: &Package) -> Vec<String> {
    let needs = library.metadata["alone"]["needs"].as_array();
    let needs = needs.into_iter().flatten().filter_map(|name| name.as_str());
    needs.map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::libraries::planted;

    fn labels(features: Value) -> Vec<String> {
        sets(&planted::library("rc-x", features, json!([])))
            .into_iter()
            .map(|set| set.label)
            .collect()
    }

    #[test]
    fn each_feature_is_tried_alone_and_with_all_others() {
        let sql = json!({ "default": ["sqlite", "tls"], "sqlite": [], "postgres": [], "tls": [] });
        let expected = [
            "no features",
            "postgres",
            "sqlite",
            "tls",
            "the default features",
            "all features",
        ];
        assert_eq!(labels(sql), expected);
    }

    #[test]
    fn sets_that_are_the_same_are_tried_once() {
        assert_eq!(labels(json!({})), ["no features"]);
        assert_eq!(labels(json!({ "x": [] })), ["no features", "x"]);
        assert_eq!(
            labels(json!({ "default": ["x"], "x": [] })),
            ["no features", "x"]
        );
    }
}
