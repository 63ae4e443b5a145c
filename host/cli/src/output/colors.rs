//! Colours: which streams have them, and what is coloured. Only the beginning of a line is, up to its colon, and only
//! after everything from outside has been made harmless; so colours say nothing that the text does not say, and
//! nobody else's text brings its own.

use std::borrow::Cow;
use std::sync::OnceLock;

use clap::ColorChoice;
use host_core::environment::Environment;
use host_core::text::{self, Escape};

const RED: &str = "1;31";
const GREEN: &str = "1;32";
const YELLOW: &str = "1;33";
const CYAN: &str = "1;36";
const DIM: &str = "2";
/// The end of what is coloured.
const RESET: &str = "\x1b[0m";

/// How lines begin that are coloured; what is coloured ends at the colon.
const LABELS: [(&str, &str); 9] = [
    ("error:", RED),
    ("warning:", YELLOW),
    ("note:", CYAN),
    ("help:", GREEN),
    ("  caused by:", DIM),
    ("committed run ", GREEN),
    ("already ingested ", GREEN),
    ("a run would be committed:", GREEN),
    ("a run would be refused:", RED),
];

/// Whether stdout and stderr have colours.
static COLORED: OnceLock<(bool, bool)> = OnceLock::new();

/// Decides once and for all: `is_terminal` says of stdout and of stderr whether it is a terminal.
pub fn choose(choice: ColorChoice, environment: &Environment, is_terminal: (bool, bool)) {
    let of = |is_terminal| has_colors(choice, environment, is_terminal);
    // A process has one.
    let _ = COLORED.set((of(is_terminal.0), of(is_terminal.1)));
}

/// Whether stdout has colours.
pub fn on_stdout() -> bool {
    COLORED.get().is_some_and(|(stdout, _)| *stdout)
}

/// Whether stderr has colours.
pub fn on_stderr() -> bool {
    COLORED.get().is_some_and(|(_, stderr)| *stderr)
}

/// See no-color.org and bixense.com/clicolors.
fn has_colors(choice: ColorChoice, environment: &Environment, is_terminal: bool) -> bool {
    let variable = |name| environment.text(name).ok().flatten();
    match choice {
        ColorChoice::Always => true,
        ColorChoice::Never => false,
        ColorChoice::Auto if variable("NO_COLOR").is_some() => false,
        ColorChoice::Auto if variable("CLICOLOR_FORCE").is_some_and(|value| value != "0") => true,
        ColorChoice::Auto => {
            is_terminal && variable("CLICOLOR") != Some("0") && variable("TERM") != Some("dumb")
        }
    }
}

/// Printable text with the labels of its lines coloured.
pub fn paint(text: &str) -> String {
    let mut painted = String::with_capacity(text.len() + 64);
    for line in text.split_inclusive('\n') {
        let color = LABELS.iter().find(|(label, _)| line.starts_with(label)).map(|(_, color)| color);
        match color.zip(line.find(':')) {
            Some((color, colon)) => {
                let (label, rest) = line.split_at(colon);
                painted.extend(["\x1b[", color, "m", label, RESET, rest]);
            }
            None => painted.push_str(line),
        }
    }
    painted
}

/// Text in which only colours may be left of all that a terminal obeys: clap's, in which what was typed has been
/// made printable.
pub fn with_colors_only(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("\x1b[") {
        let (before, escape) = rest.split_at(start);
        shown.push_str(&text::without_control_characters(before, Escape::Text));
        let numbers = escape[2..].bytes().take_while(|byte| byte.is_ascii_digit() || *byte == b';').count();
        let length = if escape.as_bytes().get(2 + numbers) == Some(&b'm') { numbers + 3 } else { 0 };
        if length == 0 {
            // It is the escape of something else.
            let (first, others) = escape.split_at(1);
            shown.push_str(&text::without_control_characters(first, Escape::Text));
            rest = others;
        } else {
            shown.push_str(&escape[..length]);
            rest = &escape[length..];
        }
    }
    let rest: Cow<'_, str> = text::without_control_characters(rest, Escape::Text);
    shown + &rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_decides() {
        type Variables<'a> = &'a [(&'a str, &'a str)];
        let cases: [(ColorChoice, Variables<'_>, bool, bool); 11] = [
            (ColorChoice::Auto, &[], true, true),
            (ColorChoice::Auto, &[], false, false),
            (ColorChoice::Auto, &[("NO_COLOR", "1")], true, false),
            // As if it were not set, says its specification.
            (ColorChoice::Auto, &[("NO_COLOR", "")], true, true),
            (ColorChoice::Auto, &[("CLICOLOR_FORCE", "1")], false, true),
            (ColorChoice::Auto, &[("CLICOLOR_FORCE", "0")], false, false),
            (ColorChoice::Auto, &[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")], true, false),
            (ColorChoice::Auto, &[("CLICOLOR", "0")], true, false),
            (ColorChoice::Auto, &[("TERM", "dumb")], true, false),
            (ColorChoice::Always, &[("NO_COLOR", "1")], false, true),
            (ColorChoice::Never, &[("CLICOLOR_FORCE", "1")], true, false),
        ];
        for (choice, variables, is_terminal, expected) in cases {
            let environment: Environment = variables.iter().copied().collect();
            assert_eq!(has_colors(choice, &environment, is_terminal), expected, "{choice:?} {variables:?}");
        }
    }

    #[test]
    fn labels_are_coloured_and_nothing_else() {
        assert_eq!(paint("error: a: b\n"), "\x1b[1;31merror\x1b[0m: a: b\n");
        assert_eq!(paint("error\nx note: b"), "error\nx note: b");
        assert_eq!(paint("committed run 2: 5 rows"), "\x1b[1;32mcommitted run 2\x1b[0m: 5 rows");
    }

    #[test]
    fn only_colours_are_left() {
        let hostile = "\x1b[1;31mred\x1b[0m \x1b[2J\x1b]0;t\x07 \x1b[";
        assert_eq!(with_colors_only(hostile), "\x1b[1;31mred\x1b[0m \\u{1b}[2J\\u{1b}]0;t\\u{7} \\u{1b}[");
    }
}
