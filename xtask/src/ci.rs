//! Everything a change has to pass, cheapest first.

use std::time::{Duration, Instant};

use crate::{Outcome, api, cargo, deny, e2e, guide, interop, layers, new_store, proof, stores};

struct Step {
    name: &'static str,
    /// Minutes that it may take on two cores from nothing built, before somebody should look why.
    budget: u64,
    run: fn() -> Outcome,
}

const fn step(name: &'static str, budget: u64, run: fn() -> Outcome) -> Step {
    Step { name, budget, run }
}

/// `test`, `e2e` and `doc` all select the whole workspace with its default features, so that no
/// dependency is compiled twice.
const STEPS: [Step; 13] = [
    step("fmt", 1, || {
        cargo::run(&mut cargo::cargo(&["fmt", "--all", "--check"]))
    }),
    step("layers", 1, || layers::run(&[])),
    step("deny", 1, || deny::run(&[])),
    step("clippy", 5, clippy),
    step("test", 8, || {
        cargo::run(&mut cargo::cargo(&["test", "--workspace"]))
    }),
    step("doc", 2, doc),
    step("api", 3, || api::run(&[])),
    step("proof", 14, proof::check),
    step("new-store", 2, new_store::check),
    step("e2e", 5, || e2e::run(&[])),
    step("interop", 4, interop::check),
    // After `interop`, which has installed Python's packages.
    step("guide", 4, guide::check),
    // Last: it builds drivers that nothing else needs.
    step("stores", 8, || stores::run(&[])),
];

/// Runs all steps, or those named, in their order, up to the first that fails.
pub(crate) fn run(names: &[String]) -> Outcome {
    let mut taken = Vec::new();
    let outcome = chosen(names)?.into_iter().try_for_each(|step| {
        let Step { name, run, .. } = step;
        announce(&format!("{name} …"));
        let begun = Instant::now();
        let outcome = run();
        taken.push((step, begun.elapsed()));
        outcome.map_err(|message| {
            announce(&format!("{name} FAILED"));
            format!("{message}\nRepeat this step alone: cargo xtask ci {name}")
        })
    });
    table(&taken).iter().for_each(|line| announce(line));
    outcome
}

/// What each step took beside its budget, and the steps over theirs by name: they are told, and fail nothing, because
/// machines differ.
fn table(taken: &[(&Step, Duration)]) -> Vec<String> {
    let line = |name: &str, took: &str, budget: &str| format!("{name:<10} {took:>9} {budget:>8}");
    let mut lines = vec![line("step", "took", "budget")];
    lines.extend(
        taken
            .iter()
            .map(|(step, took)| line(step.name, &seconds(*took), &format!("{} min", step.budget))),
    );
    lines.push(line(
        "all",
        &seconds(taken.iter().map(|(_, took)| *took).sum()),
        "",
    ));
    let over = taken
        .iter()
        .filter(|(step, took)| *took > Duration::from_secs(60 * step.budget));
    let over: Vec<&str> = over.map(|(step, _)| step.name).collect();
    if !over.is_empty() {
        lines.push(format!("over budget: {}", over.join(" ")));
    }
    lines
        .iter()
        .map(|line| line.trim_end().to_owned())
        .collect()
}

fn chosen(names: &[String]) -> Result<Vec<&'static Step>, String> {
    if let Some(unknown) = names
        .iter()
        .find(|name| STEPS.iter().all(|step| step.name != *name))
    {
        let known: Vec<&str> = STEPS.iter().map(|step| step.name).collect();
        return Err(format!(
            "there is no step {unknown:?} of ci; the steps are: {}",
            known.join(" ")
        ));
    }
    Ok(STEPS
        .iter()
        .filter(|step| names.is_empty() || names.iter().any(|name| name == step.name))
        .collect())
}

fn announce(line: &str) {
    println!("ci: {line}");
}

fn seconds(elapsed: Duration) -> String {
    format!("{:.1} s", elapsed.as_secs_f64())
}

/// With all features, and as a plain build has them: what is left out may leave something unused.
fn clippy() -> Outcome {
    let workspace = ["clippy", "--workspace", "--all-targets", "--locked"];
    let deny = ["--", "-D", "warnings"];
    cargo::run(cargo::cargo(&workspace).arg("--all-features").args(deny))?;
    cargo::run(cargo::cargo(&workspace).args(deny))
}

fn doc() -> Outcome {
    let mut command = cargo::cargo(&["doc", "--workspace", "--no-deps"]);
    cargo::run(command.env("RUSTDOCFLAGS", "-D warnings"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(chosen: &[&Step]) -> Vec<&'static str> {
        chosen.iter().map(|step| step.name).collect()
    }

    #[test]
    fn without_names_all_steps_run_and_with_names_only_those_in_their_order() {
        assert_eq!(chosen(&[]).unwrap().len(), STEPS.len());
        assert_eq!(
            names(&chosen(&["doc".to_owned(), "fmt".to_owned()]).unwrap()),
            ["fmt", "doc"]
        );
    }

    #[test]
    fn an_unknown_step_is_refused_by_name() {
        let message = chosen(&["fmt".to_owned(), "lunch".to_owned()])
            .err()
            .unwrap();
        assert!(
            message.contains("lunch") && message.contains("clippy"),
            "{message}"
        );
    }

    #[test]
    fn the_table_has_each_step_with_its_budget_and_names_those_over_it() {
        let [fmt, layers, ..] = &STEPS;
        let taken = [
            (fmt, Duration::from_secs(12)),
            (layers, Duration::from_secs(61)),
        ];
        let expected = [
            "step            took   budget",
            "fmt           12.0 s    1 min",
            "layers        61.0 s    1 min",
            "all           73.0 s",
            "over budget: layers",
        ];
        assert_eq!(table(&taken), expected);
        assert_eq!(table(&taken[..1]).len(), 3, "nothing is over its budget");
    }
}
