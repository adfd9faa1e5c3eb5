//! What can happen.

use proptest::prelude::*;

/// A property that is edited: its line in a card, and its name at the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Property {
    Phone,
    Title,
    Note,
}

impl Property {
    pub const ALL: [Self; 3] = [Self::Phone, Self::Title, Self::Note];

    /// What its line begins with.
    pub fn line(self) -> &'static str {
        match self {
            Self::Phone => "TEL;TYPE=cell:",
            Self::Title => "TITLE:",
            Self::Note => "NOTE:",
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Phone => "mobilePhone",
            Self::Title => "jobTitle",
            Self::Note => "personalNotes",
        }
    }
}

/// How a program saves a file.
#[derive(Clone, Copy, Debug)]
pub enum Way {
    /// Truncates and writes, in this process.
    InPlace,
    /// Writes a temporary file beside it and renames that over it.
    RenameOver,
    /// Removes it and makes it anew.
    Anew,
    /// `cp` from elsewhere, a process of its own.
    Copy,
    /// `mv` from another filesystem, a process of its own.
    MoveIn,
}

/// One step. People are told apart by an index into those who are there.
#[derive(Clone, Debug)]
pub enum Deed {
    /// A program makes a contact.
    Make { folder: usize },
    /// A program edits a contact.
    Edit {
        who: usize,
        property: Property,
        value: u8,
        way: Way,
    },
    /// A program removes a contact's file.
    Remove { who: usize },
    /// A program gives a contact's file another name.
    Rename { who: usize },
    /// A program renames a contact's file over another's.
    Replace { who: usize, over: usize },
    /// A program moves a contact to the other folder.
    Move { who: usize },
    /// A program leaves a file of its own.
    Scratch,
    /// Somebody makes a contact elsewhere.
    MakeThere { folder: usize },
    /// Somebody edits a contact elsewhere.
    EditThere {
        who: usize,
        property: Property,
        value: u8,
    },
    /// Somebody deletes a contact elsewhere.
    RemoveThere { who: usize },
    /// The service forgets its delta states.
    Forget,
    /// The next reply to a change is lost.
    LoseReply,
    /// The network is gone until the next synchronisation.
    Disconnect,
    /// Both sides are brought in step and compared.
    Sync,
    /// Unmounts and mounts.
    Remount,
    /// Kills the program and mounts.
    Kill,
}

pub fn deed() -> impl Strategy<Value = Deed> {
    let who = || any::<prop::sample::Index>().prop_map(|index| index.index(64));
    let property = || prop::sample::select(Property::ALL.to_vec());
    let way = prop_oneof![
        Just(Way::InPlace),
        Just(Way::RenameOver),
        Just(Way::Anew),
        Just(Way::Copy),
        Just(Way::MoveIn),
    ];
    prop_oneof![
        4 => (0..2_usize).prop_map(|folder| Deed::Make { folder }),
        10 => (who(), property(), any::<u8>(), way)
            .prop_map(|(who, property, value, way)| Deed::Edit { who, property, value, way }),
        2 => who().prop_map(|who| Deed::Remove { who }),
        2 => who().prop_map(|who| Deed::Rename { who }),
        1 => (who(), who()).prop_map(|(who, over)| Deed::Replace { who, over }),
        2 => who().prop_map(|who| Deed::Move { who }),
        1 => Just(Deed::Scratch),
        2 => (0..2_usize).prop_map(|folder| Deed::MakeThere { folder }),
        6 => (who(), property(), any::<u8>())
            .prop_map(|(who, property, value)| Deed::EditThere { who, property, value }),
        1 => who().prop_map(|who| Deed::RemoveThere { who }),
        1 => Just(Deed::Forget),
        1 => Just(Deed::LoseReply),
        1 => Just(Deed::Disconnect),
        5 => Just(Deed::Sync),
        1 => Just(Deed::Remount),
        2 => Just(Deed::Kill),
    ]
}
