//! Programs of cargo's that chores need, at pinned versions, installed where they are missing.

use std::{env, ffi::OsStr, path::PathBuf, process::Command};

use crate::{Fallible, cargo};

/// Reads `deny.toml`.
pub(crate) const CARGO_DENY: Tool = Tool {
    name: "cargo-deny",
    version: "0.20.2",
    first: None,
};

/// Changes code, and says whether a test fails for it.
pub(crate) const CARGO_MUTANTS: Tool = Tool {
    name: "cargo-mutants",
    version: "27.1.0",
    first: Some("mutants"),
};

/// A program that `cargo install` makes of the crate of the same name.
pub(crate) struct Tool {
    name: &'static str,
    version: &'static str,
    /// What it takes before all else, where it has to be called as cargo calls it.
    first: Option<&'static str>,
}

/// For a build of some minutes instead of many: what is installed here runs for seconds.
const LIGHT: [(&str, &str); 4] = [
    ("CARGO_PROFILE_RELEASE_LTO", "off"),
    ("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16"),
    ("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1"),
    ("CARGO_PROFILE_RELEASE_DEBUG", "false"),
];

impl Tool {
    /// The program: the installed one where it has the pinned version, or else one of our own.
    ///
    /// # Errors
    ///
    /// It is not there and cannot be installed.
    pub(crate) fn program(&self) -> Fallible<PathBuf> {
        let own = self.root()?.join("bin").join(self.name);
        let own = own.with_extension(env::consts::EXE_EXTENSION);
        let places = [PathBuf::from(self.name), own.clone()];
        if let Some(place) = places.into_iter().find(|place| self.is(place.as_os_str())) {
            return Ok(place);
        }
        self.install()?;
        if self.is(own.as_os_str()) {
            Ok(own)
        } else {
            let (name, version) = (self.name, self.version);
            Err(format!(
                "{} was installed and is not {name} {version}",
                own.display()
            ))
        }
    }

    /// A folder beside cargo's own, for one version: it outlives this clone and `cargo clean`, and leaves alone what
    /// else is installed on the machine.
    fn root(&self) -> Fallible<PathBuf> {
        let home = env::var_os("CARGO_HOME").map(PathBuf::from);
        let home = home.or_else(|| Some(env::home_dir()?.join(".cargo")));
        let home = home.ok_or(
            "neither CARGO_HOME nor a home folder says where to install programs; set CARGO_HOME",
        )?;
        Ok(home
            .join("xtask-tools")
            .join(format!("{}-{}", self.name, self.version)))
    }

    fn is(&self, program: &OsStr) -> bool {
        let mut command = Command::new(program);
        let output = command.args(self.first).arg("--version").output();
        output.is_ok_and(|output| self.says_so(&String::from_utf8_lossy(&output.stdout)))
    }

    /// Whether that is what the pinned version prints for `--version`.
    fn says_so(&self, printed: &str) -> bool {
        let mut words = printed.split_whitespace();
        words.next() == Some(self.name) && words.next() == Some(self.version)
    }

    fn install(&self) -> Fallible<()> {
        println!(
            "installing {} {}, once: some minutes",
            self.name, self.version
        );
        let mut command = cargo::cargo(&[
            "install",
            "--quiet",
            "--locked",
            self.name,
            "--version",
            self.version,
        ]);
        // Its build has nothing in common with ours, and is not kept.
        command.env_remove("CARGO_TARGET_DIR").envs(LIGHT);
        cargo::run(command.arg("--root").arg(self.root()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_pinned_version_is_taken() {
        let tool = Tool {
            name: "cargo-x",
            version: "1.2.3",
            first: None,
        };
        assert!(tool.says_so("cargo-x 1.2.3\n"));
        assert!(tool.says_so("cargo-x 1.2.3 (abc 2026-01-01)"));
        for other in ["cargo-x 1.2.30", "cargo-y 1.2.3", "1.2.3", ""] {
            assert!(!tool.says_so(other), "{other:?}");
        }
    }

    #[test]
    fn a_program_that_is_not_there_is_not_the_pinned_version() {
        assert!(!CARGO_DENY.is(OsStr::new("no-such-program-here")));
    }

    #[test]
    fn versions_have_folders_of_their_own() {
        let root = CARGO_DENY.root().unwrap();
        assert!(root.ends_with(format!("xtask-tools/cargo-deny-{}", CARGO_DENY.version)));
    }
}
