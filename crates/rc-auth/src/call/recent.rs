//! Addresses that a thread asked for lately: most applications ask for the same few again and again, and reading one
//! costs more than everything else a call does before it is sent.

use std::cell::RefCell;

use bytes::Bytes;
use http::{
    Method, Uri,
    uri::{Parts, PathAndQuery},
};
use rc_auth_core::Route;

use crate::{error::CallError, live::Server};

/// How many addresses a thread remembers. Two that fall on one place take turns there, which costs reading them.
const PLACES: usize = 16;

/// Longer ones are read each time: what is kept of a thread stays below 6 KiB.
const LONGEST: usize = 256;

/// Where one address is remembered.
struct Place {
    known: Option<(Uri, &'static Server)>,
    /// Stands for the last other address that came here. One that comes twice in a row is remembered: those that come
    /// once only, as with an id in them, push out nothing.
    other: u64,
}

impl Place {
    const EMPTY: Self = Self {
        known: None,
        other: 0,
    };

    fn known(&self, text: &str, server: &'static Server) -> Option<&Uri> {
        let (uri, of) = self.known.as_ref()?;
        let is_it = std::ptr::eq(*of, server) && uri.path_and_query()?.as_str() == text;
        is_it.then_some(uri)
    }

    fn learn(&mut self, uri: &Uri, text: &str, server: &'static Server) {
        let this = Route::exact(&Method::GET, text);
        if self.other == this {
            self.known = Some((uri.clone(), server));
        }
        self.other = this;
    }
}

thread_local! {
    static RECENT: RefCell<[Place; PLACES]> = const { RefCell::new([Place::EMPTY; PLACES]) };
}

/// Puts the address of a path with its query on this server there: remembered, or read. An address is large, and
/// handing it on by value costs more than to find it.
pub(super) fn put(text: &str, server: &'static Server, there: &mut Uri) -> Result<(), CallError> {
    let Some(place) = place(text) else {
        *there = read(text, server)?;
        return Ok(());
    };
    let is_known = RECENT.try_with(|recent| {
        let recent = recent.borrow();
        let known = recent[place].known(text, server);
        known.map(|uri| there.clone_from(uri)).is_some()
    });
    // A thread that is ending remembers nothing.
    if !is_known.unwrap_or(false) {
        *there = read(text, server)?;
        let _ending =
            RECENT.try_with(|recent| recent.borrow_mut()[place].learn(there, text, server));
    }
    Ok(())
}

/// One allocation, which the address keeps.
fn read(text: &str, server: &Server) -> Result<Uri, CallError> {
    // What follows would be left out without a word.
    if text.contains('#') {
        return Err(CallError::InvalidPath);
    }
    let bytes = Bytes::copy_from_slice(text.as_bytes());
    let mut parts = Parts::default();
    parts.scheme = Some(server.scheme.clone());
    parts.authority = Some(server.authority.clone());
    let path = PathAndQuery::from_maybe_shared(bytes).map_err(|_| CallError::InvalidPath)?;
    parts.path_and_query = Some(path);
    Uri::from_parts(parts).map_err(|_| CallError::InvalidPath)
}

/// Where it would be remembered. Paths of one kind mostly differ at their end.
fn place(text: &str) -> Option<usize> {
    if text.len() > LONGEST {
        return None;
    }
    let last = usize::from(*text.as_bytes().last()?);
    Some((text.len() + last) % PLACES)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(origin: &str) -> &'static Server {
        Server::at(origin).unwrap()
    }

    fn platform() -> &'static Server {
        server("https://platform.example.com")
    }

    fn is_known(text: &str, server: &'static Server) -> bool {
        let place = place(text).unwrap();
        RECENT.with_borrow(|recent| recent[place].known(text, server).is_some())
    }

    fn asked_of(text: &str, server: &'static Server) -> Result<String, CallError> {
        let mut uri = Uri::default();
        put(text, server, &mut uri)?;
        Ok(uri.to_string())
    }

    fn asked(text: &str) -> String {
        asked_of(text, platform()).unwrap()
    }

    #[test]
    fn an_address_that_is_read_twice_is_known() {
        for text in ["/", "/a", "/a?b=%20", "/a?", "/b?c=d&e=~", "//c"] {
            for known in [false, false, true] {
                assert_eq!(is_known(text, platform()), known, "{text}");
                assert_eq!(asked(text), format!("https://platform.example.com{text}"));
            }
        }
    }

    #[test]
    fn an_address_is_known_for_its_own_server_only() {
        let other = server("http://127.0.0.1:8081");
        for _ in 0..3 {
            assert_eq!(asked("/a"), "https://platform.example.com/a");
            let there = asked_of("/a", other).unwrap();
            assert_eq!(there, "http://127.0.0.1:8081/a");
        }
    }

    #[test]
    fn addresses_that_share_a_place_are_told_apart() {
        let (first, second) = ("/a/1", "/b/1");
        assert_eq!(place(first), place(second));
        for text in [first, first, second, first, second, second, first] {
            assert_eq!(asked(text), format!("https://platform.example.com{text}"));
        }
    }

    #[test]
    fn an_address_that_comes_once_pushes_out_nothing() {
        for text in ["/a/1", "/a/1", "/b/1", "/c/1"] {
            asked(text);
        }
        assert!(is_known("/a/1", platform()));
        asked("/c/1");
        assert!(!is_known("/a/1", platform()));
        assert!(is_known("/c/1", platform()));
    }

    #[test]
    fn what_is_no_address_is_refused_each_time() {
        for text in ["/a b", "/\n", "/a#b"] {
            for _ in 0..3 {
                let error = asked_of(text, platform()).unwrap_err();
                assert!(matches!(error, CallError::InvalidPath), "{text}: {error:?}");
            }
        }
    }

    #[test]
    fn a_long_address_is_not_kept() {
        let text = format!("/{}", "a".repeat(LONGEST));
        assert_eq!(place(&text), None);
        assert!(asked(&text).ends_with(&text));
    }
}
