//! From one store to another, while the first is in use.

use std::{cmp::Ordering, error::Error, fmt};

use futures_util::{StreamExt as _, stream};

use crate::{Expect, Listed, RecordKey, StoreError, TokenStore, Version};

/// How many records are read in one go.
const PAGE: usize = 100;

/// How many are written at the same time.
const AT_ONCE: usize = 16;

/// What one pass of a [`StoreCopy`] did.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Pass {
    /// Records of the source that were looked at.
    pub seen: u64,
    /// Records that were missing in the target or another there, and are copied now.
    pub copied: u64,
    /// Records that the source has no more, deleted from the target.
    pub deleted: u64,
    /// Records that the source cannot read. They are not copied; their payload stays in the source.
    pub unreadable: u64,
}

impl Pass {
    /// Whether the target was like the source already.
    #[must_use]
    pub const fn found_no_difference(&self) -> bool {
        self.copied == 0 && self.deleted == 0
    }
}

/// Makes one store like another, pass by pass.
///
/// Payloads are copied as they are: give the stores as they lie below [`Sealed`](crate::Sealed), and the
/// same keys open the copy. Nothing is remembered between passes but a marker in the target, so a copy that
/// was interrupted goes on by beginning again, and copies only what differs.
///
/// The source may be in use: a pass copies what it finds, and the next one what has changed since. For the
/// end, stop whoever uses the source, run a last pass, and [`finish`](Self::finish). Until then
/// [`is_unfinished`] is true of the target, and nobody should use it: its tokens may be outdated.
#[derive(Debug)]
pub struct StoreCopy<'a> {
    source: &'a dyn TokenStore,
    target: &'a dyn TokenStore,
}

/// Whether a store is the target of a copy that is not finished: not to be used yet.
///
/// # Errors
///
/// [`StoreError::Unavailable`] if the store does not answer.
pub async fn is_unfinished(store: &dyn TokenStore) -> Result<bool, StoreError> {
    Ok(marker(store).await?.is_some())
}

/// Where it is written that a store is the target of a copy.
pub(crate) fn marker_key() -> RecordKey {
    RecordKey::derive(&[b"rc-store copy 1"])
}

async fn marker(store: &dyn TokenStore) -> Result<Option<Version>, StoreError> {
    let marker = store.versions(&[marker_key()]).await?;
    Ok(marker.into_iter().next().flatten())
}

impl<'a> StoreCopy<'a> {
    /// Begins a copy, or goes on with one.
    ///
    /// # Errors
    ///
    /// [`CopyError::TargetInUse`] if the target holds records that no copy has put there,
    /// [`CopyError::SameStore`] if both are one store, and [`CopyError::SourceEmpty`] if the copy would
    /// only empty the target.
    pub async fn begin(
        source: &'a dyn TokenStore,
        target: &'a dyn TokenStore,
    ) -> Result<Self, CopyError> {
        if is_unfinished(source).await.map_err(CopyError::Source)? {
            return Err(CopyError::SourceUnfinished);
        }
        if !is_unfinished(target).await.map_err(CopyError::Target)? {
            let any = target.scan(None, 1).await.map_err(CopyError::Target)?;
            if !any.is_empty() {
                return Err(CopyError::TargetInUse);
            }
            let marked = target.save(&marker_key(), b"", None, Expect::Absent).await;
            marked.map_err(CopyError::Target)?;
        }
        let copy = Self { source, target };
        copy.refuse_same_store().await?;
        copy.refuse_empty_source().await?;
        Ok(copy)
    }

    /// One store can be named in many ways, so it is asked: is what was written to one now in the other?
    async fn refuse_same_store(&self) -> Result<(), CopyError> {
        let seen = is_unfinished(self.source).await;
        if !seen.map_err(CopyError::Source)? {
            return Ok(());
        }
        self.unmark().await?;
        Err(CopyError::SameStore)
    }

    /// An earlier pass found records. A source without any is most likely another store than that one.
    async fn refuse_empty_source(&self) -> Result<(), CopyError> {
        let mut source = Reader::new(self.source);
        if source.peek().await.map_err(CopyError::Source)?.is_some() {
            return Ok(());
        }
        let mut target = Reader::new(self.target);
        match target.peek().await.map_err(CopyError::Target)? {
            Some(_) => Err(CopyError::SourceEmpty),
            None => Ok(()),
        }
    }

    /// Copies what differs, in the order of record keys. `progress` is told after every 100 records.
    ///
    /// # Errors
    ///
    /// [`CopyError::Source`] or [`CopyError::Target`] if one of them does not answer. Run it again.
    pub async fn pass(&self, mut progress: impl FnMut(&Pass)) -> Result<Pass, CopyError> {
        let mut pass = Pass::default();
        let mut source = Reader::new(self.source);
        let mut target = Reader::new(self.target);
        loop {
            let mut work = Vec::new();
            while work.len() < PAGE {
                let from = source.peek().await.map_err(CopyError::Source)?;
                let to = target.peek().await.map_err(CopyError::Target)?;
                let Some(order) = order(from, to) else { break };
                let from = if order.is_le() { source.next() } else { None };
                let to = if order.is_ge() { target.next() } else { None };
                work.push((from, to));
            }
            if work.is_empty() {
                return Ok(pass);
            }
            let mut done = stream::iter(work)
                .map(|(from, to)| self.make_alike(from, to))
                .buffer_unordered(AT_ONCE);
            while let Some(done) = done.next().await {
                pass.add(done?);
            }
            drop(done);
            progress(&pass);
        }
    }

