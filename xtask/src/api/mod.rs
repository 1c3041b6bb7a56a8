//! The public API of each library, in a file that a change of it has to touch.

use std::fs;

use cargo_metadata::{Package, camino::Utf8PathBuf};

use crate::{Fallible, Outcome, cargo, libraries};

mod listing;
mod rustdoc;

pub(crate) use rustdoc::stand_in;

const FILE: &str = "public-api.txt";

/// Compares the API of all libraries with `public-api.txt` of each; `--bless` writes these files.
pub(crate) fn run(arguments: &[String]) -> Outcome {
    let bless = match arguments {
        [] => false,
        [word] if word == "--bless" => true,
        _ => return Err("this chore takes --bless or nothing".to_owned()),
    };
    if let Some(why) = rustdoc::unreadable()? {
        if bless {
            return Err(why);
        }
        println!("api: the public API was NOT checked: {why}");
        return Ok(());
    }
    let metadata = cargo::metadata()?;
    let libraries = libraries::chosen(&metadata, &[])?;
    rustdoc::document(&metadata)?;
    let mut wrong = Vec::new();
    for library in &libraries {
        let listing = listing::of(&rustdoc::described(&metadata, library))?;
        wrong.extend(settle(library, &listing, bless)?);
    }
    if wrong.is_empty() {
        println!(
            "api: {} libraries are as their {FILE} says",
            libraries.len()
        );
        return Ok(());
    }
    Err(format!(
        "the public API is not what {FILE} says\n\n{}\nIf it should be so, run cargo xtask api --bless and commit the files; \
         CHANGELOG.md tells users what they have to change.",
        wrong.join("\n")
    ))
}

/// Writes the listing, or says how it differs.
fn settle(library: &Package, listing: &str, bless: bool) -> Fallible<Option<String>> {
    let file = library.manifest_path.with_file_name(FILE);
    if bless {
        let written = fs::write(&file, listing);
        return written
            .map(|()| None)
            .map_err(|error| format!("cannot write {file}: {error}"));
    }
    let difference = listing::difference(&blessed(&file)?, listing);
    Ok(difference.map(|difference| format!("{}:\n{difference}", library.name)))
}

/// What the file says; one that is not there says nothing.
fn blessed(file: &Utf8PathBuf) -> Fallible<String> {
    match fs::read_to_string(file) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(String::new()),
        outcome => outcome.map_err(|error| format!("cannot read {file}: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::libraries::planted;

    #[test]
    fn what_was_blessed_is_accepted_and_a_change_is_told_with_the_name_of_the_library() {
        let folder = tempfile::tempdir().unwrap();
        let mut library = planted::library("rc-x", json!({}), json!([]));
        library.manifest_path = folder.path().join("Cargo.toml").try_into().unwrap();
        let told = settle(&library, "pub fn a()\n", false).unwrap().unwrap();
        assert!(
            told.contains("rc-x") && told.contains("+ pub fn a()"),
            "{told}"
        );

        assert_eq!(settle(&library, "pub fn a()\n", true).unwrap(), None);
        assert_eq!(settle(&library, "pub fn a()\n", false).unwrap(), None);
        assert!(
            settle(&library, "pub fn a(x: u8)\n", false)
                .unwrap()
                .is_some()
        );
    }
}
