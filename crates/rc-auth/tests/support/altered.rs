//! A store that does some of its steps in another way than the store behind it.
#![allow(unreachable_pub, reason = "a module of tests")]

use std::{fmt::Debug, sync::Arc};

use rc_auth::{
    store::{
        ChangeStream, Due, DueAt, DueCursor, Expect, Listed, RecordKey, StoreError, Stored,
        TokenStore, Version,
    },
    transport::BoxFuture,
};

/// What is different about a store; everything else is done by the one behind it.
pub trait Alteration: Debug + Send + Sync {
    fn inner(&self) -> &dyn TokenStore;

    fn load<'a>(&'a self, key: &'a RecordKey) -> BoxFuture<'a, Result<Option<Stored>, StoreError>> {
        self.inner().load(key)
    }

    fn save<'a>(&'a self, write: Write<'a>) -> BoxFuture<'a, Result<Version, StoreError>> {
        write.to(self.inner())
    }

    fn changes(&self) -> Option<ChangeStream> {
        self.inner().changes()
    }

    fn health(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        self.inner().health()
    }
}

/// What is to be saved.
#[derive(Clone, Copy, Debug)]
pub struct Write<'a> {
    pub key: &'a RecordKey,
    pub payload: &'a [u8],
    pub due: Option<DueAt>,
    pub expect: Expect,
}

impl<'a> Write<'a> {
    pub fn to(self, store: &'a dyn TokenStore) -> BoxFuture<'a, Result<Version, StoreError>> {
        store.save(self.key, self.payload, self.due, self.expect)
    }
}

/// The store that an alteration makes.
#[derive(Debug)]
pub struct Altered<A>(pub Arc<A>);

impl<A: Alteration> TokenStore for Altered<A> {
    fn load<'a>(&'a self, key: &'a RecordKey) -> BoxFuture<'a, Result<Option<Stored>, StoreError>> {
        self.0.load(key)
    }

    fn save<'a>(
        &'a self,
        key: &'a RecordKey,
        payload: &'a [u8],
        due: Option<DueAt>,
        expect: Expect,
    ) -> BoxFuture<'a, Result<Version, StoreError>> {
        self.0.save(Write {
            key,
            payload,
            due,
            expect,
        })
    }

    fn delete<'a>(
        &'a self,
        key: &'a RecordKey,
        expect: Version,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        self.0.inner().delete(key, expect)
    }

    fn due<'a>(
        &'a self,
        after: Option<DueCursor>,
        before: DueAt,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Due>, StoreError>> {
        self.0.inner().due(after, before, limit)
    }

    fn scan<'a>(
        &'a self,
        after: Option<RecordKey>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Listed>, StoreError>> {
        self.0.inner().scan(after, limit)
    }

    fn versions<'a>(
        &'a self,
        keys: &'a [RecordKey],
    ) -> BoxFuture<'a, Result<Vec<Option<Version>>, StoreError>> {
        self.0.inner().versions(keys)
    }

    fn changes(&self) -> Option<ChangeStream> {
        self.0.changes()
    }

    fn health(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        self.0.health()
    }
}
