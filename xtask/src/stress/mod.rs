//! Bounds proved with real processes: release builds on loopback, one SQLite file or a throw-away PostgreSQL,
//! real signals.

use std::future::Future;

use tokio::task::JoinSet;

use crate::{Fallible, Outcome, processes::Programs};

pub(crate) mod browser;
pub(crate) mod figures;
mod flood;
mod kill;
mod load;
mod pages;
mod replicas;
mod stores;

use figures::Figures;

const SCENARIOS: [&str; 6] = ["kill", "flood", "pages", "replicas", "stores", "failover"];

/// Runs the scenarios named, or all of them, and fails when a bound is broken.
pub(crate) fn run(arguments: &[String]) -> Outcome {
    let chosen = chosen(arguments)?;
    let programs = Programs::release(&[])?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("cannot start the runtime: {error}"))?;
    let mut figures = Figures::default();
    for scenario in chosen {
        let played = match scenario {
            "kill" => runtime.block_on(kill::play(&programs, &mut figures)),
            "flood" => runtime.block_on(flood::play(&programs, &mut figures)),
            "pages" => runtime.block_on(pages::play(&programs, &mut figures)),
            "replicas" => runtime.block_on(replicas::play(&mut figures)),
            "stores" => stores::play(&mut figures),
            _ => stores::fail_over(&mut figures),
        };
        played.map_err(|error| format!("scenario {scenario}: {error}"))?;
    }
    figures.verdict()
}

fn chosen(arguments: &[String]) -> Fallible<Vec<&'static str>> {
    if arguments.is_empty() {
        return Ok(SCENARIOS.to_vec());
    }
    let named = |argument: &String| {
        let known = SCENARIOS.into_iter().find(|name| name == argument);
        known.ok_or_else(|| {
            format!(
                "there is no scenario {argument:?}; there are: {}",
                SCENARIOS.join(" ")
            )
        })
    };
    arguments.iter().map(named).collect()
}

/// Runs `tasks`, at most `at_once` of them at a time. Their results come in no order.
async fn together<T, F>(at_once: usize, tasks: impl IntoIterator<Item = F>) -> Fallible<Vec<T>>
where
    F: Future<Output = Fallible<T>> + Send + 'static,
    T: Send + 'static,
{
    let mut running = JoinSet::new();
    let mut results = Vec::new();
    for task in tasks {
        if running.len() >= at_once {
            results.extend(next(&mut running).await?);
        }
        running.spawn(task);
    }
    while let Some(result) = next(&mut running).await? {
        results.push(result);
    }
    Ok(results)
}

async fn next<T: 'static>(running: &mut JoinSet<Fallible<T>>) -> Fallible<Option<T>> {
    match running.join_next().await {
        Some(Ok(result)) => result.map(Some),
        Some(Err(error)) => Err(format!("a client ended early: {error}")),
        None => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_names_every_scenario_runs() {
        assert_eq!(chosen(&[]), Ok(SCENARIOS.to_vec()));
        assert_eq!(chosen(&["pages".to_owned()]), Ok(vec!["pages"]));
    }

    #[test]
    fn an_unknown_scenario_is_refused_with_the_known_ones() {
        let message = chosen(&["earthquake".to_owned()]).unwrap_err();
        assert!(
            message.contains("earthquake") && message.contains("kill flood pages"),
            "{message}"
        );
    }
}
