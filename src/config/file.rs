//! `config.toml`: the accounts of a user, read whole and strictly.
//!
//! A key nobody knows is a mistake that would go unnoticed, so it is refused with the name that was probably meant. The
//! file is never written by the program.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{CLOUDS, Cloud, ConfigError, Environment};

/// The keys of an account; `contactfs.conf(5)` is tested against them.
pub const ACCOUNT_KEYS: [&str; 10] = [
    "auth",
    "client_certificate",
    "client_id",
    "cloud",
    "credentials",
    "credentials_command",
    "graph_url",
    "login_url",
    "mailbox",
    "tenant",
];

/// The values of `auth`.
const AUTHS: [&str; 3] = ["device", "browser", "client-credentials"];

/// The values of `credentials`.
const CREDENTIALS: [&str; 3] = ["keyring", "file", "command"];

/// A `config.toml`, empty when there is none.
#[derive(Clone, Debug, Default)]
pub struct ConfigFile {
    /// Where it was looked for.
    pub path: PathBuf,
    /// Its accounts by name.
    pub accounts: BTreeMap<String, AccountSection>,
}

/// One `[account.NAME]`; everything may be missing.
#[derive(Clone, Debug, Default)]
pub struct AccountSection {
    values: BTreeMap<&'static str, String>,
}

impl AccountSection {
    /// The value of one of [`ACCOUNT_KEYS`].
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        self.values.get(key).map(String::as_str)
    }

    /// The cloud it names; the worldwide one unless told otherwise.
    #[must_use]
    pub fn cloud(&self) -> Cloud {
        let named = self.get("cloud").unwrap_or(super::GLOBAL.name);
        CLOUDS
            .into_iter()
            .find(|cloud| cloud.name == named)
            .unwrap_or(super::GLOBAL)
    }
}

impl ConfigFile {
    /// Reads the file of the flag, of `CONTACTFS_CONFIG`, or `$XDG_CONFIG_HOME/contactfs/config.toml`. Only the last may
    /// be missing.
    ///
    /// # Errors
    /// [`ConfigError::File`] when it cannot be read, [`ConfigError::Line`] for what it says.
    pub fn load(environment: &Environment, flag: Option<&Path>) -> Result<Self, ConfigError> {
        let explicit = flag.or_else(|| environment.get("CONTACTFS_CONFIG").map(Path::new));
        let usual = || {
            super::paths::config_home(environment).map(|base| base.join("contactfs/config.toml"))
        };
        let Some(path) = explicit.map(Path::to_owned).or_else(usual) else {
            return Ok(Self::default());
        };
        match fs::read_to_string(&path) {
            Ok(text) => Self::parse(&path, &text),
            Err(error) if error.kind() == ErrorKind::NotFound && explicit.is_none() => Ok(Self {
                path,
                accounts: BTreeMap::new(),
            }),
            Err(source) => Err(ConfigError::File { path, source }),
        }
    }

    fn parse(path: &Path, text: &str) -> Result<Self, ConfigError> {
        let reader = Reader { path, text };
        let table = DeTable::parse(text).map_err(|error| {
            let place = error.span().map_or(0, |span| span.start);
            reader.mistake(place, error.message())
        })?;
        let mut accounts = BTreeMap::new();
        for (key, value) in table.get_ref() {
            reader.known(key, &["account"], "")?;
            for (name, section) in reader.table(value, "account")? {
                let section = reader.section(section, name.get_ref())?;
                accounts.insert(name.get_ref().clone().into_owned(), section);
            }
        }
        Ok(Self {
            path: path.to_owned(),
            accounts,
        })
    }
}

/// Turns places in the text into lines of messages.
struct Reader<'t> {
    path: &'t Path,
    text: &'t str,
}

type Key<'i> = Spanned<std::borrow::Cow<'i, str>>;

