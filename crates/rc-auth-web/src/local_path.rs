//! Where a browser goes after sign-in: a path of this application and nowhere else.

use percent_encoding::percent_decode_str;
use url::Url;

/// A path, perhaps with a query, that every browser resolves to this application's own origin.
///
/// ```
/// use rc_auth_web::LocalPath;
///
/// let there = LocalPath::parse("/calls?page=2");
/// assert_eq!(there.as_ref().map(LocalPath::as_str), Some("/calls?page=2"));
/// assert!(LocalPath::parse("//attacker.example").is_none());
/// assert!(LocalPath::parse("https://attacker.example/").is_none());
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LocalPath(String);

impl LocalPath {
    /// Longer ones are refused, in bytes: the path travels in a cookie.
    pub const MAX_LEN: usize = 512;

    /// Accepts `text` if a browser, resolving it as the URL standard says, stays on this origin and
    /// arrives at exactly what was written.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        const BASE: &str = "https://return-to.invalid";
        let plain = text.len() <= Self::MAX_LEN
            && text.starts_with('/')
            && text
                .bytes()
                .all(|byte| byte.is_ascii_graphic() && byte != b'\\')
            && !hides_a_separator(text);
        if !plain {
            return None;
        }
        let base = Url::parse(BASE).ok()?;
        let resolved = base.join(text).ok()?;
        let unchanged = resolved.as_str().strip_prefix(BASE) == Some(text);
        let local = resolved.origin() == base.origin() && !resolved.path().starts_with("//");
        (unchanged && local && resolved.fragment().is_none()).then(|| Self(text.to_owned()))
    }

    /// One that is known to pass.
    pub(crate) fn known(path: &'static str) -> Self {
        debug_assert!(Self::parse(path).is_some(), "{path}");
        Self(path.to_owned())
    }

    /// The path, as it goes into `Location`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the router takes it to `route`: routes are found by the decoded path, without the query.
    #[must_use]
    pub fn leads_to(&self, route: &str) -> bool {
        let path = self.0.split('?').next().unwrap_or("/");
        percent_decode_str(path).eq(percent_decode_str(route))
    }
}

/// Escaped slashes, backslashes, dots and control characters mean different things to different proxies.
fn hides_a_separator(text: &str) -> bool {
    let path = text.split('?').next().unwrap_or_default().as_bytes();
    path.windows(3).any(|escape| {
        let [b'%', high, low] = escape else {
            return false;
        };
        matches!(high, b'0' | b'1')
            || matches!(
                (high, low.to_ascii_lowercase()),
                (b'2', b'5' | b'e' | b'f') | (b'5', b'c') | (b'7', b'f')
            )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn local_paths_pass_unchanged() {
        for path in [
            "/",
            "/me",
            "/call?path=a&b=c",
            "/a/b-c_d.e~f",
            "/caf%C3%A9",
            "/?next=https://example.com",
        ] {
            assert_eq!(LocalPath::parse(path).expect(path).as_str(), path);
        }
    }

    #[test]
    fn an_address_of_the_application_is_known_in_every_spelling() {
        for (path, route, same) in [
            ("/login", "/login", true),
            ("/login?x=y", "/login", true),
            ("/log%69n", "/login", true),
            ("/%6C%6f%67in?return_to=/", "/login", true),
            ("/call%20back", "/call%20back", true),
            ("/oauth/callback", "/oauth/c%61llback", true),
            ("/login/", "/login", false),
            ("/Login", "/login", false),
            ("/log%6", "/login", false),
            ("/?/login", "/login", false),
        ] {
            let path = LocalPath::parse(path).expect(path);
            assert_eq!(path.leads_to(route), same, "{path:?}");
        }
    }

    #[test]
    fn everything_that_could_lead_elsewhere_is_refused() {
        let long = format!("/{}", "a".repeat(LocalPath::MAX_LEN));
        for path in [
            "",
            "me",
            "//evil.example",
            "///evil.example",
            "/\\evil.example",
            "\\\\evil.example",
            "/\t/evil.example",
            "/\n/evil.example",
            "/%09/evil.example",
            "/%0d%0aSet-Cookie:x=y",
            "/%2f/evil.example",
            "/%2F%2Fevil.example",
            "/%5cevil.example",
            "/%5C",
            "/%2e%2e//evil.example",
            "/..//evil.example",
            "/.//evil.example",
            "/a/../b",
            "/a/..//evil.example",
            "https://evil.example",
            "https:/evil.example",
            "javascript:alert(1)",
            "/ evil",
            " //evil.example",
            "/\u{2028}x",
            "/é",
            "/\0",
            "//\\evil.example",
            "/@evil.example/..//x",
            "@evil.example",
            "/%252fevil.example",
            "/#fragment",
            "//[::1]/",
            "http:evil.example",
            "/\u{7f}",
            "/%7f",
            "?next=/",
            "#",
            &long,
        ] {
            assert_eq!(LocalPath::parse(path), None, "{path:?}");
        }
    }
}
