//! What a detector has learned, between the run that wrote it and the run that continues it: a part of it as it is
//! passed on, and the digest by which the ledger knows it.

use crate::digest::Sha256Builder;

/// A part of what a detector has learned, column by column, in the detector's own format.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// What belongs to no user.
    pub shared: Option<Vec<u8>>,
    /// Users, strictly increasing.
    pub users: Vec<i64>,
    /// Where each user's value ends in `bytes`; it begins where the one before it ends, the first at 0.
    pub ends: Vec<u32>,
    /// The users' values, one after the other.
    pub bytes: Vec<u8>,
}

impl State {
    /// Whether there is nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.shared.is_none() && self.users.is_empty()
    }

    /// How many entries it has.
    #[must_use]
    pub fn len(&self) -> usize {
        usize::from(self.shared.is_some()) + self.users.len()
    }

    /// Its size in memory.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        let shared = self.shared.as_ref().map_or(0, Vec::len);
        shared + self.users.len() * size_of::<i64>() + self.ends.len() * size_of::<u32>() + self.bytes.len()
    }

    /// Adds an entry; users come in increasing order.
    pub fn push(&mut self, entry: Entry<'_>) {
        match entry.user_id {
            None => self.shared = Some(entry.value.to_vec()),
            Some(user_id) => {
                self.users.push(user_id);
                self.bytes.extend_from_slice(entry.value);
                // Parts are bounded far below 4 GiB.
                self.ends.push(u32::try_from(self.bytes.len()).unwrap_or(u32::MAX));
            }
        }
    }

    /// Its entries: what belongs to no user, then the users in their order.
    pub fn entries(&self) -> impl Iterator<Item = Entry<'_>> {
        let shared = self.shared.iter().map(|value| Entry { user_id: None, value });
        let begins = std::iter::once(0).chain(self.ends.iter().copied());
        let users = self.users.iter().zip(begins.zip(&self.ends)).map(|(&user_id, (begin, &end))| {
            let value = self.bytes.get(begin as usize..end as usize).unwrap_or_default();
            Entry { user_id: Some(user_id), value }
        });
        shared.chain(users)
    }
}

/// What is known of one user, or of nobody in particular.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry<'a> {
    /// `None` for what belongs to no user.
    pub user_id: Option<i64>,
    /// Empty if nothing is known any more.
    pub value: &'a [u8],
}

/// The digest of entries, whatever their order: instances finish in any order, and a database returns rows in any.
/// It is the sum of the entries' own digests, modulo 2^256.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StateDigest {
    /// The lowest 64 bits first.
    limbs: [u64; 4],
    entries: u64,
}

impl StateDigest {
    /// The digest that was written as text, of so many entries; `None` if it is not one.
    #[must_use]
    pub fn parse(text: &str, entries: u64) -> Option<StateDigest> {
        let is_ours = text.len() == 64
            && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
        if !is_ours {
            return None;
        }
        let mut limbs = [0; 4];
        for (i, limb) in limbs.iter_mut().rev().enumerate() {
            *limb = u64::from_str_radix(&text[16 * i..16 * (i + 1)], 16).ok()?;
        }
        Some(StateDigest { limbs, entries })
    }

    /// How many entries it covers.
    #[must_use]
    pub fn entries(&self) -> u64 {
        self.entries
    }

    /// Adds an entry.
    pub fn add(&mut self, entry: Entry<'_>) {
        self.add_all(&StateDigest { limbs: limbs_of(entry), entries: 1 });
    }

    /// Takes out an entry that was added.
    pub fn remove(&mut self, entry: Entry<'_>) {
        let mut borrow = false;
        for (limb, other) in self.limbs.iter_mut().zip(limbs_of(entry)) {
            let (difference, one) = limb.overflowing_sub(other);
            let (difference, two) = difference.overflowing_sub(u64::from(borrow));
            (*limb, borrow) = (difference, one || two);
        }
        self.entries = self.entries.wrapping_sub(1);
    }

    /// Adds all entries of another digest.
    pub fn add_all(&mut self, other: &StateDigest) {
        let mut carry = false;
        for (limb, other) in self.limbs.iter_mut().zip(other.limbs) {
            let (sum, one) = limb.overflowing_add(other);
            let (sum, two) = sum.overflowing_add(u64::from(carry));
            (*limb, carry) = (sum, one || two);
        }
        self.entries = self.entries.wrapping_add(other.entries);
    }
}

impl std::fmt::Display for StateDigest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.limbs.iter().rev().try_for_each(|limb| write!(f, "{limb:016x}"))
    }
}

