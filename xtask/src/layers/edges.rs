//! The dependencies between crates of the workspace.

use std::collections::{BTreeMap, BTreeSet};

use cargo_metadata::{Dependency, DependencyKind, Metadata, Package};

use super::{Edge, FOR_TESTS, LAYERS, Layer};

/// Every edge of `metadata` that the design does not have, as texts that say what to do.
pub(super) fn wrong(metadata: &Metadata) -> Vec<String> {
    let packages = metadata.workspace_packages();
    let members: BTreeSet<&str> = packages
        .iter()
        .map(|package| package.name.as_str())
        .collect();
    let mut wrong = Vec::new();
    for package in packages {
        let Some(layer) = LAYERS.iter().find(|layer| package.name == layer.name) else {
            wrong.push(unknown(package));
            continue;
        };
        let dependencies = package.dependencies.iter();
        let inside = dependencies.filter(|dependency| members.contains(dependency.name.as_str()));
        wrong.extend(inside.filter_map(|dependency| objection(package, layer, dependency)));
    }
    wrong
}

fn unknown(package: &Package) -> String {
    format!(
        "{} is not in the table of layers.\n  Add it to LAYERS in xtask/src/layers.rs, with the crates it may use, \
         and to docs/architecture.md.",
        package.name
    )
}

/// What is wrong with one dependency on another crate of the workspace, if anything.
fn objection(package: &Package, layer: &Layer, dependency: &Dependency) -> Option<String> {
    let (from, to) = (layer.name, dependency.name.as_str());
    let for_tests = dependency.kind == DependencyKind::Development;
    if for_tests && (FOR_TESTS.contains(&to) || to == from) {
        return None;
    }
    let Some(edge) = layer.uses.iter().find(|edge| edge.to == to) else {
        return Some(not_permitted(package, layer, dependency));
    };
    match edge.only_with {
        Some(feature) if !for_tests => feature_objection(package, edge, feature, dependency),
        _ => None,
    }
}

fn not_permitted(package: &Package, layer: &Layer, dependency: &Dependency) -> String {
    let permitted: Vec<&str> = layer.uses.iter().map(|edge| edge.to).collect();
    let permitted = if permitted.is_empty() {
        "no other crate here".to_owned()
    } else {
        permitted.join(", ")
    };
    format!(
        "{from} has a {kind} dependency on {to}, and may use: {permitted}.\n  Remove it from {manifest} and let \
         a crate above both connect them. If the design is what should change, write the decision down in \
         docs/decisions and change LAYERS in xtask/src/layers.rs.",
        from = layer.name,
        kind = dependency.kind,
        to = dependency.name,
        manifest = package.manifest_path,
    )
}

fn feature_objection(
    package: &Package,
    edge: &Edge,
    feature: &str,
    dependency: &Dependency,
) -> Option<String> {
    let features = &package.features;
    let asking: Vec<&str> = features
        .iter()
        .filter(|(_, asks_for)| asks_for.iter().any(|word| asks(word, edge.to)))
        .map(|(feature, _)| feature.as_str())
        .collect();
    let by_default = closure(features, "default").contains(feature);
    (!dependency.optional || asking != [feature] || by_default).then(|| {
        format!(
            "{from} may use {to} with its feature `{feature}` only, which is not on by default.\n  In {manifest}, \
             make the dependency optional and name `dep:{to}` in `{feature}` alone.",
            from = package.name,
            to = edge.to,
            manifest = package.manifest_path,
        )
    })
}

/// Whether a word of a feature's list switches the dependency `to` on: `dep:to`, `to` or `to/feature`.
fn asks(word: &str, to: &str) -> bool {
    let dependency = word.strip_prefix("dep:").unwrap_or(word);
    dependency == to
        || dependency
            .split_once('/')
            .is_some_and(|(dependency, _)| dependency == to)
}

