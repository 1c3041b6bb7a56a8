//! A world of processes in virtual time: one thread, one seed, tasks that can be killed.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    future::{Future, poll_fn},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
    time::Duration,
};

use rc_auth_core::{Now, Timestamp};
use rc_http::BoxFuture;

use super::{Environment, NoRandomness};

/// 2026-01-01T00:00:00Z, where every world begins.
const BEGINNING: i64 = 1_767_225_600_000;

/// Processes in one virtual time. Whenever none of their tasks can go on, time jumps to the next moment
/// that one of them waits for. The order in which tasks run, and every random number, follow the seed.
///
/// ```
/// # #[cfg(feature = "simulated-environment")] {
/// use std::time::Duration;
/// use rc_auth::{Environment as _, SimulatedWorld};
///
/// let world = SimulatedWorld::new(7);
/// let process = world.process();
/// let an_hour = process.now().mono + Duration::from_secs(3600);
/// world.run(process.sleep_until(an_hour));
/// assert_eq!(process.now().mono, an_hour);
/// # }
/// ```
#[derive(Clone)]
pub struct SimulatedWorld(Arc<Mutex<Inner>>);

/// One process of a [`SimulatedWorld`]: the [`Environment`] of a client.
#[derive(Clone)]
pub struct SimulatedProcess {
    world: SimulatedWorld,
    id: u64,
}

struct Inner {
    mono: Duration,
    random: u64,
    next_id: u64,
    processes: BTreeMap<u64, Process>,
    tasks: BTreeMap<u64, Task>,
    /// Tasks that can go on. May name some that are gone. In their own order, not that in which they were woken:
    /// some of tokio's channels wake at random.
    ready: Arc<Mutex<BTreeSet<u64>>>,
    /// Moments that somebody waits for, and whom to wake then.
    timers: BTreeMap<(Duration, u64), Waker>,
    polled: u64,
}

/// A process that lives.
#[derive(Default)]
struct Process {
    /// How far its wall clock is off, in milliseconds.
    wall_offset: i64,
    is_suspended: bool,
    /// Tasks that could go on if it were not.
    parked: Vec<u64>,
}

struct Task {
    process: u64,
    future: Option<BoxFuture<'static, ()>>,
    woken: Arc<Woken>,
}

/// Wakes a task, once until it runs.
struct Woken {
    id: u64,
    is_ready: AtomicBool,
    ready: Arc<Mutex<BTreeSet<u64>>>,
}

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        if !self.is_ready.swap(true, Ordering::AcqRel) {
            let mut ready = self.ready.lock().unwrap_or_else(PoisonError::into_inner);
            ready.insert(self.id);
        }
    }
}

/// Wakes whoever runs the world.
struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Release);
    }
}

