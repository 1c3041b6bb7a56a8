//! The resources an application calls, and what needs no token.

pub(crate) mod access;
mod account;
mod call_log;
pub(crate) mod endpoints;
pub(crate) mod error;
mod extensions;
mod message_store;
pub(crate) mod messages;
mod paging;
mod query;
pub(crate) mod sms;
mod versions;

use bytes::Bytes;
use http::{Request, Response, Uri};
use serde_json::Value;

use crate::{
    form::Params,
    oauth::token::{limited, write_quota},
    platform::{
        Platform,
        limits::{LimitKey, Passage},
    },
    resources::error::ResourceError,
    timestamp::Timestamp,
};

use access::Caller;
use endpoints::{Endpoint, Found, Handler, Values};

/// One call that was let in.
pub(crate) struct Call<'a> {
    caller: Caller,
    /// Scheme and authority the client used.
    base: String,
    values: Values<'a>,
    query: Params<'a>,
    body: &'a [u8],
    now: Timestamp,
}

impl Call<'_> {
    /// The value of a variable of the endpoint's template.
    fn value(&self, name: &str) -> &str {
        let value = self.values.iter().find(|(key, _)| *key == name);
        value.map_or("", |(_, value)| value)
    }

    /// The value as an id, written as the platform writes it: no sign, no zeros in front.
    fn id(&self, name: &str) -> Option<u64> {
        let text = self.value(name);
        text.parse().ok().filter(|id: &u64| id.to_string() == text)
    }

    fn json_body(&self) -> Result<Value, ResourceError> {
        serde_json::from_slice(self.body).map_err(|_| ResourceError::bad_json())
    }
}

impl Platform {
    /// Everything below `/restapi` that is not OAuth.
    pub(crate) fn resource(&mut self, request: &Request<Bytes>, now: Timestamp) -> Response<Bytes> {
        let found = endpoints::find(request.method(), request.uri().path());
        let response = match found {
            Found::Endpoint(endpoint, values) => self.call(endpoint, values, request, now),
            Found::OtherMethods(methods) if open(request.uri().path()) => {
                Err(ResourceError::method_not_allowed(methods))
            }
            Found::OtherMethods(methods) => self
                .authorize_call(request, now)
                .and(Err(ResourceError::method_not_allowed(methods))),
            Found::Nothing => self
                .authorize_call(request, now)
                .and_then(|()| Err(unknown(request.uri().path()))),
        };
        let response = response.unwrap_or_else(|error| error.respond());
        self.counters.api.note(response.status());
        response
    }

    fn call(
        &mut self,
        endpoint: &'static Endpoint,
        values: Values<'_>,
        request: &Request<Bytes>,
        now: Timestamp,
    ) -> Result<Response<Bytes>, ResourceError> {
        let base = base_url(request);
        let answer = match endpoint.handler {
            Handler::Open(answer) => return Ok(answer(&base)),
            Handler::Token(answer) | Handler::Media(answer) => answer,
        };
        let query = query(request);
        let caller = self.caller(request, &query, Some(endpoint.handler), now)?;
        let passage = self.pass(endpoint, &caller, now);
        if let Passage::Refused(..) = passage {
            return Ok(limited(&passage));
        }
        let call = Call {
            caller,
            base,
            values,
            query,
            body: request.body(),
            now,
        };
        let mut response = self
            .permit(endpoint, &call.caller)
            .and_then(|()| answer(self, &call))
            .unwrap_or_else(|error| error.respond());
        write_quota(&passage, response.headers_mut());
        Ok(response)
    }

    /// Platform §7: windows are per user, app and group.
    fn pass(&mut self, endpoint: &Endpoint, caller: &Caller, now: Timestamp) -> Passage {
        let Some(group) = endpoint.group else {
            return Passage::Free;
        };
        let key = LimitKey {
            app: caller.app.clone(),
            user: Some(caller.user.id()),
            group,
        };
        self.limiter.pass(key, &self.config.switches.limits, now)
    }

    /// Only callers with a token learn what exists. Assumed: the gateway looks at the token first.
    fn authorize_call(
        &mut self,
        request: &Request<Bytes>,
        now: Timestamp,
    ) -> Result<(), ResourceError> {
        self.caller(request, &query(request), None, now).map(drop)
    }
}

fn query(request: &Request<Bytes>) -> Params<'_> {
    Params::parse(request.uri().query().unwrap_or_default().as_bytes())
}

/// Whether GET of this path needs no token.
fn open(path: &str) -> bool {
    let found = endpoints::find(&http::Method::GET, path);
    matches!(found, Found::Endpoint(endpoint, _) if matches!(endpoint.handler, Handler::Open(_)))
}

/// Platform §6: below a version of the API an unknown address is CMN-120, elsewhere the gateway's AGW-404.
fn unknown(path: &str) -> ResourceError {
    let versions = ["/restapi/v1.0/", "/restapi/v2/"];
    if versions.iter().any(|version| path.starts_with(version)) {
        return ResourceError::invalid_uri();
    }
    ResourceError::no_such_resource()
}

/// Scheme and authority the client used; the simulated platform has no name of its own.
pub(crate) fn base_url(request: &Request<Bytes>) -> String {
    let from_uri = |uri: &Uri| {
        let authority = uri.authority()?;
        Some(format!(
            "{}://{authority}",
            uri.scheme_str().unwrap_or("http")
        ))
    };
    let from_host = || {
        let host = request.headers().get(http::header::HOST)?.to_str().ok()?;
        Some(format!("http://{host}"))
    };
    from_uri(request.uri())
        .or_else(from_host)
        .unwrap_or_else(|| "http://localhost".into())
}
