//! TLS to PostgreSQL: libpq's `sslmode` words over rustls, with the aws-lc-rs provider named explicitly.
//!
//! `prefer` and `require` encrypt without knowing to whom; `verify-ca` checks who signed; `verify-full` also the name. Roots come
//! from the address's file, else from the operating system. Nothing is weaker than it was asked for.

use super::error::{DbError, DbErrorKind};
use crate::core::database_url::{DatabaseUrl, TlsMode};
use postgres::config::SslMode;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use std::path::Path;
use std::sync::Arc;
use tokio_postgres_rustls::MakeRustlsConnect;

/// How a session is protected.
#[derive(Clone)]
pub(super) struct Mode {
    mode: TlsMode,
    connector: Option<MakeRustlsConnect>,
}

impl Mode {
    /// The mode of an address. Said by nobody: a socket needs none, loopback takes what there is, remote hosts are verified when `strict`.
    pub(super) fn of(url: &DatabaseUrl, strict: bool) -> Result<Mode, DbError> {
        let mode = effective(url, strict);
        let connector =
            (mode != TlsMode::Disable).then(|| client_config(url, mode).map(MakeRustlsConnect::new)).transpose()?;
        Ok(Mode { mode, connector })
    }

    pub(super) fn connector(&self) -> Option<MakeRustlsConnect> {
        self.connector.clone()
    }

    /// What was asked for; `prefer` may still have got nothing.
    pub(super) fn level(&self) -> TlsMode {
        self.mode
    }

    pub(super) fn ssl_mode(&self) -> SslMode {
        match self.mode {
            TlsMode::Disable => SslMode::Disable,
            TlsMode::Prefer => SslMode::Prefer,
            TlsMode::Require | TlsMode::VerifyCa | TlsMode::VerifyFull => SslMode::Require,
        }
    }
}

fn effective(url: &DatabaseUrl, strict: bool) -> TlsMode {
    if url.host.starts_with('/') {
        return TlsMode::Disable;
    }
    url.tls.unwrap_or(if strict && !url.is_local() { TlsMode::VerifyFull } else { TlsMode::Prefer })
}

fn client_config(url: &DatabaseUrl, mode: TlsMode) -> Result<ClientConfig, DbError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|error| broken(format!("TLS cannot be set up: {error}")))?;
    let verifier: Arc<dyn ServerCertVerifier> = match mode {
        TlsMode::Disable | TlsMode::Prefer | TlsMode::Require => Arc::new(Unverified(provider)),
        TlsMode::VerifyCa | TlsMode::VerifyFull => {
            let chain =
                WebPkiServerVerifier::builder_with_provider(Arc::new(roots(url.root_cert.as_deref())?), provider)
                    .build()
                    .map_err(|error| broken(format!("TLS root certificates cannot be used: {error}")))?;
            if mode == TlsMode::VerifyFull { chain } else { Arc::new(AnyName(chain)) }
        }
    };
    let builder = builder.dangerous().with_custom_certificate_verifier(verifier);
    match (&url.client_cert, &url.client_key) {
        (Some(cert), Some(key)) => builder
            .with_client_auth_cert(certificates(cert)?, private_key(key)?)
            .map_err(|error| broken(format!("the client certificate {} cannot be used: {error}", cert.display()))),
        _ => Ok(builder.with_no_client_auth()),
    }
}

fn roots(file: Option<&Path>) -> Result<RootCertStore, DbError> {
    let mut store = RootCertStore::empty();
    match file {
        Some(path) => {
            for cert in certificates(path)? {
                store.add(cert).map_err(|error| {
                    broken(format!("the root certificate {} cannot be used: {error}", path.display()))
                })?;
            }
        }
        None => {
            store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    if store.is_empty() {
        return Err(broken("there is no root certificate to verify the server with".to_owned()));
    }
    Ok(store)
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, DbError> {
    let unreadable = |error: rustls::pki_types::pem::Error| {
        broken(format!("the certificate file {} cannot be read: {error}", path.display()))
    };
    CertificateDer::pem_file_iter(path).map_err(unreadable)?.collect::<Result<_, _>>().map_err(unreadable)
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, DbError> {
    PrivateKeyDer::from_pem_file(path)
        .map_err(|error| broken(format!("the key file {} cannot be read: {error}", path.display())))
}

fn broken(message: String) -> DbError {
    DbError { kind: DbErrorKind::Tls, sqlstate: None, message }
}

/// Checks who signed the server's certificate, not its name (`verify-ca`).
#[derive(Debug)]
struct AnyName(Arc<WebPkiServerVerifier>);

impl ServerCertVerifier for AnyName {
    fn verify_server_cert(
        &self,
        cert: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        match self.0.verify_server_cert(cert, chain, name, ocsp, now) {
            // The chain has been verified by the time the name is looked at.
            Err(rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => Ok(ServerCertVerified::assertion()),
            other => other,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}

/// Encrypts to whoever answers (`prefer`, `require`), as libpq does; the handshake's signatures are still checked.
#[derive(Debug)]
struct Unverified(Arc<CryptoProvider>);

impl ServerCertVerifier for Unverified {
    fn verify_server_cert(
        &self,
        _cert: &CertificateDer<'_>,
        _chain: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_said_is_decided_by_host_and_world() {
        let mode = |text: &str, strict| effective(&DatabaseUrl::parse(text).unwrap(), strict);
        assert_eq!(mode("postgres://a@db.example.org/d", true), TlsMode::VerifyFull);
        assert_eq!(mode("postgres://a@db.example.org/d", false), TlsMode::Prefer);
        assert_eq!(mode("postgres://a@127.0.0.1/d", true), TlsMode::Prefer);
        assert_eq!(mode("postgres://a@/d?host=/tmp", true), TlsMode::Disable);
        assert_eq!(mode("postgres://a@db.example.org/d?sslmode=require", true), TlsMode::Require);
    }
}
