//! What must never reach the core.

use serde_json::Value;

use super::{name, packages};
use crate::cargo;

const CORE: &str = "rc-auth-core";

/// Async runtimes, sockets, HTTP clients and TLS: not to be linked under the core, directly or not.
const NEVER_BELOW: [&str; 28] = [
    "async-io",
    "async-std",
    "aws-lc-rs",
    "aws-lc-sys",
    "boring",
    "curl",
    "futures-executor",
    "h2",
    "hyper",
    "hyper-util",
    "isahc",
    "mio",
    "native-tls",
    "openssl",
    "openssl-sys",
    "polling",
    "quinn",
    "reqwest",
    "ring",
    "rustls",
    "s2n-tls",
    "schannel",
    "security-framework",
    "smol",
    "socket2",
    "tokio",
    "tokio-rustls",
    "ureq",
];

/// Randomness and clocks: not to be named in the core's own manifest.
///
/// Below it they cannot be kept out: oauth2 links `rand`, `getrandom` and `chrono`. The functions of oauth2 that
/// draw random numbers, and every clock of the standard library, are banned by `crates/rc-auth-core/clippy.toml`.
const NEVER_DIRECT: [&str; 9] = [
    "chrono",
    "fastrand",
    "getrandom",
    "instant",
    "jiff",
    "rand",
    "rand_core",
    "time",
    "web-time",
];

/// Everything linked under the core on this platform, one package per line.
pub(super) fn tree() -> Result<String, String> {
    let which = [
        "tree",
        "--locked",
        "--package",
        CORE,
        "--edges",
        "normal",
        "--target",
        "all",
    ];
    let how = ["--prefix", "none", "--format", "{p}"];
    cargo::output(cargo::cargo(&which).args(how))
}

/// Every package that the core must not have, as texts that say what to do.
pub(super) fn wrong(metadata: &Value, tree: &str) -> Result<Vec<String>, String> {
    let packages = packages(metadata)?;
    let core = packages.iter().find(|package| name(package) == CORE);
    let core = core.ok_or_else(|| format!("the workspace has no {CORE}"))?;
    if !tree.lines().any(|line| line.starts_with(CORE)) {
        return Err(format!("cargo tree does not show {CORE}"));
    }
    let mut wrong: Vec<String> = linked(tree).into_iter().map(below).collect();
    let dependencies = core["dependencies"].as_array().into_iter().flatten();
    wrong.extend(
        dependencies
            .filter(|dependency| dependency["kind"].is_null())
            .filter_map(direct),
    );
    Ok(wrong)
}

/// The banned packages in a tree, each once.
fn linked(tree: &str) -> Vec<&'static str> {
    let names = tree.lines().filter_map(|line| line.split(' ').next());
    let names: std::collections::BTreeSet<&str> = names.collect();
    NEVER_BELOW
        .into_iter()
        .filter(|banned| names.contains(banned))
        .collect()
}

fn below(banned: &str) -> String {
    format!(
        "{CORE} pulls in {banned}, and does no I/O.\n  Find the way with `cargo tree -p {CORE} -e normal -i {banned}`; \
         switch off the feature that brings it, or move the code that needs it to rc-http or rc-auth."
    )
}

fn direct(dependency: &Value) -> Option<String> {
    let name = name(dependency);
    NEVER_DIRECT.contains(&name).then(|| {
        format!(
            "{CORE} depends on {name}, and takes time and randomness as values (`Now`, `Entropy`).\n  Remove it from \
             crates/{CORE}/Cargo.toml and let the caller pass the value in."
        )
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(dependencies: Value, tree: &str) -> Vec<String> {
        let metadata = json!({ "packages": [{ "name": CORE, "dependencies": dependencies }] });
        wrong(&metadata, &format!("{CORE} v0.1.0 (/somewhere)\n{tree}")).unwrap()
    }

    #[test]
    fn pure_crates_are_accepted_also_those_that_oauth2_links() {
        let tree = "oauth2 v5.0.0\nrand v0.8.5\ngetrandom v0.2.16\nhttp v1.3.1\nringbuf v0.4.0\n";
        assert!(check(json!([{ "name": "oauth2", "kind": null }]), tree).is_empty());
    }

    #[test]
    fn a_runtime_somewhere_below_is_refused_once_by_name() {
        let wrong = check(
            json!([]),
            "serde v1.0.0\ntokio v1.50.0\ntokio v1.50.0 (*)\n",
        );
        assert_eq!(wrong.len(), 1, "{wrong:?}");
        assert!(
            wrong[0].contains("pulls in tokio") && wrong[0].contains("cargo tree"),
            "{}",
            wrong[0]
        );
    }

    #[test]
    fn randomness_and_clocks_are_refused_as_dependencies_of_its_own_but_not_of_its_tests() {
        let wrong = check(
            json!([{ "name": "getrandom", "kind": null }, { "name": "rand", "kind": "dev" }]),
            "",
        );
        assert_eq!(wrong.len(), 1, "{wrong:?}");
        assert!(
            wrong[0].contains("getrandom") && wrong[0].contains("Entropy"),
            "{}",
            wrong[0]
        );
    }

    #[test]
    fn a_tree_of_something_else_is_an_error_and_not_a_pass() {
        let metadata = json!({ "packages": [{ "name": CORE, "dependencies": [] }] });
        assert!(wrong(&metadata, "").is_err());
        assert!(wrong(&json!({ "packages": [] }), CORE).is_err());
    }
}
