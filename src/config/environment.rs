//! The process environment as a value.

use std::collections::HashMap;

/// The variables the program reads; an empty value counts as unset.
#[derive(Clone, Default)]
pub struct Environment(HashMap<String, String>);

impl Environment {
    /// The environment this process was started with. Values that are not UTF-8 count as unset. `HOME` is what the system
    /// knows of the user where it is unset, as it is in what systemd runs for a line of fstab(5).
    #[must_use]
    pub fn of_process() -> Self {
        let mut environment: Self = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        if environment.get("HOME").is_none()
            && let Some(home) =
                std::env::home_dir().and_then(|home| home.into_os_string().into_string().ok())
        {
            environment.0.insert("HOME".to_owned(), home);
        }
        environment
    }

    /// The value of a variable, if it is set and not empty.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }
}

impl FromIterator<(String, String)> for Environment {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(pairs: I) -> Self {
        Self(pairs.into_iter().collect())
    }
}

#[cfg(test)]
impl<const N: usize> From<[(&str, &str); N]> for Environment {
    fn from(pairs: [(&str, &str); N]) -> Self {
        pairs
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect()
    }
}
