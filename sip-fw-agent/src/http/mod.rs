//! HTTP as the agent speaks it: bounded in time, checked against the system's certificates. Blocks.

#[cfg(test)]
pub(crate) mod test_server;

use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::ring;
use ureq::Agent;
use ureq::tls::{Certificate, RootCerts, TlsConfig};

/// How the agent calls itself.
const USER_AGENT: &str = concat!("sip-fw/", env!("CARGO_PKG_VERSION"));

/// Whom to believe in TLS.
#[derive(Clone, Debug)]
pub enum Roots {
    /// The certificates of the system, or those that SSL_CERT_FILE and SSL_CERT_DIR name.
    System,
    /// This one, in DER.
    #[cfg(test)]
    Only(Vec<u8>),
}

/// Bounds of one exchange.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// For the connection.
    pub connect_max: Duration,
    /// From the first packet to the last, with redirects.
    pub whole_max: Duration,
    /// Redirects that are followed; with none, a redirect is an answer like others.
    pub redirects_max: u32,
}

/// Nothing to check certificates with.
#[derive(Debug, thiserror::Error)]
#[error(
    "no root certificates in this system to check https with; install ca-certificates, or name a file in SSL_CERT_FILE{0}"
)]
pub struct NoRoots(String);

/// What asks at `url`: every status is an answer, and no connection is kept.
///
/// # Errors
///
/// For https, when there are no certificates.
pub fn agent(url: &str, roots: &Roots, bounds: Bounds) -> Result<Agent, NoRoots> {
    let is_https = url.get(..8).is_some_and(|scheme| scheme.eq_ignore_ascii_case("https://"));
    let certificates = match certificates(roots) {
        // Http needs none, unless it redirects to https.
        Err(_) if !is_https => Vec::new(),
        certificates => certificates?,
    };
    let tls = TlsConfig::builder()
        .root_certs(RootCerts::from(certificates))
        .unversioned_rustls_crypto_provider(Arc::new(ring::default_provider()))
        .build();
    let config = Agent::config_builder()
        .http_status_as_error(false)
        // Who asks for https gets nothing that came over less.
        .https_only(is_https)
        .max_redirects(bounds.redirects_max)
        .max_redirects_will_error(true)
        .max_idle_connections(0)
        .timeout_connect(Some(bounds.connect_max))
        .timeout_global(Some(bounds.whole_max))
        .user_agent(USER_AGENT)
        .tls_config(tls);
    Ok(config.build().new_agent())
}

/// An error in a few words.
#[must_use]
pub fn shown(error: &ureq::Error) -> String {
    match error {
        ureq::Error::HostNotFound => "the name of its server does not resolve".to_owned(),
        ureq::Error::Timeout(what) => format!("no complete answer in time ({what})"),
        ureq::Error::TooManyRedirects => "too many redirects".to_owned(),
        ureq::Error::RequireHttpsOnly(_) => "an https address redirects to http".to_owned(),
        error => error.to_string(),
    }
}

fn certificates(roots: &Roots) -> Result<Vec<Certificate<'static>>, NoRoots> {
    match roots {
        Roots::System => {
            let found = rustls_native_certs::load_native_certs();
            if found.certs.is_empty() {
                return Err(NoRoots(found.errors.iter().map(|error| format!("; {error}")).collect()));
            }
            Ok(found.certs.iter().map(|der| Certificate::from_der(der).to_owned()).collect())
        }
        #[cfg(test)]
        Roots::Only(der) => Ok(vec![Certificate::from_der(der).to_owned()]),
    }
}
