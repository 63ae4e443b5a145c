//! `kit-score` as a plugin.

detector_sdk::export_detector!(kit::Score: Scoring);