impl Reader<'_> {
    fn section(
        &self,
        value: &Spanned<DeValue<'_>>,
        name: &str,
    ) -> Result<AccountSection, ConfigError> {
        let mut section = AccountSection::default();
        for (key, value) in self.table(value, name)? {
            let known = self.known(key, &ACCOUNT_KEYS, &format!(" in [account.{name}]"))?;
            let Some(text) = value.get_ref().as_str() else {
                return Err(self.mistake(
                    value.span().start,
                    &format!("{known} must be a text in quotes"),
                ));
            };
            self.allowed(known, text, value.span().start)?;
            section.values.insert(known, text.to_owned());
        }
        Ok(section)
    }

    fn allowed(&self, key: &str, text: &str, place: usize) -> Result<(), ConfigError> {
        let clouds = CLOUDS.map(|cloud| cloud.name);
        let values: &[&str] = match key {
            "auth" => &AUTHS,
            "cloud" => &clouds,
            "credentials" => &CREDENTIALS,
            _ if text.is_empty() => return Err(self.mistake(place, &format!("{key} is empty"))),
            _ => return Ok(()),
        };
        if values.contains(&text) {
            return Ok(());
        }
        let sentence = format!(
            "{key} cannot be \"{text}\"; it is one of {}",
            values.join(", ")
        );
        Err(self.mistake(place, &sentence))
    }

    fn table<'v, 'i>(
        &self,
        value: &'v Spanned<DeValue<'i>>,
        name: &str,
    ) -> Result<&'v DeTable<'i>, ConfigError> {
        value.get_ref().as_table().ok_or_else(|| {
            self.mistake(
                value.span().start,
                &format!("{name} must be a section, as in [account.{name}]"),
            )
        })
    }

    fn known(
        &self,
        key: &Key<'_>,
        names: &[&'static str],
        place: &str,
    ) -> Result<&'static str, ConfigError> {
        let given = key.get_ref().as_ref();
        if let Some(name) = names.iter().find(|name| **name == given) {
            return Ok(name);
        }
        let nearest = names
            .iter()
            .max_by(|left, right| {
                strsim::jaro_winkler(left, given).total_cmp(&strsim::jaro_winkler(right, given))
            })
            .copied()
            .unwrap_or_default();
        let sentence = format!("there is no key {given}{place}; the nearest is {nearest}");
        Err(self.mistake(key.span().start, &sentence))
    }

    fn mistake(&self, place: usize, sentence: &str) -> ConfigError {
        let before = self.text.get(..place).unwrap_or(self.text);
        ConfigError::Line {
            path: self.path.to_owned(),
            line: before.matches('\n').count() + 1,
            sentence: sentence.trim_end().replace('\n', " "),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<ConfigFile, String> {
        ConfigFile::parse(Path::new("c.toml"), text).map_err(|error| error.to_string())
    }

    #[test]
    fn accounts_are_read_by_name() {
        let file = parse("[account.work]\nclient_id = \"c\"\ncloud = \"usgov\"\n[account.home]\n")
            .unwrap();
        assert_eq!(file.accounts.keys().collect::<Vec<_>>(), ["home", "work"]);
        let work = &file.accounts["work"];
        assert_eq!(
            (work.get("client_id"), work.get("tenant")),
            (Some("c"), None)
        );
        assert_eq!(work.cloud().login_url, "https://login.microsoftonline.us");
        assert_eq!(file.accounts["home"].cloud(), super::super::GLOBAL);
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line_and_the_nearest_right_name() {
        for (text, expected) in [
            (
                "\n[acount.work]\n",
                "c.toml:2: there is no key acount; the nearest is account",
            ),
            (
                "[account.work]\nclientid = \"c\"\n",
                "c.toml:2: there is no key clientid in [account.work]; the nearest is client_id",
            ),
            (
                "[account.work]\nmail = \"c\"\n",
                "c.toml:2: there is no key mail in [account.work]; the nearest is mailbox",
            ),
            (
                "[account.work]\nauth = \"magic\"\n",
                "c.toml:2: auth cannot be \"magic\"; it is one of device, browser, client-credentials",
            ),
            (
                "[account.work]\ncloud = \"moon\"\n",
                "c.toml:2: cloud cannot be \"moon\"; it is one of global, usgov, usgov-dod, china",
            ),
            (
                "[account.work]\ntenant = 7\n",
                "c.toml:2: tenant must be a text in quotes",
            ),
            (
                "[account.work]\ntenant = \"\"\n",
                "c.toml:2: tenant is empty",
            ),
            (
                "[account]\nwork = 1\n",
                "c.toml:2: work must be a section, as in [account.work]",
            ),
        ] {
            assert_eq!(parse(text).unwrap_err(), expected);
        }
        assert!(
            parse("[account.work\n")
                .unwrap_err()
                .starts_with("c.toml:1: ")
        );
    }
}
