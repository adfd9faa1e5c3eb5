//! Signing in with a browser; an HTTP client plays it.

use url::Url;

use crate::person::{Login, exchanges, run, visit, world};
use crate::support::World;

/// The redirect that follows a press of `Approve`.
fn approve(page: &str) -> String {
    assert_eq!(visit(page, None).unwrap().status, 200);
    visit(page, Some("choice=approve"))
        .unwrap()
        .location
        .unwrap()
}

fn is_signed_in(world: &World) -> bool {
    run(world, &["accounts"]).out.contains("signed in as")
}

#[test]
fn a_browser_signs_in_with_a_challenge_of_s256() {
    let world = world();
    let login = Login::start(&world, &["--browser"]);
    let page = Url::parse(&login.page()).unwrap();
    let asked = |name: &str| {
        let mut pairs = page.query_pairs();
        pairs
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.into_owned())
    };
    assert_eq!(asked("code_challenge_method").as_deref(), Some("S256"));
    assert_eq!(asked("code_challenge").unwrap().len(), 43);
    assert!(asked("state").unwrap().len() > 20);
    assert!(
        asked("redirect_uri")
            .unwrap()
            .starts_with("http://localhost:")
    );
    assert_eq!(
        asked("scope").as_deref(),
        Some("Contacts.ReadWrite offline_access User.Read")
    );
    assert_eq!(asked("client_secret"), None);
    let back = approve(page.as_str());
    let icon = Url::parse(&back).unwrap().join("/favicon.ico").unwrap();
    assert_eq!(
        visit(icon.as_str(), None).unwrap().status,
        404,
        "a browser's side request does not count"
    );
    // Browsers open connections to be ready.
    let port = Url::parse(&back).unwrap().port().unwrap();
    let silent: Vec<_> = (0..3)
        .map(|_| std::net::TcpStream::connect(("localhost", port)).unwrap())
        .collect();
    let begun = std::time::Instant::now();
    let shown = visit(&back, None).unwrap();
    assert!(begun.elapsed().as_secs() < 4, "nobody is held up");
    drop(silent);
    assert_eq!(shown.status, 200);
    assert!(shown.body.contains("You are signed in"), "{}", shown.body);
    let run = login.end();
    assert!(run.out.contains("signed in as alex.sandberg@"), "{run:?}");
    assert!(
        visit(&back, None).is_none(),
        "a second request finds nobody"
    );
    assert!(is_signed_in(&world));
}

#[test]
fn a_forged_state_is_refused_and_its_code_not_redeemed() {
    let world = world();
    let login = Login::start(&world, &["--browser"]);
    let mut back = Url::parse(&approve(&login.page())).unwrap();
    let pairs: Vec<_> = back.query_pairs().into_owned().collect();
    let forged = pairs.iter().map(|(name, value)| match name.as_str() {
        "state" => (name.as_str(), "forged"),
        _ => (name.as_str(), value.as_str()),
    });
    back.query_pairs_mut().clear().extend_pairs(forged);
    let shown = visit(back.as_str(), None).unwrap();
    assert_eq!(shown.status, 400);
    let run = login.end();
    assert_eq!(run.code, 78);
    assert!(
        run.err.contains("does not belong to this sign-in"),
        "{}",
        run.err
    );
    assert_eq!(exchanges(&world, 200), 0);
    assert!(!is_signed_in(&world));
}

/// Somebody between browser and service takes the challenge away, weakens it, or puts his own in.
#[test]
fn a_downgraded_challenge_signs_nobody_in() {
    let world = world();
    let other = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
    for (name, value) in [
        ("code_challenge_method", "plain"),
        ("code_challenge", ""),
        ("code_challenge", other),
    ] {
        let login = Login::start(&world, &["--browser"]);
        let mut page = Url::parse(&login.page()).unwrap();
        let pairs: Vec<_> = page.query_pairs().into_owned().collect();
        let changed = pairs.iter().map(|(key, held)| {
            let held = if key == name { value } else { held };
            (key.as_str(), held)
        });
        page.query_pairs_mut().clear().extend_pairs(changed);
        let back = visit(page.as_str(), Some("choice=approve"))
            .unwrap()
            .location
            .unwrap();
        assert_eq!(back.contains("code="), value == other, "{back}");
        assert_eq!(visit(&back, None).unwrap().status, 400);
        let run = login.end();
        assert_eq!(run.code, 78, "{}", run.err);
        assert!(!is_signed_in(&world));
    }
}

#[test]
fn a_person_may_decline_and_may_be_late() {
    let world = world();
    let login = Login::start(&world, &["--browser"]);
    let back = visit(&login.page(), Some("choice=decline"))
        .unwrap()
        .location
        .unwrap();
    visit(&back, None).unwrap();
    let run = login.end();
    assert_eq!(run.code, 78);
    assert!(run.err.contains("must consent"), "{}", run.err);

    let login = Login::start(&world, &["--browser", "--timeout", "1s"]);
    login.page();
    let run = login.end();
    assert_eq!(run.code, 78);
    assert!(run.err.contains("nobody signed in in time"), "{}", run.err);
}
