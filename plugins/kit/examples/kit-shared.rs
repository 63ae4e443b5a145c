//! `kit-shared` as a plugin.

detector_sdk::export_detector!(kit::Shared: Stateful);
