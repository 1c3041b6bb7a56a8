//! The listener for measurements: nothing but `GET /metrics`, apart from what browsers and proxies reach.

use std::net::{IpAddr, SocketAddr, TcpListener};

use actix_web::{
    App, Either, HttpRequest, HttpResponse, HttpServer,
    dev::{Server, ServerHandle, Service as _},
    http::{
        StatusCode,
        header::{CACHE_CONTROL, HOST, X_CONTENT_TYPE_OPTIONS},
        uri::Authority,
    },
    web,
};

use crate::{admission, chunked, telemetry};

/// Requests in the air after a signal to stop are short.
const SHUTDOWN_SECONDS: u64 = 5;

/// The running listener.
#[derive(Debug)]
pub(crate) struct MetricsServer {
    handle: ServerHandle,
}

impl MetricsServer {
    /// Runs `server` in a task. The application goes on should it break.
    pub(crate) fn spawn(server: Server) -> Self {
        let handle = server.handle();
        tokio::spawn(async move {
            if let Err(error) = server.await {
                tracing::error!(%error, "the listener for measurements has broken");
            }
        });
        Self { handle }
    }

    /// Accepts nothing new and waits for the answers in the air.
    pub(crate) async fn stop(self) {
        self.handle.stop(true).await;
    }
}

/// A server on `listener`. It runs when awaited, and leaves signals to the caller.
///
/// On a loopback address it answers to names of this machine only, so that no page whose name was pointed
/// here (DNS rebinding) can read it. On any other address whoever reaches the port may read.
///
/// # Errors
///
/// When the listener cannot be used.
pub(crate) fn on(listener: TcpListener) -> std::io::Result<Server> {
    let address = listener.local_addr()?;
    let build = move || {
        let get = web::get().to(move |request: HttpRequest| async move {
            if answers(&request, address) {
                measurements()
            } else {
                admission::bad_host(StatusCode::MISDIRECTED_REQUEST)
            }
        });
        App::new()
            .service(web::resource("/metrics").route(get))
            .wrap_fn(|mut request, service| {
                let answer = match chunked::refusal(&mut request) {
                    Some(refusal) => Either::Left(request.into_response(refusal)),
                    None => Either::Right(service.call(request)),
                };
                async move {
                    match answer {
                        Either::Left(refused) => Ok(refused),
                        Either::Right(response) => response.await,
                    }
                }
            })
    };
    let server = HttpServer::new(build).workers(1).listen(listener)?;
    Ok(server
        .disable_signals()
        .shutdown_timeout(SHUTDOWN_SECONDS)
        .run())
}

fn answers(request: &HttpRequest, address: SocketAddr) -> bool {
    if !address.ip().is_loopback() {
        return true;
    }
    let mut hosts = request.headers().get_all(HOST);
    hosts.all(|host| {
        let host = Authority::try_from(host.as_bytes());
        host.is_ok_and(|host| is_loopback(host.host()))
    })
}

/// Whether `name` is a name of this machine that no name server decides about.
fn is_loopback(name: &str) -> bool {
    let bare = name
        .strip_prefix('[')
        .and_then(|name| name.strip_suffix(']'));
    let address: Option<IpAddr> = match bare {
        Some(name) => name.parse().ok().map(IpAddr::V6),
        None => name.parse().ok().map(IpAddr::V4),
    };
    name.eq_ignore_ascii_case("localhost") || address.is_some_and(|address| address.is_loopback())
}

fn measurements() -> HttpResponse {
    HttpResponse::Ok()
        .content_type("text/plain; version=0.0.4; charset=utf-8")
        .insert_header((CACHE_CONTROL, "no-store"))
        .insert_header((X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .body(telemetry::render_metrics())
}
