//! What a process tells of its grants, to listeners and in numbers.
#![allow(clippy::unwrap_used, reason = "a file of tests")]

#[path = "support/altered.rs"]
mod altered;
#[path = "support/processes.rs"]
mod processes;
#[path = "support/troubled.rs"]
mod troubled;

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use altered::Altered;
use bytes::Bytes;
use http::StatusCode;
use metrics::{
    Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit,
    with_local_recorder,
};
use processes::{ME, MINUTE, SECOND, Town};
use rc_auth::{EndReason, Event, EventKind, GrantKey, Trouble};
use rc_sim::{Fault, Replacement, Target};
use tracing_subscriber::{
    Layer,
    layer::{Context, SubscriberExt as _},
    util::SubscriberInitExt as _,
};
use troubled::Troubled;

type Events = tokio::sync::broadcast::Receiver<Event>;

fn told(events: &mut Events) -> Vec<EventKind> {
    std::iter::from_fn(|| events.try_recv().ok())
        .map(|event| event.kind)
        .collect()
}

fn refreshed(generation: u64, failures: u32) -> impl Fn(&EventKind) -> bool {
    move |kind| {
        matches!(kind, EventKind::Refreshed { generation: new, failures: before }
            if new.get() == generation && *before == failures)
    }
}

#[test]
fn a_life_is_told_by_whoever_has_a_part_in_it() {
    let town = Town::new(1);
    let (a, b) = (town.process(), town.process());
    let (mut of_a, mut of_b) = (a.client.events(), b.client.events());
    let grant = town.sign_in(&a.client, "user");
    assert_eq!(told(&mut of_a), [EventKind::SignedIn]);

    let there = b.client.grant(&GrantKey::new("user"));
    town.run(there.get(ME).send()).unwrap();
    town.expire_access_tokens();
    town.run(grant.get(ME).send()).unwrap();
    let all = told(&mut of_a);
    assert!(matches!(&all[..], [one] if refreshed(2, 0)(one)), "{all:?}");
    town.pass(SECOND);
    let all = told(&mut of_b);
    let is_adopted =
        |one: &EventKind| matches!(one, EventKind::Adopted { generation } if generation.get() == 2);
    assert!(matches!(&all[..], [one] if is_adopted(one)), "{all:?}");

    let busy = Replacement::new(StatusCode::SERVICE_UNAVAILABLE, Bytes::new());
    town.platform()
        .queue_fault(Target::Token, Fault::Replace(busy), 1);
    town.expire_access_tokens();
    town.run(grant.get(ME).send()).unwrap();
    let all = told(&mut of_a);
    let is_delayed = |one: &EventKind| {
        matches!(
            one,
            EventKind::Delayed {
                trouble: Trouble::Refused { .. }
            }
        )
    };
    assert!(
        matches!(&all[..], [one, two] if is_delayed(one) && refreshed(3, 1)(two)),
        "{all:?}"
    );

    town.run(grant.sign_out()).unwrap();
    assert_eq!(
        told(&mut of_a).last(),
        Some(&EventKind::SignedOut { revoked: true })
    );
}

