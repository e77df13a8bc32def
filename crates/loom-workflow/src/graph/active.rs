//! Which places of a graph are active, and who waits for whom.

use fixedbitset::FixedBitSet;

const WORD_BITS: usize = usize::BITS as usize;

/// A set of active places. Few are active at a time, so the words that hold any are marked, too.
#[derive(Debug)]
pub(crate) struct Active {
    places: FixedBitSet,
    words: FixedBitSet,
}

impl Active {
    pub(crate) fn none(places: usize) -> Self {
        Self {
            places: FixedBitSet::with_capacity(places),
            words: FixedBitSet::with_capacity(places.div_ceil(WORD_BITS)),
        }
    }

    pub(crate) fn insert(&mut self, place: usize) {
        self.places.insert(place);
        self.words.insert(place / WORD_BITS);
    }

    pub(crate) fn remove(&mut self, place: usize) {
        self.places.set(place, false);
        let word = place / WORD_BITS;
        self.words.set(word, self.places.as_slice()[word] != 0);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.words.is_clear()
    }

    /// The last active place in this row, if there is one.
    pub(crate) fn last_in(&self, row: &FixedBitSet) -> Option<usize> {
        let (active, row) = (self.places.as_slice(), row.as_slice());
        self.words.ones().rev().find_map(|word| {
            let both = active[word] & row[word];
            (both != 0).then(|| word * WORD_BITS + both.ilog2() as usize)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_active_place_of_a_row_is_found_across_words() {
        let mut active = Active::none(300);
        let mut row = FixedBitSet::with_capacity(300);
        for place in [3, 70, 140, 299] {
            row.insert(place);
        }
        assert_eq!(active.last_in(&row), None);
        for place in [3, 71, 140, 298] {
            active.insert(place);
        }
        assert_eq!(active.last_in(&row), Some(140));
        active.remove(140);
        assert_eq!(active.last_in(&row), Some(3));
        active.remove(3);
        assert_eq!(active.last_in(&row), None);
    }
}
