use std::fs;
use std::num::NonZeroUsize;
use std::time::Duration;

use serde_json::{Value, json};
use towline_core::protocol::{CacheScope, ProtocolVersion};
use towline_core::{FixedResource, Server};
use towline_skills::{EXTENSION, SkillFile, Skills};
use towline_transport::memory::{self, Client};
use towline_transport::stdio::Stdio;

use crate::common::{connect, error, folder, listed, load, pages, result, router, skill};

const REFUNDS: &[u8] =
    b"---\nname: refunds\ndescription: >\n  Refund requests,\n  by policy.\nlicense: MIT\n\
    metadata: {version: \"1.10\", tags: [a, 2]}\nallowed-tools: Read\n---\n\n# Refunds\n";
const FORM: &[u8] = "| \u{e9} |\n".as_bytes();
const STAMP: &[u8] = b"\x89PNG\r\n\x1a\n\xff\x00";

/// A skill at the top, and one with folders below a prefix.
fn shop() -> Skills {
    load(&folder(&[
        ("README.md", b"Of no skill."),
        ("acme/billing/refunds/SKILL.md", REFUNDS),
        ("acme/billing/refunds/forms/eu/form a.md", FORM),
        ("acme/billing/refunds/forms/stamp.PNG", STAMP),
        ("acme/billing/refunds/empty/", b""),
        ("acme/notes/plan.md", b"Of no skill."),
        ("git-workflow/SKILL.md", &skill("git-workflow")),
    ]))
}

fn git_workflow() -> Value {
    json!({
        "uri": "skill://git-workflow/SKILL.md",
        "frontmatter": {"name": "git-workflow", "description": "About git-workflow."},
        "resources": [listed("skill://git-workflow/SKILL.md", &skill("git-workflow"))],
    })
}

fn refunds() -> Value {
    let root = "skill://acme/billing/refunds";
    json!({
        "uri": format!("{root}/SKILL.md"),
        "frontmatter": {
            "name": "refunds",
            "description": "Refund requests, by policy.\n",
            "license": "MIT",
            "metadata": {"version": "1.10", "tags": ["a", 2]},
            "allowed-tools": "Read",
        },
        "resources": [
            listed(&format!("{root}/SKILL.md"), REFUNDS),
            listed(&format!("{root}/forms/eu/form%20a.md"), FORM),
            listed(&format!("{root}/forms/stamp.PNG"), STAMP),
        ],
    })
}

#[tokio::test]
async fn the_extension_is_declared_with_its_setting() {
    let discovered = result(&mut connect(shop()), "server/discover", json!({})).await;
    let capabilities = &discovered["capabilities"];
    assert_eq!(capabilities["extensions"], json!({EXTENSION: {"directoryRead": true}}));
    assert_eq!(capabilities["resources"], json!({}));
}

#[tokio::test]
async fn the_list_has_each_skill_with_its_frontmatter_and_all_its_files() {
    let list = result(&mut connect(shop()), "skills/list", json!({})).await;
    assert_eq!(
        list,
        json!({"skills": [refunds(), git_workflow()], "ttlMs": 300_000, "cacheScope": "public"})
    );
}

#[tokio::test]
async fn the_list_comes_in_pages() {
    let mut client = connect(shop().page_size(NonZeroUsize::MIN));
    let found = pages(&mut client, "skills/list", "skills", json!({})).await;
    assert_eq!(found, [[refunds()], [git_workflow()]]);

    let folder = json!({"uri": "skill://acme/billing/refunds"});
    let found = pages(&mut client, "resources/directory/read", "resources", folder.clone()).await;
    assert_eq!(found.iter().map(Vec::len).collect::<Vec<_>>(), [1, 1, 1]);

    // A cursor is good for its own list only, as it was given.
    let cursor = result(&mut client, "skills/list", json!({})).await["nextCursor"].take();
    let cursor = cursor.as_str().unwrap();
    let end = format!("{}-2", cursor.split_once('-').unwrap().0);
    for cursor in ["", "x", "-", &cursor[1..], &end] {
        assert_eq!(
            error(&mut client, "skills/list", json!({"cursor": cursor})).await["code"],
            -32602,
            "{cursor}"
        );
    }
    let mut other = folder;
    other["cursor"] = cursor.into();
    assert_eq!(error(&mut client, "resources/directory/read", other).await["code"], -32602);
    assert_eq!(error(&mut client, "skills/list", json!({"cursor": 1})).await["code"], -32602);
    let first = result(&mut client, "skills/list", json!({"cursor": null})).await;
    assert_eq!(first["skills"], json!([refunds()]));
}

