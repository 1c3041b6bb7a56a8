//! The store.

use std::{fmt, future::Future, sync::Arc, time::Duration};

use rc_store::{
    BoxFuture, ChangeStream, Due, DueAt, DueCursor, Expect, Listed, MAX_PAYLOAD, RecordKey,
    StoreError, Stored, TokenStore, Version,
};
use redis::{Cmd, Value, cmd, from_redis_value};
use tokio::{sync::watch, time::timeout};

use crate::{
    ConnectError, Durability, changes, durability,
    fault::Fault,
    listing,
    names::{Names, Tag, cursor_text, due_member, due_text, version_text},
    record::{self, Damaged, UNREADABLE},
    script::{CONFLICT, Call, MINE, Script, WRITTEN},
    servers::{Answer, Servers, WrongKind},
    url::Target,
};

/// No call takes longer: then it is [`StoreError::Unavailable`].
const CALL_LIMIT: Duration = Duration::from_secs(10);

/// The most records one call of `due` returns.
const DUE_PAGE: usize = 1000;

/// The most records one call of `scan` returns: 6.4 MiB at the largest.
const SCAN_PAGE: usize = 100;

/// The most keys that `versions` asks for at once.
const VERSIONS_PART: usize = 1000;

/// The version of the layout of keys and values.
const SCHEMA: &str = "1";

/// Records in Redis or Valkey. Clones share its connections.
///
/// Payloads are stored as they are given: put [`Sealed`](rc_store::Sealed) around it. A write is one script
/// on one server, so dropping its future leaves nothing half done. Every call ends within ten seconds. One
/// call of [`due`](TokenStore::due) returns at most 1000 records, one of [`scan`](TokenStore::scan) 100.
///
/// A replacement whose answer was lost is sent once more, because the script knows its own version again;
/// a creation or deletion is not, and is [`StoreError::Unavailable`].
#[derive(Clone)]
pub struct RedisStore {
    servers: Arc<Servers>,
    scripts: Arc<Scripts>,
    durability: Durability,
    /// Ends the streams of changes when the last clone is dropped.
    open: Arc<watch::Sender<()>>,
}

struct Scripts {
    save: Script,
    delete: Script,
}

impl RedisStore {
    /// Connects to the servers of `url`, and marks the prefix as this crate's.
    ///
    /// `redis://[user:password@]host[:port][/db][?prefix=NAME]`; the page of the crate shows the other
    /// forms. It asks the servers how durable they are, and logs a warning where that is little.
    ///
    /// # Errors
    ///
    /// [`ConnectError`] says what is wrong with the URL or the servers. Nothing stays behind: a later
    /// call works when the cause is gone.
    pub async fn connect(url: &str) -> Result<Self, ConnectError> {
        let servers = Arc::new(Servers::new(Target::parse(url)?));
        let opened = timeout(CALL_LIMIT, async {
            servers.probe().await?;
            let durability = durability::check(&servers).await?;
            mark(&servers).await?;
            Ok::<_, ConnectError>(durability)
        });
        let durability = opened.await.unwrap_or_else(|_late| {
            Err(Fault::no_server("the Redis servers do not answer in time").into())
        })?;
        Ok(Self {
            servers,
            scripts: Arc::new(Scripts {
                save: Script::save(),
                delete: Script::delete(),
            }),
            durability,
            open: Arc::new(watch::channel(()).0),
        })
    }

    /// What an answered write survives, as the servers said when the store was opened.
    #[must_use]
    pub fn durability(&self) -> Durability {
        self.durability
    }

    fn names(&self) -> &Names {
        &self.servers.names
    }

    /// Record, what is due, and all keys: all in one slot.
    fn keys(&self, key: &RecordKey) -> [String; 3] {
        let tag = Tag::of(key);
        let names = self.names();
        [names.record(key), names.due(tag), names.keys(tag)]
    }

    async fn write(
        &self,
        key: &RecordKey,
        script: &Script,
        arguments: Vec<&[u8]>,
        repeatable: bool,
    ) -> Result<(), StoreError> {
        let call = Call {
            script,
            keys: self.keys(key),
            arguments,
        };
        let answer = self.servers.write(Tag::of(key), &call, repeatable).await?;
        match answer {
            Answer {
                value: WRITTEN | MINE,
                ..
            } => Ok(()),
            Answer {
                value: CONFLICT,
                repeated: None,
            } => Err(StoreError::Conflict),
            // The first one may have been written, and another write may have followed it.
            Answer {
                repeated: Some(lost),
                ..
            } => Err(lost.into()),
            Answer { .. } => {
                Err(Fault::unexpected("a script answered a number it never does").into())
            }
        }
    }

