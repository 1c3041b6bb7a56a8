//! Error answers: status, headers, and the platform's three body shapes.

use std::{fmt, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode, header};
use serde_json::value::RawValue;

use crate::{Endpoint, Verdict, members::Members, verdict};

/// The `error` of an OAuth answer, known to be harmless to print.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct ErrorWord(String);

impl ErrorWord {
    const UNKNOWN: &'static str = "unknown";
    /// The longest word of the RFCs and of the platform is `request_uri_not_supported`, 25 characters.
    const MAX: usize = 32;

    /// Keeps a short word of lower-case letters and underscores; anything else could be an echo of a
    /// secret and becomes `unknown`.
    pub(crate) fn new(text: &str) -> Self {
        let harmless = !text.is_empty()
            && text.len() <= Self::MAX
            && text
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte == b'_');
        Self(if harmless { text } else { Self::UNKNOWN }.to_owned())
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// A code of the platform such as `OAU-213` or a category such as `TokenInvalid`.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct ErrorCode(String);

impl ErrorCode {
    /// Keeps text that has the form of a code: three capital letters, a dash, up to four digits; or a
    /// category of up to 32 letters.
    fn new(text: &str) -> Option<Self> {
        let numbered = text.split_once('-').is_some_and(|(family, number)| {
            family.len() == 3
                && family.bytes().all(|byte| byte.is_ascii_uppercase())
                && (1..=4).contains(&number.len())
                && number.bytes().all(|byte| byte.is_ascii_digit())
        });
        let category =
            (1..=32).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphabetic());
        (numbered || category).then(|| Self(text.to_owned()))
    }

    /// The code as the platform writes it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An answer that is an error, reduced to what can be acted on and printed.
///
/// Free text of the server is kept apart in [`message`](Self::message) and printed by nothing here:
/// descriptions are localised, change, and have been seen to repeat what was sent.
///
/// ```
/// use bytes::Bytes;
/// use rc_auth_core::{Endpoint, Refusal, Verdict};
///
/// let body = r#"{"errorCode":"CMN-408","message":"In order to call this API endpoint..."}"#;
/// let answer = http::Response::builder().status(403).header("content-type", "application/json");
/// let refusal = Refusal::from_response(&answer.body(Bytes::from_static(body.as_bytes())).unwrap());
/// assert_eq!(refusal.code().map(|code| code.as_str()), Some("CMN-408"));
/// assert_eq!(refusal.verdict(Endpoint::Resource), Verdict::Permission);
/// ```
#[derive(Clone, Eq, PartialEq)]
#[non_exhaustive]
pub struct Refusal {
    status: StatusCode,
    is_json: bool,
    error: Option<ErrorWord>,
    codes: Vec<ErrorCode>,
    retry_after: Option<Duration>,
    request_id: Option<String>,
    message: Option<String>,
}

impl Refusal {
    /// The longest `Retry-After` that is believed: 24 hours, because a platform that is down for hours says
    /// so, and each request before its time starts the wait anew. A longer one would let one odd answer
    /// end a sign-in by waiting.
    pub const MAX_RETRY_AFTER: Duration = Duration::from_secs(24 * 60 * 60);

    /// Reads an answer whose status is not a success.
    #[must_use]
    pub fn from_response(response: &Response<Bytes>) -> Self {
        // What is no UTF-8 costs only the text it stands in.
        let body = String::from_utf8_lossy(response.body());
        let body = Members::parse(&body);
        let headers = response.headers();
        let text = |name: &str| body.as_ref().and_then(|body| body.get::<String>(name));
        Self {
            status: response.status(),
            is_json: body.is_some(),
            error: text("error")
                .map(|word| ErrorWord::new(&word))
                .or_else(|| challenge_error(headers)),
            codes: body.as_ref().map(codes).unwrap_or_default(),
            retry_after: retry_after(headers),
            request_id: request_id(headers),
            message: text("message")
                .or_else(|| text("error_description"))
                .map(|message| printable(&message)),
        }
    }

    /// The status.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        self.status
    }

    /// Whether the body is a JSON object. HTML comes from something in between, not from the platform.
    #[must_use]
    pub const fn is_json(&self) -> bool {
        self.is_json
    }

    /// The OAuth error (RFC 6749 section 5.2), or that of the bearer challenge (RFC 6750 section 3).
    #[must_use]
    pub fn error(&self) -> Option<&str> {
        self.error.as_ref().map(ErrorWord::as_str)
    }

