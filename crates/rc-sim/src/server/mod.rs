//! A platform on a port.

mod connection;
mod host;

use std::{
    io,
    net::SocketAddr,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use tokio::{
    net::TcpListener,
    sync::watch,
    task::{JoinHandle, JoinSet},
};

use self::{connection::Shared, host::Hosts};
use crate::{
    config::Config,
    platform::Platform,
    state::file::{StateError, StateFile},
    timestamp::Timestamp,
};

/// How long [`Server::shutdown`] waits for answers that are on their way.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(3);
/// How long to wait after the system had no connection to give, out of file descriptors for example.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// A simulated platform that listens on a port, with the control API at `/sim/`.
///
/// Its time is the system's clock plus what [`Platform::advance`] added. It runs in a task of the tokio
/// runtime that bound it, and ends when it is shut down or dropped.
///
/// It answers requests whose `Host` is `localhost`, a loopback address, the address it listens on or was
/// reached at, or one of [`Config::host_names`], with any port. Others get 421.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// use rc_sim::{Config, Server};
///
/// let config = Config::demo(1, "http://localhost:8080/oauth/callback");
/// let server = Server::bind(([127, 0, 0, 1], 0).into(), config).await?;
/// assert!(server.base_url().starts_with("http://127.0.0.1:"));
/// server.platform().enable_limits(false);
/// server.shutdown().await;
/// # Ok::<(), std::io::Error>(())
/// # })?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    platform: Arc<Mutex<Platform>>,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

/// Why a server that keeps its state did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServerError {
    /// The address cannot be bound.
    #[error("cannot listen: {0}")]
    Listen(#[from] io::Error),
    /// The state file cannot be used.
    #[error(transparent)]
    State(#[from] StateError),
}

impl Server {
    /// Listens on `address`; port 0 takes a free one. Use a loopback address: whoever reaches the port can
    /// sign in as anybody.
    ///
    /// # Errors
    ///
    /// When the address cannot be bound.
    pub async fn bind(address: SocketAddr, config: Config) -> io::Result<Self> {
        Self::serve(address, Arc::new(Mutex::new(Platform::new(config)))).await
    }

    /// Like [`bind`](Self::bind), with everything that is to outlive the process kept in the file at `state`,
    /// which is made when it is not there, for its owner only.
    ///
    /// Port 0 takes the port of the former life when that is free, so that clients find the platform where it was.
    /// What a request changes is in the file before its answer leaves; what is changed through
    /// [`platform`](Self::platform) is there with the next request. The file is free again after
    /// [`shutdown`](Self::shutdown).
    ///
    /// # Errors
    ///
    /// When the address cannot be bound, or the file cannot be used: it is in use, of another seed, or not one.
    pub async fn bind_keeping(
        address: SocketAddr,
        config: Config,
        state: &Path,
    ) -> Result<Self, ServerError> {
        let (mut file, platform) = StateFile::open(state, config)?;
        let listener = listen_again(address, file.port()).await?;
        file.begin(&platform, listener.local_addr()?.port(), wall_clock())?;
        let platform = Arc::new(Mutex::new(platform));
        Ok(Self::on(listener, platform, Some(file))?)
    }

    /// Like [`bind`](Self::bind), for a platform that exists already.
    ///
    /// # Errors
    ///
    /// When the address cannot be bound.
    pub async fn serve(address: SocketAddr, platform: Arc<Mutex<Platform>>) -> io::Result<Self> {
        Self::on(TcpListener::bind(address).await?, platform, None)
    }

    fn on(
        listener: TcpListener,
        platform: Arc<Mutex<Platform>>,
        state: Option<StateFile>,
    ) -> io::Result<Self> {
        let address = listener.local_addr()?;
        let (stop, stopped) = watch::channel(false);
        let shared = Shared {
            hosts: Hosts::new(lock(&platform).config(), address.ip()),
            platform: Arc::clone(&platform),
            state: state.map(|state| Arc::new(Mutex::new(state))),
            happened: Arc::new(watch::Sender::new(())),
        };
        let task = tokio::spawn(accept(listener, shared, stopped));
        Ok(Self {
            address,
            platform,
            stop,
            task,
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The server URL for clients, without a slash at its end.
    #[must_use]
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The platform, locked. Requests wait meanwhile: never hold it across an await.
    pub fn platform(&self) -> MutexGuard<'_, Platform> {
        lock(&self.platform)
    }

    /// The platform, to be kept by a test that outlives the borrow.
    #[must_use]
    pub fn platform_handle(&self) -> Arc<Mutex<Platform>> {
        Arc::clone(&self.platform)
    }

    /// The callers' time: what to pass to methods of [`Platform`] that take one.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        wall_clock()
    }

    /// Stops listening, lets answers on their way finish for up to 3 s, and closes every connection.
    pub async fn shutdown(mut self) {
        self.stop.send_replace(true);
        // A task that panicked has stopped as well.
        if let Err(error) = (&mut self.task).await {
            debug_assert!(error.is_cancelled(), "the accept loop panicked");
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Listens where the platform was before, if any port will do and that one is free.
async fn listen_again(address: SocketAddr, before: Option<u16>) -> io::Result<TcpListener> {
    if let Some(port) = before.filter(|_| address.port() == 0)
        && let Ok(listener) = TcpListener::bind((address.ip(), port)).await
    {
        return Ok(listener);
    }
    TcpListener::bind(address).await
}

async fn accept(listener: TcpListener, shared: Shared, mut stopped: watch::Receiver<bool>) {
    // Dropping the set, also by aborting this task, ends its connections.
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            () = stop_signal(&mut stopped) => break,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(connection::serve(stream, shared.clone(), stopped.clone()));
                }
                Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
            },
        }
    }
    drop(listener);
    let finish = async { while connections.join_next().await.is_some() {} };
    let late = tokio::time::timeout(SHUTDOWN_GRACE, finish).await.is_err();
    if late {
        connections.shutdown().await;
    }
}

/// Returns when the server stops, or is gone.
async fn stop_signal(stopped: &mut watch::Receiver<bool>) {
    let signal = stopped.wait_for(|stop| *stop).await;
    drop(signal);
}

fn lock(platform: &Mutex<Platform>) -> MutexGuard<'_, Platform> {
    platform.lock().unwrap_or_else(PoisonError::into_inner)
}

fn wall_clock() -> Timestamp {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Timestamp::default().plus(since)
}
