//! The simulated platform, and what it tells those who want to sign in.

use std::{ffi::OsStr, process::Command, time::Duration};

use super::process::{self, Server};
use crate::Fallible;

/// Nothing listens there: the scripts read the address that a browser would be sent to.
const REDIRECT_URI: &str = "http://127.0.0.1:1/oauth/callback";
/// Printing takes milliseconds.
const LIMIT: Duration = Duration::from_secs(30);
const SERVER_URL: &str = "RC_SERVER_URL";

/// A running platform. Killed when dropped.
#[derive(Debug)]
pub(super) struct Simulator {
    server: Server,
    environment: Vec<(String, String)>,
}

impl Simulator {
    /// Starts one on a free port.
    pub(super) fn start(program: &OsStr) -> Fallible<Self> {
        let server = Server::start(&mut command(program, &["--port", "0"]))?;
        let mut environment = told(program)?;
        readdress(&mut environment, server.base_url());
        Ok(Self {
            server,
            environment,
        })
    }

    pub(super) fn base_url(&self) -> &str {
        self.server.base_url()
    }

    /// The variables that the scripts read.
    pub(super) fn environment(&self) -> &[(String, String)] {
        &self.environment
    }

    /// The same for somebody who reaches the platform at `base_url`.
    pub(super) fn environment_at(&self, base_url: &str) -> Vec<(String, String)> {
        let mut environment = self.environment.clone();
        readdress(&mut environment, base_url);
        environment
    }
}

fn command(program: &OsStr, more: &[&str]) -> Command {
    let mut command = Command::new(program);
    let common = ["--limits", "off", "--redirect-uri", REDIRECT_URI];
    command.args(common).args(more);
    process::own_environment(&mut command, &[]);
    command
}

/// What `rc-sim --env` prints, which follows from its other arguments alone.
fn told(program: &OsStr) -> Fallible<Vec<(String, String)>> {
    let ended = process::output(&mut command(program, &["--env"]), LIMIT)?;
    if ended.code != Some(0) {
        return Err(format!("`rc-sim --env` failed: {}", ended.stderr.trim()));
    }
    let lines = ended.stdout.lines();
    lines.map(variable).collect()
}

/// The variable in `NAME='value'`, quoted for a POSIX shell.
fn variable(line: &str) -> Fallible<(String, String)> {
    let parsed = line
        .split_once('=')
        .and_then(|(name, quoted)| Some((name.to_owned(), unquoted(quoted)?)));
    // Without the line itself: it may hold a secret.
    parsed.ok_or_else(|| "`rc-sim --env` printed a line that is not NAME='value'".to_owned())
}

fn unquoted(quoted: &str) -> Option<String> {
    let mut value = String::new();
    let mut characters = quoted.chars();
    while let Some(character) = characters.next() {
        match character {
            quote @ ('\'' | '"') => loop {
                match characters.next()? {
                    end if end == quote => break,
                    inside => value.push(inside),
                }
            },
            '\\' => value.push(characters.next()?),
            plain => value.push(plain),
        }
    }
    Some(value)
}

fn readdress(environment: &mut Vec<(String, String)>, base_url: &str) {
    environment.retain(|(name, _)| name != SERVER_URL);
    environment.push((SERVER_URL.to_owned(), base_url.to_owned()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quoted_value_is_read_as_a_shell_does() {
        assert_eq!(
            variable(r"RC_PASSWORD='it'\''s'").unwrap(),
            ("RC_PASSWORD".to_owned(), "it's".to_owned())
        );
        assert_eq!(variable("A=b").unwrap(), ("A".to_owned(), "b".to_owned()));
    }

    #[test]
    fn a_line_that_is_no_variable_is_refused_without_being_shown() {
        for line in ["hunter2", "A='hunter2"] {
            let message = variable(line).unwrap_err();
            assert!(!message.contains("hunter2"), "{message}");
        }
    }

    #[test]
    fn the_address_of_the_server_stands_there_once() {
        let mut environment = vec![(SERVER_URL.to_owned(), "http://old".to_owned())];
        readdress(&mut environment, "http://new");
        assert_eq!(
            environment,
            [(SERVER_URL.to_owned(), "http://new".to_owned())]
        );
    }
}