    /// The values of these keys.
    async fn values(
        &self,
        keys: &[RecordKey],
    ) -> Result<Vec<Result<Option<Vec<u8>>, StoreError>>, StoreError> {
        let commands: Vec<(Tag, Cmd)> = keys
            .iter()
            .map(|key| (Tag::of(key), record::get(&self.names().record(key))))
            .collect();
        let answers = self.servers.read(&commands).await?;
        Ok(answers.into_iter().map(value).collect())
    }

    async fn versions_of(&self, keys: &[RecordKey]) -> Result<Vec<Option<Version>>, StoreError> {
        let commands: Vec<(Tag, Cmd)> = keys
            .iter()
            .map(|key| {
                let mut command = cmd("GETRANGE");
                command.arg(self.names().record(key)).arg(0).arg(15);
                (Tag::of(key), command)
            })
            .collect();
        let answers = self.servers.read(&commands).await?;
        let mut versions = Vec::with_capacity(keys.len());
        let mut empty = Vec::new();
        for (place, answer) in answers.into_iter().enumerate() {
            versions.push(match value(answer) {
                Ok(Some(start)) if start.is_empty() => {
                    empty.push(place);
                    None
                }
                Ok(start) => start.map(|start| record::version(&start)),
                Err(_unreadable) => Some(UNREADABLE),
            });
        }
        // Nothing: either no record, or one of which nothing is left.
        let absent: Vec<RecordKey> = empty.iter().map(|place| keys[*place]).collect();
        if !absent.is_empty() {
            for (place, value) in empty.into_iter().zip(self.values(&absent).await?) {
                let value = value.unwrap_or(Some(Vec::new()));
                versions[place] = value.map(|value| record::version(&value));
            }
        }
        Ok(versions)
    }

    async fn keys_after(
        &self,
        after: Option<RecordKey>,
        limit: usize,
    ) -> Result<Vec<RecordKey>, StoreError> {
        let from = after.map_or("-".to_owned(), |key| format!("({}", key.to_hex()));
        let name = |tag| self.names().keys(tag);
        let members = listing::next(&self.servers, name, &from, "+", limit).await?;
        let key = |text: &String| {
            let key = RecordKey::from_hex(text);
            key.ok_or_else(|| Fault::unexpected("the index of keys holds something else").into())
        };
        members.iter().map(key).collect()
    }
}

/// Writes which layout the records have, or finds that it is another one.
async fn mark(servers: &Servers) -> Result<(), ConnectError> {
    let name = servers.names.schema();
    let Some(tag) = Tag::all().next() else {
        return Ok(());
    };
    let mut set = cmd("SET");
    set.arg(&name).arg(SCHEMA).arg("NX");
    let answers = servers
        .read(&[(tag, set), (tag, record::get(&name))])
        .await?;
    let found = match answers.into_iter().nth(1) {
        Some(Ok(found)) => from_redis_value::<String>(found).unwrap_or_default(),
        _ => String::new(),
    };
    if found == SCHEMA {
        return Ok(());
    }
    let found = found.chars().take(16).collect();
    Err(ConnectError::NewerSchema { found })
}

fn value(answer: Result<Value, WrongKind>) -> Result<Option<Vec<u8>>, StoreError> {
    match answer {
        Ok(Value::Nil) => Ok(None),
        Ok(Value::BulkString(value)) => Ok(Some(value)),
        Ok(_) | Err(WrongKind) => Err(StoreError::corrupt(Damaged {
            problem: "it is of another kind",
        })),
    }
}

/// Bounds a call. What it has begun may still take effect: a write's outcome is unknown.
async fn within<T>(call: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    let done = timeout(CALL_LIMIT, call).await;
    done.unwrap_or_else(|elapsed| Err(StoreError::unavailable(elapsed)))
}

impl TokenStore for RedisStore {
    fn load<'a>(&'a self, key: &'a RecordKey) -> BoxFuture<'a, Result<Option<Stored>, StoreError>> {
        Box::pin(within(async move {
            let values = self.values(&[*key]).await?;
            let Some(value) = values.into_iter().next() else {
                return Ok(None);
            };
            value?.as_deref().map(record::decode).transpose()
        }))
    }

