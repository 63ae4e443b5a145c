//! `kit-learning` as a plugin.

detector_sdk::export_detector!(kit::Learning: Learning);
