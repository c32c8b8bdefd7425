//! Where each discoverable credential is: kept in memory, so that finding one does not read the
//! others.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::cmp::Reverse;

use crate::credential::{Credential, Lookup, Protection, sha256};

/// The part of a credential that the index keeps in memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Entry {
    pub(crate) slot: u16,
    pub(crate) created: u32,
    pub(crate) protection: Protection,
    /// The first bytes of the hash of the user handle.
    account: u64,
}

/// All discoverable credentials by relying party and by id.
#[derive(Default)]
pub(crate) struct Index {
    /// SHA-256 of the relying party id; the oldest credential first.
    relying_parties: BTreeMap<[u8; 32], Party>,
    /// The first half of SHA-256 of the credential id.
    ids: BTreeMap<[u8; 16], u16>,
    /// Slots below `fresh` that are free again.
    free: Vec<u16>,
    /// The first slot that was never used.
    fresh: u16,
    newest: u32,
}

/// The credentials of one relying party.
#[derive(Default)]
struct Party {
    /// The oldest first.
    entries: Vec<Entry>,
    /// How many of them may be discovered by somebody who is not verified.
    open: usize,
}

fn half(hash: [u8; 32]) -> [u8; 16] {
    let mut half = [0; 16];
    half.copy_from_slice(&hash[..16]);
    half
}

fn account(user_id: &[u8]) -> u64 {
    let hash = sha256(user_id);
    hash[..8]
        .iter()
        .fold(0, |v, byte| v << 8 | u64::from(*byte))
}

impl Index {
    /// Builds the index from all records, in any order.
    pub(crate) fn build(mut all: Vec<(u16, Credential)>) -> Self {
        all.sort_by_key(|(_, credential)| credential.created);
        let mut index = Self {
            fresh: all.iter().map(|(slot, _)| slot + 1).max().unwrap_or(0),
            ..Self::default()
        };
        let mut used = alloc::vec![false; usize::from(index.fresh)];
        for (slot, _) in &all {
            used[usize::from(*slot)] = true;
        }
        index.free = (0..index.fresh)
            .rev()
            .filter(|slot| !used[usize::from(*slot)])
            .collect();
        for (slot, credential) in &all {
            index.enter(*slot, credential);
        }
        index
    }

    fn enter(&mut self, slot: u16, credential: &Credential) {
        let (Some(rp_id), Some(user)) = (&credential.rp_id, &credential.user) else {
            return;
        };
        self.newest = self.newest.max(credential.created);
        self.ids.insert(half(sha256(&credential.id)), slot);
        let party = self
            .relying_parties
            .entry(sha256(rp_id.as_bytes()))
            .or_default();
        party.entries.push(Entry {
            slot,
            created: credential.created,
            protection: credential.protection,
            account: account(&user.id),
        });
        party.open += usize::from(credential.protection.reveals(Lookup::Discovery, false));
    }

    /// How many credentials there are.
    pub(crate) fn len(&self) -> usize {
        self.ids.len()
    }

    /// The number for the next credential.
    pub(crate) const fn next_created(&self) -> u32 {
        self.newest.saturating_add(1)
    }

    /// The slot for the next credential, if `limit` leaves one.
    pub(crate) fn vacancy(&self, limit: u16) -> Option<u16> {
        self.free
            .last()
            .copied()
            .or_else(|| (self.fresh < limit).then_some(self.fresh))
    }

    /// Notes that `credential` was written to the vacant `slot`.
    pub(crate) fn put(&mut self, slot: u16, credential: &Credential) {
        match self.free.last() {
            Some(last) if *last == slot => {
                self.free.pop();
            }
            _ => self.fresh = self.fresh.max(slot + 1),
        }
        self.enter(slot, credential);
    }

    /// Notes that `credential` is no longer in `slot`.
    pub(crate) fn remove(&mut self, slot: u16, credential: &Credential) {
        let Some(rp_id) = &credential.rp_id else {
            return;
        };
        self.ids.remove(&half(sha256(&credential.id)));
        let rp_id_hash = sha256(rp_id.as_bytes());
        if let Some(party) = self.relying_parties.get_mut(&rp_id_hash) {
            party.entries.retain(|entry| entry.slot != slot);
            party.open -= usize::from(credential.protection.reveals(Lookup::Discovery, false));
            if party.entries.is_empty() {
                self.relying_parties.remove(&rp_id_hash);
            }
        }
        self.free.push(slot);
    }

    /// The credentials of a relying party, the oldest first.
    pub(crate) fn of(&self, rp_id_hash: &[u8; 32]) -> &[Entry] {
        self.relying_parties
            .get(rp_id_hash)
            .map_or(&[], |party| party.entries.as_slice())
    }

    /// How many credentials of a relying party may be discovered.
    pub(crate) fn discoverable(&self, rp_id_hash: &[u8; 32], verified: bool) -> usize {
        self.relying_parties
            .get(rp_id_hash)
            .map_or(0, |party| match verified {
                true => party.entries.len(),
                false => party.open,
            })
    }

    /// The newest credential of a relying party that may be discovered, among its `older` oldest
    /// ones: its place among them and its slot.
    pub(crate) fn newest(
        &self,
        rp_id_hash: &[u8; 32],
        verified: bool,
        older: usize,
    ) -> Option<(usize, u16)> {
        let entries = self.of(rp_id_hash).get(..older)?;
        let place = entries
            .iter()
            .rposition(|entry| entry.protection.reveals(Lookup::Discovery, verified))?;
        Some((place, entries[place].slot))
    }

    /// SHA-256 of each relying party id; the one with the newest first credential comes first.
    pub(crate) fn relying_parties(&self) -> Vec<[u8; 32]> {
        let first = |party: &Party| party.entries.first().map(|entry| entry.created);
        let mut all: Vec<_> = self
            .relying_parties
            .iter()
            .map(|(rp_id_hash, party)| (Reverse(first(party)), *rp_id_hash))
            .collect();
        all.sort_unstable();
        all.into_iter().map(|(_, rp_id_hash)| rp_id_hash).collect()
    }

    /// Slots that may hold the credential of an account at a relying party.
    pub(crate) fn of_account(
        &self,
        rp_id_hash: &[u8; 32],
        user_id: &[u8],
    ) -> impl Iterator<Item = u16> {
        let wanted = account(user_id);
        self.of(rp_id_hash)
            .iter()
            .filter(move |entry| entry.account == wanted)
            .map(|entry| entry.slot)
    }

    /// The slot that may hold the credential with this id.
    pub(crate) fn of_id(&self, id: &[u8]) -> Option<u16> {
        self.ids.get(&half(sha256(id))).copied()
    }
}
