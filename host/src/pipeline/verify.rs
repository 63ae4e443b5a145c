//! A committed run once more, compared with what is stored: the same files, plugin and settings
//! must give the same rows and the same anomalies, to the last bit of a score.

use std::cmp::Ordering;
use std::collections::{HashMap, HashSet, VecDeque};
use std::fmt;
use std::sync::Arc;

use thiserror::Error;

use super::stages::{End, Message, Prepared, STAGE_DIED, Stages, prepare};
use super::{ID_DEMAND, unless_interrupted};
use crate::batch::Batch;
use crate::config::{ConfigError, IngestConfig, VerifyConfig};
use crate::detector::{Anomaly, Demands};
use crate::digest::Sha256Digest;
use crate::error::Error;
use crate::in_thread::in_thread;
use crate::interrupt::Interrupts;
use crate::progress::Progress;
use crate::sink::{
    self, Classified, KEEP, LedgerRun, Snapshot, StoredAnomaly, StoredReject, StoredRow, StoredSkip,
};
use crate::source::{self, RejectLimit, RejectedRow};
use crate::text::{printable, without_nul};

/// Differences that are described; the others are counted.
const DESCRIBED: usize = 20;

/// Why a run cannot be verified, or is not what it was.
#[derive(Debug, Error, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case", prefix = "verify_")]
pub enum VerifyError {
    /// The ledger's row is not the one that the run wrote.
    #[error("the ledger's rows of run {run_id} were altered after it was committed")]
    Altered {
        /// The run.
        run_id: i64,
    },
    /// A run of a host that did not record how it read its files.
    #[error("run {run_id} was written by host {host_version}, which did not record all that a replay needs")]
    NotRecorded {
        /// The run.
        run_id: i64,
        /// Its host.
        host_version: String,
    },
    /// Other files.
    #[error("these are not the files of run {run_id}: {problem}")]
    OtherFile {
        /// The run.
        run_id: i64,
        /// How they differ.
        problem: String,
    },
    /// What is stored is not what the replay gives.
    #[error("what is stored of run {run_id} differs from its replay in {count} places")]
    Differs {
        /// The run.
        run_id: i64,
        /// How many.
        count: u64,
    },
}

impl VerifyError {
    /// What the user can do, where there is something.
    #[must_use]
    pub fn help(&self) -> Option<String> {
        match self {
            VerifyError::Altered { run_id } => Some(format!("`{}` shows what the ledger says now", crate::advice::on_database(&format!("runs {run_id}")))),
            VerifyError::OtherFile { .. } => Some("name the same files in the same order; they are told by their SHA-256, not by their names".into()),
            VerifyError::NotRecorded { .. } => None,
            VerifyError::Differs { .. } => Some("rows were altered or removed after the run, or the plugin does not always give the same answer: `host plugin check` finds that".into()),
        }
    }
}

/// A replay, compared.
#[derive(Debug)]
pub struct Verified {
    /// What the ledger says.
    pub run: LedgerRun,
    /// The first differences.
    pub differences: Vec<Difference>,
    /// How many there are.
    pub count: u64,
}

impl Verified {
    /// The error that this is, if anything differs.
    #[must_use]
    pub fn differs(&self) -> Option<VerifyError> {
        let (run_id, count) = (self.run.record.run_id, self.count);
        (count > 0).then_some(VerifyError::Differs { run_id, count })
    }
}

/// A place where what is stored is not what the replay gives.
#[derive(Debug)]
pub struct Difference {
    /// Where: file and line, or a table.
    place: String,
    what: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", printable(&self.place), printable(&self.what))
    }
}

