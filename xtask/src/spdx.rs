//! Licence expressions as crates write them: SPDX with `OR`, `AND`, `WITH` and brackets, or the older `/`.

/// Whether `expression` can be satisfied with licences that `allowed` accepts.
///
/// # Errors
///
/// The expression is not one.
pub(crate) fn satisfied(expression: &str, allowed: &dyn Fn(&str) -> bool) -> Result<bool, String> {
    let spaced = expression
        .replace('(', " ( ")
        .replace(')', " ) ")
        .replace('/', " OR ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut reader = Reader {
        words: &words,
        allowed,
    };
    let outcome = reader.any();
    match (outcome, reader.words) {
        (Some(outcome), []) => Ok(outcome),
        _ => Err(format!("{expression:?} is not a licence expression")),
    }
}

struct Reader<'a> {
    words: &'a [&'a str],
    allowed: &'a dyn Fn(&str) -> bool,
}

impl<'a> Reader<'a> {
    /// `all OR all ..`
    fn any(&mut self) -> Option<bool> {
        let mut outcome = self.all()?;
        while self.skip("OR") {
            outcome |= self.all()?;
        }
        Some(outcome)
    }

    /// `one AND one ..`
    fn all(&mut self) -> Option<bool> {
        let mut outcome = self.one()?;
        while self.skip("AND") {
            outcome &= self.one()?;
        }
        Some(outcome)
    }

    /// A licence, with an exception or not, or an expression in brackets.
    fn one(&mut self) -> Option<bool> {
        if self.skip("(") {
            let outcome = self.any()?;
            return self.skip(")").then_some(outcome);
        }
        let licence = self.next()?;
        if self.skip("WITH") {
            let exception = self.next()?;
            return Some((self.allowed)(&format!("{licence} WITH {exception}")));
        }
        Some((self.allowed)(licence))
    }

    fn skip(&mut self, word: &str) -> bool {
        let found = self.words.first() == Some(&word);
        if found {
            self.words = &self.words[1..];
        }
        found
    }

    /// The next word that can be a name.
    fn next(&mut self) -> Option<&'a str> {
        let (first, rest) = self.words.split_first()?;
        self.words = rest;
        (!["OR", "AND", "WITH", "(", ")"].contains(first)).then_some(*first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(expression: &str, expected: bool) {
        let allowed =
            |licence: &str| ["MIT", "Zlib", "Apache-2.0 WITH LLVM-exception"].contains(&licence);
        assert_eq!(
            satisfied(expression, &allowed),
            Ok(expected),
            "{expression}"
        );
    }

    #[test]
    fn one_of_or_and_all_of_and_have_to_be_allowed() {
        check("MIT", true);
        check("GPL-3.0-only", false);
        check("GPL-3.0-only OR MIT", true);
        check("MIT/GPL-3.0-only", true);
        check("MIT AND GPL-3.0-only", false);
        check("MIT AND Zlib", true);
        check("GPL-3.0-only OR MIT AND Zlib", true);
        check("(GPL-3.0-only OR MIT) AND Zlib", true);
        check("(MIT OR Zlib) AND GPL-3.0-only", false);
    }

    #[test]
    fn a_licence_with_an_exception_is_another_licence() {
        check("Apache-2.0", false);
        check("Apache-2.0 WITH LLVM-exception", true);
        check("MIT WITH Classpath-exception-2.0", false);
    }

    #[test]
    fn what_is_not_an_expression_is_an_error() {
        for text in [
            "", "MIT OR", "AND MIT", "(MIT", "MIT Zlib", "MIT)", "MIT WITH",
        ] {
            assert!(satisfied(text, &|_| true).is_err(), "{text:?}");
        }
    }
}
