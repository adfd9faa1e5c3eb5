//! Editors at a terminal. P5 "It behaves like a directory. vim, nano, emacs, ... work unchanged."

use contactfs::sandbox::Options;

use crate::book::{Book, FILE};
use crate::support::{Tmux, need};

/// The line of the mobile phone, counted from 1.
fn phone_line(text: &str) -> usize {
    let before = text.lines().take_while(|line| !line.starts_with("TEL"));
    before.count() + 1
}

/// Lets an editor change the phone to `+44 2`: it ends by itself, or by the keys. Beside the contact only `left` stays.
#[track_caller]
fn edited_by(
    editor: &str,
    command: impl FnOnce(&str) -> Vec<String>,
    keys: impl FnOnce(&Tmux),
    left: &[&str],
) {
    if !need("tmux") || !need(editor) {
        return;
    }
    let Some(book) = Book::with(&["--eol", "lf"], Options::default()) else {
        return;
    };
    let text = book.with_phone("+44 2");
    let command = command(&phone_line(&text).to_string());
    let command: Vec<&str> = command.iter().map(String::as_str).collect();
    let terminal = Tmux::start(&book.folder(), &command);
    keys(&terminal);
    terminal.wait_end();
    book.saved_beside(&text, left);
}

/// Runs vim or neovim with settings of its own.
#[track_caller]
fn vi_saves(editor: &str, settings: &str, left: &[&str]) {
    let commands = [
        // Both keep no backups below /tmp, where the tests are.
        format!("set backupskip= {settings}"),
        r"%s/+44 1$/+44 2/".to_owned(),
        "wq".to_owned(),
    ];
    let command = |_: &str| {
        let mut words = vec![editor.to_owned(), "--clean".to_owned()];
        for command in &commands {
            words.extend(["-c".to_owned(), command.clone()]);
        }
        words.push(FILE.to_owned());
        words
    };
    edited_by(editor, command, |_| {}, left);
}

#[test]
fn neovim() {
    vi_saves("nvim", "number", &[]);
}

#[test]
fn neovim_in_place() {
    vi_saves("nvim", "backupcopy=yes", &[]);
}

#[test]
fn vim_by_its_own_choice() {
    vi_saves("vim", "backupcopy=auto", &[]);
}

#[test]
fn vim_without_a_backup_while_it_writes() {
    vi_saves("vim", "nobackup nowritebackup", &[]);
}

#[test]
fn vim_that_keeps_its_undo_history() {
    vi_saves("vim", "undofile undodir=.", &[".Ada Byron.vcf.un~"]);
}

#[test]
fn vim_that_keeps_a_backup() {
    vi_saves("vim", "backup backupdir=.", &["Ada Byron.vcf~"]);
}

#[test]
fn vim_without_fsync() {
    vi_saves("vim", "nofsync", &[]);
}

#[test]
fn nano_with_a_backup() {
    edited_by(
        "nano",
        |_| vec!["nano".into(), "-B".into(), FILE.into()],
        |nano| nano.nano_replaces("+44 1", "+44 2"),
        &["Ada Byron.vcf~"],
    );
}

#[test]
fn nano_with_a_lock_file() {
    edited_by(
        "nano",
        |_| vec!["nano".into(), "-G".into(), FILE.into()],
        |nano| nano.nano_replaces("+44 1", "+44 2"),
        &[],
    );
}

/// Runs emacs in the terminal, as a person has it: it locks, keeps a backup (below /tmp, too) and syncs.
#[track_caller]
fn emacs_saves(settings: &str, left: &[&str]) {
    let lisp = format!(
        "(progn {settings} (goto-char (point-min)) (search-forward \"+44 1\") (replace-match \"+44 2\") \
         (save-buffer) (kill-emacs (if (verify-visited-file-modtime) 0 1)))"
    );
    edited_by(
        "emacs",
        |_| {
            let first = "(setq backup-enable-predicate (lambda (_) t))";
            let words = ["emacs", "-nw", "-Q", "--eval", first, FILE, "--eval", &lisp];
            words.map(str::to_owned).to_vec()
        },
        |_| {},
        left,
    );
}

