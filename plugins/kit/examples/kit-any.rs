//! `kit-any` as a plugin.

detector_sdk::export_detector!(kit::Any);
