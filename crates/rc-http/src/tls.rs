//! TLS from the platform's own certificates.

use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore, crypto::CryptoProvider};
use rustls_platform_verifier::BuilderVerifierExt;

/// https cannot be spoken on this machine.
#[derive(Clone, Debug, thiserror::Error)]
#[error(
    "https cannot be used, because the certificates this machine trusts cannot be loaded: install them (Debian: \
     `apt install ca-certificates`) or name a PEM file in SSL_CERT_FILE, and start again"
)]
pub(crate) struct NoTrust(#[source] rustls::Error);

/// TLS settings, and why https must not be tried with them if there is a reason.
pub(crate) struct Tls {
    pub(crate) config: ClientConfig,
    pub(crate) no_trust: Option<NoTrust>,
}

impl Tls {
    /// Trusts what the platform trusts. Where that is nothing, the settings trust nobody: good enough for
    /// plain http to the own machine.
    ///
    /// The provider is given here: a process-wide one is the program's to install, not a library's.
    pub(crate) fn of_platform() -> Result<Self, rustls::Error> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        match trusting_platform(Arc::clone(&provider)) {
            Ok(config) => Ok(Self {
                config,
                no_trust: None,
            }),
            Err(error) => Ok(Self {
                config: trusting_nobody(provider)?,
                no_trust: Some(NoTrust(error)),
            }),
        }
    }
}

fn trusting_platform(provider: Arc<CryptoProvider>) -> Result<ClientConfig, rustls::Error> {
    Ok(ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_platform_verifier()?
        .with_no_client_auth())
}

fn trusting_nobody(provider: Arc<CryptoProvider>) -> Result<ClientConfig, rustls::Error> {
    Ok(ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth())
}