/// Replays a run.
///
/// # Errors
/// Where it cannot be replayed; differences are no error.
pub async fn verify(
    config: &VerifyConfig,
    progress: &Arc<Progress>,
    interrupts: &mut Interrupts,
) -> Result<Verified, Error> {
    unless_interrupted(interrupts, async {
        let mut connection = sink::connect(&config.target).await?;
        sink::migrate(&mut connection).await?;
        let run_id = config.run_id;
        let run = sink::run(&connection, run_id).await?.ok_or(ConfigError::NoRun(run_id))?;
        let id_range = sink::check_schema(&connection).await?.range();
        let ingest = ingest_config(config, &run)?;
        check_files(&ingest, &run).await?;
        let mut prepared = prepare(&ingest, progress).await?;
        if run.record.ids == KEEP {
            prepared.source.demand_ids(id_range, ID_DEMAND);
        }
        let snapshot = Snapshot::take(connection).await?;
        let comparison = Comparison::new(run, &snapshot).await?;
        let verified = comparison.replay(prepared, &snapshot, progress).await;
        snapshot.close().await;
        verified
    })
    .await
}

/// The run as it was asked for then.
fn ingest_config(config: &VerifyConfig, run: &LedgerRun) -> Result<IngestConfig, Error> {
    let record = &run.record;
    if run.is_intact == Some(false) {
        return Err(VerifyError::Altered { run_id: record.run_id }.into());
    }
    let rules = record.reading.as_ref().and_then(source::Reading::rules);
    let rules = rules.filter(|_| run.is_intact.is_some()).ok_or_else(|| VerifyError::NotRecorded {
        run_id: record.run_id,
        host_version: record.host_version.clone(),
    })?;
    Ok(IngestConfig {
        files: config.files.clone(),
        plugin: config.plugin.clone().unwrap_or_else(|| record.plugin.name.clone().into()),
        settings: record.plugin.settings.clone().into_iter().collect(),
        jobs: 1,
        rules: source::InputRules { max_rejects: RejectLimit::Count(u64::MAX), ..rules },
        limits: config.limits.clone(),
        // The same bytes, or none.
        demands: Demands { sha256: record.plugin.sha256.parse().ok(), ..config.demands.clone() },
    })
}

async fn check_files(config: &IngestConfig, run: &LedgerRun) -> Result<(), Error> {
    let files = config.files.clone();
    let hashed = in_thread(move || {
        let list = source::expand(&files)?;
        let digests = source::hash_files(&list)?;
        Ok::<_, Error>((list, digests))
    });
    let (list, digests) = hashed.await.ok_or(STAGE_DIED)??;
    let other = |problem| VerifyError::OtherFile { run_id: run.record.run_id, problem };
    let digests: Option<Vec<_>> = digests.into_iter().map(|digests| Some(digests?.sha256)).collect();
    let digests = digests.ok_or_else(|| other("a pipe cannot be compared".into()))?;
    let recorded = &run.record.files;
    if digests.len() != recorded.len() {
        return Err(other(format!("{} are given, it had {}", digests.len(), recorded.len())).into());
    }
    for ((path, digest), recorded) in list.files.iter().zip(digests).zip(recorded) {
        if digest.to_string() != recorded.sha256 {
            let problem = format!("`{}` has the sha256 {digest}, not {}", path.display(), recorded.sha256);
            return Err(other(printable(&problem).into_owned()).into());
        }
    }
    Ok(())
}

/// What has been compared so far.
struct Comparison {
    run: LedgerRun,
    /// By the file's position and line; or, of hosts that did not record positions, by its name.
    skipped: HashMap<RowKey, Vec<StoredSkip>>,
    /// Ids of rows that were skipped: no later row can have been written under them.
    skipped_ids: HashSet<i64>,
    rejects: Rejects,
    written: u64,
    anomalies: u64,
    differences: Vec<Difference>,
    count: u64,
}

/// Where a row is, as it is stored.
type RowKey = (Option<i32>, String, i64);

/// What is stored of rejected records, in file order, as far as it has been fetched.
struct Rejects {
    fetched: VecDeque<StoredReject>,
    /// Someone has removed all of them: that is said once.
    are_removed: bool,
}

impl Rejects {
    /// The next one, without taking it.
    async fn peek(&mut self, snapshot: &Snapshot) -> Result<Option<&StoredReject>, Error> {
        if self.fetched.is_empty() {
            self.fetched = snapshot.next_rejects().await?.into();
        }
        Ok(self.fetched.front())
    }
}

