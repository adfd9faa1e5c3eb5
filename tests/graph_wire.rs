//! The Graph client against a scripted server: what goes over the wire, and what comes of odd answers.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    reason = "helpers of tests fail and skip them so"
)]

#[path = "graph_wire/retry.rs"]
mod retry;
#[path = "graph_wire/server.rs"]
mod server;
#[path = "graph_wire/shapes.rs"]
mod shapes;
#[path = "graph_wire/tokens.rs"]
mod tokens;

use std::sync::Arc;

use contactfs::auth::StaticToken;
use contactfs::graph::{Client, DeltaFrom, DeltaItem, DeltaNext, Endpoint, Error, Mailbox};
use contactfs::model::{ContactId, DeltaLink, FolderId, Tier};
use secrecy::SecretString;
use serde_json::json;
use url::Url;

use server::{Server, error, failure, ok, raw};

const TOKEN: &str = "secret-token";

fn client(server: &Server) -> Client {
    client_at(&server.origin)
}

fn client_at(origin: &str) -> Client {
    let root = Url::parse(&format!("{origin}/v1.0")).unwrap();
    let tokens = StaticToken::new(SecretString::from(TOKEN));
    Client::new(
        Endpoint::new(root, Mailbox::Me).unwrap(),
        Arc::new(tokens),
        Tier::Basic,
    )
    .unwrap()
}

fn link(server: &Server, rest: &str) -> DeltaLink {
    DeltaLink::new(format!("{}/v1.0{rest}", server.origin))
}

fn ids(names: &[&str]) -> Vec<ContactId> {
    names.iter().copied().map(ContactId::new).collect()
}

/// Graph-facts 3.2: neither `$top` nor `$expand`, page size by header, an empty page may have a successor.
#[tokio::test]
async fn delta_walks_from_the_start_to_the_delta_link() {
    let server = Server::start(|number, request| {
        let here = format!("http://{}/v1.0", request.header("host"));
        match number {
            0 => ok(&json!({ "value": [], "@odata.nextLink": format!("{here}/me/contacts/delta?$skiptoken=a=b") })),
            _ => ok(&json!({
                "value": [
                    { "id": "c1", "changeKey": "k1", "givenName": "Ada" },
                    { "id": "c2", "@removed": { "reason": "changed" } },
                ],
                "@odata.deltaLink": format!("{here}/me/contacts/delta?$deltatoken=d"),
            })),
        }
    })
    .await;
    let client = client(&server);

    let first = client
        .delta_page(&DeltaFrom::Start(FolderId::new("F=")))
        .await
        .unwrap();
    assert!(first.items.is_empty());
    let DeltaNext::More(next) = first.next else {
        panic!("the empty page has a successor")
    };
    let second = client.delta_page(&DeltaFrom::Link(next)).await.unwrap();

    assert_eq!(
        second.next,
        DeltaNext::Done(link(&server, "/me/contacts/delta?$deltatoken=d"))
    );
    assert!(
        matches!(&second.items[0], DeltaItem::Changed(contact) if contact.id.as_str() == "c1" && contact.residue.is_none())
    );
    assert_eq!(second.items[1], DeltaItem::Removed(ContactId::new("c2")));
    assert_eq!(
        server.targets(),
        [
            "GET /v1.0/me/contactFolders/F=/contacts/delta",
            "GET /v1.0/me/contacts/delta?$skiptoken=a=b"
        ]
    );
    for request in server.requests() {
        assert_eq!(
            request.header("prefer"),
            "IdType=\"ImmutableId\", odata.maxpagesize=200"
        );
    }
}

#[tokio::test]
async fn delta_rounds_keep_the_order_of_their_links() {
    let server = Server::start(|_, request| {
        server::batch(request, |member| {
            let url = member["url"].as_str().unwrap();
            if url.ends_with("lost") {
                return (410, json!({}), error("SyncStateNotFound"));
            }
            let link = format!("http://{}/v1.0{url}2", request.header("host"));
            (
                200,
                json!({}),
                json!({ "value": [], "@odata.deltaLink": link }),
            )
        })
    })
    .await;
    let links = [
        "/me/contacts/delta?$deltatoken=a",
        "/me/contacts/delta?$deltatoken=lost",
        "/me/contacts/delta?$deltatoken=b",
    ];
    let links: Vec<DeltaLink> = links.iter().map(|rest| link(&server, rest)).collect();

    let pages = client(&server).delta_round(&links).await.unwrap();

    let next = |index: usize| pages[index].as_ref().unwrap().next.clone();
    assert_eq!(
        next(0),
        DeltaNext::Done(link(&server, "/me/contacts/delta?$deltatoken=a2"))
    );
    assert!(matches!(pages[1], Err(Error::SyncStateLost)));
    assert_eq!(
        next(2),
        DeltaNext::Done(link(&server, "/me/contacts/delta?$deltatoken=b2"))
    );
    assert_eq!(server.requests().len(), 1);
    assert_eq!(
        server.requests()[0].members()[0]["url"],
        "/me/contacts/delta?$deltatoken=a"
    );
}

