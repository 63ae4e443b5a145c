//! Rows of the run that later runs have replaced: they are compared with what they were until then, which
//! the later run has kept. If that was removed by `host prune`, nothing is left to compare them with.

use std::collections::{BTreeMap, HashMap};

use host_sink::{ReplacedRow, ReplacingRun, Snapshot};

use crate::error::Error;

/// What is known about runs after the one that is verified.
pub(super) struct Replacements {
    run_id: i64,
    runs: Vec<ReplacingRun>,
    /// How many rows of this run each of them has replaced.
    pub found: BTreeMap<i64, u64>,
}

/// What later runs have replaced of some ids.
#[derive(Default)]
pub(super) struct OfIds {
    kept: HashMap<i64, Vec<ReplacedRow>>,
    /// For ids of which something may have been removed: the runs that wrote the rows that are there now.
    writers: HashMap<i64, i64>,
}

/// A stored row of this run.
pub(super) enum Whereabouts<'a> {
    /// It is where it was written, unless one of these is it: nobody knows who wrote them.
    InPlace(Vec<&'a ReplacedRow>),
    /// It is one of those that were replaced.
    Replaced(&'a ReplacedRow),
    /// It was replaced by this run, and what it was is removed.
    Removed(i64),
}

impl Replacements {
    pub async fn look_up(run_id: i64, snapshot: &Snapshot) -> Result<Replacements, Error> {
        let runs = snapshot.replacing_runs_since(run_id).await?;
        Ok(Replacements { run_id, runs, found: BTreeMap::new() })
    }

    /// What is known about these ids.
    pub async fn of(&self, ids: &[i64], snapshot: &Snapshot) -> Result<OfIds, Error> {
        if self.runs.is_empty() {
            return Ok(OfIds::default());
        }
        let kept = snapshot.replaced_since(ids, self.run_id).await?;
        let is_pruned = self.runs.iter().any(|run| run.is_pruned);
        let writers = if is_pruned { snapshot.writers(ids).await? } else { HashMap::new() };
        Ok(OfIds { kept, writers })
    }

    /// Where the row that this run wrote with this id is now.
    pub fn whereabouts<'a>(&self, id: i64, of_ids: &'a OfIds) -> Whereabouts<'a> {
        let kept = of_ids.kept.get(&id).map_or(&[][..], Vec::as_slice);
        if let Some(ours) = kept.iter().find(|row| row.written_by == Some(self.run_id)) {
            return Whereabouts::Replaced(ours);
        }
        // Whoever came directly after us has removed what it kept.
        let later = kept.iter().filter_map(|row| row.written_by).chain(of_ids.writers.get(&id).copied());
        let pruned =
            later.min().filter(|writer| self.runs.iter().any(|run| run.run_id == *writer && run.is_pruned));
        match pruned {
            Some(run_id) => Whereabouts::Removed(run_id),
            None => Whereabouts::InPlace(kept.iter().filter(|row| row.written_by.is_none()).collect()),
        }
    }

    /// Counts a row that was replaced.
    pub fn count(&mut self, run_id: i64) {
        *self.found.entry(run_id).or_default() += 1;
    }

    /// The runs among those found whose kept rows are not those that they wrote.
    pub async fn altered(&self, snapshot: &Snapshot) -> Result<Vec<i64>, Error> {
        let mut altered = Vec::new();
        for run in self.runs.iter().filter(|run| self.found.contains_key(&run.run_id) && !run.is_pruned) {
            if snapshot.replaced_digest(run.run_id).await? != run.sha256 {
                altered.push(run.run_id);
            }
        }
        Ok(altered)
    }
}