impl Comparison {
    async fn new(run: LedgerRun, snapshot: &Snapshot) -> Result<Comparison, Error> {
        let record = &run.record;
        let mut skipped = HashMap::<RowKey, Vec<StoredSkip>>::new();
        let stored = snapshot.skipped(record.run_id).await?;
        let skips = stored.len() as u64;
        for skip in stored {
            let name = if skip.position.is_none() { skip.file.clone() } else { String::new() };
            skipped.entry((skip.position, name, skip.line)).or_default().push(skip);
        }
        let rejects = snapshot.begin_rejects(record.run_id).await?;
        let removed =
            [("rejected_rows", rejects, record.rows_rejected), ("skipped_rows", skips, record.rows_skipped)];
        let are_removed = rejects == 0 && record.rows_rejected > 0;
        let mut comparison = Comparison {
            run,
            skipped,
            skipped_ids: HashSet::new(),
            rejects: Rejects { fetched: VecDeque::new(), are_removed },
            written: 0,
            anomalies: 0,
            differences: Vec::new(),
            count: 0,
        };
        for (table, stored, recorded) in removed {
            match stored {
                stored if stored == recorded => {}
                0 => comparison.add(table.into(), format!("removed; the ledger has {recorded} of this run")),
                stored => comparison
                    .add(table.into(), format!("{stored} rows are of this run, the ledger has {recorded}")),
            }
        }
        Ok(comparison)
    }

    async fn replay(
        mut self,
        prepared: Prepared,
        snapshot: &Snapshot,
        progress: &Progress,
    ) -> Result<Verified, Error> {
        let Prepared { source, detectors, .. } = prepared;
        let mut stages = Stages::start(source, detectors);
        loop {
            match stages.next().await? {
                Message::Rows(part) => {
                    self.compare(&part, snapshot).await?;
                    progress.rows(part.batch.len() as u64);
                    stages.give_back(part.batch);
                }
                Message::End(end) => {
                    self.compare_end(&end, snapshot).await?;
                    return Ok(Verified { run: self.run, differences: self.differences, count: self.count });
                }
            }
        }
    }

    async fn compare(&mut self, part: &Classified, snapshot: &Snapshot) -> Result<(), Error> {
        let Classified { batch, rejected, anomalies } = part;
        let ids: Vec<Option<i64>> = (0..batch.len()).map(|i| self.id_of(batch, i)).collect();
        let written: Vec<i64> = ids.iter().flatten().copied().collect();
        let (rows, stored_anomalies) = snapshot.rows(&written).await?;
        let is_skipped = |(_, id): &(usize, &Option<i64>)| id.is_none();
        let skipped = ids.iter().enumerate().filter(is_skipped).map(|(i, _)| batch.transaction_ids[i]);
        let skipped: Vec<i64> = skipped.collect();
        let others = if skipped.is_empty() { HashMap::new() } else { snapshot.rows(&skipped).await?.0 };
        let mut found = anomalies.iter().peekable();
        for (i, id) in ids.into_iter().enumerate() {
            let anomaly = found.next_if(|anomaly| anomaly.row as usize == i);
            let Some(id) = id else {
                self.skipped_ids.insert(batch.transaction_ids[i]);
                let now_stored = others.get(&batch.transaction_ids[i]);
                if let Some(what) = self.differing_skip(batch, i, now_stored) {
                    let place = format!("{}:{}", batch.file, batch.lines[i]);
                    self.add(place, format!("the skipped row {what}"));
                }
                continue;
            };
            self.written += 1;
            if self.skipped_ids.contains(&id) {
                let what = format!(
                    "`skipped_rows` has an earlier row with the id {id}, so this one was skipped, too"
                );
                self.add(format!("{}:{}", batch.file, batch.lines[i]), what);
            }
            self.anomalies += u64::from(anomaly.is_some());
            let differing = differing_row(batch, i, anomaly, rows.get(&id))
                .or_else(|| self.differing_anomaly(batch, i, anomaly, stored_anomalies.get(&id)));
            if let Some(what) = differing {
                let place = format!("{}:{}", batch.file, batch.lines[i]);
                self.add(place, format!("transaction {id}: {what}"));
            }
        }
        for row in rejected {
            self.compare_rejected(row, snapshot).await?;
        }
        Ok(())
    }

