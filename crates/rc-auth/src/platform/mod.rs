//! The platform: the app that is registered there, and everything that is sent to its OAuth endpoints.

mod api_gate;
mod time;

use std::{
    sync::{Arc, Mutex, atomic::AtomicU64},
    time::Duration,
};

use bytes::Bytes;
use http::Request;
use rc_auth_core::{AuthBudget, AuthGate, AuthLane, Endpoint, OAuthApp, Refusal, Reply, Verdict};
use rc_http::{Delivery, HttpClient, Incoming, Outgoing, TransportError};

use self::{api_gate::SharedApiGate, time::PlatformTime};
use crate::{
    environment::Environment,
    error::ErrorChain,
    tasks::{guarded, lock},
    telemetry::{self, TokenOutcome},
};

/// A token answer is some thousand bytes; what is read here has to fit into a record of 64 KiB.
const MAX_TOKEN_ANSWER: usize = 32 * 1024;

/// The registered app, the way to the platform, and what the platform has said of limits and of the time.
#[derive(Debug)]
pub(crate) struct Platform {
    pub(crate) app: Arc<OAuthApp>,
    /// Sends calls of the API, on their callers' runtimes.
    pub(crate) http: Arc<dyn HttpClient>,
    /// Sends requests to the OAuth endpoints, in this client's tasks only: no connection of it belongs to
    /// a runtime that may end in the middle of an exchange.
    oauth_http: Arc<dyn HttpClient>,
    /// In front of the OAuth endpoints.
    pub(crate) auth_gate: Mutex<AuthGate>,
    pub(crate) api_gate: SharedApiGate,
    environment: Arc<dyn Environment>,
    time: Mutex<PlatformTime>,
    /// From when on (monotonic, in seconds) a call's answer is looked at for the time.
    learn_time_at: AtomicU64,
}

impl Platform {
    pub(crate) fn new(
        app: Arc<OAuthApp>,
        budget: AuthBudget,
        http: Arc<dyn HttpClient>,
        oauth_http: Arc<dyn HttpClient>,
        environment: Arc<dyn Environment>,
    ) -> Self {
        Self {
            app,
            http,
            oauth_http,
            auth_gate: Mutex::new(AuthGate::new(budget)),
            api_gate: SharedApiGate::default(),
            environment,
            time: Mutex::default(),
            learn_time_at: AtomicU64::new(0),
        }
    }

    /// Sends a request to the token endpoint, once.
    pub(crate) async fn send_token_request(
        &self,
        lane: AuthLane,
        grant_type: &'static str,
        request: Request<Bytes>,
        timeout: Duration,
    ) -> Reply {
        let began = self.environment.now().mono;
        let sent = guarded(self.send_to_auth(lane, request, timeout)).await;
        let took = self.environment.now().mono.saturating_sub(began);
        let (outcome, reply) = match sent {
            Err(_) => {
                tracing::error!(grant_type, "the transport panicked during a token request");
                (TokenOutcome::NoAnswer, Reply::MaybeSent)
            }
            Ok(Ok(incoming)) => {
                let ok = incoming.status.is_success();
                let outcome = if ok {
                    TokenOutcome::Ok
                } else {
                    TokenOutcome::Refused
                };
                (outcome, Reply::Response(response(incoming)))
            }
            Ok(Err(error)) => {
                tracing::warn!(grant_type, error = %ErrorChain(&error), "a token request got no answer");
                match error.delivery() {
                    Delivery::NotSent => (TokenOutcome::NotSent, Reply::NotSent),
                    Delivery::MaybeSent => (TokenOutcome::NoAnswer, Reply::MaybeSent),
                }
            }
        };
        telemetry::token_request(grant_type, outcome, took);
        reply
    }

    pub(crate) async fn send_to_auth(
        &self,
        lane: AuthLane,
        request: Request<Bytes>,
        timeout: Duration,
    ) -> Result<Incoming, TransportError> {
        let outgoing = Outgoing::new(request)
            .deadline(timeout)
            .max_body(MAX_TOKEN_ANSWER);
        let incoming = self.oauth_http.send(outgoing).await?;
        let now = self.environment.now().mono;
        self.learn_time(&incoming.headers);
        if is_rate_limit(&incoming) {
            lock(&self.auth_gate).observe(lane, incoming.status, &incoming.headers, now);
        }
        Ok(incoming)
    }
}

pub(crate) fn response(incoming: Incoming) -> http::Response<Bytes> {
    let mut response = http::Response::new(incoming.body);
    *response.status_mut() = incoming.status;
    *response.headers_mut() = incoming.headers;
    response
}

/// Whether an answer says that a limit is used up. A 429 may also say that the same request is being
/// carried out already, which is nothing to the others.
fn is_rate_limit(incoming: &Incoming) -> bool {
    if incoming.status != http::StatusCode::TOO_MANY_REQUESTS {
        return false;
    }
    let mut answer = http::Response::new(incoming.body.clone());
    *answer.status_mut() = incoming.status;
    let verdict = Refusal::from_response(&answer).verdict(Endpoint::Token);
    matches!(verdict, Verdict::Wait { .. })
}
