//! No file depends on itself by way of others: then each can be read, and tested, after those that it
//! stands on. A file that declares modules depends on them, so it has nothing that they use. And the rooms of
//! the program stand on each other in one order. (Between the crates, cargo sees to that.)

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use crate::shell::root;

/// The crates' sources that are held to it.
const CRATES: [&str; 6] =
    ["host/core/src", "host/source/src", "host/detector/src", "host/sink/src", "host/cli/src", "xtask/src"];

/// The rooms of the program: each uses only those after it.
const ROOMS: [&str; 19] = [
    "commands",
    "watch",
    "report",
    "verify",
    "pipeline",
    "authors",
    "plugins",
    "config",
    "profiles",
    "diagnostic",
    "panics",
    "status",
    "cli",
    "error",
    "progress",
    "logging",
    "remarks",
    "output",
    "interrupt",
];

/// Where a module is: the names on the way to it.
type Module = Vec<String>;

#[test]
fn no_file_depends_on_itself() {
    for folder in CRATES {
        let mut modules = BTreeMap::new();
        collect(&root().join(folder), &Vec::new(), &mut modules);
        assert!(modules.len() > 5, "{folder}");
        assert_eq!(circles(&modules), BTreeSet::new(), "{folder}");
    }
}

#[test]
fn rooms_use_only_those_below() {
    let mut modules = BTreeMap::new();
    collect(&root().join("host/cli/src"), &Vec::new(), &mut modules);
    let floor =
        |module: &Module| ROOMS.iter().position(|room| Some(*room) == module.first().map(String::as_str));
    for (module, text) in modules.iter().filter(|(module, _)| !module.is_empty()) {
        let own =
            floor(module).unwrap_or_else(|| panic!("{module:?} is in no room: it belongs into `ROOMS`"));
        for used in used(module, text, &modules) {
            assert!(
                floor(&used).is_some_and(|floor| floor >= own),
                "{module:?} uses {used:?}, which is above it"
            );
        }
    }
}

/// The modules in a folder, with their texts, as far as they are no tests of their own.
fn collect(folder: &Path, above: &[String], modules: &mut BTreeMap<Module, String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let mut module = above.to_vec();
        if path.is_dir() {
            module.push(name);
            collect(&path, &module, modules);
        } else if path.extension().is_some_and(|extension| extension == "rs") && !is_apart(&path, &name) {
            if !["main", "lib", "mod"].contains(&name.as_str()) {
                module.push(name);
            }
            let text = fs::read_to_string(&path).unwrap();
            let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
            modules.insert(module, code.to_owned());
        }
    }
}

/// Tests in a file of their own, and a program beside its library.
fn is_apart(path: &Path, name: &str) -> bool {
    name.ends_with("tests") || name == "main" && path.with_file_name("lib.rs").exists()
}

/// The modules from which one comes back to them.
fn circles(modules: &BTreeMap<Module, String>) -> BTreeSet<Module> {
    let uses: BTreeMap<&Module, BTreeSet<Module>> =
        modules.iter().map(|(module, text)| (module, used(module, text, modules))).collect();
    let comes_back = |module: &Module| {
        let mut seen = BTreeSet::new();
        let mut next: Vec<&Module> = uses[module].iter().collect();
        while let Some(used) = next.pop() {
            if seen.insert(used) {
                next.extend(&uses[used]);
            }
        }
        seen.contains(module)
    };
    modules.keys().filter(|module| comes_back(module)).cloned().collect()
}

/// The modules that a file names: those that it declares, and those in its paths.
fn used(module: &Module, text: &str, modules: &BTreeMap<Module, String>) -> BTreeSet<Module> {
    let code: Vec<&str> = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
    let code = code.join("\n");
    let declared = code.split(';').filter_map(|statement| statement.trim_end().rsplit_once("mod "));
    let declared = declared.map(|(_, name)| [module.as_slice(), &[name.to_owned()]].concat());
    let mut found: BTreeSet<Module> = declared.filter(|path| modules.contains_key(path)).collect();
    for start in ["crate", "super", "self"] {
        for (at, _) in code.match_indices(&format!("{start}::")) {
            let is_start = !code[..at].ends_with(|c: char| c.is_alphanumeric() || "_:".contains(c));
            let mut paths = Vec::new();
            if is_start {
                walk(&mut code[at..].chars().peekable(), Vec::new(), &mut paths);
            }
            found.extend(paths.iter().filter_map(|path| resolve(module, path, modules)));
        }
    }
    found.remove(module);
    found
}

/// All paths of a tree such as `crate::{a, b::{self, C}}`.
fn walk(text: &mut std::iter::Peekable<std::str::Chars<'_>>, mut path: Module, paths: &mut Vec<Module>) {
    loop {
        while text.next_if(|c| c.is_whitespace()).is_some() {}
        if text.next_if_eq(&'{').is_some() {
            while text.peek().is_some_and(|&c| c != '}') {
                walk(text, path.clone(), paths);
                // What it was renamed to, and the comma.
                while text.next_if(|&c| c != ',' && c != '}').is_some() {}
                text.next_if_eq(&',');
                while text.next_if(|c| c.is_whitespace()).is_some() {}
            }
            text.next();
            return;
        }
        let mut name = String::new();
        while let Some(c) = text.next_if(|&c| c.is_alphanumeric() || c == '_') {
            name.push(c);
        }
        if !name.is_empty() && (name != "self" || path.is_empty()) {
            path.push(name);
        }
        let goes_on = text.next_if_eq(&':').is_some() && text.next_if_eq(&':').is_some();
        if !goes_on {
            paths.push(path);
            return;
        }
    }
}

/// The module that a path leads to, or into.
fn resolve(from: &Module, path: &[String], modules: &BTreeMap<Module, String>) -> Option<Module> {
    let mut place = if path[0] == "crate" { Vec::new() } else { from.clone() };
    for name in path {
        match name.as_str() {
            "crate" | "self" => {}
            "super" => drop(place.pop()),
            name => {
                place.push(name.to_owned());
                if !modules.contains_key(&place) {
                    place.pop();
                    break;
                }
            }
        }
    }
    modules.contains_key(&place).then_some(place)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Modules with their texts, and those that are in a circle.
    type Case = (&'static [(&'static str, &'static str)], &'static [&'static str]);

    #[test]
    fn a_circle_is_found() {
        let module = |path: &str| path.split_terminator('/').map(str::to_owned).collect::<Module>();
        let cases: [Case; 5] = [
            (&[("", "mod a; mod b;"), ("a", "use crate::b::B;"), ("b", "use std::fs;")], &[]),
            (
                &[("", "mod a; mod b;"), ("a", "use crate::b::B;"), ("b", "let a = crate::a::new();")],
                &["a", "b"],
            ),
            (&[("", "mod a;"), ("a", "use crate::{Task, x::{self, Y}};")], &["", "a"]),
            (&[("a", "pub mod b;"), ("a/b", "use super::A;")], &["a", "a/b"]),
            (
                &[
                    ("a", "mod b; mod c;"),
                    ("a/b", "use super::{c::C};"),
                    ("a/c", "// super::b\nuse super::d;"),
                ],
                &["a", "a/b", "a/c"],
            ),
        ];
        for (files, expected) in cases {
            let modules = files.iter().map(|(path, text)| (module(path), (*text).to_owned())).collect();
            let expected: BTreeSet<Module> = expected.iter().map(|path| module(path)).collect();
            assert_eq!(circles(&modules), expected, "{files:?}");
        }
    }
}
