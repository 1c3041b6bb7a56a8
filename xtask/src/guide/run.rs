//! Runs a program, and ends what it has left running.

use std::{
    fs::{self, File},
    io,
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use crate::Fallible;

/// The guide takes a few seconds; what waits for ever is ended.
const LIMIT: Duration = Duration::from_secs(120);
const POLL: Duration = Duration::from_millis(10);

/// A program that ended.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) success: bool,
    pub(super) output: String,
}

/// Runs `command` to its end, with its output in a file of `folder`: somebody who is left behind would keep a
/// pipe open.
pub(super) fn run(command: &mut Command, folder: &Path) -> Fallible<Ended> {
    let name = command.get_program().to_string_lossy().into_owned();
    let failed = |error: io::Error| format!("cannot run {name}: {error}");
    let path = folder.join("program.out");
    let file = File::create(&path).map_err(failed)?;
    command
        .stdin(Stdio::null())
        .stdout(file.try_clone().map_err(failed)?)
        .stderr(file);
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(command, 0);
    let mut child = command.spawn().map_err(failed)?;
    let status = ended_within_limit(&mut child);
    end_all(&mut child).map_err(failed)?;
    let status = status.map_err(failed)?;
    let output = fs::read(&path).map_err(failed)?;
    let mut output = String::from_utf8_lossy(&output).into_owned();
    if status.is_none() {
        output.push_str(&format!("\nno end within {} s", LIMIT.as_secs()));
    }
    Ok(Ended {
        success: status.is_some_and(|status| status.success()),
        output,
    })
}

/// None when it still runs.
fn ended_within_limit(child: &mut Child) -> io::Result<Option<ExitStatus>> {
    let started = Instant::now();
    while started.elapsed() < LIMIT {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        thread::sleep(POLL);
    }
    Ok(None)
}

/// The program, if it still runs, and those that it has started: they are of its process group.
fn end_all(child: &mut Child) -> io::Result<()> {
    // That nobody is left is no failure. A shell has this command built in, and is there anyway.
    let group = format!("kill -KILL -- -{} 2>/dev/null || true", child.id());
    Command::new("bash").args(["-c", &group]).status()?;
    child.wait().map(drop)
}
