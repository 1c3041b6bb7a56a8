//! One log line and one measurement per request, and the references on error pages. The line of a request that went
//! well is one for `debug`.

use std::{
    fmt,
    hash::{BuildHasher as _, Hasher as _, RandomState},
    sync::{
        LazyLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use actix_web::http::{Method, StatusCode};

/// Names one answer, on its page, in its `X-Request-Id` header and in the log.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Reference(u64);

impl Reference {
    /// A new one: counted from a random start, so that two processes rarely meet.
    pub(crate) fn next() -> Self {
        static NEXT: LazyLock<AtomicU64> =
            LazyLock::new(|| AtomicU64::new(RandomState::new().build_hasher().finish()));
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// A request as the log sees it: never its query, which may hold a code, nor its cookies.
#[derive(Debug)]
pub(crate) struct Observed {
    method: &'static str,
    route: &'static str,
    started: Instant,
}

impl Observed {
    /// Starts the clock. `route` is one of a fixed set of names, so that neither log nor metrics grow with
    /// what strangers ask for.
    pub(crate) fn start(method: &Method, route: &'static str) -> Self {
        Self {
            method: method_name(method),
            route,
            started: Instant::now(),
        }
    }

    /// Writes the line and counts the measurement.
    pub(crate) fn finish(self, status: StatusCode) {
        let Self {
            method,
            route,
            started,
        } = self;
        let elapsed = started.elapsed();
        let failed = status.is_client_error() || status.is_server_error();
        let status = status.as_u16();
        let ms = elapsed.as_secs_f64() * 1e3;
        // A line is written before its answer is sent: what went well is worth that only to whoever looks for it.
        if failed {
            tracing::info!(target: "rc_web::request", method, route, status, ms = format_args!("{ms:.1}"));
        } else {
            tracing::debug!(target: "rc_web::request", method, route, status, ms = format_args!("{ms:.1}"));
        }
        metrics::histogram!(
            "http.server.request.duration",
            "method" => method,
            "route" => route,
            "class" => class(status),
        )
        .record(elapsed.as_secs_f64());
    }
}

fn method_name(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        _ => "other",
    }
}

fn class(status: u16) -> &'static str {
    match status {
        0..200 => "1xx",
        200..300 => "2xx",
        300..400 => "3xx",
        400..500 => "4xx",
        _ => "5xx",
    }
}
