//! Which crate may depend on which, and what must never reach the core.

use crate::{Outcome, cargo, no_arguments};

mod core;
mod edges;

/// A crate of the workspace and the crates of the workspace that it may use.
///
/// A crate that is not listed is refused: whoever adds one says where it belongs.
struct Layer {
    name: &'static str,
    uses: &'static [Edge],
}

/// A permitted dependency; with a feature, only where that feature asks for it.
struct Edge {
    to: &'static str,
    only_with: Option<&'static str>,
}

const fn always(to: &'static str) -> Edge {
    Edge {
        to,
        only_with: None,
    }
}

const fn with_feature(to: &'static str, feature: &'static str) -> Edge {
    Edge {
        to,
        only_with: Some(feature),
    }
}

const LAYERS: &[Layer] = &[
    Layer {
        name: "rc-auth-core",
        uses: &[],
    },
    Layer {
        name: "rc-http",
        uses: &[],
    },
    Layer {
        name: "rc-store",
        uses: &[],
    },
    Layer {
        name: "rc-store-file",
        uses: &[always("rc-store")],
    },
    Layer {
        name: "rc-store-sql",
        uses: &[always("rc-store")],
    },
    Layer {
        name: "rc-store-redis",
        uses: &[always("rc-store")],
    },
    Layer {
        name: "rc-auth",
        uses: &[
            always("rc-auth-core"),
            always("rc-http"),
            always("rc-store"),
        ],
    },
    Layer {
        name: "rc-auth-web",
        uses: &[always("rc-auth")],
    },
    Layer {
        name: "rc-sim",
        uses: &[with_feature("rc-http", "client")],
    },
    Layer {
        name: "rc-proof",
        uses: &[
            always("rc-auth"),
            always("rc-auth-core"),
            always("rc-sim"),
            with_feature("rc-http", "processes"),
            with_feature("rc-store-sql", "processes"),
        ],
    },
    Layer {
        name: "rc-web",
        uses: &[
            always("rc-auth"),
            always("rc-auth-web"),
            always("rc-sim"),
            always("rc-store-sql"),
            with_feature("rc-store-file", "file"),
            with_feature("rc-store-redis", "redis"),
        ],
    },
    Layer {
        name: "rc-store-lab",
        uses: &[
            with_feature("rc-store", "lab"),
            with_feature("rc-store-file", "lab"),
            with_feature("rc-store-redis", "lab"),
            with_feature("rc-store-sql", "lab"),
        ],
    },
    Layer {
        name: "rc-web-lab",
        uses: &[],
    },
    Layer {
        name: "xtask",
        uses: &[],
    },
];

/// What tests of any crate may use beside the crate's own layers.
const FOR_TESTS: [&str; 2] = ["rc-sim", "rc-store-sql"];

/// Whether a crate of this name is one of the workspace.
pub(crate) fn is_known(package: &str) -> bool {
    LAYERS.iter().any(|layer| layer.name == package)
}

/// Checks the edges of the workspace and everything below the core.
pub(crate) fn run(arguments: &[String]) -> Outcome {
    no_arguments(arguments)?;
    let metadata = cargo::metadata()?;
    let mut wrong = edges::wrong(&metadata);
    wrong.extend(core::wrong(&metadata)?);
    if wrong.is_empty() {
        println!(
            "layers: every edge is one of the design, and nothing under rc-auth-core does I/O"
        );
        return Ok(());
    }
    Err(format!("the layers do not hold\n\n{}", wrong.join("\n\n")))
}

/// Metadata as cargo prints it, planted by tests.
#[cfg(test)]
mod planted {
    use cargo_metadata::Metadata;
    use serde_json::{Value, json};

    use crate::cargo;

    /// A workspace of all `packages`, linked as `resolved` has it.
    pub(super) fn workspace(packages: &[Value], resolved: &[Value]) -> Metadata {
        let members: Vec<&Value> = packages.iter().map(|package| &package["id"]).collect();
        let printed = json!({
            "packages": packages, "workspace_members": members, "workspace_root": "/w", "target_directory": "/w/target",
            "version": 1, "resolve": { "nodes": resolved, "root": null },
        });
        cargo::parsed(&printed.to_string()).unwrap()
    }

    pub(super) fn package(name: &str, dependencies: &[Value], features: &Value) -> Value {
        json!({
            "name": name, "version": "0.1.0", "id": name, "dependencies": dependencies, "features": features,
            "targets": [], "manifest_path": format!("crates/{name}/Cargo.toml"),
        })
    }

    pub(super) fn dependency(name: &str, kind: Option<&str>, optional: bool) -> Value {
        json!({
            "name": name, "req": "*", "kind": kind, "optional": optional, "uses_default_features": true, "features": [],
        })
    }

    /// `name` with what it is linked to, each of one kind.
    pub(super) fn node(name: &str, linked: &[(&str, Option<&str>)]) -> Value {
        let deps: Vec<Value> = linked
            .iter()
            .map(|(to, kind)| json!({ "name": to, "pkg": to, "dep_kinds": [{ "kind": kind, "target": null }] }))
            .collect();
        json!({ "id": name, "deps": deps, "dependencies": [], "features": [] })
    }
}
