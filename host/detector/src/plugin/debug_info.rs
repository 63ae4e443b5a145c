//! Places in a plugin's source, from the debug information (DWARF) in its bytes.
//!
//! Those bytes may be anything, and the library that reads them descends into nested functions by recursion and
//! makes a path of each file, however long: so this happens in a [`confined`](crate::confined) process only, and
//! not by the engine, which would do it in this one.

use std::ops::Range;

use addr2line::Context;
use addr2line::gimli::{Dwarf, EndianSlice, Error, LittleEndian};
use serde::{Deserialize, Serialize};
use wasmparser::{BinaryReaderError, Encoding, Parser, Payload};

/// How many functions that were inlined into one another are told.
const MAX_INLINED: usize = 16;
/// How far a line is looked for around an instruction that has none.
const NEAR_BYTES: u64 = 64;
/// How much of a name or a path is told, in characters.
const MAX_CHARS: usize = 500;

/// A function, and a place in it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Place {
    /// Its name.
    pub function: Option<String>,
    /// The file, relative to the folder in which it was compiled if it is below that.
    pub file: Option<String>,
    /// The line, from 1.
    pub line: Option<u32>,
}

type Bytes<'a> = EndianSlice<'a, LittleEndian>;

/// One of a component's modules.
#[derive(Default)]
struct Module<'a> {
    /// Where the component has its code.
    code: Range<usize>,
    /// Name and content of its sections with debug information.
    sections: Vec<(&'a str, &'a [u8])>,
}

/// Whether there is any debug information at all.
pub fn is_in(component: &[u8]) -> bool {
    modules(component).is_ok_and(|modules| modules.iter().any(|module| !module.sections.is_empty()))
}

/// For each offset of an instruction in the component, the functions that it belongs to: several if they were
/// inlined into one another, the innermost first; none if they are not known.
///
/// # Errors
/// If it is not a component.
pub fn places(component: &[u8], offsets: &[usize]) -> Result<Vec<Vec<Place>>, BinaryReaderError> {
    let mut places = vec![Vec::new(); offsets.len()];
    for Module { code, sections } in modules(component)? {
        let section = |name: &str| {
            let found = sections.iter().find(|(section, _)| *section == name);
            EndianSlice::new(found.map_or(&[], |(_, content)| content), LittleEndian)
        };
        if sections.is_empty() || offsets.iter().all(|offset| !code.contains(offset)) {
            continue;
        }
        let dwarf = Dwarf::load(|id| Ok::<_, Error>(section(id.name())));
        let Ok(context) = dwarf.and_then(Context::from_dwarf) else { continue };
        for (offset, places) in offsets.iter().zip(&mut places).filter(|(offset, _)| code.contains(offset)) {
            // What cannot be understood is not known.
            *places = functions(&context, (offset - code.start) as u64).unwrap_or_default();
        }
    }
    Ok(places)
}

fn modules(component: &[u8]) -> Result<Vec<Module<'_>>, BinaryReaderError> {
    let mut modules: Vec<Module<'_>> = Vec::new();
    for payload in Parser::new(0).parse_all(component) {
        match (payload?, modules.last_mut()) {
            (Payload::Version { encoding: Encoding::Module, .. }, _) => modules.push(Module::default()),
            (Payload::CodeSectionStart { range, .. }, Some(module)) => module.code = range,
            (Payload::CustomSection(section), Some(module)) if section.name().starts_with(".debug_") => {
                module.sections.push((section.name(), section.data()));
            }
            _ => {}
        }
    }
    Ok(modules)
}

/// The functions that an instruction belongs to; addresses count from the beginning of the code.
fn functions(context: &Context<Bytes<'_>>, address: u64) -> Result<Vec<Place>, Error> {
    let unit = context.find_dwarf_and_unit(address).skip_all_loads();
    let folder = unit.and_then(|unit| Some(unit.comp_dir.as_ref()?.to_string_lossy().into_owned()));
    let mut places = Vec::new();
    let mut frames = context.find_frames(address).skip_all_loads()?;
    while let Some(frame) = frames.next()? {
        let name = frame.function.and_then(|function| Some(demangled(&function.raw_name().ok()?)));
        let (file, line) = frame.location.map_or((None, None), |location| (location.file, location.line));
        let line = line.or_else(|| line_near(context, address, file).filter(|_| places.is_empty()));
        if places.len() == MAX_INLINED {
            places.pop();
        }
        places.push(Place {
            function: name.map(|name| beginning(&name)),
            file: file.map(|file| beginning(below(folder.as_deref(), file))),
            line,
        });
    }
    Ok(places)
}

/// The line of one of the next instructions, for one that the compiler has added, such as the head of a loop.
fn line_near(context: &Context<Bytes<'_>>, address: u64, file: Option<&str>) -> Option<u32> {
    let mut next = context.find_location_range(address, address.saturating_add(NEAR_BYTES)).ok()?;
    next.find_map(|(_, _, location)| location.line.filter(|_| location.file == file))
}

/// The path relative to the folder, if it is below that.
fn below<'a>(folder: Option<&str>, path: &'a str) -> &'a str {
    let inside = folder.and_then(|folder| path.strip_prefix(folder)?.strip_prefix('/'));
    inside.unwrap_or(path)
}

/// As the author wrote it, if it is of Rust or C++.
fn demangled(name: &str) -> String {
    if let Ok(name) = rustc_demangle::try_demangle(name) {
        return format!("{name:#}");
    }
    let of_cpp = cpp_demangle::Symbol::new(name).ok().and_then(|symbol| symbol.demangle().ok());
    of_cpp.unwrap_or_else(|| name.to_owned())
}

fn beginning(text: &str) -> String {
    text.chars().take(MAX_CHARS).collect()
}
