//! Faults that people meet, by name.

use http::{
    HeaderName, HeaderValue, StatusCode,
    header::{CONTENT_TYPE, RETRY_AFTER},
};
use serde::{Deserialize, Serialize};

use super::{Fault, Replacement};

/// A fault that people meet.
///
/// Each but [`AnswerLost`](Self::AnswerLost) keeps the platform from carrying the request out.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Preset {
    /// The request is carried out and nobody hears of it.
    AnswerLost,
    /// The request never arrives.
    RequestLost,
    /// 429 CMN-301 with `Retry-After: 60`. Platform §7.
    RateLimited,
    /// 429 CMN-301 without `Retry-After`: clients have to wait at least 30 s. Platform §7.
    RateLimitedWithoutRetryAfter,
    /// 503 CMN-211: maintenance, only some APIs work. Platform §6.2.
    LimitedMode,
    /// 503 with `Retry-After: 30`. Platform §7.
    Unavailable,
    /// 500 CMN-203. Platform §6.2.
    InternalError,
    /// 502 with a page, as a proxy in between makes it.
    BadGateway,
    /// 200 with a page, as the sign-in of a public network makes it.
    CaptivePortal,
    /// 401 AGW-402, which comes under load although the token is good. Platform §6.2.
    InvalidAuthorization,
}

impl Preset {
    /// The names, as the control API has them.
    pub(crate) const NAMES: [&str; 10] = [
        "answer-lost",
        "request-lost",
        "rate-limited",
        "rate-limited-without-retry-after",
        "limited-mode",
        "unavailable",
        "internal-error",
        "bad-gateway",
        "captive-portal",
        "invalid-authorization",
    ];
}

impl From<Preset> for Fault {
    fn from(preset: Preset) -> Self {
        let html = "<!doctype html><title>Not the API</title><p>This is a page.";
        let limited = error("CMN-301", "Request rate exceeded");
        match preset {
            Preset::AnswerLost => Self::DropAfter,
            Preset::RequestLost => Self::DropBefore,
            Preset::RateLimited => replace(429, &limited, Some("60")),
            Preset::RateLimitedWithoutRetryAfter => replace(429, &limited, None),
            Preset::LimitedMode => replace(
                503,
                &error("CMN-211", "The service is in limited mode"),
                Some("30"),
            ),
            Preset::Unavailable => replace(
                503,
                r#"{"message":"Service Unavailable","error":"service_unavailable","error_description":"Service Unavailable"}"#,
                Some("30"),
            ),
            Preset::InternalError => replace(500, &error("CMN-203", "Internal server error"), None),
            Preset::BadGateway => page(StatusCode::BAD_GATEWAY, html),
            Preset::CaptivePortal => page(StatusCode::OK, html),
            Preset::InvalidAuthorization => {
                replace(401, &error("AGW-402", "Invalid Authorization header"), None)
            }
        }
    }
}

fn error(code: &str, message: &str) -> String {
    format!(
        r#"{{"errorCode":"{code}","message":"{message}","errors":[{{"errorCode":"{code}","message":"{message}"}}]}}"#
    )
}

fn replace(status: u16, body: &str, retry_after: Option<&'static str>) -> Fault {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut replacement = typed(status, body, "application/json;charset=utf-8");
    if let Some(seconds) = retry_after {
        replacement = replacement.header(RETRY_AFTER, HeaderValue::from_static(seconds));
    }
    Fault::Replace(replacement)
}

fn page(status: StatusCode, html: &str) -> Fault {
    Fault::Replace(typed(status, html, "text/html;charset=utf-8"))
}

fn typed(status: StatusCode, body: &str, content_type: &'static str) -> Replacement {
    let name: HeaderName = CONTENT_TYPE;
    Replacement::new(status, body.to_owned()).header(name, HeaderValue::from_static(content_type))
}
