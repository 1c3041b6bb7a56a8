//! Addresses that a thread asked for lately: most applications ask for the same few again and again, and reading one
//! costs more than everything else a call does before it is sent.

use std::cell::RefCell;

use bytes::Bytes;
use http::{Method, uri::PathAndQuery};
use rc_auth_core::Route;

use crate::error::CallError;

/// How many addresses a thread remembers. Two that fall on one place take turns there, which costs reading them.
const PLACES: usize = 16;

/// Longer ones are read each time: what is kept of a thread stays below 6 KiB.
const LONGEST: usize = 256;

/// Where one address is remembered.
struct Place {
    known: Option<PathAndQuery>,
    /// Stands for the last other address that came here. One that comes twice in a row is remembered: those that come
    /// once only, as with an id in them, push out nothing.
    other: u64,
}

impl Place {
    const EMPTY: Self = Self {
        known: None,
        other: 0,
    };

    fn known(&self, text: &str) -> Option<PathAndQuery> {
        let known = self.known.as_ref()?;
        (known.as_str() == text).then(|| known.clone())
    }

    fn learn(&mut self, read: &PathAndQuery) {
        let this = Route::exact(&Method::GET, read.as_str());
        if self.other == this {
            self.known = Some(read.clone());
        }
        self.other = this;
    }
}

thread_local! {
    static RECENT: RefCell<[Place; PLACES]> = const { RefCell::new([Place::EMPTY; PLACES]) };
}

/// A path of the API with its query, if this thread remembers it.
pub(super) fn known(text: &str) -> Option<PathAndQuery> {
    let place = place(text)?;
    // A thread that is ending remembers nothing.
    let known = RECENT.try_with(|recent| recent.borrow()[place].known(text));
    known.ok().flatten()
}

/// Reads a path with its query. One allocation, which the address keeps.
pub(super) fn read(text: &str) -> Result<PathAndQuery, CallError> {
    let bytes = Bytes::copy_from_slice(text.as_bytes());
    let read = PathAndQuery::from_maybe_shared(bytes).map_err(|_| CallError::InvalidPath)?;
    if let Some(place) = place(text) {
        let _ending = RECENT.try_with(|recent| recent.borrow_mut()[place].learn(&read));
    }
    Ok(read)
}

/// Where it would be remembered. Paths of one kind mostly differ at their end. One that begins with `//` is a path
/// only behind a host.
fn place(text: &str) -> Option<usize> {
    if text.len() > LONGEST || text.starts_with("//") {
        return None;
    }
    let last = usize::from(*text.as_bytes().last()?);
    Some((text.len() + last) % PLACES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_is_read_twice_is_known() {
        for text in ["/", "/a", "/a?b=%20", "/a?", "/b?c=d&e=~"] {
            for is_known in [false, false, true] {
                let known = known(text);
                assert_eq!(known.is_some(), is_known, "{text}");
                let address = known.unwrap_or_else(|| read(text).unwrap());
                assert_eq!(address.as_str(), text);
            }
        }
    }

    #[test]
    fn addresses_that_share_a_place_are_told_apart() {
        let (first, second) = ("/a/1", "/b/1");
        assert_eq!(place(first), place(second));
        for text in [first, first, second, first, second, second, first] {
            let address = known(text).unwrap_or_else(|| read(text).unwrap());
            assert_eq!(address.as_str(), text);
        }
    }

    #[test]
    fn an_address_that_comes_once_pushes_out_nothing() {
        for text in ["/a/1", "/a/1", "/b/1", "/c/1"] {
            read(text).unwrap();
        }
        assert!(known("/a/1").is_some());
        read("/c/1").unwrap();
        assert!(known("/a/1").is_none());
        assert!(known("/c/1").is_some());
    }

    #[test]
    fn what_is_no_address_is_refused_each_time() {
        for text in ["/a b", "/\n"] {
            for _ in 0..3 {
                let error = read(text).unwrap_err();
                assert!(matches!(error, CallError::InvalidPath), "{text}: {error:?}");
            }
            assert!(known(text).is_none());
        }
    }

    #[test]
    fn a_long_address_and_one_that_could_name_a_host_are_not_kept() {
        for text in [&format!("/{}", "a".repeat(LONGEST)), "//example.com/a"] {
            read(text).unwrap();
            read(text).unwrap();
            assert!(known(text).is_none(), "{text}");
        }
    }
}
