//! Debug information tells where a plugin crashed. It may also be anything, and is then no worse than none.

use host_core::batch::{Batch, Row};
use host_detector::{Cache, Detector, DetectorError, Limits, Requirements, Trace, load};

use crate::sandbox::forged;
use crate::support::{self, Files};

/// The abbreviations of [`information`]: a unit, a function, and a function that was inlined.
const ABBREVIATIONS: &[u8] = &[
    1, 0x11, 1, 0x03, 0x08, 0x1b, 0x08, 0x10, 0x17, 0x11, 0x01, 0x12, 0x06, 0,
    0, // name, folder, lines, range
    2, 0x2e, 1, 0x03, 0x08, 0x11, 0x01, 0x12, 0x06, 0, 0, // name, range
    3, 0x1d, 1, 0, 0, // nothing
    0,
];
/// More than all of the code.
const CODE_BYTES: u32 = 0x1_0000;

/// The text, and its end.
fn text(text: &str) -> Vec<u8> {
    [text.as_bytes(), &[0]].concat()
}

/// The length of what follows, and that.
fn measured(content: &[u8]) -> Vec<u8> {
    [&u32::try_from(content.len()).unwrap().to_le_bytes(), content].concat()
}

/// `.debug_info` with one function, which is all of the code, and in it so many that were inlined into one
/// another.
fn information(inlined: usize) -> Vec<u8> {
    let range = [0_u32.to_le_bytes(), CODE_BYTES.to_le_bytes()].concat();
    let header = [&[4, 0][..], &[0; 4], &[4]].concat();
    let unit = [&[1][..], &text("mistake.x"), &text("/home/ann/secret"), &[0; 4], &range].concat();
    let function = [&[2][..], &text("made_up"), &range].concat();
    // Each of them ends, as do the function and the unit.
    measured(&[header, unit, function, vec![3; inlined], vec![0; inlined + 2]].concat())
}

/// `.debug_line` with these folders and files, which says that all of the code is in line 42 of the first one, and
/// then repeats itself so often.
fn lines(folders: &[&str], files: &[(&str, u8)], repeated: usize) -> Vec<u8> {
    const ARGUMENTS: [u8; 12] = [0, 1, 1, 1, 1, 0, 0, 0, 1, 0, 0, 1];
    let folders: Vec<u8> = folders.iter().flat_map(|folder| text(folder)).chain([0]).collect();
    let file = |(name, folder): &(&str, u8)| [&text(name)[..], &[*folder, 0, 0]].concat();
    let files: Vec<u8> = files.iter().flat_map(file).chain([0]).collect();
    let header = [&[1, 1, 1, 0xfb, 14, 13][..], &ARGUMENTS, &folders, &files].concat();
    // The address 0, 41 lines further, that line; again; to the end of the code, which ends it.
    let begin = [&[0, 5, 2, 0, 0, 0, 0][..], &[3, 41, 1]].concat();
    let end = [2, 0x80, 0x80, 0x04, 0, 1, 1];
    let program = [begin, vec![1; repeated], end.to_vec()].concat();
    measured(&[&[4, 0][..], &measured(&header), &program].concat())
}

/// A plugin that crashes in a function `mistake`, with these sections of debug information.
fn plugin(sections: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let fields = "(func $mistake unreachable)";
    let mut module = forged::with_imports("", fields, "(call $mistake) (i32.const 512)");
    for (name, content) in sections {
        let content = [&[name.len() as u8], name.as_bytes(), content].concat();
        module.push(0);
        module.extend(forged::length(content.len()));
        module.extend(content);
    }
    module
}

fn batch() -> Batch {
    let mut batch = Batch::default();
    batch.push(Row { transaction_id: Some(1), user_id: 7, amount_cents: 1, timestamp_micros: 0, line: 2 });
    batch
}

