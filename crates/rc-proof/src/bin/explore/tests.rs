//! The search finds what is put in on purpose, and nothing where nothing is.

use crate::{
    bounds::Bounds,
    defects::{ALL, Defect},
    search::explore,
};

#[test]
fn nothing_is_broken_in_a_small_world() {
    let found = explore(&Bounds::small(Defect::None)).unwrap();
    assert!(found.broken.is_none() && !found.gave_up, "{found:?}");
    assert!(found.at_rest > 0 && found.states > 100, "{found:?}");
}

#[test]
fn each_invariant_is_broken_by_what_removes_it() {
    for spoiled in &ALL {
        spoiled.find().unwrap();
    }
}
