//! Three-way merge of lists, element by element.

use super::{Prefer, Sides};

/// One element of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Element {
    /// What it is: two elements of equal keys are the same.
    pub(super) key: String,
    /// A name beside it; the service may change it (graph-facts 1.4).
    pub(super) name: String,
    /// The user's own line for it.
    pub(super) shadow: Option<String>,
    /// Only an element of the same kin can have taken another's place.
    pub(super) kin: String,
}

impl Element {
    /// A line without a field.
    pub(super) fn line(line: &str, kin: String) -> Self {
        Self {
            key: line.to_owned(),
            name: String::new(),
            shadow: None,
            kin,
        }
    }
}

/// A merged list.
pub(super) struct Merged {
    pub(super) elements: Vec<Element>,
    /// The elements of the base that were replaced by others on both sides, or whose lines were.
    pub(super) clashes: Vec<String>,
}

/// What one side made of the base's elements.
struct Diff {
    /// For each element of the base: where it is now.
    kept: Vec<Option<usize>>,
    /// For each element of the base that is gone: what seems to have taken its place.
    replaced: Vec<Option<usize>>,
}

impl Diff {
    fn new(base: &[Element], side: &[Element]) -> Self {
        let mut free = vec![true; side.len()];
        let mut take = |is: &dyn Fn(&Element) -> bool| {
            let at = side
                .iter()
                .zip(&free)
                .position(|(element, free)| *free && is(element))?;
            if let Some(free) = free.get_mut(at) {
                *free = false;
            }
            Some(at)
        };
        let kept: Vec<_> = base
            .iter()
            .map(|old| take(&|new: &Element| new.key == old.key))
            .collect();
        let replaced = base
            .iter()
            .zip(&kept)
            .map(|(old, kept)| match kept {
                Some(_) => None,
                None => take(&|new: &Element| new.kin == old.kin),
            })
            .collect();
        Self { kept, replaced }
    }

    /// The base's element that an element of this side is, or stands for.
    fn origin(&self, at: usize) -> Option<(usize, bool)> {
        let find = |of: &[Option<usize>]| of.iter().position(|place| *place == Some(at));
        find(&self.kept)
            .map(|base| (base, true))
            .or_else(|| find(&self.replaced).map(|base| (base, false)))
    }
}

/// Merges; the order is that of theirs, with ours put in at the places they have here. An element beyond `max` comes last.
pub(super) fn merge(sides: &Sides<Vec<Element>>, prefer: Prefer, max: usize) -> Merged {
    let Sides { base, ours, theirs } = sides;
    let (here, there) = (Diff::new(base, ours), Diff::new(base, theirs));
    let mut is_placed = vec![false; ours.len()];
    let mut place = |at: Option<usize>| {
        let at = at?;
        *is_placed.get_mut(at)? = true;
        ours.get(at)
    };
    let mut merged = Merged {
        elements: Vec::new(),
        clashes: Vec::new(),
    };
    for (at, their) in theirs.iter().enumerate() {
        let chosen = match there.origin(at) {
            Some((old, true)) => match (base.get(old), at_of(&here.kept, old)) {
                (Some(old), our @ Some(_)) => {
                    place(our).map(|our| same(old, our, their, prefer, &mut merged.clashes))
                }
                // Gone here, but its line was edited there: the edit wins.
                (Some(old), None) if old.shadow != their.shadow => Some(their.clone()),
                // Gone here, or replaced: what took its place stands where it was.
                _ => place(at_of(&here.replaced, old)).cloned(),
            },
            Some((old, false)) if at_of(&here.kept, old).is_none() => {
                let our = place(at_of(&here.replaced, old));
                match our {
                    Some(our) if our.key != their.key => {
                        merged
                            .clashes
                            .extend(base.get(old).map(|old| old.key.clone()));
                        Some(prefer.pick(our, their).clone())
                    }
                    _ => Some(their.clone()),
                }
            }
            Some((_, false)) | None => {
                // Perhaps added here as well.
                let is_same = |(at, our): &(usize, &Element)| {
                    our.key == their.key && here.origin(*at).is_none_or(|(_, kept)| !kept)
                };
                let our = ours.iter().enumerate().find(is_same).map(|(at, _)| at);
                place(our);
                Some(their.clone())
            }
        };
        merged.elements.extend(chosen);
    }
    for (at, our) in ours.iter().enumerate() {
        let is_placed = is_placed.get(at).copied().unwrap_or_default();
        let is_old = |(old, kept): (usize, bool)| {
            kept && base.get(old).is_some_and(|old| old.shadow == our.shadow)
        };
        // Unchanged here and gone there: gone.
        if is_placed || here.origin(at).is_some_and(is_old) {
            continue;
        }
        let len = merged.elements.len();
        let at = if len < max { at.min(len) } else { len };
        merged.elements.insert(at, our.clone());
    }
    merged
}

fn at_of(places: &[Option<usize>], old: usize) -> Option<usize> {
    places.get(old).copied().flatten()
}

/// An element that both sides kept, with what they changed of its name and line.
fn same(
    old: &Element,
    our: &Element,
    their: &Element,
    prefer: Prefer,
    clashes: &mut Vec<String>,
) -> Element {
    let sides = Sides {
        base: old,
        ours: our,
        theirs: their,
    };
    let (name, _) = sides.map(|element| element.name.clone()).one(prefer);
    let (shadow, is_clash) = sides.map(|element| element.shadow.clone()).one(prefer);
    if is_clash {
        clashes.push(old.key.clone());
    }
    Element {
        name,
        shadow,
        ..old.clone()
    }
}
