//! The two detectors that `wac` plugs in, imported through `ingest:ensemble`.
#![allow(unsafe_code, reason = "generated code that crosses the component boundary")]
#![allow(clippy::all, reason = "generated")]
#![allow(missing_docs, reason = "generated; the WIT is the documentation")]

wit_bindgen::generate!({
    path: ["../../wit/detector-0.1", "wit"],
    world: "ingest:ensemble/parts",
    with: { "ingest:detector/types@0.1.0": detector_sdk::bindings::ingest::detector::types },
});
