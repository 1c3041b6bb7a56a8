//! The proof that the scripts assert something: each fails when the platform is spoiled.

use std::{
    collections::VecDeque,
    path::Path,
    process::Command,
    sync::{Mutex, PoisonError},
    thread,
};

use serde_json::Value;

use super::{
    clients::{self, Client, Walked},
    install::Installed,
    process::Server,
    simulator::Simulator,
};
use crate::{Fallible, Outcome, cargo};

const PROXY: &str = "xtask/interop/spoil.mjs";
/// The proxy changes nothing: what fails then does not fail because of a spoiling.
const NONE: &str = "none";
/// Who signs assertions with an audience.
const ASSERTING_APPS: [&str; 2] = [
    "RC_CLIENT_SECRET_JWT_CLIENT_ID",
    "RC_PRIVATE_KEY_JWT_CLIENT_ID",
];
/// The machines of CI have two cores.
const AT_ONCE: usize = 2;

/// A way to spoil the platform.
#[derive(Debug)]
pub(super) struct Spoiling {
    name: String,
    what: String,
    /// The names of those who must notice.
    clients: Vec<String>,
}

/// A client under a spoiling.
#[derive(Debug)]
struct Trial<'a> {
    client: &'a Client,
    spoiling: &'a str,
}

/// Every spoiling, as the proxy knows them.
pub(super) fn all() -> Fallible<Vec<Spoiling>> {
    let mut command = Command::new("node");
    let printed = cargo::output(command.arg(cargo::root().join(PROXY)).arg("--list"))?;
    let listed: Vec<Value> = serde_json::from_str(&printed)
        .map_err(|error| format!("{PROXY} --list printed no list: {error}"))?;
    let spoilings = listed.iter().map(Spoiling::parse).collect::<Option<_>>();
    spoilings.ok_or_else(|| format!("{PROXY} --list printed a spoiling without all its members"))
}

impl Spoiling {
    fn parse(value: &Value) -> Option<Self> {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let clients = value["clients"].as_array()?;
        Some(Self {
            name: text(&value["name"])?,
            what: text(&value["what"])?,
            clients: clients.iter().map(text).collect::<Option<_>>()?,
        })
    }
}

/// The table for people.
pub(super) fn listed(spoilings: &[Spoiling]) -> String {
    let rows = spoilings.iter().map(|spoiling| {
        let Spoiling {
            name,
            what,
            clients,
        } = spoiling;
        format!(
            "{name:<27} {what}\n{:<27} must be noticed with: {}\n",
            "",
            clients.join(", ")
        )
    });
    rows.collect()
}

/// Runs every chosen client under every spoiling that concerns it.
pub(super) fn run(installed: &Installed, simulator: &Path, chosen: &[&Client]) -> Outcome {
    let spoilings = all()?;
    let trials = trials(&spoilings, chosen);
    let walked = at_once(&trials, |trial| walk(installed, simulator, trial));
    let mut wrong = Vec::new();
    for (trial, outcome) in trials.iter().zip(&walked) {
        let unspoiled = trials
            .iter()
            .zip(&walked)
            .find(|(other, _)| other.client.name == trial.client.name && other.spoiling == NONE);
        let unspoiled = unspoiled.and_then(|(_, walked)| walked.as_ref().ok());
        let verdict = verdict(trial, outcome, unspoiled);
        let said = match &verdict {
            Ok(said) => said.clone(),
            Err(said) => format!("WRONG: {said}"),
        };
        println!("{:<18} {:<27} {said}", trial.client.name, trial.spoiling);
        if verdict.is_err() {
            wrong.push(format!("{} under {}", trial.client.name, trial.spoiling));
        }
    }
    if wrong.is_empty() {
        return Ok(());
    }
    Err(format!(
        "{} of {} trials went wrong, see above: {}",
        wrong.len(),
        trials.len(),
        wrong.join(", ")
    ))
}

/// For each client one without a spoiling, then the spoilings that concern it.
fn trials<'a>(spoilings: &'a [Spoiling], chosen: &[&'a Client]) -> Vec<Trial<'a>> {
    let of = |client: &'a Client| {
        let concerned = spoilings
            .iter()
            .filter(|spoiling| spoiling.clients.iter().any(|name| name == client.name));
        let names = concerned.map(|spoiling| spoiling.name.as_str());
        std::iter::once(NONE)
            .chain(names)
            .map(move |spoiling| Trial { client, spoiling })
    };
    chosen.iter().flat_map(|client| of(client)).collect()
}

