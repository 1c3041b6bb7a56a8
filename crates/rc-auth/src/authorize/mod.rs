//! Access tokens for clients that are not this crate's: by hand, as a `tower` layer, or as middleware of reqwest.
//!
//! The rules are those of [`Grant::request`](crate::Grant::request): the token goes to the platform's hosts and
//! nowhere else; nothing is sent while its rate limit is used up; a token that is refused is replaced by a newer one,
//! once for all calls that it was refused to.

#[cfg(feature = "reqwest-middleware")]
mod reqwest_middleware;
mod token;
#[cfg(feature = "tower")]
mod tower;

#[cfg(feature = "reqwest-middleware")]
pub use self::reqwest_middleware::AuthorizeMiddleware;
pub use self::token::AccessToken;
#[cfg(feature = "tower")]
pub use self::tower::{Authorize, AuthorizeLayer};

#[cfg(any(feature = "tower", feature = "reqwest-middleware"))]
pub(crate) mod rules {
    //! What both middlewares do around a request.

    use std::sync::Arc;

    use http::{HeaderMap, HeaderValue, Method, StatusCode};
    use rc_auth_core::{Input, PairId};

    use crate::{
        call::Target, error::CallError, grant::Grant, live::UsableToken, refresh::waiting,
    };

    /// Asks for what one request needs.
    pub(crate) struct Authorization {
        grant: Grant,
        method: Method,
        path: String,
        token: Option<Arc<UsableToken>>,
        refused: Option<PairId>,
    }

    impl Authorization {
        /// For a request to this address, which has to name its host: the client that sends it would put another
        /// one before a path.
        pub(crate) fn new(grant: &Grant, method: &Method, uri: &str) -> Result<Self, CallError> {
            if uri.starts_with('/') {
                return Err(CallError::ForeignAddress);
            }
            let target = Target::parse(uri, &grant.client.platform.app)?;
            Ok(Self {
                path: target.path().to_owned(),
                grant: grant.clone(),
                method: method.clone(),
                token: None,
                refused: None,
            })
        }

        /// The header to send now.
        pub(crate) async fn header(&mut self) -> Result<HeaderValue, CallError> {
            let client = &self.grant.client;
            let token = self.grant.usable_token(self.refused).await?;
            let gate = &client.platform.api_gate;
            let now = client.now();
            if let Err(closed) = gate.check(&token.owner, &self.method, &self.path, now.mono) {
                return Err(CallError::rate_limited(closed, None, now));
            }
            let header = token.header.clone();
            self.token = Some(token);
            Ok(header)
        }

        /// Learns from the answer. `true`: the token was refused for the first time; ask for a newer
        /// [`header`](Self::header) and send the request again.
        pub(crate) fn is_worth_repeating(
            &mut self,
            status: StatusCode,
            headers: &HeaderMap,
        ) -> bool {
            let (client, Some(token)) = (&self.grant.client, &self.token) else {
                return false;
            };
            let now = client.now().mono;
            client.platform.learn_time_from_call(headers, now);
            let gate = &client.platform.api_gate;
            gate.observe(&token.owner, &self.method, &self.path, status, headers, now);
            // The code that would tell more is in the body, which is its caller's to read.
            if status != StatusCode::UNAUTHORIZED {
                return false;
            }
            waiting::input(client, &self.grant.live, Input::Refused(token.pair));
            self.refused.replace(token.pair).is_none()
        }
    }
}
