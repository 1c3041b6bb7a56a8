//! Everything a change has to pass, cheapest first.

use std::time::{Duration, Instant};

use crate::{Outcome, cargo, deny, e2e, guide, interop, layers, new_store, stores};

struct Step {
    name: &'static str,
    run: fn() -> Outcome,
}

/// `test`, `e2e` and `doc` all select the whole workspace with its default features, so that no
/// dependency is compiled twice.
const STEPS: [Step; 11] = [
    Step {
        name: "fmt",
        run: || cargo::run(&mut cargo::cargo(&["fmt", "--all", "--check"])),
    },
    Step {
        name: "layers",
        run: || layers::run(&[]),
    },
    Step {
        name: "deny",
        run: || deny::run(&[]),
    },
    Step {
        name: "clippy",
        run: clippy,
    },
    Step {
        name: "test",
        run: || cargo::run(&mut cargo::cargo(&["test", "--workspace"])),
    },
    Step {
        name: "doc",
        run: doc,
    },
    Step {
        name: "new-store",
        run: new_store::check,
    },
    Step {
        name: "e2e",
        run: || e2e::run(&[]),
    },
    Step {
        name: "interop",
        run: interop::check,
    },
    // After `interop`, which has installed Python's packages.
    Step {
        name: "guide",
        run: guide::check,
    },
    // Last: it builds drivers that nothing else needs.
    Step {
        name: "stores",
        run: || stores::run(&[]),
    },
];

/// Runs all steps, or those named, in their order, up to the first that fails.
pub(crate) fn run(names: &[String]) -> Outcome {
    let steps = chosen(names)?;
    let started = Instant::now();
    for Step { name, run } in &steps {
        announce(&format!("{name} …"));
        let begun = Instant::now();
        let outcome = run();
        let word = if outcome.is_ok() { "ok" } else { "FAILED" };
        announce(&format!("{name} {word}, {}", seconds(begun.elapsed())));
        outcome.map_err(|message| {
            format!("{message}\nRepeat this step alone: cargo xtask ci {name}")
        })?;
    }
    announce(&format!(
        "all {} steps passed, {}",
        steps.len(),
        seconds(started.elapsed())
    ));
    Ok(())
}

fn chosen(names: &[String]) -> Result<Vec<&'static Step>, String> {
    if let Some(unknown) = names
        .iter()
        .find(|name| STEPS.iter().all(|step| step.name != *name))
    {
        let known = STEPS.map(|step| step.name).join(" ");
        return Err(format!(
            "there is no step {unknown:?} of ci; the steps are: {known}"
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
}
