//! The name of a backend, and what is called after it.

use crate::{Fallible, layers};

/// The longest name: with it, lines of the template stay inside the width that rustfmt allows.
const LONGEST: usize = 24;

/// Stores of `rc-store` itself, and its trait: `NAMEStore` would be a second one.
const TAKEN: [&str; 3] = ["memory", "sealed", "token"];

/// A backend's name: lower-case letters, digits, and single `-` between them.
#[derive(Clone, Debug)]
pub(super) struct Name(String);

impl Name {
    /// Takes a name that no crate of the workspace has.
    pub(super) fn new(name: &str) -> Fallible<Self> {
        check_letters(name)?;
        if let Some(rest) = name.strip_prefix("rc-store-") {
            return Err(format!(
                "{name:?} would make rc-store-{name}; give the name of the backend alone: {rest}"
            ));
        }
        if TAKEN.contains(&name) {
            return Err(format!(
                "{name:?} is a name of rc-store itself; take another one"
            ));
        }
        let name = Self(name.to_owned());
        match layers::is_known(&name.package()) {
            true => Err(format!(
                "there is a crate {} already; take another name",
                name.package()
            )),
            false => Ok(name),
        }
    }

    /// `rc-store-my-engine`.
    pub(super) fn package(&self) -> String {
        format!("rc-store-{}", self.0)
    }

    /// `MyEngine`.
    fn camel(&self) -> String {
        let words = self.0.split('-');
        let capital = |word: &str| word[..1].to_ascii_uppercase() + &word[1..];
        words.map(capital).collect()
    }

    /// A template with this name in it.
    pub(super) fn fill(&self, template: &str) -> String {
        template
            .replace("{{name}}", &self.0)
            .replace("{{module}}", &self.0.replace('-', "_"))
            .replace("{{Name}}", &self.camel())
    }
}

fn check_letters(name: &str) -> Fallible<()> {
    let of_letters = |word: &str| {
        let mut letters = word.chars();
        !word.is_empty() && letters.all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
    };
    let begins = name.starts_with(|c: char| c.is_ascii_lowercase());
    if begins && name.len() <= LONGEST && name.split('-').all(of_letters) {
        return Ok(());
    }
    Err(format!(
        "{name:?} cannot be a backend's name: lower-case letters, digits and single `-` between them, beginning \
         with a letter, at most {LONGEST} characters; such as `my-engine`"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_gives_its_crate_module_and_type() {
        let name = Name::new("my-engine2").unwrap();
        assert_eq!(name.package(), "rc-store-my-engine2");
        let filled = name.fill("{{name}} {{module}} {{Name}}Store");
        assert_eq!(filled, "my-engine2 my_engine2 MyEngine2Store");
    }

    #[test]
    fn other_letters_are_refused_with_the_rule() {
        let too_long = "a".repeat(LONGEST + 1);
        for name in [
            "", "Redb", "re_db", "re.db", "../x", "-a", "a-", "a--b", "2a", "é", "a b", &too_long,
        ] {
            let message = Name::new(name).unwrap_err();
            assert!(message.contains("lower-case letters"), "{name}: {message}");
        }
    }

    #[test]
    fn names_that_are_taken_are_refused_by_name() {
        for name in ["sql", "file", "redis", "lab"] {
            let message = Name::new(name).unwrap_err();
            let package = format!("rc-store-{name}");
            assert!(
                message.contains(&package) && message.contains("already"),
                "{message}"
            );
        }
        for name in ["memory", "sealed", "token"] {
            let message = Name::new(name).unwrap_err();
            assert!(message.contains("rc-store itself"), "{message}");
        }
    }

    #[test]
    fn the_name_of_the_whole_crate_is_refused_with_the_right_one() {
        let message = Name::new("rc-store-engine").unwrap_err();
        assert!(message.ends_with("alone: engine"), "{message}");
    }
}
