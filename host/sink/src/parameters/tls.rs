//! TLS as libpq's `sslmode` defines it, implemented with rustls.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::version::{TLS12, TLS13};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
    SupportedProtocolVersion,
};
use tokio_postgres_rustls::MakeRustlsConnect;

type Error = Box<dyn std::error::Error + Send + Sync>;

/// How much TLS is wanted. `allow` is treated as `prefer`: encryption is never declined.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SslMode {
    #[default]
    Disable,
    Prefer,
    Require,
    VerifyCa,
    VerifyFull,
}

impl SslMode {
    /// By libpq's names.
    pub const ALL: [(&str, SslMode); 6] = [
        ("disable", SslMode::Disable),
        ("allow", SslMode::Prefer),
        ("prefer", SslMode::Prefer),
        ("require", SslMode::Require),
        ("verify-ca", SslMode::VerifyCa),
        ("verify-full", SslMode::VerifyFull),
    ];
}

/// Which of the two supported versions of TLS are allowed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TlsVersions {
    #[default]
    All,
    Only12,
    Only13,
}

impl TlsVersions {
    fn spoken(self) -> &'static [&'static SupportedProtocolVersion] {
        static LATEST_FIRST: [&SupportedProtocolVersion; 2] = [&TLS13, &TLS12];
        match self {
            TlsVersions::All => &LATEST_FIRST,
            TlsVersions::Only12 => &LATEST_FIRST[1..],
            TlsVersions::Only13 => &LATEST_FIRST[..1],
        }
    }
}

/// The TLS of one server.
#[derive(Clone, Debug, Default)]
pub struct Tls {
    pub mode: SslMode,
    /// `system` stands for the operating system's certificates.
    pub root_certificates: Option<PathBuf>,
    pub certificate: Option<PathBuf>,
    pub key: Option<PathBuf>,
    /// A file of revocation lists.
    pub revoked: Option<PathBuf>,
    /// A folder with such files.
    pub revoked_folder: Option<PathBuf>,
    pub versions: TlsVersions,
    /// Whether the host name is sent to the server (SNI).
    pub sends_name: bool,
    /// Whether TLS begins without asking the server for it first.
    pub is_direct: bool,
}

impl Tls {
    /// What tokio-postgres needs to know about it.
    pub fn negotiation(&self) -> tokio_postgres::config::SslMode {
        match self.mode {
            SslMode::Disable => tokio_postgres::config::SslMode::Disable,
            SslMode::Prefer => tokio_postgres::config::SslMode::Prefer,
            SslMode::Require | SslMode::VerifyCa | SslMode::VerifyFull => {
                tokio_postgres::config::SslMode::Require
            }
        }
    }

    /// Creates the connector. As with libpq, `require` verifies the issuer if there are root certificates.
    pub fn connector(&self) -> Result<MakeRustlsConnect, Error> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier: Arc<dyn ServerCertVerifier> = match (self.mode, &self.root_certificates) {
            (SslMode::VerifyFull, _) => self.webpki(&provider)?,
            (SslMode::VerifyCa, _) | (SslMode::Require, Some(_)) => {
                Arc::new(Lenient { provider: provider.clone(), issuer: Some(self.webpki(&provider)?) })
            }
            _ => Arc::new(Lenient { provider: provider.clone(), issuer: None }),
        };
        let builder = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(self.versions.spoken())?
            .dangerous()
            .with_custom_certificate_verifier(verifier);
        let mut config = match (&self.certificate, &self.key) {
            (Some(certificate), Some(key)) => {
                let chain = CertificateDer::pem_file_iter(certificate)?.collect::<Result<_, _>>()?;
                builder.with_client_auth_cert(chain, PrivateKeyDer::from_pem_file(key)?)?
            }
            _ => builder.with_no_client_auth(),
        };
        config.enable_sni = self.sends_name;
        if self.is_direct {
            config.alpn_protocols = vec![b"postgresql".to_vec()];
        }
        Ok(MakeRustlsConnect::new(config))
    }

    fn webpki(&self, provider: &Arc<CryptoProvider>) -> Result<Arc<WebPkiServerVerifier>, Error> {
        let mut roots = RootCertStore::empty();
        match &self.root_certificates {
            None => return Err("verifying the server needs sslrootcert (a file, or `system`)".into()),
            Some(path) if path.as_os_str() == "system" => {
                let found = rustls_native_certs::load_native_certs();
                if found.certs.is_empty() {
                    let why = found.errors.first().map(|error| format!(": {error}")).unwrap_or_default();
                    return Err(format!("found no system certificates{why}").into());
                }
                for certificate in found.certs {
                    // A single bad certificate among the system's must not get in the way.
                    let _ = roots.add(certificate);
                }
            }
            Some(path) => {
                for certificate in CertificateDer::pem_file_iter(path).map_err(|error| {
                    format!("could not read the root certificates `{}`: {error}", path.display())
                })? {
                    roots.add(certificate?)?;
                }
            }
        }
        let builder = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone());
        Ok(builder.with_crls(self.revocation_lists()?).build()?)
    }

    /// If there are any, every certificate of the chain must be covered by one of them.
    fn revocation_lists(&self) -> Result<Vec<CertificateRevocationListDer<'static>>, Error> {
        let mut files: Vec<PathBuf> = self.revoked.iter().cloned().collect();
        if let Some(folder) = &self.revoked_folder {
            let unreadable =
                |error| format!("could not read the revocation lists in `{}`: {error}", folder.display());
            for entry in fs::read_dir(folder).map_err(unreadable)? {
                files.push(entry.map_err(unreadable)?.path());
            }
        }
        let mut lists = Vec::new();
        for file in files {
            let unreadable =
                |error| format!("could not read the revocation list `{}`: {error}", file.display());
            for list in CertificateRevocationListDer::pem_file_iter(&file).map_err(unreadable)? {
                lists.push(list.map_err(unreadable)?);
            }
        }
        if lists.is_empty() && (self.revoked.is_some() || self.revoked_folder.is_some()) {
            return Err("there is no revocation list in sslcrl or sslcrldir".into());
        }
        Ok(lists)
    }
}

/// Encrypts without verifying who the server is: it accepts any certificate (`prefer`, `require`) or any
/// that the issuer has signed, whatever the name in it (`verify-ca`).
#[derive(Debug)]
struct Lenient {
    provider: Arc<CryptoProvider>,
    issuer: Option<Arc<WebPkiServerVerifier>>,
}

impl ServerCertVerifier for Lenient {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let Some(issuer) = &self.issuer else { return Ok(ServerCertVerified::assertion()) };
        match issuer.verify_server_cert(certificate, intermediates, name, ocsp_response, now) {
            // The name is verified last, so everything else was right.
            Err(rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => Ok(ServerCertVerified::assertion()),
            other => other,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(
            message,
            certificate,
            signature,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(
            message,
            certificate,
            signature,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
