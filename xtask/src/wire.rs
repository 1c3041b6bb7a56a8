//! HTTP/1.1 on a connection for each request, as much of it as the scenarios need.

use std::{net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

use crate::Fallible;

/// No answer of the application takes as long.
const LIMIT: Duration = Duration::from_secs(90);

/// What is sent.
#[derive(Debug)]
pub(crate) struct Request<'a> {
    pub(crate) method: &'a str,
    pub(crate) target: &'a str,
    pub(crate) headers: Vec<(&'a str, &'a str)>,
    pub(crate) body: &'a str,
}

/// An answer, read whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Answer {
    /// The values of the headers called `name`, which is in lower case.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let named = self.headers.iter().filter(move |(other, _)| other == name);
        named.map(|(_, value)| value.as_str())
    }

    /// Where the answer leads.
    pub(crate) fn location(&self) -> Fallible<&str> {
        self.all("location")
            .next()
            .ok_or_else(|| format!("status {} leads nowhere: {}", self.status, self.body))
    }

    /// How long to wait before the next try, one second where the answer does not say.
    pub(crate) fn retry_after(&self) -> Duration {
        let said = self.all("retry-after").next();
        let seconds = said.and_then(|seconds| seconds.parse().ok());
        Duration::from_secs(seconds.unwrap_or(1))
    }

    fn parse(bytes: &[u8]) -> Fallible<Self> {
        let text = String::from_utf8_lossy(bytes);
        let (head, body) = text
            .split_once("\r\n\r\n")
            .ok_or("the connection ended before the answer")?;
        let mut lines = head.lines();
        let status = lines.next().and_then(|line| line.split(' ').nth(1));
        let status = status.and_then(|status| status.parse().ok());
        let headers = lines.filter_map(|line| line.split_once(": "));
        Ok(Self {
            status: status.ok_or("the answer has no status")?,
            headers: headers
                .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
                .collect(),
            body: body.to_owned(),
        })
    }
}

/// Sends `request` and reads the answer.
pub(crate) async fn exchange(to: SocketAddr, request: &Request<'_>) -> Fallible<Answer> {
    let asked = timeout(LIMIT, ask(to, request)).await;
    let asked = asked.unwrap_or_else(|_| Err(format!("no answer in {} s", LIMIT.as_secs())));
    // Without the query: it may hold a code.
    let path = request.target.split('?').next().unwrap_or_default();
    asked.map_err(|error| format!("{} {path} at {to}: {error}", request.method))
}

async fn ask(to: SocketAddr, request: &Request<'_>) -> Fallible<Answer> {
    let mut stream = TcpStream::connect(to).await.map_err(|e| e.to_string())?;
    let Request {
        method,
        target,
        headers,
        body,
    } = request;
    let mut text = format!("{method} {target} HTTP/1.1\r\nhost: {to}\r\nconnection: close\r\n");
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    text.push_str(&format!("content-length: {}\r\n\r\n{body}", body.len()));
    let sent = stream.write_all(text.as_bytes()).await;
    sent.map_err(|error| error.to_string())?;
    let mut bytes = Vec::new();
    match stream.read_to_end(&mut bytes).await {
        // A server that is done may reset the connection; an answer that came counts.
        Err(error) if bytes.is_empty() => Err(error.to_string()),
        Ok(_) | Err(_) => Answer::parse(&bytes),
    }
}

/// Path and query of an absolute address; what is no absolute address is returned as it is.
pub(crate) fn target_of(address: &str) -> &str {
    if address.starts_with('/') {
        return address;
    }
    let Some((_, rest)) = address.split_once("://") else {
        return address;
    };
    rest.find('/').map_or("/", |start| &rest[start..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read_and_a_cut_one_refused() {
        let answer = Answer::parse(b"HTTP/1.1 503 Busy\r\nRetry-After: 7\r\n\r\nlater").unwrap();
        assert_eq!((answer.status, answer.body.as_str()), (503, "later"));
        assert_eq!(answer.retry_after(), Duration::from_secs(7));
        assert!(Answer::parse(b"HTTP/1.1 200 OK\r\n").is_err());
    }

    #[test]
    fn the_target_is_what_follows_the_host() {
        assert_eq!(target_of("http://127.0.0.1:1/cb?code=x"), "/cb?code=x");
        assert_eq!(target_of("/login?x=http://y/z"), "/login?x=http://y/z");
    }
}