/// Behaviour 8.4: pages are bounded, but what is too large together is read one by one.
#[tokio::test]
async fn a_round_too_large_is_read_page_by_page() {
    let server = Server::start(|_, request| match request.members().is_empty() {
        false => raw(200, &vec![b' '; (64 << 20) + 1]),
        true => ok(&json!({ "value": [], "@odata.deltaLink": format!("http://{}{}", request.header("host"), request.target) })),
    })
    .await;
    let links = [
        link(&server, "/me/contacts/delta?$deltatoken=a"),
        link(&server, "/me/contacts/delta?$deltatoken=b"),
    ];
    let pages = client(&server).delta_round(&links).await.unwrap();
    assert!(pages.iter().all(Result::is_ok), "{pages:?}");
    assert_eq!(server.requests().len(), 3);
}

/// A batch that is refused as a whole says nothing about its members.
#[tokio::test]
async fn a_refused_batch_makes_nothing_disappear() {
    for (status, code) in [
        (404, "ErrorItemNotFound"),
        (400, "BadRequest"),
        (410, "Gone"),
        (412, "Precondition"),
    ] {
        let server = Server::start(move |_, _| failure(status, code)).await;
        let result = client(&server).change_keys(&ids(&["c1", "c2"])).await;
        assert!(matches!(result, Err(Error::Offline { .. })), "{result:?}");
    }
}

/// Behaviour 8.1, with the token as the stake: nobody else ever sees a request. A link that arrives is refused before
/// anybody keeps it.
#[tokio::test]
async fn links_to_another_origin_are_not_followed() {
    let elsewhere = Server::start(|_, _| ok(&json!({ "value": [] }))).await;
    let foreign = link(&elsewhere, "/me/contacts/delta?$deltatoken=x");
    let next = foreign.as_str().to_owned();
    let server = Server::start(move |_, _| {
        ok(&json!({ "id": "root", "value": [], "@odata.nextLink": next }))
    })
    .await;
    let client = client(&server);

    let error = client
        .delta_page(&DeltaFrom::Link(foreign.clone()))
        .await
        .unwrap_err();
    assert!(matches!(error, Error::ForeignOrigin { .. }));
    let own = link(&server, "/me/contacts/delta?$deltatoken=x");
    let round = client.delta_round(&[own, foreign]).await.unwrap();
    assert!(
        round
            .iter()
            .all(|page| matches!(page, Err(Error::ForeignOrigin { .. }))),
        "{round:?}"
    );
    assert!(matches!(
        client.folders().await,
        Err(Error::ForeignOrigin { .. })
    ));
    assert!(elsewhere.requests().is_empty());
}

/// Behaviour 8.1, the other way out.
#[tokio::test]
async fn redirects_are_not_followed() {
    let elsewhere = Server::start(|_, _| ok(&json!({}))).await;
    let there = format!("{}/v1.0/me/contacts/c1", elsewhere.origin);
    let server = Server::start(move |_, _| raw(307, b"").with("Location", &there)).await;

    let results = client(&server).change_keys(&ids(&["c1"])).await.unwrap();

    assert!(matches!(results[0], Err(Error::Redirected { status: 307 })));
    assert!(elsewhere.requests().is_empty());
    assert_eq!(server.requests().len(), 1);
}

/// Graph-facts 3.2, token loss.
#[tokio::test]
async fn every_sign_of_a_lost_sync_state_is_known() {
    for (status, code) in [
        (410, "SyncStateNotFound"),
        (410, ""),
        (400, "syncstatenotfound"),
        (410, "resyncRequired"),
        (404, "SyncStateInvalid"),
        (400, "BadRequest"),
        (400, "ErrorInvalidIdMalformed"),
    ] {
        let server = Server::start(move |_, _| failure(status, code)).await;
        let result = client(&server)
            .delta_page(&DeltaFrom::Link(link(
                &server,
                "/me/contacts/delta?$deltatoken=x",
            )))
            .await;
        assert!(
            matches!(result, Err(Error::SyncStateLost)),
            "{status} {code}: {result:?}"
        );
        assert_eq!(server.requests().len(), 1);
    }
}

