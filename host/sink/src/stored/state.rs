//! The state of a detector as it is stored: which runs have written it, and what they have written, read entry by
//! entry and compared with what the ledger says of it. There may be millions of entries: they are read as one answer
//! that the server sends no faster than it is used, a part at a time.

use std::collections::VecDeque;
use std::pin::Pin;

use futures_util::{FutureExt as _, TryStreamExt as _};
use host_core::state::{Entry, State, StateDigest};
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Row, RowStream};

use crate::connection::connect::Connection;
use crate::error::{SinkError, StateDamage};
use crate::ledger::facts::PluginFacts;
use crate::ledger::prunes::{self, STATE_IS_DROPPED};

/// A part is passed on when it has reached this size.
const PART_BYTES: usize = 512 * 1024;

const DOING: &str = "read the detector's state";

/// The runs that have written what is known in a state, oldest first: each has continued the one before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateChain {
    /// The state's name.
    pub name: String,
    /// The plugin of the newest run.
    pub plugin: PluginFacts,
    links: Vec<Link>,
}

/// Runs whose entries are checked together: one, or all that were merged.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Link {
    /// Oldest first.
    runs: Vec<i64>,
    is_merged: bool,
    /// `None` if what the ledger has is not a digest.
    digest: Option<StateDigest>,
}

impl Link {
    fn newest(&self) -> i64 {
        self.runs.last().copied().unwrap_or_default()
    }
}

impl StateChain {
    /// The newest run.
    #[must_use]
    pub fn run_id(&self) -> i64 {
        self.links.last().map(Link::newest).unwrap_or_default()
    }

    /// Whether something would be removed if all of its runs were merged.
    #[must_use]
    pub fn can_be_merged(&self) -> bool {
        self.links.len() > 1
    }

    /// How many runs it has.
    #[must_use]
    pub fn runs(&self) -> u64 {
        self.links.iter().map(|link| link.runs.len() as u64).sum()
    }

    /// The runs before the newest `apart`, if at least `merging` of them have not been merged yet: oldest first, with the
    /// digest of all of their entries.
    pub(crate) fn oldest(&self, apart: usize, merging: usize) -> Option<(Vec<i64>, StateDigest)> {
        let oldest = &self.links[..self.links.len().saturating_sub(apart)];
        if oldest.iter().filter(|link| !link.is_merged).count() < merging {
            return None;
        }
        let mut all = StateDigest::default();
        for link in oldest {
            all.add_all(link.digest.as_ref()?);
        }
        Some((oldest.iter().flat_map(|link| link.runs.iter().copied()).collect(), all))
    }
}

/// The newest run of a state that counts; `None` if there is none.
pub(crate) async fn newest(connection: &Connection, name: &str) -> Result<Option<i64>, SinkError> {
    let newest = format!(
        "SELECT max(run_id) FROM ingest_runs r WHERE state = $1 AND undone_at IS NULL AND NOT {STATE_IS_DROPPED}"
    );
    let name = name.to_owned();
    let rows = connection.query("look up the state", &newest, &[&name]).await?;
    Ok(rows.first().and_then(|row| row.get(0)))
}

/// The run and those before it that it continued, newest first, as far back as there are any.
const CHAIN: &str = "
    WITH RECURSIVE chain AS (
        SELECT run_id, state, state_predecessor, state_entries, state_sha256 FROM ingest_runs
        WHERE run_id = $1 AND state IS NOT NULL
        UNION ALL
        SELECT r.run_id, r.state, r.state_predecessor, r.state_entries, r.state_sha256
        FROM chain c JOIN ingest_runs r ON r.run_id = c.state_predecessor
        WHERE r.run_id < c.run_id AND r.state = c.state AND r.undone_at IS NULL
    )
    SELECT c.run_id, state, state_predecessor, state_entries, state_sha256, b.entries, b.sha256
    FROM chain c LEFT JOIN detector_state_bases b USING (run_id)
    ORDER BY run_id DESC";

