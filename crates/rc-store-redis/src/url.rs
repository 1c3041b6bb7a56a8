//! What a URL names.

use std::fmt;

use percent_encoding::percent_decode_str;
use redis::RedisConnectionInfo;

use crate::{ConnectError, node::Address};

const DEFAULT_PREFIX: &str = "rc:";
const SERVER_PORT: u16 = 6379;
const SENTINEL_PORT: u16 = 26379;

/// Servers, how to log in to them, and where among their keys the records are.
pub(crate) struct Target {
    pub(crate) kind: Kind,
    pub(crate) seeds: Vec<Address>,
    pub(crate) login: RedisConnectionInfo,
    pub(crate) prefix: String,
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    Single,
    Cluster,
    Sentinel { service: String },
}

impl Target {
    pub(crate) fn parse(url: &str) -> Result<Self, ConnectError> {
        let Some((scheme, rest)) = url.split_once("://") else {
            return Err(invalid("it has no scheme"));
        };
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (user, hosts) = authority.rsplit_once('@').unwrap_or(("", authority));
        let path: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
        let (kind, db, port) = match (scheme.to_ascii_lowercase().as_str(), path.as_slice()) {
            ("redis" | "valkey", []) => (Kind::Single, 0, SERVER_PORT),
            ("redis" | "valkey", [db]) => (Kind::Single, number(db)?, SERVER_PORT),
            ("redis-cluster" | "valkey-cluster", []) => (Kind::Cluster, 0, SERVER_PORT),
            ("redis-cluster" | "valkey-cluster", _) => {
                return Err(invalid("a Cluster has no numbered databases"));
            }
            ("redis-sentinel" | "valkey-sentinel", [service, more @ ..]) if more.len() < 2 => {
                let db = more.first().map_or(Ok(0), |db| number(db))?;
                let service = decoded(service)?;
                (Kind::Sentinel { service }, db, SENTINEL_PORT)
            }
            ("redis-sentinel" | "valkey-sentinel", _) => {
                return Err(invalid(
                    "it has to name the service: `/SERVICE` or `/SERVICE/DB`",
                ));
            }
            ("rediss" | "valkeys", _) => return Err(ConnectError::Encrypted),
            ("redis" | "valkey", _) => {
                return Err(invalid("its path is not the number of a database"));
            }
            _ => return Err(invalid("its scheme is none of this crate's")),
        };
        let seeds = hosts.split(',').map(|host| address(host, port));
        let seeds: Vec<Address> = seeds.collect::<Result<_, _>>()?;
        if kind == Kind::Single && seeds.len() > 1 {
            return Err(invalid(
                "it names several servers, which only Cluster and Sentinel have",
            ));
        }
        Ok(Self {
            kind,
            seeds,
            login: login(user)?.set_db(db),
            prefix: prefix(query)?,
        })
    }
}

fn invalid(problem: &'static str) -> ConnectError {
    ConnectError::InvalidUrl { problem }
}

fn number(text: &str) -> Result<i64, ConnectError> {
    let number = text.parse::<u16>();
    number
        .map(i64::from)
        .map_err(|_| invalid("its path is not the number of a database"))
}

fn decoded(text: &str) -> Result<String, ConnectError> {
    let text = percent_decode_str(text).decode_utf8();
    text.map(Into::into)
        .map_err(|_| invalid("a name or password in it is not UTF-8"))
}

fn login(user: &str) -> Result<RedisConnectionInfo, ConnectError> {
    let mut login = RedisConnectionInfo::default();
    let (name, password) = match user.split_once(':') {
        Some((name, password)) => (decoded(name)?, decoded(password)?),
        None => (decoded(user)?, String::new()),
    };
    if !name.is_empty() {
        login = login.set_username(name);
    }
    if !password.is_empty() {
        login = login.set_password(password);
    }
    Ok(login)
}

fn address(text: &str, default: u16) -> Result<Address, ConnectError> {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let Some((host, port)) = rest.split_once(']') else {
                return Err(invalid("an IPv6 address in it is not closed by `]`"));
            };
            (host, port.strip_prefix(':'))
        }
        None => match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    if host.is_empty() {
        return Err(invalid("it names no host"));
    }
    let port = match port {
        Some(port) => port
            .parse()
            .map_err(|_| invalid("a port in it is no number"))?,
        None => default,
    };
    Ok((host.to_owned(), port))
}

fn prefix(query: &str) -> Result<String, ConnectError> {
    let mut prefix = DEFAULT_PREFIX.to_owned();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let Some(("prefix", value)) = pair.split_once('=') else {
            return Err(invalid("the only parameter that it may have is `prefix`"));
        };
        prefix = decoded(value)?;
    }
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b":_.-".contains(&byte);
    if prefix.is_empty() || prefix.len() > 64 || !prefix.bytes().all(allowed) {
        return Err(invalid(
            "its prefix has to be 1 to 64 letters, digits, `:`, `_`, `.` or `-`",
        ));
    }
    Ok(prefix)
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Target")
            .field("kind", &self.kind)
            .field("seeds", &self.seeds)
            .field("prefix", &self.prefix)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(url: &str) -> Target {
        Target::parse(url).unwrap()
    }

    #[test]
    fn a_url_names_server_login_database_and_prefix() {
        let target = parse("redis://app:p%40ss@db.example.com:7000/3?prefix=tokens:");
        assert_eq!(target.seeds, [("db.example.com".to_owned(), 7000)]);
        assert_eq!(target.login.username(), Some("app"));
        assert_eq!(target.login.password(), Some("p@ss"));
        assert_eq!((target.login.db(), target.prefix.as_str()), (3, "tokens:"));
        assert!(!format!("{target:?}").contains("p@ss"));
        let target = parse("valkey://[::1]");
        assert_eq!(target.seeds, [("::1".to_owned(), 6379)]);
        assert_eq!(target.prefix, "rc:");
    }

    #[test]
    fn clusters_and_sentinels_name_several_servers() {
        let target = parse("redis-cluster://a.example.com,b.example.com:7001");
        assert_eq!(target.kind, Kind::Cluster);
        assert_eq!(target.seeds[1], ("b.example.com".to_owned(), 7001));
        let target = parse("redis-sentinel://a.example.com,b.example.com/tokens/2");
        let service = "tokens".to_owned();
        assert_eq!(target.kind, Kind::Sentinel { service });
        assert_eq!((target.seeds[0].1, target.login.db()), (26379, 2));
    }

    #[test]
    fn urls_that_mean_nothing_are_refused_without_being_shown() {
        for url in [
            "hunter2",
            "redis://",
            "redis://u:hunter2@h:x",
            "redis://u:hunter2@h/one",
            "redis://u:hunter2@h/1/2",
            "redis://u:hunter2@a,b",
            "redis://u:hunter2@h?prefix={x}",
            "redis://u:hunter2@h?prefix=",
            "redis://u:hunter2@h?user=x",
            "redis-cluster://u:hunter2@h/1",
            "redis-sentinel://u:hunter2@h",
            "rediss://u:hunter2@h",
            "hunter2://h",
        ] {
            let refused = Target::parse(url).err();
            let shown = format!("{refused:?} {}", refused.as_ref().unwrap());
            assert!(!shown.contains("hunter2"), "{shown}");
        }
    }
}
