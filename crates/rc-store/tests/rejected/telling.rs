//! Faults of `changes` that the reader or the time brings out.

use std::{collections::VecDeque, task::Poll};

use rc_store::{
    Change, ChangeStream, MemoryStore, TokenStore,
    conformance::checks::{changes, sharing},
};

use crate::{
    broken::{Broken, Place, Through, right},
    failing::FromPoll,
    rejected,
};

/// What a store does with the changes of the right one.
struct Telling(Place, fn(&Place) -> Option<ChangeStream>);

impl Broken for Telling {
    fn inner(&self) -> &MemoryStore {
        &self.0
    }

    fn changes(&self) -> Option<ChangeStream> {
        (self.1)(&self.0)
    }
}

fn telling(place: &Place, changes: fn(&Place) -> Option<ChangeStream>) -> Through<Telling> {
    Through(Telling(place.clone(), changes))
}

fn none(_: &Place) -> Option<ChangeStream> {
    None
}

/// Wakes nobody: what is there is found when somebody asks by chance.
fn without_waking(place: &Place) -> Option<ChangeStream> {
    let mut changes = place.changes()?;
    Some(Box::pin(FromPoll(move |_: &mut std::task::Context<'_>| {
        let mut nobody = std::task::Context::from_waker(std::task::Waker::noop());
        changes.as_mut().poll_next(&mut nobody)
    })))
}

/// Ends before anything was told.
fn at_its_end(_: &Place) -> Option<ChangeStream> {
    Some(Box::pin(FromPoll(|_: &mut std::task::Context<'_>| {
        Poll::Ready(None)
    })))
}

/// A gap that stands for what was lost is left out.
fn without_gaps(place: &Place) -> Option<ChangeStream> {
    let mut changes = place.changes()?;
    Some(Box::pin(FromPoll(
        move |context: &mut std::task::Context<'_>| {
            loop {
                match changes.as_mut().poll_next(context) {
                    Poll::Ready(Some(Change::Gap)) => {}
                    other => return other,
                }
            }
        },
    )))
}

/// Reads the changes of the right store all the time, and keeps them all.
fn unbounded(place: &Place) -> Option<ChangeStream> {
    let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
    let mut changes = place.changes()?;
    tokio::spawn(std::future::poll_fn(move |context| {
        while let Poll::Ready(Some(change)) = changes.as_mut().poll_next(context) {
            if sender.send(change).is_err() {
                return Poll::Ready(());
            }
        }
        Poll::Pending
    }));
    Some(Box::pin(FromPoll(
        move |context: &mut std::task::Context<'_>| receiver.poll_recv(context),
    )))
}

/// Tells each change one change late.
fn one_late(place: &Place) -> Option<ChangeStream> {
    let mut changes = place.changes()?;
    let mut waiting = VecDeque::new();
    Some(Box::pin(FromPoll(
        move |context: &mut std::task::Context<'_>| {
            while let Poll::Ready(Some(change)) = changes.as_mut().poll_next(context) {
                waiting.push_back(change);
                if waiting.len() > 1 {
                    return Poll::Ready(waiting.pop_front());
                }
            }
            Poll::Pending
        },
    )))
}

rejected! { right;
    changes_none_of_a_notifying_store: (async |place: &Place| telling(place, none))
        by changes::notifying_store_tells_changes saying "declared `notifying`";
    changes_that_wake_nobody: (async |place: &Place| telling(place, without_waking))
        by changes::changes_wakes_a_reader_that_waits saying "was not woken";
    changes_that_end_at_once: (async |place: &Place| telling(place, at_its_end))
        by changes::changes_tells_every_reader saying "goes on while its store is there";
    changes_that_lose_many_without_a_gap: (async |place: &Place| telling(place, without_gaps))
        by changes::changes_keeps_a_bounded_number_for_a_slow_reader saying "and no gap";
    changes_that_wait_without_bound: (async |place: &Place| telling(place, unbounded))
        by changes::changes_keeps_a_bounded_number_for_a_slow_reader saying "not bounded";
    changes_told_one_late: (async |place: &Place| telling(place, one_late))
        by sharing::changes_tells_writes_of_another_handle saying "neither named nor a gap";
}
