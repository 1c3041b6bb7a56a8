//! What must never reach the core.

use std::collections::{BTreeMap, BTreeSet};

use cargo_metadata::{Dependency, DependencyKind, Metadata, NodeDep, Package};

use crate::Fallible;

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

/// Every package that the core must not have, as texts that say what to do.
pub(super) fn wrong(metadata: &Metadata) -> Fallible<Vec<String>> {
    let members = metadata.workspace_packages();
    let core = members.into_iter().find(|package| package.name == CORE);
    let core = core.ok_or_else(|| format!("the workspace has no {CORE}"))?;
    let mut wrong: Vec<String> = banned(&linked(metadata, core)?).map(below).collect();
    let own = core.dependencies.iter();
    wrong.extend(
        own.filter(|own| own.kind == DependencyKind::Normal)
            .filter_map(direct),
    );
    Ok(wrong)
}

/// The names of everything that is linked with `package` on any platform, its own among them.
///
/// The features are those of a build of the whole workspace, so this is rather too much than too little.
fn linked<'a>(metadata: &'a Metadata, package: &'a Package) -> Fallible<BTreeSet<&'a str>> {
    let resolved = metadata
        .resolve
        .as_ref()
        .ok_or("cargo metadata does not say what is linked")?;
    let nodes: BTreeMap<_, _> = resolved.nodes.iter().map(|node| (&node.id, node)).collect();
    let (mut seen, mut open) = (BTreeSet::from([&package.id]), vec![&package.id]);
    while let Some(id) = open.pop() {
        let node = nodes
            .get(id)
            .ok_or_else(|| format!("cargo metadata does not say what {id} is linked with"))?;
        let linked = node.deps.iter().filter(|dependency| is_linked(dependency));
        open.extend(
            linked
                .map(|dependency| &dependency.pkg)
                .filter(|id| seen.insert(id)),
        );
    }
    let packages = metadata
        .packages
        .iter()
        .filter(|package| seen.contains(&package.id));
    Ok(packages.map(|package| package.name.as_str()).collect())
}

/// Whether it is needed by more than tests and build scripts.
fn is_linked(dependency: &NodeDep) -> bool {
    dependency
        .dep_kinds
        .iter()
        .any(|kind| kind.kind == DependencyKind::Normal)
}

/// The packages among `names` that must not be there.
fn banned(names: &BTreeSet<&str>) -> impl Iterator<Item = &'static str> {
    NEVER_BELOW
        .into_iter()
        .filter(|banned| names.contains(banned))
}

fn below(banned: &str) -> String {
    format!(
        "{CORE} pulls in {banned}, and does no I/O.\n  Find the way with `cargo tree -p {CORE} -e normal -i {banned}`; \
         switch off the feature that brings it, or move the code that needs it to rc-http or rc-auth."
    )
}

fn direct(dependency: &Dependency) -> Option<String> {
    let name = dependency.name.as_str();
    NEVER_DIRECT.contains(&name).then(|| {
        format!(
            "{CORE} depends on {name}, and takes time and randomness as values (`Now`, `Entropy`).\n  Remove it from \
             crates/{CORE}/Cargo.toml and let the caller pass the value in."
        )
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::planted::{dependency, node, package, workspace};
    use super::*;

    /// What is wrong with a core of these dependencies that are linked as `nodes` have it.
    fn check(dependencies: &[Value], nodes: &[Value]) -> Vec<String> {
        let ids = nodes.iter().filter_map(|node| node["id"].as_str());
        let packages = ids.map(|id| {
            if id == CORE {
                package(id, dependencies, &json!({}))
            } else {
                package(id, &[], &json!({}))
            }
        });
        wrong(&workspace(&packages.collect::<Vec<_>>(), nodes)).unwrap()
    }

    #[test]
    fn pure_crates_are_accepted_also_those_that_oauth2_links() {
        let nodes = [
            node(CORE, &[("oauth2", None)]),
            node(
                "oauth2",
                &[("rand", None), ("getrandom", None), ("ringbuf", None)],
            ),
            node("rand", &[]),
            node("getrandom", &[]),
            node("ringbuf", &[]),
        ];
        assert!(check(&[dependency("oauth2", None, false)], &nodes).is_empty());
    }

    #[test]
    fn a_runtime_somewhere_below_is_refused_once_by_name() {
        let nodes = [
            node(CORE, &[("one", None), ("two", None)]),
            node("one", &[("tokio", None)]),
            node("two", &[("tokio", None)]),
            node("tokio", &[]),
        ];
        let wrong = check(&[], &nodes);
        assert_eq!(wrong.len(), 1, "{wrong:?}");
        assert!(
            wrong[0].contains("pulls in tokio") && wrong[0].contains("cargo tree"),
            "{}",
            wrong[0]
        );
    }

    #[test]
    fn what_only_tests_and_other_crates_need_is_not_below_the_core() {
        let nodes = [
            node(CORE, &[("proptest", Some("dev"))]),
            node("proptest", &[("tokio", None)]),
            node("rc-http", &[("tokio", None)]),
            node("tokio", &[]),
        ];
        assert!(check(&[], &nodes).is_empty());
    }

    #[test]
    fn randomness_and_clocks_are_refused_as_dependencies_of_its_own_but_not_of_its_tests() {
        let own = [
            dependency("getrandom", None, false),
            dependency("rand", Some("dev"), false),
        ];
        let wrong = check(&own, &[node(CORE, &[])]);
        assert_eq!(wrong.len(), 1, "{wrong:?}");
        assert!(
            wrong[0].contains("getrandom") && wrong[0].contains("Entropy"),
            "{}",
            wrong[0]
        );
    }

    #[test]
    fn a_graph_without_the_core_is_an_error_and_not_a_pass() {
        assert!(wrong(&workspace(&[], &[])).is_err());
        let unlinked = workspace(&[package(CORE, &[], &json!({}))], &[]);
        assert!(wrong(&unlinked).is_err());
    }
}
