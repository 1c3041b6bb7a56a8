//! Random work in three processes on a store and a platform that fail in every way, in virtual time: every
//! failure is a seed. `RC_SEEDS=from..to cargo test -p rc-auth --test random_processes -- --nocapture`.

#[path = "support/processes.rs"]
mod processes;

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use http::{HeaderValue, StatusCode, header};
use processes::{ME, MINUTE, Process, SECOND, Town};
use rc_auth::{
    CallError, Environment as _, GrantError, GrantKey, SignedOut, SimulatedProcess, SimulatedWorld,
    store::{
        ChangeStream, Due, DueAt, DueCursor, Expect, Listed, MemoryStore, RecordKey, StoreError,
        Stored, TokenStore, Version,
    },
    transport::{BoxFuture, HttpClient, Incoming, Outgoing, TransportError},
};
use rc_sim::{Fault, Replacement, Target};
use tokio::sync::oneshot;

const KEYS: usize = 5;
const HOUR: Duration = Duration::from_secs(3600);

/// SplitMix64, apart from the world's own, so that a failure is one seed.
#[derive(Debug)]
struct Dice(Mutex<u64>);

impl Dice {
    fn new(seed: u64) -> Self {
        Self(Mutex::new(seed ^ 0xD1CE))
    }

    fn roll(&self, sides: u64) -> u64 {
        let mut state = self.0.lock().unwrap();
        *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = *state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % sides
    }

    fn up_to(&self, most: Duration) -> Duration {
        let micros = u64::try_from(most.as_micros()).unwrap();
        Duration::from_micros(self.roll(micros + 1))
    }
}

/// What goes wrong, and whether anything does at the moment. Percentages.
#[derive(Debug)]
struct Weather {
    dice: Dice,
    is_bad: AtomicBool,
    store: u64,
    platform: u64,
    tells_changes: bool,
}

impl Weather {
    fn strikes(&self, percent: u64) -> bool {
        self.is_bad.load(Ordering::Relaxed) && self.dice.roll(100) < percent
    }
}

async fn nap(process: &SimulatedProcess, time: Duration) {
    process.sleep_until(process.now().mono + time).await;
}

/// Carries a request out in a process that nobody kills: what was sent arrives although the sender dies.
async fn elsewhere<T: Send + 'static>(
    there: &SimulatedProcess,
    work: impl Future<Output = T> + Send + 'static,
) -> T {
    let (done, result) = oneshot::channel();
    there.spawn(Box::pin(async move {
        let _ = done.send(work.await);
    }));
    result.await.expect("nobody kills it")
}

/// A store behind a network: slow, and its writes may fail before, after, or be applied later.
#[derive(Clone, Debug)]
struct Far {
    store: Arc<MemoryStore>,
    there: SimulatedProcess,
    weather: Arc<Weather>,
}

impl Far {
    fn failed() -> StoreError {
        StoreError::unavailable("the weather is bad")
    }

    /// A read.
    async fn read<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, StoreError>> + Send + 'static,
    ) -> Result<T, StoreError> {
        let Self { there, weather, .. } = self.clone();
        let clone = there.clone();
        elsewhere(&clone, async move {
            nap(&there, weather.dice.up_to(SECOND / 50)).await;
            let fails = weather.strikes(weather.store);
            let read = work.await;
            let slow = if weather.strikes(3) {
                4 * SECOND
            } else {
                SECOND / 50
            };
            nap(&there, weather.dice.up_to(slow)).await;
            if fails { Err(Self::failed()) } else { read }
        })
        .await
    }

    /// A write.
    async fn write<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, StoreError>> + Send + 'static,
    ) -> Result<T, StoreError> {
        let Self { there, weather, .. } = self.clone();
        let clone = there.clone();
        elsewhere(&clone, async move {
            nap(&there, weather.dice.up_to(SECOND / 50)).await;
            let fate = if weather.strikes(weather.store) {
                weather.dice.roll(3)
            } else {
                3
            };
            match fate {
                0 => return Err(Self::failed()),
                1 => {
                    let _ = work.await;
                    return Err(Self::failed());
                }
                2 => {
                    let later = weather.dice.up_to(12 * SECOND);
                    let process = there.clone();
                    there.spawn(Box::pin(async move {
                        nap(&process, later).await;
                        let _ = work.await;
                    }));
                    return Err(Self::failed());
                }
                _ => {}
            }
            let written = work.await;
            let slow = if weather.strikes(3) {
                8 * SECOND
            } else {
                SECOND / 50
            };
            nap(&there, weather.dice.up_to(slow)).await;
            written
        })
        .await
    }
}

