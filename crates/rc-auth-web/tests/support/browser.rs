//! A browser as far as cookies go.

use std::collections::BTreeMap;

use http::{
    HeaderMap, Request,
    header::{COOKIE, HOST, SET_COOKIE},
    request::{Builder, Parts},
};

/// Keeps cookies and sends them back. It does not forget them when their time is over.
#[derive(Clone, Debug, Default)]
pub struct Browser {
    pub cookies: BTreeMap<String, String>,
}

impl Browser {
    /// A GET of `path` with its cookies.
    pub fn get(&self, path: &str) -> Parts {
        let request = Request::get(path).header(HOST, "127.0.0.1:8080");
        self.parts(request)
    }

    /// A request of its own kind, with its cookies.
    pub fn parts(&self, mut request: Builder) -> Parts {
        if !self.cookies.is_empty() {
            let pairs = self.cookies.iter();
            let pairs: Vec<_> = pairs
                .map(|(name, value)| format!("{name}={value}"))
                .collect();
            request = request.header(COOKIE, pairs.join("; "));
        }
        request.body(()).unwrap().into_parts().0
    }

    /// Does what the `Set-Cookie`s of an answer say.
    pub fn keep(&mut self, headers: &HeaderMap) {
        for set_cookie in headers.get_all(SET_COOKIE) {
            self.keep_one(set_cookie.to_str().unwrap());
        }
    }

    pub fn keep_one(&mut self, set_cookie: &str) {
        let (pair, attributes) = set_cookie.split_once("; ").unwrap();
        let (name, value) = pair.split_once('=').unwrap();
        if attributes.contains("Max-Age=0") {
            self.cookies.remove(name);
        } else {
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
    }

    /// How many unfinished sign-ins it carries.
    pub fn pending(&self) -> usize {
        let names = self.cookies.keys();
        names.filter(|name| name.starts_with("rc_sign_in_")).count()
    }
}