    /// The platform's codes: those inside `errors` first, then the one at the top.
    #[must_use]
    pub fn codes(&self) -> &[ErrorCode] {
        &self.codes
    }

    /// The first numbered code, or else the first category.
    #[must_use]
    pub fn code(&self) -> Option<&ErrorCode> {
        self.codes
            .iter()
            .find(|code| code.as_str().contains('-'))
            .or_else(|| self.codes.first())
    }

    /// `Retry-After`, if it is there and a number of seconds; at most [`MAX_RETRY_AFTER`](Self::MAX_RETRY_AFTER).
    #[must_use]
    pub const fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    /// `RCRequestId`, which RingCentral's support asks for.
    #[must_use]
    pub fn request_id(&self) -> Option<&str> {
        self.request_id.as_deref()
    }

    /// What the server says, without control characters and cut to 300 characters. It may repeat what
    /// was sent: remove the secrets of the request before printing it.
    #[must_use]
    pub fn message(&self) -> Option<&str> {
        self.message.as_deref()
    }

    /// The same without the message if it repeats `secret`.
    #[must_use]
    pub fn without_echo_of(mut self, secret: &str) -> Self {
        if self
            .message
            .as_ref()
            .is_some_and(|message| message.contains(secret))
        {
            self.message = None;
        }
        self
    }

    /// What to do about it.
    #[must_use]
    pub fn verdict(&self, endpoint: Endpoint) -> Verdict {
        verdict::judge(self, endpoint)
    }

    /// Whether this answer to a refresh says that the refresh token is dead for good: one of the
    /// token-dead codes, or a bare `invalid_grant` in JSON, with a 4xx status that is no 429.
    #[must_use]
    pub fn ends_grant(&self) -> bool {
        verdict::ends_grant(self)
    }
}

impl fmt::Debug for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Refusal({self})")
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "status {}", self.status.as_u16())?;
        if let Some(error) = self.error() {
            write!(f, ", {error}")?;
        }
        if let Some(code) = self.code() {
            write!(f, ", {code}")?;
            if let Some(meaning) = verdict::meaning(code.as_str()) {
                write!(f, " ({meaning})")?;
            }
        }
        if let Some(request_id) = self.request_id() {
            write!(f, ", RCRequestId {request_id}")?;
        }
        Ok(())
    }
}

fn codes(body: &Members<'_>) -> Vec<ErrorCode> {
    let inner: Vec<&RawValue> = body.get("errors").unwrap_or_default();
    let inner = inner.into_iter().take(8);
    let inner = inner.filter_map(|error| Members::parse(error.get())?.get("errorCode"));
    let mut codes: Vec<ErrorCode> = Vec::new();
    for code in inner
        .chain(body.get::<String>("errorCode"))
        .filter_map(|code| ErrorCode::new(&code))
    {
        if !codes.contains(&code) {
            codes.push(code);
        }
    }
    codes
}

/// `error="invalid_token"` of `WWW-Authenticate: Bearer …` (RFC 6750 section 3).
fn challenge_error(headers: &HeaderMap) -> Option<ErrorWord> {
    headers
        .get_all(header::WWW_AUTHENTICATE)
        .iter()
        .filter_map(|challenge| challenge.to_str().ok())
        .find_map(error_parameter)
}

/// The parameter `error` of a challenge (RFC 9110 section 11.2); what is inside quotes is no parameter.
fn error_parameter(challenge: &str) -> Option<ErrorWord> {
    let mut quoted = false;
    challenge
        .split(|char| {
            quoted ^= char == '"';
            !quoted && (char == ',' || char == ' ')
        })
        .filter_map(|part| part.split_once('='))
        .find(|(name, _)| name.eq_ignore_ascii_case("error"))
        .map(|(_, word)| ErrorWord::new(word.trim_matches('"')))
}

/// `Retry-After` in seconds, at most [`Refusal::MAX_RETRY_AFTER`]; a date says nothing to a crate
/// without a clock.
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let digits = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    // More digits than fit are more seconds than are believed.
    let seconds = digits.parse().unwrap_or(u64::MAX);
    is_number.then(|| Duration::from_secs(seconds).min(Refusal::MAX_RETRY_AFTER))
}

fn request_id(headers: &HeaderMap) -> Option<String> {
    let id = headers.get("RCRequestId")?.to_str().ok()?;
    let harmless = id.len() <= 64
        && id
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    harmless.then(|| id.to_owned())
}

fn printable(text: &str) -> String {
    text.chars()
        .filter(|char| !char.is_control())
        .take(300)
        .collect()
}
