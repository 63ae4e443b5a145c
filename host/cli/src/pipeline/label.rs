//! What others see on the server while they wait for a run.

use std::path::PathBuf;

use host_source::FileList;

/// PostgreSQL shows 63 bytes of it (`NAMEDATALEN`), and refuses a connection whose parameters add up to
/// 10,000 bytes.
pub(super) fn label(list: &FileList) -> String {
    const MAX_BYTES: usize = 63;
    let name = |path: &PathBuf| path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
    let first = list.files.first().map(name).unwrap_or_default();
    let others = match list.files.len() {
        0 | 1 => String::new(),
        count => format!(" and {} more", count - 1),
    };
    let room = MAX_BYTES - "host run ".len() - others.len();
    format!("host run {}{others}", &first[..first.floor_char_boundary(room)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_fits_whatever_the_files_are_called() {
        let label = |names: &[&str]| {
            let files = names.iter().map(PathBuf::from).collect();
            label(&FileList { files, ..FileList::default() })
        };
        assert_eq!(label(&["in/a.csv"]), "host run a.csv");
        assert_eq!(label(&["in/a.csv", "b.csv", "c.csv"]), "host run a.csv and 2 more");
        assert_eq!(label(&["-"]), "host run -");
        for letters in 0..100 {
            let name = "ä".repeat(letters);
            for label in [label(&[&name]), label(&vec![name.as_str(); 10_000])] {
                assert!(label.len() <= 63, "{label}");
            }
        }
    }
}
