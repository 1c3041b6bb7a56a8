//! A caller's future that is dropped at any of its await points costs nothing: what it began goes on without it.
#![allow(clippy::unwrap_used, reason = "a file of tests")]

#[path = "support/processes.rs"]
mod processes;

use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

use processes::{ME, MINUTE, Process, SECOND, Town};
use rc_auth::{AccessToken, CallError, Grant, GrantError, GrantKey, Person};

type Work<'a> = Pin<Box<dyn Future<Output = ()> + 'a>>;

struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Release);
    }
}

/// Drops `work` when it waits for the `waits`th time. `true`: it was done before.
fn drop_at(town: &Town, mut work: Work<'_>, waits: usize) -> bool {
    let woken = Arc::new(Flag(AtomicBool::new(false)));
    let waker = Waker::from(woken.clone());
    for _ in 0..waits {
        if let Poll::Ready(()) = work.as_mut().poll(&mut Context::from_waker(&waker)) {
            return true;
        }
        while !woken.0.swap(false, Ordering::AcqRel) {
            assert!(town.world.step_once(), "it would wait for ever");
        }
    }
    false
}

/// How often `scene` waits: it is given each number of waits in turn, until its work is done before that.
fn at_every_await_point(mut scene: impl FnMut(usize) -> bool) -> usize {
    (1..200).find(|waits| scene(*waits)).unwrap() - 1
}

/// A town whose OAuth endpoints take a while, and two of its processes.
fn town() -> (Town, Process, Process) {
    let town = Town::new(1);
    town.oauth_takes.store(100, Ordering::Relaxed);
    let (a, b) = (town.process(), town.process());
    (town, a, b)
}

fn call(town: &Town, process: &Process) -> Result<(), CallError> {
    let grant = process.client.grant(&GrantKey::new("user"));
    town.run(async { grant.get(ME).await.map(|_| ()) })
}

/// Drops what `begin` makes of a grant whose access token has ended, at each of its await points. Whoever comes
/// later is served, and the platform has seen one refresh.
fn costs_nothing(begin: impl Fn(Grant, AccessToken) -> Work<'static>) -> usize {
    at_every_await_point(|waits| {
        let (town, a, b) = town();
        let grant = town.sign_in(&a.client, "user");
        let token = town.run(grant.access_token()).unwrap();
        town.expire_access_tokens();
        let done = drop_at(&town, begin(grant, token), waits);
        town.pass(MINUTE);
        for process in [&a, &b] {
            call(&town, process).unwrap();
        }
        let counters = town.counters();
        assert_eq!(counters.token_refresh.received, 1, "dropped at {waits}");
        assert_eq!(counters.live_sessions, 1, "dropped at {waits}");
        done
    })
}

#[test]
fn a_call_may_be_dropped_anywhere() {
    let waits = costs_nothing(|grant, _| {
        Box::pin(async move {
            grant.get(ME).await.unwrap();
        })
    });
    assert!(waits > 0);
    costs_nothing(|grant, _| {
        Box::pin(async move {
            grant.get(ME).download().await.unwrap();
        })
    });
    costs_nothing(|grant, _| {
        Box::pin(async move {
            let calls = "/restapi/v1.0/account/~/extension/~/call-log";
            let mut calls = grant.get(calls).pages::<serde_json::Value>();
            calls.next().await.transpose().unwrap();
        })
    });
}

#[test]
fn a_refresh_or_a_wait_for_a_token_may_be_dropped_anywhere() {
    let waits = costs_nothing(|grant, _| {
        Box::pin(async move {
            grant.refresh().await.unwrap();
        })
    });
    assert!(waits > 0);
    costs_nothing(|grant, token| {
        Box::pin(async move {
            grant.newer_access_token(&token).await.unwrap();
        })
    });
}

#[test]
fn a_question_about_a_grant_may_be_dropped_anywhere() {
    costs_nothing(|grant, _| {
        Box::pin(async move {
            grant.status().await.unwrap();
        })
    });
    costs_nothing(|grant, _| {
        Box::pin(async move {
            grant.sign_ins().await.unwrap();
        })
    });
    costs_nothing(|grant, _| {
        Box::pin(async move {
            grant.remember(Person::default()).await.unwrap();
        })
    });
}

/// Once it was begun, a sign-in is finished, with one exchange of the code.
#[test]
fn a_sign_in_may_be_dropped_anywhere() {
    let waits = at_every_await_point(|waits| {
        let (town, a, b) = town();
        let sign_in = a.client.begin_sign_in().unwrap();
        let callback = town.browse(&sign_in.url);
        let key = GrantKey::new("user");
        let client = a.client.clone();
        let done = drop_at(
            &town,
            Box::pin(async move {
                let finish = client.finish_sign_in_as(key, sign_in.pending, callback.query());
                finish.await.unwrap();
            }),
            waits,
        );
        town.pass(MINUTE);
        call(&town, &b).unwrap();
        let counters = town.counters();
        assert_eq!(counters.token_code.received, 1, "dropped at {waits}");
        assert_eq!(counters.live_sessions, 1, "dropped at {waits}");
        done
    });
    assert!(waits > 0);
}

/// Once it was begun, a sign-out is finished: nobody is served, and the platform has revoked.
#[test]
fn a_sign_out_may_be_dropped_anywhere() {
    for everywhere in [false, true] {
        let waits = at_every_await_point(|waits| {
            let (town, a, b) = town();
            let grant = town.sign_in(&a.client, "user");
            town.pass(SECOND);
            let done = drop_at(
                &town,
                Box::pin(async move {
                    if everywhere {
                        grant.sign_out_everywhere().await.unwrap();
                    } else {
                        grant.sign_out().await.unwrap();
                    }
                }),
                waits,
            );
            town.pass(MINUTE);
            for process in [&a, &b] {
                let error = call(&town, process).unwrap_err();
                let over = matches!(error, CallError::Grant(GrantError::SignInAgain { .. }));
                assert!(over, "dropped at {waits}: {error}");
            }
            let counters = town.counters();
            assert_eq!(counters.live_sessions, 0, "dropped at {waits}");
            assert_eq!(counters.revocations, 1, "dropped at {waits}");
            done
        });
        assert!(waits > 0);
    }
}
