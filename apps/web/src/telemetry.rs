//! Logs and metrics of the process.

use std::{sync::OnceLock, time::Duration};

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tracing::{Metadata, level_filters::LevelFilter};
use tracing_subscriber::{
    EnvFilter, Layer as _,
    filter::{FilterExt as _, FilterFn},
    fmt,
    layer::SubscriberExt as _,
    util::{SubscriberInitExt as _, TryInitError},
};

static METRICS: OnceLock<PrometheusHandle> = OnceLock::new();

/// Sends what `directives` let through to stderr.
///
/// # Errors
///
/// If a subscriber is there already.
pub(crate) fn log_to_stderr(directives: &str) -> Result<(), TryInitError> {
    let lines = fmt::layer().with_writer(std::io::stderr);
    let filter = EnvFilter::new(directives);
    let harmless = FilterFn::new(is_harmless).with_max_level_hint(LevelFilter::TRACE);
    // One filter of the two: of two layers of them, each would make spans that the other lets nobody see.
    tracing_subscriber::registry()
        .with(lines.with_filter(filter.and(harmless)))
        .try_init()
}

/// Whether an event may be logged at all, whatever `RUST_LOG` says.
///
/// Below `info`, HTTP and database libraries print headers, bodies and bound values: hyper and h2 decoded
/// headers, actix-http whole requests, sqlx statements. Codes and tokens are among them. So only the
/// crates of this workspace, which never print a secret, may go lower.
fn is_harmless(event: &Metadata<'_>) -> bool {
    const OURS: &[&str] = &[
        "rc_auth",
        "rc_auth_core",
        "rc_auth_web",
        "rc_http",
        "rc_sim",
        "rc_store",
        "rc_store_file",
        "rc_store_redis",
        "rc_store_sql",
        "rc_web",
    ];
    let root = event.target().split("::").next().unwrap_or_default();
    *event.level() <= tracing::Level::INFO || OURS.contains(&root)
}

/// Starts to collect metrics, once per process. Call it inside a runtime. Until then measuring costs nothing.
pub(crate) fn collect_metrics() {
    METRICS.get_or_init(|| {
        // Local upstreams answer within a millisecond; a refresh may wait half a minute.
        const SECONDS: &[f64] = &[
            0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
        ];
        let builder = PrometheusBuilder::new();
        let builder =
            builder.set_buckets_for_metric(Matcher::Suffix("duration".to_owned()), SECONDS);
        // Fails for an empty list of buckets only.
        let builder = builder.unwrap_or_else(|_| PrometheusBuilder::new());
        let recorder = builder.build_recorder();
        let handle = recorder.handle();
        if metrics::set_global_recorder(recorder).is_err() {
            tracing::warn!("metrics go to the recorder that was there before, not to /metrics");
        }
        tokio::spawn(keep_tidy(handle.clone()));
        handle
    });
}

/// Folds what was measured into its buckets even when nobody asks for it.
async fn keep_tidy(handle: PrometheusHandle) {
    let mut every = tokio::time::interval(Duration::from_secs(15));
    loop {
        every.tick().await;
        handle.run_upkeep();
    }
}

/// All metrics in Prometheus' text format.
pub(crate) fn render_metrics() -> String {
    METRICS
        .get()
        .map(PrometheusHandle::render)
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crates_of_others_are_never_heard_below_info() {
        let _guard = tracing::subscriber::set_default(
            tracing_subscriber::registry().with(
                fmt::layer()
                    .with_writer(std::io::sink)
                    .with_filter(FilterFn::new(is_harmless)),
            ),
        );
        assert!(tracing::enabled!(target: "rc_auth::driver", tracing::Level::TRACE));
        assert!(tracing::enabled!(target: "hyper", tracing::Level::INFO));
        assert!(!tracing::enabled!(target: "hyper", tracing::Level::DEBUG));
        assert!(!tracing::enabled!(target: "rc_authentic", tracing::Level::TRACE));
    }
}
