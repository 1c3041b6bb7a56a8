//! Bugs that were put in on purpose, to see that they are found. A normal build has none; `cargo xtask simulate zoo`
//! makes one that has them all, and chooses one at a time.

/// Switches a bug on.
///
/// # Errors
///
/// When this build does not know it.
pub(crate) fn choose(bug: &str) -> Result<(), String> {
    Err(format!(
        "this build has no bug {bug:?} in it: cargo xtask simulate zoo"
    ))
}
