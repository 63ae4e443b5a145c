//! `kit-echo` as a plugin.

detector_sdk::export_detector!(kit::Echo);