#[tokio::test]
async fn failures_are_told_apart_by_code() {
    type Check = fn(&Error) -> bool;
    let cases: [(u16, &str, Check); 9] = [
        (404, "ErrorSyncFolderNotFound", |error| {
            matches!(error, Error::FolderGone)
        }),
        (404, "ErrorItemNotFound", |error| {
            matches!(error, Error::FolderGone)
        }),
        (404, "MailboxNotEnabledForRESTAPI", |error| {
            matches!(error, Error::NoMailbox { .. })
        }),
        (400, "BadRequest", |error| {
            matches!(error, Error::Refused { .. })
        }),
        (400, "errorfolderexists", |error| {
            matches!(error, Error::FolderExists)
        }),
        (403, "ErrorAccessDenied", |error| {
            matches!(error, Error::Denied { .. })
        }),
        (401, "UnknownError", |error| {
            matches!(error, Error::Denied { .. })
        }),
        (409, "ErrorIrresolvableConflict", |error| {
            matches!(error, Error::Changed)
        }),
        (507, "ErrorQuotaExceeded", |error| {
            matches!(error, Error::QuotaExceeded)
        }),
    ];
    for (status, code, check) in cases {
        let server = Server::start(move |_, _| failure(status, code)).await;
        let error = client(&server)
            .delta_page(&DeltaFrom::Start(FolderId::new("f")))
            .await
            .unwrap_err();
        assert!(check(&error), "{status} {code}: {error:?}");
        assert_eq!(server.requests().len(), 1, "{code} is not repeated");
    }
}

/// A proxy's 404 must not make a folder or a contact disappear.
#[tokio::test]
async fn a_404_that_is_not_from_graph_is_no_verdict() {
    let server = Server::start(|_, _| raw(404, b"<html>no such host</html>")).await;
    let client = client(&server);
    let results = client.change_keys(&ids(&["c1"])).await.unwrap();
    assert!(
        matches!(results[0], Err(Error::Service { status: 404, .. })),
        "{results:?}"
    );
    assert!(results[0].as_ref().unwrap_err().is_transient());
}

/// Trap 23: an empty id would be a call on the whole collection.
#[tokio::test]
async fn empty_ids_are_never_sent() {
    let server = Server::start(|_, _| ok(&json!({ "id": "x", "changeKey": "k" }))).await;
    let client = client(&server);
    let results = client.change_keys(&ids(&["", "c1", ".."])).await.unwrap();
    assert!(results[0].is_err() && results[1].is_ok() && results[2].is_err());
    assert!(client.delete_folder(&FolderId::new("")).await.is_err());
    assert!(client.list_page(&FolderId::new(""), 0, 10).await.is_err());
    assert_eq!(
        server.targets(),
        ["GET /v1.0/me/contacts/c1?$select=id,changeKey"]
    );
}

/// Trap 22: control characters can make a good body invalid JSON; a body may be gzipped.
#[tokio::test]
async fn odd_bodies_are_read() {
    // gzip of {"id":"c1","changeKey":"zipped"}
    const ZIPPED: &[u8] = b"\x1f\x8b\x08\0\0\0\0\0\x02\x03\xabV\xcaLQ\xb2RJ6T\xd2QJ\xceH\xccKO\xf5N\xad\x04\nTe\x16\x14\xa4\xa6(\xd5\x02\0\x86\xc8\xeb3 \0\0\0";
    let server = Server::start(|number, _| match number {
        0 => raw(
            200,
            b"{\"id\":\"c1\",\"changeKey\":\"k\",\"personalNotes\":\"a\r\nb\x0bc\"}",
        ),
        1 => raw(200, ZIPPED).with("Content-Encoding", "gzip"),
        2 => raw(200, b"<html>"),
        _ => raw(200, b""),
    })
    .await;
    let client = client(&server);
    let c1 = ids(&["c1"]);

    let contact = client.contacts(&c1).await.unwrap().remove(0).unwrap();
    assert_eq!(
        contact.contact.text(contactfs::model::Field::PersonalNotes),
        "a\nb\u{b}c"
    );
    assert_eq!(
        client.change_keys(&c1).await.unwrap()[0]
            .as_ref()
            .unwrap()
            .as_str(),
        "zipped"
    );
    assert!(matches!(
        client.change_keys(&c1).await.unwrap()[0],
        Err(Error::Malformed { .. })
    ));
    assert!(matches!(
        client.change_keys(&c1).await.unwrap()[0],
        Err(Error::Malformed { .. })
    ));
    assert!(
        server.requests()[0]
            .header("accept-encoding")
            .contains("gzip")
    );
}

#[tokio::test]
async fn endless_bodies_are_cut_off() {
    let server = Server::start(|_, _| raw(200, &vec![b'x'; (16 << 20) + 1])).await;
    let result = client(&server).photo(&ContactId::new("c1")).await;
    assert!(
        matches!(result, Err(Error::TooLarge { .. })),
        "{:?}",
        result.map(|photo| photo.map(|bytes| bytes.len()))
    );
}
