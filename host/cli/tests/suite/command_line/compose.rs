//! docker-compose.yml and Dockerfile say what the README promises. (That they run takes an engine
//! and images; this is what can be known without.)

use std::path::Path;

use serde_yaml_ng::Value;

fn read(name: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(name)).unwrap()
}

fn list(items: &[&str]) -> Value {
    Value::Sequence(items.iter().map(|&item| item.into()).collect())
}

#[test]
fn compose_describes_the_server_and_the_host() {
    let compose: Value = serde_yaml_ng::from_str(&read("docker-compose.yml")).unwrap();
    let postgres = &compose["services"]["postgres"];
    assert_eq!(postgres["image"], "postgres:17");
    assert_eq!(postgres["ports"], list(&["127.0.0.1:5432:5432"]));
    assert_eq!(postgres["environment"]["POSTGRES_DB"], "ecomm_fraud_db");
    assert_eq!(postgres["environment"]["POSTGRES_USER"], "postgres");
    assert_eq!(postgres["environment"]["POSTGRES_PASSWORD"], "${POSTGRES_PASSWORD:-123}");
    assert_eq!(postgres["healthcheck"]["test"][1], "pg_isready");
    let volume = postgres["volumes"][0].as_str().unwrap().split_once(':').unwrap();
    assert_eq!(volume.1, "/var/lib/postgresql/data");
    assert!(compose["volumes"].get(volume.0).is_some());

    let host = &compose["services"]["host"];
    assert_eq!(host["profiles"], list(&["host"]));
    assert_eq!(host["build"], ".");
    assert_eq!(host["depends_on"]["postgres"]["condition"], "service_healthy");
    assert_eq!(host["environment"]["PGHOST"], "postgres");
    assert_eq!(host["environment"]["PGPASSWORD"], postgres["environment"]["POSTGRES_PASSWORD"]);
    assert_eq!(host["environment"]["PGDATABASE"], postgres["environment"]["POSTGRES_DB"]);
    assert_eq!(host["volumes"], list(&["./data:/srv/data:ro"]));
    // The very command of the README, and one that the program takes.
    let command: Vec<&str> =
        host["command"].as_sequence().unwrap().iter().map(|word| word.as_str().unwrap()).collect();
    assert_eq!(command, ["run", "--plugin", "threshold.wasm", "data/consumed_transactions.csv"]);
    let parsed = <host::cli::Cli as clap::Parser>::try_parse_from(std::iter::once("host").chain(command));
    assert!(parsed.is_ok());
}

#[test]
fn the_image_has_the_program_and_the_plugins_beside_it() {
    let dockerfile = read("Dockerfile");
    let toolchain = read("rust-toolchain.toml");
    assert!(
        toolchain.contains(r#"channel = "1.95.0""#)
            && dockerfile.contains("FROM rust:1.95-bookworm AS build")
    );
    for needed in [
        "/usr/local/bin/host",
        "threshold.wasm",
        "zscore.wasm",
        "/usr/local/bin/plugins/",
        r#"ENTRYPOINT ["host"]"#,
    ] {
        assert!(dockerfile.contains(needed), "{needed}");
    }
    assert_eq!(dockerfile.lines().filter(|line| line.starts_with("FROM ")).count(), 2);
}
