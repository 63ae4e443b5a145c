//! The SDKs as packages, as `cargo xtask packages` builds them: what is in them, and projects that use them instead of
//! a copy.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::authors::templates::{author, tools};
use crate::support::{Database, Files, finish, host, succeed};

/// What `cargo xtask packages` built whose name ends like this.
fn package(end: &str) -> PathBuf {
    let folder = std::env::var_os("HOST_TEST_PACKAGES")
        .map(PathBuf::from)
        .expect("run the tests with `cargo xtask test`: it builds the packages");
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut fitting = files.filter(|path| path.to_str().unwrap().ends_with(end));
    fitting.next().unwrap_or_else(|| panic!("there is no package *{end}"))
}

/// The files of an archive, without the folder that all of them are in.
fn unpacked(archive: &Path, into: &Path) -> Vec<String> {
    succeed(Command::new("tar").arg("--extract").arg("--file").arg(archive).arg("--directory").arg(into));
    let listed = succeed(Command::new("tar").arg("--list").arg("--file").arg(archive));
    let files =
        listed.lines().filter(|path| !path.ends_with('/')).map(|path| path.split_once('/').unwrap().1);
    // Where it is built outside of a repository, there is no such file.
    let mut files: Vec<String> =
        files.filter(|file| *file != ".cargo_vcs_info.json").map(str::to_owned).collect();
    files.sort();
    files
}

#[test]
fn each_package_has_its_files_and_no_others() {
    let files = Files::new();
    insta::assert_debug_snapshot!("files_of_the_crate", unpacked(&package(".crate"), files.path()));
    insta::assert_debug_snapshot!("files_for_npm", unpacked(&package(".tgz"), files.path()));
    insta::assert_debug_snapshot!("files_of_the_python_sources", unpacked(&package(".tar.gz"), files.path()));
    let mut list = Command::new("python3");
    list.args([
        "-c",
        "import sys, zipfile; print(*sorted(zipfile.ZipFile(sys.argv[1]).namelist()), sep='\\n')",
    ]);
    let wheel = succeed(list.arg(package(".whl")));
    insta::assert_snapshot!("files_of_the_wheel", wheel);
    // What registries show and resolvers read; the rest is the README.
    let mut read = Command::new("python3");
    read.args(["-c", "import sys, zipfile; print(zipfile.ZipFile(sys.argv[1]).read(sys.argv[2]).decode())"]);
    let metadata = wheel.lines().find(|name| name.ends_with("/METADATA")).unwrap();
    let metadata = succeed(read.arg(package(".whl")).arg(metadata));
    insta::assert_snapshot!("metadata_of_the_wheel", metadata.split_once("\n\n").unwrap().0);
}

/// A project that uses the package; builds it by these lines, and checks the plugin.
fn project(language: &str, sdk: &Path, plugin: &str, prepare: impl Fn(&Path, &Path), lines: &[&str]) {
    let (database, files) = (Database::new(), Files::new());
    let new = ["plugin", "new", "night-owls", "--lang", language, "--sdk"];
    succeed(author("host", files.path(), language, &database).args(new).arg(sdk));
    let folder = files.path().join("night-owls");
    for copy in ["sdk", "ingest_detector", "ingest-detector", "wit"] {
        assert!(!folder.join(copy).exists(), "{copy} is a copy");
    }
    prepare(&folder, files.path());
    for line in lines {
        let finished = finish(
            author("sh", &folder, language, &database)
                .args(["-ec", line])
                // From what is here, never from the registry.
                .env("VENV", files.path().join("venv"))
                .env("PIP_NO_INDEX", "1")
                .env("PIP_FIND_LINKS", package(".whl").parent().unwrap())
                .env("npm_config_offline", "true"),
        );
        assert_eq!(finished.code, 0, "{line}\n{}\n{}", finished.stdout, finished.stderr);
    }
    let report = succeed(host().args(["plugin", "check"]).arg(folder.join(plugin)));
    assert!(report.contains("0 broken, 0 warnings"), "{report}");
}

#[test]
fn a_project_with_the_crate() {
    let files = Files::new();
    unpacked(&package(".crate"), files.path());
    let sdk = files.path().join(package(".crate").file_stem().unwrap());
    // What it depends on is compiled once, not once a test.
    let share = |folder: &Path, _: &Path| {
        let target = tools().join("rust-target");
        fs::create_dir_all(&target).unwrap();
        symlink(target, folder.join("target")).unwrap();
    };
    let build = "cargo build --locked --release --target wasm32-unknown-unknown";
    project("rust", &sdk, "target/wasm32-unknown-unknown/release/night_owls.wasm", share, &[build]);
}