/// Every feature that `feature` switches on, itself included.
fn closure<'a>(features: &'a BTreeMap<String, Vec<String>>, feature: &'a str) -> BTreeSet<&'a str> {
    let mut on = BTreeSet::from([feature]);
    let mut open = vec![feature];
    while let Some(feature) = open.pop() {
        for word in features.get(feature).into_iter().flatten() {
            if on.insert(word.as_str()) {
                open.push(word);
            }
        }
    }
    on
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::planted;
    use super::*;

    /// A package with dependencies given as (name, kind, optional).
    fn package(name: &str, dependencies: &[(&str, Option<&str>, bool)], features: Value) -> Value {
        let dependencies: Vec<_> = dependencies
            .iter()
            .map(|(name, kind, optional)| planted::dependency(name, *kind, *optional))
            .collect();
        planted::package(name, &dependencies, &features)
    }

    /// What is wrong with `package` in a workspace of all crates.
    fn check(package: Value) -> Vec<String> {
        let others = LAYERS.iter().filter(|layer| layer.name != package["name"]);
        let mut packages: Vec<Value> = others
            .map(|layer| planted::package(layer.name, &[], &json!({})))
            .collect();
        packages.push(package);
        wrong(&planted::workspace(&packages, &[]))
    }

    #[track_caller]
    fn refused(package: Value, words: &[&str]) {
        let wrong = check(package);
        assert_eq!(wrong.len(), 1, "{wrong:?}");
        for word in words {
            assert!(wrong[0].contains(word), "{word:?} is not in: {}", wrong[0]);
        }
    }

    #[test]
    fn the_edges_of_the_design_are_accepted() {
        let uses = [
            ("rc-auth-core", None, false),
            ("rc-http", None, false),
            ("serde", None, false),
        ];
        assert!(check(package("rc-auth", &uses, json!({}))).is_empty());
    }

    #[test]
    fn an_edge_upwards_is_refused_with_the_manifest_to_change() {
        let upwards = package("rc-store", &[("rc-auth", None, false)], json!({}));
        refused(
            upwards,
            &[
                "rc-store",
                "rc-auth",
                "no other crate here",
                "crates/rc-store/Cargo.toml",
            ],
        );
    }

    #[test]
    fn an_edge_sideways_is_refused_also_when_optional_or_for_builds() {
        refused(
            package("rc-http", &[("rc-store", None, true)], json!({})),
            &["rc-http", "rc-store"],
        );
        refused(
            package("rc-http", &[("rc-store", Some("build"), false)], json!({})),
            &["build dependency"],
        );
    }

    #[test]
    fn tests_may_use_the_simulator_sqlite_and_the_crate_itself_and_no_more() {
        let dev = Some("dev");
        let uses = [
            ("rc-sim", dev, false),
            ("rc-store-sql", dev, false),
            ("rc-auth", dev, false),
        ];
        assert!(check(package("rc-auth", &uses, json!({}))).is_empty());
        refused(
            package("rc-auth-core", &[("rc-auth", dev, false)], json!({})),
            &["dev dependency on rc-auth"],
        );
        refused(
            package("rc-auth", &[("rc-sim", None, false)], json!({})),
            &["normal dependency on rc-sim"],
        );
    }

    #[test]
    fn an_edge_of_a_feature_belongs_to_that_feature_alone() {
        let sim = |optional, features| package("rc-sim", &[("rc-http", None, optional)], features);
        let good = json!({ "default": ["server"], "server": [], "client": ["dep:rc-http"] });
        assert!(check(sim(true, good.clone())).is_empty());

        let words = ["rc-sim", "`client` only", "dep:rc-http"];
        refused(sim(false, good), &words);
        refused(
            sim(
                true,
                json!({ "client": ["dep:rc-http"], "server": ["rc-http/x"] }),
            ),
            &words,
        );
        refused(sim(true, json!({ "rc-http": ["dep:rc-http"] })), &words);
        let by_default =
            json!({ "default": ["server"], "server": ["client"], "client": ["dep:rc-http"] });
        refused(sim(true, by_default), &words);
    }

    #[test]
    fn a_crate_without_a_layer_is_refused() {
        refused(package("rc-misc", &[], json!({})), &["rc-misc", "LAYERS"]);
    }
}
