//! The kit rejects stores that break the contract: each fault by the check of its name.
#![allow(unused_parens, reason = "a macro takes a closure as one token")]

mod blocking;
mod broken;
mod bytes;
mod dropped;
mod failing;
mod hints;
mod listed_in_docs;
mod listing;
mod lists;
mod partial;
mod paths;
mod pools;
mod saving;
mod tags;
mod telling;
mod thresholds;
mod writes;

use std::{
    cell::Cell,
    panic::{self, AssertUnwindSafe, catch_unwind},
    sync::Once,
};

use tokio::runtime::Runtime;

/// A runtime whose clock jumps to the next timer when there is nothing else to do.
fn without_waiting() -> Runtime {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().start_paused(true).build();
    runtime.expect("a Tokio runtime")
}

thread_local! {
    /// Whether this thread runs a check whose failure is looked at, not printed.
    static WATCHED: Cell<bool> = const { Cell::new(false) };
}

/// Prints no panic of a watched check: its backtrace takes longer than the check.
fn print_no_watched_panic() {
    static SET: Once = Once::new();
    SET.call_once(|| {
        let print = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            if !WATCHED.get() {
                print(panic);
            }
        }));
    });
}

/// What a check says when it fails; `None` if it passes.
fn complaint(check: impl FnOnce()) -> Option<String> {
    print_no_watched_panic();
    WATCHED.set(true);
    let outcome = catch_unwind(AssertUnwindSafe(check));
    WATCHED.set(false);
    let panic = outcome.err()?;
    let text = panic.downcast_ref::<String>().cloned();
    let text = text.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string));
    Some(text.unwrap_or_default())
}

/// One test per fault: its check fails with the fault, and passes on the right store. What `saying` names
/// has to stand in the message of the check. `with` gives the place its hooks.
macro_rules! rejected {
    ($right:path; $($tests:tt)*) => {
        rejected! { $right, with (|site| site); $($tests)* }
    };
    ($right:path, with $hooks:tt; $($test:ident: $open:tt by $module:ident::$check:ident $(saying $words:literal)?;)*) => {
        $(
            #[test]
            fn $test() {
                use rc_store::conformance::{Pace, run_on};
                for pace in [Pace::AsIs, Pace::Slow] {
                    let right = || run_on(
                        &$crate::without_waiting(), pace, std::sync::Arc::default, $right,
                        $hooks, $module::$check,
                    );
                    assert_eq!($crate::complaint(right), None, "a right store is accepted, {pace:?}");
                }
                let broken = |pace| $crate::complaint(|| run_on(
                    &$crate::without_waiting(), pace, std::sync::Arc::default, $open,
                    $hooks, $module::$check,
                ));
                let complaint = broken(Pace::Slow).or_else(|| broken(Pace::AsIs));
                let complaint = complaint.expect("the fault is not noticed");
                $(assert!(complaint.contains($words), "{complaint}");)?
                let _ = complaint;
            }
        )*
    };
}

pub(crate) use rejected;
