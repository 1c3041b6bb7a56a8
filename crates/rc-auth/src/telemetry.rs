//! Metrics and log lines, by documented names. Labels are bounded and never name a user or a token.
//!
//! | Name | Kind | Labels |
//! |---|---|---|
//! | `oauth.client.token.requests` | counter | `grant_type`, `outcome` = ok, refused, no_answer, not_sent |
//! | `oauth.client.token.request.duration` | histogram, seconds | `grant_type` |
//! | `oauth.client.token.wait.duration` | histogram, seconds | – : how long a call waited for a token |
//! | `oauth.client.refresh.conflicts` | counter | – : another writer came first |
//! | `oauth.client.refresh.recovered` | counter | – : refreshes that succeeded after failed tries or a take-over |
//! | `oauth.client.grants.ended` | counter | `reason` |
//! | `oauth.client.revocations` | counter | `outcome` = ok, failed |

use std::time::Duration;

use metrics::{counter, histogram};
use rc_auth_core::EndReason;

/// What came of a token request.
#[derive(Clone, Copy)]
pub(crate) enum TokenOutcome {
    Ok,
    Refused,
    NoAnswer,
    NotSent,
}

pub(crate) fn token_request(grant_type: &'static str, outcome: TokenOutcome, took: Duration) {
    let outcome = match outcome {
        TokenOutcome::Ok => "ok",
        TokenOutcome::Refused => "refused",
        TokenOutcome::NoAnswer => "no_answer",
        TokenOutcome::NotSent => "not_sent",
    };
    counter!("oauth.client.token.requests", "grant_type" => grant_type, "outcome" => outcome)
        .increment(1);
    histogram!("oauth.client.token.request.duration", "grant_type" => grant_type)
        .record(took.as_secs_f64());
}

pub(crate) fn token_wait(waited: Duration) {
    histogram!("oauth.client.token.wait.duration").record(waited.as_secs_f64());
}

pub(crate) fn conflict() {
    counter!("oauth.client.refresh.conflicts").increment(1);
}

pub(crate) fn recovered() {
    counter!("oauth.client.refresh.recovered").increment(1);
}

pub(crate) fn ended(reason: EndReason) {
    counter!("oauth.client.grants.ended", "reason" => label(reason)).increment(1);
}

const fn label(reason: EndReason) -> &'static str {
    match reason {
        EndReason::TokenDead => "token_dead",
        EndReason::SignedOut => "signed_out",
        EndReason::Idle => "idle",
        EndReason::TooOld => "too_old",
        EndReason::NotRefreshable => "not_refreshable",
        EndReason::Indeterminate => "indeterminate",
        _ => "other",
    }
}

pub(crate) fn revocation(ok: bool) {
    let outcome = if ok { "ok" } else { "failed" };
    counter!("oauth.client.revocations", "outcome" => outcome).increment(1);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_end_is_counted_under_the_name_that_records_have_for_it() {
        for reason in [
            EndReason::TokenDead,
            EndReason::SignedOut,
            EndReason::Idle,
            EndReason::TooOld,
            EndReason::NotRefreshable,
            EndReason::Indeterminate,
        ] {
            let name = serde_json::to_value(reason).unwrap();
            assert_eq!(name, label(reason));
        }
    }
}
