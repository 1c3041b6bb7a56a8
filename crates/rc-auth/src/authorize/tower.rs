//! A layer for clients built on `tower`.

use std::{
    error::Error,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use http::{Request, Response, header};
use tower_layer::Layer;
use tower_service::Service;

use super::rules::Authorization;
use crate::grant::Grant;

/// Authorizes the requests of a `tower` client with a grant's access token.
///
/// ```no_run
/// # fn example<S>(grant: rc_auth::Grant, client: S) {
/// use rc_auth::AuthorizeLayer;
/// use tower_layer::Layer as _;
///
/// let client = AuthorizeLayer::new(grant).layer(client);
/// # }
/// ```
///
/// Requests need an absolute address on one of the platform's hosts; one to another host fails with
/// [`CallError::ForeignAddress`](crate::CallError::ForeignAddress) and is not sent. A request whose token is refused
/// (401) is sent once more with a newer one, so its body has to be `Clone`; nothing else is repeated. An
/// `Authorization` that the request brings is replaced.
///
/// Place it inside of what follows redirects: the token must not go along to another host.
#[derive(Clone, Debug)]
pub struct AuthorizeLayer {
    grant: Grant,
}

impl AuthorizeLayer {
    /// Authorizes by `grant`.
    #[must_use]
    pub const fn new(grant: Grant) -> Self {
        Self { grant }
    }
}

impl<S> Layer<S> for AuthorizeLayer {
    type Service = Authorize<S>;

    fn layer(&self, inner: S) -> Authorize<S> {
        Authorize {
            grant: self.grant.clone(),
            inner,
        }
    }
}

/// A client whose requests are authorized: see [`AuthorizeLayer`].
#[derive(Clone, Debug)]
pub struct Authorize<S> {
    grant: Grant,
    inner: S,
}

type BoxError = Box<dyn Error + Send + Sync>;

impl<S, B, A> Service<Request<B>> for Authorize<S>
where
    S: Service<Request<B>, Response = Response<A>> + Clone + Send + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send,
    B: Clone + Send + 'static,
    A: Send,
{
    type Response = Response<A>;
    /// The client's error, or a [`CallError`](crate::CallError) of this layer.
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<A>, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let uri = request.uri().to_string();
        let authorization = Authorization::new(&self.grant, request.method(), &uri);
        // The one that is ready does the work; its clone is made ready next time.
        let clone = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, clone);
        Box::pin(async move {
            let mut authorization = authorization?;
            let mut first = request.clone();
            let token = authorization.header().await?;
            first.headers_mut().insert(header::AUTHORIZATION, token);
            let answer = inner.call(first).await.map_err(Into::into)?;
            if !authorization.is_worth_repeating(answer.status(), answer.headers()) {
                return Ok(answer);
            }
            let mut second = request;
            let token = authorization.header().await?;
            second.headers_mut().insert(header::AUTHORIZATION, token);
            std::future::poll_fn(|context| inner.poll_ready(context))
                .await
                .map_err(Into::into)?;
            let answer = inner.call(second).await.map_err(Into::into)?;
            authorization.is_worth_repeating(answer.status(), answer.headers());
            Ok(answer)
        })
    }
}