#[tokio::test]
async fn a_cursor_of_what_the_folder_was_before_is_refused() {
    let root = folder(&[("a/SKILL.md", &skill("a")), ("b/SKILL.md", &skill("b"))]);
    let connect = || connect(load(&root).page_size(NonZeroUsize::MIN));
    let first = result(&mut connect(), "skills/list", json!({})).await;
    let cursor = json!({"cursor": first["nextCursor"]});
    assert_eq!(
        result(&mut connect(), "skills/list", cursor.clone()).await["skills"][0]["frontmatter"]["name"],
        "b"
    );

    fs::write(root.path().join("a/more.md"), "More.").unwrap();
    assert_eq!(error(&mut connect(), "skills/list", cursor).await["code"], -32602);
}

#[tokio::test]
async fn one_skill_is_given_by_its_uri() {
    let mut client = connect(shop().fresh_for(Duration::from_millis(1500), CacheScope::Private));
    let uri = "skill://acme/billing/refunds/SKILL.md";
    let got = result(&mut client, "skills/get", json!({"uri": uri})).await;
    assert_eq!(got, json!({"skill": refunds(), "ttlMs": 1500, "cacheScope": "private"}));
}

#[tokio::test]
async fn a_uri_of_no_skill_is_an_error_that_repeats_it() {
    let mut client = connect(shop());
    let long = format!("skill://{}", "\u{e9}".repeat(5000));
    for uri in [
        "skill://nothing/SKILL.md",
        "skill://git-workflow",
        "skill://acme/billing/refunds/forms/stamp.PNG",
        "skill://acme/notes/plan.md",
        "skill://acme/../git-workflow/SKILL.md",
        "file:///etc/passwd",
        "",
        &long,
    ] {
        let error = error(&mut client, "skills/get", json!({"uri": uri})).await;
        let repeated: String = uri.chars().take(2048).collect();
        assert_eq!((&error["code"], &error["data"]), (&json!(-32602), &json!({"uri": repeated})), "{uri}");
    }
    assert_eq!(error(&mut client, "skills/get", json!({})).await["code"], -32602);
}

#[tokio::test]
async fn files_are_resources_with_the_bytes_that_the_digest_is_of() {
    let mut client = connect(shop());
    let root = "skill://acme/billing/refunds";
    let uri = format!("{root}/SKILL.md");
    let read = result(&mut client, "resources/read", json!({"uri": uri})).await;
    let text = std::str::from_utf8(REFUNDS).unwrap();
    let contents = json!([{"uri": uri, "mimeType": "text/markdown", "text": text}]);
    assert_eq!(read, json!({"contents": contents, "ttlMs": 300_000, "cacheScope": "public"}));

    let uri = format!("{root}/forms/stamp.PNG");
    let read = result(&mut client, "resources/read", json!({"uri": uri})).await;
    assert_eq!(read["contents"], json!([{"uri": uri, "mimeType": "image/png", "blob": "iVBORw0KGgr/AA=="}]));

    let listed = result(&mut client, "resources/list", json!({})).await;
    let expected = json!([
        {
            "uri": format!("{root}/SKILL.md"),
            "name": "refunds",
            "description": "Refund requests, by policy.\n",
            "mimeType": "text/markdown",
            "size": REFUNDS.len(),
        },
        {"uri": format!("{root}/forms/eu/form%20a.md"), "name": "form a.md", "mimeType": "text/markdown", "size": FORM.len()},
        {"uri": format!("{root}/forms/stamp.PNG"), "name": "stamp.PNG", "mimeType": "image/png", "size": STAMP.len()},
        {
            "uri": "skill://git-workflow/SKILL.md",
            "name": "git-workflow",
            "description": "About git-workflow.",
            "mimeType": "text/markdown",
            "size": skill("git-workflow").len(),
        },
    ]);
    assert_eq!(listed["resources"], expected);
}