/// The SHA-256 of an entry: a byte that says whether it belongs to a user, the user's id, the value.
fn limbs_of(Entry { user_id, value }: Entry<'_>) -> [u64; 4] {
    let mut hasher = Sha256Builder::default();
    match user_id {
        None => hasher.add(&[0]),
        Some(user_id) => {
            let mut key = [1; 9];
            key[1..].copy_from_slice(&user_id.to_be_bytes());
            hasher.add(&key);
        }
    }
    hasher.add(value);
    let digest = hasher.digest();
    let mut limbs = [0; 4];
    for (limb, bytes) in limbs.iter_mut().rev().zip(digest.as_bytes().as_chunks::<8>().0) {
        *limb = u64::from_be_bytes(*bytes);
    }
    limbs
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    type Owned = (Option<i64>, Vec<u8>);

    fn entry((user_id, value): &Owned) -> Entry<'_> {
        Entry { user_id: *user_id, value }
    }

    fn digest(entries: &[Owned]) -> StateDigest {
        let mut digest = StateDigest::default();
        entries.iter().for_each(|one| digest.add(entry(one)));
        digest
    }

    /// The same sum, byte by byte.
    fn added_by_hand(one: &str, other: &str) -> String {
        let bytes = |text: &str| -> Vec<u16> {
            (0..32).map(|i| u16::from_str_radix(&text[2 * i..2 * i + 2], 16).unwrap()).collect()
        };
        let (mut carry, mut sum) = (0, Vec::new());
        for (one, other) in bytes(one).iter().zip(bytes(other)).rev() {
            let total = one + other + carry;
            (carry, sum) = (total >> 8, [vec![total & 0xff], sum].concat());
        }
        sum.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn an_entry_has_the_digest_of_its_bytes() {
        for (entry, bytes) in [
            ((Some(7), b"ab".to_vec()), b"\x01\0\0\0\0\0\0\0\x07ab".to_vec()),
            ((None, b"ab".to_vec()), b"\0ab".to_vec()),
        ] {
            let expected = crate::digest::Sha256Digest::of(&bytes).to_string();
            assert_eq!(digest(&[entry]).to_string(), expected);
        }
        assert_eq!(StateDigest::default().to_string(), "0".repeat(64));
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        /// Whatever the order, and however it is divided; and taking out what was added leaves the rest.
        #[test]
        fn order_and_parts_do_not_matter(mut entries: Vec<Owned>, other: Vec<Owned>, at: prop::sample::Index) {
            let whole = digest(&entries);
            let (one, two) = entries.split_at(at.index(entries.len() + 1));
            let mut both = digest(two);
            both.add_all(&digest(one));
            prop_assert_eq!(both, whole);
            entries.reverse();
            prop_assert_eq!(digest(&entries), whole);
            prop_assert_eq!(StateDigest::parse(&whole.to_string(), whole.entries()), Some(whole));
            prop_assert_eq!(whole.to_string(), entries.iter().fold("0".repeat(64), |sum, one| {
                added_by_hand(&sum, &digest(std::slice::from_ref(one)).to_string())
            }));
            let mut more = whole;
            more.add_all(&digest(&other));
            other.iter().for_each(|one| more.remove(entry(one)));
            prop_assert_eq!(more, whole);
        }

        /// Any other set of entries has another digest.
        #[test]
        fn a_change_is_seen(entries in prop::collection::vec(any::<Owned>(), 1..9), at: prop::sample::Index, by: u8) {
            let at = at.index(entries.len());
            let mut changed = vec![entries.clone(); 4];
            changed[0][at].1.push(by);
            changed[1][at].0 = changed[1][at].0.map_or(Some(0), |user_id| Some(user_id.wrapping_add(1)));
            changed[2].remove(at);
            changed[3].push(entries[at].clone());
            for changed in changed {
                prop_assert_ne!(digest(&changed).to_string(), digest(&entries).to_string());
            }
        }

        #[test]
        fn entries_are_those_that_were_pushed(shared: Option<Vec<u8>>, users: std::collections::BTreeMap<i64, Vec<u8>>) {
            let mut entries: Vec<Owned> = shared.into_iter().map(|value| (None, value)).collect();
            entries.extend(users.into_iter().map(|(user_id, value)| (Some(user_id), value)));
            let mut state = State::default();
            entries.iter().for_each(|one| state.push(entry(one)));
            prop_assert_eq!(state.len(), entries.len());
            prop_assert_eq!(state.is_empty(), entries.is_empty());
            let read: Vec<Owned> = state.entries().map(|one| (one.user_id, one.value.to_vec())).collect();
            prop_assert_eq!(read, entries);
        }
    }

    #[test]
    fn what_is_not_a_digest_is_not_read_as_one() {
        for wrong in
            ["", "0", &"0".repeat(63), &"g".repeat(64), &"A".repeat(64), &"ä".repeat(32), &"+".repeat(64)]
        {
            assert_eq!(StateDigest::parse(wrong, 0), None, "{wrong}");
        }
    }
}