/// The step that noticed; or what is wrong.
fn verdict(
    trial: &Trial<'_>,
    outcome: &Fallible<Walked>,
    unspoiled: Option<&Walked>,
) -> Result<String, String> {
    let walked = outcome.as_ref().map_err(Clone::clone)?;
    if trial.spoiling == NONE {
        return match walked.failures().next() {
            None => Ok(format!("passes all {} steps", walked.passed())),
            Some(step) => Err(format!("fails although nothing is spoiled: {step}")),
        };
    }
    let fails_anyway =
        |name: &str| unspoiled.is_none_or(|walked| walked.failures().any(|step| step.name == name));
    let noticed = walked.failures().find(|step| !fails_anyway(&step.name));
    let noticed = noticed.map(|step| format!("fails at {:?}", step.name));
    noticed.ok_or_else(|| "no step fails because of it".to_owned())
}

fn walk(installed: &Installed, simulator: &Path, trial: &Trial<'_>) -> Fallible<Walked> {
    let simulator = Simulator::start(simulator.as_os_str())?;
    let mut command = Command::new("node");
    command.arg(cargo::root().join(PROXY));
    let proxy = Server::start(command.args([simulator.base_url(), trial.spoiling]))?;
    let mut environment = simulator.environment_at(proxy.base_url());
    // A client's first failure is what is asked for, unless it should have none.
    if trial.spoiling != NONE {
        environment.push(("RC_INTEROP_UNTIL_FAILURE".to_owned(), "1".to_owned()));
    }
    // Assertions name the platform's address, which the proxy hides.
    environment.retain(|(name, _)| !ASSERTING_APPS.contains(&name.as_str()));
    clients::walk(trial.client, installed, &environment)
}

/// The outcomes of all trials, in their order.
fn at_once<'a, Done: Send>(
    trials: &'a [Trial<'a>],
    carry_out: impl Fn(&Trial<'_>) -> Done + Sync,
) -> Vec<Done> {
    let waiting: Mutex<VecDeque<_>> = Mutex::new(trials.iter().enumerate().collect());
    let next = || {
        let mut waiting = waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.pop_front()
    };
    let done = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some((place, trial)) = next() {
                    let outcome = carry_out(trial);
                    let mut done = done.lock().unwrap_or_else(PoisonError::into_inner);
                    done.push((place, outcome));
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(place, _)| *place);
    done.into_iter().map(|(_, outcome)| outcome).collect()
}

#[cfg(test)]
mod tests {
    use super::{super::clients::Step, *};

    fn walked(failed: &[&str]) -> Walked {
        let step = |name: &&str| Step {
            name: (*name).to_owned(),
            failure: Some("why".to_owned()),
        };
        Walked {
            steps: failed.iter().map(step).collect(),
        }
    }

    fn under(spoiling: &str) -> Trial<'_> {
        let client = &clients::CLIENTS[0];
        Trial { client, spoiling }
    }

    #[test]
    fn a_script_that_passes_although_spoiled_is_wrong() {
        let verdict = verdict(&under("no-state"), &Ok(walked(&[])), Some(&walked(&[])));
        assert!(verdict.is_err());
    }

    #[test]
    fn a_step_that_fails_without_the_spoiling_too_does_not_count() {
        let unspoiled = walked(&["a: b"]);
        let only = verdict(&under("no-state"), &Ok(walked(&["a: b"])), Some(&unspoiled));
        assert!(only.is_err());
        let more = walked(&["a: b", "c: d"]);
        let noticed = verdict(&under("no-state"), &Ok(more), Some(&unspoiled));
        assert_eq!(noticed.unwrap(), "fails at \"c: d\"");
    }

    #[test]
    fn a_client_that_fails_behind_a_proxy_that_spoils_nothing_is_wrong() {
        let verdict = verdict(&under(NONE), &Ok(walked(&["a: b"])), None);
        assert!(verdict.unwrap_err().contains("although nothing is spoiled"));
    }

    #[test]
    fn a_script_that_breaks_off_proves_nothing() {
        let broken = Err("broke off".to_owned());
        assert!(verdict(&under("no-state"), &broken, Some(&walked(&[]))).is_err());
    }
}
