//! Bringing what comes from the service into the form a card has.
use super::residue::Residue;
use crate::model::Contact;
pub(super) fn clean(contact: &Contact) -> Contact {
    contact.clone()
}
pub(super) fn residue(_contact: &Contact, residue: Residue) -> Residue {
    residue
}
pub(super) fn any_name(_contact: &Contact) -> Option<&str> {
    None
}