#[test]
fn emacs() {
    emacs_saves("", &["Ada Byron.vcf~"]);
}

#[test]
fn emacs_that_copies_its_backup() {
    emacs_saves("(setq backup-by-copying t)", &["Ada Byron.vcf~"]);
}

#[test]
fn emacs_without_backup_and_lock() {
    emacs_saves("(setq make-backup-files nil create-lockfiles nil)", &[]);
}

/// It writes a temporary file and renames it over the card.
#[test]
fn emacs_that_writes_elsewhere_first() {
    emacs_saves("(setq make-backup-files nil file-precious-flag t)", &[]);
}

/// 3.8 "... otherwise the bytes stay the user's."; 1.7 "Uploading a save, its echo in delta, or a resync moves none of
/// them": emacs does not say that the file changed on disk when it saves a second time.
#[test]
fn emacs_saves_twice_without_a_question() {
    let again = "(goto-char (point-max)) (search-backward \"first line\") (replace-match \"other line\") (save-buffer) \
                 (sleep-for 3) (unless (verify-visited-file-modtime) (kill-emacs 1)) \
                 (replace-regexp-in-region \"other line\" \"first line\" (point-min)) (save-buffer)";
    if !need("tmux") || !need("emacs") {
        return;
    }
    let Some(book) = Book::with(
        &["--eol", "lf", "--poll-interval", "1s"],
        Options::default(),
    ) else {
        return;
    };
    let text = book.text();
    let lisp = format!("(progn (setq make-backup-files nil) {again} (kill-emacs 0))");
    let terminal = Tmux::start(
        &book.folder(),
        &["emacs", "-nw", "-Q", FILE, "--eval", &lisp],
    );
    terminal.wait_end();
    book.mount.in_step();
    let bodies: Vec<String> = book
        .world
        .writes()
        .into_iter()
        .map(|entry| entry.request.unwrap_or_default().to_string())
        .collect();
    assert_eq!(
        bodies,
        [
            r#"{"personalNotes":"other line"}"#,
            r#"{"personalNotes":"first line"}"#
        ]
    );
    assert_eq!(book.text(), text);
    assert_eq!(book.names(), [FILE]);
}

#[test]
fn ed() {
    if !need("ed") {
        return;
    }
    let Some(book) = Book::open() else { return };
    let text = book.with_phone("+44 2");
    let line = format!(r"printf '%s\n' ',s/+44 1/+44 2/' w q | ed -s '{FILE}'");
    book.sh(&line).ok();
    book.saved(&text);
}

#[test]
fn micro() {
    edited_by(
        "micro",
        |line| vec!["micro".into(), format!("+{line}"), FILE.into()],
        |micro| {
            micro.wait_for("+44 1");
            micro.keys(&["End", "BSpace"]);
            micro.text("2");
            micro.wait_for("+44 2");
            micro.keys(&["C-s"]);
            micro.wait_for("Saved");
            micro.keys(&["C-q"]);
        },
        &[],
    );
}

#[test]
fn kakoune() {
    edited_by(
        "kak",
        |_| vec!["kak".into(), "-n".into(), FILE.into()],
        |kak| {
            kak.wait_for("+44 1");
            kak.text("%s\\+44 1");
            kak.keys(&["Enter"]);
            kak.text("c+44 2");
            kak.keys(&["Escape"]);
            kak.wait_for("+44 2");
            kak.text(":wq");
            kak.keys(&["Enter"]);
        },
        &[],
    );
}

#[test]
fn mcedit() {
    edited_by(
        "mcedit",
        |line| vec!["mcedit".into(), format!("+{line}"), FILE.into()],
        |mcedit| {
            mcedit.wait_for("+44 1");
            mcedit.keys(&["End", "BSpace"]);
            mcedit.text("2");
            mcedit.wait_for("+44 2");
            mcedit.keys(&["F2"]);
            mcedit.wait_for("Save");
            mcedit.keys(&["Enter", "F10"]);
        },
        &[],
    );
}
