//! Compares what a replay gives with what is stored, row by row.

use std::collections::{HashMap, HashSet};

use host_core::anomaly::Classified;
use host_core::batch::Batch;
use host_core::digest::Sha256Digest;
use host_core::rejected::RejectedRow;
use host_core::state::StateDigest;
use host_core::text::without_nul;
use host_sink::{
    AllottedIds, Encoding, KEEP, LedgerRun, Prunable, Pruned, ReplacedRecord, ReplacedRow, RunRecord,
    SkipDigest, Snapshot, StoredAnomaly, StoredReject, StoredRow, StoredSkip,
};

use super::difference::{Difference, Verified};
use super::replaced::{Replacements, Whereabouts};
use super::rows::{ReplayedRow, StoredRows};
use super::stream::{Place, Placed, Stream};
use crate::error::Error;
use crate::pipeline::{End, Learned, Message, Prepared, Stages};
use crate::progress::Progress;

/// Differences that are described; the others are counted.
const DESCRIBED: usize = 20;

/// What has been compared so far.
pub(super) struct Comparison {
    run: LedgerRun,
    encoding: Encoding,
    skips: Stream<StoredSkip>,
    /// The digest of all skipped rows that are stored.
    skip_digest: SkipDigest,
    /// For runs without a digest of their skipped rows: the ids of these rows, under which no later row can
    /// have been written.
    skipped_ids: HashSet<i64>,
    rejects: Stream<StoredReject>,
    /// All rejected records were removed, which is reported only once.
    are_rejects_removed: bool,
    /// Rows of the run that were replaced since.
    replacements: Replacements,
    /// What `host prune` has removed of the run.
    pruned: Vec<Pruned>,
    written: u64,
    anomalies: u64,
    differences: Vec<Difference>,
    count: u64,
    /// How many of the differences are about skipped rows.
    skip_count: u64,
    /// How many users with textual ids have no number.
    lost_users: i64,
    /// What the detector has learned.
    learned: StateDigest,
}

impl Comparison {
    /// Begins by counting what is stored for the run.
    pub async fn new(run: LedgerRun, snapshot: &Snapshot) -> Result<Comparison, Error> {
        let RunRecord { run_id, rows_rejected, rows_skipped, rows_replaced, .. } = run.record;
        let skips = Stream::open(snapshot, run_id).await?;
        let rejects = Stream::open(snapshot, run_id).await?;
        let replaced = snapshot.count::<ReplacedRecord>(run_id).await?;
        let pruned = snapshot.pruned(run_id).await?;
        let replaced_digest = snapshot.replaced_digest(run_id).await?;
        let stored = [
            (Prunable::Rejected, rejects.rows, rows_rejected),
            (Prunable::Skipped, skips.rows, rows_skipped),
            (Prunable::Replaced, replaced, rows_replaced),
        ];
        let mut comparison = Comparison {
            run,
            encoding: snapshot.encoding().clone(),
            skips,
            skip_digest: SkipDigest::default(),
            skipped_ids: HashSet::new(),
            are_rejects_removed: rejects.rows == 0 && rows_rejected > 0,
            rejects,
            replacements: Replacements::look_up(run_id, snapshot).await?,
            pruned,
            written: 0,
            anomalies: 0,
            differences: Vec::new(),
            count: 0,
            skip_count: 0,
            lost_users: 0,
            learned: StateDigest::default(),
        };
        for (prunable, stored, recorded) in stored {
            let table = prunable.table();
            let removed = comparison.pruned.iter().find(|pruned| pruned.table == table);
            match stored {
                stored if stored == recorded => {
                    let is_ours = replaced_digest == comparison.run.record.replaced_sha256;
                    if prunable == Prunable::Replaced && !is_ours {
                        comparison.add(table.into(), "what is stored is not what the run wrote".into());
                    }
                }
                0 if removed.is_some_and(|removed| removed.rows == recorded) => {}
                0 => comparison.add(table.into(), format!("removed; the ledger has {recorded} of this run")),
                stored => comparison.add(
                    table.into(),
                    format!("{stored} rows belong to this run, the ledger has {recorded}"),
                ),
            }
        }
        Ok(comparison)
    }

