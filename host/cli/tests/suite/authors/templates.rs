//! What a new plugin author does, in an empty folder, in each language: the guide's "Ten minutes" from top to bottom,
//! line by line, and with it what the README says that `host plugin new` writes. How long each line takes is printed:
//! `cargo nextest run authors::templates --no-capture`.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use crate::support::{Database, Files, cache_folder, finish, host, sample, succeed};

/// Where `cargo xtask test` puts the languages' tools.
pub fn tools() -> PathBuf {
    std::env::var_os("HOST_TEST_AUTHORS_TOOLS").map(PathBuf::from).expect(
        "run the tests with `cargo xtask test`: it installs componentize-py, Zig, componentize-qjs and AssemblyScript",
    )
}

/// The command in an environment with `host` on the path, the languages' tools, and this database.
pub fn author(program: &str, folder: &Path, language: &str, database: &Database) -> Command {
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

/// The lines of a document's blocks of shell, without the comments behind them.
fn blocks(document: &str) -> Vec<Vec<&str>> {
    let blocks = document.split("```sh\n").skip(1).map(|rest| rest.split("```").next().unwrap_or_default());
    let command = |line: &'_ str| line.split(" #").next().unwrap_or_default().trim_end().len();
    blocks.map(|block| block.lines().map(|line| &line[..command(line)]).collect()).collect()
}

/// The cells of a row of a table that begins like this, as far as they are code.
fn code_of_row<'a>(document: &'a str, start: &str) -> Vec<&'a str> {
    let row = document.lines().find_map(|line| line.strip_prefix(start)).expect("the table has the row");
    row.split('`').skip(1).step_by(2).collect()
}

#[allow(clippy::print_stdout, reason = "the times are for whoever passes --no-capture")]
fn new_to_run(language: &str) {
    let (database, files) = (Database::new(), Files::new());
    let guide = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../plugins/README.md");
    let guide = fs::read_to_string(guide).unwrap();
    let blocks = blocks(&guide);
    let [new, commands, ..] = &blocks[..] else { panic!("{blocks:?}") };
    assert!(guide.lines().any(|line| line.starts_with(new[0]) && line.contains(language)), "{guide}");

    let line = new[0].replace("rust", language);
    let created = succeed(author("sh", files.path(), language, &database).args(["-ec", &line]));
    insta::assert_snapshot!(format!("created_{language}"), created);
    let folder = files.path().join("night-owls");
    share_tools(&folder, language);
    let readme = fs::read_to_string(folder.join("README.md")).unwrap();
    let readme = self::blocks(&readme).swap_remove(0);
    let commands: Vec<String> =
        commands.iter().map(|line| line.replace("FILE.csv", "cases/basic.csv")).collect();
    let (own, common) = readme.split_at(2);
    for (line, row) in own.iter().zip(["| build |", "| unit tests and cases |"]) {
        assert!(code_of_row(&guide, row).contains(line), "the guide has another command than {line}");
    }
    assert!(common.iter().all(|line| commands.iter().any(|command| command == line)), "{common:?}");

    // It never ends; it has a test of its own.
    let commands = commands.iter().map(String::as_str).filter(|line| *line != "host plugin dev");
    for line in own.iter().copied().chain(commands) {
        let started = Instant::now();
        let finished = finish(author("sh", &folder, language, &database).args(["-ec", line]));
        println!("{language}: {line}: {:.1} s", started.elapsed().as_secs_f64());
        judge(line, finished.code, &format!("{}\n{}", finished.stdout, finished.stderr));
    }
    assert_eq!(database.counts(), (5, 2, 1));

    // The same detector in every language: score by score and word by word.
    let plugins = code_of_row(&guide, "| the plugin |");
    let plugin = plugins.iter().map(|file| folder.join(file)).find(|file| file.is_file());
    let plugin = plugin.expect("the plugin is where the guide says");
    let digest = succeed(host().args(["plugin", "digest"]).arg(plugin).arg(sample()));
    insta::assert_snapshot!("the_same_in_every_language", digest);
}

/// The tools are there, and tests that share them must not install them again at the same time.
fn share_tools(folder: &Path, language: &str) {
    if language == "rust" {
        share_target(folder);
    }
    if let Ok(requirements) = fs::File::options().write(true).open(folder.join("requirements.txt")) {
        requirements.set_modified(std::time::UNIX_EPOCH).unwrap();
    }
}

/// Whether a line of the guide did what the guide promises.
fn judge(line: &str, code: i32, said: &str) {
    assert_eq!(code, 0, "{line}\n{said}");
    let promised = match line.split(' ').take(3).collect::<Vec<_>>()[..] {
        ["host", "plugin", "check"] => "0 broken, 0 warnings",
        ["host", "plugin", "bench"] => "times the time of `threshold`",
        ["host", "check" | "run", _] => "5 rows, 2 anomalies",
        ["host", "plugin", "add"] => "night-owls",
        _ if line.ends_with("test") => "2 cases, 0 failed",
        _ => "",
    };
    assert!(said.contains(promised), "{line}\n{said}");
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
    let mut resolve = wit_parser::Resolve::default();
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
