//! The mailbox as somebody elsewhere sees and changes it: Outlook on another machine.
//!
//! Speaks plain HTTP to the sandbox and shares nothing with the client under test. Its requests are judged as all others
//! are, but [`World::writes`](super::World::writes) leaves them out. Planned failures meet it as well: plan them by path or
//! method, or use it before and after.

use std::time::Duration;

use serde_json::{Value, json};

use super::http;
use super::wait::eventually;

/// Marks these requests in the log.
pub(super) const ELSEWHERE: &str = "elsewhere";
const BASE: &str = "/v1.0/me";
const ALL: &str = "$top=999";
const RESIDUE: &str = "String {abe447e2-eca4-48f3-b531-405763018d42} Name vcf-residue";

/// A second client of a world's service.
#[derive(Clone, Debug)]
pub struct Api {
    address: String,
    token: String,
}

impl Api {
    pub(super) fn new(address: String, token: String) -> Self {
        Self { address, token }
    }

    /// Makes a contact in the default folder and returns it; `body` needs a `givenName`.
    #[track_caller]
    pub fn create(&self, body: Value) -> Value {
        self.json("POST", "/contacts", Some(&body), 201)
    }

    /// Makes a contact in a folder, given by id.
    #[track_caller]
    pub fn create_in(&self, folder: &str, body: Value) -> Value {
        let path = format!("/contactFolders/{folder}/contacts");
        self.json("POST", &path, Some(&body), 201)
    }

    /// Changes a contact and returns it.
    #[track_caller]
    pub fn patch(&self, id: &str, body: Value) -> Value {
        self.json("PATCH", &format!("/contacts/{id}"), Some(&body), 200)
    }

    /// Deletes a contact.
    #[track_caller]
    pub fn delete(&self, id: &str) {
        self.json("DELETE", &format!("/contacts/{id}"), None, 204);
    }

    /// Moves a contact or a folder to a folder (id, or `contacts` for the default one) as Outlook can and Graph cannot.
    #[track_caller]
    pub fn move_to(&self, id: &str, folder: &str) {
        self.control("POST", "move", &json!({"id": id, "folder": folder}));
    }

    /// Gives a contact a JPEG photo.
    #[track_caller]
    pub fn put_photo(&self, id: &str, jpeg: &[u8]) {
        let path = format!("{BASE}/contacts/{id}/photo/$value");
        let reply = self.send("PUT", &path, "image/jpeg", jpeg);
        assert_eq!(reply.status / 100, 2, "{}", text(&reply.body));
    }

    /// The photo of a contact, if it has one.
    #[track_caller]
    pub fn photo(&self, id: &str) -> Option<Vec<u8>> {
        let path = format!("{BASE}/contacts/{id}/photo/$value");
        let reply = self.send("GET", &path, "", b"");
        (reply.status == 200).then_some(reply.body)
    }

    /// Makes a folder at the top level and returns its id.
    #[track_caller]
    pub fn create_folder(&self, name: &str) -> String {
        self.create_folder_in("contacts", name)
    }

    /// Makes a folder in another and returns its id.
    #[track_caller]
    pub fn create_folder_in(&self, parent: &str, name: &str) -> String {
        let path = match parent {
            "contacts" => "/contactFolders".to_owned(),
            parent => format!("/contactFolders/{parent}/childFolders"),
        };
        id(&self.json("POST", &path, Some(&json!({"displayName": name})), 201))
    }

    /// Renames a folder.
    #[track_caller]
    pub fn rename_folder(&self, folder: &str, name: &str) {
        let path = format!("/contactFolders/{folder}");
        self.json("PATCH", &path, Some(&json!({"displayName": name})), 200);
    }

    /// Deletes a folder with everything in it.
    #[track_caller]
    pub fn delete_folder(&self, folder: &str) {
        self.json("DELETE", &format!("/contactFolders/{folder}"), None, 204);
    }

    /// Every folder but the default one, with id, displayName and parentFolderId, parents first.
    #[track_caller]
    pub fn folders(&self) -> Vec<Value> {
        let mut found = self.list(&format!("/contactFolders?{ALL}"));
        let mut next = 0;
        while next < found.len() {
            let path = format!("/contactFolders/{}/childFolders?{ALL}", id(&found[next]));
            found.extend(self.list(&path));
            next += 1;
        }
        found
    }

    /// The id of the folder of this name, wherever it is.
    #[track_caller]
    pub fn folder(&self, name: &str) -> Option<String> {
        let folders = self.folders();
        let found = folders.iter().find(|folder| folder["displayName"] == name);
        found.map(id)
    }

    /// Every contact of the mailbox, as lists show them.
    #[track_caller]
    pub fn contacts(&self) -> Vec<Value> {
        let mut found = self.contacts_in("contacts");
        for folder in self.folders() {
            found.extend(self.contacts_in(&id(&folder)));
        }
        found
    }

    /// The contacts of a folder (id, or `contacts` for the default one).
    #[track_caller]
    pub fn contacts_in(&self, folder: &str) -> Vec<Value> {
        match folder {
            "contacts" => self.list(&format!("/contacts?{ALL}")),
            folder => self.list(&format!("/contactFolders/{folder}/contacts?{ALL}")),
        }
    }

