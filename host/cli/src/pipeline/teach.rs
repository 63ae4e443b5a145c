//! What has become known of rows of earlier runs, on its way to a detector that learns from it: after its state is
//! restored, and before the first row, in the order in which it became known.

use host_core::batch::{Batch, Row};
use host_core::column::{Column, ColumnKind, ColumnRequest, is_same};
use host_detector::{Ability, Detector, DetectorError, Ordering};
use host_sink::{Connection, FeedbackRows, FeedbackSpan, KeptRow, LabelledRow, Transaction};

use super::workers;
use crate::error::Error;

/// What became of feedback.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Taught {
    /// Rows that the detector was given.
    pub rows: u64,
    /// Rows that it was not given because a column that it requires was not kept of them.
    pub without_columns: u64,
    /// Rows that are not there any more.
    pub gone: u64,
}

/// What a run of a learning detector has been given, and keeps for later ones.
#[derive(Clone, Debug)]
pub(super) struct Lessons {
    pub span: FeedbackSpan,
    pub taught: Taught,
    /// The names of the further columns that are kept.
    pub kept_columns: Option<Vec<String>>,
}

/// Hands over what has become known since the detector was last told, if it learns from that.
///
/// # Errors
/// Those of [`teach`].
pub(super) async fn teach_new(
    transaction: &mut Transaction,
    abilities: &[Ability],
    detectors: Vec<Detector>,
) -> Result<(Vec<Detector>, Option<Lessons>), Error> {
    if !abilities.contains(&Ability::Learning) {
        return Ok((detectors, None));
    }
    let columns = detectors.first().map_or(&[][..], |detector| &detector.columns);
    let names: Vec<String> = columns.iter().map(|column| column.name.clone()).collect();
    let kept_columns = (!names.is_empty()).then_some(names);
    if kept_columns.is_some() {
        transaction.keep_columns();
    }
    let span = transaction.feedback_span().await?;
    let run = (transaction.run_id(), span);
    let (detectors, taught) = teach(transaction.connection(), run, detectors).await?;
    Ok((detectors, Some(Lessons { span, taught, kept_columns })))
}

/// Hands over what a run is given, or was given.
///
/// # Errors
/// If it cannot be read, or a detector does not take it.
pub(crate) async fn teach(
    connection: &Connection,
    (run_id, span): (i64, FeedbackSpan),
    mut detectors: Vec<Detector>,
) -> Result<(Vec<Detector>, Taught), Error> {
    let mut taught = Taught::default();
    if span.after == span.through {
        return Ok((detectors, taught));
    }
    let requests = detectors.first().map_or_else(Vec::new, |detector| detector.columns.clone());
    let mut rows = FeedbackRows::open(connection, run_id, span).await?;
    let mut next = rows.next(connection).await?;
    while !next.is_empty() {
        let lessons = lessons(next, &requests, &mut taught);
        let take = move |detectors: &mut [Detector]| {
            lessons.iter().try_for_each(|lesson| hand_over(detectors, lesson))
        };
        let (back, taken, following) = workers::take_while(detectors, take, rows.next(connection)).await?;
        taken?;
        detectors = back;
        next = following?;
    }
    Ok((detectors, taught))
}

/// Consecutive rows that have the same columns, with their labels.
#[derive(Debug, PartialEq)]
struct Lesson {
    batch: Batch,
    labels: Vec<bool>,
}

/// Puts rows together. Of the columns that are asked for, a batch has all or none of the values.
fn lessons(rows: Vec<LabelledRow>, requests: &[ColumnRequest], taught: &mut Taught) -> Vec<Lesson> {
    let mut lessons: Vec<Lesson> = Vec::new();
    for row in rows {
        let Some((user_id, amount_cents, timestamp_micros)) = row.values else {
            taught.gone += 1;
            continue;
        };
        let values: Vec<Value<'_>> =
            requests.iter().map(|request| Value::of(row.kept.as_ref(), request)).collect();
        let lacks = |(request, value): (&ColumnRequest, &Value<'_>)| request.required && value.is_absent();
        if requests.iter().zip(&values).any(lacks) {
            taught.without_columns += 1;
            continue;
        }
        let fits = |lesson: &Lesson| {
            let columns = lesson.batch.columns.iter().zip(&values);
            columns.into_iter().all(|(column, value)| matches!(column, Column::Absent) == value.is_absent())
        };
        if !lessons.last().is_some_and(fits) {
            let column = |(request, value): (&ColumnRequest, &Value<'_>)| {
                if value.is_absent() { Column::Absent } else { Column::new(request.kind) }
            };
            let columns = requests.iter().zip(&values).map(column).collect();
            lessons.push(Lesson { batch: Batch { columns, ..Batch::default() }, labels: Vec::new() });
        }
        let Some(lesson) = lessons.last_mut() else { continue };
        let line = lesson.labels.len() as u64 + 1;
        lesson.batch.push(Row { transaction_id: None, user_id, amount_cents, timestamp_micros, line });
        lesson.batch.columns.iter_mut().zip(values).for_each(|(column, value)| value.add_to(column));
        lesson.labels.push(row.is_fraud);
        taught.rows += 1;
    }
    lessons
}

/// A value of a column that is asked for.
enum Value<'a> {
    Absent,
    Text(&'a str),
    Number(f64),
}

impl Value<'_> {
    fn of<'a>(kept: Option<&'a KeptRow>, request: &ColumnRequest) -> Value<'a> {
        let is_it = |name: &str| is_same(name, &request.name);
        let value = kept.and_then(|kept| match request.kind {
            ColumnKind::Text => kept.text(is_it).map(Value::Text),
            ColumnKind::Number => kept.number(is_it).map(Value::Number),
        });
        value.unwrap_or(Value::Absent)
    }

    fn is_absent(&self) -> bool {
        matches!(self, Value::Absent)
    }

    fn add_to(self, column: &mut Column) {
        match (self, column) {
            (Value::Text(text), Column::Text(texts)) => {
                texts.push(text);
            }
            (Value::Number(number), Column::Number(numbers)) => numbers.push(number),
            _ => {}
        }
    }
}

/// With `per-user`, each row goes to the instance that will be given the rows of its user; else, each instance is given
/// all of them, since any row may come to it.
fn hand_over(detectors: &mut [Detector], Lesson { batch, labels }: &Lesson) -> Result<(), DetectorError> {
    let is_divided = detectors.len() > 1
        && detectors.first().is_some_and(|detector| detector.metadata.ordering == Ordering::PerUser);
    if !is_divided {
        return detectors.iter_mut().try_for_each(|detector| detector.feedback(batch, labels));
    }
    let parts = workers::by_user(batch, detectors.len());
    detectors.iter_mut().zip(parts).filter(|(_, rows)| !rows.is_empty()).try_for_each(|(detector, rows)| {
        let part = batch.select(rows.iter().map(|&row| row as usize));
        let labels: Vec<bool> = rows.iter().map(|&row| labels[row as usize]).collect();
        detector.feedback(&part, &labels)
    })
}
