//! Runs inputs through a platform, for as long as somebody wants.

use std::{
    collections::HashSet,
    fs, io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use crate::{
    checks::{self, Verdict},
    corpus,
    message::Message,
    mutation::{self, Material},
    random::Random,
    stage::Stage,
    target::Target,
};

/// An input that takes longer is a hang.
const HANG: Duration = Duration::from_secs(10);
/// Inputs between two looks at what the platform keeps.
const BETWEEN_BOUNDS: u64 = 20_000;
/// The most inputs that are remembered for having had a new outcome.
const MOST_FOUND: usize = 2_000;
/// How much more memory the second half of a run may need, in bytes.
const GROWTH: u64 = 96 * 1024 * 1024;

/// What to do.
pub(crate) struct Plan {
    pub(crate) seed: u64,
    /// The run ends after so many inputs,
    pub(crate) inputs: u64,
    /// or after so long.
    pub(crate) time: Duration,
    /// Whether the corpus itself is run before.
    pub(crate) replay: bool,
    /// Whether to keep inputs that have an outcome which no other had.
    pub(crate) keep: bool,
}

/// What was done.
#[derive(Default)]
pub(crate) struct Report {
    pub(crate) inputs: u64,
    pub(crate) took: Duration,
    pub(crate) slowest: Duration,
    pub(crate) slowest_input: Vec<u8>,
    pub(crate) outcomes: usize,
    /// Bytes at the start, half-way and at the end; zero where it cannot be told.
    pub(crate) memory: [u64; 3],
}

/// An input and what is wrong with what came of it.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) input: Vec<u8>,
    pub(crate) what: String,
}

/// The input at work and since when, for whoever watches over it.
type AtWork = Arc<Mutex<Option<(Instant, Vec<u8>)>>>;

pub(crate) struct Runner<'a> {
    target: &'a Target,
    stage: Stage,
    at_work: AtWork,
    outcomes: HashSet<String>,
    report: Report,
}

impl<'a> Runner<'a> {
    pub(crate) fn new(target: &'a Target) -> Self {
        Self {
            target,
            stage: Stage::new(),
            at_work: AtWork::default(),
            outcomes: HashSet::new(),
            report: Report::default(),
        }
    }

    /// Runs one input; `true` when its outcome is new.
    pub(crate) fn run(&mut self, input: &[u8]) -> Result<bool, Failure> {
        let started = Instant::now();
        self.set_at_work(Some((started, input.to_vec())));
        if self.report.inputs.is_multiple_of(self.target.life) {
            self.stage = Stage::new();
        }
        self.stage.pass(self.report.inputs);
        let (stage, run) = (&mut self.stage, self.target.run);
        let outcome = catch_unwind(AssertUnwindSafe(|| run(stage, input)));
        let took = started.elapsed();
        self.set_at_work(None);
        self.report.inputs += 1;
        if took > self.report.slowest {
            self.report.slowest = took;
            self.report.slowest_input = input.to_vec();
        }
        let failed = |what: String| Failure {
            input: input.to_vec(),
            what,
        };
        match outcome {
            Ok(Ok(outcome)) => Ok(self.outcomes.insert(outcome)),
            Ok(Err(what)) => Err(failed(what)),
            Err(panic) => Err(failed(format!("a panic: {}", said(&*panic)))),
        }
    }

    fn set_at_work(&self, input: Option<(Instant, Vec<u8>)>) {
        *self.at_work.lock().unwrap_or_else(PoisonError::into_inner) = input;
    }

    /// What the platform keeps is bounded.
    pub(crate) fn bounds(&mut self) -> Verdict {
        checks::bounds(&mut self.stage)
    }

    /// Runs what can be made of the corpus.
    pub(crate) fn explore(mut self, plan: &Plan) -> Result<Report, Failure> {
        let started = Instant::now();
        let (mut random, mut halfway) = (Random::new(plan.seed), false);
        self.report.memory[0] = resident();
        let kept = read(self.target)?.into_iter();
        let mut pool: Vec<Vec<u8>> = kept.map(|(_, input)| input).collect();
        if plan.replay {
            for input in &pool {
                self.run(input)?;
            }
        }
        while self.report.inputs < plan.inputs && started.elapsed() < plan.time {
            let input = self.make(&pool, &mut random);
            if self.run(&input)? && corpus::is_small(&input) {
                if plan.keep {
                    keep(self.target, "found", &input)?;
                }
                if pool.len() < MOST_FOUND {
                    pool.push(input.clone());
                }
            }
            if self.report.inputs.is_multiple_of(BETWEEN_BOUNDS) {
                self.bounds().map_err(|what| Failure { input, what })?;
            }
            if !halfway && started.elapsed() * 2 > plan.time {
                halfway = true;
                self.report.memory[1] = resident();
            }
        }
        self.finish(started)
    }

    fn finish(mut self, started: Instant) -> Result<Report, Failure> {
        self.report.memory[2] = resident();
        self.report.took = started.elapsed();
        self.report.outcomes = self.outcomes.len();
        let nothing = |what: String| Failure {
            input: Vec::new(),
            what,
        };
        self.bounds().map_err(nothing)?;
        let [_, half, end] = self.report.memory;
        if half > 0 && end > half + GROWTH {
            return Err(nothing(format!(
                "growth: from {half} to {end} bytes in half of the run"
            )));
        }
        Ok(self.report)
    }

    fn make(&self, pool: &[Vec<u8>], random: &mut Random) -> Vec<u8> {
        let mut pick = || random.pick(pool).cloned().unwrap_or_default();
        let (mut input, other) = (pick(), pick());
        let Some(weights) = self.target.weights else {
            for _ in 0..=random.below(4) {
                mutation::change(&mut input, &other, self.target.words, random);
            }
            return input;
        };
        let mut message = Message::parse(&input);
        let other = Message::parse(&other);
        let words = self.target.words;
        let material = Material {
            words,
            weights,
            other: &other,
        };
        mutation::mutate(&mut message, &material, random);
        message.text()
    }

    /// Ends the process, the input kept, when one takes too long. What hangs cannot be stopped otherwise.
    pub(crate) fn watch(&self) {
        let (at_work, name) = (Arc::clone(&self.at_work), self.target.name);
        thread::spawn(move || {
            loop {
                thread::sleep(HANG / 10);
                let at_work = at_work
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .clone();
                if let Some((since, input)) = at_work
                    && since.elapsed() > HANG
                {
                    let kept = corpus::keep(name, "hang", &input);
                    println!("{name}: a hang of more than {HANG:?}; input kept: {kept:?}");
                    std::process::exit(1);
                }
            }
        });
    }
}

fn read(target: &Target) -> Result<Vec<(String, Vec<u8>)>, Failure> {
    corpus::read(target.name).map_err(|error| of_file(target, &error))
}

/// Keeps an input.
pub(crate) fn keep(target: &Target, kind: &str, input: &[u8]) -> Result<String, Failure> {
    corpus::keep(target.name, kind, input).map_err(|error| of_file(target, &error))
}

fn of_file(target: &Target, error: &io::Error) -> Failure {
    Failure {
        input: Vec::new(),
        what: format!("the corpus of {}: {error}", target.name),
    }
}

fn said(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    text.unwrap_or_default()
}

/// The memory of this process, in bytes; zero where it is not told.
fn resident() -> u64 {
    let statm = fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = statm
        .split(' ')
        .nth(1)
        .and_then(|pages| pages.parse::<u64>().ok());
    pages.unwrap_or_default() * 4_096
}
