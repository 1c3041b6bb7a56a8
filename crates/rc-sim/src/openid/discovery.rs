//! Documents in which the platform says where everything is: openid-configuration and entry points.
//!
//! `base` is the URL that the asker reached the platform at, without a slash at its end.

pub(crate) mod entry_points;
pub(crate) mod openid;

/// Where the token endpoint is, which `token_uri` of a callback and the audience of assertions name too.
pub(crate) fn token_uri(base: &str) -> String {
    format!("{base}/restapi/oauth/token")
}

/// Where the external entry points are, which `discovery_uri` of a callback names too.
pub(crate) fn external_uri(base: &str) -> String {
    format!("{base}/.well-known/entry-points/external")
}

fn authorization_uri(base: &str) -> String {
    format!("{base}/restapi/oauth/authorize")
}
