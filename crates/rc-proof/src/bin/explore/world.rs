//! Everything that a moment of the search holds: processes, store, platform, clock.

use std::{rc::Rc, sync::Arc, time::Duration};

use rc_auth_core::{
    Asleep, AttemptId, AuthBudget, ChainId, Entropy, GrantMachine, GrantRecord, Now, OAuthApp,
    PairId, RecordVersion, RefreshPolicy, RefreshReplay, SaveFailure, Timestamp, TokenPair,
    TokenSet,
};

use crate::{
    bounds::{Bounds, Left},
    defects::Defect,
    platform::{Chain, Tokens},
};

/// How long access tokens live.
pub(crate) const LIFE: Duration = Duration::from_secs(3600);

/// The clock stands at multiples of this only: timers end on it, or late by less.
pub(crate) const GRID: Duration = Duration::from_secs(5);

/// A record and its version, as it was read.
pub(crate) type Read = Option<(Rc<GrantRecord>, u8)>;

/// What a process has asked of the store.
#[derive(Clone, Debug)]
pub(crate) enum StoreCall {
    Load,
    Save {
        record: Rc<GrantRecord>,
        expect: u8,
    },
    /// Read, and not heard yet.
    Loaded(Read),
    LoadFailed,
    /// Written or not, and not heard yet.
    Saved(Result<u8, SaveFailure>),
}

/// A token request of a process.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Request {
    /// On its way: this refresh token of this chain.
    Out { chain: u8, refresh: u8 },
    /// Answered, and not heard yet.
    Back {
        chain: u8,
        refresh: u8,
        answer: Answer,
    },
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Answer {
    Tokens(Tokens),
    Refused,
    NotSent,
    MaybeSent,
    /// 503.
    Unavailable,
    /// 429.
    Limited,
}

/// What a process is yet to be told of its own sign-in or sign-out.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum News {
    /// Of this chain.
    SignedOut(u8),
    SignedIn,
}

/// What nobody waits for any more and may still be carried out.
#[derive(Clone, Debug)]
pub(crate) enum Stray {
    Save { record: Rc<GrantRecord>, expect: u8 },
    Request { chain: u8, refresh: u8 },
}

/// One process.
#[derive(Clone, Debug)]
pub(crate) struct Process {
    pub(crate) machine: GrantMachine,
    /// The pair whose access token it uses while the machine sleeps: its name, chain and number.
    pub(crate) kept: Option<(PairId, u8, u8)>,
    pub(crate) call: Option<StoreCall>,
    pub(crate) request: Option<Request>,
    pub(crate) news: Option<News>,
    /// It has asked whether it may send a token request, and nothing else happens until it hears.
    pub(crate) is_at_gate: bool,
    /// The version in which an intent was first seen, and when.
    pub(crate) sight: Option<(u8, Duration)>,
    /// It has met a conflict and not read since.
    pub(crate) must_read: bool,
    /// The platform has refused the token of its last request.
    pub(crate) was_refused: bool,
    /// Chains that it knows to be signed out, one bit each.
    pub(crate) knows_out: u8,
    /// The intent that it asked to write last.
    pub(crate) claimed: Option<AttemptId>,
    /// The intent that it wrote last, if nothing of its own came after that, and when.
    pub(crate) wrote: Option<(AttemptId, Duration)>,
}

/// A moment of the search.
#[derive(Clone, Debug)]
pub(crate) struct World {
    pub(crate) now: Now,
    pub(crate) record: Option<Rc<GrantRecord>>,
    /// The version given last. It is the record's if there is one.
    pub(crate) version: u8,
    pub(crate) attempts: u8,
    pub(crate) processes: Vec<Process>,
    pub(crate) strays: Vec<Stray>,
    pub(crate) chains: Vec<Chain>,
    /// Chains that are written down to be revoked, one bit each.
    pub(crate) to_revoke: u8,
    /// Chains that were written down as signed out, one bit each.
    pub(crate) signed_out: u8,
    /// Access tokens that were in the store: chain and number.
    pub(crate) saved: u64,
    pub(crate) left: Left,
    pub(crate) defect: Defect,
    pub(crate) rules: Rc<Rules>,
}

/// What machines are made of.
#[derive(Debug)]
pub(crate) struct Rules {
    app: Arc<OAuthApp>,
    pub(crate) policy: Arc<RefreshPolicy>,
}

