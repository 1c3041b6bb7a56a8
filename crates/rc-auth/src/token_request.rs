//! Token requests of sign-ins: one at a time through the gate, and what their answers mean.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::Request;
use rc_auth_core::{
    AuthLane, AuthRequest, Endpoint, RateGate, Refusal, Reply, Secret, Timestamp, TokenError,
    TokenSet, Trouble, Verdict,
};

use crate::{
    GrantKey, SignInError,
    saving::save_grant,
    shared::{Shared, lock},
    sign_in::Finished,
};

/// How long a sign-in may wait for the rate gate. A browser waits at the other end.
const GATE_PATIENCE: Duration = Duration::from_secs(5);

/// Exchanges a personal JWT and saves what comes of it, in a task of its own.
pub(crate) async fn with_jwt(
    shared: &Arc<Shared>,
    key: GrantKey,
    personal_jwt: Secret,
) -> Finished {
    const JWT: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
    let request = rc_auth_core::jwt_request(&shared.app, &personal_jwt);
    let work = {
        let shared = shared.clone();
        async move {
            let tokens = token_request(&shared, JWT, request).await?;
            save_grant(&shared, &key, tokens).await.map(|_| key)
        }
    };
    let finished = shared.tasks.run("sign-in", work).await;
    finished.unwrap_or_else(|_| Err(unavailable(Trouble::NoAnswer, None)))
}

pub(crate) async fn token_request(
    shared: &Shared,
    grant_type: &'static str,
    request: Request<Bytes>,
) -> Result<TokenSet, SignInError> {
    pass_gate(shared).await?;
    match shared
        .send_token_request(
            AuthLane::SignIn,
            grant_type,
            request,
            shared.policy.request_timeout,
        )
        .await
    {
        Reply::NotSent => Err(unavailable(Trouble::Unreachable, None)),
        Reply::MaybeSent => Err(unavailable(Trouble::NoAnswer, None)),
        Reply::Response(response) => {
            match TokenSet::from_response(&response, shared.environment.wall()) {
                // A sign-in without an access token is none, whatever else is in the answer.
                Ok(tokens) if tokens.access_token.is_some() => Ok(tokens),
                Ok(_) | Err(TokenError::Unreadable { .. }) => {
                    Err(unavailable(Trouble::Unreadable, None))
                }
                Err(TokenError::Refused(refusal)) => Err(refused(shared, refusal)),
                Err(_) => Err(unavailable(Trouble::Unreadable, None)),
            }
        }
    }
}

async fn pass_gate(shared: &Shared) -> Result<(), SignInError> {
    let began = shared.now().mono;
    loop {
        let now = shared.now();
        let Err(until) = lock(&shared.gate).take_token_request(AuthRequest::SignIn, now.mono)
        else {
            return Ok(());
        };
        if until > began + GATE_PATIENCE {
            let retry_at = now.wall.saturating_add(until.saturating_sub(now.mono));
            return Err(unavailable(Trouble::RateLimited, Some(retry_at)));
        }
        shared.environment.sleep_until(until).await;
    }
}

fn refused(shared: &Shared, refusal: Refusal) -> SignInError {
    let verdict = refusal.verdict(Endpoint::Token);
    let after = |delay| Some(shared.environment.wall().saturating_add(delay));
    match verdict {
        Verdict::SignInAgain => SignInError::CodeRefused(refusal),
        Verdict::FixApp | Verdict::Bug | Verdict::RefreshAndRetry => {
            SignInError::AppRefused(refusal)
        }
        Verdict::Permission => SignInError::NotPermitted(refusal),
        Verdict::Wait { retry_after } => {
            let delay = retry_after.unwrap_or(RateGate::DEFAULT_PENALTY);
            unavailable(
                Trouble::Refused {
                    refusal: Box::new(refusal),
                    verdict,
                },
                after(delay),
            )
        }
        Verdict::BackOff { retry_after } => unavailable(
            Trouble::Refused {
                refusal: Box::new(refusal),
                verdict,
            },
            retry_after.and_then(after),
        ),
    }
}

pub(crate) fn unavailable(trouble: Trouble, retry_at: Option<Timestamp>) -> SignInError {
    SignInError::Unavailable { trouble, retry_at }
}
