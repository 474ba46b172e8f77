//! Whom to trust.

use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

use crate::config::ConfigError;

/// TLS with the roots of a file, or of the system.
pub(crate) fn client_config(ca_file: Option<&Path>) -> Result<ClientConfig, ConfigError> {
    let problem = |problem: &str| ConfigError::new("ca_file", problem);
    let mut roots = RootCertStore::empty();
    match ca_file {
        Some(path) => {
            let certificates: Vec<_> = CertificateDer::pem_file_iter(path)
                .and_then(Iterator::collect)
                .map_err(|_| problem("names a file that is not readable as PEM certificates"))?;
            for certificate in certificates {
                roots
                    .add(certificate)
                    .map_err(|_| problem("names a file with a certificate that is no root"))?;
            }
            if roots.is_empty() {
                return Err(problem("names a file that holds no certificate"));
            }
        }
        // Without any, every connection with TLS fails, and says so; APIs without TLS need none.
        None => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|_| problem("cannot be used: TLS is unavailable"))?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}
