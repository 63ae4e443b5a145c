//! `kit-state` as a plugin.

detector_sdk::export_detector!(kit::State: Stateful);