impl TokenStore for Far {
    fn load<'a>(&'a self, key: &'a RecordKey) -> BoxFuture<'a, Result<Option<Stored>, StoreError>> {
        let (store, key) = (self.store.clone(), *key);
        Box::pin(self.read(async move { store.load(&key).await }))
    }

    fn save<'a>(
        &'a self,
        key: &'a RecordKey,
        payload: &'a [u8],
        due: Option<DueAt>,
        expect: Expect,
    ) -> BoxFuture<'a, Result<Version, StoreError>> {
        let (store, key, payload) = (self.store.clone(), *key, payload.to_vec());
        Box::pin(self.write(async move { store.save(&key, &payload, due, expect).await }))
    }

    fn delete<'a>(
        &'a self,
        key: &'a RecordKey,
        expect: Version,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        let (store, key) = (self.store.clone(), *key);
        Box::pin(self.write(async move { store.delete(&key, expect).await }))
    }

    fn due<'a>(
        &'a self,
        after: Option<DueCursor>,
        before: DueAt,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Due>, StoreError>> {
        let store = self.store.clone();
        Box::pin(self.read(async move { store.due(after, before, limit).await }))
    }

    fn scan<'a>(
        &'a self,
        after: Option<RecordKey>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Listed>, StoreError>> {
        let store = self.store.clone();
        Box::pin(self.read(async move { store.scan(after, limit).await }))
    }

    fn versions<'a>(
        &'a self,
        keys: &'a [RecordKey],
    ) -> BoxFuture<'a, Result<Vec<Option<Version>>, StoreError>> {
        let (store, keys) = (self.store.clone(), keys.to_vec());
        Box::pin(self.read(async move { store.versions(&keys).await }))
    }

    fn changes(&self) -> Option<ChangeStream> {
        self.store.changes().filter(|_| self.weather.tells_changes)
    }
}

/// The way to the platform. Code exchanges are spared: a lost answer of theirs leaves a chain that nobody
/// can know of.
struct Wire {
    town: Arc<Town>,
    there: SimulatedProcess,
    weather: Arc<Weather>,
}

impl std::fmt::Debug for Wire {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Wire")
    }
}

fn answers(status: u16) -> Replacement {
    Replacement::new(StatusCode::from_u16(status).unwrap(), "")
}

impl Wire {
    fn fault(&self, outgoing: &Outgoing) -> Option<(Target, Fault)> {
        let path = outgoing.request.uri().path();
        let body = String::from_utf8_lossy(outgoing.request.body()).into_owned();
        let target = match path {
            path if path.ends_with("/revoke") => Target::Revoke,
            path if path.ends_with("/token") && body.contains("refresh_token=") => Target::Token,
            _ => return None,
        };
        if !self.weather.strikes(self.weather.platform) {
            return None;
        }
        let dice = &self.weather.dice;
        let fault = match dice.roll(7) {
            0 => Fault::DropBefore,
            1 => Fault::DropAfter,
            2 => Fault::Delay(dice.up_to(45 * SECOND)),
            3 => Fault::Replace(answers(503)),
            4 => Fault::Replace(answers(503).carried_out()),
            5 => Fault::Replace(
                answers(429).header(header::RETRY_AFTER, HeaderValue::from_static("20")),
            ),
            _ => Fault::Truncate(40),
        };
        Some((target, fault))
    }
}

impl HttpClient for Wire {
    fn send(&self, outgoing: Outgoing) -> BoxFuture<'_, Result<Incoming, TransportError>> {
        let (town, there, weather) = (self.town.clone(), self.there.clone(), self.weather.clone());
        let transport = town.transport(&there);
        let fault = self.fault(&outgoing);
        let out = async move {
            nap(&there, weather.dice.up_to(SECOND / 20)).await;
            if let Some((target, fault)) = fault {
                town.platform().queue_fault(target, fault, 1);
            }
            let answer = transport.send(outgoing).await;
            nap(&there, weather.dice.up_to(SECOND / 20)).await;
            answer
        };
        Box::pin(async move { elsewhere(&self.there, out).await })
    }
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Expected {
    In,
    Out,
    /// An operation failed, or its process died.
    Unknown,
}

/// What its user knows of a key.
#[derive(Clone, Copy, Debug)]
struct Model {
    expected: Expected,
    /// Moves with every beginning and end of a sign-in or sign-out.
    epoch: u64,
    since: Duration,
    busy: Option<(u64, bool)>,
}

