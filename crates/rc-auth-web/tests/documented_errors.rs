//! The page that explains the errors, against the errors.
#![allow(clippy::unwrap_used, reason = "a file of tests")]

use std::{fs, path::Path};

/// Where the enums are that an application meets, and how the page calls them.
const ENUMS: &[(&str, &str, &str)] = &[
    ("rc-auth-core/src/app.rs", "InvalidApp", "InvalidApp"),
    (
        "rc-auth-core/src/sign_in/callback.rs",
        "CallbackError",
        "CallbackError",
    ),
    ("rc-auth-core/src/grant/record.rs", "EndReason", "EndReason"),
    ("rc-auth-core/src/grant/view.rs", "Trouble", "Trouble"),
    ("rc-auth/src/error.rs", "BuildError", "rc_auth::BuildError"),
    ("rc-auth/src/error.rs", "SignInError", "SignInError"),
    ("rc-auth/src/error.rs", "GrantError", "GrantError"),
    ("rc-auth/src/error.rs", "CallError", "CallError"),
    (
        "rc-auth/src/records/mark.rs",
        "StoreCheckError",
        "StoreCheckError",
    ),
    (
        "rc-auth-web/src/builder.rs",
        "BuildError",
        "rc_auth_web::BuildError",
    ),
    (
        "rc-auth-web/src/redirect_uri.rs",
        "UnfitRedirectUri",
        "UnfitRedirectUri",
    ),
    ("rc-auth-web/src/finish.rs", "FinishError", "FinishError"),
    ("rc-auth-web/src/begin.rs", "BeginError", "BeginError"),
    (
        "rc-auth-web/src/request_check/mod.rs",
        "Rejection",
        "Rejection",
    ),
    ("rc-http/src/error.rs", "FailureKind", "FailureKind"),
    ("rc-store/src/contract/error.rs", "StoreError", "StoreError"),
];

/// The names of the variants of an enum in a formatted source text.
fn variants(source: &str, name: &str) -> Vec<String> {
    let start = format!("pub enum {name} {{\n");
    let (_, body) = source.split_once(&start).unwrap();
    let (body, _) = body.split_once("\n}\n").unwrap();
    let names = body.lines().filter_map(|line| {
        let line = line.strip_prefix("    ")?;
        let name: String = line
            .chars()
            .take_while(char::is_ascii_alphanumeric)
            .collect();
        line.starts_with(|first: char| first.is_ascii_uppercase())
            .then_some(name)
    });
    names.collect()
}

#[test]
fn every_variant_that_an_application_meets_is_explained() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let page = fs::read_to_string(root.join("docs/errors.md")).unwrap();
    for (file, name, called) in ENUMS {
        let source = fs::read_to_string(root.join("crates").join(file)).unwrap();
        let variants = variants(&source, name);
        assert!(
            variants.len() > 1,
            "{file}: the variants of {name} were not found"
        );
        for variant in variants {
            let row = format!("| `{called}::{variant}` |");
            assert!(page.contains(&row), "docs/errors.md lacks the row {row}");
        }
    }
}
