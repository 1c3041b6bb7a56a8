//! `rc-sim`: the simulated RingCentral platform on a port.

use std::{io, net::SocketAddr, process::ExitCode, time::Duration};

use clap::{Parser, ValueEnum};
use rc_sim::{Config, RefreshReplay, Server};

/// The RingCentral platform, simulated: sign-in pages, tokens and a few resources, on your own machine.
#[derive(Debug, Parser)]
#[command(name = "rc-sim", version)]
struct Arguments {
    /// Port to listen on; 0 takes a free one.
    #[arg(long, default_value_t = 8090)]
    port: u16,
    /// Address to listen on. Whoever reaches it can sign in as anybody.
    #[arg(long, default_value = "127.0.0.1")]
    host: std::net::IpAddr,
    /// Redirect URI registered for both apps, compared byte for byte. May be given several times.
    #[arg(long = "redirect-uri", value_name = "URI", default_values_t = default_redirect_uris())]
    redirect_uris: Vec<String>,
    /// Request limits: 5 token requests a minute per app, 50 light calls, and so on.
    #[arg(long, value_enum, default_value_t = OnOff::On)]
    limits: OnOff,
    /// Life of an access token, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 3600, value_parser = clap::value_parser!(u64).range(1..))]
    access_token_ttl: u64,
    /// No grace for spent refresh tokens: presenting one ends the OAuth session.
    #[arg(long)]
    strict: bool,
    /// Ids, secrets and tokens follow from it.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Issue no refresh tokens, which is the developer console's default.
    #[arg(long)]
    no_refresh_tokens: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum OnOff {
    On,
    Off,
}

fn default_redirect_uris() -> Vec<String> {
    [
        "http://localhost:8080/oauth/callback",
        "http://127.0.0.1:8080/oauth/callback",
    ]
    .map(String::from)
    .to_vec()
}

impl Arguments {
    fn config(&self) -> Config {
        let mut config = Config::demo(self.seed, "");
        for app in &mut config.apps {
            app.redirect_uris.clone_from(&self.redirect_uris);
            app.issue_refresh_tokens = !self.no_refresh_tokens;
        }
        let switches = &mut config.switches;
        switches.limits.enabled = matches!(self.limits, OnOff::On);
        switches.token_life.access = Duration::from_secs(self.access_token_ttl);
        if self.strict {
            switches.refresh_replay = RefreshReplay::Strict;
        }
        config
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let address = SocketAddr::new(arguments.host, arguments.port);
            eprintln!(
                "rc-sim: cannot listen on {address}: {error}. Choose another --port or --host."
            );
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: &Arguments) -> io::Result<()> {
    if !arguments.host.is_loopback() {
        eprintln!(
            "warning: {} is not a loopback address. Everybody who reaches it can sign in and control the platform.",
            arguments.host
        );
    }
    let server = Server::bind(
        SocketAddr::new(arguments.host, arguments.port),
        arguments.config(),
    )
    .await?;
    // Listening for signals starts before anybody can know that the platform is up.
    let terminated = termination()?;
    println!("{}", introduction(&server));
    terminated.await?;
    server.shutdown().await;
    Ok(())
}

/// What somebody needs to start. Secrets included: they are simulated, and this is how they are told.
fn introduction(server: &Server) -> String {
    let base = server.base_url();
    let platform = server.platform();
    let config = platform.config();
    let mut lines = vec![
        format!("Simulated RingCentral platform: {base}"),
        String::new(),
    ];
    for app in &config.apps {
        let (kind, secret) = match app.client_secret() {
            Some(secret) => ("App with a secret", format!("  client secret {secret}")),
            None => ("Public app (PKCE)", String::new()),
        };
        lines.push(format!("{kind:<18} client id {}{secret}", app.client_id()));
    }
    for user in &config.users {
        lines.push(format!(
            "{:<18} {}  password {}",
            user.name(),
            user.login,
            user.password()
        ));
    }
    if let Some(app) = config.confidential_app() {
        let redirect_uri = app.redirect_uris.first().map_or("", String::as_str);
        let encoded: String =
            url::form_urlencoded::byte_serialize(redirect_uri.as_bytes()).collect();
        let (id, secret) = (app.client_id(), app.client_secret().unwrap_or_default());
        lines.extend([
            String::new(),
            "Open in a browser:".into(),
            format!("  {base}/restapi/oauth/authorize?response_type=code&client_id={id}&redirect_uri={encoded}&state=demo"),
            "then, within 60 s, with the code of the address it ends at:".into(),
            format!("  curl -u {id}:{secret} -d grant_type=authorization_code -d redirect_uri={encoded} -d code=CODE {base}/restapi/oauth/token"),
            "Counters, clock and faults:".into(),
            format!("  curl {base}/sim/counters"),
        ]);
    }
    lines.join("\n")
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
