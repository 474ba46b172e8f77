//! The methods of the extension.
//!
//! All answers are written when the server is built: asking for one is a look-up. They are of revision 2026-07-28, in
//! which servers declare extensions; in older ones the methods are not there.
//!
//! Source: SEP-2640, "Enumeration via `skills/list`", "Retrieval via `skills/get`", "Directory Listing".

use std::collections::HashMap;
use std::future::ready;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use towline_core::protocol::ListParams;
use towline_core::{Error, ErrorKind, Reply, Request, Router};

use crate::EXTENSION;
use crate::file::FOLDER_TYPE;
use crate::load::{Child, Loaded};
use crate::page::{Answer, Pages, Settings};
use crate::skill::Skill;

/// More characters than these of a URI that does not exist are not sent back.
const MAX_URI: usize = 2048;

/// The answers of the extension's methods.
#[derive(Debug)]
pub(crate) struct Methods {
    list: Pages,
    skills: HashMap<String, Reply>,
    folders: HashMap<String, Pages>,
}

impl Methods {
    pub(crate) fn new(loaded: &Loaded, settings: &Settings) -> Self {
        let skill = |skill: &Skill| {
            let answer = Answer { member: "skill", value: skill, next_cursor: None, settings };
            (skill.uri.clone(), answer.write())
        };
        let folder = |(uri, children): (&String, &Vec<Child>)| {
            let children: Vec<_> = children.iter().map(Entry::of).collect();
            (uri.clone(), Pages::new("resources", &children, settings))
        };
        Self {
            list: Pages::new("skills", &loaded.skills, settings),
            skills: loaded.skills.iter().map(skill).collect(),
            folders: loaded.folders.iter().map(folder).collect(),
        }
    }

    pub(crate) fn install(self, router: Router) -> Router {
        let methods = Arc::new(self);
        let method = |run: fn(&Methods, &Request) -> Result<Reply, Error>| {
            let methods = Arc::clone(&methods);
            move |request: Request| ready(modern(&request).and_then(|()| run(&methods, &request)))
        };
        router
            .extension(EXTENSION, Map::from_iter([("directoryRead".to_owned(), Value::Bool(true))]))
            .method("skills/list", method(Self::list))
            .method("skills/get", method(Self::get))
            .method("resources/directory/read", method(Self::read_folder))
    }

    fn list(&self, request: &Request) -> Result<Reply, Error> {
        let params: ListParams = request.parse()?;
        self.list.get(params.cursor.as_deref())
    }

    fn get(&self, request: &Request) -> Result<Reply, Error> {
        #[derive(Deserialize)]
        struct GetParams {
            uri: String,
        }
        let params: GetParams = request.parse()?;
        let unknown = || {
            let message = "there is no skill at this URI: it must be that of a `SKILL.md` of this server";
            not_there(message, &params.uri)
        };
        self.skills.get(&params.uri).cloned().ok_or_else(unknown)
    }

    fn read_folder(&self, request: &Request) -> Result<Reply, Error> {
        #[derive(Deserialize)]
        struct ReadFolderParams {
            uri: String,
            cursor: Option<String>,
        }
        let params: ReadFolderParams = request.parse()?;
        let pages = self.folders.get(&params.uri);
        let unknown = || not_there("there is no directory at this URI", &params.uri);
        pages.ok_or_else(unknown)?.get(params.cursor.as_deref())
    }
}

/// Older revisions know nothing of the extension, so for them its methods are like any other that is not there.
fn modern(request: &Request) -> Result<(), Error> {
    if request.context().version().is_modern() {
        return Ok(());
    }
    Err(Error::new(ErrorKind::MethodNotFound, format!("method not found: {}", request.method())))
}

fn not_there(message: &'static str, uri: &str) -> Error {
    let end = uri.char_indices().nth(MAX_URI).map_or(uri.len(), |(end, _)| end);
    Error::invalid_params(message).with_data(&json!({"uri": &uri[..end]}))
}

/// What a folder tells of a child: the same as `resources/list` would.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Entry<'a> {
    uri: &'a str,
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    mime_type: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
}

impl<'a> Entry<'a> {
    fn of(child: &'a Child) -> Self {
        match child {
            Child::File(file) => Self {
                uri: file.uri(),
                name: file.name(),
                description: file.description(),
                mime_type: file.mime_type(),
                size: Some(file.size()),
            },
            Child::Folder(place) => Self {
                uri: &place.uri,
                name: place.name(),
                description: None,
                mime_type: FOLDER_TYPE,
                size: None,
            },
        }
    }
}
