//! The stylesheet and the icon, under addresses that change with their content.

use std::fmt;

use actix_web::{
    HttpResponse,
    http::header::{CACHE_CONTROL, CONTENT_TYPE},
};

/// How every page looks.
pub(crate) const STYLE: Asset = Asset::new(
    "style.css",
    "text/css; charset=utf-8",
    include_str!("../assets/style.css"),
);

/// The icon in the browser's tab.
pub(crate) const ICON: Asset = Asset::new(
    "icon.svg",
    "image/svg+xml",
    include_str!("../assets/icon.svg"),
);

/// A file that every page refers to. Prints as its address.
#[derive(Debug)]
pub(crate) struct Asset {
    name: &'static str,
    media_type: &'static str,
    content: &'static str,
    hash: u64,
}

impl Asset {
    const fn new(name: &'static str, media_type: &'static str, content: &'static str) -> Self {
        Self {
            name,
            media_type,
            content,
            hash: fnv1a(content.as_bytes()),
        }
    }

    /// The file. Its address names the content, so it may be kept for ever.
    pub(crate) fn answer(&self) -> HttpResponse {
        HttpResponse::Ok()
            .insert_header((CONTENT_TYPE, self.media_type))
            .insert_header((CACHE_CONTROL, "public, max-age=31536000, immutable"))
            .body(self.content)
    }
}

impl fmt::Display for Asset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "/assets/{:016x}/{}", self.hash, self.name)
    }
}

/// 64-bit FNV-1a: tells one version of a file from the next, nothing more.
const fn fnv1a(bytes: &[u8]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325;
    let mut at = 0;
    while at < bytes.len() {
        hash = (hash ^ bytes[at] as u64).wrapping_mul(0x0000_0100_0000_01b3);
        at += 1;
    }
    hash
}
