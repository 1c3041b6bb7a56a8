//! An API as lines of text.

use std::{collections::BTreeSet, path::Path};

use crate::Fallible;

/// Traits that the compiler implements. That a type has them is no line; that it has no `Send` or no `Sync` is one.
const AUTOMATIC: [&str; 6] = [
    " core::marker::Send for ",
    " core::marker::Sync for ",
    "core::marker::Freeze for ",
    "core::marker::Unpin for ",
    "core::panic::unwind_safe::RefUnwindSafe for ",
    "core::panic::unwind_safe::UnwindSafe for ",
];

/// The public items in what rustdoc wrote, one a line.
pub(super) fn of(described: &Path) -> Fallible<String> {
    let api = public_api::Builder::from_rustdoc_json(described)
        .sorted(true)
        .omit_blanket_impls(true)
        .omit_auto_derived_impls(true)
        .build();
    let api = api.map_err(|error| format!("cannot read {}: {error}", described.display()))?;
    let lines = api
        .items()
        .map(ToString::to_string)
        .filter(|line| !is_automatic(line));
    Ok(lines.map(|line| line + "\n").collect())
}

fn is_automatic(line: &str) -> bool {
    line.starts_with("impl") && AUTOMATIC.iter().any(|of| line.contains(of))
}

/// The lines that are gone and those that are new, if any.
pub(super) fn difference(blessed: &str, now: &str) -> Option<String> {
    let (old, new): (BTreeSet<&str>, BTreeSet<&str>) =
        (blessed.lines().collect(), now.lines().collect());
    let gone = old.difference(&new).map(|line| format!("  - {line}\n"));
    let difference: String = gone
        .chain(new.difference(&old).map(|line| format!("  + {line}\n")))
        .collect();
    (!difference.is_empty()).then_some(difference)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_are_gone_and_new_are_told_and_their_order_is_not() {
        assert_eq!(difference("a\nb\n", "b\na\n"), None);
        assert_eq!(difference("a\nb\n", "b\nc\n").unwrap(), "  - a\n  + c\n");
    }

    #[test]
    fn a_type_that_cannot_be_sent_is_told_and_one_that_can_is_not() {
        assert!(is_automatic("impl core::marker::Send for rc_x::A"));
        assert!(is_automatic(
            "impl<T> core::marker::Sync for rc_x::A<T> where T: core::marker::Sync"
        ));
        assert!(is_automatic(
            "impl !core::panic::unwind_safe::UnwindSafe for rc_x::A"
        ));
        assert!(!is_automatic("impl !core::marker::Send for rc_x::A"));
        assert!(!is_automatic(
            "pub fn rc_x::a() -> impl core::marker::Send for "
        ));
    }
}
