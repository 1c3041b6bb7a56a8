//! Token requests of sign-ins: one at a time through the gate, and what their answers mean.

use std::time::Duration;

use bytes::Bytes;
use http::Request;
use rc_auth_core::{
    AuthLane, AuthRequest, DEFAULT_PENALTY, Endpoint, Refusal, Reply, Timestamp, TokenError,
    TokenSet, Trouble, Verdict,
};

use crate::{error::SignInError, state::ClientState, tasks::lock};

/// How long a sign-in may wait for the rate gate. A browser waits at the other end.
const GATE_PATIENCE: Duration = Duration::from_secs(5);

pub(crate) async fn token_request(
    client: &ClientState,
    grant_type: &'static str,
    request: Request<Bytes>,
) -> Result<TokenSet, SignInError> {
    pass_gate(client).await?;
    match client
        .platform
        .send_token_request(
            AuthLane::SignIn,
            grant_type,
            request,
            client.policy.request_timeout,
        )
        .await
    {
        Reply::NotSent => Err(unavailable(Trouble::Unreachable, None)),
        Reply::MaybeSent => Err(unavailable(Trouble::NoAnswer, None)),
        Reply::Response(response) => {
            match TokenSet::from_response(&response, client.environment.wall()) {
                // A sign-in without an access token is none, whatever else is in the answer.
                Ok(tokens) if tokens.access_token.is_some() => Ok(tokens),
                Ok(_) | Err(TokenError::Unreadable { .. }) => {
                    Err(unavailable(Trouble::Unreadable, None))
                }
                Err(TokenError::Refused(refusal)) => Err(refused(client, refusal)),
                Err(_) => Err(unavailable(Trouble::Unreadable, None)),
            }
        }
    }
}

async fn pass_gate(client: &ClientState) -> Result<(), SignInError> {
    let began = client.now().mono;
    loop {
        let now = client.now();
        let Err(until) = lock(&client.platform.auth_gate).take(AuthRequest::SignIn, now.mono)
        else {
            return Ok(());
        };
        if until > began + GATE_PATIENCE {
            let retry_at = now.wall.saturating_add(until.saturating_sub(now.mono));
            return Err(unavailable(Trouble::RateLimited, Some(retry_at)));
        }
        client.environment.sleep_until(until).await;
    }
}

fn refused(client: &ClientState, refusal: Refusal) -> SignInError {
    let verdict = refusal.verdict(Endpoint::Token);
    let after = |delay| Some(client.environment.wall().saturating_add(delay));
    match verdict {
        Verdict::SignInAgain => SignInError::CodeRefused(refusal),
        Verdict::FixApp | Verdict::Bug | Verdict::RefreshAndRetry => {
            SignInError::AppRefused(refusal)
        }
        Verdict::Permission => SignInError::NotPermitted(refusal),
        Verdict::Wait { retry_after } => {
            let delay = retry_after.unwrap_or(DEFAULT_PENALTY);
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
