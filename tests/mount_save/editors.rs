//! vim and nano at a terminal, as people use them.

use std::fs;

use serde_json::json;

use super::book::{Book, FILE, card};
use crate::support::{Tmux, eventually, need};

const CHANGE: &str = ":%s/+44 1$/+44 2/";

/// An editor that is installed, with its terminal.
#[track_caller]
fn at_hand(editor: &str) -> bool {
    need("tmux") && need(editor)
}

/// Types a command of vim, past what it says.
#[track_caller]
fn command(vim: &Tmux, text: &str) {
    vim.keys(&["Escape"]);
    vim.text(text);
    vim.keys(&["Enter"]);
}

/// Whether vim has carried out everything typed so far: it writes a file outside.
#[track_caller]
fn caught_up(vim: &Tmux, book: &Book, mark: &str) -> String {
    let file = book.world.dir().join(mark);
    vim.text(&format!(
        ":call writefile([v:errmsg], '{}')",
        file.display()
    ));
    vim.keys(&["Enter"]);
    eventually(super::book::SOON, "vim has caught up", || {
        fs::read_to_string(&file)
            .ok()
            .filter(|text| !text.is_empty())
    })
}

#[track_caller]
fn vim_saves(setting: &str) {
    if !at_hand("vim") {
        return;
    }
    let Some(book) = Book::open() else { return };
    let text = book.with_phone("+44 2");
    let vim = Tmux::vim(&book.path());
    command(&vim, setting);
    command(&vim, CHANGE);
    command(&vim, ":wq");
    vim.wait_end();
    book.saved(&text);
}

/// P5 "vim, nano, emacs, sed -i, cp, mv, tar, rsync, git, khard, vdirsyncer work unchanged."
#[test]
fn vim_saves_by_one_patch() {
    vim_saves(":set backupcopy?");
}

/// P5 as above.
#[test]
fn vim_saves_in_place_by_one_patch() {
    vim_saves(":set backupcopy=yes");
}

/// 4.5 "This is how git checkout, vim backupcopy=no ... save."
#[test]
fn vim_saves_by_renaming_by_one_patch() {
    vim_saves(":set backupcopy=no");
}

/// 3.8 "... otherwise the bytes stay the user's."; 1.7 "Uploading a save, its echo in delta, or a resync moves none of
/// them": vim never asks about a file that changed.
#[test]
fn vim_saves_again_and_again_without_a_warning() {
    if !at_hand("vim") {
        return;
    }
    let Some(book) = Book::open() else { return };
    let vim = Tmux::vim(&book.path());
    for (turn, phone) in ["+44 2", "+44 3", "+44 4"].into_iter().enumerate() {
        book.world.clear_log();
        command(&vim, &format!(":%s/^TEL.*/TEL;TYPE=cell:{phone}/"));
        command(&vim, ":w");
        caught_up(&vim, &book, &format!("mark{turn}"));
        book.one_patch(&json!({"mobilePhone": phone}));
        command(&vim, ":checktime");
        let said = caught_up(&vim, &book, &format!("checked{turn}"));
        assert_eq!(said, "\n", "vim's last error");
        let screen = vim.screen();
        assert!(
            !screen.contains("WARNING") && !screen.contains("W1"),
            "{screen}"
        );
    }
    command(&vim, ":q");
    vim.wait_end();
    assert_eq!(book.names(), [FILE]);
}

/// 3.1 "... with nothing changed since the last commit, nothing happens."; 3.5 "a save that changes nothing sends
/// nothing."
#[test]
fn vim_writing_twice_without_a_change_sends_nothing() {
    if !at_hand("vim") {
        return;
    }
    let Some(book) = Book::open() else { return };
    let text = book.text();
    let vim = Tmux::vim(&book.path());
    command(&vim, ":w");
    command(&vim, ":w");
    command(&vim, ":wq");
    vim.wait_end();
    book.nothing_sent();
    assert_eq!((book.text(), book.names()), (text, vec![FILE.to_owned()]));
}

