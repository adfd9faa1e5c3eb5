//! What to do with a save, decided from what is known. Pure: no clock, no I/O.

use crate::graph::{Error, Write};
use crate::model::{ChangeKey, ContactId, Field};
use crate::store::{Job, Problem};
use crate::vcard::Card;

/// What became of the contact a save was made from.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// The contact is as it was: send the change.
    Send,
    /// It changed elsewhere, and says something else: the two are merged.
    Merge,
    /// It says already what we want: there is nothing to send.
    Done,
}

/// Compares a save with the contact as it is now. A new version that says what the old one did is no change: a photo or
/// a flag changed.
/// What `theirs` holds already was sent before with its reply lost, whatever the service made of the rest; but a save that
/// waits behind (`is_last` is false) was not made from the rest.
pub(super) fn compare(job: &Job, theirs: &Card, is_last: bool) -> Next {
    let Some(ours) = &job.ours else {
        return Next::Done;
    };
    let is_held = |base| is_last && theirs.holds_change(base, ours);
    if theirs == ours {
        Next::Done
    } else if job.base.as_ref() == Some(theirs) {
        Next::Send
    } else if job.base.as_ref().is_some_and(is_held) {
        Next::Done
    } else {
        Next::Merge
    }
}

/// The change that turns `base` into `ours`, for the version `key`; `None` when there is nothing to change.
pub(super) fn update(id: &ContactId, key: &ChangeKey, base: &Card, ours: &Card) -> Option<Write> {
    let mut patch = base.contact.patch_to(&ours.contact);
    let is_renamed = patch.iter().any(|(field, _)| field.is_name_part());
    if is_renamed && !patch.touches(Field::FileAs) && base.has_own_file_as() {
        // The service may make it anew with the name, as it does the display name (vcard-mapping 2).
        let file_as = ours.contact.get(Field::FileAs).cloned();
        patch.insert(Field::FileAs, file_as);
    }
    let residue = (base.residue != ours.residue).then(|| ours.residue.encode());
    if patch.is_empty() && residue.is_none() {
        return None;
    }
    Some(Write::Update {
        id: id.clone(),
        change_key: key.clone(),
        patch,
        target: ours.contact.clone(),
        residue,
    })
}

/// What an error means for one save.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Try again later.
    Retry {
        /// The request may have been carried out.
        unsure: bool,
    },
    /// The contact changed meanwhile.
    Changed,
    /// The contact is not there any more.
    Gone,
    /// It will never be taken, for this reason.
    Refused(Problem),
}

impl Verdict {
    /// Whether the same may succeed later.
    pub(super) fn is_retry(&self) -> bool {
        matches!(self, Self::Retry { .. })
    }
}

/// Attempts after which a contact that makes the service fail again and again is given up: nulls and wrong ids look
/// like trouble of the service (graph-facts 9.4).
pub(super) const LAST_ATTEMPT: u32 = 8;

/// What to do with a save after an error.
pub(super) fn judge(error: &Error, attempts: u32) -> Verdict {
    match error {
        Error::Changed if attempts >= LAST_ATTEMPT => {
            refused(format!("the server saw a conflict in it {attempts} times"))
        }
        Error::Changed => Verdict::Changed,
        Error::NotFound => Verdict::Gone,
        Error::Refused { code, message } => {
            refused(format!("the server refused it: {message} ({code})"))
        }
        Error::Service { status: 500, code } if attempts >= LAST_ATTEMPT => refused(format!(
            "the server failed on it {attempts} times (status 500 {code})"
        )),
        Error::Denied { .. } => Verdict::Refused(Problem::Denied(said(error))),
        Error::QuotaExceeded => Verdict::Refused(Problem::NoRoom(said(error))),
        Error::TooLarge { .. } => Verdict::Refused(Problem::TooLarge(said(error))),
        Error::FolderGone | Error::FolderExists => refused(said(error)),
        // Nothing is wrong with the save itself.
        Error::Offline { .. }
        | Error::Throttled { .. }
        | Error::SignInNeeded { .. }
        | Error::SyncStateLost
        | Error::Service { .. }
        | Error::NoMailbox { .. }
        | Error::ForeignOrigin { .. }
        | Error::Redirected { .. }
        | Error::Malformed { .. }
        | Error::ReplyLost { .. }
        | Error::Config { .. } => Verdict::Retry {
            unsure: error.may_have_happened(),
        },
    }
}

fn refused(sentence: String) -> Verdict {
    Verdict::Refused(Problem::Rejected(sentence))
}

fn said(error: &Error) -> String {
    format!("the server refused it: {error}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Contact, Field};
    use crate::store::{Op, Seq};
    use crate::vcard::Residue;

    fn card(phone: &str, title: &str) -> Card {
        let mut contact = Contact::default();
        contact.set_text(Field::GivenName, "Ann");
        contact.set_text(Field::MobilePhone, phone);
        contact.set_text(Field::JobTitle, title);
        Card::from_server(contact, Residue::default())
    }

    fn save(base: Card, ours: Card) -> Job {
        Job {
            seq: Seq(1),
            op: Op::Update,
            contact: None,
            folder: None,
            attempts: 0,
            unsure: false,
            base: Some(base),
            base_key: None,
            ours: Some(ours),
            client: None,
            moved: None,
            name: None,
        }
    }

    #[test]
    fn a_save_meets_the_contact_as_it_is() {
        let job = save(card("1", "x"), card("2", "x"));
        assert_eq!(compare(&job, &card("2", "x"), true), Next::Done);
        assert_eq!(compare(&job, &card("1", "x"), true), Next::Send);
        assert_eq!(compare(&job, &card("3", "x"), true), Next::Merge);
        assert_eq!(compare(&job, &card("1", "y"), true), Next::Merge);
    }

    #[test]
    fn a_save_that_arrived_is_no_clash_whatever_the_service_made_of_the_rest() {
        let job = save(card("1", "x"), card("2", "x"));
        assert_eq!(compare(&job, &card("2", "X"), true), Next::Done);
        assert_eq!(compare(&job, &card("2", "X"), false), Next::Merge);
    }

    #[test]
    fn a_row_that_fails_for_ever_is_given_up() {
        let error = || Error::Service {
            status: 500,
            code: String::new(),
        };
        assert!(judge(&error(), 7).is_retry());
        assert!(!judge(&error(), LAST_ATTEMPT).is_retry());
    }
}
