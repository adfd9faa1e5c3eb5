//! The forms in which mount(8) speaks: `-o a,b=c`, and the arguments of `mount.contactfs`.
//!
//! Both are rewritten into the options of `contactfs mount`, so that there is one definition of each.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use super::definition;
use super::error::CliError;

/// Options that mount(8), fstab(5) or systemd act on, or that say what is the case anyway.
const IGNORED: &[&str] = &[
    "_netdev",
    "async",
    "atime",
    "auto",
    "defaults",
    "dev",
    "exec",
    "group",
    "noatime",
    "noauto",
    "nodev",
    "nodiratime",
    "noexec",
    "nofail",
    "norelatime",
    "nosuid",
    "nouser",
    "owner",
    "relatime",
    "rw",
    "suid",
    "user",
    "users",
];
/// Options of the command that make no sense inside `-o`.
const NOT_HERE: &[&str] = &["detached", "help"];

/// Turns the arguments of a mount helper (`mount.contactfs SOURCE DIR [-sfnv] [-o OPTIONS]`) into those of
/// `contactfs mount`; other arguments stay as they are. The source is `contactfs`, `none`, `sandbox` or an account.
pub(super) fn helper_arguments(argv: Vec<OsString>) -> Result<Vec<OsString>, CliError> {
    let called = argv.first().and_then(|name| Path::new(name).file_name());
    if called != Some(OsStr::new("mount.contactfs")) {
        return Ok(argv);
    }
    let usage = || CliError::usage("usage: mount.contactfs SOURCE DIR [-sfnv] [-o OPTIONS]");
    let mut translated: Vec<OsString> = vec!["contactfs".into(), "mount".into(), "--daemon".into()];
    let mut places = Vec::new();
    let mut rest = argv.into_iter().skip(1);
    while let Some(argument) = rest.next() {
        match argument.to_str() {
            Some("-o") => translated.extend(["-o".into(), rest.next().ok_or_else(usage)?]),
            // The filesystem type and the namespace: mount(8) has used them already.
            Some("-t" | "-N") => drop(rest.next().ok_or_else(usage)?),
            // A fake mount (-f) never gets as far as a helper's work.
            Some("-f") => return Err(CliError::usage("mount.contactfs cannot fake a mount")),
            Some("-v") => translated.push("--verbose".into()),
            Some("-s" | "-n") => {}
            _ => places.push(argument),
        }
    }
    let [source, dir] = <[OsString; 2]>::try_from(places).map_err(|_| usage())?;
    match source.to_str() {
        Some("contactfs" | "none") => translated.push("--".into()),
        Some("sandbox") => translated.extend(["--sandbox".into(), "--".into()]),
        _ => translated.extend(["--".into(), source]),
    }
    translated.push(dir);
    Ok(translated)
}

/// The arguments with what the `-o` lists say put right behind `mount`, as long options.
pub(super) fn expand(argv: &[OsString], lists: &[String]) -> Result<Vec<OsString>, CliError> {
    let mut expanded: Vec<OsString> = argv.iter().take(2).cloned().collect();
    for option in lists
        .iter()
        .flat_map(|list| list.split(','))
        .filter(|option| !option.is_empty())
    {
        expanded.extend(long_option(option)?.map(OsString::from));
    }
    expanded.extend(argv.iter().skip(2).cloned());
    Ok(expanded)
}

/// One option of a list as a long option; `None` when there is nothing to do about it.
fn long_option(option: &str) -> Result<Option<String>, CliError> {
    let (name, value) = option
        .split_once('=')
        .map_or((option, None), |(name, value)| (name, Some(value)));
    if IGNORED.contains(&name)
        || name.starts_with("x-")
        || name.starts_with("X-")
        || name == "comment"
    {
        return Ok(None);
    }
    let name = if name == "ro" {
        "read-only".to_owned()
    } else {
        name.replace('_', "-")
    };
    let known = long_names();
    if !known.contains(&name) {
        return Err(unknown(option, &name, &known));
    }
    Ok(Some(match value {
        Some(value) => format!("--{name}={value}"),
        None => format!("--{name}"),
    }))
}

fn unknown(option: &str, name: &str, known: &[String]) -> CliError {
    let error = CliError::usage(format!("unknown mount option '{option}'"));
    match known
        .iter()
        .map(|candidate| (distance(name, candidate), candidate))
        .min()
    {
        Some((steps, nearest)) if steps <= nearest.len() / 3 => {
            error.hint(format!("Did you mean '{nearest}'?"))
        }
        _ => error.hint("For the options see: contactfs mount --help"),
    }
}

