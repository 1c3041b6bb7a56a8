//! The platform: routes a request to its endpoint, and lets faults happen to the answer.

pub(crate) mod clock;
mod cors;
pub(crate) mod counters;
pub(crate) mod journal;
pub(crate) mod limits;
pub(crate) mod namespaces;
pub(crate) mod route;
mod steering;

use std::{
    collections::{BTreeMap, HashMap, HashSet, VecDeque},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};

use crate::{
    config::{ClientId, Config, Registry, User, UserId},
    fault::{Answer, Delivery, Fault, Faults, Struck},
    form::Params,
    jose::{
        jti_cache::JtiCache,
        keys::SigningKeys,
        personal_jwt::{PersonalJwt, PersonalJwts},
    },
    oauth::{
        authorization_codes::Codes,
        sessions::{Session, Sessions},
    },
    platform::{
        clock::Clock,
        counters::{Counters, TokenOutcome},
        journal::{Journal, Noted},
        limits::Limiter,
        namespaces::Chosen,
        route::{Claims, Route, bearer_token},
    },
    reply,
    resources::{error::ResourceError, messages::SentMessage},
    seed::Seed,
    state::Outbox,
    timestamp::Timestamp,
    world::{Mailboxes, World},
};

/// The RingCentral platform, simulated.
///
/// Requests and the time come in, answers come out: no socket, no clock, no randomness. The same
/// configuration and the same calls give the same bytes.
pub struct Platform {
    /// The namespace this is; empty for the one that has namespaces.
    pub(crate) name: String,
    /// What it was made of.
    pub(crate) initial: Config,
    pub(crate) config: Config,
    pub(crate) registry: Registry,
    pub(crate) seed: Seed,
    pub(crate) codes: Codes,
    pub(crate) sessions: Sessions,
    /// App and user pairs that need not be asked again.
    pub(crate) consents: HashSet<(ClientId, UserId)>,
    /// How often the sessions of a user were ended by hand.
    pub(crate) passwords_changed: HashMap<UserId, u64>,
    pub(crate) limiter: Limiter,
    pub(crate) faults: Faults,
    pub(crate) counters: Counters,
    pub(crate) messages: VecDeque<SentMessage>,
    pub(crate) messages_recorded: u64,
    pub(crate) mailboxes: Mailboxes,
    /// What the company follows from.
    pub(crate) world_key: u64,
    pub(crate) keys: SigningKeys,
    pub(crate) jwts: PersonalJwts,
    /// The personal JWTs that are not as every user has one: their ids and serial numbers.
    pub(crate) made_jwts: BTreeMap<String, u32>,
    pub(crate) used_assertions: JtiCache,
    pub(crate) clock: Clock,
    pub(crate) journal: Journal,
    pub(crate) namespaces: BTreeMap<String, Self>,
    /// Whom the request at hand turned out to be of.
    pub(crate) acting: Acting,
    pub(crate) requests: u64,
    pub(crate) outbox: Outbox,
    /// Sessions of a former run whose app or user is not configured in this one.
    pub(crate) strangers: BTreeMap<u64, Session>,
}

