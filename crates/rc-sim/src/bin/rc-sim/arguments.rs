//! What can be said on the command line.

use std::{fs, num::NonZeroUsize, path::PathBuf, time::Duration};

use clap::{Parser, ValueEnum};
use http::uri::Authority;
use rc_sim::{AuthLimitScope, ConcurrentDuplicates, Config, RefreshReplay, Switches};
use serde_json::{Value, json};

/// The RingCentral platform, simulated: sign-in pages, tokens and a few resources, on your own machine.
#[derive(Debug, Parser)]
#[command(name = "rc-sim", version)]
pub(crate) struct Arguments {
    /// Port to listen on; 0 takes a free one.
    #[arg(long, default_value_t = 8090)]
    pub(crate) port: u16,
    /// Address to listen on. Whoever reaches it can sign in as anybody.
    #[arg(long, default_value = "127.0.0.1")]
    pub(crate) host: std::net::IpAddr,
    /// Host name to answer to, beside localhost and the address listened on; others get 421. May be given
    /// several times.
    #[arg(long = "host-name", value_name = "NAME", value_parser = host_name)]
    host_names: Vec<String>,
    /// Redirect URI registered for all apps, compared byte for byte. May be given several times.
    /// Without it: /oauth/callback on localhost:8080 and 127.0.0.1:8080.
    #[arg(long = "redirect-uri", value_name = "URI")]
    redirect_uris: Vec<String>,
    /// Print the URL, ids, secrets and a personal JWT as KEY=value lines for a shell, and end.
    #[arg(long, conflicts_with = "json")]
    pub(crate) env: bool,
    /// Print them as one line of JSON, once the platform listens.
    #[arg(long)]
    pub(crate) json: bool,
    /// File to keep everything in over a restart; made when it is not there, readable by its owner only.
    #[arg(long, value_name = "FILE", conflicts_with = "env")]
    pub(crate) state: Option<PathBuf>,
    /// TOML file with apps, users and switches.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Sets a switch, such as limits.auth=200 or refresh_replay=strict. May be given several times; the last
    /// word on a switch.
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = setting)]
    settings: Vec<Value>,
    /// Request limits: 5 token requests a minute, 50 light calls, and so on. On unless switched off.
    #[arg(long, value_enum)]
    limits: Option<OnOff>,
    /// Whom the limit of token requests is for: the whole app (the default), or each user of it.
    #[arg(long, value_enum)]
    auth_per: Option<AuthPer>,
    /// Life of an access token, in seconds; 3600 unless said.
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    access_token_ttl: Option<u64>,
    /// Life of an authorization code, in seconds; 60 unless said.
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    code_ttl: Option<u64>,
    /// OAuth sessions that one user may have with one app, 5 unless said; a further sign-in ends the oldest.
    #[arg(long, value_name = "COUNT", value_parser = sessions)]
    sessions: Option<usize>,
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

/// `a.b=1` as `{"a":{"b":1}}`. What is no JSON is a word.
fn setting(text: &str) -> Result<Value, String> {
    let (name, value) = text
        .split_once('=')
        .ok_or_else(|| "NAME=VALUE is expected, such as limits.auth=200".to_owned())?;
    let value = serde_json::from_str(value).unwrap_or_else(|_| Value::from(value));
    let patch = name
        .rsplit('.')
        .fold(value, |value, name| json!({ name: value }));
    // Refused here, so that the message is that of a bad argument.
    match Switches::default().patched(patch.clone()) {
        Ok(_) => Ok(patch),
        Err(error) => Err(error.to_string()),
    }
}

const DEFAULT_REDIRECT_URIS: [&str; 2] = [
    "http://localhost:8080/oauth/callback",
    "http://127.0.0.1:8080/oauth/callback",
];

