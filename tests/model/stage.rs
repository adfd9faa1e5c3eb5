//! Where the deeds happen: a mount, a service, a second client, and the model that watches.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use contactfs::sandbox::FaultAction;
use serde_json::{Value, json};

use crate::deeds::{Deed, Property, Way};
use crate::people::{People, Seen};
use crate::support::{Api, Mount, World, eventually, fuse_or_skip, id, run};

const FOLDERS: [&str; 2] = ["Contacts", "Work"];
const OPTIONS: &[&str] = &["--poll-interval", "1h", "--delete-grace", "300ms"];
/// Longer than the pauses after failures.
const OUTAGE: Duration = Duration::from_secs(60);

/// Fields are dropped in order.
pub struct Stage {
    mount: Option<Mount>,
    world: World,
    people: People,
    folders: [String; 2],
    made: usize,
    trouble: Option<Trouble>,
}

/// What the network does until the next synchronisation.
#[derive(Clone, Copy)]
enum Trouble {
    Gone,
    LosesAReply,
}

impl Stage {
    pub fn open() -> Option<Self> {
        if !fuse_or_skip() {
            return None;
        }
        let world = World::new();
        world.limit(Duration::from_secs(300));
        let work = world.api().create_folder("Work");
        let mount = world.mount(OPTIONS);
        mount.in_step();
        Some(Self {
            mount: Some(mount),
            world,
            people: People::default(),
            folders: ["contacts".to_owned(), work],
            made: 0,
            trouble: None,
        })
    }

    pub fn play(&mut self, deed: &Deed) {
        match deed {
            Deed::Make { folder } => self.make(*folder),
            Deed::Edit {
                who,
                property,
                value,
                way,
            } => self.edit(*who, *property, *value, *way),
            Deed::Remove { who } => {
                if let Some((path, mark)) = self.file(*who) {
                    fs::remove_file(path).unwrap();
                    self.people.remove(&mark);
                }
            }
            Deed::Rename { who } => {
                if let Some((path, mark)) = self.file(*who) {
                    self.people.touch(&mark);
                    self.made += 1;
                    let name = format!("renamed {}.vcf", self.made);
                    fs::rename(&path, path.with_file_name(name)).unwrap();
                }
            }
            Deed::Replace { who, over } => self.replace(*who, *over),
            Deed::Move { who } => self.shift(*who),
            Deed::Scratch => {
                let path = self.mount().path("Contacts/.swap~");
                fs::write(&path, "scratch").unwrap();
                assert_eq!(fs::read_to_string(path).unwrap(), "scratch");
            }
            Deed::MakeThere { folder } => self.make_there(*folder),
            Deed::EditThere {
                who,
                property,
                value,
            } => self.edit_there(*who, *property, *value),
            Deed::RemoveThere { who } => {
                if let Some((contact, mark)) = self.contact(*who)
                    && self.ask("DELETE", &contact, None)
                {
                    self.people.remove_there(&mark);
                }
            }
            Deed::Forget => {
                self.elsewhere(|api| drop(api.control("POST", "delta/expire", &Value::Null)));
            }
            Deed::LoseReply => self.begin(Trouble::LosesAReply),
            Deed::Disconnect => self.begin(Trouble::Gone),
            Deed::Sync => self.sync(),
            Deed::Remount => {
                self.end_trouble();
                self.mount.take().unwrap().unmount();
                self.mount = Some(self.world.mount(OPTIONS));
            }
            Deed::Kill => {
                self.mount.take().unwrap().kill9();
                self.end_trouble();
                self.mount = Some(self.world.mount(OPTIONS));
            }
        }
    }

    fn mount(&self) -> &Mount {
        self.mount.as_ref().unwrap()
    }

    fn begin(&mut self, trouble: Trouble) {
        self.trouble = Some(trouble);
        match trouble {
            Trouble::Gone => self.world.disconnect(),
            Trouble::LosesAReply => {
                for method in ["PATCH", "POST", "DELETE"] {
                    self.world.fail(Some(method), "", 1, FaultAction::DropAfter);
                }
            }
        }
    }

