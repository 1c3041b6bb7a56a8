//! How much memory an idle grant takes. Alone in its program: the allocator counts for all threads.
#![allow(clippy::unwrap_used, reason = "a file of tests")]

#[path = "../benches/call/stage.rs"]
#[allow(dead_code, reason = "shared with the bench")]
mod stage;

use std::alloc::System;

use stage::Stage;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const GRANTS: usize = 1000;

/// `Bearer`, a space, and an access token of the stage.
const HEADER: usize = 135;

/// All that the allocator gave for it beside the header: the grant, its token, and its places in two maps. The pair
/// and what its record says are not among it.
const MOST: usize = 512;

#[tokio::test]
async fn a_live_grant_that_nobody_uses_stays_below_its_bound() {
    let first = Stage::new(GRANTS);
    for number in 0..GRANTS {
        first.sign_in(number).await;
    }
    // Only reads what the first has saved.
    let second = first.beside(GRANTS);
    let region = Region::new(ALLOCATOR);
    for number in 0..GRANTS {
        let grant = second.client.grant(&Stage::key(number));
        grant.access_token().await.unwrap();
    }
    let change = region.change();
    let each = (change.bytes_allocated - change.bytes_deallocated) / GRANTS;
    let beside = each.saturating_sub(HEADER);
    assert!(beside <= MOST, "{beside} bytes");
    assert!(beside > 200, "{beside} bytes: they are not kept");
}
