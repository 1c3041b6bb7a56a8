//! The packages that a registry would get.

use cargo_metadata::Package;

use crate::{Outcome, cargo};

/// Makes the package of each library, without a warning and with what a reader of it needs.
pub(super) fn check(libraries: &[&Package]) -> Outcome {
    println!("alone: packages");
    for library in libraries {
        let arguments = [
            "package",
            "--list",
            "--allow-dirty",
            "--quiet",
            "--package",
            library.name.as_str(),
        ];
        complete(library, &cargo::output(&mut cargo::cargo(&arguments))?)?;
    }
    // No lock file: cargo would look for our own crates on crates.io to write one, and nobody reads a library's.
    let mut package = cargo::cargo(&[
        "package",
        "--no-verify",
        "--allow-dirty",
        "--offline",
        "--exclude-lockfile",
    ]);
    package.args(
        libraries
            .iter()
            .flat_map(|library| ["--package", library.name.as_str()]),
    );
    package.env("CARGO_TARGET_DIR", cargo::target().join("alone"));
    let (outcome, said) = cargo::with_errors(&mut package);
    outcome.map_err(|message| format!("{message}\n{said}"))?;
    clean(&said)
}

/// Whether the package has all that belongs into each.
fn complete(library: &Package, list: &str) -> Outcome {
    for file in ["Cargo.toml", "README.md", "src/lib.rs"] {
        if !list.lines().any(|line| line == file) {
            return Err(format!(
                "the package of {} has no {file}; see `include` and `exclude` of its manifest",
                library.name
            ));
        }
    }
    Ok(())
}

/// Whether cargo made the packages without a warning.
fn clean(said: &str) -> Outcome {
    let warnings: Vec<&str> = said
        .lines()
        .filter(|line| line.starts_with("warning"))
        .collect();
    if warnings.is_empty() {
        return Ok(());
    }
    Err(format!(
        "the packages are not clean:\n{}",
        warnings.join("\n")
    ))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::libraries::planted;

    #[test]
    fn a_package_without_its_readme_is_refused_by_name() {
        let library = planted::library("rc-x", json!({}), json!([]));
        assert_eq!(
            complete(&library, "Cargo.toml\nREADME.md\nsrc/lib.rs\n"),
            Ok(())
        );
        let message = complete(&library, "Cargo.toml\nsrc/lib.rs\ndocs/README.md\n").unwrap_err();
        assert!(message.contains("rc-x has no README.md"), "{message}");
    }

    #[test]
    fn a_warning_of_cargo_is_an_error() {
        assert_eq!(clean("   Packaging rc-x\n    Packaged 3 files\n"), Ok(()));
        let message = clean("   Packaging rc-x\nwarning: file nul is reserved\n").unwrap_err();
        assert!(message.contains("file nul"), "{message}");
    }
}
