//! What became of mutants.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::Fallible;

/// Of a hundred mutants that compile, so many have to be caught. Some change nothing that a test could see.
pub(super) const ENOUGH: usize = 95;

/// How a mutant ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum End {
    /// A test failed.
    Caught,
    /// All tests passed.
    Missed,
    /// It does not compile.
    Unviable,
    /// The tests did not end: as good as a failure.
    TimedOut,
}

/// The words of cargo-mutants.
const WORDS: [(&str, End); 4] = [
    ("CaughtMutant", End::Caught),
    ("MissedMutant", End::Missed),
    ("Unviable", End::Unviable),
    ("Timeout", End::TimedOut),
];

fn end(word: &str) -> Fallible<End> {
    WORDS
        .iter()
        .find(|(known, _)| *known == word)
        .map(|(_, end)| *end)
        .ok_or_else(|| format!("a mutant ended with {word:?}, which this chore does not know"))
}

/// The ends of mutants by name.
#[derive(Debug, Default)]
pub(super) struct Results(BTreeMap<String, End>);

/// How a sample ended.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Summary {
    caught: usize,
    timed_out: usize,
    unviable: usize,
    missed: Vec<String>,
}

impl Results {
    /// From what [`Results::text`] made.
    ///
    /// # Errors
    ///
    /// It is something else.
    pub(super) fn read(text: &str) -> Fallible<Self> {
        let words: BTreeMap<String, String> = serde_json::from_str(text)
            .map_err(|error| format!("the results kept cannot be read: {error}"))?;
        let ends = words
            .into_iter()
            .map(|(name, word)| Ok((name, end(&word)?)));
        ends.collect::<Fallible<_>>().map(Self)
    }

    pub(super) fn text(&self) -> String {
        let words: BTreeMap<&str, &str> = self
            .0
            .iter()
            .flat_map(|(name, end)| {
                let word = WORDS.iter().find(|(_, known)| known == end);
                word.map(|(word, _)| (name.as_str(), *word))
            })
            .collect();
        format!("{:#}\n", json!(words))
    }

    pub(super) fn has(&self, mutant: &str) -> bool {
        self.0.contains_key(mutant)
    }

    /// Adds what `outcomes.json` of cargo-mutants says.
    ///
    /// # Errors
    ///
    /// It cannot be read.
    pub(super) fn absorb(&mut self, outcomes: &str) -> Fallible<()> {
        let json: Value = serde_json::from_str(outcomes)
            .map_err(|error| format!("outcomes.json of cargo-mutants cannot be read: {error}"))?;
        let outcomes = json["outcomes"]
            .as_array()
            .ok_or("outcomes.json of cargo-mutants has no outcomes")?;
        for outcome in outcomes {
            // The other scenario is the code as it is.
            let Some(name) = outcome["scenario"]["Mutant"]["name"].as_str() else {
                continue;
            };
            let word = outcome["summary"].as_str().unwrap_or_default();
            self.0.insert(name.to_owned(), end(word)?);
        }
        Ok(())
    }

    /// How the mutants of a sample ended.
    ///
    /// # Errors
    ///
    /// One of them was not tested.
    pub(super) fn summary(&self, sample: &[&str]) -> Fallible<Summary> {
        let mut summary = Summary {
            caught: 0,
            timed_out: 0,
            unviable: 0,
            missed: Vec::new(),
        };
        for name in sample {
            let end = self.0.get(*name);
            match end.ok_or_else(|| format!("cargo-mutants did not test {name:?}"))? {
                End::Caught => summary.caught += 1,
                End::Missed => summary.missed.push((*name).to_owned()),
                End::Unviable => summary.unviable += 1,
                End::TimedOut => summary.timed_out += 1,
            }
        }
        Ok(summary)
    }
}

impl Summary {
    fn noticed(&self) -> usize {
        self.caught + self.timed_out
    }

    /// Mutants that compile.
    fn viable(&self) -> usize {
        self.noticed() + self.missed.len()
    }

    /// Whether enough of those that compile were noticed.
    pub(super) fn is_enough(&self) -> bool {
        100 * self.noticed() >= ENOUGH * self.viable()
    }

    /// Lines for people.
    pub(super) fn told(&self, name: &str) -> String {
        let Self {
            caught,
            timed_out,
            unviable,
            missed,
        } = self;
        let mut text = format!(
            "mutants: {name}: {caught} caught, {} missed, {unviable} unviable, {timed_out} timeouts; {} of {} noticed\n",
            missed.len(),
            self.noticed(),
            self.viable()
        );
        for mutant in missed {
            text.push_str(&format!("  missed: {mutant}\n"));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTCOMES: &str = r#"{ "outcomes": [
        { "scenario": "Baseline", "summary": "Success" },
        { "scenario": { "Mutant": { "name": "a" } }, "summary": "CaughtMutant" },
        { "scenario": { "Mutant": { "name": "b" } }, "summary": "MissedMutant" },
        { "scenario": { "Mutant": { "name": "c" } }, "summary": "Unviable" },
        { "scenario": { "Mutant": { "name": "d" } }, "summary": "Timeout" }
    ] }"#;

    fn results() -> Results {
        let mut results = Results::default();
        results.absorb(OUTCOMES).unwrap();
        results
    }

    #[test]
    fn the_ends_of_a_sample_are_counted_and_those_missed_are_named() {
        let summary = results().summary(&["a", "b", "c", "d"]).unwrap();
        let expected = "mutants: rc-x: 1 caught, 1 missed, 1 unviable, 1 timeouts; 2 of 3 noticed\n  missed: b\n";
        assert_eq!(summary.told("rc-x"), expected);
        assert!(!summary.is_enough());
    }

    #[test]
    fn mutants_that_time_out_are_noticed_and_those_that_do_not_compile_are_not_counted() {
        assert!(results().summary(&["a", "c", "d"]).unwrap().is_enough());
    }

    #[test]
    fn the_bound_is_exact() {
        let summary = |caught, missed| Summary {
            caught,
            timed_out: 0,
            unviable: 0,
            missed: vec![String::new(); missed],
        };
        assert!(summary(19, 1).is_enough());
        assert!(!summary(18, 1).is_enough());
    }

    #[test]
    fn results_that_were_kept_are_read_again() {
        let read = Results::read(&results().text()).unwrap();
        assert_eq!(read.0, results().0);
    }

    #[test]
    fn a_mutant_without_a_result_is_an_error_by_name() {
        assert!(results().summary(&["lunch"]).unwrap_err().contains("lunch"));
    }

    #[test]
    fn what_cannot_be_read_is_refused() {
        for wrong in [
            "",
            "{}",
            r#"{ "outcomes": [{ "scenario": { "Mutant": { "name": "a" } } }] }"#,
        ] {
            assert!(Results::default().absorb(wrong).is_err(), "{wrong:?}");
        }
        assert!(Results::read(r#"{ "a": "Lunch" }"#).is_err());
    }
}
