//! `host feedback`: what has become known of rows is appended to the table `feedback`, in one transaction. A run of a
//! detector that learns from it hands it over.

use std::path::PathBuf;
use std::sync::Arc;

use host_core::rejected::{Problem, RejectedRow};
use host_core::threads::in_thread;
use host_sink::{Appended, FeedbackTransaction, FoundRow, NewLabel, RowId, Work};
use host_source::rejects_file::{FinishedRejects, RejectsFile};
use host_source::{FileList, Label, LabelId, LabelSource, Labels, Note, SourceError, Tally};

use super::end::{INTERRUPTED_PATIENCE, confirmed, ended};
use super::interrupted::unless_interrupted;
use super::rejects::{keep, put_in_place};
use crate::config::FeedbackConfig;
use crate::error::{Error, Failure};
use crate::interrupt::Interrupts;
use crate::panics::TransactionPhase;

/// How to see all rejected records.
const LISTING: &str = "`--rejects FILE` writes those found until then to that file";

/// What was recorded, once the server has acknowledged COMMIT.
#[derive(Debug)]
pub struct Recorded {
    /// The files.
    pub files: Vec<PathBuf>,
    /// Records that were read.
    pub records: u64,
    /// What became of their labels.
    pub appended: Appended,
    /// What was rejected.
    pub tally: Tally,
    /// Rows that were looked up by the database's own ids although their files had others.
    pub with_other_ids: u64,
    /// What was left out of folders and patterns.
    pub notes: Vec<Note>,
    /// The database, for messages.
    pub server: String,
}

/// Records feedback. Returns only after the server has acknowledged COMMIT, or if there was nothing new.
///
/// # Errors
/// A [`Failure`], which says what state the database is in.
pub async fn record(config: &FeedbackConfig, interrupts: &mut Interrupts) -> Result<Recorded, Failure> {
    TransactionPhase::None.begins();
    let (list, source) = unless_interrupted(interrupts, open(config)).await?;
    let mut rejects = match &config.rejects_file {
        Some(path) => {
            let creating = create_rejects(path.clone(), config, list.files.clone());
            Some(unless_interrupted(interrupts, creating).await?)
        }
        None => None,
    };
    let mut transaction = unless_interrupted(interrupts, begin(config)).await?;
    TransactionPhase::Begun.begins();
    let server = transaction.server().to_owned();
    let filling = fill(&mut transaction, config, source, &mut rejects);
    let filled = match unless_interrupted(interrupts, filling).await {
        Ok(filled) => filled,
        Err(error) => {
            if let Some(rejects) = rejects.take() {
                let _ = unless_interrupted(interrupts, keep(rejects, None, &error)).await;
            }
            let roll_back = |is_lost, patience| transaction.roll_back(is_lost, patience);
            return Err(ended(roll_back, error, interrupts).await);
        }
    };
    if transaction.is_empty() {
        // There is nothing to commit.
        let _ = transaction.roll_back(false, INTERRUPTED_PATIENCE).await;
        TransactionPhase::None.begins();
    } else {
        transaction.complete();
        let query = transaction.deciding_query();
        confirmed(transaction.commit(), Work::Feedback, query, interrupts).await?;
    }
    if let Some(rejects) = filled.rejects {
        put_in_place(rejects);
    }
    let Filled { records, appended, tally, with_other_ids, .. } = filled;
    let FileList { files, notes, .. } = list;
    Ok(Recorded { files, records, appended, tally, with_other_ids, notes, server })
}

/// Finds the files, and reads the first header.
async fn open(config: &FeedbackConfig) -> Result<(FileList, LabelSource), Error> {
    let (files, rules) = (config.files.clone(), config.rules.clone());
    let opening = in_thread(move || {
        let list = host_source::expand(&files)?;
        let source = LabelSource::open(list.clone(), rules, Arc::default())?;
        Ok::<_, SourceError>((list, source))
    });
    Ok(opening.await??)
}

async fn create_rejects(
    path: PathBuf,
    config: &FeedbackConfig,
    read: Vec<PathBuf>,
) -> Result<RejectsFile, Error> {
    let rules = config.rules.clone();
    Ok(in_thread(move || RejectsFile::create(&path, &rules, &read)).await??)
}

/// Connects, ensures that the tables fit, and begins.
async fn begin(config: &FeedbackConfig) -> Result<FeedbackTransaction, Error> {
    let target = config.target.clone().labelled("host feedback");
    let connection = host_sink::connect(&target).await?;
    host_sink::ensure_schema(&connection, config.lock_timeout).await?;
    Ok(FeedbackTransaction::begin(connection, config.lock_timeout).await?)
}

/// What is known once all labels are in the transaction.
#[derive(Default)]
struct Filled {
    records: u64,
    appended: Appended,
    tally: Tally,
    with_other_ids: u64,
    rejects: Option<FinishedRejects>,
}

async fn fill(
    transaction: &mut FeedbackTransaction,
    config: &FeedbackConfig,
    mut source: LabelSource,
    rejects: &mut Option<RejectsFile>,
) -> Result<Filled, Error> {
    let mut filled = Filled::default();
    loop {
        let part;
        (source, part) = in_thread(move || {
            let part = source.next_part();
            (source, part)
        })
        .await?;
        filled.records = source.records;
        let Some(part) = part? else { break };
        let rejected = filled.add(transaction, &part, config.now_micros).await?;
        rejected.iter().for_each(|row| filled.tally.add(row));
        let so_far = (filled.records, part.is_last);
        SourceError::unless_too_many(&filled.tally, config.rules.max_rejects, &rejected, so_far, LISTING)?;
        if let Some(rejects) = rejects {
            rejects.write(None, &rejected).await?;
        }
    }
    // On disk before COMMIT, so that a full disk is noticed in time.
    if let Some(rejects) = rejects.take() {
        filled.rejects = Some(rejects.finish().await?);
    }
    Ok(filled)
}

impl Filled {
    /// Appends the labels of a part; returns what was rejected of it, in order.
    async fn add(
        &mut self,
        transaction: &mut FeedbackTransaction,
        part: &Labels,
        now_micros: i64,
    ) -> Result<Vec<RejectedRow>, Error> {
        let ids: Vec<RowId> = part.labels.iter().map(row_id).collect();
        let found = transaction.find(&ids).await?;
        let mut rejected = part.rejected.clone();
        let mut new = Vec::new();
        for (label, found) in part.labels.iter().zip(found) {
            let mut reject = |problem| rejected.push(part.reject(label, problem));
            match found {
                FoundRow::Missing => reject(Problem::NoSuchRow),
                FoundRow::Several => reject(Problem::SeveralRows),
                FoundRow::OfNoRun => reject(Problem::OfNoRun),
                FoundRow::Row { transaction_id, run_id, has_other_source_id } => {
                    self.with_other_ids += u64::from(has_other_source_id);
                    let Label { is_fraud, known_at_micros, line, .. } = *label;
                    new.push(NewLabel { transaction_id, run_id, is_fraud, known_at_micros, line });
                }
            }
        }
        rejected.sort_by_key(|row| row.line);
        self.appended = self.appended.and(transaction.append(&part.file, &new, now_micros).await?);
        Ok(rejected)
    }
}

fn row_id(label: &Label) -> RowId {
    match &label.id {
        LabelId::Transaction(id) => RowId::Transaction(*id),
        LabelId::Source { number, key } => RowId::Source { number: *number, key: key.clone() },
    }
}
