//! A double for tests.

use std::{
    collections::VecDeque,
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use crate::{BoxFuture, Delivery, FailureKind, HttpClient, Incoming, Outgoing, TransportError};

/// An [`HttpClient`] for tests that plays a script, one step per request, and remembers what was sent.
///
/// It keeps the promises of the trait as far as they concern its caller: an answer larger than
/// [`Outgoing::max_body`] fails, and [`hang`](Self::hang) ends at [`Outgoing::deadline`], in tokio's time, so
/// also in paused time. A request for which the script has no step left fails as
/// [`FailureKind::InvalidRequest`] and says so.
///
/// ```
/// use rc_http::{Delivery, FailureKind, HttpClient, Outgoing, Scripted};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let client = Scripted::new()
///     .fail(Delivery::NotSent, FailureKind::Connect)
///     .answer(200, r#"{"name":"Robin Example"}"#);
///
/// let uri = "https://platform.example.com/restapi/v1.0/account/~/extension/~";
/// let outgoing = Outgoing::new(http::Request::get(uri).body(bytes::Bytes::new())?);
///
/// let failure = client.send(outgoing.clone()).await.unwrap_err();
/// assert_eq!(failure.delivery(), Delivery::NotSent);
/// assert_eq!(client.send(outgoing).await?.status, 200);
/// assert_eq!(client.sent().len(), 2);
/// # Ok(())
/// # }
/// ```
#[derive(Default)]
pub struct Scripted {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    steps: VecDeque<Step>,
    sent: Vec<Outgoing>,
}

enum Step {
    Answer(Incoming),
    Fail(Delivery, FailureKind),
    Hang,
}

impl Scripted {
    /// An empty script.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Then answer with `status` and `body`, without headers.
    ///
    /// # Panics
    ///
    /// If `status` is not within 100 to 999.
    #[must_use]
    pub fn answer(self, status: u16, body: impl Into<Bytes>) -> Self {
        self.answer_with(Incoming::new(
            status_code(status),
            HeaderMap::new(),
            body.into(),
        ))
    }

    /// Then answer with `status`, `headers` and `body`.
    ///
    /// # Panics
    ///
    /// If `status` is not within 100 to 999, or a header is not one.
    #[must_use]
    pub fn answer_headed<'a>(
        self,
        status: u16,
        headers: impl IntoIterator<Item = (&'a str, &'a str)>,
        body: impl Into<Bytes>,
    ) -> Self {
        let headers = headers.into_iter().map(header).collect();
        self.answer_with(Incoming::new(status_code(status), headers, body.into()))
    }

    /// Then answer with `incoming`.
    #[must_use]
    pub fn answer_with(self, incoming: Incoming) -> Self {
        self.then(Step::Answer(incoming))
    }

    /// Then fail. The request counts as sent in [`sent`](Self::sent), whatever `delivery` says.
    #[must_use]
    pub fn fail(self, delivery: Delivery, kind: FailureKind) -> Self {
        self.then(Step::Fail(delivery, kind))
    }

    /// Then let the request hang until its deadline, which is [`Delivery::MaybeSent`].
    #[must_use]
    pub fn hang(self) -> Self {
        self.then(Step::Hang)
    }

    /// Every request so far, in the order in which they were sent.
    #[must_use]
    pub fn sent(&self) -> Vec<Outgoing> {
        self.state().sent.clone()
    }

    /// How many steps of the script have not been played.
    #[must_use]
    pub fn remaining(&self) -> usize {
        self.state().steps.len()
    }

    fn then(self, step: Step) -> Self {
        self.state().steps.push_back(step);
        self
    }

    /// No code panics while it holds the lock, so a poisoned one is whole.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn next_step(&self, outgoing: Outgoing) -> Option<Step> {
        let mut state = self.state();
        state.sent.push(outgoing);
        state.steps.pop_front()
    }
}

impl HttpClient for Scripted {
    fn send(&self, outgoing: Outgoing) -> BoxFuture<'_, Result<Incoming, TransportError>> {
        Box::pin(async move {
            let origin = origin(&outgoing);
            let (deadline, max_body) = (outgoing.deadline, outgoing.max_body);
            let failure = |delivery, kind| TransportError::new(delivery, kind, origin);
            match self.next_step(outgoing) {
                Some(Step::Answer(incoming)) if incoming.body.len() > max_body => {
                    Err(failure(Delivery::MaybeSent, FailureKind::BodyTooLarge))
                }
                Some(Step::Answer(incoming)) => Ok(incoming),
                Some(Step::Fail(delivery, kind)) => Err(failure(delivery, kind)),
                Some(Step::Hang) => {
                    tokio::time::sleep(deadline).await;
                    Err(failure(Delivery::MaybeSent, FailureKind::Timeout))
                }
                None => Err(
                    failure(Delivery::NotSent, FailureKind::InvalidRequest).with_source(
                        "the script has no step left: add an answer, or send one request less",
                    ),
                ),
            }
        })
    }
}

