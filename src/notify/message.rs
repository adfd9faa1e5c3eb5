//! What a notification says, as far as it is believed.

use std::collections::HashSet;

use serde_json::Value;

use crate::model::SubscriptionId;

/// One thing the service said of one subscription.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Notice {
    /// Of which.
    pub subscription: SubscriptionId,
    /// What.
    pub event: Event,
}

/// What the service said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// Something changed in what is subscribed to.
    Changed,
    /// Notifications were lost.
    Missed,
    /// The subscription is gone.
    Removed,
    /// The subscription stops unless it is renewed.
    MustRenew,
}

/// Reads the body of a notification: each of its notices once. `None` when it is no notification at all; without the
/// right `client_state` a notice does not count.
pub(super) fn read(body: &[u8], client_state: &str) -> Option<HashSet<Notice>> {
    let body: Value = serde_json::from_slice(body).ok()?;
    let items = body.get("value")?.as_array()?;
    let text = |item: &Value, name: &str| item.get(name)?.as_str().map(str::to_owned);
    let genuine = items
        .iter()
        .filter(|item| text(item, "clientState").as_deref() == Some(client_state));
    let notices = genuine.filter_map(|item| {
        Some(Notice {
            subscription: SubscriptionId::new(text(item, "subscriptionId")?),
            event: event(text(item, "lifecycleEvent").as_deref())?,
        })
    });
    Some(notices.collect())
}

fn event(lifecycle: Option<&str>) -> Option<Event> {
    match lifecycle {
        None => Some(Event::Changed),
        Some("missed") => Some(Event::Missed),
        Some("subscriptionRemoved") => Some(Event::Removed),
        Some("reauthorizationRequired") => Some(Event::MustRenew),
        // An event of the future; what it means nobody here knows.
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn heard(body: &Value) -> Option<Vec<(String, Event)>> {
        let notices = read(body.to_string().as_bytes(), "secret")?.into_iter();
        let mut heard: Vec<_> = notices
            .map(|notice| (notice.subscription.to_string(), notice.event))
            .collect();
        heard.sort_by_key(|(id, _)| id.clone());
        Some(heard)
    }

    #[test]
    fn changes_and_events_are_told_apart_and_each_counts_once() {
        let item = |id: &str, event: Option<&str>| json!({"subscriptionId": id, "clientState": "secret", "lifecycleEvent": event});
        let body = json!({"value": [
            item("a", None), item("a", None), item("b", Some("missed")), item("c", Some("subscriptionRemoved")),
            item("d", Some("reauthorizationRequired")), item("e", Some("unheardOf")),
        ]});
        let expected = [
            ("a", Event::Changed),
            ("b", Event::Missed),
            ("c", Event::Removed),
            ("d", Event::MustRenew),
        ];
        let expected = expected.map(|(id, event)| (id.to_owned(), event));
        assert_eq!(heard(&body).unwrap(), expected);
    }

    #[test]
    fn what_lacks_the_secret_does_not_count() {
        for state in [json!("Secret"), json!(""), json!(null), json!(7)] {
            let body = json!({"value": [{"subscriptionId": "a", "clientState": state}]});
            assert_eq!(heard(&body).unwrap(), []);
        }
        assert_eq!(
            heard(&json!({"value": [{"subscriptionId": "a"}, 3]})).unwrap(),
            []
        );
    }

    #[test]
    fn what_is_no_notification_is_refused() {
        for body in [json!({}), json!([]), json!({"value": {}}), json!("text")] {
            assert_eq!(heard(&body), None);
        }
        assert_eq!(read(b"{", "secret"), None);
    }
}