    /// Replays the run to its end.
    pub async fn replay(
        mut self,
        prepared: Prepared,
        snapshot: &Snapshot,
        progress: &Progress,
    ) -> Result<Verified, Error> {
        let Prepared { source, detectors, .. } = prepared;
        let learned = if self.run.record.state.is_some() { Learned::Sink } else { Learned::Dropped };
        let mut stages = Stages::start(source, detectors, learned)?;
        loop {
            match stages.next().await? {
                Message::Rows(part, _reserved) => {
                    self.compare(&part, snapshot).await?;
                    progress.rows(part.batch.len() as u64);
                    stages.give_back(part.batch);
                }
                Message::Users(question) => {
                    let numbers = self.number_users(&question.keys, snapshot).await?;
                    question.answer(numbers);
                }
                Message::State(part) => part.entries().for_each(|entry| self.learned.add(entry)),
                Message::End(end) => {
                    self.compare_state(snapshot).await?;
                    self.compare_end(&end, snapshot).await?;
                    return Ok(Verified {
                        run: self.run,
                        differences: self.differences,
                        count: self.count,
                        replaced: self.replacements.found.into_iter().collect(),
                        pruned: self.pruned,
                    });
                }
            }
        }
    }

    /// The numbers that users with textual ids have. Those who have lost theirs get one that no row can have.
    pub async fn number_users(&mut self, keys: &[String], snapshot: &Snapshot) -> Result<Vec<i64>, Error> {
        let stored = snapshot.number_users(keys).await?;
        let mut numbers = Vec::with_capacity(keys.len());
        for (key, number) in keys.iter().zip(stored) {
            numbers.push(number.unwrap_or_else(|| {
                self.add("users".into(), format!("the user `{key}` is not there"));
                self.lost_users += 1;
                i64::MIN + self.lost_users
            }));
        }
        Ok(numbers)
    }

    async fn compare(&mut self, part: &Classified, snapshot: &Snapshot) -> Result<(), Error> {
        let Classified { batch, rejected, anomalies } = part;
        let mut ids = Vec::with_capacity(batch.len());
        for i in 0..batch.len() {
            ids.push(self.id_of(batch, i, snapshot).await?);
        }
        let written: Vec<i64> = ids.iter().filter_map(|id| id.as_ref().ok()).copied().collect();
        let (rows, stored_anomalies) = snapshot.rows(&written).await?;
        let replaced = self.replacements.of(&written, snapshot).await?;
        let stored = StoredRows { rows, anomalies: stored_anomalies, replaced };
        let others = self.rows_under_skipped_ids(batch, &ids, snapshot).await?;
        let mut found = anomalies.iter().peekable();
        for (i, id) in ids.into_iter().enumerate() {
            let anomaly = found.next_if(|anomaly| anomaly.row as usize == i);
            let id = match id {
                Ok(id) => id,
                Err(skip) => {
                    if let Some(what) = self.differing_skip(batch, i, &skip, &others) {
                        self.skip_count += 1;
                        self.add_row(batch, i, format!("the skipped row {what}"));
                    }
                    continue;
                }
            };
            self.written += 1;
            if self.skipped_ids.contains(&id) {
                let what = format!(
                    "`skipped_rows` has an earlier row with the id {id}, so this one was skipped, too"
                );
                self.add_row(batch, i, what);
            }
            self.compare_written(ReplayedRow { batch, i, anomaly }, id, &stored);
        }
        for row in rejected {
            self.compare_rejected(row, snapshot).await?;
        }
        Ok(())
    }

    /// Compares a row that the run wrote with what is stored under its id, or was until it was replaced.
    fn compare_written(&mut self, row: ReplayedRow<'_>, id: i64, stored: &StoredRows) {
        let run_id = self.run.record.run_id;
        let differs = |stored: Option<&StoredRow>, anomaly: Option<&StoredAnomaly>| {
            row.differs_from(stored, anomaly, run_id, &self.encoding)
        };
        let of_kept = |kept: &ReplacedRow| differs(Some(&kept.row), kept.anomaly.as_ref());
        let (differing, replaced_by) = match self.replacements.whereabouts(id, &stored.replaced) {
            // Its anomaly was removed together with it.
            Whereabouts::Removed(run_id) => return self.replacements.count(run_id),
            Whereabouts::Replaced(kept) => (of_kept(kept), Some(kept.run_id)),
            Whereabouts::InPlace(of_nobody) => {
                let differing = differs(stored.rows.get(&id), stored.anomalies.get(&id));
                let ours = of_nobody.into_iter().find(|kept| of_kept(kept).is_none());
                match ours.filter(|_| differing.is_some()) {
                    Some(kept) => (None, Some(kept.run_id)),
                    None => (differing, None),
                }
            }
        };
        self.anomalies += u64::from(row.anomaly.is_some());
        if let Some(run_id) = replaced_by {
            self.replacements.count(run_id);
        }
        if let Some(what) = differing {
            let until = replaced_by.map(|run_id| format!(" (as it was until run {run_id} replaced it)"));
            self.add_row(row.batch, row.i, format!("transaction {id}{}: {what}", until.unwrap_or_default()));
        }
    }

