//! What a reply, or the lack of one, means: done, failed for good, or worth another try.
//!
//! Matches on status and code only, codes without case (graph-facts 9.4). A POST is never repeated unless the service
//! said that it did not carry it out, and a guarded change never after a wait: only its caller can look again.

use std::time::Duration;

use reqwest::Method;
use tokio::time::Instant;

use super::obstacle::Blocked;
use super::request::{About, Call, Reply};
use super::{Error, throttle, wire};
use crate::auth::Challenge;

/// What came of sending a request once.
#[derive(Debug)]
pub(super) enum Outcome {
    /// A reply, whatever its status.
    Replied(Reply),
    /// The request did not leave the machine.
    NotSent(Blocked),
    /// It was sent, and no readable reply came.
    NoReply(Blocked),
    /// The reply is longer than the call takes.
    TooLong,
}

impl Outcome {
    pub(super) fn reply(&self) -> Option<&Reply> {
        match self {
            Self::Replied(reply) => Some(reply),
            Self::NotSent(_) | Self::NoReply(_) | Self::TooLong => None,
        }
    }

    pub(super) fn reply_mut(&mut self) -> Option<&mut Reply> {
        match self {
            Self::Replied(reply) => Some(reply),
            Self::NotSent(_) | Self::NoReply(_) | Self::TooLong => None,
        }
    }

    /// The claims challenge of the reply.
    pub(super) fn challenge(&self) -> Option<Challenge> {
        self.reply()?.challenge.clone()
    }
}

/// What to do about an outcome.
#[derive(Debug)]
pub(super) enum Verdict {
    /// It is over.
    Done(Result<Reply, Error>),
    /// Try once more; `otherwise` is the answer if there is no patience left.
    Again {
        /// After this long.
        pause: Duration,
        /// What has to change before.
        remedy: Remedy,
        /// The error if it is not tried again.
        otherwise: Error,
    },
}

/// What has to change before another try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Remedy {
    /// Time passes.
    Wait,
    /// A new token is fetched.
    Token,
}

/// Most times a request is sent, by what came of it.
const THROTTLED_ATTEMPTS: u32 = 5;
const UNAVAILABLE_ATTEMPTS: u32 = 5;
/// Fewer, for a 500 may also mean that the request is wrong (trap 5).
const FAILED_ATTEMPTS: u32 = 3;
const LOST_ATTEMPTS: u32 = 3;

/// Judges the outcome of sending `call` for the `attempt`th time (from 1).
pub(super) fn judge(call: &Call, outcome: Outcome, attempt: u32, token_renewed: bool) -> Verdict {
    match judge_outcome(call, outcome, attempt, token_renewed) {
        Verdict::Again {
            remedy: Remedy::Wait,
            otherwise,
            ..
        } if call.is_guarded() => Verdict::Done(Err(otherwise)),
        verdict => verdict,
    }
}

fn judge_outcome(call: &Call, outcome: Outcome, attempt: u32, token_renewed: bool) -> Verdict {
    match doubted(call, outcome) {
        Outcome::Replied(reply) if reply.is_success() => Verdict::Done(Ok(reply)),
        Outcome::Replied(reply) => judge_failure(call, &reply, attempt, token_renewed),
        Outcome::NotSent(lost) => Verdict::Done(Err(Error::Offline {
            source: lost.cause(),
        })),
        Outcome::TooLong if call.is_repeatable() => {
            Verdict::Done(Err(Error::TooLarge { what: "a reply" }))
        }
        Outcome::TooLong => Verdict::Done(Err(Error::ReplyLost {
            source: "the reply is too long".into(),
        })),
        Outcome::NoReply(lost) if !call.is_repeatable() => Verdict::Done(Err(Error::ReplyLost {
            source: lost.cause(),
        })),
        Outcome::NoReply(lost) => {
            let otherwise = Error::Offline {
                source: lost.cause(),
            };
            again(
                // Who was silent for so long would be again.
                attempt < LOST_ATTEMPTS && !lost.is_timeout(),
                throttle::backoff(attempt),
                Remedy::Wait,
                otherwise,
            )
        }
    }
}

/// A reply that need say nothing but success, and says something else, comes from something on the way: a portal that
/// wants a password, say. The other replies are doubted by those who read them.
fn doubted(call: &Call, outcome: Outcome) -> Outcome {
    let says_little = matches!(call.method, Method::DELETE | Method::PUT);
    match outcome {
        Outcome::Replied(reply) if reply.is_success() && says_little && !reply.is_ours() => {
            Outcome::NoReply(Blocked::lost("the reply is not one of the service"))
        }
        outcome => outcome,
    }
}

