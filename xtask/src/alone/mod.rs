//! Each library as a program elsewhere has it: one feature at a time, its README, its package.

use std::fs;

use cargo_metadata::Package;

use crate::{Fallible, Outcome, cargo, libraries};

mod features;
mod package;
mod readme;
mod scratch;

use features::Set;
use scratch::{Dependency, Scratch};

/// Checks the libraries named, or all, each from a workspace of its own.
pub(crate) fn run(names: &[String]) -> Outcome {
    let metadata = cargo::metadata()?;
    let chosen = libraries::chosen(&metadata, names)?;
    let scratch = Scratch::new()?;
    for library in &chosen {
        features(&scratch, library)?;
        readme(&scratch, library)?;
    }
    package::check(&chosen)?;
    println!("alone: {} libraries hold by themselves", chosen.len());
    Ok(())
}

/// Each set of features compiles without a warning.
fn features(scratch: &Scratch, library: &Package) -> Outcome {
    for set in features::sets(library) {
        let Set { label, .. } = &set;
        println!("alone: {} with {label}", library.name);
        let dependency = Dependency::on(library, set.features.clone());
        scratch.write(&[dependency], &[])?;
        scratch.check(&[]).map_err(|message| {
            format!(
                "{} does not compile by itself with {label}: {message}",
                library.name
            )
        })?;
    }
    Ok(())
}

/// The examples of the README compile, as the library is by default.
fn readme(scratch: &Scratch, library: &Package) -> Outcome {
    let Some(text) = readme_of(library)? else {
        return Err(format!(
            "{} has no README; its page on a registry would be empty",
            library.name
        ));
    };
    let examples = readme::examples(&text)
        .map_err(|problem| format!("README of {}: {problem}", library.name))?;
    if examples.is_empty() {
        return Err(format!(
            "the README of {} has no example in Rust; show the first call",
            library.name
        ));
    }
    println!(
        "alone: {} with the {} examples of its README",
        library.name,
        examples.len()
    );
    let mut dependencies = readme::dependencies(library, &examples);
    dependencies.push(Dependency::by_default(library));
    scratch.write(&dependencies, &examples)?;
    scratch.check(&["--examples"]).map_err(|message| {
        format!(
            "the README of {} does not compile elsewhere: {message}",
            library.name
        )
    })
}

/// The README beside the manifest, where cargo finds it too.
fn readme_of(library: &Package) -> Fallible<Option<String>> {
    let path = library.manifest_path.with_file_name("README.md");
    if !path.exists() {
        return Ok(None);
    }
    let text = fs::read_to_string(&path);
    text.map(Some)
        .map_err(|error| format!("cannot read {path}: {error}"))
}