#[tokio::test]
async fn a_folder_gives_its_direct_children() {
    let mut client = connect(shop());
    let root = "skill://acme/billing/refunds";
    let below =
        |name: &str| json!({"uri": format!("{root}/{name}"), "name": name, "mimeType": "inode/directory"});
    let read = result(&mut client, "resources/directory/read", json!({"uri": root})).await;
    let skill_file = json!({
        "uri": format!("{root}/SKILL.md"),
        "name": "refunds",
        "description": "Refund requests, by policy.\n",
        "mimeType": "text/markdown",
        "size": REFUNDS.len(),
    });
    let expected = json!([skill_file, below("empty"), below("forms")]);
    assert_eq!(read, json!({"resources": expected, "ttlMs": 300_000, "cacheScope": "public"}));

    for (uri, names) in [
        (format!("{root}/forms"), json!(["eu", "stamp.PNG"])),
        (format!("{root}/forms/eu"), json!(["form a.md"])),
        (format!("{root}/empty"), json!([])),
        // Folders on the way to skills; what is there beside skills is not served.
        ("skill://acme".into(), json!(["billing"])),
        ("skill://acme/billing".into(), json!(["refunds"])),
    ] {
        let read = result(&mut client, "resources/directory/read", json!({"uri": uri})).await;
        let found: Vec<_> =
            read["resources"].as_array().unwrap().iter().map(|child| child["name"].clone()).collect();
        assert_eq!(json!(found), names, "{uri}");
    }
    for uri in [
        "skill://git-workflow/SKILL.md",
        "skill://git-workflow/",
        "skill://nothing",
        "skill://acme/notes",
        "skill:/",
        "skill://",
        "skill://acme/..",
        "file:///",
    ] {
        let error = error(&mut client, "resources/directory/read", json!({"uri": uri})).await;
        assert_eq!((&error["code"], &error["data"]["uri"]), (&json!(-32602), &json!(uri)));
    }
}

#[tokio::test]
async fn a_nested_skill_is_a_skill_and_part_of_the_one_around_it() {
    let root = folder(&[
        ("outer/SKILL.md", &skill("outer")),
        ("outer/inner/SKILL.md", &skill("inner")),
        ("outer/inner/deep.md", b"Deep."),
        ("outer/z.md", b"Z."),
    ]);
    let skills = load(&root);
    let files: Vec<Vec<_>> = skills.iter().map(|skill| skill.files().map(SkillFile::uri).collect()).collect();
    let inner = ["skill://outer/inner/SKILL.md", "skill://outer/inner/deep.md"];
    let outer = ["skill://outer/SKILL.md", inner[0], inner[1], "skill://outer/z.md"];
    assert_eq!(files, [outer.to_vec(), inner.to_vec()]);
    let named: Vec<_> = skills.iter().map(|skill| (skill.name(), skill.description())).collect();
    assert_eq!(named, [("outer", "About outer."), ("inner", "About inner.")]);
}

#[tokio::test]
async fn clients_of_older_revisions_see_resources_only() {
    for version in ProtocolVersion::ALL.into_iter().filter(|version| !version.is_modern()) {
        let server = || Server::new(shop().install(router()));
        let mut client = memory::connect_legacy(server(), version).await.unwrap();
        let uri = "skill://git-workflow/SKILL.md";
        for (method, uri) in
            [("skills/list", uri), ("skills/get", uri), ("resources/directory/read", "skill://git-workflow")]
        {
            let error = error(&mut client, method, json!({"uri": uri})).await;
            assert_eq!(
                (&error["code"], &error["message"]),
                (&json!(-32601), &json!(format!("method not found: {method}")))
            );
        }
        let read = client.call("resources/read", json!({"uri": uri})).await.unwrap().result.unwrap();
        assert_eq!(read["contents"][0]["text"], std::str::from_utf8(&skill("git-workflow")).unwrap());

        let mut client = Client::new(server(), Stdio::new(), version);
        let info = json!({"name": "test", "version": "1"});
        let params = json!({"protocolVersion": version.as_str(), "capabilities": {}, "clientInfo": info});
        let answer = client.call("initialize", params).await.unwrap().result.unwrap();
        assert_eq!(answer["capabilities"].get("extensions"), None);
    }
}

#[tokio::test]
async fn what_is_listed_is_what_is_read_though_the_folder_changes() {
    let root = folder(&[("a/SKILL.md", &skill("a")), ("a/guide.md", b"Before.")]);
    let mut client = connect(load(&root));
    fs::write(root.path().join("a/guide.md"), "After.").unwrap();
    let read = result(&mut client, "resources/read", json!({"uri": "skill://a/guide.md"})).await;
    assert_eq!(read["contents"][0]["text"], "Before.");
    drop(root);
    let list = result(&mut client, "skills/list", json!({})).await;
    assert_eq!(list["skills"][0]["resources"][1], listed("skill://a/guide.md", b"Before."));
}

#[tokio::test]
async fn the_router_keeps_what_it_has() {
    let router = router().resource(FixedResource::text("docs://a", "a", "text/plain", "A"));
    let mut client = memory::connect(Server::new(shop().install(router)));
    let read = result(&mut client, "resources/read", json!({"uri": "docs://a"})).await;
    assert_eq!(read["contents"][0]["text"], "A");
}
