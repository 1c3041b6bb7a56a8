//! Where a call goes: to the platform that the app is registered with, and nowhere else.

use std::borrow::Cow;

use http::Uri;
use rc_auth_core::OAuthApp;
use url::{Position, Url};

use super::recent;
use crate::{error::CallError, live::UsableToken};

/// An address of the platform: a path with its query, on one of its two hosts.
#[derive(Debug, Default)]
pub(crate) struct Target<'a> {
    host: Host,
    path_and_query: Cow<'a, str>,
    /// Where its query begins, or its end; once that is known.
    path_len: Option<usize>,
}

#[derive(Debug, Default, Eq, PartialEq)]
enum Host {
    #[default]
    Api,
    Media(String),
}

impl<'a> Target<'a> {
    /// Reads a path that begins with one `/`, or an absolute address of the platform, such as the platform's
    /// own links. The rest of a path is looked at by [`put`](Self::put), which knows most of them already.
    pub(crate) fn parse(text: &'a str, app: &OAuthApp) -> Result<Self, CallError> {
        if text.starts_with('/') && !text.starts_with("//") {
            return Ok(Self::new(Host::Api, Cow::Borrowed(text)));
        }
        if text.contains('#') {
            return Err(CallError::InvalidPath);
        }
        let url = Url::parse(text).map_err(|_| CallError::InvalidPath)?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(CallError::ForeignAddress);
        }
        let origin = url.origin().ascii_serialization();
        let host = if origin == app.server() {
            Host::Api
        } else if origin == app.media_server() {
            Host::Media(origin)
        } else {
            return Err(CallError::ForeignAddress);
        };
        let path_and_query = Cow::Owned(url[Position::BeforePath..].to_owned());
        Ok(Self::new(host, path_and_query))
    }

    fn new(host: Host, path_and_query: Cow<'a, str>) -> Self {
        Self {
            host,
            path_and_query,
            path_len: None,
        }
    }

    /// Adds to the query, which is encoded already.
    pub(super) fn add_query(&mut self, pairs: &str) {
        if pairs.is_empty() {
            return;
        }
        let whole = self.path_and_query.to_mut();
        whole.push(if whole.contains('?') { '&' } else { '?' });
        whole.push_str(pairs);
    }

    /// The address as a text that [`parse`](Self::parse) reads.
    pub(super) fn into_text(self) -> String {
        match self.host {
            Host::Api => self.path_and_query.into_owned(),
            Host::Media(origin) => origin + &self.path_and_query,
        }
    }

    /// The path, without its query.
    pub(crate) fn path(&self) -> &str {
        let whole = self.path_and_query.as_ref();
        let path_len = self.path_len.or_else(|| whole.find('?'));
        path_len.map_or(whole, |len| &whole[..len])
    }

    /// Puts the address there, to be asked with this token.
    pub(super) fn put(&mut self, token: &UsableToken, there: &mut Uri) -> Result<(), CallError> {
        match &self.host {
            Host::Api => recent::put(&self.path_and_query, token.server, there)?,
            Host::Media(origin) => {
                let whole = format!("{origin}{}", self.path_and_query);
                *there = whole.parse().map_err(|_| CallError::InvalidPath)?;
            }
        }
        self.path_len = Some(there.path().len());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn app() -> OAuthApp {
        let server = OAuthApp::DEFAULT_SERVER;
        OAuthApp::new("id", None, "https://app.example.com/callback", server).unwrap()
    }

    fn parsed(text: &str) -> Result<(Host, String), CallError> {
        let app = app();
        let target = Target::parse(text, &app)?;
        Ok((target.host, target.path_and_query.into_owned()))
    }

    #[test]
    fn a_path_and_the_platforms_own_links_are_taken() {
        for (text, path) in [
            ("/restapi/v1.0/account/~", "/restapi/v1.0/account/~"),
            ("/restapi/v1.0/a?x=//y", "/restapi/v1.0/a?x=//y"),
            (
                "https://platform.ringcentral.com/restapi/a?page=2",
                "/restapi/a?page=2",
            ),
            (
                "https://PLATFORM.ringcentral.com:443/restapi/a",
                "/restapi/a",
            ),
        ] {
            assert_eq!(
                parsed(text).unwrap(),
                (Host::Api, path.to_owned()),
                "{text}"
            );
        }
        let (host, path) =
            parsed("https://media.ringcentral.com/restapi/v1.0/r/1/content").unwrap();
        assert_eq!(
            host,
            Host::Media("https://media.ringcentral.com".to_owned())
        );
        assert_eq!(path, "/restapi/v1.0/r/1/content");
    }

    #[test]
    fn every_other_address_is_refused() {
        for text in [
            "",
            "restapi/v1.0",
            "//platform.ringcentral.com/a",
            "https://platform.ringcentral.com/a#b",
            "http://platform.ringcentral.com/a",
            "https://platform.ringcentral.com:8443/a",
            "https://platform.ringcentral.com.example.com/a",
            "https://platform.ringcentral.com@example.com/a",
            "https://user@platform.ringcentral.com/a",
            "https://:pw@platform.ringcentral.com/a",
            "https://example.com/?https://platform.ringcentral.com/",
            "https://media.ringcentral.biz/a",
            "\\\\platform.ringcentral.com/a",
            "javascript:alert(1)",
        ] {
            let error = parsed(text).unwrap_err();
            assert!(
                matches!(error, CallError::InvalidPath | CallError::ForeignAddress),
                "{text}: {error:?}"
            );
        }
    }

    #[test]
    fn a_query_is_added_after_what_is_there() {
        let app = app();
        for (text, whole) in [("/a", "/a?x=1"), ("/a?y=2", "/a?y=2&x=1")] {
            let mut target = Target::parse(text, &app).unwrap();
            target.add_query("");
            target.add_query("x=1");
            assert_eq!(
                (target.path_and_query.as_ref(), target.path()),
                (whole, "/a")
            );
        }
    }
}
