//! `config.toml`, several accounts, and the commands about them.

use serde_json::Value;

use crate::person::{CLIENT, configure, mounting, run, sign_in_as, world};
use crate::support::{World, fuse_or_skip};

const ROBIN: &str = "robin.fjord@sandbox.example";

fn listed(world: &World) -> Value {
    serde_json::from_str(&run(world, &["accounts", "--json"]).ok()).unwrap()
}

#[test]
fn each_account_has_a_person_of_its_own() {
    let world = world();
    configure(
        &world,
        "[account.work]\n[account.home]\ntenant = \"consumers\"\n",
    );
    sign_in_as(&world, "", &["work"]);
    let listed_now = listed(&world);
    let of = |list: &Value, index: usize, key: &str| list[index][key].clone();
    assert_eq!(
        (of(&listed_now, 0, "name"), of(&listed_now, 1, "name")),
        ("home".into(), "work".into())
    );
    assert_eq!(of(&listed_now, 0, "signed_in"), false);
    assert_eq!(of(&listed_now, 0, "tenant"), "consumers");
    assert_eq!(of(&listed_now, 1, "user"), "alex.sandberg@sandbox.example");
    sign_in_as(&world, ROBIN, &["home"]);
    assert_eq!(
        run(&world, &["accounts"]).ok(),
        "home: signed in as robin.fjord@sandbox.example\nwork: signed in as alex.sandberg@sandbox.example\n"
    );
    let unnamed = run(&world, &["login", "--check"]);
    assert_eq!(unnamed.code, 78);
    assert!(
        unnamed.err.contains("has several accounts: home, work"),
        "{}",
        unnamed.err
    );
    if !fuse_or_skip() {
        return;
    }
    let mount = mounting(&world).args(&["home"]).start();
    assert_eq!(mount.list("Contacts").len(), 3, "the other mailbox");
    mount.unmount();
}

#[test]
fn a_key_that_nobody_knows_is_refused_with_the_nearest() {
    let world = world();
    configure(&world, "[account.work]\ntennant = \"t\"\n");
    for arguments in [["accounts"].as_slice(), &["mount", "mnt"], &["login"]] {
        let run = run(&world, arguments);
        assert_eq!(run.code, 78, "{arguments:?}");
        assert!(
            run.err.contains(
                "config.toml:2: there is no key tennant in [account.work]; the nearest is tenant\n"
            ),
            "{}",
            run.err
        );
    }
}

#[test]
fn every_cloud_has_its_hosts() {
    let world = World::new();
    let clouds = ["global", "usgov", "usgov-dod", "china"];
    let sections = clouds
        .map(|cloud| format!("[account.{cloud}]\nclient_id = \"{CLIENT}\"\ncloud = \"{cloud}\"\n"));
    configure(&world, &sections.concat());
    let plain = |arguments: &[&str]| {
        let mut command = world.command(arguments);
        for name in ["ACCESS_TOKEN", "GRAPH_URL", "LOGIN_URL"] {
            command.env_remove(format!("CONTACTFS_{name}"));
        }
        crate::support::Run::of(&mut command).ok()
    };
    let listed: Value = serde_json::from_str(&plain(&["accounts", "--json"])).unwrap();
    let found: Vec<(&str, &str, &str)> = listed
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| {
            let text = |key: &str| entry[key].as_str().unwrap();
            (text("name"), text("login_url"), text("graph_url"))
        })
        .collect();
    let expected = [
        (
            "china",
            "https://login.chinacloudapi.cn",
            "https://microsoftgraph.chinacloudapi.cn/v1.0",
        ),
        (
            "global",
            "https://login.microsoftonline.com",
            "https://graph.microsoft.com/v1.0",
        ),
        (
            "usgov",
            "https://login.microsoftonline.us",
            "https://graph.microsoft.us/v1.0",
        ),
        (
            "usgov-dod",
            "https://login.microsoftonline.us",
            "https://dod-graph.microsoft.us/v1.0",
        ),
    ];
    assert_eq!(found, expected);
    let consent = |name: &str| plain(&["login", "--admin-consent-url", name]);
    assert!(
        consent("china")
            .starts_with("https://login.chinacloudapi.cn/organizations/v2.0/adminconsent?")
    );
    assert!(
        consent("china")
            .contains("scope=https%3A%2F%2Fmicrosoftgraph.chinacloudapi.cn%2FContacts.ReadWrite+")
    );
    assert!(consent("global").contains("scope=Contacts.ReadWrite+User.Read"));
}

#[test]
fn a_file_named_but_missing_is_an_error_and_none_is_fine() {
    let world = world();
    let missing = run(&world, &["accounts", "--config", "missing.toml"]);
    assert_eq!(missing.code, 78);
    assert!(
        missing.err.contains("cannot read missing.toml"),
        "{}",
        missing.err
    );
    assert_eq!(
        run(&world, &["accounts"]).ok(),
        "default: sign-in needed: contactfs login default\n"
    );
}

#[test]
fn with_a_token_there_is_nobody_to_sign_in() {
    let world = world();
    let refused = world.run(&["login"]);
    assert_eq!(refused.code, 64);
    assert!(
        refused.err.contains("CONTACTFS_ACCESS_TOKEN is set"),
        "{}",
        refused.err
    );
    assert!(
        world
            .run(&["login", "--check"])
            .ok()
            .contains("the token works")
    );
}
