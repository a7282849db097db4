//! What some sessions have beside what a slot has room for, at numbers that the slots keep.

use std::mem;
use std::sync::Arc;

use super::name::OwnerHash;
use crate::store::{Attributes, SessionHandle};

pub(super) struct Extra {
    pub(super) attributes: Option<Arc<Attributes>>,
    pub(super) owner: Option<(OwnerHash, SessionHandle)>,
    /// When it was last used.
    pub(super) used: u64,
}

#[derive(Default)]
pub(super) struct Extras {
    places: Vec<Place>,
    /// The number of those that are taken.
    taken: usize,
    /// The place that was vacated last.
    vacant: Option<u32>,
}

enum Place {
    Taken(Extra),
    /// The place that was vacated before.
    Vacant(Option<u32>),
}

impl Extras {
    #[expect(clippy::cast_possible_truncation, reason = "there are no more than slots, of which 32 bits count all")]
    pub(super) fn insert(&mut self, extra: Extra) -> u32 {
        self.taken += 1;
        let vacant = self.vacant.and_then(|number| Some((number, self.places.get_mut(number as usize)?)));
        let Some((number, place)) = vacant else {
            self.places.push(Place::Taken(extra));
            return self.places.len() as u32 - 1;
        };
        if let Place::Vacant(before) = mem::replace(place, Place::Taken(extra)) {
            self.vacant = before;
        }
        number
    }

    pub(super) fn get(&self, number: u32) -> Option<&Extra> {
        match self.places.get(number as usize)? {
            Place::Taken(extra) => Some(extra),
            Place::Vacant(_) => None,
        }
    }

    pub(super) fn get_mut(&mut self, number: u32) -> Option<&mut Extra> {
        match self.places.get_mut(number as usize)? {
            Place::Taken(extra) => Some(extra),
            Place::Vacant(_) => None,
        }
    }

    pub(super) fn remove(&mut self, number: u32) -> Option<Extra> {
        let place = self.places.get_mut(number as usize)?;
        if matches!(place, Place::Vacant(_)) {
            return None;
        }
        let removed = mem::replace(place, Place::Vacant(self.vacant.replace(number)));
        self.taken -= 1;
        if self.taken == 0 {
            *self = Self::default();
        }
        match removed {
            Place::Taken(extra) => Some(extra),
            Place::Vacant(_) => None,
        }
    }

    #[cfg(test)]
    pub(super) const fn len(&self) -> usize {
        self.taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn extra(used: u64) -> Extra {
        Extra { attributes: None, owner: None, used }
    }

    #[test]
    fn places_are_used_again_and_given_back_with_the_last() {
        let mut extras = Extras::default();
        assert_eq!([0, 1, 2].map(|used| extras.insert(extra(used))), [0, 1, 2]);
        assert_eq!(extras.remove(0).map(|extra| extra.used), Some(0));
        assert_eq!(extras.remove(2).map(|extra| extra.used), Some(2));
        assert!(extras.remove(2).is_none() && extras.get(0).is_none() && extras.get_mut(2).is_none() && extras.get(3).is_none());
        assert_eq!([3, 4, 5].map(|used| extras.insert(extra(used))), [2, 0, 3]);
        assert_eq!([2, 1, 0, 3].map(|number| extras.get(number).map(|extra| extra.used)), [3, 1, 4, 5].map(Some));
        assert_eq!(extras.len(), 4);
        for number in 0..4 {
            assert!(extras.remove(number).is_some());
        }
        assert_eq!((extras.len(), extras.places.capacity()), (0, 0));
        assert_eq!(extras.insert(extra(6)), 0);
    }

    #[test]
    fn a_place_takes_no_more_than_what_lies_there() {
        assert_eq!(size_of::<Place>(), size_of::<Extra>());
        assert!(size_of::<Extra>() <= 48);
    }
}
