//! The judge: every request of the client and every reply of the sandbox against the service's OpenAPI description.
//!
//! Read in place from `$CONTACTFS_SHARED/graph/openapi-contacts.json`. Stricter than the description where that leaves types open:
//! a property it does not name is a violation, or a misspelt one would pass. Replies that a planned failure made are left out
//! as the recording marks them.

mod exchange;
mod query;
mod schemas;

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use jsonschema::Validator;
use serde_json::{Map, Value, json};

pub use exchange::Exchange;
use schemas::Direction;

/// The description, ready to judge by.
pub struct Judge {
    paths: Vec<(Vec<String>, Value)>,
    description: Value,
    sent: Value,
    received: Value,
    validators: Mutex<HashMap<String, Arc<Validator>>>,
}

/// The operation that a request is for.
struct Operation<'a> {
    /// Template of its path, for messages.
    template: String,
    value: &'a Value,
}

impl Judge {
    /// The one judge of this test program; `None` after a loud skip where the description is missing.
    pub fn get() -> Option<&'static Self> {
        static JUDGE: OnceLock<Option<Judge>> = OnceLock::new();
        JUDGE
            .get_or_init(|| {
                let file = super::shared("graph/openapi-contacts.json")?;
                let text = std::fs::read(&file).unwrap();
                Some(Self::new(serde_json::from_slice(&text).unwrap()))
            })
            .as_ref()
    }

    fn new(description: Value) -> Self {
        let paths = description["paths"].as_object().unwrap();
        let paths = paths.iter().map(|(template, item)| {
            let segments = template.split('/').map(str::to_owned).collect();
            (segments, item.clone())
        });
        let schemas = &description["components"]["schemas"];
        Self {
            paths: paths.collect(),
            sent: schemas::components(schemas, Direction::Sent),
            received: schemas::components(schemas, Direction::Received),
            validators: Mutex::default(),
            description,
        }
    }

    /// What is wrong in a recording of the sandbox.
    #[track_caller]
    pub fn record(&self, file: &Path) -> Vec<String> {
        let text = std::fs::read_to_string(file).unwrap();
        let exchanges = text.lines().map(|line| {
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))
        });
        exchanges
            .flat_map(|exchange| self.violations(&exchange))
            .collect()
    }

    /// What is wrong with one exchange; a batch and its members are exchanges of their own.
    pub fn violations(&self, exchange: &Exchange) -> Vec<String> {
        if !exchange.is_graph() {
            return Vec::new();
        }
        let found = match self.operation(exchange) {
            Err(violation) => vec![violation],
            Ok(operation) => [
                self.query(&operation, exchange),
                self.request(&operation, exchange),
                self.reply(&operation, exchange),
            ]
            .concat(),
        };
        let at = format!("{} {}", exchange.method, exchange.path);
        found
            .into_iter()
            .map(|violation| format!("{at}: {violation}"))
            .collect()
    }

    /// The operation of the path with the most literal segments.
    fn operation(&self, exchange: &Exchange) -> Result<Operation<'_>, String> {
        let path = exchange.resource().ok_or("outside of /v1.0")?;
        let asked: Vec<&str> = path.split('/').collect();
        let literal = |template: &&(Vec<String>, Value)| {
            template.0.iter().filter(|part| !is_variable(part)).count()
        };
        let matching = self
            .paths
            .iter()
            .filter(|(template, _)| fits(template, &asked));
        let (template, item) = matching
            .max_by_key(literal)
            .ok_or("the description has no such path")?;
        let template = template.join("/");
        let value = item
            .get(exchange.method.to_ascii_lowercase())
            .ok_or_else(|| format!("{template} has no {}", exchange.method))?;
        Ok(Operation { template, value })
    }

    fn request(&self, operation: &Operation<'_>, exchange: &Exchange) -> Vec<String> {
        let Some(content) = operation.value.pointer("/requestBody/content") else {
            let is_empty = exchange.request.is_none();
            return complaint(is_empty, "a body where none is taken");
        };
        let kind = exchange.content_type();
        // The description names one kind of picture; whether others are taken only the service tells (graph-facts 5).
        let picture = kind.starts_with("image/").then_some("image/jpeg");
        let accepted = content
            .get(kind)
            .or_else(|| picture.and_then(|jpeg| content.get(jpeg)));
        let Some(accepted) = accepted else {
            return vec![format!("a body of type {kind:?}")];
        };
        match &exchange.request {
            _ if !kind.ends_with("json") => Vec::new(),
            None => vec!["no JSON in the body".to_owned()],
            Some(body) => {
                let place = format!("{} {} request", exchange.method, operation.template);
                let schema = &accepted["schema"];
                self.body(&place, schema, Direction::Sent, body)
            }
        }
    }

    fn reply(&self, operation: &Operation<'_>, exchange: &Exchange) -> Vec<String> {
        if exchange.is_spoilt() {
            return Vec::new();
        }
        let status = exchange.status.to_string();
        let responses = &operation.value["responses"];
        let default = || (exchange.status >= 400).then_some("default");
        let listed = responses.get(&status).map(|_| status.as_str());
        let Some(name) = listed.or_else(default) else {
            return vec![format!("the reply has status {status}")];
        };
        let schema = self
            .resolved(&responses[name])
            .pointer("/content/application~1json/schema");
        match (schema, &exchange.response) {
            (None, None) => Vec::new(),
            (None, Some(body)) => vec![format!("{status} with a body: {}", cut(body))],
            (Some(_), None) => vec![format!("{status} without JSON")],
            (Some(schema), Some(body)) => {
                let place = format!("{} {} {name}", exchange.method, operation.template);
                self.body(&place, schema, Direction::Received, body)
            }
        }
    }

    /// Judges a body; each place has its schema made ready once.
    fn body(&self, place: &str, schema: &Value, direction: Direction, body: &Value) -> Vec<String> {
        let validator = Arc::clone(
            self.validators
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .entry(place.to_owned())
                .or_insert_with(|| Arc::new(self.validator(schema, direction))),
        );
        if validator.is_valid(body) {
            return Vec::new();
        }
        let errors = validator.iter_errors(body).take(5);
        errors
            .map(|error| {
                format!(
                    "{place}, at {:?}: {}",
                    error.instance_path().as_str(),
                    short(&error.to_string())
                )
            })
            .collect()
    }

    fn validator(&self, schema: &Value, direction: Direction) -> Validator {
        let all = &self.description["components"]["schemas"];
        let mut whole: Map<String, Value> = match schemas::converted(schema, all, direction) {
            Value::Object(members) => members,
            other => panic!("not a schema: {other}"),
        };
        let components = match direction {
            Direction::Sent => &self.sent,
            Direction::Received => &self.received,
        };
        whole.insert("components".into(), json!({ "schemas": components }));
        jsonschema::options()
            .should_validate_formats(true)
            .build(&Value::Object(whole))
            .unwrap()
    }

    /// What a `$ref` of the description stands for.
    fn resolved<'a>(&'a self, value: &'a Value) -> &'a Value {
        match value["$ref"].as_str() {
            Some(reference) => self
                .description
                .pointer(reference.trim_start_matches('#'))
                .unwrap(),
            None => value,
        }
    }
}

fn is_variable(segment: &str) -> bool {
    segment.starts_with('{')
}

fn fits(template: &[String], asked: &[&str]) -> bool {
    template.len() == asked.len()
        && template
            .iter()
            .zip(asked)
            .all(|(part, asked)| part == asked || is_variable(part) && !asked.is_empty())
}

fn complaint(fine: bool, violation: &str) -> Vec<String> {
    if fine {
        Vec::new()
    } else {
        vec![violation.to_owned()]
    }
}

fn cut(body: &Value) -> String {
    short(&body.to_string())
}

fn short(text: &str) -> String {
    text.chars().take(300).collect()
}
