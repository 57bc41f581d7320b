//! TLS for the lab's own ends: certificates made on the spot, what servers and checkers speak.
//!
//! Nothing here is secret or lasting: a certificate lives as long as its case. Not here: sockets.

use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, ring, verify_tls12_signature, verify_tls13_signature,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::version::{TLS12, TLS13};
use rustls::{
    ClientConfig, DigitallySignedStruct, Error, ServerConfig, SignatureScheme,
    SupportedProtocolVersion,
};
use std::sync::Arc;

/// Protocol versions that an end speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Versions {
    /// 1.2 and 1.3.
    #[default]
    Both,
    /// RFC 5246 only.
    Only12,
    /// RFC 8446 only.
    Only13,
}

impl Versions {
    fn list(self) -> &'static [&'static SupportedProtocolVersion] {
        static BOTH: [&SupportedProtocolVersion; 2] = [&TLS12, &TLS13];
        match self {
            Self::Both => &BOTH,
            Self::Only12 => &BOTH[..1],
            Self::Only13 => &BOTH[1..],
        }
    }
}

/// A server with a self-signed certificate for these names.
///
/// # Errors
/// A name that no certificate can carry.
pub fn server(names: Vec<String>, versions: Versions) -> Result<Arc<ServerConfig>, String> {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(names).map_err(|error| error.to_string())?;
    let key = PrivateKeyDer::try_from(signing_key.serialize_der())
        .map_err(|error| format!("its own key: {error}"))?;
    let config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(versions.list())
        .and_then(|builder| {
            builder
                .with_no_client_auth()
                .with_single_cert(vec![cert.into()], key)
        });
    config.map(Arc::new).map_err(|error| error.to_string())
}

/// A client that takes any certificate, as a load balancer does toward its targets.
pub fn trusting_client(versions: Versions) -> Arc<ClientConfig> {
    let provider = provider();
    let any = Arc::new(AnyCertificate(provider.signature_verification_algorithms));
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(versions.list())
        .expect("ring has suites for every version")
        .dangerous()
        .with_custom_certificate_verifier(any)
        .with_no_client_auth();
    Arc::new(config)
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

/// AWS: the load balancer does not validate the certificates of targets. Signatures must be right all the same,
/// else the other end does not even have the key it claims.
#[derive(Debug)]
struct AnyCertificate(WebPkiSupportedAlgorithms);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, signed, &self.0)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, signed, &self.0)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_schemes()
    }
}
