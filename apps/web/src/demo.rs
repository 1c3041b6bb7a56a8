//! Demo mode: the simulated platform in the same process.

use std::{
    hash::{BuildHasher as _, Hasher as _, RandomState},
    io,
    net::{Ipv4Addr, SocketAddr},
};

use rc_auth::Secret;
use rc_sim::{Config, Server};

use crate::config::{RedirectUri, Registration};

/// Starts the simulated platform on a free loopback port, with an app registered for `redirect_uri`.
///
/// It lives in memory: stopping the process ends every sign-in on its side. Ids, secrets and tokens are
/// drawn anew each time, so that a token of an earlier run can never name somebody in this one.
///
/// # Errors
///
/// When no port can be had.
pub(crate) async fn start(
    limits: bool,
    redirect_uri: RedirectUri,
) -> io::Result<(Server, Registration)> {
    let seed = RandomState::new().build_hasher().finish();
    let mut config = Config::demo(seed, redirect_uri.as_str());
    config.switches.limits.enabled = limits;
    let app = config
        .confidential_app()
        .ok_or_else(|| io::Error::other("the demo has no app"))?;
    let (client_id, secret) = (
        app.client_id().to_owned(),
        app.client_secret().map(Secret::new),
    );
    let server = Server::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), config).await?;
    let registration = Registration {
        client_id,
        client_secret: secret,
        redirect_uri,
        server: server.base_url(),
    };
    Ok((server, registration))
}
