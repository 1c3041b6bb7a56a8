//! Changes that wait to be written.

use super::Record;

/// The changes since they were last taken, when somebody takes them.
#[derive(Default)]
pub(crate) struct Outbox {
    waiting: Option<Vec<Record>>,
    /// More changed than can be told one by one.
    pub(super) rewrite: bool,
}

impl Outbox {
    /// Collects changes from now on.
    pub(crate) fn open(&mut self) {
        self.waiting.get_or_insert_default();
    }

    pub(crate) fn is_open(&self) -> bool {
        self.waiting.is_some()
    }

    /// Notes a change, which is made only where somebody takes it.
    pub(crate) fn push(&mut self, record: impl FnOnce() -> Record) {
        if let Some(waiting) = &mut self.waiting {
            waiting.push(record());
        }
    }

    #[cfg(feature = "server")]
    pub(super) fn take(&mut self) -> Vec<Record> {
        self.waiting
            .as_mut()
            .map(std::mem::take)
            .unwrap_or_default()
    }
}
