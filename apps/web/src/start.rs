//! From configuration to a running application, and back.

use std::{
    io,
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use actix_web::dev::ServerHandle;
use rc_auth::{
    BuildError, Client, Environment, InvalidApp, RefreshPolicy, RefreshReplay, StoreCheckError,
    SystemEnvironment,
    store::{
        KeyFile, KeyProvider as _, KeyProviderError, Sealed, StoreError, TokenStore,
        copy::is_unfinished,
    },
};
use rc_auth_web::{ClientAddress, WebAuth, WebAuthBuilder};
use tokio::task::JoinHandle;

use crate::{
    config::{
        Config, DatabaseUrl, Engine, Keys, Platform, RedirectUri, Registration,
        origin_on_this_machine,
    },
    demo, keys,
    lock::{self, DatabaseLock, LockError, LockFiles, Starting},
    metrics_server::{self, MetricsServer},
    permissions, routes, server,
    state::{Application, Parts, PlatformName},
    store::{self, OpenStoreError},
    telemetry,
};

/// How long `SIGTERM` waits for refreshes, code exchanges and sign-outs to be saved, after the last
/// request has ended. Longer than a token request with its commit may take.
const SAVE_LIMIT: Duration = Duration::from_secs(45);

/// What the names of its cookies begin with.
const COOKIE_PREFIX: &str = "rc_web";

/// Why the application did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The address cannot be listened on.
    #[error(
        "BIND: {address} cannot be listened on: {source}.\nSet BIND to a free address, e.g. BIND=127.0.0.1:8081, or BIND=127.0.0.1:0 for any free port"
    )]
    Bind {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The address for measurements cannot be listened on.
    #[error(
        "RC_METRICS_BIND: {address} cannot be listened on: {source}.\nSet RC_METRICS_BIND to a free address, or unset it to measure nothing"
    )]
    MetricsBind {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The demo's own redirect URI is unusable.
    #[error("BIND: the demo's redirect URI {0}")]
    DemoAddress(String),
    /// The simulated platform did not start.
    #[error("the simulated platform did not start: {0}")]
    Simulator(#[source] rc_sim::ServerError),
    /// The folder of the database cannot be made.
    #[error("DATABASE_URL: the folder of {database} cannot be made: {source}")]
    Folder {
        /// Which database.
        database: String,
        /// What the system said.
        source: io::Error,
    },
    /// The key file is unusable.
    #[error(transparent)]
    Keys(KeyProviderError),
    /// `RC_ENCRYPTION_KEYS_FILE` is unusable.
    #[error("RC_ENCRYPTION_KEYS_FILE: {0}")]
    KeyFile(#[from] KeyProviderError),
    /// The store cannot be opened.
    #[error("DATABASE_URL: {0}")]
    Connect(#[from] OpenStoreError),
    /// `rc-web store copy` is not finished with it.
    #[error(
        "DATABASE_URL: this store is the target of a copy that is not finished. Run `rc-web store copy \
         --finish` from the store it is copied from, or use that one"
    )]
    UnfinishedCopy,
    /// The system does not say who may open the database.
    #[error("DATABASE_URL: who may open the files of the database cannot be found out: {0}")]
    Permissions(#[source] io::Error),
    /// A lock file cannot be used.
    #[error("DATABASE_URL: {0}")]
    Lock(#[from] LockError),
    /// The database cannot be opened with these keys, or does not answer.
    #[error("DATABASE_URL, RC_ENCRYPTION_KEYS: {0}")]
    Check(#[from] StoreCheckError),
    /// The database cannot be read.
    #[error("the database cannot be read: {0}")]
    Store(#[from] StoreError),
    /// `rc-auth` refuses the app.
    #[error("the app's registration is unusable: {0}")]
    OAuthApp(#[from] InvalidApp),
    /// `rc-auth` refuses the combination.
    #[error("the client cannot be built: {0}")]
    Client(#[from] BuildError),
    /// `rc-auth-web` refuses the combination.
    #[error("signing in cannot be set up: {0}")]
    WebAuth(#[from] rc_auth_web::BuildError),
    /// The web server did not start.
    #[error("the web server did not start: {0}")]
    Server(#[source] io::Error),
}

/// The application, serving.
#[derive(Debug)]
pub struct Running {
    summary: Summary,
    client: Client,
    server: ServerHandle,
    serving: JoinHandle<io::Result<()>>,
    metrics: Option<MetricsServer>,
    sweeping: JoinHandle<()>,
    simulator: Option<rc_sim::Server>,
    /// Only where the store is on this machine.
    lock: Option<DatabaseLock>,
}

/// What the operator should know after start. Holds no secret.
#[derive(Clone, Debug)]
pub struct Summary {
    /// Where it listens.
    pub address: SocketAddr,
    /// Where it gives out measurements, if it does.
    pub metrics: Option<SocketAddr>,
    /// What to open in a browser.
    pub origin: String,
    /// The platform's address.
    pub server: String,
    /// Whether the platform is simulated.
    pub simulated: bool,
    /// The database, without credentials.
    pub database: String,
    /// Where the encryption keys come from.
    pub keys: String,
    /// Files of the database that others than their owner may open.
    pub exposed: Vec<PathBuf>,
}

impl Running {
    /// Starts everything `config` asks for. Call it inside a multi-thread runtime.
    ///
    /// # Errors
    ///
    /// When a part cannot start; what was started before is stopped.
    pub async fn start(config: Config) -> Result<Self, StartError> {
        let runtime = tokio::runtime::Handle::current();
        Self::start_in(config, Arc::new(SystemEnvironment::new(runtime))).await
    }

    /// Like [`start`](Self::start), in another environment.
    ///
    /// # Errors
    ///
    /// Like [`start`](Self::start).
    pub async fn start_in(
        config: Config,
        environment: Arc<dyn Environment>,
    ) -> Result<Self, StartError> {
        let (listener, address) = listen(config.bind).map_err(|source| StartError::Bind {
            address: config.bind,
            source,
        })?;
        let metrics = config.metrics_bind.map(listen_for_metrics).transpose()?;
        if matches!(config.platform, Platform::Simulated { .. }) {
            make_folder(&config.database, &config.keys)?;
        }
        let state = demo::state_file(&config.database, &config.keys);
        let (simulator, registration) =
            platform(config.platform, address, state.as_deref()).await?;
        let keys_from = describe_keys(&config.keys);
        let ring = match config.keys {
            Keys::Given(ring) => ring,
            Keys::KeyFile(path) => KeyFile::new(path).key_ring().await?,
            Keys::File(path) => KeyFile::new(path)
                .load_or_create("demo-1")
                .map_err(StartError::Keys)?,
        };
        let store = store::open(&config.database).await?;
        if is_unfinished(&*store).await? {
            return Err(StartError::UnfinishedCopy);
        }
        let store = Arc::new(Sealed::new(store, ring.clone()));
        let mut client = Client::builder(registration.app()?.require_iss(config.require_iss))
            .sealed_store(Arc::clone(&store))
            .without_keep_alive()
            .refresh_policy(policy(config.refresh_replay))
            .environment(Arc::clone(&environment));
        if let Some(budget) = config.auth_budget {
            client = client.auth_budget(budget);
        }
        let client = client.build()?;
        client.check_store().await?;
        let lock = take_over(&client, &store, &config.database).await?;

        let summary = Summary {
            address,
            metrics: metrics.as_ref().map(|(_, bound)| *bound),
            origin: open_here(&registration.redirect_uri, address),
            server: registration.server.clone(),
            simulated: simulator.is_some(),
            database: config.database.to_string(),
            keys: keys_from,
            exposed: exposed_files(&config.database)?,
        };
        let auth = WebAuth::builder(client.clone(), ring)
            .client_address(ClientAddress::Forwarded(config.trusted_proxies))
            .callback_limit(config.callback_limit)
            .cookie_prefix(COOKIE_PREFIX)
            .probe_paths(routes::PROBES.iter().copied())
            .environment(Arc::clone(&environment))
            .build()?;
        let application = Application::new(Parts {
            auth,
            store,
            platform: PlatformName {
                host: host_of(&registration.server),
                simulated: simulator.is_some(),
            },
            environment,
            form_limit: config.form_limit,
        });
        let metrics = metrics.map(|(listener, _)| metrics_server::on(listener));
        let metrics = metrics.transpose().map_err(StartError::Server)?;
        let server = server::on(listener, application).map_err(StartError::Server)?;
        let sweeper = client.clone();
        Ok(Self {
            summary,
            client,
            metrics: metrics.map(MetricsServer::spawn),
            server: server.handle(),
            serving: tokio::spawn(server),
            sweeping: tokio::spawn(async move { sweeper.keep_alive().await }),
            simulator,
            lock,
        })
    }

    /// What to tell the operator.
    pub fn summary(&self) -> &Summary {
        &self.summary
    }

    /// The client of `rc-auth`.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Waits until the web server ends by itself, which it does only when it is broken.
    ///
    /// # Errors
    ///
    /// What broke it.
    pub async fn ended(&mut self) -> io::Result<()> {
        (&mut self.serving).await.map_err(io::Error::other)?
    }

    /// Accepts nothing new, finishes what is in the air, and saves it. Whether all of it was saved in time.
    pub async fn stop(self) -> bool {
        self.server.stop(true).await;
        if let Some(metrics) = self.metrics {
            metrics.stop().await;
        }
        let saved = self.client.shutdown(SAVE_LIMIT).await;
        self.sweeping.abort();
        if let Some(simulator) = self.simulator {
            simulator.shutdown().await;
        }
        drop(self.lock);
        saved
    }
}

/// A grant that nobody has used for 30 days is ended, like the browser session that names it.
fn policy(replay: RefreshReplay) -> RefreshPolicy {
    let mut policy = RefreshPolicy::default();
    policy.replay = replay;
    policy.max_idle = Some(WebAuthBuilder::DEFAULT_SESSION_LIFETIME);
    policy
}

fn listen(address: SocketAddr) -> io::Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind(address)?;
    let bound = listener.local_addr()?;
    Ok((listener, bound))
}

/// From here on measurements are collected.
fn listen_for_metrics(address: SocketAddr) -> Result<(TcpListener, SocketAddr), StartError> {
    let listening = listen(address);
    telemetry::collect_metrics();
    listening.map_err(|source| StartError::MetricsBind { address, source })
}

async fn platform(
    platform: Platform,
    bound: SocketAddr,
    state: Option<&Path>,
) -> Result<(Option<rc_sim::Server>, Registration), StartError> {
    match platform {
        Platform::Registered(registration) => Ok((None, registration)),
        Platform::Simulated { limits } => {
            let redirect_uri = format!("{}/oauth/callback", origin_on_this_machine(bound));
            let redirect_uri =
                RedirectUri::parse(&redirect_uri).map_err(StartError::DemoAddress)?;
            let started = demo::start(limits, redirect_uri, state).await;
            let (server, registration) = started.map_err(StartError::Simulator)?;
            Ok((Some(server), registration))
        }
    }
}

/// The folders of a demo's database and keys.
fn make_folder(database: &DatabaseUrl, keys: &Keys) -> Result<(), StartError> {
    let keys = match keys {
        Keys::File(path) => Some(path.as_path()),
        Keys::Given(_) | Keys::KeyFile(_) => None,
    };
    for path in database.path().into_iter().chain(keys) {
        keys::create_private_folder(path).map_err(|source| StartError::Folder {
            database: database.to_string(),
            source,
        })?;
    }
    Ok(())
}

/// Recovers at once what a crashed process left, if nobody else is alive; see [`crate::lock`].
///
/// Of a store on a server it cannot be known who else uses it: unfinished refreshes are taken over when
/// their time is up.
async fn take_over(
    client: &Client,
    store: &dyn TokenStore,
    database: &DatabaseUrl,
) -> Result<Option<DatabaseLock>, StartError> {
    let (Some(start), Some(presence)) = (database.beside("start-lock"), database.beside("lock"))
    else {
        return Ok(None);
    };
    let files = LockFiles { start, presence };
    let looking = tokio::task::spawn_blocking({
        let files = files.clone();
        move || Starting::wait(&files, lock::PATIENCE)
    });
    let starting = looking.await.map_err(|error| LockError::Io {
        path: files.start,
        source: io::Error::other(error),
    })??;
    // A copy may have begun, or ended half-way, while it held the start lock.
    if is_unfinished(store).await? {
        return Err(StartError::UnfinishedCopy);
    }
    if starting.is_alone() {
        let recovered = client.take_over_abandoned().await?;
        if recovered > 0 {
            tracing::info!(
                recovered,
                "took over refreshes that an earlier process left unfinished"
            );
        }
    }
    Ok(Some(starting.serve()))
}

/// Files made here are their owner's alone. Older ones may be open to others: what is in them is sealed,
/// but others could delete or replace it, so the operator is told; see [`Summary::exposed`].
fn exposed_files(database: &DatabaseUrl) -> Result<Vec<PathBuf>, StartError> {
    let Some(file) = database
        .path()
        .filter(|_| database.engine() == Engine::Sqlite)
    else {
        return Ok(Vec::new());
    };
    let exposed = permissions::exposed(file).map_err(StartError::Permissions)?;
    for path in &exposed {
        tracing::warn!(path = %path.display(), "others than its owner may open this file; run chmod 600");
    }
    Ok(exposed)
}

fn describe_keys(keys: &Keys) -> String {
    match keys {
        Keys::Given(_) => "RC_ENCRYPTION_KEYS".to_owned(),
        Keys::File(path) | Keys::KeyFile(path) => path.display().to_string(),
    }
}

/// The redirect URI's origin is where cookies work. On this machine that is where the process listens.
fn open_here(redirect_uri: &RedirectUri, address: SocketAddr) -> String {
    if redirect_uri.is_loopback()
        && redirect_uri
            .authority()
            .ends_with(&format!(":{}", address.port()))
    {
        return redirect_uri.origin();
    }
    if redirect_uri.is_https() {
        redirect_uri.origin()
    } else {
        origin_on_this_machine(address)
    }
}

fn host_of(server: &str) -> String {
    let url = url::Url::parse(server);
    url.map_or_else(|_| server.to_owned(), |url| url.authority().to_owned())
}
