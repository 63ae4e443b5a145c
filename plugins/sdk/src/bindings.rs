//! What wit-bindgen generates from the contract. Only this crate's own modules and
//! [`export_detector!`](crate::export_detector) refer to anything in here.
#![allow(unsafe_code, reason = "generated code that crosses the component boundary")]
#![allow(clippy::all, reason = "generated")]
#![allow(missing_docs, reason = "generated; what is public of it is documented in the WIT")]

wit_bindgen::generate!({
    path: "wit",
    world: "detector",
    pub_export_macro: true,
    export_macro_name: "export_bindings",
    default_bindings_module: "detector_sdk::bindings",
    runtime_path: "::detector_sdk::runtime::wit_bindgen_rt",
    additional_derives: [PartialEq],
});

// What a detector may export beyond that: a module each, since each is a world of its own.

pub mod scoring {
    wit_bindgen::generate!({
        path: "wit",
        world: "scoring",
        with: { "ingest:detector/types@0.1.0": detector_sdk::bindings::ingest::detector::types },
        pub_export_macro: true,
        export_macro_name: "export_scoring",
        default_bindings_module: "detector_sdk::bindings::scoring",
        runtime_path: "::detector_sdk::runtime::wit_bindgen_rt",
    });
}

pub mod stateful {
    wit_bindgen::generate!({
        path: "wit",
        world: "stateful",
        with: { "ingest:detector/types@0.1.0": detector_sdk::bindings::ingest::detector::types },
        pub_export_macro: true,
        export_macro_name: "export_stateful",
        default_bindings_module: "detector_sdk::bindings::stateful",
        runtime_path: "::detector_sdk::runtime::wit_bindgen_rt",
    });
}

pub mod learning {
    wit_bindgen::generate!({
        path: "wit",
        world: "learning",
        with: { "ingest:detector/types@0.1.0": detector_sdk::bindings::ingest::detector::types },
        pub_export_macro: true,
        export_macro_name: "export_learning",
        default_bindings_module: "detector_sdk::bindings::learning",
        runtime_path: "::detector_sdk::runtime::wit_bindgen_rt",
    });
}
