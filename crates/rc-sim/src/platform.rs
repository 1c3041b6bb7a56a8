//! The platform: routes a request to its endpoint, and lets faults happen to the answer.

use std::{
    collections::{HashSet, VecDeque},
    fmt,
    time::Duration,
};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};

use crate::{
    codes::Codes,
    config::{ClientId, Config, Registry, UserId},
    counters::{Counters, TokenOutcome},
    fault::{Answer, Delivery, Fault, Faults, Target},
    form::Params,
    limits::Limiter,
    messages::SentMessage,
    pages, reply,
    resource_error::ResourceError,
    seed::Seed,
    sessions::{Ending, Sessions},
    timestamp::Timestamp,
    world::{Mailboxes, World},
};

/// The RingCentral platform, simulated.
///
/// Requests and the time come in, answers come out: no socket, no clock, no randomness. The same
/// configuration and the same calls give the same bytes.
pub struct Platform {
    pub(crate) config: Config,
    pub(crate) registry: Registry,
    pub(crate) seed: Seed,
    pub(crate) codes: Codes,
    pub(crate) sessions: Sessions,
    /// App and user pairs that need not be asked again.
    pub(crate) consents: HashSet<(ClientId, UserId)>,
    pub(crate) limiter: Limiter,
    pub(crate) faults: Faults,
    pub(crate) counters: Counters,
    pub(crate) messages: VecDeque<SentMessage>,
    pub(crate) messages_recorded: u64,
    pub(crate) mailboxes: Mailboxes,
    /// What the company follows from.
    pub(crate) world_key: u64,
    requests: u64,
    /// How far the platform's clock is ahead of its callers'.
    ahead: Duration,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Route {
    Authorize,
    SignIn,
    Consent,
    Stylesheet,
    Token,
    Revoke,
    Resource,
    Nothing,
}

impl Route {
    fn of(method: &Method, path: &str) -> Self {
        match (method.as_str(), path) {
            ("GET" | "POST", "/restapi/oauth/authorize") => Self::Authorize,
            ("GET" | "POST", pages::SIGN_IN_PATH) => Self::SignIn,
            ("POST", pages::CONSENT_PATH) => Self::Consent,
            // A consent page that is opened by its address starts at the sign-in.
            ("GET", pages::CONSENT_PATH) => Self::SignIn,
            ("GET", pages::STYLESHEET_PATH) => Self::Stylesheet,
            ("POST", "/restapi/oauth/token") => Self::Token,
            ("POST", "/restapi/oauth/revoke") => Self::Revoke,
            (_, path) if path.starts_with("/restapi/oauth/") => Self::Nothing,
            (_, path) if path == "/restapi" || path.starts_with("/restapi/") => Self::Resource,
            _ => Self::Nothing,
        }
    }

    fn fault_target(self) -> Option<Target> {
        match self {
            Self::Token => Some(Target::Token),
            Self::Revoke => Some(Target::Revoke),
            Self::Resource => Some(Target::Api),
            Self::Authorize | Self::SignIn | Self::Consent | Self::Stylesheet | Self::Nothing => {
                None
            }
        }
    }
}

/// When a request arrives, and how much later than that its answer leaves.
#[derive(Clone, Copy)]
pub(crate) struct Arrival {
    pub(crate) now: Timestamp,
    pub(crate) answer_delay: Duration,
}

impl Arrival {
    fn at(now: Timestamp) -> Self {
        Self {
            now,
            answer_delay: Duration::ZERO,
        }
    }

    fn answered_late(self, answer_delay: Duration) -> Self {
        Self {
            answer_delay,
            ..self
        }
    }
}

impl Platform {
    /// A platform nobody has signed in to.
    #[must_use]
    pub fn new(config: Config) -> Self {
        let seed = Seed::new(config.seed);
        let world_key = World::key(&seed);
        let sessions = Sessions::new(seed.clone(), "");
        Self {
            registry: Registry::new(&config),
            config,
            seed,
            codes: Codes::default(),
            sessions,
            consents: HashSet::new(),
            limiter: Limiter::default(),
            faults: Faults::default(),
            counters: Counters::default(),
            messages: VecDeque::new(),
            messages_recorded: 0,
            mailboxes: Mailboxes::default(),
            world_key,
            requests: 0,
            ahead: Duration::ZERO,
        }
    }

    /// What the platform is made of.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Answers one request at `now`, leaving out what a fault would do to the answer on its way.
    ///
    /// Use [`answer`](Self::answer) to see lost, late and cut answers.
    pub fn respond(&mut self, request: &Request<Bytes>, now: Timestamp) -> Response<Bytes> {
        self.answer(request, now).response
    }

    /// Answers one request at `now`, and says how the answer travels.
    ///
    /// Takes the next queued fault of the request's kind. Without one the answer arrives whole at once.
    pub fn answer(&mut self, request: &Request<Bytes>, now: Timestamp) -> Answer {
        let now = self.clock(now);
        let route = Route::of(request.method(), request.uri().path());
        let fault = route
            .fault_target()
            .and_then(|target| self.faults.next(target));
        let arrival = Arrival::at(now);
        let Some(fault) = fault else {
            return Answer::whole(self.process(route, request, arrival));
        };
        self.note_fault(route, request, &fault);
        match fault {
            Fault::DropBefore => Answer {
                delivery: Delivery::DropBefore,
                ..Answer::whole(reply::empty(StatusCode::SERVICE_UNAVAILABLE))
            },
            Fault::DropAfter => Answer {
                delivery: Delivery::DropAfter,
                ..Answer::whole(self.process(route, request, arrival))
            },
            Fault::Delay(delay) => Answer {
                delay,
                ..Answer::whole(self.process(route, request, arrival.answered_late(delay)))
            },
            Fault::Truncate(bytes) => Answer {
                delivery: Delivery::Truncate(bytes),
                ..Answer::whole(self.process(route, request, arrival))
            },
            Fault::Replace(replacement) => {
                if replacement.carried_out {
                    self.process(route, request, arrival);
                }
                Answer::whole(replacement.into_response(now))
            }
        }
    }

