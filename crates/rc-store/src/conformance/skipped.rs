//! What a line of the kit does not run.

/// Groups of checks, what they are about, and the words of a line that run them.
const GROUPS: [(&str, &str, &str); 6] = [
    (
        "shared",
        "several handles at one place",
        "`at = new_place` (a store that can be open several times)",
    ),
    (
        "reopened",
        "records outlive their handle",
        "`at = new_place` or `reopen = new_place` (a durable store)",
    ),
    (
        "notifying",
        "`changes` has to be there; it may be `None`",
        "`notifying` (a store that tells changes)",
    ),
    (
        "fault",
        "a backend that fails and works again",
        "`fault = function`",
    ),
    (
        "damage",
        "a record that cannot be read",
        "`damage = function`",
    ),
    (
        "crash",
        "what is left after an abrupt end",
        "`crash = function`",
    ),
];

/// The groups that are missing among these, with the words that would run them.
#[doc(hidden)]
#[must_use]
pub fn skipped(run: &[&str]) -> String {
    let missing = GROUPS.iter().filter(|(group, ..)| !run.contains(group));
    let lines: Vec<String> = missing
        .map(|(group, about, words)| format!("\n  skipped: {group} ({about}); runs with {words}"))
        .collect();
    match lines.is_empty() {
        true => " every check of the kit runs".to_owned(),
        false => lines.concat(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_without_words_is_told_each_group_and_its_word() {
        let text = skipped(&["own"]);
        for (group, _, words) in GROUPS {
            assert!(
                text.contains(&format!("skipped: {group} (")) && text.contains(words),
                "{text}"
            );
        }
    }

    #[test]
    fn a_line_with_every_word_skips_nothing() {
        let all: Vec<&str> = GROUPS.iter().map(|(group, ..)| *group).collect();
        assert_eq!(skipped(&all), " every check of the kit runs");
    }

    #[test]
    fn what_runs_is_not_told() {
        let text = skipped(&["own", "reopened"]);
        assert!(!text.contains("skipped: reopened") && text.contains("skipped: shared"));
    }
}
