//! A call, as it is put together.

use std::{
    fmt::{self, Display},
    time::Duration,
};

use bytes::Bytes;
use futures_core::Stream;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use rc_http::{BoxError, OutgoingBody};
use serde::Serialize;
use url::form_urlencoded;

use super::target::Target;
use crate::{error::CallError, grant::Grant};

/// A call of the API, made by [`Grant::request`] and its short forms.
///
/// ```no_run
/// # async fn example(grant: rc_auth::Grant) -> Result<(), rc_auth::CallError> {
/// #[derive(serde::Deserialize)]
/// struct Extension {
///     name: String,
/// }
/// let me: Extension = grant
///     .get("/restapi/v1.0/account/~/extension/~")
///     .fetch()
///     .await?;
/// let sent = grant
///     .post("/restapi/v1.0/account/~/extension/~/sms")
///     .json(&serde_json::json!({
///         "from": { "phoneNumber": "+16505550100" },
///         "to": [{ "phoneNumber": "+16505550101" }],
///         "text": format!("{} says hello", me.name),
///     }))
///     .send()
///     .await?;
/// assert!(sent.status.is_success());
/// # Ok(())
/// # }
/// ```
///
/// # What is sent again
///
/// - Once with a newer access token, when the platform refuses the first one: a token is asked for that is newer
///   than the refused one, so that many calls cause one refresh.
/// - What cannot have been received (no connection), whatever the method.
/// - A call of an idempotent method (GET, HEAD, OPTIONS, PUT, DELETE: RFC 9110 section 9.2.2) whose answer did not
///   come, or was a 5xx that calls for it; after a pause, or what `Retry-After` says.
///
/// At most [`retries`](Self::retries) times beside the newer token, and never past the
/// [`timeout`](Self::timeout). A POST or PATCH whose answer did not come is not sent again: the platform may have
/// carried it out. A body that is a stream is sent once.
#[must_use = "a request does nothing until it is sent"]
pub struct ApiRequest<'a> {
    pub(super) grant: &'a Grant,
    pub(super) method: Method,
    pub(super) target: Target<'a>,
    /// What a plain call does without; boxed, so that such a call stays small.
    extras: Option<Box<Extras>>,
}

/// What was said of a call beside its method and address.
#[derive(Default)]
struct Extras {
    query: String,
    headers: HeaderMap,
    /// `None`: empty.
    body: Option<OutgoingBody>,
    /// What was wrong with an argument: told when it is sent.
    invalid: Option<CallError>,
    options: Options,
}

/// What may be said of one call.
#[derive(Clone, Copy, Debug)]
pub(super) struct Options {
    pub(super) timeout: Option<Duration>,
    pub(super) retries: u32,
    pub(super) rate_limit_patience: Duration,
    pub(super) max_body: Option<u64>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            timeout: None,
            retries: ApiRequest::DEFAULT_RETRIES,
            rate_limit_patience: Duration::ZERO,
            max_body: None,
        }
    }
}

impl fmt::Debug for ApiRequest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.target.path();
        f.debug_struct("ApiRequest")
            .field("method", &self.method)
            .field("path", &path)
            .field("options", &self.options())
            .finish_non_exhaustive()
    }
}

/// Short forms, and the long one.
impl Grant {
    /// Begins a call of the API.
    ///
    /// `target` is a path that begins with `/`, as in `/restapi/v1.0/account/~/extension/~`, perhaps with a
    /// query; or an absolute address on one of the platform's own hosts, as in the platform's links
    /// (`navigation`, `uri`, `contentUri`). The access token goes to no other host.
    pub fn request<'a>(&'a self, method: Method, target: &'a str) -> ApiRequest<'a> {
        let (target, invalid) = match Target::parse(target, &self.client.platform.app) {
            Ok(target) => (target, None),
            Err(error) => (Target::default(), Some(error)),
        };
        let mut request = ApiRequest {
            grant: self,
            method,
            target,
            extras: None,
        };
        if let Some(error) = invalid {
            request.refuse(error);
        }
        request
    }

