//! `host plugin inspect`: what a plugin is and what it wants, before it is used for anything.

use std::fmt::Write as _;
use std::path::Path;

use bytesize::ByteSize;
use host_core::column::ColumnRequest;
use host_core::text::printable;
use host_detector::{
    self, Ability, Access, Detector, DetectorError, Form, Metadata, Ordering, PluginInfo, Sandbox,
    SettingKind,
};
use serde::Serialize;

/// What `inspect` reports; field names are part of the interface.
#[derive(Debug, Serialize)]
pub struct Inspection {
    name: String,
    version: String,
    description: String,
    contract_version: String,
    ordering: &'static str,
    /// What it can do beyond what every detector can.
    abilities: Vec<Ability>,
    settings: Vec<Setting>,
    /// The further columns that it needs with the default settings; `None` if it refuses those.
    columns: Option<Vec<ColumnRequest>>,
    imports: Vec<Import>,
    file: String,
    form: &'static str,
    bytes: u64,
    sha256: String,
    /// `None` if it was in the compile cache.
    compile_seconds: Option<f64>,
    memory_bytes: usize,
}

#[derive(Debug, Serialize)]
struct Setting {
    name: String,
    kind: &'static str,
    default: Option<String>,
    doc: String,
}

#[derive(Debug, Serialize)]
struct Import {
    name: String,
    access: &'static str,
}

/// Examines a plugin, loads it and lets it describe itself.
///
/// # Errors
/// If it is not a detector, or cannot be loaded.
pub fn inspect(sandbox: &Sandbox, file: &Path) -> Result<Inspection, DetectorError> {
    let info = host_detector::examine(sandbox, file)?;
    let plugin = host_detector::load(sandbox, file)?;
    let mut detector = Detector::start(&plugin)?;
    let memory_bytes = detector.peak_memory_bytes();
    let columns = match detector.configure(&[]) {
        Ok(()) => Some(detector.columns),
        Err(DetectorError::Setting { .. }) => None,
        Err(error) => return Err(error),
    };
    let compile_seconds = plugin.compile_time.map(|time| time.as_secs_f64());
    Ok(Inspection::new(&detector.metadata, columns, info, compile_seconds, memory_bytes))
}

impl Inspection {
    fn new(
        metadata: &Metadata,
        columns: Option<Vec<ColumnRequest>>,
        info: PluginInfo,
        compile_seconds: Option<f64>,
        memory_bytes: usize,
    ) -> Inspection {
        let setting = |setting: &host_detector::SettingDescription| Setting {
            name: setting.name.clone(),
            kind: setting_kind_name(setting.kind),
            default: setting.default.clone(),
            doc: setting.doc.clone(),
        };
        let import =
            |import: host_detector::Import| Import { name: import.name, access: access_name(import.access) };
        Inspection {
            name: metadata.name.clone(),
            version: metadata.version.clone(),
            description: metadata.description.clone(),
            contract_version: info.contract_version,
            ordering: ordering_name(metadata.ordering),
            abilities: info.abilities,
            settings: metadata.settings.iter().map(setting).collect(),
            columns,
            imports: info.imports.into_iter().map(import).collect(),
            file: info.file.display().to_string(),
            form: match info.form {
                Form::Component => "component",
                Form::CoreModule => "core module",
            },
            bytes: info.bytes,
            sha256: info.sha256.to_string(),
            compile_seconds,
            memory_bytes,
        }
    }

    /// For people.
    #[must_use]
    pub fn human(&self) -> String {
        let mut text = format!("{} {}\n", self.name, self.version);
        // Writing into a String cannot fail.
        for line in self.description.lines() {
            let _ = writeln!(text, "  {}", printable(line));
        }
        let mut line = |label: &str, value: &str| {
            let _ = writeln!(text, "  {label:<12}{value}");
        };
        line("contract", &format!("ingest:detector {}", printable(&self.contract_version)));
        line("ordering", ordering_meaning(self.ordering));
        let abilities: Vec<&str> = self.abilities.iter().map(|&ability| ability.into()).collect();
        line(
            "abilities",
            &if abilities.is_empty() { "none beyond a detector's".into() } else { abilities.join(", ") },
        );
        match self.columns.as_deref() {
            None => line("columns", "depend on settings that must be given"),
            Some([]) => line("columns", "none besides those of every file"),
            Some(columns) => {
                for (i, ColumnRequest { name, kind, required }) in columns.iter().enumerate() {
                    let kind: &str = (*kind).into();
                    let required = if *required { "required" } else { "optional" };
                    line(
                        if i == 0 { "columns" } else { "" },
                        &format!("{} ({kind}, {required})", printable(name)),
                    );
                }
            }
        }
        if self.settings.is_empty() {
            line("settings", "none");
        }
        for (i, Setting { name, kind, default, doc }) in self.settings.iter().enumerate() {
            let default =
                default.as_deref().map_or("off".into(), |default| format!("default {}", printable(default)));
            line(
                if i == 0 { "settings" } else { "" },
                &format!("{name} ({kind}, {default}): {}", printable(doc)),
            );
        }
        for (i, Import { name, access }) in self.imports.iter().enumerate() {
            line(if i == 0 { "imports" } else { "" }, &format!("{} {access}", printable(name)));
        }
        line("file", &format!("`{}`, {}, {}", printable(&self.file), self.form, ByteSize::b(self.bytes)));
        line("sha256", &self.sha256);
        line(
            "compiled",
            &match self.compile_seconds {
                Some(seconds) => format!("in {seconds:.3} s"),
                None => "taken from the compile cache; `--fresh` measures".into(),
            },
        );
        line("memory", &format!("{} at the start", ByteSize::b(self.memory_bytes as u64)));
        text
    }
}

/// The name used in the WIT.
#[must_use]
pub fn ordering_name(ordering: Ordering) -> &'static str {
    match ordering {
        Ordering::Any => "any",
        Ordering::PerUser => "per-user",
        Ordering::File => "file",
    }
}

fn ordering_meaning(name: &str) -> &str {
    match name {
        "any" => "any: each row is judged by itself",
        "per-user" => "per-user: all rows of a user to one instance, in file order",
        _ => "file: all rows to one instance, in file order",
    }
}

/// The name used in the WIT.
#[must_use]
pub fn setting_kind_name(kind: SettingKind) -> &'static str {
    match kind {
        SettingKind::Text => "text",
        SettingKind::Integer => "integer",
        SettingKind::Decimal => "decimal",
        SettingKind::Boolean => "boolean",
    }
}

fn access_name(access: Access) -> &'static str {
    match access {
        Access::Granted => "granted",
        Access::Stubbed => "stubbed: present, but does nothing",
        Access::Refused => "refused",
    }
}