/// 4.1 "A new NAME.vcf with an acceptable card becomes a POST in the directory's folder."
#[test]
fn vim_makes_a_contact() {
    if !at_hand("vim") {
        return;
    }
    let Some(book) = Book::open() else { return };
    let path = book.mount.path("Contacts/Bo.vcf");
    let vim = Tmux::vim(&path);
    vim.keys(&["i"]);
    vim.text(card("Bo").replace("\r\n", "\n").trim_end());
    vim.keys(&["Escape"]);
    command(&vim, ":wq");
    vim.wait_end();
    assert_eq!(
        fs::read_to_string(&path).unwrap(),
        card("Bo").replace("\r\n", "\n")
    );
    let body = book.one_write("POST");
    assert_eq!(body["displayName"], "Bo", "{body}");
    assert_eq!(book.names(), [FILE, "Bo.vcf"]);
}

/// `vcard-mapping` 9: "vim then says E667: Fsync failed or E512: Close failed ...; both keep the buffer."
#[test]
fn vim_is_told_of_a_bad_card_and_keeps_it() {
    if !at_hand("vim") {
        return;
    }
    let Some(book) = Book::open() else { return };
    let (good, text) = (book.text(), book.with_phone("+44 2"));
    let vim = Tmux::vim(&book.path());
    command(&vim, ":2s/4.0/9.9/");
    command(&vim, ":w");
    let said = caught_up(&vim, &book, "mark");
    assert!(said.contains("E667") || said.contains("E512"), "{said}");
    command(&vim, ":2s/9.9/4.0/");
    command(&vim, CHANGE);
    command(&vim, ":wq!");
    vim.wait_end();
    assert_ne!(good, text);
    book.saved(&text);
}

/// 3.2 "fsync fails with EINVAL", also for what `close` would hold: vim's user hears of it at once, and nothing is sent.
/// When vim gives up, it puts the file it had renamed away in its place again.
#[test]
fn vim_is_told_of_every_text_that_is_no_card() {
    vim_saves_no_card("backupcopy=no", &[FILE]);
}

/// 3.2 as above; "a held or refused text of an existing contact is moved to .NAME.vcf.rejected with the reason".
#[test]
fn vim_in_place_leaves_the_text_that_is_no_card_beside_it() {
    let beside = [".Ada Byron.vcf.error", ".Ada Byron.vcf.rejected", FILE];
    vim_saves_no_card("backupcopy=yes nowritebackup", &beside);
}

#[track_caller]
fn vim_saves_no_card(setting: &str, names: &[&str]) {
    if !at_hand("vim") {
        return;
    }
    let Some(book) = Book::open() else { return };
    let (good, contact) = (book.text(), book.contact());
    let group = card("Friends").replace("END:", "KIND:group\r\nEND:");
    let texts = [
        "",
        "hello\n",
        "BEGIN:VCARD\nVERSION:4.0\nFN:Ada\n",
        &card("Ada").repeat(2),
        &group,
    ];
    let vim = Tmux::vim(&book.path());
    command(&vim, &format!(":set {setting}"));
    for (turn, text) in texts.iter().enumerate() {
        let bad = book.world.dir().join(format!("bad{turn}"));
        fs::write(&bad, text).unwrap();
        command(&vim, ":%d _ | let v:errmsg = ''");
        command(&vim, &format!(":silent 0r {} | $d _", bad.display()));
        command(&vim, ":w!");
        let said = caught_up(&vim, &book, &format!("mark{turn}"));
        assert!(
            said.contains("E667") || said.contains("E512"),
            "{text:?}: {said}"
        );
    }
    command(&vim, ":q!");
    vim.wait_end();
    let book = book.remount();
    assert_eq!((book.text(), book.contact()), (good, contact));
    assert_eq!(book.names(), names);
    assert_eq!(book.world.writes(), []);
}

/// P5 "vim, nano, emacs, sed -i, cp, mv, tar, rsync, git, khard, vdirsyncer work unchanged."
#[test]
fn nano_saves_by_one_patch() {
    if !at_hand("nano") {
        return;
    }
    let Some(book) = Book::open() else { return };
    let text = book.with_phone("+44 2");
    let nano = Tmux::start(&book.folder(), &["nano", FILE]);
    nano.nano_replaces("+44 1", "+44 2");
    nano.wait_end();
    book.saved(&text);
}
