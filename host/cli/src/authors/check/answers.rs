//! Rules about answering correctly, whatever the plugin is given.

use host_core::batch::Batch;
use host_core::text::printable;
use host_detector::{DetectorError, SettingKind};

use super::report::{Finding, Verdict, failed, fix, ok, skipped, warning};
use super::trial::{BATCH_ROWS, Subject, difference, indices, judge, run};
use crate::authors::cases::chain;
use crate::authors::start::start;
use crate::authors::workload;

/// A name that no setting has.
const NO_SETTING: &str = "no-such-setting";
/// A text that is neither a number nor a boolean.
const NO_VALUE: &str = "?!";

/// `describe` must say the same in every instance, and before and after a run.
pub fn describe(subject: &Subject<'_>) -> Result<Finding, DetectorError> {
    let mut again = subject.start()?;
    // An instance that fails here has broken another rule, and cannot be used afterwards.
    let after = match judge(&mut again, &subject.rows, &[0], 0) {
        Ok(_) => again.describe()?,
        Err(_) => again.metadata.clone(),
    };
    if again.metadata == subject.metadata && after == subject.metadata {
        let (settings, attributes) = (after.settings.len(), after.attributes.len());
        return Ok(ok(format!(
            "the same before and after a run: {settings} settings, {attributes} attributes"
        )));
    }
    Ok(failed(
        "it describes itself differently in another instance, or after a run",
        "`describe` must not depend on anything; make it a constant",
    ))
}

/// A typo in a setting's name must not silently leave the default in place.
pub fn unknown_setting(subject: &Subject<'_>) -> Result<Finding, DetectorError> {
    refuses(
        subject,
        NO_SETTING,
        "1",
        "refuse every name that `describe` does not list, with `invalid-setting`",
    )
}

/// Nor must a typo in its value.
pub fn wrong_value(subject: &Subject<'_>) -> Result<Finding, DetectorError> {
    let mut names = Vec::new();
    for setting in &subject.metadata.settings {
        let wrong: &[&str] = match setting.kind {
            SettingKind::Text => continue,
            SettingKind::Integer => &[NO_VALUE, "1.5"],
            SettingKind::Decimal | SettingKind::Boolean => &[NO_VALUE],
        };
        for value in wrong {
            let fix = "refuse a value that is not of the setting's kind, with `invalid-setting`";
            let finding = refuses(subject, &setting.name, value, fix)?;
            if finding.0 != Verdict::Ok {
                return Ok(finding);
            }
        }
        names.push(setting.name.clone());
    }
    Ok(match names.as_slice() {
        [] => skipped("no setting with a kind"),
        names => ok(format!("refused for {}", host_core::text::listed(names, 5))),
    })
}

/// Checks that `configure` refuses this setting by name.
fn refuses(
    subject: &Subject<'_>,
    name: &str,
    value: &str,
    fix: &'static str,
) -> Result<Finding, DetectorError> {
    let mut settings: Vec<_> = subject.settings.iter().filter(|(given, _)| given != name).cloned().collect();
    settings.push((name.to_owned(), value.to_owned()));
    match start(subject.plugin, &settings).map(drop) {
        Err(DetectorError::Setting { setting, message, .. }) if setting == name => {
            Ok(ok(format!("refused: {}", printable(&message))))
        }
        Err(DetectorError::Setting { setting, .. }) => {
            Ok(failed(format!("`{name}={value}` is refused as if it were `{}`", printable(&setting)), fix))
        }
        Err(DetectorError::Guest { message, .. }) => Ok(failed(
            format!("`{name}={value}` is refused, but not with `invalid-setting`: {}", printable(&message)),
            fix,
        )),
        Err(error) => Err(error),
        Ok(()) => Ok(failed(format!("it accepts `{name}={value}`"), fix)),
    }
}

