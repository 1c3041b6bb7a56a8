//! Chance: when something goes wrong, and how long everything takes.

use std::{
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use rc_auth::{Environment as _, SimulatedProcess};
use tokio::sync::oneshot;

/// SplitMix64, apart from the world's own, so that a failure is one seed.
#[derive(Debug)]
pub(crate) struct Dice(Mutex<u64>);

impl Dice {
    fn new(seed: u64) -> Self {
        Self(Mutex::new(seed ^ 0xD1CE))
    }

    /// A number from 0 to `sides - 1`.
    pub(crate) fn roll(&self, sides: u64) -> u64 {
        let mut state = self.0.lock().unwrap();
        *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = *state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % sides
    }

    /// A time of at most `most`, in whole microseconds.
    pub(crate) fn up_to(&self, most: Duration) -> Duration {
        let micros = u64::try_from(most.as_micros()).unwrap();
        Duration::from_micros(self.roll(micros + 1))
    }
}

/// What goes wrong, and whether anything does at the moment.
#[derive(Debug)]
pub(crate) struct Weather {
    pub(crate) dice: Dice,
    is_bad: AtomicBool,
    /// How many of the store's operations fail, in percent.
    pub(crate) store: u64,
    /// How many refreshes and revocations fail, in percent.
    pub(crate) platform: u64,
    /// Whether the store tells of changes, or has to be asked.
    pub(crate) tells_changes: bool,
}

impl Weather {
    /// The weather of a seed, good at first.
    pub(crate) fn new(seed: u64) -> Self {
        let dice = Dice::new(seed);
        Self {
            is_bad: AtomicBool::new(false),
            store: [0, 3, 8, 20][dice.roll(4) as usize],
            platform: [0, 10, 30, 60][dice.roll(4) as usize],
            tells_changes: dice.roll(2) == 0,
            dice,
        }
    }

    /// Whether something goes wrong now that does so in `percent` of all cases; never in good weather.
    pub(crate) fn strikes(&self, percent: u64) -> bool {
        self.is_bad() && self.dice.roll(100) < percent
    }

    pub(crate) fn is_bad(&self) -> bool {
        self.is_bad.load(Ordering::Relaxed)
    }

    /// Lets things go wrong from now on, or no longer.
    pub(crate) fn turn(&self, is_bad: bool) {
        self.is_bad.store(is_bad, Ordering::Relaxed);
    }
}

/// Waits in virtual time.
pub(crate) async fn nap(process: &SimulatedProcess, time: Duration) {
    process.sleep_until(process.now().mono + time).await;
}

/// Carries a request out in a process that nobody kills: what was sent arrives although the sender dies.
pub(crate) async fn elsewhere<T: Send + 'static>(
    there: &SimulatedProcess,
    work: impl Future<Output = T> + Send + 'static,
) -> T {
    let (done, result) = oneshot::channel();
    there.spawn(Box::pin(async move {
        // A sender that died waits for no answer.
        let _ = done.send(work.await);
    }));
    result.await.expect("nobody kills it")
}