/// The newest run that has gone on from this one and whose entries were merged with those before it.
const MERGED: &str = "
    WITH RECURSIVE later AS (
        SELECT $1::bigint AS run_id
        UNION
        SELECT r.run_id FROM later l JOIN ingest_runs r ON r.state_predecessor = l.run_id
    )
    SELECT b.run_id
    FROM detector_state_bases b JOIN later USING (run_id) WHERE b.run_id >= $2 ORDER BY b.run_id DESC LIMIT 1";

/// Whether the entries of this run are not all there any more, because they were merged with those before it, or the
/// state was dropped.
pub(crate) async fn lacks_entries(connection: &Connection, run_id: i64) -> Result<bool, SinkError> {
    Ok(merged_into(connection, run_id, run_id).await?.is_some()
        || prunes::state_dropped_at(connection, run_id).await?.is_some())
}

async fn merged_into(connection: &Connection, run_id: i64, at_least: i64) -> Result<Option<i64>, SinkError> {
    let rows = connection.query("look for merged states", MERGED, &[&run_id, &at_least]).await?;
    Ok(rows.first().map(|row| row.get(0)))
}

/// The state as it was after a run, if it can be continued from there.
///
/// # Errors
/// [`SinkError::StateMerged`], [`SinkError::StateDropped`], and those of [`chain`].
pub(crate) async fn continuable(connection: &Connection, run_id: i64) -> Result<StateChain, SinkError> {
    let chain = chain(connection, run_id).await?;
    if let Some(at) = prunes::state_dropped_at(connection, run_id).await? {
        return Err(SinkError::StateDropped { state: chain.name, run_id, at });
    }
    match merged_into(connection, run_id, run_id + 1).await? {
        None => Ok(chain),
        Some(into) => Err(SinkError::StateMerged { state: chain.name, run_id, into }),
    }
}

/// The state as it was after a run.
///
/// # Errors
/// [`SinkError::StateDamaged`] if the ledger does not have all of the runs.
async fn chain(connection: &Connection, run_id: i64) -> Result<StateChain, SinkError> {
    let rows = connection.query("look up the runs of a state", CHAIN, &[&run_id]).await?;
    let run = crate::ledger::read::run(connection, run_id).await?;
    let (Some(newest), Some(run)) = (rows.first(), run) else {
        return Err(SinkError::StateDamaged { state: String::new(), run_id, damage: StateDamage::NoRun });
    };
    let name: String = newest.get(1);
    let mut links = VecDeque::new();
    let mut rows = rows.iter();
    let mut missing = None;
    for row in rows.by_ref() {
        missing = row.get::<_, Option<i64>>(2);
        if row.get::<_, Option<i64>>(5).is_some() {
            let mut runs: Vec<i64> =
                std::iter::once(row).chain(rows.by_ref()).map(|row| row.get(0)).collect();
            runs.reverse();
            links.push_front(Link { runs, is_merged: true, digest: digest(row.get(6), row.get(5)) });
            missing = None;
            break;
        }
        let digest = digest(row.get(4), row.get(3));
        links.push_front(Link { runs: vec![row.get(0)], is_merged: false, digest });
    }
    match missing {
        Some(run_id) => Err(SinkError::StateDamaged { state: name, run_id, damage: StateDamage::NoRun }),
        None => Ok(StateChain { name, plugin: run.record.plugin, links: links.into() }),
    }
}

fn digest(sha256: Option<String>, entries: Option<i64>) -> Option<StateDigest> {
    StateDigest::parse(&sha256?, u64::try_from(entries?).ok()?)
}

/// Of each run in the order that is asked for, its entries by their users.
const ENTRIES: &str = "
    SELECT s.run_id, s.user_id, s.value FROM unnest($1::bigint[]) AS chain (run_id), LATERAL (
        SELECT run_id, user_id, value FROM detector_states s WHERE s.run_id = chain.run_id ORDER BY user_id
    ) s";

/// The entries of a state, oldest run first, and each run's in the order of the users. After an error, and if it is
/// dropped, the rest is not read.
pub struct StateEntries {
    name: String,
    /// `None` after the last.
    rows: Option<Pin<Box<RowStream>>>,
    links: VecDeque<Link>,
    /// Of the first of the links, as far as it was read.
    digest: StateDigest,
    /// The entry that comes next, which begins another part.
    next: Option<Row>,
    /// How many there were so far.
    pub entries: u64,
}

