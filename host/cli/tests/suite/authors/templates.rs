//! What a new plugin author does, in an empty folder, in each language: the lines of the README that
//! `host plugin new` writes, one by one.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{Database, Files, cache_folder, finish, host, sample, succeed};

/// Where `cargo xtask test` puts the languages' tools.
pub fn tools() -> PathBuf {
    std::env::var_os("HOST_TEST_AUTHORS_TOOLS").map(PathBuf::from).expect(
        "run the tests with `cargo xtask test`: it installs componentize-py, Zig, componentize-qjs and AssemblyScript",
    )
}

/// The command in an environment with `host` on the path, the languages' tools, and this database.
fn author(program: &str, folder: &Path, language: &str, database: &Database) -> Command {
    let bin = Path::new(env!("CARGO_BIN_EXE_host")).parent().unwrap();
    let path = std::env::var("PATH").unwrap();
    let mut command = Command::new(program);
    command
        .current_dir(folder)
        .env("PATH", format!("{}:{path}", bin.display()))
        .env("DATABASE_URL", database.url())
        .env("HOST_DATA_DIR", folder)
        .env("XDG_CACHE_HOME", cache_folder())
        .env("VENV", tools().join(environment(language)))
        .env("GOCACHE", tools().join("go-cache"))
        .env("ZIG_GLOBAL_CACHE_DIR", tools().join("zig-cache"))
        .env("npm_config_cache", tools().join("npm-cache"))
        .env("npm_config_prefer_offline", "true");
    without_our_cargo(&mut command);
    command
}

/// The tests' own cargo must not decide for an author's.
pub fn without_our_cargo(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy().into_owned();
        if name.starts_with("CARGO_") && name != "CARGO_HOME" {
            command.env_remove(name);
        }
    }
}

/// What a project in Rust depends on is compiled once, not once a test.
pub fn share_target(project: &Path) {
    let target = tools().join("rust-target");
    fs::create_dir_all(&target).unwrap();
    symlink(target, project.join("target")).unwrap();
}

/// The folder of the language's tools: several have the same compiler.
pub fn environment(language: &str) -> &str {
    match language {
        "cpp" | "zig" => "c",
        other => other,
    }
}

/// The commands of a README: the lines of its first block of shell.
fn commands(readme: &str) -> Vec<&str> {
    let (_, block) = readme.split_once("```sh\n").expect("the README has a block of shell");
    block.split_once("```").expect("the block ends").0.lines().collect()
}

fn new_to_run(language: &str) {
    let (database, files) = (Database::new(), Files::new());
    let created = succeed(author("host", files.path(), language, &database).args([
        "plugin",
        "new",
        "night-owls",
        "--lang",
        language,
    ]));
    insta::assert_snapshot!(format!("created_{language}"), created);
    let folder = files.path().join("night-owls");
    if language == "rust" {
        share_target(&folder);
    }
    // The tools are there, and tests that share them must not install them again at the same time.
    if let Ok(requirements) = fs::File::options().write(true).open(folder.join("requirements.txt")) {
        requirements.set_modified(std::time::UNIX_EPOCH).unwrap();
    }
    let readme = fs::read_to_string(folder.join("README.md")).unwrap();
    let commands = commands(&readme);
    assert_eq!(commands.len(), 5, "{readme}");
    for line in &commands {
        let finished = finish(author("sh", &folder, language, &database).args(["-ec", line]));
        let said = format!("{line}\n{}\n{}", finished.stdout, finished.stderr);
        assert_eq!(finished.code, 0, "{said}");
        match line.split(' ').take(3).collect::<Vec<_>>()[..] {
            ["host", "plugin", "check"] => assert!(said.contains("0 broken, 0 warnings"), "{said}"),
            ["host", "plugin", "bench"] => assert!(said.contains("times the time of `threshold`"), "{said}"),
            ["host", "run", _] => assert!(said.contains("5 rows, 2 anomalies"), "{said}"),
            _ if said.contains("plugin test") => assert!(said.contains("2 cases, 0 failed"), "{said}"),
            _ => {}
        }
    }
    assert_eq!(database.counts(), (5, 2, 1));

    // The same detector in every language: score by score and word by word.
    let plugin = folder.join(commands[2].rsplit_once(' ').unwrap().1);
    let digest = succeed(host().args(["plugin", "digest"]).arg(&plugin).arg(sample()));
    insta::assert_snapshot!("the_same_in_every_language", digest);
}

#[test]
fn rust() {
    new_to_run("rust");
}

#[test]
fn python() {
    new_to_run("python");
}

#[test]
fn javascript() {
    new_to_run("javascript");
}

#[test]
fn typescript() {
    new_to_run("typescript");
}

#[test]
fn assemblyscript() {
    new_to_run("assemblyscript");
}

#[test]
fn c() {
    new_to_run("c");
}

#[test]
fn cpp() {
    new_to_run("cpp");
}

#[test]
fn go() {
    new_to_run("go");
}

#[test]
fn zig() {
    new_to_run("zig");
}

/// The type that is put into modules is that of the bindings.
#[test]
fn the_type_of_modules_is_up_to_date() {
    let templates = Path::new(env!("CARGO_MANIFEST_DIR")).join("templates");
    let section = fs::read(templates.join("type/component-type.section")).unwrap();
    let object = fs::read(templates.join("bindings/bindings/detector_component_type.o")).unwrap();
    assert!(
        object.windows(section.len()).any(|part| part == section),
        "make it again: it is the section `component-type:detector` of detector_component_type.o, as it is there"
    );
}

/// The C template's bindings are those of the contract as it is.
#[test]
fn the_bindings_for_c_are_up_to_date() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut resolve = wit_bindgen_core::wit_parser::Resolve::default();
    let (package, _) = resolve.push_path(root.join("../../wit/detector-0.1")).unwrap();
    let world = resolve.select_world(&[package], Some("detector")).unwrap();
    let mut made = wit_bindgen_core::Files::default();
    let mut generator = wit_bindgen_c::Opts::default().build();
    wit_bindgen_core::WorldGenerator::generate(&mut *generator, &mut resolve, world, &mut made).unwrap();
    let mut count = 0;
    // The object file also names the exact version of the tool; that it fits, the test above shows.
    for (name, content) in made.iter().filter(|(name, _)| !name.ends_with(".o")) {
        let kept = fs::read(root.join("templates/bindings/bindings").join(name)).unwrap();
        assert!(
            kept == content,
            "make it again in host/cli/templates/bindings: wit-bindgen c ../../../../wit/detector-0.1 --world detector --out-dir bindings ({name})"
        );
        count += 1;
    }
    assert_eq!(count, 2);
}