impl fmt::Debug for Scripted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state();
        f.debug_struct("Scripted")
            .field("sent", &state.sent)
            .field("remaining", &state.steps.len())
            .finish()
    }
}

fn origin(outgoing: &Outgoing) -> String {
    let uri = outgoing.request.uri();
    match (uri.scheme_str(), uri.authority()) {
        (Some(scheme), Some(authority)) => format!("{scheme}://{authority}"),
        _ => "an address without scheme and host".to_owned(),
    }
}

#[track_caller]
fn status_code(status: u16) -> StatusCode {
    StatusCode::from_u16(status).unwrap_or_else(|_| panic!("{status} is not an HTTP status"))
}

#[track_caller]
fn header((name, value): (&str, &str)) -> (HeaderName, HeaderValue) {
    let name: HeaderName = name
        .parse()
        .unwrap_or_else(|_| panic!("{name:?} is not a header name"));
    let value = value
        .parse()
        .unwrap_or_else(|_| panic!("the value of {name} is not a header value"));
    (name, value)
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use http::Request;

    use super::*;

    fn request() -> Outgoing {
        let request =
            Request::post("https://platform.example.com/restapi/oauth/token?code=secret-1")
                .header("authorization", "Bearer secret-2")
                .body(Bytes::from_static(b"refresh_token=secret-3"))
                .unwrap();
        Outgoing::new(request)
    }

    #[tokio::test]
    async fn the_script_is_played_in_order_behind_the_trait() {
        let scripted = Arc::new(Scripted::new().answer(204, "").answer_headed(
            429,
            [("retry-after", "7")],
            "slow down",
        ));
        let client: Arc<dyn HttpClient> = scripted.clone();
        assert_eq!(client.send(request()).await.unwrap().status, 204);
        assert_eq!(scripted.remaining(), 1);
        let second = client.send(request()).await.unwrap();
        assert_eq!(
            (second.status.as_u16(), &second.headers["retry-after"]),
            (429, &HeaderValue::from(7))
        );
        assert_eq!(&second.body[..], b"slow down");

        let third = client.send(request()).await.unwrap_err();
        assert_eq!(
            (third.delivery(), third.kind()),
            (Delivery::NotSent, FailureKind::InvalidRequest)
        );
        assert_eq!(scripted.sent()[0].request.body(), "refresh_token=secret-3");
        assert_eq!(scripted.sent().len(), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn a_hanging_request_ends_at_its_deadline() {
        let client = Scripted::new().hang();
        let started = tokio::time::Instant::now();
        let failure = client
            .send(request().deadline(Duration::from_secs(77)))
            .await
            .unwrap_err();
        assert_eq!(
            (failure.delivery(), failure.kind()),
            (Delivery::MaybeSent, FailureKind::Timeout)
        );
        assert_eq!(started.elapsed(), Duration::from_secs(77));
    }

    #[tokio::test]
    async fn an_answer_over_the_cap_fails() {
        let client = Scripted::new().answer(200, "12345");
        let failure = client.send(request().max_body(4)).await.unwrap_err();
        assert_eq!(
            (failure.delivery(), failure.kind()),
            (Delivery::MaybeSent, FailureKind::BodyTooLarge)
        );
    }

    #[tokio::test]
    async fn debug_prints_no_query_header_or_body() {
        let client = Scripted::new()
            .answer(200, "secret-4")
            .answer(200, "secret-5");
        let answer = client.send(request()).await.unwrap();
        let printed = format!("{client:?} {answer:?} {:?}", request());
        assert!(!printed.contains("secret"), "{printed}");
        insta::assert_snapshot!(format!("{client:#?}"), @r#"
        Scripted {
            sent: [
                Outgoing {
                    method: POST,
                    host: "platform.example.com",
                    path: "/restapi/oauth/token",
                    body_bytes: 22,
                    deadline: 30s,
                    max_body: 1048576,
                    redirects: Refuse,
                },
            ],
            remaining: 1,
        }
        "#);
    }
}
