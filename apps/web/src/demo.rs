//! Demo mode: the simulated platform in the same process.

use std::{
    hash::{BuildHasher as _, Hasher as _, RandomState},
    io,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
};

use rc_auth::Secret;
use rc_sim::{Config, Server, ServerError, state_seed};

use crate::config::{DatabaseUrl, Keys, RedirectUri, Registration};

/// The name of the simulated platform's state file, beside what the demo keeps of its own.
const STATE: &str = "rc-sim.state";

/// Where the simulated platform keeps what it knows: beside the database, or beside the keys where the database is
/// elsewhere. `None` where the demo has no file at all.
pub(crate) fn state_file(database: &DatabaseUrl, keys: &Keys) -> Option<PathBuf> {
    let keys = match keys {
        Keys::File(path) => Some(path.as_path()),
        Keys::Given(_) | Keys::KeyFile(_) => None,
    };
    let beside = database.path().or(keys)?;
    Some(beside.with_file_name(STATE))
}

/// Starts the simulated platform on a free loopback port, with an app registered for `redirect_uri`.
///
/// With a `state` file it knows every sign-in of its former life, also after a kill, and has the ids and secrets it
/// had then. Without one it lives in memory. Ids, secrets and tokens of a new life are drawn, so that a token of
/// another can never name somebody in it.
///
/// # Errors
///
/// When no port can be had, or the state file cannot be used.
pub(crate) async fn start(
    limits: bool,
    redirect_uri: RedirectUri,
    state: Option<&Path>,
) -> Result<(Server, Registration), ServerError> {
    let kept = state.map(state_seed).transpose()?.flatten();
    let seed = kept.unwrap_or_else(|| RandomState::new().build_hasher().finish());
    let mut config = Config::demo(seed, redirect_uri.as_str());
    config.switches.limits.enabled = limits;
    let app = config
        .confidential_app()
        .ok_or_else(|| io::Error::other("the demo has no app"))?;
    let (client_id, secret) = (
        app.client_id().to_owned(),
        app.client_secret().map(Secret::new),
    );
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let server = match state {
        Some(state) => Server::bind_keeping(address, config, state).await?,
        None => Server::bind(address, config).await?,
    };
    let registration = Registration {
        client_id,
        client_secret: secret,
        redirect_uri,
        server: server.base_url(),
    };
    Ok((server, registration))
}
