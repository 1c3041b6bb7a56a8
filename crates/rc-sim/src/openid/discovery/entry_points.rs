//! `GET /.well-known/entry-points/{initial,external}`: the platform's own discovery of hosts.
//!
//! Platform §1. On the platform each product has a host of its own; here all of them are the one base.

use serde::Serialize;

use super::{authorization_uri, external_uri, token_uri};
use crate::seed::Seed;

/// Platform §1: RingCentral US.
pub(crate) const DEFAULT_BRAND: &str = "1210";

const VERSION: &str = "1.0.0";
const RETRY_COUNT: u32 = 3;
/// Seconds.
const RETRY_INTERVAL: u32 = 3;
/// Seconds until the external entry points have to be fetched again.
const EXPIRES_IN: u32 = 86_400;
/// Seconds.
const RETRY_CYCLE_DELAY: u32 = 824;

/// What is known before anybody has signed in.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct InitialEntryPoints<'a> {
    version: &'static str,
    retry_count: u32,
    retry_interval: u32,
    brand_id: &'a str,
    discovery_api: InitialDiscoveryApi,
    auth_api: InitialAuthApi,
    #[serde(flatten)]
    products: Products<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct InitialDiscoveryApi {
    default_external_uri: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct InitialAuthApi {
    authorization_uri: String,
    oidc_discovery_uri: String,
    default_token_uri: String,
}

/// What is known about the user who has signed in.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ExternalEntryPoints<'a> {
    version: &'static str,
    expires_in: u32,
    retry_count: u32,
    retry_interval: u32,
    retry_cycle_delay: u32,
    brand_id: &'a str,
    discovery_api: ExternalDiscoveryApi,
    auth_api: ExternalAuthApi<'a>,
    #[serde(flatten)]
    products: Products<'a>,
    mvp_app: BaseUri<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ExternalDiscoveryApi {
    initial_uri: String,
    external_uri: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ExternalAuthApi<'a> {
    authorization_uri: String,
    oidc_discovery_uri: String,
    base_uri: &'a str,
    token_uri: String,
}

/// In both documents. Assumed: `baseUri` where no source shows the members of a product.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Products<'a> {
    core_api: BaseUri<'a>,
    rcv: Video<'a>,
    rcm: Meetings<'a>,
    edc: BaseUri<'a>,
    rcw: BaseUri<'a>,
    feature_flags_api: BaseUri<'a>,
}

#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
struct BaseUri<'a> {
    base_uri: &'a str,
}

/// An official client reads `rcv.baseApiUri` before each call and fails without it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Video<'a> {
    base_web_uri: &'a str,
    base_api_uri: &'a str,
    pubnub_origin: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Meetings<'a> {
    base_web_uri: &'a str,
    sdk_domain: &'a str,
}

impl<'a> Products<'a> {
    fn at(base: &'a str) -> Self {
        let here = BaseUri { base_uri: base };
        Self {
            core_api: here,
            rcv: Video {
                base_web_uri: base,
                base_api_uri: base,
                pubnub_origin: base,
            },
            rcm: Meetings {
                base_web_uri: base,
                sdk_domain: base,
            },
            edc: here,
            rcw: here,
            feature_flags_api: here,
        }
    }
}

/// For anybody. Platform §1.
pub(crate) fn entry_points_initial<'a>(base: &'a str, brand_id: &'a str) -> InitialEntryPoints<'a> {
    InitialEntryPoints {
        version: VERSION,
        retry_count: RETRY_COUNT,
        retry_interval: RETRY_INTERVAL,
        brand_id,
        discovery_api: InitialDiscoveryApi {
            default_external_uri: external_uri(base),
        },
        auth_api: InitialAuthApi {
            authorization_uri: authorization_uri(base),
            oidc_discovery_uri: oidc_discovery_uri(base),
            default_token_uri: token_uri(base),
        },
        products: Products::at(base),
    }
}

