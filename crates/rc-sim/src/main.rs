//! `rc-sim`: the simulated RingCentral platform on a port.

use std::{
    io::{self, Write},
    net::SocketAddr,
    num::NonZeroUsize,
    process::ExitCode,
    time::Duration,
};

use clap::{Parser, ValueEnum};
use http::uri::Authority;
use rc_sim::{AuthLimitScope, ConcurrentDuplicates, Config, RefreshReplay, Server};

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
    /// Host name to answer to, beside localhost and the address listened on; others get 421. May be given
    /// several times.
    #[arg(long = "host-name", value_name = "NAME", value_parser = host_name)]
    host_names: Vec<String>,
    /// Redirect URI registered for both apps, compared byte for byte. May be given several times.
    #[arg(long = "redirect-uri", value_name = "URI", default_values_t = default_redirect_uris())]
    redirect_uris: Vec<String>,
    /// Request limits: 5 token requests a minute, 50 light calls, and so on.
    #[arg(long, value_enum, default_value_t = OnOff::On)]
    limits: OnOff,
    /// Whom the limit of token requests is for: the whole app, or each user of it.
    #[arg(long, value_enum, default_value_t = AuthPer::App)]
    auth_per: AuthPer,
    /// Life of an access token, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 3600, value_parser = clap::value_parser!(u64).range(1..))]
    access_token_ttl: u64,
    /// OAuth sessions that one user may have with one app; a further sign-in ends the oldest.
    #[arg(long, value_name = "COUNT", default_value_t = 5, value_parser = sessions)]
    sessions: usize,
    /// No grace for spent refresh tokens: presenting one ends the OAuth session.
    #[arg(long)]
    strict: bool,
    /// Presenting a spent refresh token after its grace ends the OAuth session instead of being refused.
    #[arg(long, conflicts_with = "strict")]
    late_reuse_ends_session: bool,
    /// Refuse a refresh (429 CMN-304) while an earlier one with the same token is in the air: for so many
    /// milliseconds after it arrived, or until its answer is sent where a fault delays that for longer.
    #[arg(long, value_name = "MILLISECONDS")]
    refuse_duplicates: Option<u64>,
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

#[derive(Clone, Copy, Debug, ValueEnum)]
enum AuthPer {
    App,
    User,
}

/// A name as it stands in a `Host` header, without a port.
fn host_name(name: &str) -> Result<String, String> {
    Authority::try_from(name)
        .ok()
        .filter(|authority| authority.host() == name)
        .map(|_| name.to_owned())
        .ok_or_else(|| "a host name without scheme, port and path is expected".to_owned())
}

/// A sign-in needs room for its own session.
fn sessions(count: &str) -> Result<usize, String> {
    let count: NonZeroUsize = count
        .parse()
        .map_err(|_| "a count of at least 1 is expected".to_owned())?;
    Ok(count.get())
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
        config.host_names.clone_from(&self.host_names);
        let switches = &mut config.switches;
        switches.limits.enabled = matches!(self.limits, OnOff::On);
        switches.token_life.access = Duration::from_secs(self.access_token_ttl);
        switches.sessions_per_extension_and_app = self.sessions;
        if self.strict {
            switches.refresh_replay = RefreshReplay::Strict;
        }
        switches.limits.auth_per = match self.auth_per {
            AuthPer::App => AuthLimitScope::App,
            AuthPer::User => AuthLimitScope::User,
        };
        switches.late_reuse_ends_session = self.late_reuse_ends_session;
        if let Some(milliseconds) = self.refuse_duplicates {
            let within = Duration::from_millis(milliseconds);
            switches.concurrent_duplicates = ConcurrentDuplicates::RefusedBusy { within };
        }
        config
    }
}

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
    if !arguments.host.is_loopback() {
        let warning = format!(
            "warning: {} is not a loopback address. Everybody who reaches it can sign in and control the platform.",
            arguments.host
        );
        tell(io::stderr(), &warning).map_err(cannot("print a warning"))?;
    }
    let address = SocketAddr::new(arguments.host, arguments.port);
    let server = Server::bind(address, arguments.config())
        .await
        .map_err(|error| {
            format!("cannot listen on {address}: {error}. Choose another --port or --host.")
        })?;
    // Listening for signals starts before anybody can know that the platform is up.
    let terminated = termination().map_err(cannot("listen for signals"))?;
    tell(io::stdout(), &introduction(&server)).map_err(cannot("print where to start"))?;
    terminated.await.map_err(cannot("listen for signals"))?;
    server.shutdown().await;
    Ok(())
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

#[cfg(test)]
mod tests {
    use super::*;

    fn switches(arguments: &[&str]) -> rc_sim::Switches {
        let arguments = ["rc-sim"].iter().chain(arguments);
        let arguments = Arguments::try_parse_from(arguments).expect("arguments");
        arguments.config().switches
    }

    #[test]
    fn without_arguments_the_documented_behaviour_is_kept() {
        let switches = switches(&[]);
        let documented = rc_sim::Switches::default();
        assert_eq!(format!("{switches:?}"), format!("{documented:?}"));
    }

    #[test]
    fn arguments_reach_the_switches_they_name() {
        let switches = switches(&[
            "--auth-per=user",
            "--late-reuse-ends-session",
            "--refuse-duplicates=250",
            "--sessions=200",
        ]);
        assert_eq!(switches.sessions_per_extension_and_app, 200);
        assert_eq!(switches.limits.auth_per, AuthLimitScope::User);
        assert!(switches.late_reuse_ends_session);
        let within = Duration::from_millis(250);
        assert_eq!(
            switches.concurrent_duplicates,
            ConcurrentDuplicates::RefusedBusy { within }
        );
    }
}