    fn save<'a>(
        &'a self,
        key: &'a RecordKey,
        payload: &'a [u8],
        due: Option<DueAt>,
        expect: Expect,
    ) -> BoxFuture<'a, Result<Version, StoreError>> {
        Box::pin(within(async move {
            if payload.len() > MAX_PAYLOAD {
                return Err(StoreError::TooLarge {
                    size: payload.len(),
                    limit: MAX_PAYLOAD,
                });
            }
            let version = Version::random()?;
            let expected = match &expect {
                Expect::Absent => &[][..],
                Expect::Version(expected) => expected.as_bytes(),
            };
            let hex = key.to_hex();
            let notice = format!("{hex}{}", version_text(version));
            let channel = self.names().channel();
            let due_text = due.map(due_text).unwrap_or_default();
            let value = record::encode(version, due, payload);
            let arguments = vec![
                hex.as_bytes(),
                channel.as_bytes(),
                notice.as_bytes(),
                expected,
                version.as_bytes(),
                &value,
                due_text.as_bytes(),
            ];
            // A creation that was late could make again what somebody has deleted meanwhile.
            let repeatable = expect != Expect::Absent;
            self.write(key, &self.scripts.save, arguments, repeatable)
                .await?;
            Ok(version)
        }))
    }

    fn delete<'a>(
        &'a self,
        key: &'a RecordKey,
        expect: Version,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(within(async move {
            let hex = key.to_hex();
            let channel = self.names().channel();
            let arguments = vec![
                hex.as_bytes(),
                channel.as_bytes(),
                hex.as_bytes(),
                expect.as_bytes(),
            ];
            self.write(key, &self.scripts.delete, arguments, false)
                .await
        }))
    }

    fn due<'a>(
        &'a self,
        after: Option<DueCursor>,
        before: DueAt,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Due>, StoreError>> {
        Box::pin(within(async move {
            let from = after.map_or("-".to_owned(), |after| format!("({}", cursor_text(after)));
            // Behind every key of that time.
            let to = format!("({}g", due_text(before));
            let name = |tag| self.names().due(tag);
            let limit = limit.min(DUE_PAGE);
            let members = listing::next(&self.servers, name, &from, &to, limit).await?;
            let due = |text: &String| {
                let due = due_member(text);
                due.ok_or_else(|| {
                    Fault::unexpected("the index of due times holds something else").into()
                })
            };
            members.iter().map(due).collect()
        }))
    }

    fn scan<'a>(
        &'a self,
        after: Option<RecordKey>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Listed>, StoreError>> {
        Box::pin(within(async move {
            let mut after = after;
            loop {
                let keys = self.keys_after(after, limit.min(SCAN_PAGE)).await?;
                let Some(last) = keys.last() else {
                    return Ok(Vec::new());
                };
                after = Some(*last);
                let values = self.values(&keys).await?;
                let listed: Vec<Listed> = keys.into_iter().zip(values).filter_map(listed).collect();
                // All of them deleted in between is not the end.
                if !listed.is_empty() {
                    return Ok(listed);
                }
            }
        }))
    }

    fn versions<'a>(
        &'a self,
        keys: &'a [RecordKey],
    ) -> BoxFuture<'a, Result<Vec<Option<Version>>, StoreError>> {
        Box::pin(within(async move {
            let mut versions = Vec::with_capacity(keys.len());
            for part in keys.chunks(VERSIONS_PART) {
                versions.extend(self.versions_of(part).await?);
            }
            Ok(versions)
        }))
    }

    fn changes(&self) -> Option<ChangeStream> {
        Some(changes::stream(&self.servers, self.open.subscribe()))
    }

    fn health(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(within(async move { Ok(self.servers.probe().await?) }))
    }
}

/// A record that was deleted after its key was read is left out.
fn listed((key, value): (RecordKey, Result<Option<Vec<u8>>, StoreError>)) -> Option<Listed> {
    let stored = match value {
        Ok(None) => return None,
        Ok(Some(value)) => record::decode(&value),
        Err(error) => Err(error),
    };
    Some(Listed { key, stored })
}

impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStore")
            .field("kind", self.servers.kind())
            .field("prefix", &self.names().prefix())
            .field("durability", &self.durability)
            .finish_non_exhaustive()
    }
}
