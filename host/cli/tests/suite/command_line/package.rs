//! The package for Debian and Ubuntu, as `cargo xtask deb` makes it: installed by dpkg, though not into the system,
//! and used from there.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{Database, Files, host, is_root, leave_out, sample, succeed};

/// The package, if it could be built, and can be installed.
fn package() -> Option<PathBuf> {
    let package = std::env::var_os("HOST_TEST_DEB").map(PathBuf::from);
    if package.is_none() || !is_root() {
        leave_out("a package can be built and installed only as root on Debian or Ubuntu (HOST_TEST_DEB)");
        return None;
    }
    package
}

/// dpkg, with a folder in place of the system's root. It knows of the packages that the system has, so what is
/// missing is really missing.
fn dpkg(files: &Files) -> Command {
    let (root, administration) = (files.path().join("root"), files.path().join("dpkg"));
    if !administration.exists() {
        fs::create_dir(&root).unwrap();
        fs::create_dir_all(administration.join("info")).unwrap();
        fs::create_dir(administration.join("updates")).unwrap();
        fs::copy("/var/lib/dpkg/status", administration.join("status")).unwrap();
    }
    let mut dpkg = Command::new("dpkg");
    dpkg.arg("--instdir").arg(root).arg("--admindir").arg(administration);
    dpkg.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("LC_ALL", "C.UTF-8");
    dpkg
}

/// Without what a test would find elsewhere: only what is in the package.
fn installed(root: &Path) -> Command {
    let mut command = Command::new(root.join("usr/bin/ingest-host"));
    let variables = host();
    for (name, value) in variables.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command.env_remove("HOST_PLUGIN_PATH").current_dir(root);
    command
}

#[test]
fn the_package_is_installed_used_and_removed() {
    let Some(package) = package() else { return };
    let (files, database) = (Files::new(), Database::new());
    succeed(dpkg(&files).arg("--install").arg(&package));
    let root = files.path().join("root");

    assert_eq!(succeed(installed(&root).arg("--version")), succeed(host().arg("--version")));
    let run = ["run", "--plugin", "threshold.wasm", "--database-url"];
    succeed(installed(&root).args(run).arg(database.url()).arg(sample()));
    assert_eq!(database.counts(), (1_800, 38, 1));
    // Found by its name, in the package.
    let list = succeed(installed(&root).args(["plugin", "list"]));
    let plugins = root.join("usr/lib/ingest-host/plugins/threshold.wasm");
    assert!(list.contains(plugins.to_str().unwrap()), "{list}");

    has_man_pages(&root);
    has_completions(&root);
    starts_what_it_has(&root);

    assert_eq!(succeed(dpkg(&files).args(["--verify", "ingest-host"])), "");
    succeed(dpkg(&files).args(["--purge", "ingest-host"]));
    assert_eq!(root.read_dir().unwrap().count(), 0, "nothing is left");
}

/// Rendered as people read them, without a word of complaint.
fn has_man_pages(root: &Path) {
    let folder = root.join("usr/share/man/man1");
    let pages: Vec<PathBuf> = folder.read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(pages.len() > 20, "{pages:?}");
    assert!(pages.iter().all(|page| page.extension().is_some_and(|end| end == "gz")), "{pages:?}");
    if Command::new("man").arg("--version").output().is_err() {
        return leave_out("man is not installed, so nobody has looked at the pages");
    }
    for (page, text) in [("ingest-host", "SUBCOMMANDS"), ("ingest-host-run", "--max-rejects")] {
        let mut man = Command::new("man");
        man.arg("--warnings=all").arg("--local-file").arg(folder.join(format!("{page}.1.gz")));
        let read = man.env("LC_ALL", "C.UTF-8").env("MANWIDTH", "80").output().unwrap();
        let (shown, complaints) =
            (String::from_utf8(read.stdout).unwrap(), String::from_utf8(read.stderr).unwrap());
        assert!(read.status.success() && complaints.is_empty(), "{complaints}");
        assert!(shown.contains(text) && shown.contains("\nNAME\n       ingest-host"), "{shown}");
    }
}

/// Where shells look for them, and, for bash, as it loads them.
fn has_completions(root: &Path) {
    let share = root.join("usr/share");
    for place in ["fish/vendor_completions.d/ingest-host.fish", "zsh/vendor-completions/_ingest-host"] {
        let script = fs::read_to_string(share.join(place)).unwrap();
        assert!(script.contains("ingest-host"), "{place}");
    }
    let script = share.join("bash-completion/completions/ingest-host");
    let mut bash = Command::new("bash");
    bash.args(["--norc", "--noprofile", "-c", r#"source "$0" && complete -p ingest-host"#]).arg(script);
    let completion = succeed(&mut bash);
    assert!(completion.contains(" -F _ingest") && completion.ends_with(" ingest-host\n"), "{completion}");
}

/// Every unit starts a program that is installed.
fn starts_what_it_has(root: &Path) {
    let Ok(units) = root.join("usr/lib/systemd/system").read_dir() else { return };
    for unit in units.map(|entry| entry.unwrap().path()) {
        let text = fs::read_to_string(&unit).unwrap();
        let start = text.lines().find_map(|line| line.strip_prefix("ExecStart=")).unwrap();
        let program = start.split_whitespace().next().unwrap();
        assert!(root.join(program.trim_start_matches('/')).is_file(), "{}: {program}", unit.display());
    }
}

/// Man pages and units are left out: there will be more of them.
#[test]
fn the_package_has_these_files() {
    let Some(package) = package() else { return };
    let listed = succeed(Command::new("dpkg-deb").arg("--contents").arg(&package).env("LC_ALL", "C.UTF-8"));
    let mut files: Vec<String> = listed
        .lines()
        .map(|line| {
            // Permissions, owner, size, day, time, name.
            let words: Vec<&str> = line.split_whitespace().collect();
            format!("{} {} {}", words[0], words[1], words[5..].join(" "))
        })
        .filter(|line| !line.contains("/man1/ingest") && !line.contains("systemd"))
        .collect();
    files.sort_by_key(|line| line.split_once("./").map(|(_, path)| path.to_owned()));
    insta::assert_snapshot!("files_of_the_package", files.join("\n"));

    let fields = ["Package", "Section", "Priority", "Recommends", "Description"];
    let format = fields.map(|field| format!("{field}: ${{{field}}}\n")).concat();
    let shown = succeed(Command::new("dpkg-deb").args(["--show", "--showformat", &format]).arg(&package));
    insta::assert_snapshot!("fields_of_the_package", shown);
    let depends = succeed(Command::new("dpkg-deb").arg("--field").arg(&package).arg("Depends"));
    assert!(depends.contains("libc6 (>= "), "{depends}");
}
