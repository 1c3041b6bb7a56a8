//! Parameters of a query or a form body.

use std::borrow::Cow;

use url::form_urlencoded;

/// Parameters in the order they came.
#[derive(Default)]
pub(crate) struct Params<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

/// A parameter that may come once came twice.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Duplicated(pub(crate) &'static str);

impl<'a> Params<'a> {
    pub(crate) fn parse(encoded: &'a [u8]) -> Self {
        Self(form_urlencoded::parse(encoded).collect())
    }

    /// The value of `name`. Empty counts as absent: an official client sends unset options empty.
    ///
    /// Platform §6.2: a duplicated parameter is an error, OAU-111 (RFC 6749 section 3.1).
    pub(crate) fn get(&self, name: &'static str) -> Result<Option<&str>, Duplicated> {
        let mut values = self
            .0
            .iter()
            .filter(|(key, _)| key == name)
            .map(|(_, value)| value.as_ref());
        match (values.next(), values.next()) {
            (_, Some(_)) => Err(Duplicated(name)),
            (value, None) => Ok(value.filter(|value| !value.is_empty())),
        }
    }

    /// All values of a parameter that may be repeated. Empty ones count as absent.
    pub(crate) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.pairs()
            .filter(move |(key, value)| *key == name && !value.is_empty())
            .map(|(_, value)| value)
    }

    /// All parameters in the order they came.
    pub(crate) fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(key, value)| (key.as_ref(), value.as_ref()))
    }

    /// Whether the parameter came, empty or not.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(key, _)| key == name)
    }

    /// The first value of a parameter whose repetition is harmless.
    pub(crate) fn first(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(key, value)| key == name && !value.is_empty())
            .map(|(_, value)| value.as_ref())
    }
}

/// Platform §6.2: a parameter that stands in the query and in the body with two values is OAU-150. The query is
/// otherwise not read.
pub(crate) struct Differs(pub(crate) String);

impl Params<'_> {
    /// Compares the parameters of a body with those of the query.
    pub(crate) fn agree_with(&self, query: &Params<'_>) -> Result<(), Differs> {
        let differs = query.0.iter().find(|(name, value)| {
            self.first(name)
                .is_some_and(|in_body| !value.is_empty() && in_body != value.as_ref())
        });
        match differs {
            Some((name, _)) => Err(Differs(name.chars().take(64).collect())),
            None => Ok(()),
        }
    }
}

/// `url` with `pairs` added to its query.
pub(crate) fn with_query(url: &str, pairs: &[(&str, &str)]) -> String {
    let query = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(pairs)
        .finish();
    let separator = match url {
        _ if url.ends_with(['?', '&']) => "",
        _ if url.contains('?') => "&",
        _ => "?",
    };
    format!("{url}{separator}{query}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_is_absent_and_twice_is_an_error() {
        let params = Params::parse(b"a=1&b=&c=1&c=2");
        assert_eq!(params.get("a"), Ok(Some("1")));
        assert_eq!(params.get("b"), Ok(None));
        assert_eq!(params.get("c"), Err(Duplicated("c")));
        assert_eq!(params.get("d"), Ok(None));
    }

    #[test]
    fn a_query_that_is_there_is_kept() {
        let pairs = [("code", "x y")];
        assert_eq!(
            with_query("https://app.example/cb", &pairs),
            "https://app.example/cb?code=x+y"
        );
        assert_eq!(
            with_query("https://app.example/cb?t=1", &pairs),
            "https://app.example/cb?t=1&code=x+y"
        );
        assert_eq!(
            with_query("https://app.example/cb?", &pairs),
            "https://app.example/cb?code=x+y"
        );
    }
}