fn long_names() -> Vec<String> {
    let definition = definition();
    let mount = definition.find_subcommand("mount").into_iter();
    let names = mount
        .flat_map(clap::Command::get_arguments)
        .filter_map(clap::Arg::get_long);
    names
        .filter(|name| !NOT_HERE.contains(name))
        .map(str::to_owned)
        .collect()
}

/// The number of letters to insert, remove or replace (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (i, letter) in a.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (cell, other) in row.iter_mut().skip(1).zip(b.chars()) {
            let replaced = diagonal + usize::from(letter != other);
            diagonal = *cell;
            *cell = replaced.min(left + 1).min(diagonal + 1);
            left = *cell;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expanded(list: &str) -> Result<Vec<String>, CliError> {
        let argv = ["contactfs", "mount", "-o", list, "/m"].map(OsString::from);
        let all = expand(&argv, &[list.to_owned()])?;
        Ok(all
            .into_iter()
            .map(|argument| argument.into_string().unwrap())
            .collect())
    }

    fn helper(argv: &[&str]) -> Result<Vec<String>, CliError> {
        let argv = argv.iter().map(OsString::from).collect();
        Ok(helper_arguments(argv)?
            .into_iter()
            .map(|argument| argument.into_string().unwrap())
            .collect())
    }

    #[test]
    fn options_become_long_options_before_the_others() {
        let list = "ro,allow_other,poll_interval=5s,vcard-version=3.0";
        let long = [
            "--read-only",
            "--allow-other",
            "--poll-interval=5s",
            "--vcard-version=3.0",
        ];
        let expected: Vec<&str> = ["contactfs", "mount"]
            .into_iter()
            .chain(long)
            .chain(["-o", list, "/m"])
            .collect();
        assert_eq!(expanded(list).unwrap(), expected);
    }

    #[test]
    fn what_others_act_on_is_ignored() {
        let list = "rw,noauto,user,_netdev,nofail,x-systemd.automount,X-mount.mkdir,comment=mine,,defaults";
        assert_eq!(
            expanded(list).unwrap(),
            ["contactfs", "mount", "-o", list, "/m"]
        );
    }

    #[test]
    fn an_unknown_option_is_refused_with_the_nearest_name() {
        for (typed, nearest) in [
            ("alow_other", "allow-other"),
            ("poll_intervall=3s", "poll-interval"),
        ] {
            let error = expanded(typed).unwrap_err();
            assert_eq!(error.to_string(), format!("unknown mount option '{typed}'"));
            assert_eq!(error.hints(), [format!("Did you mean '{nearest}'?")]);
        }
        assert!(expanded("umask=022").unwrap_err().hints()[0].contains("--help"));
        assert!(expanded("detached").is_err());
    }

    #[test]
    fn the_mount_helper_form_is_a_background_mount() {
        let call = ["/sbin/mount.contactfs", "work", "/m", "-sn", "-o", "rw,ro"];
        assert!(
            helper(&call).is_err(),
            "joined letters are not what mount(8) sends"
        );
        let call = [
            "/sbin/mount.contactfs",
            "work",
            "/m",
            "-s",
            "-n",
            "-v",
            "-o",
            "rw,ro",
        ];
        let expected = [
            "contactfs",
            "mount",
            "--daemon",
            "--verbose",
            "-o",
            "rw,ro",
            "--",
            "work",
            "/m",
        ];
        assert_eq!(helper(&call).unwrap(), expected);
        let call = ["mount.contactfs", "sandbox", "/m"];
        assert_eq!(
            helper(&call).unwrap(),
            ["contactfs", "mount", "--daemon", "--sandbox", "--", "/m"]
        );
        let call = ["mount.contactfs", "none", "-odd", "-t", "fuse.contactfs"];
        assert_eq!(
            helper(&call).unwrap(),
            ["contactfs", "mount", "--daemon", "--", "-odd"]
        );
        assert!(helper(&["mount.contactfs", "/m"]).is_err());
    }

    #[test]
    fn the_ordinary_form_stays_as_it_is() {
        assert_eq!(
            helper(&["contactfs", "mount", "/m"]).unwrap(),
            ["contactfs", "mount", "/m"]
        );
    }

    #[test]
    fn distances_are_counted_in_letters() {
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("same", "same"), 0);
    }
}
