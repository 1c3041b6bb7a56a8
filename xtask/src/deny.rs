//! Licences, banned crates and sources, as `deny.toml` has them.
//!
//! cargo-deny is the better reader of that file, but not every machine has it. What is checked here needs nothing but
//! cargo; cargo-deny runs as well where it is installed.

use std::{
    collections::BTreeMap,
    process::{Command, Stdio},
};

use crate::{Outcome, cargo, no_arguments, spdx};

/// The one place that crates come from.
const CRATES_IO: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// Checks the dependencies of the whole workspace.
pub(crate) fn run(arguments: &[String]) -> Outcome {
    no_arguments(arguments)?;
    let policy = Policy::parse(&cargo::read("deny.toml")?)?;
    let mut wrong = policy.wrong_in_lock(&cargo::read("Cargo.lock")?);
    let licences = licences()?;
    wrong.extend(policy.wrong_licences(&licences));
    if !wrong.is_empty() {
        return Err(format!("deny.toml does not hold\n\n{}", wrong.join("\n")));
    }
    println!(
        "deny: licences of {} packages, bans and sources hold",
        licences.len()
    );
    cargo_deny()
}

/// What `deny.toml` says, as far as it is read here.
struct Policy {
    licences: Vec<String>,
    banned: Vec<String>,
}

impl Policy {
    /// Reads the lists `allow` of `[licenses]` and `deny` of `[bans]`, one entry a line.
    fn parse(toml: &str) -> Result<Self, String> {
        let (mut section, mut list) = (String::new(), String::new());
        let mut policy = Self {
            licences: Vec::new(),
            banned: Vec::new(),
        };
        for line in toml.lines().map(str::trim) {
            if line.starts_with('[') {
                section = line.to_owned();
            } else if let Some(name) = line.strip_suffix("= [") {
                list = name.trim().to_owned();
            } else if line == "]" {
                list.clear();
            } else if let Some(entry) = quoted(line) {
                match (section.as_str(), list.as_str()) {
                    ("[licenses]", "allow") => policy.licences.push(entry.to_owned()),
                    ("[bans]", "deny") => policy.banned.push(entry.to_owned()),
                    _ => {}
                }
            }
        }
        if policy.licences.is_empty() || policy.banned.is_empty() {
            return Err(
                "deny.toml lists no licences or no bans; write their lists with one entry a line"
                    .to_owned(),
            );
        }
        Ok(policy)
    }

    /// Banned crates and foreign sources in `Cargo.lock`, for all platforms and features.
    fn wrong_in_lock(&self, lock: &str) -> Vec<String> {
        let mut wrong = Vec::new();
        let mut package = "";
        for line in lock.lines() {
            if let Some(name) = line.strip_prefix("name = ").and_then(quoted) {
                package = name;
                if self.banned.iter().any(|banned| banned == name) {
                    wrong.push(format!("{name} is banned: find who needs it with `cargo tree --target all -i {name}`"));
                }
            }
            if let Some(source) = line.strip_prefix("source = ").and_then(quoted)
                && source != CRATES_IO
            {
                wrong.push(format!(
                    "{package} comes from {source}: only crates.io is a source here"
                ));
            }
        }
        wrong
    }

    fn wrong_licences(&self, licences: &BTreeMap<String, String>) -> Vec<String> {
        let allowed = |licence: &str| self.licences.iter().any(|allowed| allowed == licence);
        let wrong = licences.iter().filter_map(|(package, expression)| {
            let problem = match spdx::satisfied(expression, &allowed) {
                Ok(true) => return None,
                Ok(false) => {
                    format!("has the licence {expression}, which deny.toml does not allow")
                }
                Err(problem) => problem,
            };
            Some(format!(
                "{package}: {problem}; use another crate, or allow the licence for a stated reason"
            ))
        });
        wrong.collect()
    }
}

/// The first text in quotes, wherever it stands: `"MIT",`, `{ crate = "x", .. }`.
fn quoted(line: &str) -> Option<&str> {
    let entry = line.split('#').next()?;
    entry.split('"').nth(1)
}