    fn end_trouble(&mut self) {
        self.trouble = None;
        self.world.clear_faults();
    }

    /// Lets the second client act, which has no trouble.
    fn elsewhere<T>(&mut self, act: impl FnOnce(&Api) -> T) -> T {
        let trouble = self.trouble;
        self.end_trouble();
        let done = act(&self.world.api());
        if let Some(trouble) = trouble {
            self.begin(trouble);
        }
        done
    }

    fn mark(&mut self) -> String {
        self.made += 1;
        format!("p{}", self.made)
    }

    fn make(&mut self, folder: usize) {
        let mark = self.mark();
        let text = format!(
            "BEGIN:VCARD\r\nVERSION:4.0\r\nFN:Name {mark}\r\nN:;{mark};;;\r\nNICKNAME:{mark}\r\nEND:VCARD\r\n"
        );
        let path = self
            .mount()
            .path(&format!("{}/{mark}.vcf", FOLDERS[folder]));
        fs::write(path, text).unwrap();
        self.people.make(&mark, folder);
    }

    fn make_there(&mut self, folder: usize) {
        let mark = self.mark();
        let body =
            json!({"givenName": mark, "displayName": format!("Name {mark}"), "nickName": mark});
        let folder_id = self.folders[folder].clone();
        self.elsewhere(|api| api.create_in(&folder_id, body));
        self.people.make(&mark, folder);
        self.people.edit_there(&mark, Property::Phone, "");
    }

    fn edit(&mut self, who: usize, property: Property, value: u8, way: Way) {
        let Some((path, mark)) = self.file(who) else {
            return;
        };
        let value = format!("value {value}");
        let text = with(&fs::read_to_string(&path).unwrap(), property, &value);
        let outside = self.world.dir().join("outside.vcf");
        let beside = path.with_file_name(".saving~");
        match way {
            Way::InPlace => fs::write(&path, text).unwrap(),
            Way::RenameOver => {
                fs::write(&beside, text).unwrap();
                fs::rename(&beside, &path).unwrap();
            }
            Way::Anew => {
                fs::remove_file(&path).unwrap();
                fs::write(&path, text).unwrap();
            }
            Way::Copy | Way::MoveIn => {
                fs::write(&outside, text).unwrap();
                let program = if matches!(way, Way::Copy) { "cp" } else { "mv" };
                run(
                    program,
                    &[outside.to_str().unwrap(), path.to_str().unwrap()],
                )
                .ok();
            }
        }
        self.people.edit(&mark, property, &value);
    }

    fn edit_there(&mut self, who: usize, property: Property, value: u8) {
        let Some((contact, mark)) = self.contact(who) else {
            return;
        };
        let value = format!("value {value}");
        if self.ask("PATCH", &contact, Some(&json!({property.name(): value}))) {
            self.people.edit_there(&mark, property, &value);
        }
    }

    /// Changes a contact elsewhere; whether it was still there, for a move gives it another id.
    fn ask(&mut self, method: &str, contact: &Value, body: Option<&Value>) -> bool {
        let path = format!("/contacts/{}", id(contact));
        let (status, reply) = self.elsewhere(|api| api.request(method, &path, body));
        assert!(matches!(status, 200 | 204 | 404), "{status}: {reply}");
        status != 404
    }

    fn replace(&mut self, who: usize, over: usize) {
        let (Some((from, mark)), Some((to, victim))) = (self.file(who), self.file(over)) else {
            return;
        };
        if from == to || from.parent() != to.parent() {
            return;
        }
        fs::rename(from, to).unwrap();
        self.people.remove(&victim);
        let folder = self.place(&mark);
        self.people.put(&mark, folder);
    }

