//! `kit-per-user` as a plugin.

detector_sdk::export_detector!(kit::PerUser);