    /// Begins a call with GET; see [`request`](Self::request).
    pub fn get<'a>(&'a self, target: &'a str) -> ApiRequest<'a> {
        self.request(Method::GET, target)
    }

    /// Begins a call with HEAD; see [`request`](Self::request).
    pub fn head<'a>(&'a self, target: &'a str) -> ApiRequest<'a> {
        self.request(Method::HEAD, target)
    }

    /// Begins a call with POST; see [`request`](Self::request).
    ///
    /// ```no_run
    /// # async fn example(client: rc_auth::Client, grant: rc_auth::Grant) -> Result<(), Box<dyn std::error::Error>> {
    /// let sms = serde_json::json!({
    ///     "from": { "phoneNumber": "+16505550100" },
    ///     "to": [{ "phoneNumber": "+16505550101" }],
    ///     "text": "Hello",
    /// });
    /// grant.post("/restapi/v1.0/account/~/extension/~/sms").json(&sms).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn post<'a>(&'a self, target: &'a str) -> ApiRequest<'a> {
        self.request(Method::POST, target)
    }

    /// Begins a call with PUT; see [`request`](Self::request).
    pub fn put<'a>(&'a self, target: &'a str) -> ApiRequest<'a> {
        self.request(Method::PUT, target)
    }

    /// Begins a call with PATCH; see [`request`](Self::request).
    pub fn patch<'a>(&'a self, target: &'a str) -> ApiRequest<'a> {
        self.request(Method::PATCH, target)
    }

    /// Begins a call with DELETE; see [`request`](Self::request).
    pub fn delete<'a>(&'a self, target: &'a str) -> ApiRequest<'a> {
        self.request(Method::DELETE, target)
    }
}

impl<'a> ApiRequest<'a> {
    /// How often a call is sent again at most, if nothing else is set: 2. With a pause of 250 ms, then 500 ms,
    /// it outlives a moment's trouble without keeping a person waiting.
    pub const DEFAULT_RETRIES: u32 = 2;

    /// Adds a parameter to the query, percent-encoded. May be called several times, also with one name.
    pub fn query(mut self, name: &str, value: impl Display) -> Self {
        let extras = self.extras();
        let mut pairs = form_urlencoded::Serializer::new(std::mem::take(&mut extras.query));
        pairs.append_pair(name, &value.to_string());
        extras.query = pairs.finish();
        self
    }

    /// Adds a header. `Authorization`, `Host`, `Cookie` and the headers of the connection are refused when the
    /// call is sent: this crate sets them, or they are never sent.
    pub fn header(mut self, name: impl AsRef<str>, value: impl AsRef<str>) -> Self {
        let name = HeaderName::try_from(name.as_ref());
        let value = HeaderValue::try_from(value.as_ref());
        match (name, value) {
            (Ok(name), Ok(value)) if !RESERVED.contains(&name) => {
                self.extras().headers.append(name, value);
            }
            _ => self.refuse(CallError::InvalidHeader),
        }
        self
    }

    /// Sends `body` as JSON.
    pub fn json<T: Serialize + ?Sized>(self, body: &T) -> Self {
        match serde_json::to_vec(body) {
            Ok(bytes) => self.body("application/json", bytes),
            Err(_) => {
                let mut refused = self;
                refused.refuse(CallError::InvalidBody);
                refused
            }
        }
    }

    /// Notes what is wrong, unless something was before.
    fn refuse(&mut self, error: CallError) {
        self.extras().invalid.get_or_insert(error);
    }

    /// Sends `body` as it is, with this media type.
    pub fn body(mut self, content_type: &str, body: impl Into<Bytes>) -> Self {
        self.extras().body = Some(OutgoingBody::Whole(body.into()));
        self.content_type(content_type)
    }

    /// Sends a body that is read piece by piece while it is sent, such as a file. `len`: its length in bytes, if
    /// it is known; it has to be right.
    ///
    /// Such a call is sent once: if the platform refuses the access token all the same, the error says so, and
    /// the next call has a newer one.
    pub fn stream<S, E>(mut self, content_type: &str, len: Option<u64>, body: S) -> Self
    where
        S: Stream<Item = Result<Bytes, E>> + Send + 'static,
        E: Into<BoxError> + 'static,
    {
        self.extras().body = Some(OutgoingBody::stream(len, body));
        self.content_type(content_type)
    }