/// Package and licence of everything that is compiled on this platform, tests and all features included.
fn licences() -> Result<BTreeMap<String, String>, String> {
    let which = [
        "tree",
        "--locked",
        "--workspace",
        "--all-features",
        "--edges",
        "all",
    ];
    let how = ["--prefix", "none", "--format", "{p}\t{l}"];
    let tree = cargo::output(cargo::cargo(&which).args(how))?;
    let pairs = tree.lines().filter_map(|line| line.split_once('\t'));
    let licences: BTreeMap<_, _> = pairs
        .map(|(package, licence)| {
            (
                package.to_owned(),
                licence.trim_end_matches(" (*)").to_owned(),
            )
        })
        .collect();
    if licences.is_empty() {
        Err("cargo tree shows no packages".to_owned())
    } else {
        Ok(licences)
    }
}

/// Runs cargo-deny, or says that it is missing.
fn cargo_deny() -> Outcome {
    let version = cargo::cargo(&["deny", "--version"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    if !version.is_ok_and(|status| status.success()) {
        println!(
            "deny: cargo-deny is not installed: licences of other platforms and wildcard versions were not checked"
        );
        return Ok(());
    }
    // All platforms, so that cargo-deny needs no network.
    cargo::run(&mut cargo::cargo(&["fetch", "--locked"]))?;
    let mut check: Command =
        cargo::cargo(&["deny", "--offline", "check", "bans", "licenses", "sources"]);
    cargo::run(&mut check)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOML: &str = r#"
[licenses]
allow = [
    "MIT", # "not this"
    "Zlib",
]
[bans]
multiple-versions = "allow"
deny = [
    { crate = "openssl", reason = "C" },
]
[sources]
allow-registry = ["https://example.com/index"]
"#;

    fn policy() -> Policy {
        Policy::parse(TOML).unwrap()
    }

    #[test]
    fn the_lists_of_deny_toml_are_read() {
        assert_eq!(policy().licences, ["MIT", "Zlib"]);
        assert_eq!(policy().banned, ["openssl"]);
        assert!(
            Policy::parse("[licenses]\nallow = [\"MIT\"]\n").is_err(),
            "a list that is not read is an error"
        );
    }

    #[test]
    fn the_deny_toml_of_this_repository_is_read() {
        let policy = Policy::parse(&cargo::read("deny.toml").unwrap()).unwrap();
        assert!(policy.licences.contains(&"Apache-2.0".to_owned()));
        assert!(policy.banned.contains(&"native-tls".to_owned()));
    }

    #[test]
    fn banned_crates_and_foreign_sources_are_named() {
        let lock = "name = \"serde\"\nsource = \"registry+https://github.com/rust-lang/crates.io-index\"\n\
                    name = \"openssl\"\nname = \"fork\"\nsource = \"git+https://example.com/fork\"\n";
        let wrong = policy().wrong_in_lock(lock);
        assert_eq!(wrong.len(), 2, "{wrong:?}");
        assert!(
            wrong[0].starts_with("openssl") && wrong[1].starts_with("fork comes from git+"),
            "{wrong:?}"
        );
    }

    #[test]
    fn licences_that_are_not_allowed_or_not_given_are_named() {
        let licences = [
            ("good v1", "MIT OR GPL-3.0-only"),
            ("bad v1", "GPL-3.0-only"),
            ("none v1", ""),
        ];
        let licences = licences
            .map(|(package, licence)| (package.to_owned(), licence.to_owned()))
            .into();
        let wrong = policy().wrong_licences(&licences);
        assert_eq!(wrong.len(), 2, "{wrong:?}");
        assert!(
            wrong[0].contains("bad v1: has the licence GPL-3.0-only"),
            "{wrong:?}"
        );
        assert!(
            wrong[1].contains("none v1: \"\" is not a licence"),
            "{wrong:?}"
        );
    }
}
