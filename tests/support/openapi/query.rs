//! Query options: declared at all, and with values of their type.

use serde_json::Value;

use super::{Exchange, Judge, Operation};

impl Judge {
    pub(super) fn query(&self, operation: &Operation<'_>, exchange: &Exchange) -> Vec<String> {
        let pairs = url::form_urlencoded::parse(exchange.query().as_bytes());
        pairs
            .filter(|(name, _)| !is_excepted(name, operation, exchange))
            .filter_map(|(name, value)| self.option(operation, &name, &value).err())
            .collect()
    }

    fn option(&self, operation: &Operation<'_>, name: &str, value: &str) -> Result<(), String> {
        let declared = operation.value["parameters"].as_array();
        let parameter = declared
            .into_iter()
            .flatten()
            .map(|parameter| self.resolved(parameter))
            .find(|parameter| parameter["in"] == "query" && parameter["name"] == name)
            .ok_or_else(|| format!("{} does not take {name}", operation.template))?;
        if fits(parameter, value) {
            Ok(())
        } else {
            Err(format!("{name} does not take {value}"))
        }
    }
}

/// `$expand` works on every single contact (graph-facts 6.2); the description lists it only where the path leads through
/// the folder, because the generated text it is made from does.
fn is_excepted(name: &str, operation: &Operation<'_>, exchange: &Exchange) -> bool {
    let single = [
        "/me/contacts/{contact-id}",
        "/users/{user-id}/contacts/{contact-id}",
    ];
    name == "$expand" && exchange.method == "GET" && single.contains(&operation.template.as_str())
}

fn fits(parameter: &Value, value: &str) -> bool {
    let schema = &parameter["schema"];
    match schema["type"].as_str() {
        Some("integer") => value.parse::<u32>().is_ok(),
        Some("boolean") => ["true", "false"].contains(&value),
        Some("array") => match parameter["x-navigation-properties"].as_array() {
            Some(properties) => {
                let name = value.split('(').next().unwrap_or_default();
                properties.iter().any(|property| property == name)
            }
            None => {
                let allowed = schema["items"]["enum"].as_array();
                let is_allowed =
                    |name: &str| allowed.is_none_or(|all| all.iter().any(|one| one == name));
                value.split(',').all(|name| is_allowed(name.trim()))
            }
        },
        _ => true,
    }
}
