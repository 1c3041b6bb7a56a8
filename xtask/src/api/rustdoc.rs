//! What rustdoc says of a library in JSON.
//!
//! Its format is not stable: a stable rustdoc has to be told that it may write it, and each version of `public-api`
//! reads one version of it.

use std::{
    env,
    ffi::OsString,
    fs,
    path::PathBuf,
    process::{Command, ExitCode},
};

use cargo_metadata::{Metadata, Package};
use serde_json::Value;

use crate::{Fallible, Outcome, cargo};

/// The version of the format that `public-api` reads here; Rust 1.95 writes it.
const FORMAT: u64 = 57;

const AS_JSON: [&str; 4] = ["-Z", "unstable-options", "--output-format", "json"];

/// Set where cargo calls this program as its rustdoc: the name of the true one.
const TRUE_RUSTDOC: &str = "XTASK_TRUE_RUSTDOC";

/// Where this program was called in place of rustdoc: calls rustdoc, and lets it use what is unstable.
///
/// Set for cargo as a whole, the variable would have every build script run again that looks at it, and compile all
/// that depends on them a second time.
pub(crate) fn stand_in() -> Option<ExitCode> {
    let mut rustdoc = permitted(env::var_os(TRUE_RUSTDOC)?);
    Some(match rustdoc.args(env::args_os().skip(1)).status() {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: cannot start rustdoc: {error}");
            ExitCode::FAILURE
        }
    })
}

fn permitted(program: OsString) -> Command {
    let mut rustdoc = Command::new(program);
    rustdoc.env("RUSTC_BOOTSTRAP", "1");
    rustdoc
}

fn true_rustdoc() -> OsString {
    env::var_os("RUSTDOC").unwrap_or_else(|| "rustdoc".into())
}

/// Why the API cannot be read with this toolchain, if so: asks rustdoc for an empty crate.
pub(super) fn unreadable() -> Fallible<Option<String>> {
    let broken = |error| format!("cannot use a temporary folder: {error}");
    let folder = tempfile::tempdir().map_err(broken)?;
    fs::write(folder.path().join("empty.rs"), "").map_err(broken)?;
    let mut rustdoc = permitted(true_rustdoc());
    rustdoc
        .current_dir(folder.path())
        .args(AS_JSON)
        .args(["--out-dir", ".", "empty.rs"]);
    cargo::run(&mut rustdoc)?;
    let json = fs::read_to_string(folder.path().join("empty.json")).map_err(broken)?;
    let json: Value =
        serde_json::from_str(&json).map_err(|error| format!("rustdoc wrote no JSON: {error}"))?;
    Ok(other_format(&json))
}

fn other_format(json: &Value) -> Option<String> {
    let format = &json["format_version"];
    (*format != FORMAT).then(|| {
        format!("this rustdoc writes version {format} of its JSON, and version {FORMAT} is read (Rust 1.95 writes it)")
    })
}

/// Writes the JSON of all libraries, with all features.
///
/// All features of the whole workspace, as `cargo xtask ci clippy` has it too, so that nothing below is compiled twice:
/// for examples cargo selects the features of tests, as clippy does.
pub(super) fn document(metadata: &Metadata) -> Outcome {
    let own = env::current_exe()
        .map_err(|error| format!("cannot tell where this program is: {error}"))?;
    let what = [
        "doc",
        "--workspace",
        "--lib",
        "--examples",
        "--all-features",
        "--no-deps",
        "--locked",
        "--quiet",
    ];
    let mut doc = cargo::cargo(&what);
    doc.env("RUSTDOC", own)
        .env(TRUE_RUSTDOC, true_rustdoc())
        .env("RUSTDOCFLAGS", AS_JSON.join(" "));
    doc.env("CARGO_TARGET_DIR", &metadata.target_directory);
    cargo::run(&mut doc)
}

/// The file that [`document`] wrote for a library.
pub(super) fn described(metadata: &Metadata, library: &Package) -> PathBuf {
    let name = library.name.replace('-', "_");
    metadata
        .target_directory
        .join("doc")
        .join(name)
        .with_extension("json")
        .into()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_the_format_that_is_read_is_accepted() {
        assert_eq!(other_format(&json!({ "format_version": FORMAT })), None);
        for json in [json!({ "format_version": FORMAT + 1 }), json!({})] {
            assert!(other_format(&json).unwrap().contains("version 57 is read"));
        }
    }

    #[test]
    fn a_library_is_described_in_a_file_of_its_name_in_rust() {
        let library = crate::libraries::planted::library("rc-x", json!({}), json!([]));
        let printed = json!({
            "packages": [], "workspace_members": [], "workspace_root": "/w", "target_directory": "/w/target",
            "version": 1, "resolve": null,
        });
        let metadata = cargo::parsed(&printed.to_string()).unwrap();
        assert!(described(&metadata, &library).ends_with("target/doc/rc_x.json"));
    }
}
