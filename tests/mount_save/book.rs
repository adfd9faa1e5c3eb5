//! A mounted mailbox with one contact, and the questions that most tests ask of it.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use contactfs::sandbox::{LogEntry, Options};
use serde_json::{Value, json};

use crate::support::{Mount, Run, World, eventually, fuse_or_skip, sh};

/// The file of the one contact, in the default folder.
pub const FILE: &str = "Ada Byron.vcf";
/// The same below the mount point.
pub const ADA: &str = "Contacts/Ada Byron.vcf";
/// Longer than anything but a quiet time or an outage takes, on a busy machine.
pub const SOON: Duration = Duration::from_secs(20);

/// Longer than the pauses after failures.
pub const OUTAGE: Duration = Duration::from_secs(45);

/// A world with its mount; fields are dropped in order.
pub struct Book {
    pub mount: Mount,
    pub world: World,
    /// The id of the contact.
    pub id: String,
}

impl Book {
    /// Mounted, with the folder read and the log empty. `None` after a loud skip.
    #[track_caller]
    pub fn open() -> Option<Self> {
        Self::with(&[], Options::default())
    }

    /// As [`Book::open`], with arguments for `mount` and options for the service.
    #[track_caller]
    pub fn with(arguments: &[&str], options: Options) -> Option<Self> {
        if !fuse_or_skip() {
            return None;
        }
        let world = World::with(Options {
            empty: true,
            ..options
        });
        let ada = world.api().create(json!({
            "givenName": "Ada", "surname": "Byron", "displayName": "Ada Byron", "mobilePhone": "+44 1",
            "jobTitle": "Analyst", "personalNotes": "first line",
        }));
        let mount = world.mount(arguments);
        assert_eq!(mount.list("Contacts"), [FILE]);
        let id = ada["id"].as_str().unwrap().to_owned();
        let book = Self { mount, world, id };
        book.calm();
        Some(book)
    }

    /// Everything in step, and the log empty.
    #[track_caller]
    pub fn calm(&self) {
        self.mount.in_step();
        self.world.clear_log();
    }

    /// Where the contact's file is.
    pub fn path(&self) -> PathBuf {
        self.mount.path(ADA)
    }

    /// The default folder.
    pub fn folder(&self) -> PathBuf {
        self.mount.path("Contacts")
    }

    /// What the contact's file says.
    #[track_caller]
    pub fn text(&self) -> String {
        self.mount.read(ADA)
    }

    /// The contact as the service has it.
    #[track_caller]
    pub fn contact(&self) -> Value {
        self.world.api().get(&self.id).expect("the contact exists")
    }

    /// The card's text with another mobile phone.
    #[track_caller]
    pub fn with_phone(&self, phone: &str) -> String {
        let (old, new) = ("TEL;TYPE=cell:+44 1", format!("TEL;TYPE=cell:{phone}"));
        let text = self.text();
        assert!(text.contains(old), "{text}");
        text.replace(old, &new)
    }

    /// Saves the card with another mobile phone and returns its text.
    #[track_caller]
    pub fn save_phone(&self, phone: &str) -> String {
        let text = self.with_phone(phone);
        fs::write(self.path(), &text).unwrap();
        text
    }

    /// Runs a line of shell in the default folder.
    #[track_caller]
    pub fn sh(&self, line: &str) -> Run {
        sh(&self.folder(), line)
    }

    /// The names in the default folder, hidden ones included.
    #[track_caller]
    pub fn names(&self) -> Vec<String> {
        self.mount.list("Contacts")
    }

    /// Waits until the default folder has these names: the kernel is told in a moment of what the service made happen.
    #[track_caller]
    pub fn lists(&self, names: &[&str]) {
        eventually(SOON, &format!("the folder has {names:?}"), || {
            self.names() == names
        });
    }

    /// Waits until the program has sent so many changes, and returns them.
    #[track_caller]
    pub fn await_writes(&self, count: usize) -> Vec<LogEntry> {
        eventually(SOON, &format!("{count} changes are sent"), || {
            let writes = self.world.writes();
            (writes.len() >= count).then_some(writes)
        })
    }

    /// Waits until nothing is pending, however the service answers meanwhile.
    #[track_caller]
    pub fn settled(&self) {
        eventually(OUTAGE, "nothing is pending", || {
            self.mount.status()["mounts"][0]["pending"] == json!([])
        });
        self.mount.in_step();
    }

    /// Waits until a request has met the one planned failure.
    #[track_caller]
    pub fn met_failure(&self) {
        eventually(SOON, "a request meets the planned failure", || {
            let planned = self.world.api().control("GET", "faults", &Value::Null);
            let mut planned = planned.as_array().unwrap().iter();
            planned.all(|fault| fault["times"] == 0)
        });
    }

    /// Once in step: exactly one change was sent, this one. Returns its body.
    #[track_caller]
    pub fn one_write(&self, method: &str) -> Value {
        self.mount.in_step();
        let writes = self.world.writes();
        assert_eq!(writes.len(), 1, "{writes:#?}");
        assert_eq!(writes[0].method, method, "{writes:#?}");
        assert_eq!(writes[0].status / 100, 2, "{writes:#?}");
        writes[0].request.clone().unwrap_or_default()
    }

    /// Once in step: exactly one PATCH was sent, with these members and no other.
    #[track_caller]
    pub fn one_patch(&self, body: &Value) {
        assert_eq!(self.one_write("PATCH"), *body);
    }

    /// Once in step: nothing was sent.
    #[track_caller]
    pub fn nothing_sent(&self) {
        self.mount.in_step();
        assert_eq!(self.world.writes(), []);
    }

    /// Saved with the phone `+44 2`: the text is there at once, one PATCH with it alone is sent, the text is there
    /// afterwards and after a remount, and no file is left behind.
    #[track_caller]
    pub fn saved(self, text: &str) -> Self {
        self.saved_beside(text, &[])
    }

    /// As [`Book::saved`], but the program left these files of its own.
    #[track_caller]
    pub fn saved_beside(self, text: &str, left: &[&str]) -> Self {
        let mut names = [&[FILE], left].concat();
        names.sort_unstable();
        assert_eq!(self.text(), text);
        self.one_patch(&json!({"mobilePhone": "+44 2"}));
        assert_eq!(self.text(), text);
        assert_eq!(self.names(), names);
        let book = self.remount();
        assert_eq!(book.text(), text);
        assert_eq!(book.names(), names);
        book
    }

    /// Unmounts and mounts again.
    #[track_caller]
    pub fn remount(self) -> Self {
        let Self { mount, world, id } = self;
        mount.unmount();
        let mount = world.mount(&[]);
        Self { mount, world, id }
    }

    /// Kills the program, lets something happen and mounts again.
    #[track_caller]
    pub fn killed(self, meanwhile: impl FnOnce(&World)) -> Self {
        let Self { mount, world, id } = self;
        mount.kill9();
        meanwhile(&world);
        let mount = world.mount(&[]);
        Self { mount, world, id }
    }
}

/// A card that is complete and acceptable.
pub fn card(name: &str) -> String {
    format!("BEGIN:VCARD\r\nVERSION:4.0\r\nFN:{name}\r\nN:;{name};;;\r\nEND:VCARD\r\n")
}

/// The errno of a failed call.
#[track_caller]
pub fn errno<T: std::fmt::Debug>(result: std::io::Result<T>) -> i32 {
    result.unwrap_err().raw_os_error().unwrap()
}
