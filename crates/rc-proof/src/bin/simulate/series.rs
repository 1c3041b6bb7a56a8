//! Many seeds, one after another, on a few threads.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    ops::Range,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use crate::{
    chance::lock,
    shrink,
    story::{Outcome, Script, Story},
};

/// What to run.
pub(crate) struct Series {
    pub(crate) seeds: Range<u64>,
    pub(crate) threads: u64,
    /// How many are run twice.
    pub(crate) twice: u64,
    pub(crate) bug: Option<String>,
}

/// What came of all.
#[derive(Default)]
struct Tally {
    runs: u64,
    /// Messages of each run.
    sizes: Vec<u64>,
    kinds: BTreeMap<&'static str, u64>,
    /// Seeds whose second run differed.
    unequal: Vec<u64>,
}

/// The first seed that failed, and what came of it.
type Failure = Option<(u64, Outcome)>;

/// Runs all seeds, or up to the first that fails, which is made small and printed. `false`: one failed.
///
/// # Errors
///
/// When a run cannot be set up.
pub(crate) fn run(series: &Series) -> Result<bool, String> {
    let began = Instant::now();
    let next = AtomicU64::new(series.seeds.start);
    let tally = Mutex::new(Tally::default());
    let failure: Mutex<Failure> = Mutex::default();
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..series.threads)
            .map(|_| scope.spawn(|| work(series, &next, &tally, &failure)))
            .collect();
        workers.into_iter().try_for_each(|worker| {
            worker
                .join()
                .unwrap_or_else(|_| Err("a run panicked: see above".to_owned()))
        })
    })?;
    let seconds = began.elapsed().as_secs_f64();
    let tally = tally.into_inner().unwrap_or_default();
    let failure = failure.into_inner().unwrap_or_default();
    print(&tally, seconds);
    print_coverage();
    match failure {
        None => Ok(tally.unequal.is_empty()),
        Some((seed, outcome)) => {
            tell(series, seed, &outcome)?;
            Ok(false)
        }
    }
}

fn work(
    series: &Series,
    next: &AtomicU64,
    tally: &Mutex<Tally>,
    failure: &Mutex<Failure>,
) -> Result<(), String> {
    let mut own = Tally::default();
    loop {
        let seed = next.fetch_add(1, Ordering::Relaxed);
        if seed >= series.seeds.end {
            break;
        }
        let script = Script {
            seed,
            ..Script::default()
        };
        let outcome = Story::run(&script)?;
        own.add(&outcome);
        if seed - series.seeds.start < series.twice
            && Story::run(&script)?.trace.hash() != outcome.trace.hash()
        {
            own.unequal.push(seed);
        }
        if !outcome.complaints.is_empty() {
            next.store(series.seeds.end, Ordering::Relaxed);
            let mut failure = lock(failure);
            if failure.as_ref().is_none_or(|(first, _)| seed < *first) {
                *failure = Some((seed, outcome));
            }
            break;
        }
    }
    lock(tally).merge(own);
    Ok(())
}

impl Tally {
    fn add(&mut self, outcome: &Outcome) {
        self.runs += 1;
        let kinds = outcome.trace.kinds();
        self.sizes.push(kinds.values().sum());
        for (kind, count) in kinds {
            *self.kinds.entry(kind).or_default() += count;
        }
    }

    fn merge(&mut self, other: Self) {
        self.runs += other.runs;
        self.sizes.extend(other.sizes);
        self.unequal.extend(other.unequal);
        for (kind, count) in other.kinds {
            *self.kinds.entry(kind).or_default() += count;
        }
    }
}

/// Which inputs have met which states of the machines, and which never did.
fn print_coverage() {
    let met = rc_auth_core::met();
    let never: Vec<_> = met.iter().filter(|met| met.times == 0).collect();
    println!(
        "{} of {} pairs of a state and an input have met; never:",
        met.len() - never.len(),
        met.len()
    );
    for met in never {
        println!("  {} x {}", met.state, met.input);
    }
}

fn print(tally: &Tally, seconds: f64) {
    let mut sizes = tally.sizes.clone();
    sizes.sort_unstable();
    let median = sizes.get(sizes.len() / 2).copied().unwrap_or_default();
    let rate = tally.runs as f64 / seconds.max(1e-9);
    println!(
        "{} seeds in {seconds:.1} s ({rate:.0} a second), {median} messages in the median one",
        tally.runs
    );
    for (kind, count) in &tally.kinds {
        println!("  {count:>12}  {kind}");
    }
    if !tally.unequal.is_empty() {
        println!("BROKEN  two runs of one seed differ: {:?}", tally.unequal);
    }
}

/// Prints a failure, as small as it can be made, and the command that repeats it.
fn tell(series: &Series, seed: u64, outcome: &Outcome) -> Result<(), String> {
    let shrunk = shrink::shrink(seed, outcome)?;
    let told = Script {
        keeps: true,
        ..shrunk.clone()
    };
    let told = Story::run(&told)?;
    println!("\nseed {seed} fails; as small as it can be made:\n");
    told.trace
        .lines()
        .iter()
        .for_each(|line| println!("{line}"));
    for complaint in &told.complaints {
        println!("BROKEN  {complaint}");
    }
    println!(
        "\nfound after {} seeds, {} steps and faults are left. Again:\n  {}",
        seed - series.seeds.start + 1,
        shrink::size(&shrunk),
        command(&shrunk, series.bug.as_deref())
    );
    Ok(())
}

fn command(script: &Script, bug: Option<&str>) -> String {
    let mut command = "cargo xtask simulate".to_owned();
    // Writing to a string does not fail.
    if let Some(bug) = bug {
        let _ = write!(command, " zoo --bug {bug}");
    }
    let _ = write!(command, " --seed {}", script.seed);
    if let Some(steps) = &script.steps {
        let _ = write!(command, " --steps {}", joined(steps));
    }
    if let Some(faults) = &script.faults {
        let _ = write!(command, " --faults {}", joined(faults));
    }
    command
}

fn joined<T: ToString>(items: impl IntoIterator<Item = T>) -> String {
    let items = items.into_iter().map(|item| item.to_string());
    let items: Vec<_> = items.collect();
    if items.is_empty() {
        "''".to_owned()
    } else {
        items.join(",")
    }
}