/// Where it says that it crashed.
fn trace(module: &[u8]) -> Trace {
    let files = Files::new();
    let sandbox = support::sandbox(Limits::default(), Requirements::default(), Cache::none()).unwrap();
    let plugin = load(&sandbox, &files.write("p.wasm", module)).unwrap();
    let mut detector = Detector::start(&plugin).unwrap();
    detector.configure(&[]).unwrap();
    match detector.classify(&batch()) {
        Err(DetectorError::Trap { trap, .. }) => *trap.trace,
        other => panic!("{other:?}"),
    }
}

fn with(information: Vec<u8>, lines: Vec<u8>) -> Trace {
    let abbreviations = ABBREVIATIONS.to_vec();
    let sections = [(".debug_abbrev", abbreviations), (".debug_info", information), (".debug_line", lines)];
    trace(&plugin(&sections))
}

#[test]
fn a_crash_has_a_file_and_a_line() {
    let inside = with(information(0), lines(&["src"], &[("mistake.x", 1)], 0));
    assert_eq!(inside.calls, ["mistake (src/mistake.x:42)"]);
    // How the author's machine is arranged is not told.
    let outside = with(information(0), lines(&["/home/ann/elsewhere/src/deep"], &[("mistake.x", 1)], 0));
    assert_eq!(outside.calls, ["mistake (src/deep/mistake.x:42)"]);
    let forged = with(information(0), lines(&["src"], &[("\u{1b}[2J\n.x", 1)], 0));
    assert_eq!(forged.calls, ["mistake (src/\\u{1b}[2J\\n.x:42)"]);
}

/// Each ends another process, or is not understood there; of the crash as much is known as without.
#[test]
fn debug_information_that_means_harm_is_none() {
    let right = || lines(&["src"], &[("mistake.x", 1)], 0);
    let folder = "x".repeat(1 << 20);
    for (name, information, lines) in [
        ("it overflows the stack", information(4_000_000), right()),
        ("its paths take gigabytes", information(0), lines(&[&folder], &[("x", 1); 2_000], 0)),
        ("it takes long", information(0), lines(&["src"], &[("mistake.x", 1)], 60_000_000)),
        ("it is cut off", information(0)[..30].to_vec(), right()),
        ("its lines are cut off", information(0), right()[..20].to_vec()),
    ] {
        let place = with(information, lines).calls;
        assert!(place == ["mistake"] || place == ["mistake (src/mistake.x)"], "{name}: {place:?}");
    }
}

#[test]
fn any_bytes_may_be_debug_information() {
    let names =
        [".debug_abbrev", ".debug_info", ".debug_line", ".debug_str", ".debug_ranges", ".debug_rnglists"];
    // Not random, but without any order.
    let mut state = 1_u32;
    let mut byte = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    for _ in 0..10 {
        let sections = names.map(|name| (name, (0..1_000).map(|_| byte()).collect()));
        assert_eq!(trace(&plugin(&sections)).calls, ["mistake"]);
    }
}

/// The plugin's file may be gone, or another one, when something goes wrong.
#[test]
fn only_the_file_that_was_loaded_is_asked() {
    let files = Files::new();
    let sections = [
        (".debug_abbrev", ABBREVIATIONS.to_vec()),
        (".debug_info", information(0)),
        (".debug_line", lines(&["src"], &[("mistake.x", 1)], 0)),
    ];
    let file = files.write("p.wasm", plugin(&sections));
    let sandbox = support::sandbox(Limits::default(), Requirements::default(), Cache::none()).unwrap();
    let loaded = load(&sandbox, &file).unwrap();
    for other in [Some(plugin(&[])), None] {
        match other {
            Some(bytes) => std::fs::write(&file, bytes).unwrap(),
            None => std::fs::remove_file(&file).unwrap(),
        }
        let mut detector = Detector::start(&loaded).unwrap();
        detector.configure(&[]).unwrap();
        let Err(DetectorError::Trap { trap, .. }) = detector.classify(&batch()) else { panic!("no crash") };
        assert_eq!(trap.trace.calls, ["mistake"]);
    }
}
