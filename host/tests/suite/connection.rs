//! How the server is chosen and reached: the environment, URLs, keywords and service files, lists of
//! hosts, and what is told where none of it leads anywhere.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStringExt as _;

use crate::support::{Files, finish, host, sample};

/// A variable that is set, but says nothing, must not lead the rows somewhere else.
#[test]
fn a_variable_that_cannot_be_used_is_a_usage_error() {
    let files = Files::new();
    let not_text = || OsString::from_vec(b"/tmp/\xff".to_vec());
    let variables = ["DATABASE_URL", "PGHOST", "PGHOSTADDR", "PGSERVICE", "PGDATABASE", "HOST_DATA_DIR"];
    let variables = variables.into_iter().chain(["HOST_PLUGIN_PATH", "HOST_LOG"]);
    let mut cases: Vec<(&str, OsString)> =
        variables.flat_map(|name| [(name, OsString::new()), (name, not_text())]).collect();
    cases.extend([
        ("HOST_DATA_DIR", "relative".into()),
        ("HOST_PLUGIN_PATH", "/absolute:relative".into()),
        ("HOST_LOG", "host=loud".into()),
    ]);
    for (name, value) in cases {
        let mut run = host();
        run.env("HOST_DATA_DIR", files.path()).env(name, &value);
        let finished = finish(run.args(["run", "--plugin", "threshold"]).arg(sample()));
        assert_eq!((finished.code, finished.stdout.as_str()), (2, ""), "{name}={value:?}: {finished:?}");
        assert!(finished.stderr.contains(&format!("`{name}`")), "{value:?}: {}", finished.stderr);
    }
    // Nowhere was a server made.
    assert_eq!(std::fs::read_dir(files.path()).unwrap().count(), 0);
}

/// A variable that nobody asks for is nobody's business.
#[test]
fn a_variable_that_is_not_needed_may_be_anything() {
    let mut check = host();
    check.env("DATABASE_URL", "").env("PGHOST", OsStr::new(""));
    let finished = finish(check.args(["check", "--plugin", "threshold"]).arg(sample()));
    assert_eq!(finished.code, 0, "{}", finished.stderr);
}
