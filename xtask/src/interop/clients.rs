//! The clients, and what their scripts print.

use std::{fmt, process::Command, time::Duration};

use super::{install::Installed, process};
use crate::Fallible;

/// No script takes nearly as long; one that waits for ever is ended.
const LIMIT: Duration = Duration::from_secs(120);

/// Somebody else's client.
#[derive(Debug)]
pub(super) struct Client {
    /// What its registry calls it.
    pub(super) name: &'static str,
    pub(super) language: Language,
    /// In `xtask/interop`.
    script: &'static str,
}

/// What runs a script.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Language {
    JavaScript,
    Python,
}

pub(super) const CLIENTS: [Client; 4] = [
    Client {
        name: "@ringcentral/sdk",
        language: Language::JavaScript,
        script: "ringcentral-sdk.mjs",
    },
    Client {
        name: "@rc-ex/core",
        language: Language::JavaScript,
        script: "rc-ex-core.mjs",
    },
    Client {
        name: "openid-client",
        language: Language::JavaScript,
        script: "openid-client.mjs",
    },
    Client {
        name: "ringcentral",
        language: Language::Python,
        script: "ringcentral_sdk.py",
    },
];

/// The client called so.
pub(super) fn named(name: &str) -> Fallible<&'static Client> {
    let client = CLIENTS.iter().find(|client| client.name == name);
    client.ok_or_else(|| {
        let known = CLIENTS.map(|client| client.name).join(" ");
        format!(
            "there is no client or option {name:?} of interop; the clients are {known}, \
             the options --spoiled --list --simulator PROGRAM"
        )
    })
}

/// One line of a script.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Step {
    pub(super) name: String,
    /// Why it failed.
    pub(super) failure: Option<String>,
}

impl Step {
    fn parse(line: &str) -> Option<Self> {
        if let Some(name) = line.strip_prefix("ok - ") {
            let name = name.to_owned();
            return Some(Self {
                name,
                failure: None,
            });
        }
        // A name is `walk: step`.
        let failed = line.strip_prefix("not ok - ")?;
        let mut parts = failed.splitn(3, ": ");
        let (walk, step) = (parts.next()?, parts.next()?);
        Some(Self {
            name: format!("{walk}: {step}"),
            failure: Some(parts.next().unwrap_or("no reason given").to_owned()),
        })
    }
}

impl fmt::Display for Step {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.failure {
            None => write!(formatter, "ok - {}", self.name),
            Some(why) => write!(formatter, "not ok - {}: {why}", self.name),
        }
    }
}

/// A script that ran to its end.
#[derive(Debug)]
pub(super) struct Walked {
    pub(super) steps: Vec<Step>,
}

impl Walked {
    pub(super) fn failures(&self) -> impl Iterator<Item = &Step> {
        self.steps.iter().filter(|step| step.failure.is_some())
    }

    pub(super) fn passed(&self) -> usize {
        self.steps.len() - self.failures().count()
    }
}

/// Runs the script of `client` with this environment.
///
/// # Errors
///
/// When it does not end by itself, or ends in another way than its steps say: a script that broke off proves
/// nothing.
pub(super) fn walk(
    client: &Client,
    installed: &Installed,
    environment: &[(String, String)],
) -> Fallible<Walked> {
    let mut command = Command::new(installed.program(client.language));
    command.arg(client.script).current_dir(installed.folder());
    process::own_environment(&mut command, environment);
    let ended = process::output(&mut command, LIMIT)
        .map_err(|error| format!("{}: {error}", client.script))?;
    let steps: Vec<Step> = ended.stdout.lines().filter_map(Step::parse).collect();
    let walked = Walked { steps };
    let as_said = if walked.failures().count() == 0 { 0 } else { 1 };
    if walked.steps.is_empty() || ended.code != Some(as_said) {
        return Err(format!(
            "{} broke off after {} steps: {}",
            client.script,
            walked.steps.len(),
            ended.stderr.trim()
        ));
    }
    Ok(walked)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_step_is_its_walk_and_name_and_the_rest_of_the_line() {
        let step = Step::parse("not ok - app: refresh: status: 500").unwrap();
        assert_eq!(step.name, "app: refresh");
        assert_eq!(step.failure.as_deref(), Some("status: 500"));
        assert_eq!(step.to_string(), "not ok - app: refresh: status: 500");
    }

    #[test]
    fn what_a_client_prints_by_itself_is_no_step() {
        assert_eq!(Step::parse("deprecated: use something else"), None);
    }
}