impl Inner {
    fn id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    /// SplitMix64.
    fn random(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.random;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A task that can go on, drawn from all that can.
    fn take_ready(&mut self) -> Option<(u64, BoxFuture<'static, ()>, Waker)> {
        loop {
            let drawn = self.random();
            let id = {
                let mut ready = self.ready.lock().unwrap_or_else(PoisonError::into_inner);
                let count = u64::try_from(ready.len()).ok().filter(|count| *count > 0)?;
                let place = usize::try_from(drawn % count).unwrap_or_default();
                let id = *ready.iter().nth(place)?;
                ready.remove(&id);
                id
            };
            let Some(task) = self.tasks.get_mut(&id) else {
                continue;
            };
            if let Some(process) = self.processes.get_mut(&task.process)
                && process.is_suspended
            {
                process.parked.push(id);
            } else if let Some(future) = task.future.take() {
                task.woken.is_ready.store(false, Ordering::Release);
                return Some((id, future, Waker::from(task.woken.clone())));
            }
        }
    }

    /// Lets time pass to the next moment that somebody waits for, if it is not after `until`.
    fn jump(&mut self, until: Duration) -> Option<Waker> {
        let (&(moment, _), _) = self.timers.first_key_value()?;
        if moment > until {
            return None;
        }
        self.mono = self.mono.max(moment);
        self.timers.pop_first().map(|(_, waker)| waker)
    }
}

impl SimulatedWorld {
    /// A world in which everything follows `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(Inner {
            mono: Duration::from_secs(1000),
            random: seed,
            next_id: 0,
            processes: BTreeMap::new(),
            tasks: BTreeMap::new(),
            ready: Arc::default(),
            timers: BTreeMap::new(),
            polled: 0,
        })))
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new process.
    #[must_use]
    pub fn process(&self) -> SimulatedProcess {
        let mut inner = self.lock();
        let id = inner.id();
        inner.processes.insert(id, Process::default());
        drop(inner);
        SimulatedProcess {
            world: self.clone(),
            id,
        }
    }

    /// Both clocks, as they are where no wall clock was set.
    #[must_use]
    pub fn now(&self) -> Now {
        let mono = self.lock().mono;
        Now {
            wall: Timestamp::from_unix_millis(BEGINNING).saturating_add(mono),
            mono,
        }
    }

    /// How many steps tasks have made.
    #[must_use]
    pub fn steps(&self) -> u64 {
        self.lock().polled
    }

    /// Runs everybody until `time` has passed.
    pub fn pass(&self, time: Duration) {
        let until = self.lock().mono + time;
        while self.step(until) {}
        let mut inner = self.lock();
        inner.mono = inner.mono.max(until);
    }

    /// Runs everybody until `future` is done, which belongs to no process, and gives what came of it.
    ///
    /// # Panics
    ///
    /// When it can never be done, because nobody waits for a moment any more.
    pub fn run<T>(&self, future: impl Future<Output = T>) -> T {
        let mut future = std::pin::pin!(future);
        let woken = Arc::new(Flag(AtomicBool::new(true)));
        let waker = Waker::from(woken.clone());
        loop {
            if woken.0.swap(false, Ordering::AcqRel)
                && let Poll::Ready(done) = future.as_mut().poll(&mut Context::from_waker(&waker))
            {
                return done;
            }
            let goes_on = woken.0.load(Ordering::Acquire) || self.step(Duration::MAX);
            assert!(goes_on, "everybody waits for ever");
        }
    }

    /// One step of one task, or one jump in time. `false`: nothing can happen any more.
    pub fn step_once(&self) -> bool {
        self.step(Duration::MAX)
    }

    /// One step of one task, or one jump in time. `false`: nothing can happen up to `until`.
    fn step(&self, until: Duration) -> bool {
        let mut inner = self.lock();
        let Some((id, mut future, waker)) = inner.take_ready() else {
            let woken = inner.jump(until);
            drop(inner);
            return woken.inspect(Waker::wake_by_ref).is_some();
        };
        inner.polled += 1;
        drop(inner);
        let done = future.as_mut().poll(&mut Context::from_waker(&waker));
        let mut inner = self.lock();
        let left = match (done, inner.tasks.get_mut(&id)) {
            (Poll::Pending, Some(task)) => {
                task.future = Some(future);
                None
            }
            (Poll::Ready(()), _) => {
                inner.tasks.remove(&id);
                Some(future)
            }
            // Killed by what it did itself.
            (Poll::Pending, None) => Some(future),
        };
        drop(inner);
        drop(left);
        true
    }
}

impl SimulatedProcess {
    /// Ends the process as a `kill -9` does: none of its tasks goes on, none can be started.
    pub fn kill(&self) {
        let mut inner = self.world.lock();
        inner.processes.remove(&self.id);
        let of_it = |task: &Task| task.process == self.id;
        let (dead, alive) = std::mem::take(&mut inner.tasks)
            .into_iter()
            .partition(|(_, task)| of_it(task));
        inner.tasks = alive;
        drop(inner);
        // Whatever its tasks held is dropped outside of the lock: it may wake others.
        drop::<BTreeMap<u64, Task>>(dead);
    }

    /// Suspends it as a `SIGSTOP` does, or lets it go on. Time passes for it all the same.
    pub fn suspend(&self, suspended: bool) {
        let mut inner = self.world.lock();
        let Some(process) = inner.processes.get_mut(&self.id) else {
            return;
        };
        process.is_suspended = suspended;
        if !suspended {
            let parked = std::mem::take(&mut process.parked);
            let mut ready = inner.ready.lock().unwrap_or_else(PoisonError::into_inner);
            ready.extend(parked);
        }
    }

    /// Sets its wall clock `millis` milliseconds off that of the world.
    pub fn set_wall_clock(&self, millis: i64) {
        if let Some(process) = self.world.lock().processes.get_mut(&self.id) {
            process.wall_offset = millis;
        }
    }

    /// How many of its tasks live.
    #[must_use]
    pub fn tasks(&self) -> usize {
        let inner = self.world.lock();
        let of_it = |task: &&Task| task.process == self.id;
        inner.tasks.values().filter(of_it).count()
    }
}

impl Environment for SimulatedProcess {
    fn now(&self) -> Now {
        let mut now = self.world.now();
        let offset = self
            .world
            .lock()
            .processes
            .get(&self.id)
            .map(|it| it.wall_offset);
        let millis = now
            .wall
            .unix_millis()
            .saturating_add(offset.unwrap_or_default());
        now.wall = Timestamp::from_unix_millis(millis);
        now
    }

