//! Whatever lies in a folder, reading it ends and panics nowhere, and what is served of it keeps its promises.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use serde_json::{Value, json};
use towline_skills::Skills;
use towline_transport::memory::Client;

use crate::common::{connect, digest, folder, listed, load, pages, result, skill};

/// Text of the pieces that frontmatter is made of.
fn frontmatter() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop::sample::select(vec![
        "---\n",
        "---",
        "\n",
        "\r\n",
        "\r",
        "name: a\n",
        "description: d\n",
        "name",
        ": ",
        "a",
        "- ",
        "  ",
        "&a ",
        "*a",
        "[",
        "]",
        "{",
        "}",
        ", ",
        "'",
        "\"",
        "|\n",
        ">-\n",
        "!!str ",
        "!x ",
        "<<: ",
        "? ",
        "# c\n",
        "%YAML 1.2\n",
        "...\n",
        "1e9",
        "0x",
        "\u{feff}",
        "\u{e9}",
        "\0",
        "\\",
        "\t",
        "~",
    ]);
    let pieces = prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat());
    let begun = pieces.clone().prop_map(|rest| format!("---\nname: a\ndescription: d\n{rest}\n---\n"));
    let bytes = prop::collection::vec(any::<u8>(), 0..200);
    prop_oneof![pieces.prop_map(String::into_bytes), begun.prop_map(String::into_bytes), bytes]
}

/// Names of files and folders that are not hidden and no `SKILL.md`.
fn name() -> impl Strategy<Value = String> {
    let odd = prop::sample::select(vec![
        "a", "A", "b.md", "a b", "%2e%2e", "%", "?", "#", "x..", "a:b@c", "\u{e9}", "\u{202e}", "\\", "{x}",
        "~", "*", "skill.md", "\u{1}", "\n", "\"", "`",
    ]);
    prop_oneof![odd.prop_map(str::to_owned), "[a-z0-9]{1,8}(\\.[a-z]{1,3})?"]
}

/// Files by path, of one skill or of two of which the second is nested in the first.
fn tree() -> impl Strategy<Value = BTreeMap<String, Vec<u8>>> {
    let path = prop::collection::vec(name(), 1..4).prop_map(|parts| parts.join("/"));
    let content =
        prop_oneof![prop::collection::vec(any::<u8>(), 0..50), any::<String>().prop_map(String::into_bytes)];
    prop::collection::btree_map(path, content, 0..12).prop_map(|files| {
        // A path that is another's folder cannot be a file.
        let is_folder = |path: &str| files.keys().any(|other| other.starts_with(&format!("{path}/")));
        let mut kept: BTreeMap<_, _> = files
            .iter()
            .filter(|(path, _)| !is_folder(path))
            .map(|(path, content)| (format!("s/{path}"), content.clone()))
            .collect();
        kept.insert("s/SKILL.md".into(), skill("s"));
        kept
    })
}

fn block_on(work: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(work);
}

/// All files below a folder, by walking it.
async fn walk(client: &mut Client, root: &str) -> BTreeSet<String> {
    let (mut found, mut folders) = (BTreeSet::new(), vec![root.to_owned()]);
    while let Some(uri) = folders.pop() {
        let children = pages(client, "resources/directory/read", "resources", json!({"uri": uri})).await;
        for child in children.into_iter().flatten() {
            let uri = child["uri"].as_str().unwrap().to_owned();
            if child["mimeType"] == "inode/directory" {
                folders.push(uri);
            } else {
                assert!(found.insert(uri));
            }
        }
    }
    found
}

/// The bytes that a client has of what it read.
fn bytes(read: &Value) -> Vec<u8> {
    use base64::Engine;
    let contents = &read["contents"][0];
    match contents["text"].as_str() {
        Some(text) => text.into(),
        None => base64::engine::general_purpose::STANDARD.decode(contents["blob"].as_str().unwrap()).unwrap(),
    }
}

proptest! {
    #[test]
    fn any_skill_file_is_served_by_the_rules_or_refused(content in frontmatter()) {
        let root = folder(&[("a/SKILL.md", &content)]);
        match Skills::from_folder(root.path()) {
            Ok(skills) => {
                let skill = skills.iter().next().unwrap();
                prop_assert_eq!(skill.name(), "a");
                prop_assert!((1..=1024).contains(&skill.description().chars().count()));
                let digest = digest(&content);
                prop_assert_eq!(skill.files().next().unwrap().digest(), &*digest);
            }
            Err(error) => prop_assert_eq!(error.path(), "a/SKILL.md"),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_listed_is_what_is_read_and_what_a_walk_finds(files in tree(), size in 1..5_usize) {
        let borrowed: Vec<(&str, &[u8])> = files.iter().map(|(path, content)| (&**path, &**content)).collect();
        let root = folder(&borrowed);
        let mut expected: Vec<_> = files.values().map(|content| (digest(content), content.len() as u64)).collect();
        expected.sort();
        block_on(async {
            let mut client = connect(load(&root).page_size(size.try_into().unwrap()));
            let list = pages(&mut client, "skills/list", "skills", json!({})).await;
            let resources = list[0][0]["resources"].as_array().unwrap();
            let mut found: Vec<_> = resources
                .iter()
                .map(|one| (one["digest"].as_str().unwrap().to_owned(), one["size"].as_u64().unwrap()))
                .collect();
            found.sort();
            assert_eq!(found, expected);

            let mut uris = BTreeSet::new();
            for resource in resources {
                let uri = resource["uri"].as_str().unwrap();
                assert!(uri.starts_with("skill://s/"), "{uri}");
                let read = result(&mut client, "resources/read", json!({"uri": uri})).await;
                assert_eq!(&listed(uri, &bytes(&read)), resource);
                assert!(uris.insert(uri.to_owned()), "{uri} is there twice");
            }
            assert_eq!(walk(&mut client, "skill://s").await, uris);
        });
    }
}