struct Story {
    seed: u64,
    town: Arc<Town>,
    there: SimulatedProcess,
    weather: Arc<Weather>,
    models: Arc<Mutex<Vec<Model>>>,
    complaints: Arc<Mutex<Vec<String>>>,
    /// Calls that were begun: the process, what, when.
    open: Arc<Mutex<BTreeMap<u64, (u64, String, Duration)>>>,
    /// Chains that may be alive although nobody can know of them.
    excused: u64,
    calls: u64,
    named: u64,
}

struct Life {
    name: u64,
    process: Process,
}

fn name(key: usize) -> String {
    format!("user-{key}")
}

fn town(seed: u64) -> (Arc<Town>, SimulatedProcess, Arc<Weather>) {
    let dice = Dice::new(seed);
    let weather = Arc::new(Weather {
        is_bad: AtomicBool::new(false),
        store: [0, 3, 8, 20][dice.roll(4) as usize],
        platform: [0, 10, 30, 60][dice.roll(4) as usize],
        tells_changes: dice.roll(2) == 0,
        dice,
    });
    // The store needs a process of the world, which the town makes: a town of its own world, then.
    let mut town = Town::with(seed, Arc::new(MemoryStore::new()), |_| {});
    let there = town.world.process();
    town.store = Arc::new(Far {
        store: Arc::new(MemoryStore::new()),
        there: there.clone(),
        weather: weather.clone(),
    });
    (Arc::new(town), there, weather)
}

impl Story {
    fn new(seed: u64) -> Self {
        let (town, there, weather) = town(seed);
        let model = Model {
            expected: Expected::Out,
            epoch: 0,
            since: Duration::ZERO,
            busy: None,
        };
        Self {
            seed,
            town,
            there,
            weather,
            models: Arc::new(Mutex::new(vec![model; KEYS])),
            complaints: Arc::default(),
            open: Arc::default(),
            excused: 0,
            calls: 0,
            named: 0,
        }
    }

    fn life(&mut self) -> Life {
        self.named += 1;
        let wire = Arc::new(Wire {
            town: self.town.clone(),
            there: self.there.clone(),
            weather: self.weather.clone(),
        });
        let process = self
            .town
            .process_with(|builder| builder.transport(wire))
            .sweeps();
        Life {
            name: self.named,
            process,
        }
    }

    fn roll(&self, sides: u64) -> u64 {
        self.weather.dice.roll(sides)
    }

    fn call(&mut self, life: &Life, key: usize, refreshes: bool) {
        self.calls += 1;
        let id = self.calls;
        let world: SimulatedWorld = self.town.world.clone();
        let grant = life.process.client.grant(&GrantKey::new(name(key)));
        let (models, complaints, open) = (
            self.models.clone(),
            self.complaints.clone(),
            self.open.clone(),
        );
        let what = format!(
            "call {id} of {} in process {} (refresh: {refreshes})",
            name(key),
            life.name
        );
        open.lock()
            .unwrap()
            .insert(id, (life.name, what.clone(), world.now().mono));
        let is_bad = self.weather.clone();
        life.process.process.spawn(Box::pin(async move {
            let before = models.lock().unwrap()[key];
            let began = world.now().mono;
            let result = if refreshes {
                grant.refresh().await.map(|_| ()).map_err(CallError::Grant)
            } else {
                grant.get(ME).await.map(|_| ())
            };
            let took = world.now().mono - began;
            trace(&world, || format!("{what}, begun {began:?}: {result:?}"));
            open.lock().unwrap().remove(&id);
            let after = models.lock().unwrap()[key];
            let complain = |text: String| {
                complaints
                    .lock()
                    .unwrap()
                    .push(format!("{:?}: {what}: {text}", world.now().mono));
            };
            if took > 31 * SECOND {
                complain(format!("DEADLINE: took {took:?}"));
            }
            if before.epoch != after.epoch || before.busy.is_some() {
                return;
            }
            match (before.expected, &result) {
                // Another process is told within a second.
                (Expected::In, Err(CallError::Grant(GrantError::SignInAgain { reason })))
                    if began > before.since + SECOND =>
                {
                    complain(format!(
                        "LOCKED OUT: {reason:?}, signed in since {:?}",
                        before.since
                    ));
                }
                (Expected::Out, Ok(())) => {
                    let lag = began - before.since;
                    let grace = if is_bad.is_bad.load(Ordering::Relaxed) {
                        10
                    } else {
                        2
                    };
                    if lag > grace * SECOND {
                        complain(format!("SERVED {lag:?} AFTER SIGN-OUT"));
                    }
                }
                _ => {}
            }
        }));
    }

