//! CHANGELOG.md: what a release says of itself is its section there.

use std::fs;

use anyhow::{Context as _, Result, ensure};

use crate::shell::root;

/// Prints the section of this version, which must be the one of Cargo.toml.
pub fn print_notes(version: &str) -> Result<()> {
    let ours = env!("CARGO_PKG_VERSION");
    ensure!(version == ours, "Cargo.toml has the version {ours}, and not {version}");
    let text = fs::read_to_string(root().join("CHANGELOG.md")).context("could not read CHANGELOG.md")?;
    let notes = section(&text, version)
        .with_context(|| format!("CHANGELOG.md has no section `## [{version}] - YYYY-MM-DD`"))?;
    print(&notes);
    Ok(())
}

#[allow(clippy::print_stdout, reason = "it is for a file")]
fn print(notes: &str) {
    println!("{notes}");
}

/// What is below the heading of a version, up to the next one.
fn section(text: &str, version: &str) -> Option<String> {
    let heading = format!("## [{version}] - ");
    let lines = text.lines().skip_while(|line| !line.starts_with(&heading)).skip(1);
    let lines: Vec<&str> = lines.take_while(|line| !line.starts_with("## ")).collect();
    let notes = lines.join("\n").trim().to_owned();
    (!notes.is_empty()).then_some(notes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_notes_are_the_section_of_the_version() {
        let text = "# Changelog\n\n## [Unreleased]\n\n### Added\n\n- x\n\n## [0.2.0] - 2025-02-01\n\n### Fixed\n\n- y\n- z\n\n\
                    ## [0.1.0] - 2025-01-01\n\n- first\n";
        assert_eq!(section(text, "0.2.0").as_deref(), Some("### Fixed\n\n- y\n- z"));
        assert_eq!(section(text, "0.1.0").as_deref(), Some("- first"));
        assert_eq!(section(text, "0.3.0"), None);
        assert_eq!(section(text, "Unreleased"), None);
    }

    /// Keep a Changelog, version 1.1.0.
    #[test]
    fn the_changelog_has_the_usual_form() {
        const KINDS: [&str; 6] = ["Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"];
        let text = fs::read_to_string(root().join("CHANGELOG.md")).unwrap();
        let headings: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("## ")).collect();
        assert_eq!(headings[0], "[Unreleased]");
        for heading in &headings[1..] {
            let (version, day) = heading.split_once(" - ").unwrap_or_else(|| panic!("{heading}"));
            assert!(version.starts_with('[') && version.ends_with(']'), "{heading}");
            let parts: Vec<&str> = day.split('-').collect();
            assert_eq!(parts.iter().map(|part| part.len()).collect::<Vec<_>>(), [4, 2, 2], "{heading}");
        }
        for kind in text.lines().filter_map(|line| line.strip_prefix("### ")) {
            assert!(KINDS.contains(&kind), "{kind}");
        }
    }
}
