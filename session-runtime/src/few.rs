//! A list that is empty or holds one thing, nearly always: the first needs no allocation.

#[derive(Clone)]
pub(crate) struct Few<V> {
    first: Option<V>,
    more: Option<Box<Self>>,
}

impl<V> Few<V> {
    pub(crate) const fn new() -> Self {
        Self { first: None, more: None }
    }

    pub(crate) fn push(&mut self, value: V) {
        if self.first.is_none() {
            self.first = Some(value);
        } else {
            self.more.get_or_insert_default().push(value);
        }
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::new();
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &V> {
        std::iter::successors(Some(self), |few| few.more.as_deref()).filter_map(|few| few.first.as_ref())
    }

    pub(crate) fn for_each_mut(&mut self, mut change: impl FnMut(&mut V)) {
        let mut few = Some(self);
        while let Some(Self { first, more }) = few {
            first.iter_mut().for_each(&mut change);
            few = more.as_deref_mut();
        }
    }

    pub(crate) fn retain(&mut self, keep: impl Fn(&V) -> bool) {
        let mut few = Some(self);
        while let Some(Self { first, more }) = few {
            first.take_if(|value| !keep(value));
            few = more.as_deref_mut();
        }
    }
}

impl<V> Default for Few<V> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_keeps_what_is_pushed_and_retained() {
        let mut few = Few::new();
        for number in 0..4 {
            few.push(number);
        }
        few.retain(|number| number % 2 == 1);
        few.push(4);
        few.for_each_mut(|number| *number += 10);
        let mut kept: Vec<_> = few.iter().copied().collect();
        kept.sort_unstable();
        assert_eq!(kept, [11, 13, 14]);
        few.clear();
        assert_eq!(few.iter().count(), 0);
    }
}
