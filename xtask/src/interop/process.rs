//! Programs that serve until they are not needed any more, and programs that end by themselves.

use std::{
    env,
    io::{self, BufRead, BufReader, Read},
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use crate::Fallible;

/// How long a server may take to say where it listens.
const START_LIMIT: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(10);

/// A running server. Killed when dropped.
#[derive(Debug)]
pub(super) struct Server {
    child: Child,
    base_url: String,
}

impl Server {
    /// Starts one that prints its base URL.
    pub(super) fn start(command: &mut Command) -> Fallible<Self> {
        let name = command.get_program().to_string_lossy().into_owned();
        let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
        let child = child.map_err(|error| format!("cannot start {name}: {error}"))?;
        // From here on the child is stopped by `drop`, also when it never says where it listens.
        let mut server = Self {
            child,
            base_url: String::new(),
        };
        server.base_url = server
            .announced()
            .ok_or_else(|| format!("{name} did not say where it listens"))?;
        Ok(server)
    }

    pub(super) fn base_url(&self) -> &str {
        &self.base_url
    }

    fn announced(&mut self) -> Option<String> {
        let stdout = self.child.stdout.take()?;
        let (found, base_url) = mpsc::channel();
        // Reads to the end, so that the server never waits for somebody to read its output.
        thread::spawn(move || {
            let lines = BufReader::new(stdout).lines().map_while(Result::ok);
            for url in lines.filter_map(|line| base_url_in(&line)) {
                // Nobody listens any more once the first was taken.
                let _ = found.send(url);
            }
        });
        base_url.recv_timeout(START_LIMIT).ok()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Err(error) = self.child.kill().and_then(|()| self.child.wait()) {
            eprintln!("cannot stop process {}: {error}", self.child.id());
        }
    }
}

fn base_url_in(line: &str) -> Option<String> {
    let mut words = line.split_ascii_whitespace();
    words
        .find(|word| word.starts_with("http://127.0.0.1:"))
        .map(str::to_owned)
}

/// What a program said that ended by itself.
#[derive(Debug)]
pub(super) struct Ended {
    /// None when a signal ended it.
    pub(super) code: Option<i32>,
    pub(super) stdout: String,
    pub(super) stderr: String,
}

/// Runs `command` to its end, which `limit` puts an end to.
pub(super) fn output(command: &mut Command, limit: Duration) -> Fallible<Ended> {
    let name = command.get_program().to_string_lossy().into_owned();
    let piped = command.stdin(Stdio::null()).stdout(Stdio::piped());
    let child = piped.stderr(Stdio::piped()).spawn();
    let mut child = child.map_err(|error| format!("cannot start {name}: {error}"))?;
    let stdout = reader(child.stdout.take());
    let stderr = reader(child.stderr.take());
    let code = ended_within(&mut child, limit).map_err(|error| format!("{name}: {error}"))?;
    let read = |reader: JoinHandle<io::Result<String>>| {
        let text = reader.join().map_err(|_| "its reader ended".to_owned())?;
        text.map_err(|error| format!("{name} printed what cannot be read: {error}"))
    };
    let (stdout, stderr) = (read(stdout)?, read(stderr)?);
    Ok(Ended {
        code: code
            .ok_or_else(|| format!("no end within {} s\n{stdout}{stderr}", limit.as_secs()))?,
        stdout,
        stderr,
    })
}

fn reader(stream: Option<impl Read + Send + 'static>) -> JoinHandle<io::Result<String>> {
    thread::spawn(move || {
        let mut text = String::new();
        if let Some(mut stream) = stream {
            stream.read_to_string(&mut text)?;
        }
        Ok(text)
    })
}

/// Its exit code; none when it had to be killed.
fn ended_within(child: &mut Child, limit: Duration) -> io::Result<Option<Option<i32>>> {
    let started = Instant::now();
    while started.elapsed() < limit {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status.code()));
        }
        thread::sleep(POLL);
    }
    child.kill()?;
    child.wait()?;
    Ok(None)
}

/// Gives `command` these variables, and none of the terminal's own that are called alike.
pub(crate) fn own_environment(command: &mut Command, variables: &[(String, String)]) {
    for (name, _) in env::vars_os() {
        if name.to_string_lossy().starts_with("RC_") {
            command.env_remove(name);
        }
    }
    command.envs(variables.iter().map(|(name, value)| (name, value)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_base_url_is_found_among_words() {
        let line = "Simulated RingCentral platform: http://127.0.0.1:4711";
        assert_eq!(base_url_in(line).as_deref(), Some("http://127.0.0.1:4711"));
        assert_eq!(base_url_in("App with a secret"), None);
    }
}