    fn take(&self, life: &Life, key: usize, is_sign_in: bool) -> bool {
        let mut models = self.models.lock().unwrap();
        let model = &mut models[key];
        if model.busy.is_some() {
            return false;
        }
        model.busy = Some((life.name, is_sign_in));
        model.epoch += 1;
        let (process, now) = (life.name, &self.town.world);
        trace(now, || {
            format!(
                "{} in process {process} begins, sign-in: {is_sign_in}",
                name(key)
            )
        });
        true
    }

    fn sign_in(&self, life: &Life, key: usize) {
        if !self.take(life, key, true) {
            return;
        }
        let client = life.process.client.clone();
        let sign_in = client.begin_sign_in().unwrap();
        let callback = self.town.browse(&sign_in.url);
        let (models, world) = (self.models.clone(), self.town.world.clone());
        life.process.process.spawn(Box::pin(async move {
            let key_name = GrantKey::new(name(key));
            let result = client
                .finish_sign_in_as(key_name, sign_in.pending, callback.query())
                .await;
            settle(
                &models,
                &world,
                key,
                if result.is_ok() {
                    Expected::In
                } else {
                    Expected::Unknown
                },
            );
        }));
    }

    fn sign_out(&self, life: &Life, key: usize) {
        if !self.take(life, key, false) {
            return;
        }
        let grant = life.process.client.grant(&GrantKey::new(name(key)));
        let (models, world) = (self.models.clone(), self.town.world.clone());
        let complaints = self.complaints.clone();
        let before = models.lock().unwrap()[key].expected;
        life.process.process.spawn(Box::pin(async move {
            let result = grant.sign_out().await;
            if before == Expected::In && matches!(result, Ok(SignedOut::AlreadyOver)) {
                let text = format!(
                    "{:?}: {}: ALREADY OVER at sign-out",
                    world.now().mono,
                    name(key)
                );
                complaints.lock().unwrap().push(text);
            }
            settle(
                &models,
                &world,
                key,
                if result.is_ok() {
                    Expected::Out
                } else {
                    Expected::Unknown
                },
            );
        }));
    }

    fn kill(&mut self, life: &Life) {
        life.process.process.kill();
        trace(&self.town.world, || {
            format!("process {} is killed", life.name)
        });
        self.open
            .lock()
            .unwrap()
            .retain(|_, (process, ..)| *process != life.name);
        let now = self.town.now();
        for model in self.models.lock().unwrap().iter_mut() {
            if let Some((process, is_sign_in)) = model.busy
                && process == life.name
            {
                // A chain may be lost between the exchange and the save, and the replaced one after it.
                self.excused += 2 * u64::from(is_sign_in);
                *model = Model {
                    expected: Expected::Unknown,
                    epoch: model.epoch + 1,
                    since: now,
                    busy: None,
                };
            }
        }
    }

    fn step(&mut self, lives: &mut [Life]) {
        let which = self.roll(lives.len() as u64) as usize;
        let key = self.roll(KEYS as u64) as usize;
        match self.roll(100) {
            0..50 => self.call(&lives[which], key, false),
            50..60 => self.call(&lives[which], key, true),
            60..72 => {
                self.town.expire_access_tokens();
            }
            72..82 => self.sign_in(&lives[which], key),
            82..88 => self.sign_out(&lives[which], key),
            88..95 => {
                let fresh = self.life();
                let dead = std::mem::replace(&mut lives[which], fresh);
                self.kill(&dead);
            }
            _ => self.town.pass(self.weather.dice.up_to(90 * SECOND)),
        }
        let most = if self.roll(4) == 0 {
            10 * SECOND
        } else {
            SECOND / 2
        };
        self.town.pass(self.weather.dice.up_to(most));
        self.find_overdue();
    }

    fn find_overdue(&self) {
        let now = self.town.now();
        self.open.lock().unwrap().retain(|_, (_, what, began)| {
            let overdue = now - *began > 125 * SECOND;
            if overdue {
                self.complaints
                    .lock()
                    .unwrap()
                    .push(format!("{now:?}: {what}: UNANSWERED"));
            }
            !overdue
        });
    }

    /// The states of all records: of grants by name, and how many others.
    fn states(&self) -> BTreeMap<String, u64> {
        let mut states = BTreeMap::new();
        for listed in self.town.run(self.town.store.scan(None, 10_000)).unwrap() {
            let payload = String::from_utf8_lossy(&listed.stored.unwrap().payload).into_owned();
            let state = ["\"idle\"", "\"refreshing\"", "\"signed_out\"", "\"ended\""]
                .into_iter()
                .find(|state| payload.contains(state))
                .unwrap_or("other");
            *states
                .entry(state.trim_matches('"').to_owned())
                .or_default() += 1;
        }
        states
    }

