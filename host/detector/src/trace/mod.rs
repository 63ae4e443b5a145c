//! Where a guest was when it was stopped: the functions that had called one another, with file and line if the
//! plugin has debug information.

mod runtimes;

use std::collections::{BTreeMap, BTreeSet};

use host_core::text::printable;
use wasmtime::{FrameInfo, WasmBacktrace};

use crate::plugin::debug_info::Place;
use runtimes::{is_exit, is_runtime};

/// How many functions that have called one another are looked at.
pub(crate) const MAX_FRAMES: usize = 100;
/// How many functions are shown.
const SHOWN: usize = 12;
/// How many are shown if all of them belong to the language's runtime.
const SHOWN_OF_RUNTIME: usize = 4;
/// How many folders of a path are shown.
const SHOWN_FOLDERS: usize = 2;

/// The functions that had called one another when a guest was stopped.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trace {
    /// Their names, the innermost first, each with its place in the source if that is known. Those of the language's
    /// runtime are left out, unless there are no others.
    pub calls: Vec<String>,
    /// How many of the runtime were left out.
    pub of_runtime: usize,
    /// How many were left out because they have no name.
    pub unnamed: usize,
    /// How many of the outermost were left out because there are too many.
    pub further: usize,
}

/// A function that had been called.
struct Function {
    name: String,
    /// Its file, and perhaps a line, as it is shown.
    place: Option<String>,
    is_runtime: bool,
}

impl Trace {
    /// That of an error; `places` are those of offsets of instructions in the component.
    pub(crate) fn of(error: &wasmtime::Error, places: impl FnOnce(&[usize]) -> Vec<Vec<Place>>) -> Trace {
        let frames = error.downcast_ref().map_or(&[][..], WasmBacktrace::frames);
        let (functions, unnamed) = functions(frames, places);
        let is_cut = frames.len() >= MAX_FRAMES;
        let (of_runtime, own): (Vec<_>, Vec<_>) = functions.into_iter().partition(|called| called.is_runtime);
        if own.is_empty() {
            return Trace { unnamed, ..Trace::shown(of_runtime, SHOWN_OF_RUNTIME, is_cut) };
        }
        Trace { of_runtime: of_runtime.len(), unnamed, ..Trace::shown(own, SHOWN, is_cut) }
    }

    /// Repeated calls in a row are counted, not listed.
    fn shown(functions: Vec<Function>, at_most: usize, is_cut: bool) -> Trace {
        let mut runs: Vec<(Function, usize)> = Vec::new();
        for function in functions {
            match runs.last_mut() {
                Some((last, times)) if last.name == function.name => *times += 1,
                _ => runs.push((function, 1)),
            }
        }
        let further = runs.iter().skip(at_most).map(|(_, times)| times).sum();
        let outermost = runs.len().saturating_sub(1);
        let call = |(at, (function, times)): (usize, (Function, usize))| {
            let times = (times > 1).then(|| {
                let or_more = if is_cut && at == outermost { " or more" } else { "" };
                format!("{times} times{or_more}")
            });
            let about: Vec<String> = function.place.into_iter().chain(times).collect();
            if about.is_empty() { function.name } else { format!("{} ({})", function.name, about.join(", ")) }
        };
        Trace {
            calls: runs.into_iter().enumerate().take(at_most).map(call).collect(),
            further,
            ..Trace::default()
        }
    }

    /// What was left out, in words.
    #[must_use]
    pub fn left_out(&self) -> Option<String> {
        let counts = [
            (self.of_runtime, "function of the language's runtime", "functions of the language's runtime"),
            (self.unnamed, "function without a name", "functions without a name"),
            (self.further, "further function", "further functions"),
        ];
        let parts = counts.into_iter().filter(|(count, ..)| *count > 0);
        let in_words = |(count, one, several)| format!("{count} {}", if count == 1 { one } else { several });
        let parts: Vec<String> = parts.map(in_words).collect();
        (!parts.is_empty()).then(|| parts.join(", "))
    }
}

