//! The meaning of a file: a contact, and what the contact cannot hold.

use uuid::Uuid;

use super::residue::{FILE_NAME, INVENTED_GIVEN_NAME, Residue, UNMAPPED};
use super::{settle, slots};
use crate::model::{Contact, ContactId, Field, ResidueText};

/// Namespace of derived UIDs; changing it would change the UID of every card (vcard-mapping D6).
const UID_SPACE: Uuid = Uuid::from_u128(0x2f0c_61d8_7be3_4b0d_8d3e_a61c_0c9b_5f47);

/// What one file means. Two files with equal cards say the same.
///
/// Cards come from [`super::read()`] and [`Card::from_server`], which keep both parts in agreement;
/// whoever changes the contact by other means passes both parts through the latter again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Card {
    /// What the service has fields for.
    pub contact: Contact,
    /// What it has none for.
    pub residue: Residue,
}

impl Card {
    /// The card of a contact as the service returned it.
    ///
    /// Controls, empty list entries and double categories are dropped, a given name we invented
    /// ourselves (see [`Card::for_create`]) is not shown, and user spellings of values that were
    /// changed elsewhere are forgotten, so reading the rendered card gives this card again.
    #[must_use]
    pub fn from_server(contact: Contact, residue: Residue) -> Self {
        let (mut contact, mut residue) = (settle::clean(&contact), residue);
        let invented = residue
            .lines_of(INVENTED_GIVEN_NAME)
            .next()
            .map(str::to_owned);
        if invented.as_deref() == Some(contact.text(Field::GivenName)) {
            contact.set_text(Field::GivenName, "");
        } else {
            residue.set(INVENTED_GIVEN_NAME, None);
        }
        let residue = settle::residue(&contact, &residue);
        Self { contact, residue }
    }

    /// A card of parts that agree but for what was changed in one of them: an invented given name stays hidden as long
    /// as there is no other.
    pub(super) fn settled(contact: &Contact, residue: &Residue) -> Self {
        let contact = settle::clean(contact);
        let mut residue = settle::residue(&contact, residue);
        if !contact.text(Field::GivenName).is_empty() {
            residue.set(INVENTED_GIVEN_NAME, None);
        }
        Self { contact, residue }
    }

    /// What a POST sends.
    ///
    /// The service refuses a contact without a given name (graph-facts 1.4), so one is invented from
    /// the display name, company, e-mail or phone, and the residue remembers that it was. It makes a display name of its
    /// own where there is none; ours is the one that a card without FN goes by.
    #[must_use]
    pub fn for_create(&self) -> (Contact, ResidueText) {
        let (mut contact, mut residue) = (self.contact.clone(), self.residue.clone());
        if contact.text(Field::GivenName).is_empty() {
            let invented = settle::any_name(&contact)
                .unwrap_or(slots::NAMELESS)
                .to_owned();
            residue.set(INVENTED_GIVEN_NAME, Some(&single_line(&invented)));
            contact.set_text(Field::GivenName, single_line(&invented));
        }
        if self.contact.text(Field::DisplayName).is_empty() {
            contact.set_text(Field::DisplayName, slots::composed_name(&self.contact));
        }
        (contact, residue.encode())
    }

    /// The UID the file carries, if it carries one.
    #[must_use]
    pub fn uid(&self) -> Option<String> {
        self.residue
            .lines_of(UNMAPPED)
            .find_map(super::line::uid_of)
    }

    /// The same card without its UID: a copy is another contact and gets a UID of its own
    /// (behaviour 4.3).
    #[must_use]
    pub fn without_uid(&self) -> Self {
        let mut card = self.clone();
        card.residue
            .retain(|entry| entry.slot != UNMAPPED || !super::line::is_uid(&entry.line));
        card
    }

    /// The same card with this UID in its file: a contact that is made anew elsewhere keeps the one it had.
    #[must_use]
    pub fn with_uid(&self, uid: &str) -> Self {
        let mut card = self.without_uid();
        card.residue.push(UNMAPPED, &format!("UID:{uid}"));
        card
    }

    /// Goes on hiding the given name that was invented when `base` was created, if this card has none of its own.
    pub fn inherit_invented(&mut self, base: &Self) {
        if self.contact.text(Field::GivenName).is_empty() {
            let invented = base.residue.lines_of(INVENTED_GIVEN_NAME).next();
            self.residue.set(INVENTED_GIVEN_NAME, invented);
        }
    }

    /// Whether this card already says what the change from `base` to `ours` wants it to say.
    #[must_use]
    pub fn holds_change(&self, base: &Self, ours: &Self) -> bool {
        let mut ours = ours.clone();
        ours.inherit_invented(base);
        let patch = base.contact.patch_to(&ours.contact);
        patch
            .iter()
            .all(|(field, value)| self.contact.get(field) == value)
            && (base.residue == ours.residue || self.residue == ours.residue)
    }

    /// Whether the contact is filed under something that its names do not make.
    #[must_use]
    pub fn has_own_file_as(&self) -> bool {
        !self.contact.text(Field::FileAs).is_empty() && slots::shows_file_as(&self.contact)
    }

    /// The file name a user chose for this contact (behaviour 1.6).
    #[must_use]
    pub fn file_name_hint(&self) -> Option<&str> {
        self.residue.lines_of(FILE_NAME).next()
    }

    /// Remembers or forgets the file name a user chose. Line breaks cannot be remembered.
    pub fn set_file_name_hint(&mut self, name: Option<&str>) {
        self.residue
            .set(FILE_NAME, name.filter(|name| !name.contains('\n')));
    }
}

/// The UID of a contact whose file carries none: a UUIDv5 of its immutable id, the same on every
/// machine (vcard-mapping D6).
#[must_use]
pub fn derived_uid(id: &ContactId) -> String {
    Uuid::new_v5(&UID_SPACE, id.as_str().as_bytes())
        .urn()
        .to_string()
}

fn single_line(text: &str) -> String {
    text.replace('\n', " ")
}
