//! What every request handler shares.

use std::{future::Future, sync::Arc, time::Duration};

use actix_web::{HttpRequest, web};
use rc_auth::{CallError, Environment, Grant, Timestamp, store::TokenStore};
use rc_auth_web::WebAuth;
use tokio::task::JoinHandle;

use crate::pages;

/// How long a page waits for anything that is not on this machine.
pub(crate) const PAGE_PATIENCE: Duration = Duration::from_millis(500);
/// How long an explicit call of the API waits.
pub(crate) const CALL_PATIENCE: Duration = Duration::from_secs(10);

/// The call that says who is signed in.
pub(crate) const EXTENSION: &str = "/restapi/v1.0/account/~/extension/~";

/// The application: built once at start, the same for all workers.
#[derive(Clone)]
pub(crate) struct Application {
    parts: Arc<Parts>,
}

/// The platform as pages name it.
#[derive(Clone, Debug)]
pub(crate) struct PlatformName {
    /// Its host.
    pub host: String,
    /// Whether it is the simulated one.
    pub simulated: bool,
}

/// What an [`Application`] is made of.
#[derive(Debug)]
pub(crate) struct Parts {
    /// Signs browsers in and out, and knows them again.
    pub auth: WebAuth,
    /// Where the client keeps its records; asked whether it answers.
    pub store: Arc<dyn TokenStore>,
    /// Whom people sign in with.
    pub platform: PlatformName,
    /// Tells the time.
    pub environment: Arc<dyn Environment>,
    /// How long the body of a form may take to arrive.
    pub form_limit: Duration,
}

impl Application {
    /// Puts the parts together.
    pub(crate) fn new(parts: Parts) -> Self {
        Self {
            parts: Arc::new(parts),
        }
    }

    /// The application a request was sent to.
    pub(crate) fn of(request: &HttpRequest) -> &Self {
        match request.app_data::<web::Data<Self>>() {
            Some(data) => data,
            None => unreachable!("the server registers the application before its routes"),
        }
    }

    /// Signs browsers in and out.
    pub(crate) fn auth(&self) -> &WebAuth {
        &self.parts.auth
    }

    /// The store below the client.
    pub(crate) fn store(&self) -> &dyn TokenStore {
        &*self.parts.store
    }

    /// Whom people sign in with.
    pub(crate) fn platform(&self) -> &PlatformName {
        &self.parts.platform
    }

    /// How long the body of a form may take to arrive.
    pub(crate) fn form_limit(&self) -> Duration {
        self.parts.form_limit
    }

    /// The time.
    pub(crate) fn now(&self) -> Timestamp {
        self.parts.environment.wall()
    }

    /// What `future` gives, if it does within `limit`.
    pub(crate) async fn within<T>(
        &self,
        limit: Duration,
        future: impl Future<Output = T>,
    ) -> Option<T> {
        let deadline = self.parts.environment.now().mono + limit;
        tokio::select! {
            biased;
            done = future => Some(done),
            () = self.parts.environment.sleep_until(deadline) => None,
        }
    }

    /// Asks the platform who signed in, and writes it down for the pages. Goes on in the background of this worker;
    /// what it gives is for whoever wants to wait.
    pub(crate) fn find_out_who(&self, grant: &Grant) -> JoinHandle<()> {
        let grant = grant.clone();
        // Where the worker's other calls are made: they use its connections, and wake no other thread.
        actix_web::rt::spawn(async move {
            let found = match grant.get(EXTENSION).await {
                Ok(answer) => answer.json::<pages::Person>(),
                Err(error) => Err(error),
            };
            let remembered = match found {
                Ok(person) => grant.remember(person.into()).await.map_err(CallError::from),
                Err(error) => Err(error),
            };
            if let Err(error) = remembered {
                tracing::debug!(%error, "who signed in could not be written down");
            }
        })
    }
}