impl Arguments {
    /// The demo, what the file changes about it, and what the command line does.
    pub(crate) fn config(&self) -> Result<Config, String> {
        let mut config = Config::demo(self.seed, "");
        for app in &mut config.apps {
            app.redirect_uris = DEFAULT_REDIRECT_URIS.map(String::from).to_vec();
        }
        if let Some(path) = &self.config {
            let text = fs::read_to_string(path)
                .map_err(|error| format!("cannot read {}: {error}", path.display()))?;
            config = config
                .with_toml(&text)
                .map_err(|error| format!("{}: {error}", path.display()))?;
        }
        self.change_apps(&mut config);
        config.host_names.extend(self.host_names.iter().cloned());
        self.change_switches(&mut config.switches);
        for setting in &self.settings {
            config.switches = config
                .switches
                .patched(setting.clone())
                .map_err(|error| error.to_string())?;
        }
        Ok(config)
    }

    fn change_apps(&self, config: &mut Config) {
        for app in &mut config.apps {
            if !self.redirect_uris.is_empty() {
                app.redirect_uris.clone_from(&self.redirect_uris);
            }
            if self.no_refresh_tokens {
                app.issue_refresh_tokens = false;
            }
        }
    }

    fn change_switches(&self, switches: &mut Switches) {
        if let Some(limits) = self.limits {
            switches.limits.enabled = matches!(limits, OnOff::On);
        }
        if let Some(seconds) = self.access_token_ttl {
            switches.token_life.access = Duration::from_secs(seconds);
        }
        if let Some(seconds) = self.code_ttl {
            switches.code_life = Duration::from_secs(seconds);
        }
        if let Some(sessions) = self.sessions {
            switches.sessions_per_extension_and_app = sessions;
        }
        if self.strict {
            switches.refresh_replay = RefreshReplay::Strict;
        }
        match self.auth_per {
            Some(AuthPer::App) => switches.limits.auth_per = AuthLimitScope::App,
            Some(AuthPer::User) => switches.limits.auth_per = AuthLimitScope::User,
            None => {}
        }
        if self.late_reuse_ends_session {
            switches.late_reuse_ends_session = true;
        }
        if let Some(milliseconds) = self.refuse_duplicates {
            let within = Duration::from_millis(milliseconds);
            switches.concurrent_duplicates = ConcurrentDuplicates::RefusedBusy { within };
        }
    }
}

#[cfg(test)]
mod tests {
    use rc_sim::AccessTokenInQuery;

    use super::*;

    fn switches(arguments: &[&str]) -> Switches {
        let arguments = ["rc-sim"].iter().chain(arguments);
        let arguments = Arguments::try_parse_from(arguments).expect("arguments");
        arguments.config().expect("a configuration").switches
    }

    #[test]
    fn without_arguments_the_documented_behaviour_is_kept() {
        assert_eq!(switches(&[]), Switches::default());
    }

    #[test]
    fn arguments_reach_the_switches_they_name() {
        let switches = switches(&[
            "--auth-per=user",
            "--late-reuse-ends-session",
            "--refuse-duplicates=250",
            "--sessions=200",
            "--code-ttl=5",
            "--set=limits.light=7",
            "--set=access_token_in_query=everywhere",
        ]);
        assert_eq!(switches.sessions_per_extension_and_app, 200);
        assert_eq!(switches.limits.auth_per, AuthLimitScope::User);
        assert_eq!(switches.limits.light, 7);
        assert_eq!(switches.limits.medium, 40);
        assert_eq!(switches.code_life, Duration::from_secs(5));
        assert_eq!(
            switches.access_token_in_query,
            AccessTokenInQuery::Everywhere
        );
        assert!(switches.late_reuse_ends_session);
        let within = Duration::from_millis(250);
        assert_eq!(
            switches.concurrent_duplicates,
            ConcurrentDuplicates::RefusedBusy { within }
        );
    }

    #[test]
    fn switches_that_nobody_knows_are_named() {
        for (setting, named) in [
            ("--set=limits.ligth=7", "ligth"),
            ("--set=refresh_replay=loose", "loose"),
            ("--set=limits", "NAME=VALUE"),
        ] {
            let error = Arguments::try_parse_from(["rc-sim", setting]).expect_err("refused");
            assert!(error.to_string().contains(named), "{error}");
        }
    }
}