/// Giving a default explicitly must be the same as leaving it out.
pub fn defaults(subject: &Subject<'_>) -> Result<Finding, DetectorError> {
    let is_given = |name: &str| subject.settings.iter().any(|(given, _)| given == name);
    let mut settings = subject.settings.to_vec();
    for setting in &subject.metadata.settings {
        if let Some(default) = setting.default.as_ref().filter(|_| !is_given(&setting.name)) {
            settings.push((setting.name.clone(), default.clone()));
        }
    }
    if settings.len() == subject.settings.len() {
        return Ok(skipped("no setting with a default"));
    }
    let batches = indices(&subject.rows, BATCH_ROWS);
    let silent = run(subject.plugin, subject.settings, &subject.rows, &batches)?;
    let stated = match run(subject.plugin, &settings, &subject.rows, &batches) {
        Err(DetectorError::Setting { setting, message, .. }) => {
            return Ok(failed(
                format!("it refuses its own default for `{}`: {}", printable(&setting), printable(&message)),
                "let `configure` accept what `describe` gives as the default",
            ));
        }
        other => other?,
    };
    Ok(match difference(&silent, &stated) {
        None => ok("stating them changes nothing"),
        Some(difference) => failed(
            format!("stating them changes the answer: {difference}"),
            "let `configure` start from the same defaults that `describe` gives",
        ),
    })
}

/// A file may have no rows at all: `finish` comes straight after `configure`.
pub fn no_rows(subject: &Subject<'_>) -> Result<Finding, DetectorError> {
    let mut detector = subject.start()?;
    detector.finish()?;
    Ok(ok("a run without rows ends well"))
}

/// The smallest batch.
pub fn one_row(subject: &Subject<'_>) -> Result<Finding, DetectorError> {
    run(subject.plugin, subject.settings, &subject.rows, &[vec![0]])?;
    Ok(ok("a run of one row ends well"))
}

/// The contract rules it out, but it is better if a detector survives one.
pub fn empty_batch(subject: &Subject<'_>) -> Result<Finding, DetectorError> {
    let mut detector = subject.start()?;
    let empty = Batch::new(&subject.metadata.attributes);
    Ok(match detector.classify(&empty) {
        Ok(_) => ok("no anomalies among no rows"),
        Err(error) => {
            warning(chain(&error), "this host never sends one, but another may; return no anomalies")
        }
    })
}

/// Ordinary rows.
pub fn usual_rows(subject: &Subject<'_>) -> Result<Finding, DetectorError> {
    match subject.run(BATCH_ROWS) {
        Ok(answers) if answers.is_empty() => Ok(warning(
            format!("none of {} rows is anomalous, so this shows little", subject.usual()),
            "give a file with rows that it flags: `host plugin check PLUGIN FILE`",
        )),
        Ok(answers) => Ok(ok(format!("{} of {} rows are anomalous", answers.len(), subject.usual()))),
        Err(DetectorError::Guest { message, .. }) => Ok(failed(
            format!("it fails on them: {}", printable(&message)),
            "if it needs a special kind of rows, give a file of them: `host plugin check PLUGIN FILE`",
        )),
        Err(error) => Err(error),
    }
}

/// The largest batch that a host passes.
pub fn large_batch(subject: &Subject<'_>) -> Result<Finding, DetectorError> {
    let rows = subject.rows.len();
    run(subject.plugin, subject.settings, &subject.rows, &indices(&subject.rows, workload::MAX_BATCH_ROWS))?;
    Ok(ok(format!("{rows} rows at once")))
}

/// The largest, smallest and strangest values that the contract allows.
pub fn extreme_values(subject: &Subject<'_>) -> Result<Finding, DetectorError> {
    let rows = workload::extremes(&subject.metadata.attributes);
    // Three times, so that detectors that learn have something to compare with.
    let batches: Vec<Vec<usize>> = std::iter::repeat_n((0..rows.len()).collect(), 3).collect();
    Ok(match run(subject.plugin, subject.settings, &rows, &batches) {
        Ok(_) => ok("amounts, ids, times and texts at their limits"),
        Err(error @ DetectorError::Guest { .. }) => {
            warning(chain(&error), "an error ends the run; return one only if rows cannot be judged at all")
        }
        Err(error) => failed(chain(&error), fix(&error)),
    })
}
