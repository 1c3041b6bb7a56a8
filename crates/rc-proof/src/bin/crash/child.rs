//! One process: it does one thing, and dies or stands still at the point it was told.

use std::{io::BufRead as _, sync::Arc, time::Duration};

use rc_auth::{AuthBudget, Client, GrantKey, OAuthApp, RefreshPolicy, Secret, store::TokenStore};
use rc_store_sql::SqlStore;

use crate::{
    points::{How, Points},
    stampede,
    wrappers::{PointedHttp, PointedStore},
};

pub(crate) const CALLBACK: &str = "http://127.0.0.1:8080/oauth/callback";

/// What a process does.
#[derive(Clone, Copy, Debug, Eq, PartialEq, clap::ValueEnum)]
pub(crate) enum Deed {
    SignIn,
    Refresh,
    SignOut,
    /// Takes over what a process that died has left.
    Sweep,
    Stampede,
}

/// What a process is told.
#[derive(Debug, clap::Args)]
pub(crate) struct Orders {
    #[arg(long)]
    pub(crate) store: String,
    #[arg(long)]
    pub(crate) platform: String,
    #[arg(long)]
    pub(crate) client_id: String,
    #[arg(long)]
    pub(crate) client_secret: String,
    #[arg(long)]
    pub(crate) key: String,
    #[arg(long)]
    pub(crate) deed: Deed,
    #[arg(long)]
    pub(crate) how: How,
    #[arg(long, default_value = "")]
    pub(crate) at: String,
    #[arg(long, default_value_t = 1)]
    pub(crate) callers: usize,
}

/// Others wait a second for a process that says nothing, instead of ten.
pub(crate) fn policy() -> RefreshPolicy {
    let mut policy = RefreshPolicy::default();
    policy.owner_silence = Duration::from_secs(1);
    policy.renew_every = Duration::from_millis(300);
    policy.budget = AuthBudget::Off;
    policy
}

/// A client on this store, without a sweeper of its own.
///
/// # Errors
///
/// When something of it cannot be used.
pub(crate) fn client(
    orders: &Orders,
    store: impl TokenStore + 'static,
    points: Arc<Points>,
) -> Result<Client, String> {
    let secret = Some(Secret::new(orders.client_secret.clone()));
    let app = OAuthApp::new(&orders.client_id, secret, CALLBACK, &orders.platform)
        .map_err(|error| error.to_string())?;
    let http = rc_http::ReqwestClient::new().map_err(|error| error.to_string())?;
    Client::builder(app)
        .clear_text_store(store)
        .transport(Arc::new(PointedHttp { http, points }))
        .refresh_policy(policy())
        .without_keep_alive()
        .build()
        .map_err(|error| error.to_string())
}

/// # Errors
///
/// When it cannot do what it was told.
pub(crate) fn run(orders: Orders) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| error.to_string())?;
    runtime.block_on(obey(orders))
}

async fn obey(orders: Orders) -> Result<(), String> {
    let store = SqlStore::connect(&orders.store)
        .await
        .map_err(|error| error.to_string())?;
    let points = Arc::new(Points::new(orders.how, orders.at.clone()));
    let store = PointedStore {
        store: Arc::new(store),
        points: points.clone(),
    };
    let client = client(&orders, store, points)?;
    if orders.deed == Deed::Stampede {
        return stampede::join(&client, orders.callers).await;
    }
    let key = GrantKey::new(orders.key.clone());
    let result = act(&client, key, orders.deed).await;
    client.shutdown(Duration::from_secs(5)).await;
    match result {
        Ok(()) => println!("done"),
        Err(error) => println!("not done: {error}"),
    }
    Ok(())
}

async fn act(client: &Client, key: GrantKey, deed: Deed) -> Result<(), String> {
    match deed {
        Deed::SignIn => {
            let sign_in = client.begin_sign_in().map_err(|error| error.to_string())?;
            println!("url {}", sign_in.url);
            let query = line()?;
            let finished = client.finish_sign_in_as(key, sign_in.pending, &query).await;
            finished.map(|_| ()).map_err(|error| error.to_string())
        }
        Deed::Refresh => {
            let refreshed = client.grant(&key).refresh().await;
            refreshed.map(|_| ()).map_err(|error| error.to_string())
        }
        Deed::SignOut => {
            let left = client.grant(&key).sign_out().await;
            left.map(|_| ()).map_err(|error| error.to_string())
        }
        Deed::Sweep => {
            let left = client.take_over_abandoned().await;
            left.map_err(|error| error.to_string())?;
            let sweeper = client.clone();
            let sweep = tokio::spawn(async move { sweeper.keep_alive().await });
            tokio::time::sleep(Duration::from_secs(1)).await;
            sweep.abort();
            Ok(())
        }
        Deed::Stampede => Ok(()),
    }
}

/// A line of what the parent says.
///
/// # Errors
///
/// When it says nothing more.
pub(crate) fn line() -> Result<String, String> {
    let mut line = String::new();
    match std::io::stdin().lock().read_line(&mut line) {
        Ok(0) => Err("the parent is gone".to_owned()),
        Ok(_) => Ok(line.trim_end().to_owned()),
        Err(error) => Err(error.to_string()),
    }
}
