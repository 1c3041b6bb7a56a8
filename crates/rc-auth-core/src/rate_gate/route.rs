//! Which calls of the API the platform counts together.

use http::Method;

/// A method and a path without its ids: what the platform puts into a group. Kept as a hash, so that making one
/// costs no memory; two routes with one hash would share what is known of their group.
///
/// The method belongs to it: the platform reads a message in one group and deletes it in another. Query and
/// fragment do not.
///
/// An id is `~` (one's own), a number, a list of numbers, a telephone number, or a segment of at least
/// twelve characters with a digit in it, such as a UUID. What is taken for an id by mistake, or for a
/// word, costs one request that is sent or held back wrongly.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Route(u64);

impl Route {
    /// From this length on, a segment with a digit in it is an id. The platform's own words with
    /// digits (`v1.0`, `a2p-sms`) are shorter, its ids of letters and digits longer.
    const OPAQUE: usize = 12;

    /// The route of a call.
    #[must_use]
    pub fn of(method: &Method, path: &str) -> Self {
        let mut hash = Mixer::new();
        hash.write(method.as_str().as_bytes());
        for segment in template(path) {
            hash.write(segment);
        }
        Self(hash.0)
    }

    /// A number for exactly this method and path, ids and all: quicker than [`of`](Self::of), for telling
    /// that a path has been looked at.
    #[must_use]
    pub fn exact(method: &Method, path: &str) -> u64 {
        let mut hash = Mixer::new();
        hash.write(method.as_str().as_bytes());
        hash.write(path.as_bytes());
        hash.0
    }
}

/// Multiplies eight bytes at a time into one number; nobody gains by a collision.
struct Mixer(u64);

impl Mixer {
    const fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    /// The length is mixed in, so that two texts side by side are not taken for one.
    fn write(&mut self, bytes: &[u8]) {
        self.mix(bytes.len() as u64);
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            self.mix(u64::from_le_bytes(*word));
        }
        match bytes.last_chunk::<8>() {
            _ if rest.is_empty() => {}
            // Some of it for the second time: quicker than to pick out the rest.
            Some(last) => self.mix(u64::from_le_bytes(*last)),
            None => self.mix(
                rest.iter()
                    .fold(0, |word, byte| word << 8 | u64::from(*byte)),
            ),
        }
    }

    const fn mix(&mut self, word: u64) {
        let mixed = (self.0 ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 = mixed ^ (mixed >> 32);
    }
}

/// The segments of a path, with `*` in place of every id.
fn template(path: &str) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(path.as_bytes());
    std::iter::from_fn(move || {
        let path = rest.take()?;
        let end = path
            .iter()
            .position(|byte| matches!(byte, b'/' | b'?' | b'#'))
            .unwrap_or(path.len());
        let (segment, after) = path.split_at(end);
        rest = after.strip_prefix(b"/");
        Some(if is_id(segment) { b"*" } else { segment })
    })
}

fn is_id(segment: &[u8]) -> bool {
    let has_digit = segment.iter().any(u8::is_ascii_digit);
    let is_number = || {
        segment
            .iter()
            .all(|byte| byte.is_ascii_digit() || matches!(byte, b'+' | b',' | b'-'))
    };
    segment == b"~"
        || segment.eq_ignore_ascii_case(b"%7e")
        || has_digit && (segment.len() >= Route::OPAQUE || is_number())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn joined(path: &str) -> String {
        let segments = template(path).map(|segment| std::str::from_utf8(segment).unwrap());
        segments.collect::<Vec<_>>().join("/")
    }

    #[test]
    fn ids_in_paths_become_templates() {
        for (path, expected) in [
            ("/restapi", "/restapi"),
            (
                "/restapi/v1.0/account/~/extension/~",
                "/restapi/v1.0/account/*/extension/*",
            ),
            (
                "/restapi/v1.0/account/400123/extension/400456/message-store/123?view=x/9",
                "/restapi/v1.0/account/*/extension/*/message-store/*",
            ),
            (
                "/restapi/v1.0/account/~/extension/~/message-store/1,2,3#x",
                "/restapi/v1.0/account/*/extension/*/message-store/*",
            ),
            (
                "/restapi/v1.0/account/%7E/call-log/AbCdEfGh1jKlMn",
                "/restapi/v1.0/account/*/call-log/*",
            ),
            (
                "/restapi/v1.0/subscription/0b1f6a0c-1d2e-4f3a-8b4c-5d6e7f8a9b0c",
                "/restapi/v1.0/subscription/*",
            ),
            (
                "/restapi/v1.0/number-parser/+16505550100",
                "/restapi/v1.0/number-parser/*",
            ),
            (
                "/restapi/v1.0/account/~/a2p-sms/messages",
                "/restapi/v1.0/account/*/a2p-sms/messages",
            ),
            ("/scim/v2/health", "/scim/v2/health"),
            ("", ""),
            ("//", "//"),
        ] {
            assert_eq!(joined(path), expected, "{path}");
        }
    }

    #[test]
    fn another_method_is_another_route() {
        let route = |method, path| Route::of(&method, path);
        assert_eq!(route(Method::GET, "/a/1"), route(Method::GET, "/a/2"));
        assert_ne!(route(Method::GET, "/a/1"), route(Method::DELETE, "/a/1"));
    }

    #[test]
    fn the_number_of_a_path_tells_ids_and_methods_apart() {
        let exact = |method, path| Route::exact(&method, path);
        assert_eq!(exact(Method::GET, "/a/1"), exact(Method::GET, "/a/1"));
        assert_ne!(exact(Method::GET, "/a/1"), exact(Method::GET, "/a/2"));
        assert_ne!(exact(Method::GET, "/a/1"), exact(Method::PUT, "/a/1"));
    }

    proptest! {
        #[test]
        fn a_template_of_a_template_is_itself(path in "[/a-z0-9~%+,.?#-]{0,80}") {
            let once = joined(&path);
            prop_assert_eq!(joined(&once), once);
        }

        #[test]
        fn two_numbers_in_one_place_are_one_route(a: u64, b: u64) {
            let path = |id: u64| format!("/restapi/v1.0/account/~/extension/~/message-store/{id}");
            prop_assert_eq!(Route::of(&Method::GET, &path(a)), Route::of(&Method::GET, &path(b)));
        }
    }
}
