//! Middleware for clients built on reqwest.

use http::{Extensions, header};
use reqwest::{Request, Response};
use reqwest_middleware::{Error, Middleware, Next, Result};

use super::rules::Authorization;
use crate::grant::Grant;

/// Authorizes the requests of a reqwest client with a grant's access token, as middleware of `reqwest-middleware`.
///
/// ```no_run
/// # fn example(grant: rc_auth::Grant) {
/// use rc_auth::AuthorizeMiddleware;
///
/// let client = reqwest_middleware::ClientBuilder::new(reqwest::Client::new())
///     .with(AuthorizeMiddleware::new(grant))
///     .build();
/// # }
/// ```
///
/// Requests to other hosts than the platform's fail with
/// [`CallError::ForeignAddress`](crate::CallError::ForeignAddress) and are not sent. A request whose token is refused
/// (401) is sent once more with a newer one, unless its body is a stream; nothing else is repeated. An
/// `Authorization` that the request brings is replaced. Reqwest itself drops the token when it follows a redirect to
/// another host.
#[derive(Clone, Debug)]
pub struct AuthorizeMiddleware {
    grant: Grant,
}

impl AuthorizeMiddleware {
    /// Authorizes by `grant`.
    #[must_use]
    pub const fn new(grant: Grant) -> Self {
        Self { grant }
    }
}

#[async_trait::async_trait]
impl Middleware for AuthorizeMiddleware {
    async fn handle(
        &self,
        mut request: Request,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> Result<Response> {
        let authorization =
            Authorization::new(&self.grant, request.method(), request.url().as_str());
        let mut authorization = authorization.map_err(Error::middleware)?;
        let second = request.try_clone();
        let token = authorization.header().await.map_err(Error::middleware)?;
        request.headers_mut().insert(header::AUTHORIZATION, token);
        let answer = next.clone().run(request, extensions).await?;
        let again = authorization.is_worth_repeating(answer.status(), answer.headers());
        let (true, Some(mut second)) = (again, second) else {
            return Ok(answer);
        };
        let token = authorization.header().await.map_err(Error::middleware)?;
        second.headers_mut().insert(header::AUTHORIZATION, token);
        let answer = next.run(second, extensions).await?;
        authorization.is_worth_repeating(answer.status(), answer.headers());
        Ok(answer)
    }
}