    /// The id under which a row was written, or what is stored about it if it was skipped.
    async fn id_of(
        &mut self,
        batch: &Batch,
        i: usize,
        snapshot: &Snapshot,
    ) -> Result<Result<i64, Skip>, Error> {
        if self.run.record.ids != KEEP {
            let ids = AllottedIds::from(self.run.record.first_transaction_id.unwrap_or_default());
            // If there is no such number, an id that no row has.
            return Ok(Ok(ids.of_row(batch.first_row + i as u64).unwrap_or(i64::MAX)));
        }
        let place = (batch.file_position, batch.lines[i] as i64);
        while let Some(stored) = self.next_skip(snapshot, |other| other < place).await? {
            self.add_surplus_skip(&stored);
        }
        let Some(stored) = self.next_skip(snapshot, |other| other == place).await? else {
            return Ok(Ok(batch.transaction_ids[i]));
        };
        let mut times = 1;
        while self.next_skip(snapshot, |other| other == place).await?.is_some() {
            times += 1;
        }
        Ok(Err(Skip { stored, times }))
    }

    /// The next stored skipped row. Each one passes through here.
    async fn next_skip(
        &mut self,
        snapshot: &Snapshot,
        is_wanted: impl Fn(Place) -> bool,
    ) -> Result<Option<StoredSkip>, Error> {
        let stored = self.skips.next_if(snapshot, is_wanted).await?;
        if let Some(stored) = &stored {
            stored.add_to(&mut self.skip_digest);
        }
        Ok(stored)
    }

    /// For runs that recorded no digest of their skipped rows: the rows that have their ids now, since
    /// nothing else is left to compare `differs` with.
    async fn rows_under_skipped_ids(
        &mut self,
        batch: &Batch,
        ids: &[Result<i64, Skip>],
        snapshot: &Snapshot,
    ) -> Result<HashMap<i64, StoredRow>, Error> {
        if self.run.record.skipped_sha256.is_some() {
            return Ok(HashMap::new());
        }
        let skipped = ids.iter().enumerate().filter(|(_, id)| id.is_err());
        let skipped: Vec<i64> = skipped.map(|(i, _)| batch.transaction_ids[i]).collect();
        self.skipped_ids.extend(&skipped);
        Ok(if skipped.is_empty() { HashMap::new() } else { snapshot.rows(&skipped).await?.0 })
    }

    /// The name under which the run was given a file. It may have another now.
    fn name_of(&self, position: i32) -> &str {
        let index = usize::try_from(position).ok().and_then(|position| position.checked_sub(1));
        index.and_then(|index| self.run.record.files.get(index)).map_or("", |file| &file.name)
    }

    /// Hosts that record the digests of contents record positions, too.
    fn has_positions(&self) -> bool {
        self.run.record.files.iter().any(|file| file.content_sha256.is_some())
    }

    fn differing_skip(
        &self,
        batch: &Batch,
        i: usize,
        Skip { stored, times }: &Skip,
        others: &HashMap<i64, StoredRow>,
    ) -> Option<String> {
        if *times > 1 {
            return Some(format!("is stored {times} times"));
        }
        let values = (stored.user_id, stored.amount_cents, stored.timestamp_micros);
        let of_file =
            (Some(batch.user_ids[i]), Some(batch.amounts_cents[i]), Some(batch.timestamps_micros[i]));
        let is_old = !self.has_positions() && !stored.has_position;
        let is_same = stored.file == self.name_of(batch.file_position)
            && stored.transaction_id == batch.transaction_ids[i]
            && (values == of_file || is_old && values == (None, None, None))
            && (is_old || stored.has_position);
        if !is_same {
            return Some("does not match what is stored".into());
        }
        let differs = others.get(&stored.transaction_id).map(|row| !row.has_values_of(batch, i))?;
        (differs != stored.differs).then(|| {
            format!("has differs = {}, but compared with what is there now it is {differs}", stored.differs)
        })
    }

