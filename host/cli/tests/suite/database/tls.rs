//! A server that is reached over TCP, with TLS and passwords, as real ones are.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{Files, Finished, finish, host, sample, succeed, wait_until};

/// A PostgreSQL on a port of its own that only lets encrypted connections in, by password; and
/// two authorities, of which one has signed its certificate, for the name `localhost`.
struct TlsServer {
    files: Files,
    programs: PathBuf,
    owner: (u32, u32),
    port: u16,
}

impl TlsServer {
    fn start() -> TlsServer {
        let files = Files::new();
        std::fs::set_permissions(files.path(), PermissionsExt::from_mode(0o755)).unwrap();
        let db =
            |arguments: &[&str]| succeed(host().env("HOST_DATA_DIR", files.path()).arg("db").args(arguments));
        db(&[
            "psql",
            "-XAtc",
            "CREATE ROLE loader LOGIN PASSWORD 'right'; GRANT CREATE ON DATABASE ecomm_fraud_db TO loader; GRANT ALL ON SCHEMA public TO loader",
        ]);
        let status = || finish(host().env("HOST_DATA_DIR", files.path()).args(["db", "status"])).stdout;
        wait_until("the server to be stopped", || {
            status().starts_with(
                "stopped
",
            )
        });
        let programs = PathBuf::from(db(&["programs"]).trim());
        let data = files.path().join("postgresql/data");
        let metadata = std::fs::metadata(&data).unwrap();
        let owner = (metadata.uid(), metadata.gid());
        std::fs::write(data.join("pg_hba.conf"), "hostssl all all 127.0.0.1/32 scram-sha-256\n").unwrap();
        let (certificate, key) = certify(&files);
        for (name, content) in [("server.crt", certificate), ("server.key", key)] {
            let path = data.join(name);
            std::fs::write(&path, content).unwrap();
            std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
            std::os::unix::fs::chown(&path, Some(owner.0), Some(owner.1)).unwrap();
        }
        let mut server = TlsServer { files, programs, owner, port: 0 };
        // A port that was free a moment ago may be somebody else's by now; another one will not be.
        wait_until("a port that stays free", || {
            server.port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            let port = server.port;
            let options = format!(
                "-c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories='' -c ssl=on"
            );
            server.pg_ctl(&["start", "--wait", "--log", "/dev/null", "--options", &options])
        });
        server
    }

    /// Returns whether it succeeded.
    fn pg_ctl(&self, arguments: &[&str]) -> bool {
        let mut command = Command::new(self.programs.join("pg_ctl"));
        command
            .args(arguments)
            .arg("--silent")
            .arg("--pgdata")
            .arg(self.files.path().join("postgresql/data"));
        let (uid, gid) = self.owner;
        if std::fs::metadata("/proc/self").unwrap().uid() == 0 {
            command.uid(uid).gid(gid);
        }
        command.current_dir("/").status().unwrap().success()
    }

    /// `host run` with these parameters in the URL.
    fn run(&self, password: &str, server: &str, parameters: &str) -> Finished {
        let url = format!("postgres://loader:{password}@{server}:{}/ecomm_fraud_db?{parameters}", self.port);
        let mut command = host();
        command.env("HOME", self.files.path());
        command.args(["run", "--plugin", "threshold", "--database-url", &url]).arg(sample());
        let mut finished = finish(&mut command);
        finished.stderr = self.files.anonymous(&finished.stderr).replace(&self.port.to_string(), "[port]");
        finished
    }

    fn authority(&self, name: &str) -> String {
        self.files.path().join(name).to_str().unwrap().to_owned()
    }
}

impl Drop for TlsServer {
    fn drop(&mut self) {
        assert!(self.pg_ctl(&["stop", "--wait", "--mode", "immediate"]), "it can be stopped");
    }
}

/// Writes the certificates of both authorities; returns the server's certificate and key.
fn certify(files: &Files) -> (String, String) {
    let authority = |name: &str| {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut parameters = rcgen::CertificateParams::new(Vec::new()).unwrap();
        parameters.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let certificate = parameters.self_signed(&key).unwrap();
        files.write(name, certificate.pem());
        rcgen::Issuer::new(parameters, key)
    };
    authority("other.crt");
    let issuer = authority("right.crt");
    let key = rcgen::KeyPair::generate().unwrap();
    let mut parameters = rcgen::CertificateParams::new(vec!["localhost".into()]).unwrap();
    parameters.serial_number = Some(7.into());
    for (name, revoked) in [("revoked.crl", Some(7)), ("none_revoked.crl", None)] {
        let revoked = revoked.map(|number: u64| rcgen::RevokedCertParams {
            serial_number: number.into(),
            revocation_time: rcgen::date_time_ymd(2026, 1, 1),
            reason_code: None,
            invalidity_date: None,
        });
        let list = rcgen::CertificateRevocationListParams {
            this_update: rcgen::date_time_ymd(2026, 1, 1),
            next_update: rcgen::date_time_ymd(4000, 1, 1),
            crl_number: 1.into(),
            issuing_distribution_point: None,
            revoked_certs: revoked.into_iter().collect(),
            key_identifier_method: rcgen::KeyIdMethod::Sha256,
        };
        files.write(name, list.signed_by(&issuer).unwrap().pem().unwrap());
    }
    (parameters.signed_by(&key, &issuer).unwrap().pem(), key.serialize_pem())
}