impl Rules {
    fn new(bounds: &Bounds) -> Result<Self, String> {
        let uri = "https://app.example.com/callback";
        let app = OAuthApp::new("explored", None, uri, OAuthApp::DEFAULT_SERVER)
            .map_err(|error| error.to_string())?;
        let mut policy = RefreshPolicy::default();
        policy.renew_every = GRID;
        policy.owner_silence = GRID * 3;
        policy.poll_first = GRID;
        policy.poll_max = policy.poll_first;
        policy.retry_max = policy.trouble_first;
        policy.look_again = Duration::ZERO;
        policy.budget = AuthBudget::Off;
        if bounds.strict {
            policy.replay = RefreshReplay::None;
        }
        if bounds.pauses {
            policy.retry_first = Duration::from_secs(6);
            policy.retry_max = policy.retry_first;
        }
        policy.check().map_err(|error| error.to_string())?;
        Ok(Self {
            app: Arc::new(app),
            policy: Arc::new(policy),
        })
    }

    fn machine(&self) -> GrantMachine {
        GrantMachine::new(self.app.clone(), self.policy.clone(), &Entropy::new([7; 8]))
    }

    pub(crate) fn wake(&self, asleep: Asleep, pair: PairId) -> GrantMachine {
        let seed = Entropy::new([7; 8]);
        GrantMachine::wake(self.app.clone(), self.policy.clone(), &seed, asleep, pair)
    }
}

impl Process {
    pub(crate) fn new(rules: &Rules) -> Self {
        Self {
            machine: rules.machine(),
            kept: None,
            call: None,
            request: None,
            news: None,
            is_at_gate: false,
            sight: None,
            must_read: false,
            was_refused: false,
            knows_out: 0,
            claimed: None,
            wrote: None,
        }
    }
}

impl World {
    /// Signed in, the access token at its end, and no process knows anything.
    pub(crate) fn new(bounds: &Bounds) -> Result<Self, String> {
        let rules = Rc::new(Rules::new(bounds)?);
        let signed_in = Now {
            wall: Timestamp::from_unix_millis(1_800_000_000_000),
            mono: LIFE,
        };
        let mut left = bounds.left;
        left.rotations = left.rotations.saturating_sub(1);
        let mut world = Self {
            now: signed_in,
            record: None,
            version: 1,
            attempts: 0,
            processes: vec![Process::new(&rules); usize::from(bounds.processes)],
            strays: Vec::new(),
            chains: vec![Chain::new()],
            to_revoke: 0,
            signed_out: 0,
            saved: 0,
            left,
            defect: bounds.defect,
            rules,
        };
        world.record = Some(Rc::new(world.signed_in(0)?));
        world.saved = bit(0, 1);
        if bounds.left.rotations > 0 {
            world.pass(LIFE);
        }
        Ok(world)
    }

    /// The record of a sign-in now.
    pub(crate) fn signed_in(&self, chain: u8) -> Result<GrantRecord, String> {
        let tokens = Tokens {
            chain,
            access: 1,
            refresh: Some(1),
        };
        let tokens = TokenSet::from_response(&tokens.response(), self.now.wall)
            .map_err(|error| error.to_string())?;
        let pair = TokenPair::new(tokens);
        Ok(GrantRecord::signed_in(chain_id(chain), pair, self.now.wall))
    }

    pub(crate) fn pass(&mut self, time: Duration) {
        self.now.mono += time;
        self.now.wall = self.now.wall.saturating_add(time);
    }

    /// Whether the platform takes each refresh token once.
    pub(crate) fn is_strict(&self) -> bool {
        self.rules.policy.replay == RefreshReplay::None
    }

    /// The record with its version, as a read finds it.
    pub(crate) fn read(&self) -> Read {
        Some((self.record.clone()?, self.version))
    }
}

pub(crate) const fn chain_id(chain: u8) -> ChainId {
    ChainId::new([chain; 16])
}

pub(crate) const fn chain_of(record: &GrantRecord) -> u8 {
    record.chain.as_bytes()[0]
}

pub(crate) const fn version_of(version: RecordVersion) -> u8 {
    version.as_bytes()[0]
}

pub(crate) const fn to_version(version: u8) -> RecordVersion {
    RecordVersion::new([version; 16])
}

/// The bit of an access token.
pub(crate) const fn bit(chain: u8, access: u8) -> u64 {
    1 << (chain * 16 + access)
}
