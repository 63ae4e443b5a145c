//! The log: on stderr, for those who want to know more. What a guest logs comes here, too.

use std::fmt::{self, Write as _};

use host_core::environment::{Environment, VariableError};
use jiff::Timestamp;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, fmt as log};

use crate::{output, remarks};

/// Starts logging: warnings, with `-v` what happens, with `-vv` everything of the host and its
/// guests. `HOST_LOG` overrides it, in the syntax of tracing's `EnvFilter`. With `as_json`, everything on stderr is one
/// JSON object per line, messages about errors included.
///
/// # Errors
/// [`VariableError`] if `HOST_LOG` is not a valid filter.
pub fn start(verbose: u8, as_json: bool, environment: &Environment) -> Result<(), VariableError> {
    if as_json {
        output::log_as_json();
    }
    let level = match verbose {
        0 => "warn",
        1 => "info",
        _ => "debug",
    };
    let filter = match environment.text("HOST_LOG")? {
        Some(filter) => EnvFilter::try_new(filter).map_err(|error| VariableError::Invalid {
            name: "HOST_LOG".into(),
            problem: error.to_string(),
        })?,
        None => EnvFilter::new(format!("warn,host={level},guest={level}")),
    };
    if as_json {
        tracing_subscriber::registry().with(filter).with(Json).with(Remarks).init();
    } else {
        let lines = log().with_env_filter(filter).with_writer(|| output::Log).event_format(Line);
        lines.finish().with(Remarks).init();
    }
    Ok(())
}

/// `2024-02-29 23:59:59Z  WARN host: message`, where the time is in UTC, as everywhere. Users need not see
/// which module logged it. Without colours, so that no colour escapes have to be let through.
struct Line;

impl<S, N> FormatEvent<S, N> for Line
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut line: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let time = Timestamp::now().strftime("%F %TZ");
        write!(line, "{time} {:>5} {}: ", event.metadata().level(), who(event))?;
        context.format_fields(line.by_ref(), event)?;
        writeln!(line)
    }
}

/// `host` or `guest`.
fn who(event: &Event<'_>) -> &'static str {
    let crate_name = event.metadata().target().split("::").next().unwrap_or_default();
    crate_name.split('_').next().unwrap_or_default()
}

/// The same as JSON, with all fields of an event.
struct Json;

impl<S: Subscriber> Layer<S> for Json {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let level = match *event.metadata().level() {
            Level::ERROR => "error",
            Level::WARN => "warning",
            Level::INFO => "info",
            Level::DEBUG => "debug",
            Level::TRACE => "trace",
        };
        output::json_line(level, who(event), fields.0);
    }
}

/// What an event says, by name.
#[derive(Default)]
struct Fields(serde_json::Map<String, serde_json::Value>);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.insert(field.name().to_owned(), format!("{value:?}").into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.0.insert(field.name().to_owned(), value.into());
    }
}

/// Keeps warnings for the JSON output.
struct Remarks;

impl<S: Subscriber> Layer<S> for Remarks {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if *event.metadata().level() > Level::WARN {
            return;
        }
        let mut message = Message::default();
        event.record(&mut message);
        remarks::add(remarks::Level::Warning, &message.0);
    }
}

/// The text of an event.
#[derive(Default)]
struct Message(String);

impl Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            // Writing into a String cannot fail.
            let _ = write!(self.0, "{value:?}");
        }
    }
}
