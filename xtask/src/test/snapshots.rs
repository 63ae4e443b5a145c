//! Snapshots that no test compares anything with any more. They would be read, kept and mended for
//! nothing; insta writes down which it used.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::shell::root;

/// The variable that makes insta write the names of the snapshots that it uses into a file.
pub const USED: &str = "INSTA_SNAPSHOT_REFERENCES_FILE";

/// Those in the crates' folders that are not in the file that insta has written. A test that was
/// left out, with the reason behind its name, may need those of its module.
pub fn unused(used: &Path, left_out: &[String]) -> Result<Vec<PathBuf>> {
    let text = fs::read_to_string(used).with_context(|| format!("could not read {}", used.display()))?;
    let used: BTreeSet<PathBuf> =
        text.lines().filter_map(|line| Path::new(line).canonicalize().ok()).collect();
    let mut kept = Vec::new();
    for folder in ["host", "plugins", "xtask/src"] {
        collect(&root().join(folder).canonicalize()?, &mut kept)?;
    }
    // `suite__database__failures__a_deadlock.snap` is the snapshot of a test in `database::failures`.
    let module = |line: &String| {
        let test = line.split(": ").next()?;
        Some(format!("suite__{}__", test.rsplit_once("::")?.0.replace("::", "__")))
    };
    let left_out: Vec<String> = left_out.iter().filter_map(module).collect();
    let may_be_needed = |path: &Path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        left_out.iter().any(|module| name.starts_with(module))
    };
    kept.retain(|path| !used.contains(path) && !may_be_needed(path));
    kept.sort();
    Ok(kept)
}

fn collect(folder: &Path, snapshots: &mut Vec<PathBuf>) -> Result<()> {
    let entries = fs::read_dir(folder).with_context(|| format!("could not read {}", folder.display()))?;
    for entry in entries {
        let entry = entry?;
        let path = entry.path();
        if entry.file_type()?.is_dir() {
            collect(&path, snapshots)?;
        } else if path.extension().is_some_and(|extension| extension == "snap") {
            snapshots.push(path);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_that_is_not_in_the_list_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let list = folder.path().join("used");
        fs::write(&list, "").unwrap();
        let all = unused(&list, &[]).unwrap();
        assert!(all.len() > 50, "{all:?}");
        let lines: Vec<String> = all[1..].iter().map(|path| format!("{}\n", path.display())).collect();
        fs::write(&list, lines.concat()).unwrap();
        assert_eq!(unused(&list, &[]).unwrap(), &all[..1]);
        let name = all[0].file_name().unwrap().to_str().unwrap();
        let modules = [format!("{}::a_test: something is missing", name.split("__").nth(1).unwrap())];
        assert_eq!(unused(&list, &modules).unwrap(), [""; 0].map(PathBuf::from));
    }
}
