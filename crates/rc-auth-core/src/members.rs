//! JSON objects of which only some members matter.

use std::{borrow::Cow, collections::HashMap};

use serde::Deserialize;
use serde_json::value::RawValue;

/// The members of a JSON object, each still unread: one that is odd costs only itself. Numbers out of
/// range, broken escapes and deep nesting in a member that nobody asks for disturb nobody.
pub(crate) struct Members<'a>(HashMap<Cow<'a, str>, &'a RawValue>);

impl<'a> Members<'a> {
    /// The members of `text`, if it is a JSON object. Of two with one name the last counts.
    pub(crate) fn parse(text: &'a str) -> Option<Self> {
        serde_json::from_str(text).ok().map(Self)
    }

    /// A member, if it is there and what it is read as.
    pub(crate) fn get<T: Deserialize<'a>>(&self, name: &str) -> Option<T> {
        serde_json::from_str(self.0.get(name)?.get()).ok()
    }
}
