//! What a call costs beside the same request made by hand: `cargo bench -p rc-auth`, or `cargo xtask bench call`.
//!
//! `--full` measures fresh tokens among a million live grants too, which takes some gigabytes and minutes. Names of
//! groups (`overhead`, `two-cores`, `fresh-tokens`, `refreshes`) measure these only.
//! Prints a line for each figure with its bound, and fails when one is broken.

mod figures;
mod kept;
mod stage;

use std::{
    hint::black_box,
    sync::{
        Arc, Barrier,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use figures::{Figures, median, quantile};
use futures_util::FutureExt as _;
use kept::KeptByHand;
use rc_auth::Grant;
use stage::{ByHand, PATH, Stage};
use tokio::runtime::Runtime;

const CALLS: u32 = 200_000;
const PAIRS: usize = 5;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let full = arguments.iter().any(|argument| argument == "--full");
    let groups = arguments
        .iter()
        .filter(|argument| !argument.starts_with('-'));
    let all = groups.clone().next().is_none();
    let is_chosen = |group| all || groups.clone().any(|named| named == group);
    let runtime = Runtime::new().expect("a runtime");
    let _inside = runtime.enter();
    let mut figures = Figures::default();
    if is_chosen("overhead") {
        overhead(&runtime, &mut figures);
    }
    if is_chosen("two-cores") {
        two_cores(&runtime, &mut figures);
    }
    if is_chosen("fresh-tokens") {
        for (grants, bound) in [(1_000, 200.0), (100_000, 400.0)] {
            fresh_tokens(&runtime, &mut figures, grants, bound);
        }
        if full {
            fresh_tokens(&runtime, &mut figures, 1_000_000, 1_000.0);
        }
    }
    if is_chosen("refreshes") {
        beside_refreshes(&runtime, &mut figures);
    }
    std::process::exit(i32::from(!figures.print()));
}

/// Every call has to end without waiting: the transport answers at once.
fn call(grant: &Grant) {
    let answer = grant.get(PATH).send().now_or_never();
    black_box(answer.expect("no wait").expect("an answer"));
}

fn by_hand(hand: &ByHand) {
    let answer = hand.call().now_or_never();
    black_box(answer.expect("no wait").expect("an answer"));
}

/// Nanoseconds for each of many.
fn each(mut work: impl FnMut()) -> f64 {
    let began = Instant::now();
    for _ in 0..CALLS {
        work();
    }
    began.elapsed().as_secs_f64() * 1e9 / f64::from(CALLS)
}

fn overhead(runtime: &Runtime, figures: &mut Figures) {
    let stage = Stage::new(0);
    let grant = runtime.block_on(stage.sign_in(0));
    let hand = stage.by_hand();
    let (mut ours, mut bare) = (Vec::new(), Vec::new());
    for _ in 0..PAIRS {
        ours.push(each(|| call(&grant)));
        bare.push(each(|| by_hand(&hand)));
    }
    let added = ours.iter().zip(&bare).map(|(ours, bare)| ours - bare);
    let added = median(added.collect());
    figures.add("the same request by hand", median(bare), "ns");
    figures.at_most("a call adds", added, "ns", 150.0);
}

/// How much more two tasks do on two cores than one does on one, each with a grant of its own; beside two that share
/// nothing at all, which machines differ in.
fn two_cores(runtime: &Runtime, figures: &mut Figures) {
    let stage = Stage::new(0);
    let grants: Vec<Grant> = (0..2).map(|n| runtime.block_on(stage.sign_in(n))).collect();
    let hands = [stage.by_hand(), stage.by_hand()];
    let mut ours = Vec::new();
    let mut bare = Vec::new();
    for _ in 0..PAIRS {
        ours.push(gain(|n| call(&grants[n])));
        bare.push(gain(|n| by_hand(&hands[n])));
    }
    let ratios = ours.iter().zip(&bare).map(|(ours, bare)| ours / bare);
    let ratio = median(ratios.collect());
    figures.add("two tasks on two cores, by hand", median(bare), "x");
    figures.at_least("two tasks on two cores", median(ours), "x", 1.8);
    figures.at_least("two tasks on two cores beside by hand", ratio, "x", 0.9);
}

fn gain(work: impl Fn(usize) + Sync) -> f64 {
    let alone = rate(1, &work);
    rate(2, &work) / alone
}

/// Calls in a second, over all tasks.
fn rate(tasks: usize, work: &(impl Fn(usize) + Sync)) -> f64 {
    let start = Barrier::new(tasks + 1);
    let took = thread::scope(|scope| {
        let task = |n: usize| {
            let start = &start;
            scope.spawn(move || {
                start.wait();
                let began = Instant::now();
                for _ in 0..CALLS {
                    work(n);
                }
                began.elapsed()
            })
        };
        let tasks: Vec<_> = (0..tasks).map(task).collect();
        start.wait();
        let took = tasks.into_iter().map(|task| task.join().expect("no panic"));
        took.max().unwrap_or_default()
    });
    f64::from(CALLS) * tasks as f64 / took.as_secs_f64()
}

/// A header for a call, from any of many live grants; and from as many texts behind locks, as a program without a
/// library would keep them: most of the time is what memory takes that no cache holds.
fn fresh_tokens(runtime: &Runtime, figures: &mut Figures, count: usize, bound: f64) {
    let stage = Stage::new(count);
    let mut texts = Vec::with_capacity(count);
    let mut grants = Vec::with_capacity(count);
    for number in 0..count {
        grants.push(runtime.block_on(stage.sign_in(number)));
        texts.push(KeptByHand::new(number));
    }
    let bare = one_of_many(&texts, |kept| {
        black_box(kept.header());
    });
    let ours = one_of_many(&grants, |grant| {
        let token = grant.access_token().now_or_never();
        black_box(token.expect("no wait").expect("a token").header());
    });
    let (bare, p99) = (quantile(bare, 0.99), quantile(ours.clone(), 0.99));
    let named = |what: &str| format!("fresh token, {count} live grants, {what}");
    figures.add(&named("by hand, p99"), bare, "ns");
    figures.add(&named("median"), median(ours), "ns");
    figures.at_most(&named("p99"), p99, "ns", bound);
    figures.add(&named("p99 beside by hand"), p99 / bare, "x");
}

/// Nanoseconds of each of many, with one of these after another by chance.
fn one_of_many<T>(all: &[T], mut work: impl FnMut(&T)) -> Vec<f64> {
    let clock = (0..10_000)
        .map(|_| Instant::now().elapsed())
        .min()
        .unwrap_or_default();
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let one = |_| {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let chosen = &all[(random >> 33) as usize % all.len()];
        let began = Instant::now();
        work(chosen);
        let took = began.elapsed().saturating_sub(clock);
        took.as_secs_f64() * 1e9
    };
    (0..CALLS).map(one).collect()
}

/// Calls of a grant that is refreshed a hundred times a second meanwhile.
fn beside_refreshes(runtime: &Runtime, figures: &mut Figures) {
    let stage = Stage::new(0);
    let grant = runtime.block_on(stage.sign_in(0));
    let mut ratios = Vec::new();
    for _ in 0..PAIRS {
        let quiet = slowest(&grant);
        let stop = Arc::new(AtomicBool::new(false));
        let refreshing = runtime.spawn({
            let (grant, stop) = (grant.clone(), stop.clone());
            async move {
                while !stop.load(Ordering::Relaxed) {
                    grant.refresh().await.expect("a refresh");
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            }
        });
        let busy = slowest(&grant);
        stop.store(true, Ordering::Relaxed);
        runtime.block_on(refreshing).expect("no panic");
        ratios.push(busy / quiet);
    }
    figures.at_most("a call beside refreshes, p99.9", median(ratios), "x", 1.2);
}

/// The 99.9th percentile of a call's time, in nanoseconds. A call that would wait for a token fails.
fn slowest(grant: &Grant) -> f64 {
    let mut times = Vec::with_capacity(CALLS as usize);
    for _ in 0..CALLS {
        let began = Instant::now();
        call(grant);
        times.push(began.elapsed().as_secs_f64() * 1e9);
    }
    quantile(times, 0.999)
}