/// Whom a request turned out to be of, for the journal.
#[derive(Default)]
pub(crate) struct Acting {
    pub(crate) client_id: Option<ClientId>,
    pub(crate) user: Option<UserId>,
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
        Self::named("", config)
    }

    /// The platform of a namespace.
    pub(crate) fn named(name: &str, config: Config) -> Self {
        let seed = match name {
            "" => Seed::new(config.seed),
            name => Seed::new(config.seed).child(name),
        };
        let world_key = World::key(&seed);
        let sessions = Sessions::new(seed.clone(), name);
        // The key set is read without saying which namespace it is for: all have the same keys.
        let keys = SigningKeys::new(&Seed::new(config.seed));
        let mut jwts = PersonalJwts::default();
        for user in &config.users {
            jwts.register(PersonalJwt::new(&seed, user.extension_id, 0));
        }
        Self {
            registry: Registry::new(&config),
            name: name.to_owned(),
            initial: config.clone(),
            config,
            seed,
            codes: Codes::default(),
            sessions,
            consents: HashSet::new(),
            passwords_changed: HashMap::new(),
            limiter: Limiter::default(),
            faults: Faults::default(),
            counters: Counters::default(),
            messages: VecDeque::new(),
            messages_recorded: 0,
            mailboxes: Mailboxes::default(),
            world_key,
            keys,
            jwts,
            made_jwts: BTreeMap::new(),
            used_assertions: JtiCache::default(),
            clock: Clock::default(),
            journal: Journal::default(),
            namespaces: BTreeMap::new(),
            acting: Acting::default(),
            requests: 0,
            outbox: Outbox::default(),
            strangers: BTreeMap::new(),
        }
    }

    /// The platform as it was made.
    pub(crate) fn anew(&self) -> Self {
        Self::named(&self.name, self.initial.clone())
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
    /// Lets the first fault happen that strikes the request. Without one the answer arrives whole at once.
    pub fn answer(&mut self, request: &Request<Bytes>, now: Timestamp) -> Answer {
        // HEAD is GET without the body (RFC 9110 section 9.3.2), which the server leaves out.
        if request.method() == Method::HEAD {
            let mut get = request.clone();
            *get.method_mut() = Method::GET;
            return self.answer(&get, now);
        }
        match self.namespace_of(request) {
            Chosen::Own => self.answer_own(request, now),
            Chosen::Named(name) => match self.namespaces.get_mut(&name) {
                Some(namespace) => namespace.answer_own(request, now),
                None => Answer::whole(ResourceError::no_such_namespace(&name).respond()),
            },
        }
    }

    fn answer_own(&mut self, request: &Request<Bytes>, now: Timestamp) -> Answer {
        let now = self.clock.time(now);
        let route = Route::of(request.method(), request.uri().path());
        if let Some(response) = cors::preflight(&self.registry, request) {
            return Answer::whole(response);
        }
        let claims = Claims::of(route, request);
        self.acting = Acting::default();
        let fault = self.striking(route, request, &claims, now);
        let fault_name = fault.as_ref().map(Fault::name);
        let mut answer = self.answer_with(fault, route, request, &claims.form, now);
        cors::expose(&self.registry, route, request, &mut answer.response);
        self.write_event(route, request, claims, fault_name, &answer.response, now);
        answer
    }

    fn striking(
        &mut self,
        route: Route,
        request: &Request<Bytes>,
        claims: &Claims<'_>,
        now: Timestamp,
    ) -> Option<Fault> {
        let target = route.fault_target().filter(|_| !self.faults.is_empty())?;
        let user = if self.faults.ask_for_login() {
            self.claimed_user(route, request)
        } else {
            None
        };
        // A call of a resource names its app by the token alone.
        let by_token = || {
            let session = self.sessions.owner_of(bearer_token(request.headers())?)?;
            Some(session.app.as_str().to_owned())
        };
        let client_id = claims.client_id.clone().or_else(by_token);
        let struck = Struck {
            target,
            request,
            grant_type: claims.grant_type.as_deref(),
            client_id: client_id.as_deref(),
            login: user.as_ref().map(|user| user.login.as_str()),
        };
        let fault = self.faults.strike(&struck, &self.seed, now)?;
        self.note_fault(route, request, &fault);
        Some(fault)
    }

    /// Whom a request is for, by its code or its token.
    fn claimed_user(&self, route: Route, request: &Request<Bytes>) -> Option<Arc<User>> {
        let form = Params::parse(request.body());
        let id = match route {
            Route::Token => {
                let code = form.first("code").and_then(|code| self.codes.owner(code));
                let token = form.first("refresh_token");
                code.or_else(|| Some(self.sessions.owner_of(token?)?.user))
                    .or_else(|| self.jwt_user(form.first("assertion")?))
            }
            Route::Revoke => Some(self.sessions.owner_of(form.first("token")?)?.user),
            _ => {
                let token = bearer_token(request.headers())?;
                Some(self.sessions.owner_of(token)?.user)
            }
        };
        self.registry.user(id?).cloned()
    }

    fn answer_with(
        &mut self,
        fault: Option<Fault>,
        route: Route,
        request: &Request<Bytes>,
        form: &Params<'_>,
        now: Timestamp,
    ) -> Answer {
        let arrival = Arrival::at(now);
        let Some(fault) = fault else {
            return Answer::whole(self.process(route, request, form, arrival));
        };
        match fault {
            Fault::DropBefore => Answer {
                delivery: Delivery::DropBefore,
                ..Answer::whole(reply::empty(StatusCode::SERVICE_UNAVAILABLE))
            },
            Fault::DropAfter => Answer {
                delivery: Delivery::DropAfter,
                ..Answer::whole(self.process(route, request, form, arrival))
            },
            Fault::Delay(delay) => Answer {
                delay,
                ..Answer::whole(self.process(route, request, form, arrival.answered_late(delay)))
            },
            Fault::Truncate(bytes) => Answer {
                delivery: Delivery::Truncate(bytes),
                ..Answer::whole(self.process(route, request, form, arrival))
            },
            Fault::Replace(replacement) => {
                if replacement.carried_out {
                    self.process(route, request, form, arrival);
                }
                Answer::whole(replacement.into_response(self.clock.told(now)))
            }
        }
    }

    fn write_event(
        &mut self,
        route: Route,
        request: &Request<Bytes>,
        claims: Claims<'_>,
        fault: Option<&'static str>,
        response: &Response<Bytes>,
        now: Timestamp,
    ) {
        let (status, code) = journal::outcome(response);
        let named = claims.client_id.as_deref().and_then(|client_id| {
            let app = self.registry.app(client_id)?;
            Some(app.id().clone())
        });
        self.journal.write(Noted {
            at: now,
            kind: route.event_kind(),
            method: request.method().clone(),
            path: start_of(request.uri().path(), 256),
            grant_type: claims
                .grant_type
                .map(|grant_type| start_of(&grant_type, 64)),
            client_id: self.acting.client_id.take().or(named),
            user: self.acting.user,
            status,
            code,
            fault,
            request_id: response.headers().get("rcrequestid").cloned(),
        });
    }

    fn process(
        &mut self,
        route: Route,
        request: &Request<Bytes>,
        form: &Params<'_>,
        arrival: Arrival,
    ) -> Response<Bytes> {
        let now = arrival.now;
        let mut response = match route {
            Route::Authorize => self.authorize(request, now),
            Route::SignIn => self.sign_in_page(request, now),
            Route::Consent => self.consent_page(request, now),
            Route::Stylesheet => Self::stylesheet(),
            Route::Token => self.token(request, form, arrival),
            Route::Revoke => self.revoke(request, form, now),
            Route::Resource => self.resource(request, now),
            Route::Discovery => self.document(request, now),
            Route::UserInfo => self.user_info(request, now),
            Route::Nothing => ResourceError::no_such_resource().respond(),
        };
        self.stamp(&mut response, now);
        response
    }

    /// Platform §7: every answer has an id to quote to support, and a routing key.
    fn stamp(&mut self, response: &mut Response<Bytes>, now: Timestamp) {
        self.requests += 1;
        let parts: [&[u8]; 2] = [&self.requests.to_be_bytes(), &now.millis().to_be_bytes()];
        let [bytes @ .., _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _] =
            self.seed.bytes("request id", &parts);
        let id = format!("{:032x}", u128::from_be_bytes(bytes));
        reply::header(response, "rcrequestid", &id);
        reply::header(response, "routingkey", "SIM01P01");
        reply::header(response, "content-language", "en-US");
        reply::header(response, "date", &self.clock.told(now).http_date());
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
            | Route::Discovery
            | Route::UserInfo
            | Route::Nothing => {}
        }
    }
}

/// As much of `text` as the journal keeps.
fn start_of(text: &str, most: usize) -> String {
    if text.len() <= most {
        return text.to_owned();
    }
    match text.char_indices().nth(most) {
        Some((end, _)) => text[..end].to_owned(),
        _ => text.to_owned(),
    }
}
