//! `rc-sim`: the simulated RingCentral platform on a port.

mod arguments;
mod credentials;

use std::{
    io::{self, Write},
    net::SocketAddr,
    process::ExitCode,
};

use clap::Parser;
use rc_sim::{Config, Platform, Server};

use self::{arguments::Arguments, credentials::Credentials};

#[tokio::main]
async fn main() -> ExitCode {
    match run(&Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Where this cannot be told either, the exit code still says it.
            drop(tell(io::stderr(), &format!("rc-sim: {error}")));
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: &Arguments) -> Result<(), String> {
    let config = arguments.config()?;
    let address = SocketAddr::new(arguments.host, arguments.port);
    if arguments.env {
        return print_environment(address, config);
    }
    if !arguments.host.is_loopback() {
        let warning = format!(
            "warning: {} is not a loopback address. Everybody who reaches it can sign in and control the platform.",
            arguments.host
        );
        tell(io::stderr(), &warning).map_err(cannot("print a warning"))?;
    }
    let server = listen(arguments, address, config).await?;
    // Listening for signals starts before anybody can know that the platform is up.
    let terminated = termination().map_err(cannot("listen for signals"))?;
    let credentials = Credentials::of(&server.platform(), server.base_url());
    let introduction = if arguments.json {
        credentials.json()
    } else {
        credentials.introduction()
    };
    tell(io::stdout(), &introduction).map_err(cannot("print where to start"))?;
    terminated.await.map_err(cannot("listen for signals"))?;
    server.shutdown().await;
    Ok(())
}

/// Everything printed follows from the arguments alone, so it can be known before a platform runs.
fn print_environment(address: SocketAddr, config: Config) -> Result<(), String> {
    if address.port() == 0 {
        return Err("--env needs a --port that is not 0: nobody knows the port before".to_owned());
    }
    let credentials = Credentials::of(&Platform::new(config), format!("http://{address}"));
    tell(io::stdout(), &credentials.environment()).map_err(cannot("print the variables"))
}

async fn listen(
    arguments: &Arguments,
    address: SocketAddr,
    config: Config,
) -> Result<Server, String> {
    let cannot_listen = |error: io::Error| {
        format!("cannot listen on {address}: {error}. Choose another --port or --host.")
    };
    match &arguments.state {
        None => Server::bind(address, config).await.map_err(cannot_listen),
        Some(state) => match Server::bind_keeping(address, config, state).await {
            Err(rc_sim::ServerError::Listen(error)) => Err(cannot_listen(error)),
            served => served.map_err(|error| error.to_string()),
        },
    }
}

fn cannot(what: &str) -> impl FnOnce(io::Error) -> String {
    move |error| format!("cannot {what}: {error}")
}

/// Prints `text` on `stream`. A reader that went away, as `head -1` does, has read what it wanted: the
/// platform runs on.
fn tell(mut stream: impl Write, text: &str) -> io::Result<()> {
    match writeln!(stream, "{text}").and_then(|()| stream.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        told => told,
    }
}

#[cfg(unix)]
fn termination() -> io::Result<impl Future<Output = io::Result<()>>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        Ok(())
    })
}

#[cfg(not(unix))]
fn termination() -> io::Result<impl Future<Output = io::Result<()>>> {
    Ok(tokio::signal::ctrl_c())
}