    /// The id under which a row was written; none of a row that was skipped.
    fn id_of(&self, batch: &Batch, i: usize) -> Option<i64> {
        if self.run.record.ids == KEEP {
            return self.key_of_skip(batch, i).is_none().then(|| batch.transaction_ids[i]);
        }
        let position = i64::try_from(batch.first_row).ok()?.checked_add(i as i64)?;
        self.run.record.first_transaction_id?.checked_add(position)
    }

    /// Under which key a row is in `skipped_rows`, if it is.
    fn key_of_skip(&self, batch: &Batch, i: usize) -> Option<RowKey> {
        let line = batch.lines[i] as i64;
        let by_position = (Some(batch.file_position), String::new(), line);
        let by_name = (None, self.name_of(batch.file_position).to_owned(), line);
        [by_position, by_name].into_iter().find(|key| self.skipped.contains_key(key))
    }

    /// The name under which the run was given a file. Now it may have another.
    fn name_of(&self, position: i32) -> &str {
        let index = usize::try_from(position).ok().and_then(|position| position.checked_sub(1));
        index.and_then(|index| self.run.record.files.get(index)).map_or("", |file| &file.name)
    }

    /// Hosts that record what a file holds record positions, too.
    fn has_positions(&self) -> bool {
        self.run.record.files.iter().any(|file| file.content_sha256.is_some())
    }

    fn differing_skip(&mut self, batch: &Batch, i: usize, now_stored: Option<&StoredRow>) -> Option<String> {
        let key = self.key_of_skip(batch, i)?;
        let stored = self.skipped.remove(&key)?;
        let [stored] = stored.as_slice() else { return Some(format!("is stored {} times", stored.len())) };
        let values = (stored.user_id, stored.amount_cents, stored.timestamp_micros);
        let of_file =
            (Some(batch.user_ids[i]), Some(batch.amounts_cents[i]), Some(batch.timestamps_micros[i]));
        let is_old = !self.has_positions() && stored.position.is_none();
        let is_same = stored.file == self.name_of(batch.file_position)
            && stored.transaction_id == batch.transaction_ids[i]
            && (values == of_file || is_old && values == (None, None, None))
            && (is_old || stored.position.is_some());
        if !is_same {
            return Some("is stored otherwise".into());
        }
        let differs = now_stored.map(|row| !row.has_values_of(batch, i))?;
        (differs != stored.differs).then(|| {
            format!("has differs = {}, but compared with what is there now it is {differs}", stored.differs)
        })
    }

    fn differing_anomaly(
        &self,
        batch: &Batch,
        i: usize,
        anomaly: Option<&Anomaly>,
        stored: Option<&StoredAnomaly>,
    ) -> Option<String> {
        let (anomaly, stored) = match (anomaly, stored) {
            (None, None) => return None,
            (None, Some(_)) => return Some("it is in `anomalies`, and is none".into()),
            (Some(_), None) => return Some("it is not in `anomalies`".into()),
            (Some(anomaly), Some(stored)) => (anomaly, stored),
        };
        if stored.run_id != Some(self.run.record.run_id) {
            return Some(format!("its anomaly is of run {}", shown(stored.run_id)));
        }
        if stored.score.map(f64::to_bits) != Some(anomaly.score.to_bits()) {
            return Some(format!(
                "score {} is stored, the replay gives {}",
                shown(stored.score),
                anomaly.score
            ));
        }
        if stored.reason.as_deref() != Some(&*anomaly.reason) {
            let is = stored.reason.as_deref().unwrap_or("none");
            return Some(format!("reason `{is}` is stored, the replay gives `{}`", anomaly.reason));
        }
        (!stored.has_values_of(batch, i)).then(|| "its anomaly has another user, amount or timestamp".into())
    }

