//! The pinned clients, installed below `target`.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use super::{
    FOLDER,
    clients::{Client, Language},
};
use crate::{Fallible, Outcome, cargo};

/// Where the scripts are, below the root of the workspace.
const SCRIPTS: &str = "xtask/interop";
/// That of Debian 12, and the first with `fetch`.
const OLDEST_NODE: u32 = 18;

/// A folder with the scripts and everything they need.
#[derive(Debug)]
pub(crate) struct Installed {
    folder: PathBuf,
}

impl Installed {
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// What runs scripts of this language.
    pub(crate) fn program(&self, language: Language) -> PathBuf {
        match language {
            Language::JavaScript => "node".into(),
            Language::Python => self.folder.join("venv/bin/python"),
        }
    }
}

/// Installs what these clients need, unless it is there already.
pub(super) fn install(clients: &[&Client]) -> Fallible<Installed> {
    let folder = cargo::root().join(FOLDER);
    copy_scripts(&cargo::root().join(SCRIPTS), &folder)?;
    let needed = |language| clients.iter().any(|client| client.language == language);
    // Node also runs the proxy that spoils the platform.
    check_node()?;
    if needed(Language::JavaScript) {
        once(&folder, "node_modules", "package-lock.json", npm)?;
    }
    if needed(Language::Python) {
        once(&folder, "venv", "requirements.txt", venv)?;
    }
    Ok(Installed { folder })
}

/// Node looks for packages in the folders above a script, which is why the scripts run beside them.
fn copy_scripts(from: &Path, to: &Path) -> Outcome {
    let failed = |error| {
        format!(
            "cannot copy {} to {}: {error}",
            from.display(),
            to.display()
        )
    };
    fs::create_dir_all(to).map_err(failed)?;
    for entry in fs::read_dir(from).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if let Some(name) = path.file_name().filter(|_| path.is_file()) {
            fs::copy(&path, to.join(name)).map_err(failed)?;
        }
    }
    Ok(())
}

/// Makes `made` by `install` unless it was made from the same content of `pins`. The copy of that content
/// is written last, so that an installation that was interrupted is begun again.
fn once(folder: &Path, made: &str, pins: &str, install: fn(&Path) -> Outcome) -> Outcome {
    let (made, pins) = (folder.join(made), folder.join(pins));
    let stamp = made.join("installed-from");
    let failed = |error| format!("cannot install into {}: {error}", made.display());
    let wanted = fs::read(&pins).map_err(failed)?;
    if fs::read(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    if made.exists() {
        fs::remove_dir_all(&made).map_err(failed)?;
    }
    install(folder)?;
    fs::write(stamp, wanted).map_err(failed)
}

fn npm(folder: &Path) -> Outcome {
    found("npm", &["--version"], "npm")?;
    let mut command = Command::new("npm");
    // No package of these needs to run anything to be installed.
    command.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]);
    cargo::run(command.current_dir(folder))
}

fn venv(folder: &Path) -> Outcome {
    found(
        "python3",
        &["-c", "import ensurepip, venv"],
        "python3 python3-venv",
    )?;
    let mut command = Command::new("python3");
    cargo::run(command.args(["-m", "venv", "venv"]).current_dir(folder))?;
    let mut command = Command::new(folder.join("venv/bin/python"));
    // The pins name every dependency: one that is missing there must not come in another version each day.
    command.args(["-m", "pip", "install", "--quiet", "--no-deps"]);
    command.args(["--disable-pip-version-check", "-r", "requirements.txt"]);
    cargo::run(command.current_dir(folder))
}

fn check_node() -> Outcome {
    let version = found("node", &["--version"], "nodejs npm")?;
    let major = major(&version);
    if major.is_some_and(|major| major >= OLDEST_NODE) {
        return Ok(());
    }
    Err(format!(
        "node {OLDEST_NODE} or newer is needed, and `node --version` says {}",
        version.trim()
    ))
}

fn major(version: &str) -> Option<u32> {
    let number = version.trim().strip_prefix('v')?;
    number.split('.').next()?.parse().ok()
}

/// What a program prints that has to be there, with the Debian packages that bring it otherwise.
fn found(program: &str, arguments: &[&str], packages: &str) -> Fallible<String> {
    let output = Command::new(program).args(arguments).output();
    match output {
        Ok(output) if output.status.success() => {
            Ok(String::from_utf8_lossy(&output.stdout).into_owned())
        }
        Ok(_) | Err(_) => Err(format!(
            "`{program} {}` does not work, which the clients need; on Debian: apt install {packages}",
            arguments.join(" ")
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_named_by_its_debian_packages() {
        let message = found("no-such-program", &["--version"], "nodejs npm").unwrap_err();
        assert!(message.ends_with("apt install nodejs npm"), "{message}");
    }

    #[test]
    fn the_version_of_node_is_read_from_its_words() {
        assert_eq!(major("v20.19.2\n"), Some(20));
        assert_eq!(major("20"), None);
    }

    #[test]
    fn pins_that_changed_are_installed_again_and_the_same_ones_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let make = |folder: &Path| fs::create_dir(folder.join("made")).map_err(|e| e.to_string());
        let once = || once(folder.path(), "made", "pins", make);
        fs::write(folder.path().join("pins"), "1").unwrap();
        once().unwrap();
        let kept = folder.path().join("made/kept");
        fs::write(&kept, "").unwrap();
        once().unwrap();
        assert!(kept.exists());
        fs::write(folder.path().join("pins"), "2").unwrap();
        once().unwrap();
        assert!(!kept.exists());
    }

    #[test]
    fn no_host_of_a_registry_is_in_the_pins() {
        let lock = cargo::read("xtask/interop/package-lock.json").unwrap();
        assert!(!lock.contains("\"resolved\""));
    }
}
