//! TLS as `sslmode` asks for it.

use std::path::Path;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::config::{ConfigError, SslMode, Target};

/// Builds the connector for one database.
pub(crate) fn connector(database: &str, target: &Target) -> Result<MakeRustlsConnect, ConfigError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let trust = match target.ssl_mode {
        SslMode::Disable | SslMode::Prefer | SslMode::Require => Trust::Anyone,
        SslMode::VerifyCa | SslMode::VerifyFull => {
            let anchors = match &target.root_cert {
                Some(path) => Anchors::from_file(path)
                    .map_err(|problem| ConfigError::new(database, "ssl_root_cert", problem))?,
                None => Anchors::of_the_system()
                    .map_err(|problem| ConfigError::new(database, "ssl_root_cert", problem))?,
            };
            let check_name = target.ssl_mode == SslMode::VerifyFull;
            Trust::Roots { anchors, check_name }
        }
    };
    let verifier = Verifier { trust, algorithms: provider.signature_verification_algorithms };
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|_| ConfigError::new(database, "url", "asks for TLS, which is unavailable"))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    Ok(MakeRustlsConnect::new(config))
}

/// Judges the server's certificate: who may have signed it, and whether its name counts.
#[derive(Debug)]
struct Verifier {
    trust: Trust,
    algorithms: WebPkiSupportedAlgorithms,
}

#[derive(Debug)]
enum Trust {
    /// `prefer` and `require` protect against listeners only, as libpq documents.
    Anyone,
    Roots {
        anchors: Anchors,
        check_name: bool,
    },
}

#[derive(Debug)]
struct Anchors {
    roots: RootCertStore,
    /// A server that signed its own certificate is trusted if that very certificate is listed.
    /// WebPKI alone refuses it, because such certificates are usually marked as an authority's.
    pinned: Vec<CertificateDer<'static>>,
}

impl Anchors {
    fn from_file(path: &Path) -> Result<Self, String> {
        let certificates: Vec<_> = CertificateDer::pem_file_iter(path)
            .and_then(Iterator::collect)
            .map_err(|_| "names a file that is not readable as PEM certificates".to_owned())?;
        let mut roots = RootCertStore::empty();
        for certificate in &certificates {
            // One that is no anchor may still be pinned.
            let _ = roots.add(certificate.clone());
        }
        if certificates.is_empty() {
            return Err("names a file that holds no certificate".into());
        }
        Ok(Self { roots, pinned: certificates })
    }

    fn of_the_system() -> Result<Self, String> {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if roots.is_empty() {
            return Err("is needed: this system has no root certificates".into());
        }
        Ok(Self { roots, pinned: Vec::new() })
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let Trust::Roots { anchors, check_name } = &self.trust else {
            return Ok(ServerCertVerified::assertion());
        };
        let parsed = ParsedCertificate::try_from(end_entity)?;
        if !anchors.pinned.iter().any(|pinned| pinned == end_entity) {
            if anchors.roots.is_empty() {
                return Err(CertificateError::UnknownIssuer.into());
            }
            verify_server_cert_signed_by_trust_anchor(
                &parsed,
                &anchors.roots,
                intermediates,
                now,
                self.algorithms.all,
            )?;
        }
        if *check_name {
            verify_server_name(&parsed, server_name)?;
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(message, cert, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(message, cert, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
