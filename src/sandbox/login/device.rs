//! Device codes (graph-facts 10.3): asked for, approved elsewhere, polled no faster than allowed.

use serde_json::{Value, json};

use super::{Consent, Denied, Form, Login, scopes};
use crate::sandbox::people;

/// A sign-in that waits for its person.
#[derive(Clone, Debug)]
pub(super) struct Device {
    user_code: String,
    scopes: Vec<String>,
    expires: i64,
    /// Grows by five seconds at each hasty poll (RFC 8628 section 3.5).
    interval: i64,
    decision: Decision,
    last_poll: Option<i64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Decision {
    Pending,
    Approved(&'static people::Person),
    Declined,
}

impl Login {
    /// Approves or declines pending devices: the one with this user code, or all when it is empty. Returns how many.
    pub(in crate::sandbox) fn decide(
        &mut self,
        user_code: &str,
        user: Option<&'static people::Person>,
    ) -> usize {
        let decision = user.map_or(Decision::Declined, Decision::Approved);
        let wanted = |device: &&mut Device| {
            device.decision == Decision::Pending
                && (user_code.is_empty() || device.user_code.eq_ignore_ascii_case(user_code))
        };
        self.devices
            .values_mut()
            .filter(wanted)
            .map(|device| device.decision = decision)
            .count()
    }

    /// Ends the life of every pending device code.
    pub(in crate::sandbox) fn expire_devices(&mut self) {
        for device in self.devices.values_mut() {
            device.expires = 0;
        }
    }

    pub(super) fn begin_device(&mut self, form: &Form<'_>) -> Result<Value, Denied> {
        super::check_client(form.get("client_id"))?;
        let scopes = scopes::parse(form.get("scope"), form.origin, form.tenant)?;
        let code = uuid::Uuid::new_v4().simple().to_string();
        let user_code: String = code
            .chars()
            .take(9)
            .collect::<String>()
            .to_ascii_uppercase();
        let device = Device {
            user_code: user_code.clone(),
            scopes,
            expires: self.now() + self.settings.device_seconds,
            interval: self.settings.device_interval,
            decision: Decision::Pending,
            last_poll: None,
        };
        self.devices.insert(code.clone(), device);
        let page = format!("{}/sandbox/device", form.origin);
        Ok(json!({
            "device_code": code,
            "user_code": user_code,
            "verification_uri": page,
            "expires_in": self.settings.device_seconds,
            "interval": self.settings.device_interval,
            "message": format!("To sign in, use a web browser to open the page {page} and enter the code {user_code} to authenticate."),
        }))
    }

    pub(super) fn poll_device(&mut self, form: &Form<'_>) -> Result<Value, Denied> {
        self.check_public_client(form)?;
        if !self.settings.public_client {
            return Err(Denied::not_public());
        }
        let now = self.now();
        let device = self.devices.get_mut(form.get("device_code"));
        let device = device.ok_or_else(|| {
            Denied::new("bad_verification_code", 70018, "Invalid verification code.")
        })?;
        if device.expires <= now {
            return Err(Denied::new(
                "expired_token",
                70020,
                "The device code has expired.",
            ));
        }
        let interval = device.interval.max(self.settings.device_interval);
        let last = device.last_poll.replace(now);
        match device.decision {
            Decision::Declined => Err(Denied::new(
                "authorization_declined",
                70000,
                "The user declined.",
            )),
            Decision::Pending if last.is_some_and(|last| now - last < interval) => {
                device.interval += 5;
                Err(Denied::new("slow_down", 70016, "Polling too often."))
            }
            Decision::Pending => Err(Denied::new(
                "authorization_pending",
                70016,
                "The user has not signed in yet.",
            )),
            Decision::Approved(_) if self.settings.consent == Consent::Admin => {
                Err(Denied::consent(form.get("client_id")))
            }
            Decision::Approved(person) => {
                let scopes = scopes::given(&device.scopes, self.settings.grantable.as_deref());
                self.devices.remove(form.get("device_code"));
                Ok(self.grant_anew(person, &scopes, form))
            }
        }
    }
}