fn judge_failure(call: &Call, reply: &Reply, attempt: u32, token_renewed: bool) -> Verdict {
    let pause = reply
        .retry_after
        .unwrap_or_else(|| throttle::backoff(attempt));
    let otherwise = classify(call, reply, pause);
    match reply.status {
        // Refused unseen, for the token's sake (graph-facts 10.7).
        401 | 403 if reply.challenge.is_some() => {
            let otherwise = Error::SignInNeeded {
                reason: "the service wants a fresh sign-in".to_owned(),
            };
            again(!token_renewed, Duration::ZERO, Remedy::Token, otherwise)
        }
        401 => again(
            !token_renewed && matches!(otherwise, Error::SignInNeeded { .. }),
            Duration::ZERO,
            Remedy::Token,
            otherwise,
        ),
        // Refused unseen, so even a POST may be sent again.
        429 => again(attempt < THROTTLED_ATTEMPTS, pause, Remedy::Wait, otherwise),
        _ if !call.is_repeatable() || !matches!(otherwise, Error::Service { .. }) => {
            Verdict::Done(Err(otherwise))
        }
        503 | 504 | 509 => again(
            attempt < UNAVAILABLE_ATTEMPTS,
            pause,
            Remedy::Wait,
            otherwise,
        ),
        _ => again(attempt < FAILED_ATTEMPTS, pause, Remedy::Wait, otherwise),
    }
}

fn again(is_worth_it: bool, pause: Duration, remedy: Remedy, otherwise: Error) -> Verdict {
    if is_worth_it {
        Verdict::Again {
            pause,
            remedy,
            otherwise,
        }
    } else {
        Verdict::Done(Err(otherwise))
    }
}

/// The error a failure reply stands for; `pause` is how long a throttled client should be silent.
fn classify(call: &Call, reply: &Reply, pause: Duration) -> Error {
    let said = reply
        .clone()
        .into_json()
        .map(|body| wire::error(&body))
        .unwrap_or_default();
    let code = said.code.to_ascii_lowercase();
    let inner = said.inner.to_ascii_lowercase();
    if let Some(error) = by_code(&code, call.about).or_else(|| by_code(&inner, call.about)) {
        return error;
    }
    let code = said.code;
    match reply.status {
        // What does not speak Graph comes from something on the way. It must make nothing disappear, refuse no save, and ask
        // nobody to sign in (behaviour 7.5). Some refusals have no body by nature.
        status @ 400..=499 if code.is_empty() && !matches!(status, 401 | 410 | 412 | 413 | 429) => {
            Error::Service { status, code }
        }
        300..=399 => Error::Redirected {
            status: reply.status,
        },
        // A personal account answers so for what it does not offer; the sign-in is fine (graph-facts 1.7).
        401 if code.eq_ignore_ascii_case("UnknownError") => Error::Denied { code },
        401 => Error::SignInNeeded {
            reason: if code.is_empty() {
                "the token was refused".to_owned()
            } else {
                code
            },
        },
        403 => Error::Denied { code },
        404 if matches!(call.about, About::Folder | About::DeltaLink) => Error::FolderGone,
        404 if call.about == About::Mailbox => Error::NoMailbox { code },
        404 => Error::NotFound,
        400 if call.about == About::DeltaLink => Error::SyncStateLost,
        410 if call.about == About::Contact => Error::NotFound,
        410 => Error::SyncStateLost,
        412 => Error::Changed,
        413 => Error::TooLarge { what: "a request" },
        429 => Error::Throttled {
            until: Instant::now() + pause,
        },
        408 | 424 | 500.. => Error::Service {
            status: reply.status,
            code,
        },
        _ => Error::Refused {
            code,
            message: said.message,
        },
    }
}

/// Codes that mean the same whatever the status they come with.
fn by_code(code: &str, about: About) -> Option<Error> {
    let error = match code {
        "errorfolderexists" => Error::FolderExists,
        "errorirresolvableconflict" => Error::Changed,
        "syncstatenotfound" | "resyncrequired" | "syncstateinvalid" => Error::SyncStateLost,
        "errorfoldernotfound" | "errorsyncfoldernotfound" | "errorparentfoldernotfound" => {
            Error::FolderGone
        }
        "mailboxnotenabledforrestapi" | "errornonexistentmailbox" | "errorinvaliduser" => {
            Error::NoMailbox {
                code: code.to_owned(),
            }
        }
        "errorquotaexceeded" => Error::QuotaExceeded,
        "errormessagesizeexceeded" => Error::TooLarge {
            what: "the contact",
        },
        // Already purged (graph-facts 2.6).
        "errorcannotdeleteobject" if about == About::Contact => Error::NotFound,
        _ => return None,
    };
    Some(error)
}
