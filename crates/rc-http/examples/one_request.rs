//! `rc-http` alone: sends one request and tells what is known about it.
//!
//! ```text
//! cargo run -p rc-http --example one_request -- https://platform.ringcentral.com/restapi
//! ```
//!
//! Without an address it asks a server of its own that hangs up in the middle of its answer.

use std::{error::Error, time::Duration};

use bytes::Bytes;
use http::Request;
use rc_http::{Delivery, HttpClient, Outgoing, ReqwestClient};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let uri = match std::env::args().nth(1) {
        Some(uri) => uri,
        None => unreliable_server().await?,
    };
    let client = ReqwestClient::builder()
        .user_agent("one-request/0.1")
        .build()?;
    let request = Request::get(&uri).body(Bytes::new())?;
    match client
        .send(Outgoing::new(request).deadline(Duration::from_secs(10)))
        .await
    {
        Ok(answer) => println!("{}, {} bytes", answer.status, answer.body.len()),
        Err(error) => {
            println!("{error}");
            println!(
                "{}",
                match error.delivery() {
                    Delivery::NotSent =>
                        "The server has not seen the request: it is safe to send it again.",
                    Delivery::MaybeSent =>
                        "The server may have carried it out: look before you send it again.",
                }
            );
        }
    }
    Ok(())
}

/// Serves one request on a free port: half an answer.
async fn unreliable_server() -> Result<String, std::io::Error> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let uri = format!("http://{}/", listener.local_addr()?);
    tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await?;
        let _read = socket.read(&mut [0; 1024]).await?;
        socket
            .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf")
            .await
    });
    Ok(uri)
}
