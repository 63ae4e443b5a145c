//! Which functions of a plugin are not its author's: those of its language's runtime, of what allocates memory, of
//! what turns a mistake into a crash, and what stands between the detector and the contract. In a backtrace they
//! are in the way of the one line that matters.
//!
//! It goes by names, as the compilers and the templates of `host plugin new` give them, and by files where debug
//! information tells them. Whoever gives a function of their own such a name does not see it in a backtrace.

/// What a function is recognised by.
enum Sign {
    /// Its name is one of these.
    Named(&'static [&'static str]),
    /// Its name begins with one of these.
    Begins(&'static [&'static str]),
    /// Its name contains one of these.
    Contains(&'static [&'static str]),
    /// It is in a file whose path contains one of these.
    InFile(&'static [&'static str]),
}

use Sign::{Begins, Contains, InFile, Named};

const RUNTIMES: [Sign; 25] = [
    // The contract's functions, as they are exported: in every language a few lines that call the detector.
    Named(&["describe", "configure", "classify", "finish", "score", "snapshot", "restore", "feedback"]),
    // Rust: the standard library, from `panic_fmt` to the iterators that call the author's closures.
    Begins(&["std::", "core::", "alloc::", "<std::", "<core::", "<alloc::", "<&mut std::", "<&mut core::"]),
    Begins(&["rust_", "__rust", "_rust", "panic_", "dlmalloc::", "<dlmalloc::", "compiler_builtins::"]),
    Begins(&["hashbrown::", "<hashbrown::"]),
    InFile(&["/rustc/", "/rust/deps/"]),
    // Rust: the SDK, and what its macros and wit-bindgen generate.
    Begins(&["detector_sdk::", "<detector_sdk::", "wit_bindgen::", "<wit_bindgen::", "_export_"]),
    Contains(&["::_::Plugin as detector_sdk::bindings", "::_::__export_"]),
    InFile(&["sdk/src/bindings.rs", "sdk/src/runtime.rs", "sdk/src/lib.rs"]),
    // C and C++: the C library, which is Zig's in part, and its end.
    Named(&["abort", "exit", "_Exit", "_start", "_initialize", "proc_exit", "__wasi_proc_exit"]),
    Named(&["malloc", "calloc", "realloc", "free", "aligned_alloc", "dlmalloc", "dlfree", "sbrk"]),
    Named(&["memcpy", "memmove", "memset", "memcmp", "strlen", "qsort", "bsearch"]),
    Begins(&["c.malloc.", "__assert", "__wasm_", "__wasilibc_", "__cxa_", "__abort", "__libcpp_"]),
    InFile(&["/wasi-libc/", "/libc/", "/compiler_rt"]),
    // C++: its library, its operators, and its way to `abort`.
    Begins(&["operator new", "operator delete", "demangling_terminate_handler", "__throw_", "void std::"]),
    InFile(&["/libcxx/", "/libcxxabi/"]),
    // C and C++: what wit-bindgen generates, and what the templates have around it.
    Named(&["cabi_realloc"]),
    InFile(&["bindings/detector.c", "debug/guard.c", "contract.cpp", "contract.hpp"]),
    // Go: its runtime and the way from a panic to the exit, and the template's package.
    Begins(&["runtime.", "syscall.", "internal_", "internal/", "gcWriteBarrier", "_rt0_", "wasm_pc_"]),
    Named(&["os.Exit", "callRet", "morestack_noctxt"]),
    Contains(&["_contract.answer", "_contract.classify", "_contract.configure", "_contract.finish"]),
    // Zig: its ways to a panic and to memory, and the template's file.
    Begins(&["debug.", "builtin.", "heap.", "mem.Allocator", "compiler_rt.", "ubsan_rt.", "contract.panic"]),
    InFile(&["/lib/std/", "contract.zig"]),
    // AssemblyScript: its library, and the template's files.
    Begins(&["~lib/", "contract/", "component/", "export:component/"]),
    // Python and JavaScript: all there is are their interpreters, since what the author wrote is their data.
    Begins(&["_Py", "Py", "pyo3::", "<pyo3::", "componentize_py", "wit_dylib_", "JS_", "js_", "__JS_"]),
    Begins(&["builtin_", "cfunction_", "method_vectorcall", "object_vacall", "vectorcall_", "slot_tp_"]),
];

/// What the names of functions in `debug/guard.c` begin with that are messages: sometimes that is all that can be
/// said.
const MESSAGES: &str = "memory_was_";

/// Whether a function belongs to a language's runtime rather than to the plugin.
pub(super) fn is_runtime(name: &str, file: Option<&str>) -> bool {
    let tells = |sign: &Sign| match sign {
        Named(names) => names.contains(&name),
        Begins(beginnings) => beginnings.iter().any(|beginning| name.starts_with(beginning)),
        Contains(parts) => parts.iter().any(|part| name.contains(part)),
        InFile(parts) => file.is_some_and(|file| parts.iter().any(|part| file.contains(part))),
    };
    !name.starts_with(MESSAGES) && RUNTIMES.iter().any(tells)
}

/// Whether a function is what ends a program that wants to end.
pub(super) fn is_exit(name: &str) -> bool {
    matches!(name, "proc_exit" | "std::process::exit")
}