    /// Both come in file order, so that one that is missing does not make the others differ.
    async fn compare_rejected(&mut self, row: &RejectedRow, snapshot: &Snapshot) -> Result<(), Error> {
        if self.rejects.are_removed {
            return Ok(());
        }
        let place = (row.file_position, row.line as i64);
        while let Some(stored) = self.rejects.peek(snapshot).await? {
            match (stored.position, stored.line).cmp(&place) {
                Ordering::Less => {
                    let stored = self.rejects.fetched.pop_front();
                    stored.into_iter().for_each(|stored| self.add_surplus(&stored));
                }
                Ordering::Equal => {
                    let Some(stored) = self.rejects.fetched.pop_front() else { break };
                    if !self.is_stored(row, &stored) {
                        let what = "the rejected record is stored otherwise";
                        self.add(format!("{}:{}", row.file, row.line), what.into());
                    }
                    return Ok(());
                }
                Ordering::Greater => break,
            }
        }
        self.add(
            format!("{}:{}", row.file, row.line),
            "the rejected record is not in `rejected_rows`".into(),
        );
        Ok(())
    }

    fn is_stored(&self, row: &RejectedRow, stored: &StoredReject) -> bool {
        (stored.has_position || !self.has_positions())
            && stored.file == self.name_of(row.file_position)
            && stored.byte_offset == row.byte_offset as i64
            && stored.column == row.column.as_deref().map(|column| without_nul(column).into_owned())
            && stored.reason == without_nul(&row.reason())
            && stored.message == without_nul(&row.message())
            && stored.raw_sha256 == Sha256Digest::of(&row.raw).to_string()
    }

    fn add_surplus(&mut self, stored: &StoredReject) {
        let StoredReject { file, line, .. } = stored;
        self.add(
            "rejected_rows".into(),
            format!("`{file}` line {line} is there, the replay does not reject it"),
        );
    }

    async fn compare_end(&mut self, end: &End, snapshot: &Snapshot) -> Result<(), Error> {
        let stored = snapshot.anomalies_of(self.run.record.run_id).await?;
        if stored != self.anomalies {
            let replayed = self.anomalies;
            self.add(
                "anomalies".into(),
                format!("{stored} rows are of this run, the replay gives {replayed}"),
            );
        }
        while self.rejects.peek(snapshot).await?.is_some() {
            for stored in std::mem::take(&mut self.rejects.fetched) {
                self.add_surplus(&stored);
            }
        }
        let skips: Vec<_> = std::mem::take(&mut self.skipped).into_values().flatten().collect();
        for StoredSkip { file, line, .. } in skips {
            self.add(
                "skipped_rows".into(),
                format!("`{file}` line {line} is there, the replay has no such row"),
            );
        }
        let recorded = self.run.record.rows_written;
        if self.written != recorded {
            let written = self.written;
            self.add("ingest_runs".into(), format!("{recorded} rows written, the replay gives {written}"));
        }
        let read: u64 = end.files.iter().map(|file| file.rows_read).sum();
        if read != self.run.record.file.rows_read {
            let recorded = self.run.record.file.rows_read;
            self.add("ingest_runs".into(), format!("{recorded} rows read, the replay reads {read}"));
        }
        Ok(())
    }

    fn add(&mut self, place: String, what: String) {
        self.count += 1;
        if self.differences.len() < DESCRIBED {
            self.differences.push(Difference { place, what });
        }
    }
}

fn differing_row(
    batch: &Batch,
    i: usize,
    anomaly: Option<&Anomaly>,
    stored: Option<&StoredRow>,
) -> Option<String> {
    let Some(stored) = stored else { return Some("it is not in `transactions`".into()) };
    if !stored.has_values_of(batch, i) {
        return Some("user, amount or timestamp are stored otherwise".into());
    }
    if stored.source_id != Some(batch.transaction_ids[i]) {
        return Some(format!(
            "source_id {} is stored, the file has {}",
            shown(stored.source_id),
            batch.transaction_ids[i]
        ));
    }
    let expected = i32::from(anomaly.is_some());
    (stored.is_anomalous != Some(expected)).then(|| {
        format!("is_anomalous {} is stored, the replay gives {expected}", shown(stored.is_anomalous))
    })
}

fn shown(value: Option<impl fmt::Display>) -> String {
    value.map_or_else(|| "NULL".into(), |value| value.to_string())
}
