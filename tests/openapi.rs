//! The judge finds what the description forbids, and the client and the sandbox do nothing of it.

mod support;

use serde_json::{Value, json};

use support::openapi::{Exchange, Judge};

fn exchange(method: &str, path: &str, request: Value, status: u16, response: Value) -> Exchange {
    let fields = json!({
        "method": method,
        "path": format!("/v1.0{path}"),
        "status": status,
        "request_headers": [["content-type", if request.is_null() { "" } else { "application/json" }]],
        "request": request,
        "response": response,
    });
    serde_json::from_value(fields).unwrap()
}

fn contact() -> Value {
    json!({"@odata.etag": "W/\"k\"", "id": "c", "changeKey": "k", "givenName": "Ada", "homeAddress": {}, "birthday": null})
}

#[track_caller]
fn judged(exchange: &Exchange) -> Vec<String> {
    Judge::get().map_or_else(Vec::new, |judge| judge.violations(exchange))
}

#[track_caller]
fn fine(exchange: &Exchange) {
    assert_eq!(judged(exchange), [""; 0]);
}

#[track_caller]
fn found(exchange: &Exchange, violation: &str) {
    if Judge::get().is_some() {
        let violations = judged(exchange).join("\n");
        assert!(
            violations.contains(violation),
            "{violation} not in: {violations}"
        );
    }
}

#[test]
fn what_is_described_passes() {
    let none = Value::Null;
    let list = json!({"@odata.context": "x", "value": [contact()]});
    fine(&exchange(
        "GET",
        "/me/contacts?$top=5&$select=id,givenName",
        none.clone(),
        200,
        list,
    ));
    let sent = json!({"givenName": "Ada", "singleValueExtendedProperties": [{"id": "String x", "value": "y"}]});
    fine(&exchange(
        "POST",
        "/me/contactFolders/f/contacts",
        sent,
        201,
        contact(),
    ));
    fine(&exchange(
        "DELETE",
        "/users/a%40b/contacts/c",
        none.clone(),
        204,
        none.clone(),
    ));
    let removed = json!({"id": "c", "@removed": {"reason": "deleted"}});
    let page = json!({"value": [contact(), removed], "@odata.deltaLink": "x"});
    fine(&exchange(
        "GET",
        "/me/contacts/delta?$deltatoken=x",
        none.clone(),
        200,
        page,
    ));
    let error = json!({"error": {"code": "ErrorItemNotFound", "message": "gone", "innerError": {"date": "x"}}});
    fine(&exchange("GET", "/me/contacts/c", none, 404, error));
}

#[test]
fn a_path_or_method_that_is_not_described_is_found() {
    let none = Value::Null;
    found(
        &exchange(
            "GET",
            "/me/people/c/photos",
            none.clone(),
            200,
            none.clone(),
        ),
        "no such path",
    );
    found(
        &exchange("GET", "/me/contacts/", none.clone(), 200, none.clone()),
        "no such path",
    );
    found(
        &exchange("PUT", "/me/contacts/c", json!({}), 200, none),
        "has no PUT",
    );
}

#[test]
fn a_query_option_that_is_not_described_is_found() {
    let page = json!({"value": []});
    let get = |path: &str| exchange("GET", path, Value::Null, 200, page.clone());
    found(&get("/me/contacts/delta?$top=5"), "does not take $top");
    found(
        &get("/me/contacts?$orderby=shoeSize"),
        "$orderby does not take",
    );
    found(
        &get("/me/contactFolders?$expand=contacts"),
        "does not take $expand",
    );
    found(&get("/me/contacts?$top=many"), "$top does not take many");
}

#[test]
fn a_body_that_is_not_described_is_found() {
    let post = |body: Value| exchange("POST", "/me/contacts", body, 201, contact());
    found(
        &post(json!({"givenName": "Ada", "shoeSize": 38})),
        "shoeSize",
    );
    found(&post(json!({"givenName": 7})), "7");
    found(&post(json!({"givenName": "Ada", "id": "c"})), "id");
    found(&post(json!({"homePhones": ["1", "2", "3"]})), "3 items");
    found(&post(json!({"birthday": "1815-12-10"})), "date-time");
    found(&post(json!({"homeAddress": {"planet": "Earth"}})), "planet");
    found(&post(Value::Null), "a body of type");
    let get = exchange("GET", "/me/contacts/c", json!({}), 200, contact());
    found(&get, "a body where none is taken");
}

#[test]
fn a_reply_that_is_not_described_is_found() {
    let get = |status, body: Value| exchange("GET", "/me/contacts/c", Value::Null, status, body);
    found(&get(200, json!({"id": "c", "givenName": ["Ada"]})), "Ada");
    found(&get(200, json!({"id": "c", "shoeSize": 38})), "shoeSize");
    found(&get(202, contact()), "status 202");
    found(&get(404, json!({"message": "gone"})), "error");
    found(&get(200, Value::Null), "without JSON");
    let mut fault = get(200, json!({"shoeSize": 38}));
    fault.fault = Some("malformed".to_owned());
    fine(&fault);
    fault.path.push_str("?$top=1");
    found(&fault, "does not take $top");
}