    fn content_type(mut self, value: &str) -> Self {
        match HeaderValue::try_from(value) {
            Ok(value) => {
                self.extras().headers.insert(header::CONTENT_TYPE, value);
            }
            Err(_) => self.refuse(CallError::InvalidHeader),
        }
        self
    }

    /// How long this call may take as a whole, with everything it waits for; of a download, until its body
    /// begins. Default: [`ClientBuilder::call_timeout`](crate::ClientBuilder::call_timeout).
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.extras().options.timeout = Some(timeout);
        self
    }

    /// How often this call is sent again at most. Default: [`Self::DEFAULT_RETRIES`].
    pub fn retries(mut self, retries: u32) -> Self {
        self.extras().options.retries = retries;
        self
    }

    /// Waits for a rate limit, up to this long in all and never past the [timeout](Self::timeout). Default: not
    /// at all; the call fails at once with [`CallError::RateLimited`], which says until when.
    ///
    /// ```no_run
    /// # async fn example(client: rc_auth::Client, grant: rc_auth::Grant) -> Result<(), Box<dyn std::error::Error>> {
    /// use std::time::Duration;
    ///
    /// let log = grant
    ///     .get("/restapi/v1.0/account/~/call-log")
    ///     .wait_for_rate_limit(Duration::from_secs(90))
    ///     .await?;
    /// println!("{}", log.status);
    /// # Ok(())
    /// # }
    /// ```
    pub fn wait_for_rate_limit(mut self, patience: Duration) -> Self {
        self.extras().options.rate_limit_patience = patience;
        self
    }

    /// How large the answer may be, in bytes. Default:
    /// [`ClientBuilder::max_body`](crate::ClientBuilder::max_body), and 1 GiB for a [`download`](Self::download).
    pub fn max_body(mut self, bytes: u64) -> Self {
        self.extras().options.max_body = Some(bytes);
        self
    }

    pub(super) fn make_ready(&mut self) -> Result<(), CallError> {
        let Some(extras) = &mut self.extras else {
            return Ok(());
        };
        if let Some(invalid) = extras.invalid.take() {
            return Err(invalid);
        }
        self.target.add_query(&std::mem::take(&mut extras.query));
        Ok(())
    }

    fn extras(&mut self) -> &mut Extras {
        self.extras.get_or_insert_default()
    }

    pub(super) fn options(&self) -> Options {
        let extras = self.extras.as_ref();
        extras.map_or_else(Options::default, |extras| extras.options)
    }

    pub(super) fn headers(&self) -> Option<&HeaderMap> {
        self.extras.as_ref().map(|extras| &extras.headers)
    }

    /// As another request of the same kind was made.
    pub(super) fn like(mut self, headers: HeaderMap, options: Options) -> Self {
        let extras = self.extras();
        extras.headers = headers;
        extras.options = options;
        self
    }

    /// The body to send now. One that is a stream is handed out once.
    pub(super) fn body_to_send(&mut self) -> OutgoingBody {
        let body = self.extras.as_mut().and_then(|extras| {
            let body = extras.body.as_ref()?.try_clone();
            body.or_else(|| extras.body.take())
        });
        body.unwrap_or_else(|| Bytes::new().into())
    }

    /// Whether the body can be sent more than once.
    pub(super) fn can_repeat(&self) -> bool {
        let body = self.extras.as_ref().and_then(|extras| extras.body.as_ref());
        body.is_none_or(OutgoingBody::can_repeat)
    }
}

/// Headers that a call does not take.
const RESERVED: [HeaderName; 8] = [
    header::AUTHORIZATION,
    header::PROXY_AUTHORIZATION,
    header::COOKIE,
    header::HOST,
    header::CONTENT_LENGTH,
    header::TRANSFER_ENCODING,
    header::CONNECTION,
    header::UPGRADE,
];