    /// Says that the target is complete and may be used: after a pass while nobody uses the source.
    ///
    /// # Errors
    ///
    /// [`CopyError::Target`] if the target does not answer.
    pub async fn finish(self) -> Result<(), CopyError> {
        self.unmark().await
    }

    async fn unmark(&self) -> Result<(), CopyError> {
        let Some(version) = marker(self.target).await.map_err(CopyError::Target)? else {
            return Ok(());
        };
        let deleted = self.target.delete(&marker_key(), version).await;
        deleted.map_err(CopyError::Target)
    }

    async fn make_alike(
        &self,
        from: Option<Listed>,
        to: Option<Listed>,
    ) -> Result<Pass, CopyError> {
        let mut pass = Pass::default();
        let Some(from) = from else {
            let Some(to) = to else { return Ok(pass) };
            if let Ok(stored) = &to.stored {
                let deleted = self.target.delete(&to.key, stored.version).await;
                deleted.map_err(CopyError::Target)?;
                pass.deleted = 1;
            }
            return Ok(pass);
        };
        pass.seen = 1;
        let Ok(stored) = from.stored else {
            pass.unreadable = 1;
            return Ok(pass);
        };
        let expect = match to.map(|to| to.stored) {
            None => Expect::Absent,
            Some(Ok(other)) if other.payload == stored.payload && other.due == stored.due => {
                return Ok(pass);
            }
            Some(Ok(other)) => Expect::Version(other.version),
            Some(Err(error)) => return Err(CopyError::Target(error)),
        };
        let saved = self
            .target
            .save(&from.key, &stored.payload, stored.due, expect);
        saved.await.map_err(CopyError::Target)?;
        pass.copied = 1;
        Ok(pass)
    }
}

/// Which of two records comes first; the same key is equal. `None`: there is none.
fn order(from: Option<RecordKey>, to: Option<RecordKey>) -> Option<Ordering> {
    match (from, to) {
        (None, None) => None,
        (Some(_), None) => Some(Ordering::Less),
        (None, Some(_)) => Some(Ordering::Greater),
        (Some(from), Some(to)) => Some(from.cmp(&to)),
    }
}

impl Pass {
    const fn add(&mut self, other: Self) {
        self.seen += other.seen;
        self.copied += other.copied;
        self.deleted += other.deleted;
        self.unreadable += other.unreadable;
    }
}

/// The records of a store one by one, without the marker.
struct Reader<'a> {
    store: &'a dyn TokenStore,
    page: std::vec::IntoIter<Listed>,
    last: Option<RecordKey>,
    has_ended: bool,
}

impl<'a> Reader<'a> {
    fn new(store: &'a dyn TokenStore) -> Self {
        Self {
            store,
            page: Vec::new().into_iter(),
            last: None,
            has_ended: false,
        }
    }

    /// The key of the next one.
    async fn peek(&mut self) -> Result<Option<RecordKey>, StoreError> {
        while self.page.as_slice().is_empty() && !self.has_ended {
            let mut page = self.store.scan(self.last, PAGE).await?;
            match page.last() {
                Some(last) => self.last = Some(last.key),
                None => self.has_ended = true,
            }
            page.retain(|listed| listed.key != marker_key());
            self.page = page.into_iter();
        }
        Ok(self.page.as_slice().first().map(|listed| listed.key))
    }

    fn next(&mut self) -> Option<Listed> {
        self.page.next()
    }
}

/// Why a copy did not go on.
#[derive(Debug)]
#[non_exhaustive]
pub enum CopyError {
    /// The target holds records that no copy has put there, perhaps newer ones.
    TargetInUse,
    /// Source and target are one store, perhaps under two names.
    SameStore,
    /// The source holds no records, and the target holds those of an earlier pass.
    SourceEmpty,
    /// The source is itself the target of a copy that is not finished.
    SourceUnfinished,
    /// The source does not answer.
    Source(StoreError),
    /// The target does not answer, or somebody else writes to it.
    Target(StoreError),
}

impl fmt::Display for CopyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TargetInUse => {
                "the target holds records that no copy has put there, or whose copy was finished; they may \
                 be newer than the source's; name an empty store"
            }
            Self::SameStore => "source and target are the same store; name another, empty one",
            Self::SourceEmpty => {
                "the source holds no records, and the target holds some from an earlier copy: see whether \
                 the source is the right one. If it is, there is nothing to copy: start with an empty store"
            }
            Self::SourceUnfinished => {
                "the source is the target of a copy that is not finished; finish that one first"
            }
            Self::Source(_) => "the source cannot be read; run the copy again",
            Self::Target(StoreError::Conflict) => {
                "somebody else writes to the target; stop them and run the copy again"
            }
            Self::Target(_) => "the target cannot be written; run the copy again",
        })
    }
}

impl Error for CopyError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Source(error) | Self::Target(error) => Some(error),
            Self::TargetInUse | Self::SameStore | Self::SourceEmpty | Self::SourceUnfinished => {
                None
            }
        }
    }
}
