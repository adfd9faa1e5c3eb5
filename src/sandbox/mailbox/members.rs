//! The members of a folder in order of creation, so that a list finds any offset at once.

use std::collections::BTreeSet;

use super::Number;

/// Numbers in ascending order, which is the order of creation.
#[derive(Clone, Debug, Default)]
pub(in super::super) struct Members(Vec<Number>);

impl Members {
    pub(in super::super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn insert(&mut self, number: Number) {
        if let Err(place) = self.0.binary_search(&number) {
            self.0.insert(place, number);
        }
    }

    pub(super) fn remove(&mut self, number: Number) {
        if let Ok(place) = self.0.binary_search(&number) {
            self.0.remove(place);
        }
    }

    pub(super) fn all(&self) -> &[Number] {
        &self.0
    }

    /// Those not hidden, from the `skip`th of them on; costs what is hidden, not what is skipped.
    pub(in super::super) fn shown_from<'a>(
        &'a self,
        skip: usize,
        hidden: &'a BTreeSet<Number>,
    ) -> impl Iterator<Item = Number> + 'a {
        let mut start = skip;
        for number in hidden {
            match self.0.binary_search(number) {
                Ok(place) if place <= start => start += 1,
                Ok(_) | Err(_) => {}
            }
        }
        let rest = self.0.get(start..).unwrap_or_default();
        rest.iter()
            .copied()
            .filter(|number| !hidden.contains(number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_leave_out_what_is_hidden() {
        let mut members = Members::default();
        for number in [9, 3, 5, 4, 7, 5] {
            members.insert(number);
        }
        let hidden = BTreeSet::from([1, 3, 5, 9]);
        let from = |skip| members.shown_from(skip, &hidden).collect::<Vec<_>>();
        assert_eq!(members.all(), [3, 4, 5, 7, 9]);
        assert_eq!((from(0), from(1), from(2)), (vec![4, 7], vec![7], vec![]));
    }
}