/// Whether the guest ended itself by the function that its language has for that.
pub(crate) fn called_exit(error: &wasmtime::Error) -> bool {
    let frames = error.downcast_ref().map_or(&[][..], WasmBacktrace::frames);
    let names = frames.iter().filter_map(name);
    names.take_while(|name| is_runtime(name, None)).any(|name| is_exit(&name))
}

/// The functions that have a name, and how many have none.
fn functions(
    frames: &[FrameInfo],
    places: impl FnOnce(&[usize]) -> Vec<Vec<Place>>,
) -> (Vec<Function>, usize) {
    let offsets: BTreeSet<usize> = frames.iter().filter_map(FrameInfo::module_offset).collect();
    let offsets: Vec<usize> = offsets.into_iter().collect();
    let found = places(&offsets);
    let places: BTreeMap<usize, Vec<Place>> = offsets.into_iter().zip(found).collect();
    let (mut functions, mut unnamed) = (Vec::new(), 0);
    let mut add = |name: Option<&str>, place: Option<&Place>| match name {
        Some(name) => functions.push(Function::new(name, place)),
        None => unnamed += 1,
    };
    for frame in frames {
        let places = frame.module_offset().and_then(|offset| places.get(&offset));
        // What was inlined only debug information knows of; what it was inlined into has a better name elsewhere.
        let (outermost, inlined) = match places.map(Vec::as_slice) {
            Some([inlined @ .., outermost]) => (Some(outermost), inlined),
            _ => (None, &[][..]),
        };
        inlined.iter().for_each(|place| add(place.function.as_deref(), Some(place)));
        add(name(frame).as_deref(), outermost);
    }
    (functions, unnamed)
}

impl Function {
    fn new(name: &str, place: Option<&Place>) -> Function {
        let file = place.and_then(|place| place.file.as_deref());
        let line = place.and_then(|place| place.line).map_or(String::new(), |line| format!(":{line}"));
        Function {
            name: printable(name).into_owned(),
            place: file.map(|file| printable(&(shortened(file).to_owned() + &line)).into_owned()),
            is_runtime: is_runtime(name, file),
        }
    }
}

/// As the author wrote it.
fn name(frame: &FrameInfo) -> Option<String> {
    // The alternate form leaves out the hashes, which mean nothing to a reader.
    frame.func_name().map(|name| format!("{:#}", rustc_demangle::demangle(name)))
}

/// The end of a path; how the author's machine is arranged is nobody's business.
fn shortened(path: &str) -> &str {
    let begin = path.rmatch_indices('/').nth(SHOWN_FOLDERS).map_or(0, |(slash, _)| slash + 1);
    path[begin..].trim_start_matches('/')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(names: &[&str], is_cut: bool) -> Trace {
        Trace::shown(names.iter().map(|name| Function::new(name, None)).collect(), SHOWN, is_cut)
    }

    #[test]
    fn calls_in_a_row_are_counted_and_too_many_are_not_shown() {
        assert_eq!(shown(&["a", "b", "b", "a"], false).calls, ["a", "b (2 times)", "a"]);
        assert_eq!(shown(&["a", "a"], true).calls, ["a (2 times or more)"]);
        let many = shown(&["a", "b"].repeat(10), true);
        assert_eq!((many.calls.len(), many.further), (SHOWN, 8));
        assert_eq!(many.left_out().unwrap(), "8 further functions");
    }

    #[test]
    fn a_place_is_the_end_of_a_path_and_a_line() {
        let place = |file: &str| Place { function: None, file: Some(file.into()), line: Some(7) };
        for (file, shown) in [
            ("plugin.c", "plugin.c:7"),
            ("src/lib.rs", "src/lib.rs:7"),
            ("/plugin.c", "plugin.c:7"),
            ("/home/ann/.cargo/registry/src/index/crate-1.0/src/lib.rs", "crate-1.0/src/lib.rs:7"),
            ("two\nlines.c", "two\\nlines.c:7"),
            ("", ":7"),
        ] {
            assert_eq!(Function::new("f", Some(&place(file))).place.as_deref(), Some(shown));
        }
    }
}
