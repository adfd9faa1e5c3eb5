//! Subscriptions to changes of contacts (graph-facts 8): a hint that a delta query is worth asking, and nothing more.

use jiff::Timestamp;
use reqwest::Method;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use url::Url;

use super::endpoint::segment;
use super::request::{About, Call, Payload};
use super::wire::{self, rows};
use super::{Client, Error};
use crate::model::{FolderId, SubscriptionId};

const KINDS: &str = "created,updated,deleted";

/// Where the service is to tell of changes.
#[derive(Clone, Debug)]
pub struct Hook {
    /// The address it posts to.
    pub url: Url,
    /// What each notification must repeat, at most 128 characters; never logged.
    pub client_state: SecretString,
}

/// A subscription as the service granted it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscription {
    /// Its id.
    pub id: SubscriptionId,
    /// The address that is told.
    pub url: String,
    /// Its end, which may be another one than was asked for.
    pub expires: Timestamp,
}

impl Client {
    /// Asks to be told of every change to the contacts of a folder. The service looks whether the address answers before
    /// it replies.
    ///
    /// # Errors
    /// [`Error::Refused`] when the address does not answer or is not acceptable, [`Error::Denied`], [`Error::FolderGone`],
    /// [`Error::ReplyLost`] when it may have been made; such a one ends by itself.
    pub async fn subscribe(
        &self,
        folder: &FolderId,
        hook: &Hook,
        until: Timestamp,
    ) -> Result<Subscription, Error> {
        let folder = segment(folder.as_str())?;
        let resource = self.path(&format!("/contactFolders/{folder}/contacts"));
        let body = json!({
            "changeType": KINDS,
            "notificationUrl": hook.url.as_str(),
            "lifecycleNotificationUrl": hook.url.as_str(),
            "resource": resource.trim_start_matches('/'),
            "expirationDateTime": time(until),
            "clientState": hook.client_state.expose_secret(),
        });
        let call = Call::new(
            Method::POST,
            About::Subscription,
            "/subscriptions".to_owned(),
            Payload::Json(body),
        );
        let made = self.transport().send(call).await?.into_json();
        let made = made.and_then(|made| subscription(&made));
        made.map_err(|error| Error::ReplyLost {
            source: error.into(),
        })
    }

    /// Moves the end of a subscription; returns the new one.
    ///
    /// # Errors
    /// [`Error::NotFound`] when it has ended already.
    pub async fn renew_subscription(
        &self,
        id: &SubscriptionId,
        until: Timestamp,
    ) -> Result<Timestamp, Error> {
        let call = Call::new(
            Method::PATCH,
            About::Subscription,
            subscription_path(id)?,
            Payload::Json(json!({"expirationDateTime": time(until)})),
        );
        let reply = self.transport().send(call).await?;
        if reply.is_empty() {
            return Ok(until);
        }
        Ok(subscription(&reply.into_json()?)?.expires)
    }

    /// Ends subscriptions; one that has ended already is no error.
    ///
    /// # Errors
    /// The first of those that could not be ended.
    pub async fn unsubscribe(&self, ids: &[SubscriptionId]) -> Result<(), Error> {
        let calls: Vec<Call> = ids
            .iter()
            .map(|id| Ok(Call::delete(About::Subscription, subscription_path(id)?)))
            .collect::<Result<_, Error>>()?;
        for ended in self.transport().run(&calls).await? {
            match ended {
                Ok(_) | Err(Error::NotFound) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Lists the application's subscriptions for this sign-in, also those to other things and of other machines.
    ///
    /// # Errors
    /// Whatever concerns every request.
    pub async fn subscriptions(&self) -> Result<Vec<Subscription>, Error> {
        let (mut found, mut target) = (Vec::new(), "/subscriptions".to_owned());
        loop {
            let call = Call::get(About::Subscription, target);
            let page = self.transport().send(call).await?.into_json()?;
            let before = found.len();
            found.extend(rows(&page)?.iter().filter_map(|row| subscription(row).ok()));
            match wire::next_link(&page).filter(|_| found.len() > before) {
                Some(link) => target = self.transport().endpoint().relative(link)?,
                None => return Ok(found),
            }
        }
    }
}

fn subscription_path(id: &SubscriptionId) -> Result<String, Error> {
    Ok(format!("/subscriptions/{}", segment(id.as_str())?))
}

/// Whole seconds: the service knows no finer ones than a ten-millionth.
fn time(time: Timestamp) -> String {
    format!("{time:.0}")
}

fn subscription(item: &Value) -> Result<Subscription, Error> {
    let text = |name: &str| item.get(name).and_then(Value::as_str);
    let expires = text("expirationDateTime").and_then(|time| time.parse().ok());
    match (text("id"), expires) {
        (Some(id), Some(expires)) if !id.is_empty() => Ok(Subscription {
            id: SubscriptionId::new(id),
            url: text("notificationUrl").unwrap_or_default().to_owned(),
            expires,
        }),
        _ => Err(Error::Malformed {
            what: "a subscription has no id or no end",
        }),
    }
}
