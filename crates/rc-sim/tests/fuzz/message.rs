//! The text of an input: a request with placeholders, written much as it is sent.
//!
//! ```text
//! POST /restapi/oauth/token
//! authorization: Basic {basic}
//!
//! grant_type=refresh_token&refresh_token={refresh}
//! ```
//!
//! Headers whose names start with `make-` are not sent: they say what a placeholder is made of.

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request};

/// A request, taken apart so that its parts can be changed one by one.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Message {
    pub(crate) method: Vec<u8>,
    pub(crate) uri: Vec<u8>,
    pub(crate) headers: Vec<(Vec<u8>, Vec<u8>)>,
    pub(crate) body: Vec<u8>,
}

fn split<'a>(text: &'a [u8], at: &[u8]) -> (&'a [u8], &'a [u8]) {
    let found = text.windows(at.len()).position(|window| window == at);
    match found {
        Some(place) => (&text[..place], &text[place + at.len()..]),
        None => (text, b""),
    }
}

impl Message {
    pub(crate) fn parse(text: &[u8]) -> Self {
        let (head, body) = split(text, b"\n\n");
        let (first, rest) = split(head, b"\n");
        let (method, uri) = split(first, b" ");
        let headers = rest
            .split(|b| *b == b'\n')
            .filter(|line| !line.is_empty())
            .map(|line| split(line, b": "))
            .map(|(name, value)| (name.to_vec(), value.to_vec()))
            .collect();
        Self {
            method: method.to_vec(),
            uri: uri.to_vec(),
            headers,
            body: body.to_vec(),
        }
    }

    pub(crate) fn text(&self) -> Vec<u8> {
        let mut text = [&self.method[..], b" ", &self.uri].concat();
        for (name, value) in &self.headers {
            text.extend([b"\n", &name[..], b": ", value].concat());
        }
        text.extend_from_slice(b"\n\n");
        text.extend_from_slice(&self.body);
        text
    }

    /// What a placeholder is made of.
    pub(crate) fn made_of(&self, name: &str) -> Option<&[u8]> {
        let header = self.headers.iter().find(|(n, _)| n == name.as_bytes());
        header.map(|(_, value)| value.as_slice())
    }

    /// The request, where it can be one: what no client can send is escaped or left out.
    pub(crate) fn request(&self) -> Option<Request<Bytes>> {
        let mut request = Request::builder()
            .method(Method::from_bytes(&self.method).ok()?)
            .uri(escaped(&self.uri));
        for (name, value) in &self.headers {
            if name.starts_with(b"make-") {
                continue;
            }
            let sent: Vec<u8> = value
                .iter()
                .copied()
                .filter(|b| *b == b'\t' || (*b >= 0x20 && *b != 0x7f))
                .collect();
            let name = HeaderName::from_bytes(name).ok()?;
            request = request.header(name, HeaderValue::from_bytes(&sent).ok()?);
        }
        request.body(Bytes::copy_from_slice(&self.body)).ok()
    }
}

fn escaped(uri: &[u8]) -> String {
    let mut text = String::with_capacity(uri.len());
    for byte in uri {
        let plain = (0x21..0x7f).contains(byte) && !br##""#<>\^`{|}"##.contains(byte);
        if plain {
            text.push(char::from(*byte));
        } else {
            text.push_str(&format!("%{byte:02X}"));
        }
    }
    text
}