    /// The one contact of this display name, whole and with its residue; fails the test if there are several.
    #[track_caller]
    pub fn contact(&self, display_name: &str) -> Option<Value> {
        let contacts = self.contacts();
        let mut named = contacts
            .iter()
            .filter(|contact| contact["displayName"] == display_name);
        let found = named.next()?;
        assert!(named.next().is_none(), "several are named {display_name}");
        self.get(&id(found))
    }

    /// A contact by its id, whole and with its residue.
    #[track_caller]
    pub fn get(&self, id: &str) -> Option<Value> {
        let expand = format!("singleValueExtendedProperties($filter=id eq '{RESIDUE}')");
        let expand = expand
            .replace(' ', "%20")
            .replace('\'', "%27")
            .replace('{', "%7B")
            .replace('}', "%7D");
        let path = format!("{BASE}/contacts/{id}?$expand={expand}");
        let reply = self.send("GET", &path, "", b"");
        match reply.status {
            200 => Some(serde_json::from_slice(&reply.body).unwrap()),
            404 => None,
            status => panic!("{status}: {}", text(&reply.body)),
        }
    }

    /// Polls until the contact of this display name is as wanted, and returns it.
    #[track_caller]
    pub fn await_contact(&self, display_name: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let what = format!("the service has {display_name} as wanted");
        eventually(Duration::from_secs(15), &what, || {
            self.contact(display_name).filter(&wanted)
        })
    }

    /// How many contacts the mailbox has, in all folders; does not count as a request.
    #[track_caller]
    pub fn count(&self) -> usize {
        let state = self.control("GET", "state", &Value::Null);
        usize::try_from(state["contacts"].as_u64().unwrap()).unwrap()
    }

    /// Calls a control of the sandbox, e.g. `("POST", "settings", {"enforce_if_match": false})` or `("POST", "delta/expire")`.
    #[track_caller]
    pub fn control(&self, method: &str, name: &str, body: &Value) -> Value {
        let bytes = serde_json::to_vec(body).unwrap();
        let reply = self.send(
            method,
            &format!("/sandbox/{name}"),
            "application/json",
            &bytes,
        );
        assert_eq!(reply.status, 200, "{name}: {}", text(&reply.body));
        serde_json::from_slice(&reply.body).unwrap()
    }

    #[track_caller]
    fn list(&self, path: &str) -> Vec<Value> {
        let (mut rows, mut path) = (Vec::new(), path.to_owned());
        loop {
            let mut page = self.json("GET", &path, None, 200);
            rows.append(page["value"].as_array_mut().unwrap());
            let Some(next) = page["@odata.nextLink"].as_str() else {
                return rows;
            };
            path = next.split_once(BASE).unwrap().1.to_owned();
        }
    }

    /// Sends any request below `/me`; returns status and JSON body.
    #[track_caller]
    pub fn request(&self, method: &str, path: &str, body: Option<&Value>) -> (u16, Value) {
        let bytes = body.map(|body| serde_json::to_vec(body).unwrap());
        let kind = body.map_or("", |_| "application/json");
        let target = format!("{BASE}{path}");
        let reply = self.send(method, &target, kind, &bytes.unwrap_or_default());
        (
            reply.status,
            serde_json::from_slice(&reply.body).unwrap_or_default(),
        )
    }

    #[track_caller]
    fn json(&self, method: &str, path: &str, body: Option<&Value>, status: u16) -> Value {
        let (got, reply) = self.request(method, path, body);
        assert_eq!(got, status, "{method} {path}: {reply}");
        reply
    }

    /// The mailbox serves few at a time; this client waits its turn as the other does.
    #[track_caller]
    fn send(&self, method: &str, target: &str, kind: &str, body: &[u8]) -> http::Reply {
        let bearer = format!("Bearer {}", self.token);
        let headers = [
            ("authorization", bearer.as_str()),
            ("user-agent", ELSEWHERE),
            ("prefer", "IdType=\"ImmutableId\""),
            ("content-type", kind),
        ];
        let used = if kind.is_empty() { 3 } else { 4 };
        eventually(
            Duration::from_secs(30),
            "the service has a place for us",
            || {
                let reply = http::exchange(&self.address, method, target, &headers[..used], body);
                (reply.status != 429).then_some(reply)
            },
        )
    }
}

/// The residue property of a contact that [`Api::get`] or [`Api::contact`] returned; empty if it has none.
pub fn residue(contact: &Value) -> String {
    let properties = contact["singleValueExtendedProperties"].as_array();
    let mut properties = properties.into_iter().flatten();
    let found = properties.find(|property| property["id"] == RESIDUE);
    found.map_or_else(String::new, |property| {
        property["value"].as_str().unwrap().to_owned()
    })
}

/// The id of a contact or a folder.
#[track_caller]
pub fn id(item: &Value) -> String {
    item["id"].as_str().unwrap().to_owned()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
