//! Tokens as a program without a library keeps them.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use http::HeaderValue;

/// What a caller without a library keeps of one user: a token, and until when it may be used.
pub(crate) struct KeptByHand(Arc<Mutex<(HeaderValue, Instant)>>);

impl KeptByHand {
    pub(crate) fn new(number: usize) -> Self {
        let token = format!("Bearer access-{number:0>120}");
        let token = HeaderValue::try_from(token).expect("a header");
        let until = Instant::now() + Duration::from_secs(3600);
        Self(Arc::new(Mutex::new((token, until))))
    }

    pub(crate) fn header(&self) -> HeaderValue {
        let kept = self.0.lock().expect("nobody panics with it");
        assert!(Instant::now() < kept.1, "a token that may be used");
        kept.0.clone()
    }
}
