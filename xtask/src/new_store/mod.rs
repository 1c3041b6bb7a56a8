//! Begins a crate for another storage backend.

use std::{fs, path::Path};

use crate::{Fallible, Outcome, cargo};

mod check;
mod edits;
mod name;

pub(crate) use check::check;
use name::Name;

/// The files of a new crate. They are what rustfmt makes of them, whatever the name is.
const TEMPLATE: [(&str, &str); 5] = [
    ("Cargo.toml", include_str!("template/Cargo.toml.tmpl")),
    ("README.md", include_str!("template/README.md.tmpl")),
    ("src/lib.rs", include_str!("template/lib.rs.tmpl")),
    ("src/store.rs", include_str!("template/store.rs.tmpl")),
    (
        "tests/conformance.rs",
        include_str!("template/conformance.rs.tmpl"),
    ),
];

/// What a workspace elsewhere takes over as it is, so that it builds and formats alike.
const SHARED: [&str; 3] = ["Cargo.lock", "clippy.toml", "rustfmt.toml"];

/// A file to write: its path below the root, and its text.
type Written = (String, String);

/// Makes `crates/rc-store-NAME` and lists it where crates are listed. With `--into FOLDER` the crate is
/// made in a workspace of its own there, which uses the crates here and changes nothing.
pub(crate) fn run(arguments: &[String]) -> Outcome {
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        [name] => here(&Name::new(name)?),
        [name, "--into", folder] => {
            let name = Name::new(name)?;
            elsewhere(&name, Path::new(folder))?;
            println!("In {folder}:\n{}", next(&name));
            Ok(())
        }
        _ => Err("name the backend: cargo xtask new-store NAME, such as my-engine".to_owned()),
    }
}

fn here(name: &Name) -> Outcome {
    let root = cargo::root();
    let mut files = crate_files(name);
    // All edits before the first file: what cannot be edited leaves nothing half made.
    files.push((
        "Cargo.toml".to_owned(),
        edits::manifest(&cargo::read("Cargo.toml")?, name)?,
    ));
    let layers = "xtask/src/layers.rs";
    files.push((
        layers.to_owned(),
        edits::layers(&cargo::read(layers)?, name)?,
    ));
    let stores = "docs/stores.md";
    let text = cargo::read(stores)?;
    files.push((stores.to_owned(), edits::stores(&text, name)?));
    write_all(root, name, &files)?;
    // Puts the crate into Cargo.lock, and nothing else.
    let update = ["metadata", "--offline", "--format-version", "1"];
    cargo::output(&mut cargo::cargo(&update))?;
    print!("{}", next(name));
    Ok(())
}

fn elsewhere(name: &Name, folder: &Path) -> Outcome {
    let mut files = crate_files(name);
    let manifest = edits::manifest_elsewhere(&cargo::read("Cargo.toml")?, name, cargo::root())?;
    files.push(("Cargo.toml".to_owned(), manifest));
    for file in SHARED {
        files.push((file.to_owned(), cargo::read(file)?));
    }
    write_all(folder, name, &files)
}

fn crate_files(name: &Name) -> Vec<Written> {
    let package = name.package();
    let filled = |(path, text): (&str, &str)| (format!("crates/{package}/{path}"), name.fill(text));
    TEMPLATE.map(filled).into()
}

fn write_all(root: &Path, name: &Name, files: &[Written]) -> Outcome {
    let folder = root.join("crates").join(name.package());
    if folder.exists() {
        return Err(format!(
            "{} is there already; take another name, or remove it",
            folder.display()
        ));
    }
    files
        .iter()
        .try_for_each(|(path, text)| write(&root.join(path), text))
}

fn write(path: &Path, text: &str) -> Fallible<()> {
    let folder = path.parent().unwrap_or(path);
    fs::create_dir_all(folder)
        .and_then(|()| fs::write(path, text))
        .map_err(|error| format!("cannot write {}: {error}", path.display()))
}

/// What to do after that.
fn next(name: &Name) -> String {
    let package = name.package();
    format!(
        "made crates/{package}. Next:\n  \
         1. read crates/{package}/README.md: the order of work, and what each step is checked by\n  \
         2. write src/store.rs; after each step: cargo test -p {package} --no-fail-fast\n  \
         3. with all green, see \"Adding a storage backend\" in CONTRIBUTING.md, and run cargo xtask ci\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_of_a_crate_are_filled_in_whole() {
        for (path, text) in crate_files(&Name::new("my-engine").unwrap()) {
            assert!(path.starts_with("crates/rc-store-my-engine/"), "{path}");
            assert!(!text.contains("{{"), "{path}: {text}");
        }
    }

    #[test]
    fn what_is_next_takes_three_steps() {
        let text = next(&Name::new("my-engine").unwrap());
        let steps = text.lines().filter(|line| line.starts_with("  "));
        assert_eq!(steps.count(), 3, "{text}");
    }

    #[test]
    fn a_folder_that_is_there_is_not_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let name = Name::new("my-engine").unwrap();
        elsewhere(&name, folder.path()).unwrap();
        let message = elsewhere(&name, folder.path()).unwrap_err();
        assert!(message.contains("is there already"), "{message}");
    }

    #[test]
    fn arguments_other_than_a_name_are_answered_with_the_call() {
        for words in [&[][..], &["one", "two"], &["one", "--into"]] {
            let words: Vec<String> = words.iter().map(ToString::to_string).collect();
            let message = run(&words).unwrap_err();
            assert!(message.contains("new-store NAME"), "{message}");
        }
    }

    #[test]
    fn the_page_of_stores_has_a_list_that_takes_another_one() {
        let page = cargo::read("docs/stores.md").unwrap();
        let stores = edits::stores(&page, &Name::new("my-engine").unwrap()).unwrap();
        for name in ["rc-store-sql", "rc-store-my-engine"] {
            assert!(stores.contains(name), "{stores}");
        }
    }
}