    fn sleep_until(&self, mono: Duration) -> BoxFuture<'static, ()> {
        let mut sleep = Sleep {
            world: self.world.clone(),
            until: mono,
            timer: None,
        };
        Box::pin(poll_fn(move |context| sleep.poll(context)))
    }

    fn spawn(&self, task: BoxFuture<'static, ()>) {
        let mut inner = self.world.lock();
        if !inner.processes.contains_key(&self.id) {
            return;
        }
        let id = inner.id();
        let woken = Arc::new(Woken {
            id,
            is_ready: AtomicBool::new(false),
            ready: inner.ready.clone(),
        });
        let task = Task {
            process: self.id,
            future: Some(task),
            woken: woken.clone(),
        };
        inner.tasks.insert(id, task);
        woken.wake();
    }

    fn fill(&self, bytes: &mut [u8]) -> Result<(), NoRandomness> {
        let mut inner = self.world.lock();
        for chunk in bytes.chunks_mut(8) {
            let drawn = inner.random().to_le_bytes();
            chunk.copy_from_slice(&drawn[..chunk.len()]);
        }
        Ok(())
    }
}

struct Sleep {
    world: SimulatedWorld,
    until: Duration,
    timer: Option<u64>,
}

impl Sleep {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let mut inner = self.world.lock();
        if inner.mono >= self.until {
            return Poll::Ready(());
        }
        let id = match self.timer {
            Some(id) => id,
            None => inner.id(),
        };
        self.timer = Some(id);
        let waker = context.waker().clone();
        inner.timers.insert((self.until, id), waker);
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(id) = self.timer {
            self.world.lock().timers.remove(&(self.until, id));
        }
    }
}

impl fmt::Debug for SimulatedWorld {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimulatedWorld")
            .field("now", &self.now())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for SimulatedProcess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimulatedProcess")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn order(seed: u64) -> Vec<u32> {
        let world = SimulatedWorld::new(seed);
        let process = world.process();
        let seen = Arc::new(Mutex::new(Vec::new()));
        for number in 0..8 {
            let seen = seen.clone();
            process.spawn(Box::pin(async move { seen.lock().unwrap().push(number) }));
        }
        world.pass(SECOND);
        seen.lock().unwrap().split_off(0)
    }

    #[test]
    fn the_same_seed_gives_the_same_order_and_another_one_another() {
        assert_eq!(order(1), order(1));
        assert!((2..12).any(|seed| order(seed) != order(1)));
    }

    /// The first numbers of its authors' own program for the seed 1234567.
    #[test]
    fn chance_is_splitmix64() {
        let world = SimulatedWorld::new(0);
        let mut inner = world.lock();
        inner.random = 1_234_567;
        let drawn = [inner.random(), inner.random(), inner.random()];
        let expected = [
            6_457_827_717_110_365_317,
            3_203_168_211_198_807_973,
            9_817_491_932_198_370_423,
        ];
        assert_eq!(drawn, expected);
    }

    #[test]
    fn a_sleep_that_is_dropped_leaves_no_timer() {
        let world = SimulatedWorld::new(1);
        let process = world.process();
        let mut sleep = process.sleep_until(world.now().mono + SECOND);
        let mut context = Context::from_waker(Waker::noop());
        assert!(sleep.as_mut().poll(&mut context).is_pending());
        assert_eq!(world.lock().timers.len(), 1);
        drop(sleep);
        assert!(world.lock().timers.is_empty());
    }

    #[test]
    fn a_killed_process_does_nothing_any_more() {
        let world = SimulatedWorld::new(1);
        let process = world.process();
        let done = Arc::new(AtomicBool::new(false));
        let tell = done.clone();
        let sleep = process.sleep_until(world.now().mono + SECOND);
        process.spawn(Box::pin(async move {
            sleep.await;
            tell.store(true, Ordering::Release);
        }));
        world.pass(SECOND / 2);
        assert_eq!(process.tasks(), 1);
        process.kill();
        process.spawn(Box::pin(async {}));
        world.pass(2 * SECOND);
        assert_eq!(process.tasks(), 0);
        assert!(!done.load(Ordering::Acquire));
    }

    #[test]
    fn a_wall_clock_set_back_moves_no_timer() {
        let world = SimulatedWorld::new(1);
        let process = world.process();
        process.set_wall_clock(-7_200_000);
        let before = process.now();
        world.run(process.sleep_until(before.mono + SECOND));
        assert_eq!(process.now().mono, before.mono + SECOND);
        let off = world.now().wall.unix_millis() - process.now().wall.unix_millis();
        assert_eq!(off, 7_200_000);
    }
}