#[test]
fn a_refresh_token_that_is_dead_is_told_as_the_end_of_its_grant() {
    let town = Town::new(3);
    let process = town.process();
    let grant = town.sign_in(&process.client, "user");
    let mut events = process.client.events();
    let dead = Bytes::from_static(br#"{"error":"invalid_grant"}"#);
    let dead = Replacement::new(StatusCode::BAD_REQUEST, dead);
    town.platform()
        .queue_fault(Target::Token, Fault::Replace(dead), u32::MAX);
    town.expire_access_tokens();
    assert!(town.run(grant.get(ME).send()).is_err());
    let reason = EndReason::TokenDead;
    assert_eq!(told(&mut events).last(), Some(&EventKind::Ended { reason }));
}

#[test]
fn who_goes_on_with_the_refresh_of_a_dead_process_says_so() {
    let town = Town::new(2);
    let (a, b) = (town.process(), town.process());
    let mut of_b = b.client.events();
    town.sign_in(&a.client, "user");
    town.expire_access_tokens();
    town.way_to_oauth.store(5_000, Ordering::Relaxed);
    let _ = a.call("user");
    town.pass(SECOND);
    a.process.kill();
    town.way_to_oauth.store(0, Ordering::Relaxed);
    let call = b.call("user");
    town.pass(MINUTE);
    call.lock().unwrap().clone().expect("an answer").unwrap();
    let all = told(&mut of_b);
    assert!(all.contains(&EventKind::TakenOver), "{all:?}");
}

/// Keeps the numbers of this thread, by name and labels.
#[derive(Default)]
struct Counted(Mutex<BTreeMap<String, Arc<AtomicU64>>>);

impl Counted {
    fn of(&self, name: &str) -> u64 {
        let counters = self.0.lock().unwrap();
        counters
            .get(name)
            .map_or(0, |counter| counter.load(Ordering::Relaxed))
    }
}

impl Recorder for Counted {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        let labels = key.labels().map(|label| label.value());
        let name = std::iter::once(key.name()).chain(labels);
        let name: Vec<&str> = name.collect();
        let mut counters = self.0.lock().unwrap();
        Counter::from_arc(counters.entry(name.join(" ")).or_default().clone())
    }

    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::noop()
    }

    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::noop()
    }
}

#[test]
fn a_refresh_is_counted_as_recovered_only_after_a_failure() {
    let counted = Counted::default();
    with_local_recorder(&counted, || {
        let town = Town::new(4);
        let process = town.process();
        let grant = town.sign_in(&process.client, "user");
        for (failures, recovered) in [(0, 0), (1, 1), (0, 1)] {
            let busy = Replacement::new(StatusCode::SERVICE_UNAVAILABLE, Bytes::new());
            if failures > 0 {
                town.platform()
                    .queue_fault(Target::Token, Fault::Replace(busy), failures);
            }
            town.expire_access_tokens();
            town.run(grant.get(ME).send()).unwrap();
            assert_eq!(counted.of("oauth.client.refresh.recovered"), recovered);
        }
        town.run(grant.sign_out()).unwrap();
    });
    let requests = |kind| counted.of(&format!("oauth.client.token.requests {kind}"));
    assert_eq!(requests("authorization_code ok"), 1);
    assert_eq!(requests("refresh_token ok"), 3);
    assert_eq!(requests("refresh_token refused"), 1);
    assert_eq!(counted.of("oauth.client.revocations ok"), 1);
}

/// A clock may be wrong, and one request costs little.
#[test]
fn a_chain_whose_time_is_over_is_revoked_all_the_same() {
    let counted = Counted::default();
    with_local_recorder(&counted, || {
        let town = Town::new(6);
        let process = town.process();
        let grant = town.sign_in(&process.client, "user");
        town.pass(8 * 24 * 60 * MINUTE);
        town.run(grant.sign_out()).unwrap();
        town.pass(MINUTE);
    });
    assert_eq!(counted.of("oauth.client.revocations ok"), 1);
}

/// Counts the errors that are logged on this thread.
#[derive(Clone, Default)]
struct Errors(Arc<AtomicU64>);

impl<S: tracing::Subscriber> Layer<S> for Errors {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        let is_error = *event.metadata().level() == tracing::Level::ERROR;
        self.0.fetch_add(u64::from(is_error), Ordering::Relaxed);
    }
}

#[test]
fn a_record_that_cannot_be_read_is_an_error_in_the_log_once_an_hour() {
    let errors = Errors::default();
    let _guard = tracing_subscriber::registry()
        .with(errors.clone())
        .set_default();
    let town = Town::new(5);
    town.sign_in(&town.process().client, "user");
    let store = Arc::new(Altered(Arc::new(Troubled::damaged(town.store.clone()))));
    let process = town.process_with(|builder| builder.clear_text_store(store));
    let grant = process.client.grant(&GrantKey::new("user"));
    for logged in [1, 1, 1, 2] {
        assert!(town.run(grant.get(ME).send()).is_err());
        assert_eq!(errors.0.load(Ordering::Relaxed), logged);
        town.pass(21 * MINUTE);
    }
}
