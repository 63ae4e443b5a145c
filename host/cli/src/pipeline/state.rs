//! What the detector has learned in earlier runs: which state this run continues, and its entries on their way to the
//! instances, before the first row.

use host_core::state::State;
use host_detector::{Ability, Detector, DetectorError};
use host_sink::{Connection, PluginFacts, StateChain, StateEntries, Transaction};

use super::workers;
use crate::config::{RunConfig, StateChoice};
use crate::error::{Error, StateError};

/// The state of a run.
#[derive(Debug)]
pub(super) struct Named {
    pub name: String,
    /// Whether it begins anew, whatever there is of that name.
    pub anew: bool,
}

/// Which state a run has; `None` if it has none.
///
/// # Errors
/// [`StateError::NotStateful`]
pub(super) fn of_run(
    config: &RunConfig,
    plugin: &PluginFacts,
    abilities: &[Ability],
) -> Result<Option<Named>, StateError> {
    let is_stateful = abilities.contains(&Ability::Stateful);
    let of_plugin = || match &config.source {
        Some(source) => format!("{}@{source}", plugin.name),
        None => plugin.name.clone(),
    };
    match &config.state {
        StateChoice::None => Ok(None),
        StateChoice::Default if !is_stateful => Ok(None),
        StateChoice::New | StateChoice::Named(_) if !is_stateful => {
            Err(StateError::NotStateful { plugin: plugin.name.clone() })
        }
        StateChoice::Default => Ok(Some(Named { name: of_plugin(), anew: false })),
        StateChoice::New => Ok(Some(Named { name: of_plugin(), anew: true })),
        StateChoice::Named(name) => Ok(Some(Named { name: name.clone(), anew: false })),
    }
}

/// Lets the detectors continue the state of the run. Returns them, and how many entries they were given; `None` if the
/// state begins with this run.
pub(super) async fn continue_it(
    transaction: &mut Transaction,
    Named { name, anew }: Named,
    plugin: &PluginFacts,
    detectors: Vec<Detector>,
) -> Result<(Vec<Detector>, Option<u64>), Error> {
    let Some(chain) = transaction.open_state(&name, anew).await? else { return Ok((detectors, None)) };
    if chain.plugin.name != plugin.name {
        let (run_id, ours) = (chain.run_id(), plugin.name.clone());
        return Err(StateError::OtherPlugin { state: name, run_id, theirs: chain.plugin.name, ours }.into());
    }
    let (detectors, entries) = restore(transaction.connection(), &chain, plugin, detectors).await?;
    Ok((detectors, Some(entries)))
}

/// Hands the entries of a state to the detectors: of each user to the one that will be given the user's rows. One
/// part is read while the one before it is handed over.
///
/// # Errors
/// [`StateError::Refused`] if they do not take it, and those of reading it, which come first: what was altered is
/// what they refuse.
pub(crate) async fn restore(
    connection: &Connection,
    chain: &StateChain,
    plugin: &PluginFacts,
    mut detectors: Vec<Detector>,
) -> Result<(Vec<Detector>, u64), Error> {
    let mut entries = StateEntries::open(connection, chain).await?;
    let mut next = entries.next(connection).await?;
    while let Some(part) = next {
        let take = move |detectors: &mut [Detector]| hand_over(detectors, part);
        let (back, taken, following) = workers::take_while(detectors, take, entries.next(connection)).await?;
        next = following?;
        if let Err(refusal) = taken {
            while next.is_some() {
                next = entries.next(connection).await?;
            }
            return Err(refused(refusal, chain, plugin));
        }
        detectors = back;
    }
    Ok((detectors, entries.entries))
}

fn hand_over(detectors: &mut [Detector], part: State) -> Result<(), DetectorError> {
    let parts = workers::parts_of_state(part, detectors.len());
    let not_empty = detectors.iter_mut().zip(parts).filter(|(_, part)| !part.is_empty());
    not_empty.into_iter().try_for_each(|(detector, part)| detector.restore(&part))
}

/// The detector's own words about a state are a refusal; anything else that stops it is what it is.
fn refused(error: DetectorError, chain: &StateChain, plugin: &PluginFacts) -> Error {
    match error {
        DetectorError::Guest { message, .. } => {
            StateError::refused(chain.name.clone(), chain.run_id(), plugin, &chain.plugin, message).into()
        }
        other => other.into(),
    }
}
