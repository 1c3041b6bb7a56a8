//! Sessions that one process keeps.

use std::{
    collections::{BTreeSet, HashMap},
    fmt,
    num::NonZeroUsize,
    sync::{Mutex, MutexGuard, PoisonError},
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use rc_auth::{Timestamp, transport::BoxFuture};
use zeroize::Zeroizing;

use crate::{SessionStore, SessionStoreError};

type Id = [u8; 16];

/// Keeps sessions in this process, and gives each browser a random 128-bit number. A restart forgets them
/// all: for tests, and for single processes whose users may be asked to sign in again.
///
/// Their number is bounded: beyond it the one that ends first makes room.
pub struct MemorySessions {
    most: usize,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    sessions: HashMap<Id, (Timestamp, Zeroizing<Vec<u8>>)>,
    /// The same, by their end.
    by_end: BTreeSet<(Timestamp, Id)>,
}

impl fmt::Debug for MemorySessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemorySessions")
            .field("most", &self.most)
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}

impl Default for MemorySessions {
    fn default() -> Self {
        Self {
            most: Self::DEFAULT_MOST,
            kept: Mutex::default(),
        }
    }
}

impl MemorySessions {
    /// How many are kept if nothing else is said: 10,000, some 3 MB.
    pub const DEFAULT_MOST: usize = 10_000;

    /// Keeps at most `most` sessions.
    #[must_use]
    pub fn with_most(most: NonZeroUsize) -> Self {
        Self {
            most: most.get(),
            kept: Mutex::default(),
        }
    }

    /// How many are kept now, those among them that are over but not yet forgotten.
    #[must_use]
    pub fn len(&self) -> usize {
        self.kept().sessions.len()
    }

    /// Whether none is kept.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        // Nothing between the changes of the two collections can panic.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn put(&mut self, id: Id, session: &[u8], expires_at: Timestamp) {
        self.remove(&id);
        let session = Zeroizing::new(session.to_vec());
        self.sessions.insert(id, (expires_at, session));
        self.by_end.insert((expires_at, id));
    }

    fn remove(&mut self, id: &Id) -> bool {
        let removed = self.sessions.remove(id);
        removed.is_some_and(|(end, _)| self.by_end.remove(&(end, *id)))
    }

    fn make_room(&mut self, most: usize) {
        while self.sessions.len() >= most {
            let Some((_, first)) = self.by_end.pop_first() else {
                return;
            };
            self.sessions.remove(&first);
        }
    }
}

fn id_in(value: &str) -> Option<Id> {
    let mut id = [0; 16];
    // Longer than needed: decoding asks for whole blocks.
    let mut bytes = [0; 18];
    let read = URL_SAFE_NO_PAD.decode_slice(value, &mut bytes).ok()?;
    id.copy_from_slice(bytes.get(..read).filter(|bytes| bytes.len() == 16)?);
    Some(id)
}

impl SessionStore for MemorySessions {
    fn create<'a>(
        &'a self,
        session: &'a [u8],
        expires_at: Timestamp,
    ) -> BoxFuture<'a, Result<String, SessionStoreError>> {
        Box::pin(async move {
            let mut id = [0; 16];
            getrandom::fill(&mut id).map_err(SessionStoreError::new)?;
            let mut kept = self.kept();
            kept.make_room(self.most);
            kept.put(id, session, expires_at);
            Ok(URL_SAFE_NO_PAD.encode(id))
        })
    }

    fn load<'a>(
        &'a self,
        value: &'a str,
    ) -> BoxFuture<'a, Result<Option<Zeroizing<Vec<u8>>>, SessionStoreError>> {
        Box::pin(async move {
            let kept = self.kept();
            let found = id_in(value).and_then(|id| kept.sessions.get(&id));
            Ok(found.map(|(_, session)| session.clone()))
        })
    }

    fn renew<'a>(
        &'a self,
        value: &'a str,
        session: &'a [u8],
        expires_at: Timestamp,
    ) -> BoxFuture<'a, Result<Option<String>, SessionStoreError>> {
        Box::pin(async move {
            let mut kept = self.kept();
            let Some(id) = id_in(value).filter(|id| kept.sessions.contains_key(id)) else {
                return Ok(None);
            };
            kept.put(id, session, expires_at);
            Ok(Some(value.to_owned()))
        })
    }

    fn remove<'a>(&'a self, value: &'a str) -> BoxFuture<'a, Result<(), SessionStoreError>> {
        Box::pin(async move {
            if let Some(id) = id_in(value) {
                self.kept().remove(&id);
            }
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(millis: i64) -> Timestamp {
        Timestamp::from_unix_millis(millis)
    }

    #[tokio::test]
    async fn a_full_store_forgets_the_session_that_ends_first() {
        let store = MemorySessions::with_most(NonZeroUsize::new(2).unwrap());
        let first = store.create(b"first", at(30)).await.unwrap();
        let second = store.create(b"second", at(20)).await.unwrap();
        let third = store.create(b"third", at(40)).await.unwrap();
        assert_eq!(store.len(), 2);
        assert!(store.load(&second).await.unwrap().is_none());
        assert_eq!(*store.load(&first).await.unwrap().unwrap(), b"first");
        assert_eq!(*store.load(&third).await.unwrap().unwrap(), b"third");
    }

    #[tokio::test]
    async fn a_removed_session_is_not_renewed() {
        let store = MemorySessions::default();
        let value = store.create(b"one", at(30)).await.unwrap();
        let renewed = store.renew(&value, b"two", at(50)).await.unwrap();
        assert_eq!(renewed.as_deref(), Some(&*value));
        assert_eq!(*store.load(&value).await.unwrap().unwrap(), b"two");
        store.remove(&value).await.unwrap();
        assert_eq!(store.renew(&value, b"three", at(60)).await.unwrap(), None);
        assert!(store.is_empty());
        assert!(store.kept().by_end.is_empty());
    }

    #[tokio::test]
    async fn what_is_no_number_of_a_session_finds_nothing() {
        let store = MemorySessions::default();
        let value = store.create(b"one", at(30)).await.unwrap();
        for strange in [
            "",
            "a",
            "é",
            &value[1..],
            &format!("{value}AA"),
            &"A".repeat(4096),
        ] {
            assert!(store.load(strange).await.unwrap().is_none(), "{strange}");
            store.remove(strange).await.unwrap();
        }
        assert_eq!(store.len(), 1);
        assert!(!format!("{store:?}").contains(&value));
    }
}
