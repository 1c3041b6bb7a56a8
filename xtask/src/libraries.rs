//! The crates that other people's programs depend on.

use cargo_metadata::{Metadata, Package, TargetKind};

use crate::Fallible;

/// The library crates: members of the workspace below `crates`, by name.
fn all(metadata: &Metadata) -> Vec<&Package> {
    let folder = metadata.workspace_root.join("crates");
    let mut libraries = metadata.workspace_packages();
    libraries.retain(|package| {
        let kinds = package.targets.iter().flat_map(|target| &target.kind);
        package.manifest_path.starts_with(&folder)
            && kinds.into_iter().any(|kind| *kind == TargetKind::Lib)
    });
    libraries.sort_by(|a, b| a.name.cmp(&b.name));
    libraries
}

/// The library crates named, or all of them.
pub(crate) fn chosen<'a>(metadata: &'a Metadata, names: &[String]) -> Fallible<Vec<&'a Package>> {
    let all = all(metadata);
    if let Some(unknown) = names
        .iter()
        .find(|name| all.iter().all(|package| package.name != **name))
    {
        let known: Vec<&str> = all.iter().map(|package| package.name.as_str()).collect();
        return Err(format!(
            "there is no library {unknown:?}; the libraries are: {}",
            known.join(" ")
        ));
    }
    Ok(all
        .into_iter()
        .filter(|package| names.is_empty() || names.iter().any(|name| package.name == *name))
        .collect())
}

/// Libraries as cargo describes them, planted by tests.
#[cfg(test)]
pub(crate) mod planted {
    use serde_json::{Value, json};

    use super::Package;

    pub(crate) fn library(name: &str, features: Value, dependencies: Value) -> Package {
        let printed = package(
            name,
            &format!("/w/crates/{name}"),
            "lib",
            features,
            dependencies,
        );
        serde_json::from_value(printed).unwrap()
    }

    pub(crate) fn dependency(name: &str, kind: Option<&str>, features: &[&str]) -> Value {
        json!({
            "name": name, "req": "*", "kind": kind, "optional": false, "uses_default_features": true, "features": features,
        })
    }

    pub(super) fn package(
        name: &str,
        folder: &str,
        kind: &str,
        features: Value,
        dependencies: Value,
    ) -> Value {
        json!({
            "name": name, "version": "0.1.0", "id": name, "dependencies": dependencies, "features": features,
            "manifest_path": format!("{folder}/Cargo.toml"),
            "targets": [{ "name": name, "kind": [kind], "src_path": format!("{folder}/src/lib.rs") }],
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::cargo;

    fn workspace() -> Metadata {
        let package = |name: &str, folder: &str, kind: &str| {
            planted::package(name, folder, kind, json!({}), json!([]))
        };
        let printed = json!({
            "packages": [
                package("rc-b", "/w/crates/rc-b", "lib"),
                package("rc-a", "/w/crates/rc-a", "lib"),
                package("rc-web", "/w/apps/web", "lib"),
                package("rc-tool", "/w/crates/rc-tool", "bin"),
            ],
            "workspace_members": ["rc-a", "rc-b", "rc-web", "rc-tool"],
            "workspace_root": "/w", "target_directory": "/w/target", "version": 1, "resolve": null,
        });
        cargo::parsed(&printed.to_string()).unwrap()
    }

    fn names(packages: &[&Package]) -> Vec<String> {
        packages
            .iter()
            .map(|package| package.name.to_string())
            .collect()
    }

    #[test]
    fn libraries_are_the_members_below_crates_that_can_be_linked() {
        assert_eq!(names(&chosen(&workspace(), &[]).unwrap()), ["rc-a", "rc-b"]);
    }

    #[test]
    fn only_those_named_are_chosen_and_an_unknown_name_is_refused() {
        let workspace = workspace();
        assert_eq!(
            names(&chosen(&workspace, &["rc-b".to_owned()]).unwrap()),
            ["rc-b"]
        );
        let message = chosen(&workspace, &["rc-web".to_owned()]).unwrap_err();
        assert!(
            message.contains("rc-web") && message.contains("rc-a rc-b"),
            "{message}"
        );
    }
}
