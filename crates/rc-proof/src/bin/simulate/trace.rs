//! What was said between processes, store and platform: counted, hashed, and kept where somebody wants to read it.

use std::{collections::BTreeMap, fmt, sync::Mutex, time::Duration};

use rc_auth::SimulatedWorld;

use crate::chance::lock;

/// Who says or hears something.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Who {
    User(usize),
    Process(u64),
    Store,
    Platform,
    World,
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(number) => write!(f, "user {number}"),
            Self::Process(number) => write!(f, "process {number}"),
            Self::Store => f.write_str("store"),
            Self::Platform => f.write_str("platform"),
            Self::World => f.write_str("world"),
        }
    }
}

impl Who {
    fn code(self) -> u64 {
        match self {
            Self::User(number) => 0x100 + number as u64,
            Self::Process(number) => 0x10000 + number,
            Self::Store => 1,
            Self::Platform => 2,
            Self::World => 3,
        }
    }
}

/// What processes ask the store for again and again: hashed, but no part of the story, and not counted.
const POLLS: [&str; 2] = ["ask for versions", "list what is due"];

/// The messages of a run.
pub(crate) struct Trace {
    world: SimulatedWorld,
    state: Mutex<State>,
    keeps: bool,
}

#[derive(Default)]
struct State {
    hash: u64,
    kinds: BTreeMap<&'static str, u64>,
    lines: Vec<String>,
}

impl Trace {
    /// `keeps`: every message can be read afterwards.
    pub(crate) fn new(world: SimulatedWorld, keeps: bool) -> Self {
        Self {
            world,
            state: Mutex::default(),
            keeps,
        }
    }

    /// A message. `kind` names what happens, and is counted; `detail` says more to a reader.
    pub(crate) fn note(
        &self,
        from: Who,
        to: Who,
        kind: &'static str,
        detail: impl FnOnce() -> String,
    ) {
        let now = self.world.now().mono;
        let mut state = lock(&self.state);
        let nanos = u64::try_from(now.as_nanos()).unwrap_or(u64::MAX);
        for word in [nanos, from.code(), to.code(), kind.len() as u64] {
            state.mix(word);
        }
        for byte in kind.bytes() {
            state.mix(u64::from(byte));
        }
        if POLLS.contains(&kind) {
            return;
        }
        *state.kinds.entry(kind).or_default() += 1;
        if self.keeps {
            let line = line(now, from, to, kind, &detail());
            state.lines.push(line);
        }
    }

    /// Equal for two runs in which the same was said at the same time.
    pub(crate) fn hash(&self) -> u64 {
        lock(&self.state).hash
    }

    /// How often each kind of message was sent.
    pub(crate) fn kinds(&self) -> BTreeMap<&'static str, u64> {
        lock(&self.state).kinds.clone()
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        lock(&self.state).lines.clone()
    }
}

impl State {
    fn mix(&mut self, word: u64) {
        let mixed = (self.hash ^ word).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        self.hash = mixed ^ (mixed >> 31);
    }
}

fn line(now: Duration, from: Who, to: Who, kind: &str, detail: &str) -> String {
    // Every world begins at 1000 s.
    let seconds = now.as_secs_f64() - 1000.0;
    let between = if to == Who::World {
        from.to_string()
    } else {
        format!("{from} -> {to}")
    };
    format!("{seconds:>10.3} s  {between:<22}  {kind} {detail}")
        .trim_end()
        .to_owned()
}
