//! A program at a terminal: keys in, screen out.

use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::run::Run;
use super::wait::eventually;

/// How long a screen may take.
const PATIENCE: Duration = Duration::from_secs(15);

/// A terminal of 100 by 30 with a server of its own, which ends when dropped.
pub struct Tmux {
    socket: String,
    home: tempfile::TempDir,
}

impl Tmux {
    /// Runs a program in a directory; the terminal ends with it. Ask [`need`](super::need) for tmux first.
    #[track_caller]
    pub fn start(dir: &Path, program: &[&str]) -> Self {
        static LAST: AtomicU32 = AtomicU32::new(0);
        let number = LAST.fetch_add(1, Ordering::SeqCst);
        let tmux = Self {
            socket: format!("contactfs-{}-{number}", std::process::id()),
            home: tempfile::tempdir().unwrap(),
        };
        let mut arguments = vec![
            "-f",
            "/dev/null",
            "new-session",
            "-d",
            "-x",
            "100",
            "-y",
            "30",
        ];
        arguments.extend(["-c", dir.to_str().unwrap(), "--"]);
        arguments.extend(program);
        tmux.run(&arguments).ok();
        tmux
    }

    /// Opens a file in vim as somebody without a configuration would, and waits until it is there. Below /tmp, where tests
    /// are, vim would keep no backup while it writes, so it is told to do as elsewhere.
    #[track_caller]
    pub fn vim(file: &Path) -> Self {
        let command = ["vim", "-c", "set backupskip=", file.to_str().unwrap()];
        let tmux = Self::start(file.parent().unwrap(), &command);
        tmux.wait_for(file.file_name().unwrap().to_str().unwrap());
        tmux
    }

    /// Goes through nano's dialogues to replace a text that a card has once, to save and to leave.
    #[track_caller]
    pub fn nano_replaces(&self, old: &str, new: &str) {
        self.wait_for("BEGIN:VCARD");
        self.keys(&["C-\\"]);
        self.wait_for("Search (to replace)");
        self.text(old);
        self.keys(&["Enter"]);
        self.wait_for("Replace with");
        self.text(new);
        self.keys(&["Enter"]);
        self.wait_for("Replace this instance?");
        self.text("A");
        self.wait_for("Replaced 1 occurrence");
        self.keys(&["C-o"]);
        self.wait_for("File Name to Write");
        self.keys(&["Enter"]);
        self.wait_for("Wrote ");
        self.keys(&["C-x"]);
    }

    /// Sends keys by tmux's names: `&["i"]`, `&["Escape"]`, `&[":wq", "Enter"]`, `&["C-x"]`.
    #[track_caller]
    pub fn keys(&self, keys: &[&str]) {
        self.run(&[["send-keys"].as_slice(), keys].concat()).ok();
    }

    /// Types text as it is.
    #[track_caller]
    pub fn text(&self, text: &str) {
        self.run(&["send-keys", "-l", "--", text]).ok();
    }

    /// What the screen shows; empty once the program has ended.
    pub fn screen(&self) -> String {
        self.run(&["capture-pane", "-p"]).out
    }

    /// Waits until the screen shows a text and returns the screen.
    #[track_caller]
    pub fn wait_for(&self, text: &str) -> String {
        let mut last = String::new();
        let end = std::time::Instant::now() + PATIENCE;
        while std::time::Instant::now() < end {
            last = self.screen();
            if last.contains(text) {
                return last;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("the screen does not show {text:?}:\n{last}")
    }

    /// Waits until the program has ended.
    #[track_caller]
    pub fn wait_end(&self) {
        let what = "the program in the terminal ends";
        eventually(PATIENCE, what, || self.run(&["has-session"]).code != 0);
    }

    #[track_caller]
    fn run(&self, arguments: &[&str]) -> Run {
        let mut command = Command::new("tmux");
        command
            .args(["-L", &self.socket])
            .args(arguments)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("LANG", "C.UTF-8")
            .env("TERM", "xterm-256color")
            .env("HOME", self.home.path())
            // Where programs leave what they forget: it goes with the terminal.
            .env("TMPDIR", self.home.path())
            .env("XDG_RUNTIME_DIR", self.home.path())
            .env("TMUX_TMPDIR", self.home.path());
        Run::of(&mut command)
    }
}

impl Drop for Tmux {
    fn drop(&mut self) {
        self.run(&["kill-server"]);
    }
}
