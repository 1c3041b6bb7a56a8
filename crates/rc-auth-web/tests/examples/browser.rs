//! A browser that keeps cookies per server, follows redirects, and finds links and forms in pages.
#![allow(unreachable_pub, clippy::unwrap_used, reason = "a module of tests")]

use std::collections::BTreeMap;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use url::{Url, form_urlencoded};

/// A page that was reached.
#[derive(Debug)]
pub struct Page {
    pub url: String,
    pub body: String,
}

#[derive(Default)]
pub struct Browser {
    /// By server and name.
    cookies: BTreeMap<(String, String), String>,
}

impl Page {
    /// Where its first link leads.
    pub fn link(&self) -> String {
        self.resolve(&attribute(&self.body, "href").expect("a link"))
    }

    fn resolve(&self, target: &str) -> String {
        let here = Url::parse(&self.url).unwrap();
        here.join(target).unwrap().into()
    }
}

impl Browser {
    pub async fn open(&mut self, url: &str) -> Page {
        self.follow("GET", url, String::new()).await
    }

    /// Fills in the only form of a page and presses its first button.
    pub async fn submit(&mut self, page: &Page, fields: &[(&str, &str)]) -> Page {
        let (_, form) = page
            .body
            .split_once("<form")
            .unwrap_or_else(|| panic!("{page:?}"));
        let form = form.split("</form>").next().unwrap();
        let mut filled = form_urlencoded::Serializer::new(String::new());
        for input in form.split("<input").skip(1) {
            let name = attribute(input, "name").expect("a name");
            let given = fields.iter().find(|(field, _)| *field == name);
            let given = given.map(|(_, value)| (*value).to_owned());
            let value = given.or_else(|| attribute(input, "value"));
            filled.append_pair(&name, &value.unwrap_or_default());
        }
        if let Some((_, button)) = form.split_once("<button") {
            let (button, _) = button.split_once('>').unwrap();
            if let (Some(name), Some(value)) =
                (attribute(button, "name"), attribute(button, "value"))
            {
                filled.append_pair(&name, &value);
            }
        }
        let action = attribute(form, "action").expect("an action");
        self.follow("POST", &page.resolve(&action), filled.finish())
            .await
    }

    async fn follow(&mut self, method: &str, url: &str, form: String) -> Page {
        let (mut method, mut page, mut form) = (
            method,
            Page {
                url: url.to_owned(),
                body: String::new(),
            },
            form,
        );
        for _ in 0..10 {
            let (head, body) = self.exchange(method, &page.url, &form).await;
            let location = head
                .lines()
                .find_map(|line| line.strip_prefix("location: "));
            let Some(location) = location else {
                return Page { body, ..page };
            };
            page.url = page.resolve(location);
            (method, form) = ("GET", String::new());
        }
        panic!("redirects without end: {page:?}");
    }

    /// Head, with its names in lower case, and body of the answer.
    async fn exchange(&mut self, method: &str, url: &str, form: &str) -> (String, String) {
        let url = Url::parse(url).unwrap();
        let server = url.authority();
        let own = self.cookies.iter().filter(|((of, _), _)| of == server);
        let cookies: Vec<_> = own
            .map(|((_, name), value)| format!("{name}={value}"))
            .collect();
        let request = format!(
            "{method} {}?{} HTTP/1.1\r\nhost: {server}\r\nconnection: close\r\naccept: text/html\r\ncookie: {}\r\n\
             origin: {}\r\ncontent-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n{form}",
            url.path(),
            url.query().unwrap_or_default(),
            cookies.join("; "),
            url.origin().ascii_serialization(),
            form.len(),
        );
        let mut stream = TcpStream::connect(server).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let lines = head.lines().map(|line| match line.split_once(": ") {
            Some((name, value)) => format!("{}: {value}\n", name.to_lowercase()),
            None => format!("{line}\n"),
        });
        let head: String = lines.collect();
        self.keep_cookies(server, &head);
        (head, body.to_owned())
    }

    fn keep_cookies(&mut self, server: &str, head: &str) {
        for line in head.lines() {
            let Some(set_cookie) = line.strip_prefix("set-cookie: ") else {
                continue;
            };
            let (pair, attributes) = set_cookie.split_once(';').unwrap_or((set_cookie, ""));
            let (name, value) = pair.split_once('=').unwrap();
            let key = (server.to_owned(), name.to_owned());
            if attributes.contains("Max-Age=0") {
                self.cookies.remove(&key);
            } else {
                self.cookies.insert(key, value.to_owned());
            }
        }
    }
}

/// The first value of an attribute of this name.
fn attribute(markup: &str, name: &str) -> Option<String> {
    let (_, rest) = markup.split_once(&format!(" {name}=\""))?;
    let (value, _) = rest.split_once('"')?;
    Some(
        value
            .replace("&quot;", "\"")
            .replace("&#38;", "&")
            .replace("&amp;", "&"),
    )
}