    fn shift(&mut self, who: usize) {
        let Some((path, mark)) = self.file(who) else {
            return;
        };
        let folder = 1 - self.place(&mark);
        let to = self
            .mount()
            .path(&format!("{}/{mark} moved.vcf", FOLDERS[folder]));
        fs::rename(path, to).unwrap();
        self.people.put(&mark, folder);
    }

    fn place(&self, mark: &str) -> usize {
        self.files()[mark].1.folder
    }

    fn sync(&mut self) {
        if matches!(self.trouble, Some(Trouble::Gone)) {
            self.end_trouble();
        }
        eventually(OUTAGE, "both sides are in step", || self.is_in_step());
        self.end_trouble();
        let files: BTreeMap<String, Seen> = self
            .files()
            .into_iter()
            .map(|(mark, (_, seen))| (mark, seen))
            .collect();
        assert_eq!(files, self.there(), "the files (left) and the service");
        self.people.check(&files);
    }

    /// Whether all is sent and pulled; what clashed waits for a person, and is no concern here.
    fn is_in_step(&self) -> bool {
        let run = self.mount().sync();
        let waits = |line: &&str| !line.starts_with("conflict ") && !line.starts_with("rejected ");
        run.code == 0 || (run.code == 1 && !run.out.lines().any(|line| waits(&line)))
    }

    /// A card's file by an index, with its mark.
    fn file(&self, who: usize) -> Option<(PathBuf, String)> {
        let mut files: Vec<_> = self.files().into_iter().collect();
        let at = who.checked_rem(files.len())?;
        let (mark, (path, _)) = files.swap_remove(at);
        Some((path, mark))
    }

    /// A contact at the service by an index, with its mark.
    fn contact(&mut self, who: usize) -> Option<(Value, String)> {
        let mut contacts = self.elsewhere(Api::contacts);
        let at = who.checked_rem(contacts.len())?;
        let contact = contacts.swap_remove(at);
        let mark = contact["nickName"].as_str().unwrap().to_owned();
        Some((contact, mark))
    }

    /// Every card, by its mark.
    fn files(&self) -> BTreeMap<String, (PathBuf, Seen)> {
        let mut files = BTreeMap::new();
        for (folder, dir) in FOLDERS.iter().enumerate() {
            for name in self.mount().list(dir) {
                if name.starts_with('.') || !name.ends_with(".vcf") {
                    continue;
                }
                let path = self.mount().path(dir).join(name);
                let text = fs::read_to_string(&path).unwrap();
                let values = Property::ALL.into_iter();
                let values = values.map(|p| (p, line(&text, p.line()))).collect();
                let mark = line(&text, "NICKNAME:");
                let double = files.insert(mark, (path, Seen { folder, values }));
                assert!(double.is_none(), "two files: {double:?} and\n{text}");
            }
        }
        files
    }

    /// Every contact of the service, by its mark.
    fn there(&self) -> BTreeMap<String, Seen> {
        let mut all = BTreeMap::new();
        for (folder, id) in self.folders.iter().enumerate() {
            for contact in self.world.api().contacts_in(id) {
                let text = |name: &str| contact[name].as_str().unwrap_or_default().to_owned();
                let values = Property::ALL.into_iter();
                let values = values.map(|p| (p, text(p.name()))).collect();
                let double = all.insert(text("nickName"), Seen { folder, values });
                assert!(double.is_none(), "two contacts: {contact}");
            }
        }
        all
    }
}

/// The value of the line that begins so; empty without one.
fn line(text: &str, begin: &str) -> String {
    let value = text.lines().find_map(|line| line.strip_prefix(begin));
    value.unwrap_or_default().to_owned()
}

/// A card with a line replaced or added.
fn with(text: &str, property: Property, value: &str) -> String {
    let mut lines: Vec<&str> = text.lines().collect();
    lines.retain(|line| !line.starts_with(property.line()));
    let new = format!("{}{value}", property.line());
    lines.insert(lines.len() - 1, &new);
    lines.iter().map(|line| format!("{line}\r\n")).collect()
}
