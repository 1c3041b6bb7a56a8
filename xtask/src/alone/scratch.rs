//! A program elsewhere: a workspace of its own in a temporary folder.

use std::{fs, path::Path};

use cargo_metadata::{Package, camino::Utf8Path};
use serde_json::json;
use tempfile::TempDir;

use crate::{Fallible, Outcome, cargo};

/// What the program has beside its dependencies.
const MANIFEST: &str = "[workspace]\n\n[package]\nname = \"elsewhere\"\nedition = \"2024\"\npublish = false\n\n\
                        [profile.dev]\ndebug = false\n\n[dependencies]\n";

/// A line of `[dependencies]`.
#[derive(Debug)]
pub(super) struct Dependency {
    pub(super) name: String,
    pub(super) features: Vec<String>,
    /// Where it comes from: `path = ".."` or `version = ".."`.
    source: String,
    default_features: bool,
}

impl Dependency {
    /// A library with `features` and no others.
    pub(super) fn on(library: &Package, features: Vec<String>) -> Self {
        let folder = library
            .manifest_path
            .parent()
            .unwrap_or(&library.manifest_path);
        Self {
            name: library.name.to_string(),
            features,
            source: path(folder),
            default_features: false,
        }
    }

    /// A library as it is without a word about features.
    pub(super) fn by_default(library: &Package) -> Self {
        Self {
            default_features: true,
            ..Self::on(library, Vec::new())
        }
    }

    /// What a library depends on, in the same way.
    pub(super) fn like(dependency: &cargo_metadata::Dependency) -> Self {
        let source = match &dependency.path {
            Some(folder) => path(folder),
            None => format!("version = {}", json!(dependency.req.to_string())),
        };
        let (name, features) = (dependency.name.clone(), dependency.features.clone());
        Self {
            name,
            features,
            source,
            default_features: dependency.uses_default_features,
        }
    }

    fn line(&self) -> String {
        let Self {
            name,
            features,
            source,
            default_features,
        } = self;
        // An array of strings is the same in JSON and in TOML.
        let features = json!(features);
        format!(
            "{name} = {{ {source}, default-features = {default_features}, features = {features} }}\n"
        )
    }
}

fn path(folder: &Utf8Path) -> String {
    format!("path = {}", json!(folder.as_str().replace('\\', "/")))
}

/// The folder. What is compiled is kept in one place below the target folder of the workspace.
pub(super) struct Scratch(TempDir);

impl Scratch {
    pub(super) fn new() -> Fallible<Self> {
        let folder = tempfile::tempdir();
        folder
            .map(Self)
            .map_err(|error| format!("cannot make a temporary folder: {error}"))
    }

    /// Begins the program anew.
    pub(super) fn write(&self, dependencies: &[Dependency], examples: &[String]) -> Outcome {
        let lines: String = dependencies.iter().map(Dependency::line).collect();
        let mut files = vec![
            ("Cargo.toml".to_owned(), MANIFEST.to_owned() + &lines),
            // The versions of the workspace, so that nothing has to be fetched.
            ("Cargo.lock".to_owned(), cargo::read("Cargo.lock")?),
            ("src/lib.rs".to_owned(), String::new()),
        ];
        let names = (1..).map(|number| format!("examples/example-{number}.rs"));
        files.extend(names.zip(examples.iter().cloned()));
        let emptied = match fs::remove_dir_all(self.0.path().join("examples")) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
            outcome => {
                outcome.map_err(|error| format!("cannot empty the temporary folder: {error}"))
            }
        };
        emptied?;
        files
            .iter()
            .try_for_each(|(file, text)| put(&self.0.path().join(file), text))
    }

    /// `cargo check`, in which a warning is an error.
    pub(super) fn check(&self, more: &[&str]) -> Outcome {
        let mut check = cargo::cargo(&["check", "--quiet", "--offline"]);
        check.args(more).current_dir(self.0.path());
        check
            .env("CARGO_TARGET_DIR", cargo::target().join("alone"))
            .env("RUSTFLAGS", "-D warnings");
        cargo::run(&mut check)
    }
}

fn put(path: &Path, text: &str) -> Outcome {
    let folder = path.parent().unwrap_or(path);
    fs::create_dir_all(folder)
        .and_then(|()| fs::write(path, text))
        .map_err(|error| format!("cannot write {}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::libraries::planted;

    #[test]
    fn a_library_is_named_by_its_path_with_the_features_given_and_no_others() {
        let library = planted::library("rc-x", json!({}), json!([]));
        let line = Dependency::on(&library, vec!["a".to_owned(), "b".to_owned()]).line();
        let expected = "rc-x = { path = \"/w/crates/rc-x\", default-features = false, features = [\"a\",\"b\"] }\n";
        assert_eq!(line, expected);
        assert!(
            Dependency::by_default(&library)
                .line()
                .contains("default-features = true, features = []")
        );
    }

    #[test]
    fn what_a_library_depends_on_is_named_as_it_names_it() {
        let own = json!([planted::dependency("tokio", None, &["sync"])]);
        let library = planted::library("rc-x", json!({}), own);
        let line = Dependency::like(&library.dependencies[0]).line();
        assert_eq!(
            line,
            "tokio = { version = \"*\", default-features = true, features = [\"sync\"] }\n"
        );
    }

    #[test]
    fn examples_of_before_are_gone() {
        let scratch = Scratch::new().unwrap();
        scratch.write(&[], &["fn main() {}".to_owned()]).unwrap();
        assert!(scratch.0.path().join("examples/example-1.rs").exists());
        scratch.write(&[], &[]).unwrap();
        assert!(!scratch.0.path().join("examples").exists());
    }
}
