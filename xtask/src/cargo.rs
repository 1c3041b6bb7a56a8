//! Calls of cargo, from the root of the workspace.

use std::{
    env, io,
    path::{Path, PathBuf},
    process::{Command, ExitStatus, Stdio},
};

use cargo_metadata::Metadata;

use crate::{Fallible, Outcome};

/// The root of the workspace.
pub(crate) fn root() -> &'static Path {
    let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
    xtask.parent().unwrap_or(xtask)
}

/// `cargo ARGUMENTS`, with the cargo that runs this program.
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments).current_dir(root());
    command
}

/// Runs `command` with its output on the terminal.
pub(crate) fn run(command: &mut Command) -> Outcome {
    verdict(command.status(), command)
}

/// Runs `command` and returns what it prints. Its errors go to the terminal.
pub(crate) fn output(command: &mut Command) -> Result<String, String> {
    let output = command.stderr(Stdio::inherit()).output();
    let (status, stdout) = match output {
        Ok(output) => (Ok(output.status), output.stdout),
        Err(error) => (Err(error), Vec::new()),
    };
    verdict(status, command)?;
    String::from_utf8(stdout).map_err(|_| format!("{} printed what is not UTF-8", shown(command)))
}

/// Runs `command` and returns what it says of itself, with its outcome. What it prints goes to the terminal.
pub(crate) fn with_errors(command: &mut Command) -> (Outcome, String) {
    let output = command
        .stdout(Stdio::inherit())
        .stderr(Stdio::piped())
        .output();
    let (status, stderr) = match output {
        Ok(output) => (Ok(output.status), output.stderr),
        Err(error) => (Err(error), Vec::new()),
    };
    (
        verdict(status, command),
        String::from_utf8_lossy(&stderr).into_owned(),
    )
}

/// The folder for what is built.
pub(crate) fn target() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| root().join("target"), |folder| root().join(folder))
}

/// The packages of the workspace and of everything below it, with what each is linked to.
pub(crate) fn metadata() -> Fallible<Metadata> {
    let arguments = [
        "metadata",
        "--all-features",
        "--format-version",
        "1",
        "--locked",
    ];
    // The packages of other platforms may have to be fetched, which is no error.
    let printed = output(cargo(&arguments).arg("--quiet"))?;
    parsed(&printed)
}

/// Metadata from what cargo prints.
pub(crate) fn parsed(printed: &str) -> Fallible<Metadata> {
    cargo_metadata::MetadataCommand::parse(printed)
        .map_err(|error| format!("cargo metadata printed what cannot be read: {error}"))
}

/// The text of a file, named from the root of the workspace.
pub(crate) fn read(path: &str) -> Result<String, String> {
    let path = root().join(path);
    std::fs::read_to_string(&path)
        .map_err(|error| format!("cannot read {}: {error}", path.display()))
}

fn verdict(status: io::Result<ExitStatus>, command: &Command) -> Outcome {
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("`{}` failed ({status})", shown(command))),
        Err(error) => Err(format!("cannot start `{}`: {error}", shown(command))),
    }
}

/// The command as somebody would type it, without the folder of the program.
fn shown(command: &Command) -> String {
    let program = Path::new(command.get_program())
        .file_stem()
        .unwrap_or_default();
    let words = std::iter::once(program).chain(command.get_args());
    words
        .map(|word| word.to_string_lossy())
        .collect::<Vec<_>>()
        .join(" ")
}
