//! OAuth sessions.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{Call, Refusal, bad_request};
use crate::platform::Platform;

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Which {
    login: Option<String>,
    token: Option<String>,
    session_id: Option<String>,
}

pub(super) fn expire(platform: &mut Platform, call: &Call<'_>) -> Result<Value, Refusal> {
    call.reads_nothing()?;
    Ok(json!({ "expired": platform.expire_access_tokens(call.now) }))
}

pub(super) fn list(platform: &mut Platform, call: &Call<'_>) -> Result<Value, Refusal> {
    call.reads_nothing()?;
    let limits = platform.switches().session_limits;
    let now = platform.clock(call.now);
    let sessions = platform.sessions.living(limits, now);
    let shown: Vec<Value> = sessions
        .into_iter()
        .map(|session| {
            let user = platform.registry.user(session.user);
            json!({
                "session_id": session.session_id,
                "endpoint_id": session.endpoint_id,
                "client_id": session.app.as_str(),
                "login": user.map(|user| user.login.as_str()),
                "scope": session.scope(),
                "started_at": session.started_at().to_string(),
                "refreshes": session.refreshes(),
            })
        })
        .collect();
    Ok(json!({ "sessions": shown }))
}

pub(super) fn end(platform: &mut Platform, call: &Call<'_>) -> Result<Value, Refusal> {
    let which: Which = call.read_or_default()?;
    let ended = match which {
        Which {
            login: None,
            token: None,
            session_id: None,
        } => platform.end_all_sessions(),
        Which {
            login: Some(login),
            token: None,
            session_id: None,
        } => platform.end_user_sessions(&login),
        Which {
            login: None,
            token: Some(token),
            session_id: None,
        } => usize::from(platform.end_session(&token)),
        Which {
            login: None,
            token: None,
            session_id: Some(id),
        } => usize::from(platform.sessions.end_named(&id)),
        _ => return Err(bad_request("name one of login, token and session_id")),
    };
    Ok(json!({ "ended": ended }))
}
