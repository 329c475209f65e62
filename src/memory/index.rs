//! From a token code to the observations that have it, in constant time.

use super::hash::MixerBuilder;
use std::collections::{HashMap, TryReserveError};

/// Places that share a code. Most codes of a fine code space have one, which takes no allocation.
#[derive(Debug, PartialEq)]
enum Bucket {
    One([u32; 1]),
    Many(Vec<u32>),
}

impl Bucket {
    fn places(&self) -> &[u32] {
        match self {
            Self::One(place) => place,
            Self::Many(places) => places,
        }
    }
}

/// A hash index. A place is a number of an observation; each has at most one code.
///
/// A place knows its position in its bucket, so it is taken out by swapping the last one there.
/// The order within a bucket follows from the history of insertions and removals, which is the same
/// in every run; the order of the buckets is never looked at.
#[derive(Debug)]
pub(super) struct CodeIndex {
    buckets: HashMap<u64, Bucket, MixerBuilder>,
    /// `[places]` position of each indexed place in its bucket, 0 for others.
    positions: Vec<u32>,
    /// Places in all buckets.
    len: usize,
}

/// Most bytes an index of `places` places takes: a slot of the table each at its least load, and
/// what a vector of two or more places takes at most beyond its elements.
pub(super) fn most_bytes(places: usize) -> u64 {
    let slots = (places as u64).saturating_mul(8).div_ceil(7).next_power_of_two();
    let table = slots.saturating_mul(size_of::<(u64, Bucket)>() as u64 + 1);
    table.saturating_add((places as u64).saturating_mul(4 + 8))
}

impl CodeIndex {
    pub(super) fn allocate(places: usize) -> Result<Self, TryReserveError> {
        let mut index = Self { buckets: HashMap::default(), positions: Vec::new(), len: 0 };
        index.buckets.try_reserve(places)?;
        index.positions.try_reserve_exact(places)?;
        index.positions.resize(places, 0);
        Ok(index)
    }

    /// The places with `code`.
    pub(super) fn get(&self, code: u64) -> &[u32] {
        self.buckets.get(&code).map_or(&[], Bucket::places)
    }

    /// Adds a place that is not in the index.
    #[expect(clippy::cast_possible_truncation, reason = "places are u32")]
    pub(super) fn insert(&mut self, code: u64, place: u32) {
        let bucket = self.buckets.entry(code).or_insert_with(|| Bucket::Many(Vec::new()));
        let position = bucket.places().len() as u32;
        match bucket {
            Bucket::Many(places) if places.is_empty() => *bucket = Bucket::One([place]),
            Bucket::Many(places) => places.push(place),
            Bucket::One([first]) => *bucket = Bucket::Many(vec![*first, place]),
        }
        self.positions[place as usize] = position;
        self.len += 1;
    }

    /// Takes out a place that is in the index with `code`.
    pub(super) fn remove(&mut self, code: u64, place: u32) {
        // What is not indexed has position 0, so that equal memories are saved alike.
        let position = std::mem::take(&mut self.positions[place as usize]);
        self.len -= 1;
        let Some(bucket) = self.buckets.get_mut(&code) else {
            panic!("place {place} has no code {code}");
        };
        match bucket {
            Bucket::One(_) => {
                self.buckets.remove(&code);
            }
            Bucket::Many(places) => {
                places.swap_remove(position as usize);
                if let Some(moved) = places.get(position as usize) {
                    self.positions[*moved as usize] = position;
                }
                if let [left] = places[..] {
                    *bucket = Bucket::One([left]);
                }
            }
        }
    }

    /// Forgets everything and keeps the table.
    pub(super) fn clear(&mut self) {
        self.buckets.clear();
        self.positions.fill(0);
        self.len = 0;
    }

    /// Places in the index.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Position of each place in its bucket; 0 for those that are not indexed.
    pub(super) fn positions(&self) -> &[u32] {
        &self.positions
    }

    /// Fills an empty index with `(code, place, position)`, as saved. False if the positions are
    /// not those of an index.
    pub(super) fn refill(&mut self, entries: impl Iterator<Item = (u64, u32, u32)>) -> bool {
        let mut entries: Vec<_> = entries.collect();
        entries.sort_unstable_by_key(|(code, _, position)| (*code, *position));
        for (code, place, position) in entries {
            if position as usize != self.get(code).len() {
                return false;
            }
            self.insert(code, place);
        }
        true
    }
}