/// A fresh environment, in which only the compiler is installed; pip finds the SDK in a folder of packages, as it would
/// in a registry.
#[test]
fn a_project_with_the_package_for_python() {
    let with_compiler = |_: &Path, parent: &Path| {
        let venv = parent.join("venv");
        succeed(Command::new("python3").args(["-m", "venv"]).arg(&venv));
        let compiler = |folder: &Path, path: &str| {
            let found = succeed(
                Command::new("sh").args(["-c", "printf %s $0/lib/python3*/site-packages"]).arg(folder),
            );
            Path::new(&found).join(path)
        };
        let shared = tools().join("python");
        fs::write(compiler(&venv, "compiler.pth"), compiler(&shared, "").to_str().unwrap()).unwrap();
        let copied = venv.join("bin/componentize-py");
        fs::copy(shared.join("bin/componentize-py"), &copied).unwrap();
        // Older than what names the SDK, so that this is installed.
        fs::File::options().write(true).open(copied).unwrap().set_modified(std::time::UNIX_EPOCH).unwrap();
    };
    let unit_tests = "PYTHONPATH=. $VENV/bin/python -m unittest discover --start-directory tests";
    let lines = ["make", unit_tests, "$VENV/bin/pip show ingest-detector"];
    project("python", Path::new("registry"), "night-owls.wasm", with_compiler, &lines);
}

fn with_the_package_for_npm(language: &str, lines: &[&str]) {
    project(language, &package(".tgz"), "night-owls.wasm", |_, _| {}, lines);
}

#[test]
fn a_project_with_the_package_for_javascript() {
    with_the_package_for_npm("javascript", &["npm install", "npm run build", "node --test"]);
}

/// The compiler of TypeScript reads the package's types.
#[test]
fn a_project_with_the_package_for_typescript() {
    with_the_package_for_npm("typescript", &["npm install", "npm run build"]);
}

/// What names the package, in each language.
#[test]
fn a_project_names_its_package() {
    let files = Files::new();
    let mut named = String::new();
    fs::write(files.path().join("sdk.whl"), "").unwrap();
    fs::create_dir(files.path().join("my sdk")).unwrap();
    for manifest in ["Cargo.toml", "package.json"] {
        fs::write(files.path().join("my sdk").join(manifest), "").unwrap();
    }
    let languages = [
        ("rust", "my sdk", "Cargo.toml"),
        ("python", "sdk.whl", "requirements.txt"),
        ("typescript", "my sdk", "package.json"),
    ];
    for (language, path, file) in languages {
        for sdk in ["registry", path] {
            let name = format!("{language}-{}", sdk.len());
            let new = ["plugin", "new", &name, "--lang", language, "--sdk", sdk];
            let said = succeed(host().current_dir(files.path()).args(new));
            let content = fs::read_to_string(files.path().join(&name).join(file)).unwrap();
            let lines =
                content.lines().filter(|line| line.contains("sdk") || line.contains("ingest-detector"));
            named += &format!("## {language} --sdk {sdk}\n{}\n\n", lines.collect::<Vec<_>>().join("\n"));
            assert_eq!(
                said.contains("cargo generate-lockfile"),
                language == "rust" && sdk == "registry",
                "{said}"
            );
        }
    }
    insta::assert_snapshot!("named", named);
}

#[test]
fn what_is_not_a_package_is_refused() {
    let files = Files::new();
    fs::create_dir_all(files.path().join("linked")).unwrap();
    fs::write(files.path().join("linked/package.json"), "").unwrap();
    symlink("..", files.path().join("linked/wit")).unwrap();
    let cases = [
        ("c", "registry"),
        ("rust", "missing"),
        ("rust", "linked"),
        ("python", "linked/package.json"),
        ("javascript", "linked"),
    ];
    let mut refused = String::new();
    for (language, sdk) in cases {
        let new = ["plugin", "new", "night-owls", "--lang", language, "--sdk", sdk];
        let finished = finish(host().current_dir(files.path()).args(new));
        assert_eq!(finished.code, 2, "{}", finished.stderr);
        refused += &format!("## {language} --sdk {sdk}\n{}\n", files.anonymous(&finished.stderr));
    }
    assert!(!files.path().join("night-owls").exists());
    insta::assert_snapshot!("refused", refused);
}
