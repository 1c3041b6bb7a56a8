//! A tap on the line between application and platform: passes bytes on and keeps them.

use std::{
    collections::BTreeSet,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};
use url::form_urlencoded;

/// Everything that was said so far.
#[derive(Clone, Default)]
pub struct Tap(Arc<Mutex<Vec<u8>>>);

impl Tap {
    /// Listens on a free port and passes every connection on to `platform`.
    pub async fn before(platform: SocketAddr) -> (Self, SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let tap = Self::default();
        let keeper = tap.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(platform).await.expect("a platform");
                let (from_client, to_client) = client.into_split();
                let (from_server, to_server) = server.into_split();
                tokio::spawn(keeper.clone().pass(from_client, to_server));
                tokio::spawn(keeper.clone().pass(from_server, to_client));
            }
        });
        (tap, address)
    }

    async fn pass(self, mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin) {
        let mut buffer = vec![0; 64 * 1024];
        while let Ok(read @ 1..) = from.read(&mut buffer).await {
            self.0
                .lock()
                .expect("no panic")
                .extend_from_slice(&buffer[..read]);
            if to.write_all(&buffer[..read]).await.is_err() {
                break;
            }
        }
    }

    /// Every token, code and verifier that went over the line, and the client's credentials.
    pub fn secrets(&self) -> BTreeSet<String> {
        let bytes = self.0.lock().expect("no panic");
        let text = String::from_utf8_lossy(&bytes);
        let mut secrets = BTreeSet::new();
        for name in ["access_token", "refresh_token"] {
            let start = format!("\"{name}\":\"");
            secrets.extend(after_each(&text, &start, '"'));
        }
        for name in ["code", "code_verifier", "refresh_token", "token"] {
            for line in text
                .lines()
                .filter(|line| line.contains('&') || line.starts_with("token="))
            {
                let pairs = form_urlencoded::parse(line.as_bytes());
                let values = pairs
                    .filter(|(key, _)| key == name)
                    .map(|(_, value)| value.into_owned());
                secrets.extend(values);
            }
        }
        secrets.extend(after_each(&text, "uthorization: Basic ", '\r'));
        secrets.retain(|secret| secret.len() >= 16);
        secrets
    }
}

fn after_each(text: &str, start: &str, end: char) -> Vec<String> {
    let parts = text.split(start).skip(1);
    parts
        .filter_map(|part| part.split(end).next())
        .map(str::to_owned)
        .collect()
}