    fn process(
        &mut self,
        route: Route,
        request: &Request<Bytes>,
        arrival: Arrival,
    ) -> Response<Bytes> {
        let now = arrival.now;
        let mut response = match route {
            Route::Authorize => self.authorize(request, now),
            Route::SignIn => self.sign_in_page(request, now),
            Route::Consent => self.consent_page(request, now),
            Route::Stylesheet => Self::stylesheet(),
            Route::Token => self.token(request, arrival),
            Route::Revoke => self.revoke(request, now),
            Route::Resource => self.resource(request, now),
            Route::Nothing => ResourceError::no_such_resource().respond(),
        };
        self.stamp(&mut response, now);
        response
    }

    /// Platform: every answer has an id to quote to support, and a routing key.
    fn stamp(&mut self, response: &mut Response<Bytes>, now: Timestamp) {
        self.requests += 1;
        let parts: [&[u8]; 2] = [&self.requests.to_be_bytes(), &now.millis().to_be_bytes()];
        let id: String = self
            .seed
            .bytes("request id", &parts)
            .iter()
            .take(16)
            .map(|b| format!("{b:02x}"))
            .collect();
        reply::header(response, "rcrequestid", &id);
        reply::header(response, "routingkey", "SIM01P01");
        reply::header(response, "content-language", "en-US");
        reply::header(response, "date", &now.http_date());
    }

    fn note_fault(&mut self, route: Route, request: &Request<Bytes>, fault: &Fault) {
        let skipped = match fault {
            Fault::DropBefore => true,
            Fault::Replace(replacement) => !replacement.carried_out,
            Fault::DropAfter | Fault::Delay(_) | Fault::Truncate(_) => false,
        };
        match route {
            Route::Token => {
                let params = Params::parse(request.body());
                let counters = self.counters.token(params.first("grant_type"));
                counters.faults += 1;
                if skipped {
                    counters.note(TokenOutcome::NotCarriedOut);
                }
            }
            Route::Resource => {
                self.counters.api.faults += 1;
                if skipped {
                    self.counters.api.received += 1;
                    self.counters.api.not_carried_out += 1;
                }
            }
            Route::Revoke => self.counters.revocations += u64::from(skipped),
            Route::Authorize
            | Route::SignIn
            | Route::Consent
            | Route::Stylesheet
            | Route::Nothing => {}
        }
    }

    /// The platform's own time when its callers' is `now`.
    #[must_use]
    pub fn clock(&self, now: Timestamp) -> Timestamp {
        now.plus(self.ahead)
    }

    /// Sets the platform's clock ahead of its callers' by `by` more.
    pub fn advance(&mut self, by: Duration) {
        self.ahead = self.ahead.saturating_add(by);
    }

    /// Lets `fault` happen to the next `times` requests of `target`, after the faults that wait already.
    pub fn queue_fault(&mut self, target: Target, fault: Fault, times: u32) {
        self.faults.queue(target, fault, times);
    }

    /// Forgets the faults that wait.
    pub fn clear_faults(&mut self) {
        self.faults.clear();
    }

    /// Switches all request limits on or off.
    pub fn enable_limits(&mut self, enabled: bool) {
        self.config.switches.limits.enabled = enabled;
    }

    /// Lets every access token expire at `now`; returns how many were valid.
    pub fn expire_access_tokens(&mut self, now: Timestamp) -> usize {
        let now = self.clock(now);
        self.sessions.expire_access(now)
    }

    /// Ends the OAuth session that a token, access or refresh, belongs to. Returns whether there was one.
    pub fn end_session(&mut self, token: &str) -> bool {
        let number = self
            .sessions
            .owner_of(token)
            .map(|session| session.number());
        number.is_some_and(|number| self.sessions.end(number, Ending::Revoked))
    }

    /// Ends every OAuth session of the user with this login, as a changed password does; returns how many.
    pub fn end_user_sessions(&mut self, login: &str) -> usize {
        let user = self.registry.login(login).map(|user| user.id());
        user.map_or(0, |user| self.sessions.end_user(user))
    }

    /// Ends every OAuth session; returns how many.
    pub fn end_all_sessions(&mut self) -> usize {
        self.sessions.end_all()
    }

    /// What the platform has seen so far.
    #[must_use]
    pub fn counters(&self, now: Timestamp) -> Counters {
        Counters {
            live_sessions: self
                .sessions
                .alive(self.config.switches.session_limits, self.clock(now))
                as u64,
            sessions_ended: self.sessions.ended(),
            ..self.counters.clone()
        }
    }

    /// The recorded text messages, oldest first; at most the last 1,000.
    pub fn messages(&self) -> impl Iterator<Item = &SentMessage> {
        self.messages.iter()
    }
}

/// Tells how busy the platform is, and no secret.
impl fmt::Debug for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Platform")
            .field("config", &self.config)
            .field("requests", &self.requests)
            .field("ahead", &self.ahead)
            .finish_non_exhaustive()
    }
}
