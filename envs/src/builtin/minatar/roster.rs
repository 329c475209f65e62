//! A short list in a fixed array: keeps its order, never allocates.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

/// Up to `N` items in the order in which they came.
#[derive(Clone, Copy, Debug)]
pub(super) struct Roster<T, const N: usize> {
    items: [T; N],
    len: usize,
}

impl<T: Copy + Default, const N: usize> Default for Roster<T, N> {
    fn default() -> Self {
        Self { items: [T::default(); N], len: 0 }
    }
}

impl<T: Copy, const N: usize> Roster<T, N> {
    /// Adds `item` at the end. Every game chooses an `N` that it cannot exceed; should a change
    /// of its rules break that, the item is left out rather than the run ended.
    pub(super) fn push(&mut self, item: T) {
        debug_assert!(self.len < N, "more than {N} items");
        if self.len < N {
            self.items[self.len] = item;
            self.len += 1;
        }
    }

    /// Takes out item `index` and moves up those after it.
    pub(super) fn remove(&mut self, index: usize) {
        self.items.copy_within(index + 1..self.len, index);
        self.len -= 1;
    }

    /// Takes out the first item that fits; false if there is none.
    pub(super) fn remove_first(&mut self, fits: impl FnMut(&T) -> bool) -> bool {
        let found = self.as_slice().iter().position(fits);
        if let Some(index) = found {
            self.remove(index);
        }
        found.is_some()
    }

    pub(super) fn as_slice(&self) -> &[T] {
        &self.items[..self.len]
    }

    pub(super) fn as_mut_slice(&mut self) -> &mut [T] {
        &mut self.items[..self.len]
    }
}

impl<T: Copy + Serialize, const N: usize> Serialize for Roster<T, N> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.as_slice().serialize(serializer)
    }
}

impl<'de, T: Copy + Default + Deserialize<'de>, const N: usize> Deserialize<'de> for Roster<T, N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let items = Vec::<T>::deserialize(deserializer)?;
        if items.len() > N {
            return Err(D::Error::invalid_length(items.len(), &"a shorter list"));
        }
        let mut roster = Self::default();
        items.into_iter().for_each(|item| roster.push(item));
        Ok(roster)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn removal_keeps_the_order_and_a_copy_reads_back() {
        let mut roster = Roster::<u8, 4>::default();
        [5, 6, 7, 6].into_iter().for_each(|item| roster.push(item));
        assert!(roster.remove_first(|&item| item == 6));
        assert_eq!(roster.as_slice(), [5, 7, 6]);
        assert!(!roster.remove_first(|&item| item == 9));
        let bytes = postcard::to_stdvec(&roster).unwrap();
        let back: Roster<u8, 4> = postcard::from_bytes(&bytes).unwrap();
        assert_eq!(back.as_slice(), [5, 7, 6]);
        assert!(postcard::from_bytes::<Roster<u8, 2>>(&bytes).is_err(), "3 items do not fit in 2");
    }
}
