//! A list that is empty or holds one thing, nearly always: the first needs no allocation.

#[derive(Clone)]
pub(crate) struct InlineVec<V> {
    first: Option<V>,
    more: Option<Box<Self>>,
}

impl<V> InlineVec<V> {
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

    pub(crate) fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::new();
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &V> {
        std::iter::successors(Some(self), |list| list.more.as_deref()).filter_map(|list| list.first.as_ref())
    }

    pub(crate) fn for_each_mut(&mut self, mut change: impl FnMut(&mut V)) {
        let mut list = Some(self);
        while let Some(Self { first, more }) = list {
            first.iter_mut().for_each(&mut change);
            list = more.as_deref_mut();
        }
    }

    pub(crate) fn retain(&mut self, keep: impl Fn(&V) -> bool) {
        let mut list = Some(self);
        while let Some(Self { first, more }) = list {
            first.take_if(|value| !keep(value));
            list = more.as_deref_mut();
        }
    }
}

impl<V> FromIterator<V> for InlineVec<V> {
    fn from_iter<I: IntoIterator<Item = V>>(values: I) -> Self {
        let mut list = Self::new();
        values.into_iter().for_each(|value| list.push(value));
        list
    }
}

impl<V> Default for InlineVec<V> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_keeps_what_is_pushed_and_retained() {
        let mut list = InlineVec::new();
        for number in 0..4 {
            list.push(number);
        }
        list.retain(|number| number % 2 == 1);
        list.push(4);
        list.for_each_mut(|number| *number += 10);
        let mut kept: Vec<_> = list.iter().copied().collect();
        kept.sort_unstable();
        assert_eq!(kept, [11, 13, 14]);
        list.clear();
        assert_eq!(list.iter().count(), 0);
    }
}
