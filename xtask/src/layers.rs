//! Which crate may depend on which, and what must never reach the core.

use serde_json::Value;

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
        name: "rc-sim",
        uses: &[with_feature("rc-http", "client")],
    },
    Layer {
        name: "rc-web",
        uses: &[
            always("rc-auth"),
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
    let metadata = metadata()?;
    let mut wrong = edges::wrong(&metadata)?;
    wrong.extend(core::wrong(&metadata, &core::tree()?)?);
    if wrong.is_empty() {
        println!(
            "layers: every edge is one of the design, and nothing under rc-auth-core does I/O"
        );
        return Ok(());
    }
    Err(format!("the layers do not hold\n\n{}", wrong.join("\n\n")))
}

fn metadata() -> Result<Value, String> {
    let arguments = ["metadata", "--no-deps", "--format-version", "1", "--locked"];
    let printed = cargo::output(&mut cargo::cargo(&arguments))?;
    serde_json::from_str(&printed)
        .map_err(|error| format!("cargo metadata printed no JSON: {error}"))
}

/// The packages of `metadata`.
fn packages(metadata: &Value) -> Result<&[Value], String> {
    let packages = metadata["packages"].as_array();
    packages
        .map(Vec::as_slice)
        .ok_or_else(|| "cargo metadata names no packages".to_owned())
}

fn name(json: &Value) -> &str {
    json["name"].as_str().unwrap_or_default()
}
