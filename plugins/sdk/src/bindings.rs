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
