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
/// guests. `HOST_LOG` overrides it, in the syntax of tracing's `EnvFilter`.
///
/// # Errors
/// [`VariableError`] if `HOST_LOG` is not a valid filter.
pub fn start(verbose: u8, environment: &Environment) -> Result<(), VariableError> {
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
    let lines = log().with_env_filter(filter).with_writer(|| output::Log).event_format(Line);
    lines.finish().with(Remarks).init();
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
        let metadata = event.metadata();
        let crate_name = metadata.target().split("::").next().unwrap_or_default();
        let who = crate_name.split('_').next().unwrap_or_default();
        write!(line, "{time} {:>5} {who}: ", metadata.level())?;
        context.format_fields(line.by_ref(), event)?;
        writeln!(line)
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
