//! A call that blocks its thread for ever ends the test process with a message, within the limit.

use std::process::Command;

use rc_store::{
    MemoryStore, RecordKey, Stored,
    conformance::{Pace, checks::payloads, run},
};

use crate::broken::{Answer, Broken, Place, Through};

struct Blocking(Place);

impl Broken for Blocking {
    fn inner(&self) -> &MemoryStore {
        &self.0
    }

    fn load<'a>(&'a self, _: &'a RecordKey) -> Answer<'a, Option<Stored>> {
        Box::pin(async {
            loop {
                std::thread::park();
            }
        })
    }
}

/// Run by the test below only, in a process of its own.
#[test]
#[ignore = "it ends the process"]
fn load_that_blocks_for_ever() {
    let open = async |place: &Place| Through(Blocking(place.clone()));
    let check = payloads::absent_key_loads_none;
    run(Pace::AsIs, Place::default, open, |site| site, check);
}

#[test]
fn call_that_blocks_for_ever_is_named_and_ends_the_process() {
    let tests = std::env::current_exe().expect("the path of these tests");
    let ended = Command::new(tests)
        .args(["--ignored", "--exact", "--nocapture"])
        .arg("blocking::load_that_blocks_for_ever")
        .env("RC_STORE_CHECK_SECONDS", "1")
        .output()
        .expect("the tests run");
    let said = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(101), "{said}");
    assert!(
        said.contains("a call blocks its thread") && said.contains("not answered: load of "),
        "{said}"
    );
}
