//! What the login service means by its error numbers, in sentences (graph-facts 10.3 to 10.6).
//!
//! The texts it sends are for developers and may change; the AADSTS number at their beginning is what stays.

use super::service::Registration;

/// How much of an unknown explanation is kept, in characters.
const MAX_REASON: usize = 300;

/// A difference of clocks below this is not worth a word, in seconds.
const CLOSE_ENOUGH: i64 = 120;

/// Nobody has consented to what the application asks, or nobody may but an administrator.
const CONSENT: [u32; 5] = [65001, 65004, 90008, 90094, 90095];

/// A refusal as one sentence without a full stop; `ahead` is by how many seconds the service's clock is ahead.
pub(super) fn sentence(
    application: &Registration,
    code: &str,
    description: &str,
    ahead: i64,
) -> String {
    let number = number(description);
    let reference = match number {
        Some(number) => format!("{code}, AADSTS{number}"),
        None => code.to_owned(),
    };
    match known(application, code, number, ahead) {
        Some(text) => format!("{text} ({reference})"),
        None => {
            let first = description.lines().next().unwrap_or_default();
            let first = first.split(" Trace ID:").next().unwrap_or_default();
            let text = format!("{code} {first}");
            text.trim_end().chars().take(MAX_REASON).collect()
        }
    }
}

/// Whether the refusal says that nobody has consented yet.
pub(super) fn is_consent(description: &str) -> bool {
    number(description).is_some_and(|number| CONSENT.contains(&number))
}

fn known(
    application: &Registration,
    code: &str,
    number: Option<u32>,
    ahead: i64,
) -> Option<String> {
    let Registration {
        tenant, client_id, ..
    } = application;
    let text = match (number.unwrap_or(0), code) {
        (90002 | 900_023 | 50020 | 900_971, _) => {
            let host = application.login_url.host_str().unwrap_or_default();
            format!("there is no tenant {tenant} at {host}; check the tenant and the cloud")
        }
        (50059, _) => format!(
            "the tenant {tenant} stands for several; an application needs the id or domain of its own"
        ),
        (700_016, _) => format!("the tenant {tenant} has no application {client_id}; check the client id"),
        (7_000_215, _) => "the client secret is wrong; take its value, not its id".to_owned(),
        (7_000_222, _) => "the client secret has expired; make a new one".to_owned(),
        (7_000_218, _) => {
            "the application's registration does not allow public client flows; switch that on".to_owned()
        }
        (700_025, _) => "the application is a public client, so no secret must be set".to_owned(),
        (700_027 | 700_030, _) => {
            "the certificate is not the one registered with the application".to_owned()
        }
        (1_000_502, _) => "the certificate has expired or is not valid yet; register a new one".to_owned(),
        (700_024, _) => clock(ahead),
        (50011, _) => {
            "the application's registration lacks the redirect http://localhost for mobile and desktop".to_owned()
        }
        (number, _) if CONSENT.contains(&number) => {
            "the application may not read the contacts: you or an administrator must consent"
                .to_owned()
        }
        (53000..=53011, _) => {
            "a rule of your organisation forbids this way of signing in; try --browser".to_owned()
        }
        (_, "authorization_declined" | "access_denied") => "the sign-in was declined".to_owned(),
        (_, "expired_token") => "the code was not entered in time".to_owned(),
        (_, "interaction_required") => {
            "the organisation asks for you in person, for example for a second factor".to_owned()
        }
        (_, "invalid_grant") => "the sign-in has expired or was revoked".to_owned(),
        _ => return None,
    };
    Some(text)
}

fn clock(ahead: i64) -> String {
    let minutes = (ahead.abs() + 30) / 60;
    match ahead {
        CLOSE_ENOUGH.. => {
            format!("this computer's clock is {minutes} minutes behind the login service's; set it")
        }
        ..0 if -ahead >= CLOSE_ENOUGH => {
            format!(
                "this computer's clock is {minutes} minutes ahead of the login service's; set it"
            )
        }
        _ => "this computer's clock differs from the login service's; set it".to_owned(),
    }
}

fn number(description: &str) -> Option<u32> {
    let digits = description.trim_start().strip_prefix("AADSTS")?;
    let end = digits.find(|c: char| !c.is_ascii_digit());
    digits.get(..end.unwrap_or(digits.len()))?.parse().ok()
}

#[cfg(test)]
mod tests {
    use url::Url;

    use super::*;

    fn said(code: &str, description: &str, ahead: i64) -> String {
        let application = Registration {
            login_url: Url::parse("https://login.microsoftonline.com").unwrap(),
            graph_url: Url::parse("https://graph.microsoft.com/v1.0").unwrap(),
            tenant: "contoso.example".to_owned(),
            client_id: "app".to_owned(),
        };
        sentence(&application, code, description, ahead)
    }

    #[test]
    fn numbers_decide_and_stay_visible() {
        assert_eq!(
            said("invalid_request", "AADSTS90002: Tenant 'x' not found.", 0),
            "there is no tenant contoso.example at login.microsoftonline.com; check the tenant and the cloud \
             (invalid_request, AADSTS90002)"
        );
        assert_eq!(
            said("invalid_grant", "AADSTS70043: The refresh token...", 0),
            "the sign-in has expired or was revoked (invalid_grant, AADSTS70043)"
        );
        assert_eq!(
            said("new_error", "AADSTS1: First. Trace ID: 7\r\nSecond.", 0),
            "new_error AADSTS1: First."
        );
        assert_eq!(said("odd", "", 0), "odd");
    }

    #[test]
    fn a_wrong_clock_is_named_with_its_error() {
        let text = "AADSTS700024: Client assertion is not within its valid time range.";
        assert!(
            said("invalid_client", text, 600)
                .starts_with("this computer's clock is 10 minutes behind")
        );
        assert!(
            said("invalid_client", text, -601)
                .starts_with("this computer's clock is 10 minutes ahead")
        );
        assert!(said("invalid_client", text, 5).starts_with("this computer's clock differs"));
    }
}