    fn complain(&self, text: String) {
        let now = self.town.now();
        self.complaints
            .lock()
            .unwrap()
            .push(format!("{now:?}: {text}"));
    }

    fn check_settled(&mut self, lives: &[Life]) {
        let models = self.models.lock().unwrap().clone();
        for (key, model) in models.iter().enumerate() {
            if model.busy.is_some() {
                self.complain(format!("{}: STILL BUSY {:?}", name(key), model.busy));
            }
            for life in lives {
                let grant = life.process.client.grant(&GrantKey::new(name(key)));
                let call = || self.town.run(async { grant.get(ME).await.map(|_| ()) });
                // A pair that was repeated may have been expired meanwhile.
                let result = match call() {
                    Err(CallError::Refused { .. }) => call(),
                    other => other,
                };
                let fits = match model.expected {
                    Expected::In => result.is_ok(),
                    Expected::Out => matches!(
                        result,
                        Err(CallError::Grant(GrantError::SignInAgain { .. }))
                    ),
                    Expected::Unknown => true,
                };
                if !fits {
                    let expected = model.expected;
                    self.complain(format!(
                        "NOT SETTLED: {} in process {}: {expected:?} since {:?}, got {result:?}",
                        name(key),
                        life.name,
                        model.since
                    ));
                }
            }
        }
    }

    fn run(mut self) -> Vec<String> {
        let mut lives: Vec<Life> = (0..3).map(|_| self.life()).collect();
        for key in 0..KEYS {
            self.sign_in(&lives[key % 3], key);
        }
        self.town.pass(5 * SECOND);
        self.weather.is_bad.store(true, Ordering::Relaxed);
        for _ in 0..250 {
            self.step(&mut lives);
        }
        self.weather.is_bad.store(false, Ordering::Relaxed);
        self.town.pass(5 * MINUTE);
        self.find_overdue();
        let states = self.states();
        if states.contains_key("refreshing") {
            self.complain(format!("UNFINISHED after five minutes: {states:?}"));
        }
        lives.push(self.life());
        self.check_settled(&lives);
        let steps = self.town.world.steps();
        self.town.pass(2 * HOUR);
        let steps = self.town.world.steps() - steps;
        if steps > 400_000 {
            self.complain(format!("SPINS: {steps} steps in two idle hours"));
        }
        let (states, live) = (self.states(), self.town.counters().live_sessions);
        let idle = states.get("idle").copied().unwrap_or_default();
        if live > idle + self.excused || states.contains_key("refreshing") {
            self.complain(format!(
                "ORPHANS: {live} sessions, {states:?}, {} excused",
                self.excused
            ));
        }
        let complaints = self.complaints.lock().unwrap().clone();
        if std::env::var_os("RC_VERBOSE").is_some() {
            println!(
                "seed {}: store {} % platform {} % changes {}: {} calls, {live} sessions, {states:?}, {} excused, {steps} steps",
                self.seed,
                self.weather.store,
                self.weather.platform,
                self.weather.tells_changes,
                self.calls,
                self.excused
            );
        }
        complaints
    }
}

fn trace(world: &SimulatedWorld, text: impl FnOnce() -> String) {
    if std::env::var_os("RC_TRACE").is_some() {
        println!("  {:?}: {}", world.now().mono, text());
    }
}

fn settle(models: &Mutex<Vec<Model>>, world: &SimulatedWorld, key: usize, expected: Expected) {
    trace(world, || format!("{} is {expected:?}", name(key)));
    let mut models = models.lock().unwrap();
    let model = &mut models[key];
    *model = Model {
        expected,
        epoch: model.epoch + 1,
        since: world.now().mono,
        busy: None,
    };
}

fn seeds() -> std::ops::Range<u64> {
    let asked = std::env::var("RC_SEEDS").unwrap_or_default();
    match asked.split_once("..") {
        Some((from, to)) => from.parse().unwrap()..to.parse().unwrap(),
        None => 0..20,
    }
}

#[test]
fn random_work_in_bad_weather_loses_nothing_and_settles() {
    let mut failed = 0;
    if std::env::var_os("RC_TRACE").is_some() {
        let _ = tracing_subscriber::fmt()
            .with_max_level(tracing_subscriber::filter::LevelFilter::DEBUG)
            .with_writer(std::io::stdout)
            .without_time()
            .try_init();
    }
    for seed in seeds() {
        let complaints = Story::new(seed).run();
        failed += usize::from(!complaints.is_empty());
        for complaint in complaints {
            println!("seed {seed}: {complaint}");
        }
    }
    assert_eq!(failed, 0, "seeds failed");
}