impl StateEntries {
    /// Begins to read the entries of a state. Nothing else can be asked on this connection until all were read.
    ///
    /// # Errors
    /// If the server refuses.
    pub async fn open(connection: &Connection, chain: &StateChain) -> Result<StateEntries, SinkError> {
        let runs: Vec<i64> = chain.links.iter().flat_map(|link| link.runs.iter().copied()).collect();
        StateEntries::of(connection, &chain.name, runs, chain.links.clone().into()).await
    }

    /// Begins to read what a single run has written.
    pub(crate) async fn of_run(
        connection: &Connection,
        name: &str,
        run_id: i64,
        digest: Option<StateDigest>,
    ) -> Result<StateEntries, SinkError> {
        let links = VecDeque::from([Link { runs: vec![run_id], is_merged: false, digest }]);
        StateEntries::of(connection, name, vec![run_id], links).await
    }

    async fn of(
        connection: &Connection,
        name: &str,
        runs: Vec<i64>,
        links: VecDeque<Link>,
    ) -> Result<StateEntries, SinkError> {
        let parameters: [(&(dyn ToSql + Sync), Type); 1] = [(&runs, Type::INT8_ARRAY)];
        let rows = connection.answer(DOING, connection.client.query_typed_raw(ENTRIES, parameters)).await?;
        Ok(StateEntries {
            name: name.to_owned(),
            rows: Some(Box::pin(rows)),
            links,
            digest: StateDigest::default(),
            next: None,
            entries: 0,
        })
    }

    /// The next part, of a single run; `None` after the last.
    ///
    /// # Errors
    /// [`SinkError::StateDamaged`] if what is stored is not what the runs wrote, and those of the connection.
    pub async fn next(&mut self, connection: &Connection) -> Result<Option<State>, SinkError> {
        let mut part = State::default();
        let mut of_run = None;
        while part.size_bytes() < PART_BYTES {
            let row = match (self.next.take(), &mut self.rows) {
                (Some(row), _) => Some(row),
                // Most rows have arrived already, and need no clock.
                (None, Some(rows)) => match rows.try_next().now_or_never() {
                    Some(arrived) => arrived.map_err(|error| connection.failed(DOING, error))?,
                    None => connection.answer(DOING, rows.try_next()).await?,
                },
                (None, None) => None,
            };
            let Some(row) = row else {
                self.rows = None;
                while let Some(link) = self.links.pop_front() {
                    self.check(&link)?;
                }
                break;
            };
            let run_id: i64 = row.get(0);
            if of_run.is_some_and(|other| other != run_id) {
                self.next = Some(row);
                break;
            }
            if of_run.replace(run_id).is_none() {
                self.pass_links_before(run_id)?;
            }
            let entry = Entry { user_id: row.get(1), value: row.get(2) };
            let is_in_order = match entry.user_id {
                None => part.shared.is_none(),
                Some(user_id) => part.users.last().is_none_or(|&last| last < user_id),
            };
            if !is_in_order {
                return Err(self.damaged(run_id, StateDamage::Altered));
            }
            self.digest.add(entry);
            self.entries += 1;
            part.push(entry);
        }
        Ok((!part.is_empty()).then_some(part))
    }

    /// All runs before this one have been read.
    fn pass_links_before(&mut self, run_id: i64) -> Result<(), SinkError> {
        while let Some(link) = self.links.pop_front_if(|link| !link.runs.contains(&run_id)) {
            self.check(&link)?;
        }
        Ok(())
    }

    /// Whether all entries of these runs were there, as they were written.
    fn check(&mut self, link: &Link) -> Result<(), SinkError> {
        let found = std::mem::take(&mut self.digest);
        if link.digest == Some(found) {
            return Ok(());
        }
        let damage = if link.is_merged { StateDamage::AlteredSince } else { StateDamage::Altered };
        Err(self.damaged(link.newest(), damage))
    }

    fn damaged(&self, run_id: i64, damage: StateDamage) -> SinkError {
        SinkError::StateDamaged { state: self.name.clone(), run_id, damage }
    }
}
