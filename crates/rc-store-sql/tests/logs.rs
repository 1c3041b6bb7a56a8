//! Nothing of a payload reaches a log, at the most talkative level. The one test of its program,
//! because the subscriber is for all threads.

use std::{
    io,
    sync::{Arc, Mutex},
};

use rc_store::{Expect, RecordKey, TokenStore};
use rc_store_sql::SqlStore;
use tracing_subscriber::{filter::LevelFilter, fmt::format::FmtSpan};

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("the log").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn payloads_never_reach_a_log() {
    let log = Log::default();
    let writer = log.clone();
    tracing_subscriber::fmt()
        .with_max_level(LevelFilter::TRACE)
        .with_span_events(FmtSpan::FULL)
        .with_writer(move || writer.clone())
        .init();

    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("tokens.db");
    let url = format!("sqlite://{}?mode=rwc", path.display());
    let store = SqlStore::connect(&url).await.expect("connects");
    let key = RecordKey::derive(&[b"a"]);
    let secret = b"example-secret-payload";
    let version = store
        .save(&key, secret, None, Expect::Absent)
        .await
        .expect("saved");
    let conflict = store.save(&key, secret, None, Expect::Absent).await;
    assert!(conflict.is_err());
    let version = store
        .save(&key, secret, None, Expect::Version(version))
        .await
        .expect("saved");
    store.load(&key).await.expect("loads");
    store.scan(None, 10).await.expect("scans");
    store.delete(&key, version).await.expect("deleted");

    let log = String::from_utf8_lossy(&log.0.lock().expect("the log")).to_lowercase();
    assert!(log.contains("trace"), "nothing was logged at all");
    let hex: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
    for shown in [
        "example-secret",
        &hex[..16],
        "101, 120, 97, 109, 112, 108, 101",
    ] {
        assert!(!log.contains(shown), "{shown} in the log");
    }
}
