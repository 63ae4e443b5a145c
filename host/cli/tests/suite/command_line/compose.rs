//! docker-compose.yml, Dockerfile and .dockerignore say what the README promises. This is what can be known
//! without an engine; `cargo xtask compose` does what the README says, where there is one.

use std::path::Path;

use clap::Parser as _;
use serde_yaml_ng::Value;

fn read(name: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(name)).unwrap()
}

fn list(items: &[&str]) -> Value {
    Value::Sequence(items.iter().map(|&item| item.into()).collect())
}

/// Every volume that has a name is one that stays.
fn named_volumes_are_declared(compose: &Value) {
    for service in compose["services"].as_mapping().unwrap().values() {
        for volume in service["volumes"].as_sequence().unwrap() {
            let (source, _) = volume.as_str().unwrap().split_once(':').unwrap();
            assert!(source.starts_with('.') || compose["volumes"].get(source).is_some(), "{source}");
        }
    }
}

#[test]
fn compose_describes_the_server_and_the_host() {
    let compose: Value = serde_yaml_ng::from_str(&read("docker-compose.yml")).unwrap();
    named_volumes_are_declared(&compose);
    let postgres = &compose["services"]["postgres"];
    assert_eq!(postgres["image"], "postgres:17");
    assert_eq!(postgres["ports"], list(&["127.0.0.1:${POSTGRES_PORT:-5432}:5432"]));
    assert_eq!(postgres["environment"]["POSTGRES_DB"], "ecomm_fraud_db");
    assert_eq!(postgres["environment"]["POSTGRES_USER"], "postgres");
    assert_eq!(postgres["environment"]["POSTGRES_PASSWORD"], "${POSTGRES_PASSWORD:-123}");
    assert_eq!(postgres["healthcheck"]["test"][1], "pg_isready");
    assert_eq!(postgres["volumes"], list(&["postgres-data:/var/lib/postgresql/data"]));

    let host = &compose["services"]["host"];
    assert_eq!(host["build"], ".");
    assert_eq!(host["pull_policy"], "never", "the name may be another's in a registry");
    assert_eq!(host["depends_on"]["postgres"]["condition"], "service_healthy");
    assert_eq!(host["environment"]["PGHOST"], "postgres");
    assert_eq!(host["environment"]["PGUSER"], postgres["environment"]["POSTGRES_USER"]);
    assert_eq!(host["environment"]["PGPASSWORD"], postgres["environment"]["POSTGRES_PASSWORD"]);
    assert_eq!(host["environment"]["PGDATABASE"], postgres["environment"]["POSTGRES_DB"]);
    assert_eq!(host["volumes"], list(&["work:/srv", "./data:/srv/data:ro"]));
    // It can be entered, and starting it ingests nothing.
    assert_eq!(host["entrypoint"], list(&[]));
    assert_eq!(host["command"], list(&["sleep", "infinity"]));
    assert_eq!((&host["read_only"], &host["profiles"]), (&Value::Bool(true), &Value::Null));
}

/// In the README and in the file that it is about.
#[test]
fn the_program_takes_what_is_to_be_typed() {
    let documents = ["README.md", "docker-compose.yml"].map(read).concat();
    let lines = documents.lines().filter(|line| line.contains("docker compose "));
    let mut count = 0;
    for (_, command) in lines.filter_map(|line| line.split_once(" host host ")) {
        count += 1;
        let words = command.split_whitespace().take_while(|word| !["<", "#"].contains(word));
        let parsed = host::cli::Cli::try_parse_from(std::iter::once("host").chain(words));
        assert!(parsed.is_ok(), "{command}");
    }
    assert!(count >= 4, "{count}");
}

#[test]
fn the_image_has_the_program_and_the_plugins_beside_it() {
    let dockerfile = read("Dockerfile");
    for needed in [
        "threshold.wasm",
        "zscore.wasm",
        "COPY --from=build /out/bin /usr/local/bin",
        "USER 10001:10001",
        r#"ENTRYPOINT ["host"]"#,
    ] {
        assert!(dockerfile.contains(needed), "{needed}");
    }
    assert_eq!(dockerfile.lines().filter(|line| line.starts_with("FROM ")).count(), 2);
}

/// What is not named is not in the context: not even what nobody thought of.
#[test]
fn the_context_is_what_is_named() {
    let ignored = read(".dockerignore");
    let mut lines = ignored.lines().filter(|line| !line.starts_with('#'));
    assert_eq!(lines.next(), Some("*"));
    let (named, without): (Vec<&str>, Vec<&str>) = lines.partition(|line| line.starts_with('!'));
    for path in named {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(&path[1..]);
        assert!(path.exists(), "{}", path.display());
    }
    for pattern in ["**/target", "**/node_modules", "**/.env*"] {
        assert!(without.contains(&pattern), "{pattern}");
    }
}
