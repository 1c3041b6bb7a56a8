//! Asks for one path a number of times, over connections that stay open.
//!
//! On one thread: the cores are for the programs that are measured.

use std::{
    cell::Cell,
    io::{self, Read as _},
    net::SocketAddr,
    process::ExitCode,
    rc::Rc,
    time::Instant,
};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty};
use hyper::{
    Request,
    client::conn::http1::{self, SendRequest},
    header::{COOKIE, HOST},
};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, runtime, task::LocalSet};

const USAGE: &str = "\
Usage: web-load ADDRESS PATH STATUS CONNECTIONS REQUESTS
       Prints the seconds that REQUESTS took; fails when an answer's status does not begin with STATUS.
       Each line of stdin is a Cookie header; connections take them in turn.";

/// What is asked.
struct Load {
    address: SocketAddr,
    path: String,
    status: String,
    connections: usize,
    cookies: Vec<String>,
    /// Requests that no connection has taken yet.
    left: Cell<u64>,
}

fn main() -> ExitCode {
    match load().and_then(|load| run(Rc::new(load))) {
        Ok(seconds) => {
            println!("{seconds}");
            ExitCode::SUCCESS
        }
        Err(message) => {
            eprintln!("web-load: {message}");
            ExitCode::FAILURE
        }
    }
}

fn load() -> Result<Load, String> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [address, path, status, connections, requests] = arguments.as_slice() else {
        return Err(USAGE.to_owned());
    };
    let wrong = |what: &str| format!("{what} cannot be read\n{USAGE}");
    let mut cookies = String::new();
    let read = io::stdin().read_to_string(&mut cookies);
    read.map_err(|error| format!("stdin: {error}"))?;
    Ok(Load {
        address: address.parse().map_err(|_| wrong("ADDRESS"))?,
        path: path.clone(),
        status: status.clone(),
        connections: connections.parse().map_err(|_| wrong("CONNECTIONS"))?,
        cookies: cookies.lines().map(str::to_owned).collect(),
        left: Cell::new(requests.parse().map_err(|_| wrong("REQUESTS"))?),
    })
}

/// The seconds that all requests took.
fn run(load: Rc<Load>) -> Result<f64, String> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| format!("no runtime: {error}"))?;
    let started = Instant::now();
    LocalSet::new().block_on(&runtime, async {
        let callers: Vec<_> = (0..load.connections)
            .map(|place| tokio::task::spawn_local(call(Rc::clone(&load), place)))
            .collect();
        for caller in callers {
            let called = caller.await;
            called.map_err(|error| format!("a connection ended early: {error}"))??;
        }
        Ok(started.elapsed().as_secs_f64())
    })
}

/// One connection, until no request is left.
async fn call(load: Rc<Load>, place: usize) -> Result<(), String> {
    let stream = TcpStream::connect(load.address).await;
    let stream = stream.map_err(|error| format!("{}: {error}", load.address))?;
    let no_delay = stream.set_nodelay(true);
    no_delay.map_err(|error| format!("TCP_NODELAY: {error}"))?;
    let shaken = http1::handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = shaken.map_err(|error| error.to_string())?;
    // Its errors are those of the requests on it.
    tokio::task::spawn_local(connection);
    let cookies = load.cookies.iter().cycle().nth(place);
    while let Some(left) = load.left.get().checked_sub(1) {
        load.left.set(left);
        ask(&load, &mut sender, cookies).await?;
    }
    Ok(())
}

async fn ask(
    load: &Load,
    sender: &mut SendRequest<Empty<Bytes>>,
    cookies: Option<&String>,
) -> Result<(), String> {
    let mut request = Request::get(&load.path).header(HOST, load.address.to_string());
    if let Some(cookies) = cookies {
        request = request.header(COOKIE, cookies);
    }
    let request = request.body(Empty::new());
    let request = request.map_err(|error| error.to_string())?;
    let failed = |error: hyper::Error| format!("GET {}: {error}", load.path);
    sender.ready().await.map_err(failed)?;
    let answer = sender.send_request(request).await.map_err(failed)?;
    let status = answer.status();
    answer.into_body().collect().await.map_err(failed)?;
    if !status.as_str().starts_with(&load.status) {
        return Err(format!(
            "GET {} was answered {status}, not {}..",
            load.path, load.status
        ));
    }
    Ok(())
}