#[test]
fn sslmode_is_as_libpq_has_it() {
    let server = TlsServer::start();
    let (right, other) = (server.authority("right.crt"), server.authority("other.crt"));
    let full = |authority: &str| format!("sslmode=verify-full&sslrootcert={authority}");
    let good = [
        ("127.0.0.1", String::new()),
        ("127.0.0.1", "sslmode=require".into()),
        ("127.0.0.1", format!("sslmode=verify-ca&sslrootcert={right}")),
        ("localhost", format!("{}&hostaddr=127.0.0.1", full(&right))),
    ];
    for (name, parameters) in good {
        let finished = server.run("right", name, &parameters);
        assert_eq!(finished.code, 0, "{parameters}: {}", finished.stderr);
    }
    let bad = [
        ("not_encrypted", "right", "127.0.0.1", "sslmode=disable".into()),
        ("other_authority", "right", "localhost", format!("{}&hostaddr=127.0.0.1", full(&other))),
        (
            "require_with_other_authority",
            "right",
            "127.0.0.1",
            format!("sslmode=require&sslrootcert={other}"),
        ),
        ("other_name", "right", "127.0.0.1", full(&right)),
        ("no_authority", "right", "127.0.0.1", "sslmode=verify-full".into()),
        ("wrong_password", "wrong", "127.0.0.1", "sslmode=require".into()),
        ("no_password", "", "127.0.0.1", "sslmode=require".into()),
    ];
    for (name, password, host, parameters) in bad {
        let finished = server.run(password, host, &parameters);
        assert_eq!(finished.code, 5, "{name}: {}", finished.stderr);
        insta::assert_snapshot!(format!("tls_{name}"), finished.stderr);
    }
}

/// What restricts whom TLS is spoken with, and how.
#[test]
fn restrictions_of_tls_are_kept() {
    let server = TlsServer::start();
    let verified = format!("sslmode=verify-ca&sslrootcert={}", server.authority("right.crt"));
    let list = |name: &str| server.authority(name);
    let folder = server.files.path().join("lists");
    std::fs::create_dir(&folder).unwrap();
    std::fs::copy(list("revoked.crl"), folder.join("0.r0")).unwrap();
    for parameters in [
        format!("{verified}&sslcrl={}", list("none_revoked.crl")),
        "sslmode=require&ssl_min_protocol_version=TLSv1.3".into(),
        "sslmode=require&ssl_max_protocol_version=TLSv1.2".into(),
        "sslmode=require&ssl_min_protocol_version=TLSv1&sslsni=0&sslcertmode=disable".into(),
        "sslmode=require&channel_binding=require".into(),
    ] {
        let finished = server.run("right", "127.0.0.1", &parameters);
        assert_eq!(finished.code, 0, "{parameters}: {}", finished.stderr);
    }
    for (parameters, said) in [
        (format!("{verified}&sslcrl={}", list("revoked.crl")), "Revoked"),
        (format!("{verified}&sslcrldir={}", folder.display()), "Revoked"),
        (format!("{verified}&sslcrl={}", list("none.crl")), "could not read the revocation list"),
        // A list of another kind of thing is no list.
        (format!("{verified}&sslcrl={}", list("right.crt")), "there is no revocation list"),
        // PostgreSQL 15 does not know this way to begin.
        ("sslmode=require&sslnegotiation=direct".into(), "could not connect"),
    ] {
        let finished = server.run("right", "127.0.0.1", &parameters);
        assert_eq!(finished.code, 5, "{parameters}: {}", finished.stderr);
        assert!(finished.stderr.contains(said), "{parameters}: {}", finished.stderr);
    }
}

/// Where the system's authorities are said to be, there are none.
#[test]
fn authorities_that_are_not_there_are_told() {
    let mut runs = host();
    runs.env_remove("SSL_CERT_DIR").env("SSL_CERT_FILE", "/none").args([
        "runs",
        "--database-url",
        "host=h sslrootcert=system",
    ]);
    let finished = finish(&mut runs);
    assert_eq!(finished.code, 5, "{}", finished.stderr);
    assert!(finished.stderr.contains("found no system certificates: "), "{}", finished.stderr);
}

/// The environment names the server, as it does for psql.
#[test]
fn libpqs_variables_and_password_file_work() {
    let server = TlsServer::start();
    let passfile = server.files.write(".pgpass", format!("127.0.0.1:{}:*:loader:right\n", server.port));
    std::fs::set_permissions(&passfile, PermissionsExt::from_mode(0o600)).unwrap();
    let mut run = host();
    run.env("HOME", server.files.path()).env("PGHOST", "127.0.0.1").env("PGPORT", server.port.to_string());
    run.env("PGUSER", "loader").env("PGDATABASE", "ecomm_fraud_db").env("PGSSLMODE", "require");
    run.args(["run", "--plugin", "threshold"]).arg(sample());
    assert!(succeed(&mut run).starts_with("committed run 1: 1,800 rows"));
    // DATABASE_URL comes before them.
    let absent: &Path = &server.files.path().join("absent");
    let refused =
        finish(run.env(
            "DATABASE_URL",
            format!("postgres://{}/db", absent.display().to_string().replace('/', "%2F")),
        ));
    assert_eq!(refused.code, 5, "{}", refused.stderr);
}