/// For a user with an access token. Platform §1.
pub(crate) fn entry_points_external<'a>(
    base: &'a str,
    brand_id: &'a str,
) -> ExternalEntryPoints<'a> {
    ExternalEntryPoints {
        version: VERSION,
        expires_in: EXPIRES_IN,
        retry_count: RETRY_COUNT,
        retry_interval: RETRY_INTERVAL,
        retry_cycle_delay: RETRY_CYCLE_DELAY,
        brand_id,
        discovery_api: ExternalDiscoveryApi {
            initial_uri: format!("{base}/.well-known/entry-points/initial"),
            external_uri: external_uri(base),
        },
        auth_api: ExternalAuthApi {
            authorization_uri: authorization_uri(base),
            oidc_discovery_uri: oidc_discovery_uri(base),
            base_uri: base,
            token_uri: token_uri(base),
        },
        products: Products::at(base),
        mvp_app: BaseUri { base_uri: base },
    }
}

/// Platform §1: the `Discovery-Tag` header of the external entry points, which clients echo. Its form is
/// not known; clients must treat it as opaque.
pub(crate) fn discovery_tag(seed: &Seed) -> String {
    seed.alphanumeric("discovery tag", &[], 22)
}

fn oidc_discovery_uri(base: &str) -> String {
    format!("{base}/.well-known/openid-configuration")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const BASE: &str = "http://127.0.0.1:8090";

    fn initial() -> Value {
        serde_json::to_value(entry_points_initial(BASE, DEFAULT_BRAND)).unwrap()
    }

    fn external() -> Value {
        serde_json::to_value(entry_points_external(BASE, "3420")).unwrap()
    }

    #[test]
    fn initial_entry_points_lead_to_sign_in_and_to_the_external_ones() {
        let found = initial();
        assert_eq!(found["version"], "1.0.0");
        assert_eq!(found["brandId"], "1210");
        assert_eq!(
            (&found["retryCount"], &found["retryInterval"]),
            (&json!(3), &json!(3))
        );
        assert_eq!(
            found["discoveryApi"],
            json!({"defaultExternalUri": "http://127.0.0.1:8090/.well-known/entry-points/external"})
        );
        assert_eq!(
            found["authApi"],
            json!({
                "authorizationUri": "http://127.0.0.1:8090/restapi/oauth/authorize",
                "oidcDiscoveryUri": "http://127.0.0.1:8090/.well-known/openid-configuration",
                "defaultTokenUri": "http://127.0.0.1:8090/restapi/oauth/token",
            })
        );
        for only_external in ["expiresIn", "retryCycleDelay", "mvpApp"] {
            assert_eq!(found.get(only_external), None, "{only_external}");
        }
    }

    #[test]
    fn external_entry_points_lead_to_tokens_and_to_themselves() {
        let found = external();
        assert_eq!(found["version"], "1.0.0");
        assert_eq!(found["brandId"], "3420");
        for (member, value) in [
            ("expiresIn", 86_400),
            ("retryCount", 3),
            ("retryInterval", 3),
            ("retryCycleDelay", 824),
        ] {
            assert_eq!(found[member], value, "{member}");
        }
        assert_eq!(
            found["discoveryApi"],
            json!({
                "initialUri": "http://127.0.0.1:8090/.well-known/entry-points/initial",
                "externalUri": "http://127.0.0.1:8090/.well-known/entry-points/external",
            })
        );
        assert_eq!(
            found["authApi"],
            json!({
                "authorizationUri": "http://127.0.0.1:8090/restapi/oauth/authorize",
                "oidcDiscoveryUri": "http://127.0.0.1:8090/.well-known/openid-configuration",
                "baseUri": BASE,
                "tokenUri": "http://127.0.0.1:8090/restapi/oauth/token",
            })
        );
        assert_eq!(found["mvpApp"]["baseUri"], BASE);
    }

    #[test]
    fn every_product_is_at_the_base() {
        for found in [initial(), external()] {
            for product in ["coreApi", "edc", "rcw", "featureFlagsApi"] {
                assert_eq!(found[product], json!({"baseUri": BASE}), "{product}");
            }
            assert_eq!(found["rcv"]["baseApiUri"], BASE);
            assert_eq!(found["rcv"]["baseWebUri"], BASE);
            assert_eq!(found["rcm"]["baseWebUri"], BASE);
        }
    }

    #[test]
    fn the_tag_follows_from_the_seed() {
        let tag = discovery_tag(&Seed::new(1));
        assert_eq!(tag, discovery_tag(&Seed::new(1)));
        assert_ne!(tag, discovery_tag(&Seed::new(2)));
        assert_eq!(tag.len(), 22);
        assert!(tag.bytes().all(|b| b.is_ascii_alphanumeric()));
    }
}
