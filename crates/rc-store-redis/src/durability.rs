//! What a server promises about what it was told.

use redis::{Value, cmd, from_redis_value};

use crate::{ConnectError, fault::Fault, node::Node, servers::Servers};

/// What an answered write survives, as the servers were configured when the store was opened: the weakest
/// of all masters. None of it covers a failover, which can lose the last writes.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub enum Durability {
    /// The server may not be asked (`CONFIG` is forbidden or renamed): nothing is known.
    Unknown,
    /// `appendonly no`, or `appendfsync no`: what was written since the last snapshot, or since the
    /// system last wrote its buffers, is lost when the server or its machine dies.
    None,
    /// `appendfsync everysec`: a write survives the death of the server's process; the death of its machine
    /// loses about the last second, two at most.
    EverySecond,
    /// `appendfsync always`: an answered write is on the disk.
    Always,
}

/// Asks every master. Refuses those that throw keys away which have no time to live.
pub(crate) async fn check(servers: &Servers) -> Result<Durability, ConnectError> {
    let mut weakest = Durability::Always;
    for node in &servers.routes().await?.nodes {
        if let Some(policy) = setting(node, "maxmemory-policy").await?
            && policy.starts_with("allkeys-")
        {
            return Err(ConnectError::Evicts { policy });
        }
        let append = setting(node, "appendonly").await?;
        let sync = setting(node, "appendfsync").await?;
        weakest = weakest.min(of(append.as_deref(), sync.as_deref()));
    }
    match weakest {
        Durability::Always => {}
        Durability::EverySecond => tracing::info!(
            "Redis writes to its disk once a second: a power cut can lose the last writes"
        ),
        Durability::None => tracing::warn!(
            "Redis does not write to its disk at once: set `appendonly yes` and `appendfsync always`, or \
             a restart can lose token pairs, whose users then have to sign in again"
        ),
        Durability::Unknown => tracing::warn!(
            "Redis may not be asked how durable it is (`CONFIG GET`): see to `appendonly yes`, \
             `appendfsync always` and `maxmemory-policy noeviction`"
        ),
    }
    Ok(weakest)
}

fn of(append: Option<&str>, sync: Option<&str>) -> Durability {
    match (append, sync) {
        (Some("yes"), Some("always")) => Durability::Always,
        (Some("yes"), Some("everysec")) => Durability::EverySecond,
        (Some("yes"), Some("no")) | (Some("no"), _) => Durability::None,
        _ => Durability::Unknown,
    }
}

/// One setting of a server, or `None` if it does not tell.
async fn setting(node: &Node, name: &str) -> Result<Option<String>, Fault> {
    let answer = match node.one(cmd("CONFIG").arg("GET").arg(name)).await {
        Ok(answer) => answer,
        Err(fault) if matches!(fault.code(), "NOPERM" | "ERR") => return Ok(None),
        Err(fault) => return Err(fault),
    };
    Ok(value(answer))
}

fn value(answer: Value) -> Option<String> {
    let pairs: Vec<(String, String)> = from_redis_value(answer).ok()?;
    let (_, value) = pairs.into_iter().next()?;
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_weakest_is_the_least() {
        let always = of(Some("yes"), Some("always"));
        let second = of(Some("yes"), Some("everysec"));
        assert!(always > second && second > of(Some("no"), Some("always")));
        assert_eq!(of(None, None).min(second), Durability::Unknown);
    }
}
