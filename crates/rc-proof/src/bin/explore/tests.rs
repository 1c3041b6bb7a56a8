//! The search finds what is put in on purpose, and nothing where nothing is.

use crate::{
    bounds::{Bounds, Defect, Left},
    search::{Found, explore},
};

fn small(defect: Defect) -> Bounds {
    Bounds {
        processes: 2,
        left: Left {
            rotations: 1,
            crashes: 0,
            faults: 0,
            sign_outs: 0,
            sign_ins: 0,
            refusals: 0,
            omissions: 0,
            slow: 4,
        },
        seconds: 300,
        pauses: false,
        defect,
    }
}

fn broken(found: &Found) -> Option<&'static str> {
    found.broken.as_ref().map(|(broken, _)| broken.invariant)
}

#[test]
fn nothing_is_broken_in_a_small_world() {
    let found = explore(&small(Defect::None)).unwrap();
    assert!(broken(&found).is_none() && !found.gave_up, "{found:?}");
    assert!(found.at_rest > 0 && found.states > 100, "{found:?}");
}

#[test]
fn a_request_without_an_intent_is_found() {
    let found = explore(&small(Defect::NoIntent)).unwrap();
    assert_eq!(broken(&found), Some("2 intent before send"));
}

#[test]
fn a_write_without_compare_and_swap_is_found() {
    let mut bounds = small(Defect::NoCompare);
    bounds.left.sign_outs = 1;
    let found = explore(&bounds).unwrap();
    let name = broken(&found);
    assert!(
        matches!(name, Some("6 sign-out is final" | "2 intent before send")),
        "{found:?}"
    );
}

#[test]
fn a_grant_that_dies_of_a_lost_answer_is_found() {
    let mut bounds = small(Defect::LossIsRefusal);
    bounds.left.faults = 1;
    let found = explore(&bounds).unwrap();
    assert_eq!(broken(&found), Some("5 dead only by code"));
}

#[test]
fn a_pair_that_is_used_before_it_is_saved_is_found() {
    let found = explore(&small(Defect::NoCommit)).unwrap();
    assert_eq!(broken(&found), Some("1 saved before used"));
}

#[test]
fn a_process_that_waits_for_no_owner_is_found() {
    let found = explore(&small(Defect::NoPatience)).unwrap();
    let name = broken(&found);
    // The shortest way takes the intent away before its owner has sent.
    assert!(
        matches!(
            name,
            Some("7 one refresh in flight" | "2 intent before send")
        ),
        "{found:?}"
    );
}