    async fn compare_rejected(&mut self, row: &RejectedRow, snapshot: &Snapshot) -> Result<(), Error> {
        if self.are_rejects_removed {
            return Ok(());
        }
        let place = (row.file_position, row.line as i64);
        while let Some(stored) = self.rejects.next_if(snapshot, |other| other < place).await? {
            self.add_surplus("rejected_rows", &stored, "does not reject it");
        }
        let what = match self.rejects.next_if(snapshot, |other| other == place).await? {
            None => "the rejected record is not in `rejected_rows`",
            Some(stored) if !self.is_stored(row, &stored) => {
                "the rejected record does not match what is stored"
            }
            Some(_) => return Ok(()),
        };
        self.add(format!("{}:{}", row.file, row.line), what.into());
        Ok(())
    }

    fn is_stored(&self, row: &RejectedRow, stored: &StoredReject) -> bool {
        let storable = |text: &str| self.encoding.storable(&without_nul(text)).into_owned();
        (stored.has_position || !self.has_positions())
            && stored.file == self.name_of(row.file_position)
            && stored.byte_offset == row.byte_offset as i64
            && stored.column == row.column.as_deref().map(storable)
            && stored.reason == storable(&row.reason())
            && stored.message == storable(&row.message())
            && stored.raw_sha256 == Sha256Digest::of(&row.raw).to_string()
    }

    /// Compares what the detector has learned with what the run has written of it, and that with what is stored.
    async fn compare_state(&mut self, snapshot: &Snapshot) -> Result<(), Error> {
        let Some(state) = self.run.record.state.clone() else { return Ok(()) };
        let recorded = StateDigest::parse(&state.sha256, state.entries);
        if recorded != Some(self.learned) {
            let (recorded, replayed) = (state.entries, self.learned.entries());
            let what =
                format!("{recorded} entries of `{}` were written, the replay gives {replayed}", state.name);
            let other = format!("the entries of `{}` are not those that the replay gives", state.name);
            self.add("ingest_runs".into(), if recorded == replayed { other } else { what });
        }
        let run_id = self.run.record.run_id;
        if !snapshot.lacks_entries(run_id).await? && !snapshot.has_state_of(run_id, &state).await? {
            let what =
                format!("the entries of `{}` that are stored are not those that the run wrote", state.name);
            self.add("detector_states".into(), what);
        }
        Ok(())
    }

    async fn compare_end(&mut self, end: &End, snapshot: &Snapshot) -> Result<(), Error> {
        let stored = snapshot.anomalies_of(self.run.record.run_id).await?;
        if stored != self.anomalies {
            let replayed = self.anomalies;
            self.add(
                "anomalies".into(),
                format!("{stored} rows belong to this run, the replay gives {replayed}"),
            );
        }
        while let Some(stored) = self.rejects.next_if(snapshot, |_| true).await? {
            self.add_surplus("rejected_rows", &stored, "does not reject it");
        }
        while let Some(stored) = self.next_skip(snapshot, |_| true).await? {
            self.add_surplus_skip(&stored);
        }
        self.compare_skip_digest();
        for run_id in self.replacements.altered(snapshot).await? {
            let what = format!("what run {run_id} kept of the rows that it replaced is not what it wrote");
            self.add("replaced_rows".into(), what);
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

    /// Compares the digests, since a replay cannot know whether a skipped row differed from what was there
    /// then.
    fn compare_skip_digest(&mut self) {
        let Some(recorded) = &self.run.record.skipped_sha256 else { return };
        // A difference that is already known need not be reported twice.
        if self.skip_count == 0 && *recorded != self.skip_digest.digest().to_string() {
            self.add("skipped_rows".into(), "what `differs` says is not what the run wrote".into());
        }
    }

    fn add_surplus_skip(&mut self, stored: &StoredSkip) {
        self.skip_count += 1;
        self.add_surplus("skipped_rows", stored, "has no such row");
    }

    /// Reports a row that is stored, but not part of the replay.
    fn add_surplus(&mut self, table: &str, stored: &impl Placed, replay: &str) {
        let (file, (_, line)) = (stored.file(), stored.place());
        self.add(table.into(), format!("`{file}` line {line} is stored, but the replay {replay}"));
    }

    fn add_row(&mut self, batch: &Batch, i: usize, what: String) {
        self.add(format!("{}:{}", batch.file, batch.lines[i]), what);
    }

    fn add(&mut self, place: String, what: String) {
        self.count += 1;
        if self.differences.len() < DESCRIBED {
            self.differences.push(Difference { place, what });
        }
    }
}

/// What is stored about a row that was skipped.
struct Skip {
    stored: StoredSkip,
    /// How often it is stored.
    times: u64,
}
