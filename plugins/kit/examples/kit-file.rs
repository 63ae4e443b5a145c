//! `kit-file` as a plugin.

detector_sdk::export_detector!(kit::File);
