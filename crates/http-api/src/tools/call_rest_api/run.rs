//! Carries out a call: one page or several.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use http::{Method, StatusCode};
use serde_json::value::RawValue;
use towline_core::{Context, Error, ToolResult};

use super::answer::RestAnswer;
use super::arguments::Arguments;
use crate::client::{Api, CallOptions};
use crate::page;
use crate::request::{ApiRequest, ApiResponse};
use crate::select::Selection;
use crate::tools::{failure, fit};

pub(super) async fn run(api: &Api, arguments: Arguments, context: &Context) -> Result<ToolResult, Error> {
    let request = arguments.request(api)?;
    let selection = arguments.select.as_deref().map(Selection::compile).transpose()?.map(Arc::new);
    let mut options = CallOptions::new();
    options.cache_for = arguments.cache_duration.map(|seconds| Duration::from_secs(seconds.into()));
    let pages = arguments.pages.unwrap_or(1).min(api.config().pagination.max_pages);
    let call = Call { api, options, selection, context };
    if pages > 1 { call.several(request, pages).await } else { call.single(request).await }
}

struct Call<'a> {
    api: &'a Api,
    options: CallOptions,
    selection: Option<Arc<Selection>>,
    context: &'a Context,
}

impl Call<'_> {
    async fn single(&self, request: ApiRequest) -> Result<ToolResult, Error> {
        let response = self.execute(&request).await?;
        // Who sets conditions may be told that nothing has changed.
        if !response.status.is_success() && response.status != StatusCode::NOT_MODIFIED {
            return failure::status(self.api, &response);
        }
        let most = self.api.config().max_result_bytes;
        let fitted = match &self.selection {
            Some(_) => fit::json_body(&self.selected(&response).await?, most)?,
            None => fit::body(&response, most)?,
        };
        let mut answer = RestAnswer::new(self.api, &response, fitted);
        answer.next = self.next(&request, &response).map(|(next, _)| endpoint(&next));
        result(&answer, &response)
    }

    /// Fetches pages and joins their items, as long as they fit.
    async fn several(&self, first: ApiRequest, pages: u32) -> Result<ToolResult, Error> {
        let most = self.api.config().max_result_bytes;
        let mut seen = HashSet::from([endpoint(&first)]);
        let mut request = first;
        let mut items: Vec<Box<RawValue>> = Vec::new();
        let mut bytes = 0;
        let mut fetched = 0;
        let mut last: Option<ApiResponse> = None;
        let (mut next, mut note) = (None, None);
        let mut are_named = false;
        loop {
            let response = match self.execute(&request).await {
                Ok(response) if response.status.is_success() => response,
                // What there is, is worth having; how to go on is said.
                failed if fetched > 0 => {
                    note = Some(match failed {
                        Ok(response) => format!("The next page gave status {}.", response.status.as_u16()),
                        Err(error) => format!("The next page is missing: {}", error.message()),
                    });
                    next = Some(endpoint(&request));
                    break;
                }
                Ok(response) => return failure::status(self.api, &response),
                Err(error) => return Err(error),
            };
            let more = self.items(&response).await?;
            let size: usize = more.iter().map(|item| item.get().len() + 1).sum();
            if fetched > 0 && bytes + size > most {
                note = Some("The next page is left out: with it the answer would be too long.".to_owned());
                next = Some(endpoint(&request));
                break;
            }
            bytes += size;
            items.extend(more);
            fetched += 1;
            self.context.progress(f64::from(fetched), Some(f64::from(pages)), Some("page")).await;
            let following =
                self.next(&request, &response).filter(|(_, is_counted)| !(are_named && *is_counted));
            are_named |= following.as_ref().is_some_and(|(_, is_counted)| !is_counted);
            let following = following.map(|(following, _)| following);
            last = Some(response);
            match following {
                Some(following) if !seen.insert(endpoint(&following)) => {
                    note = Some("The API names a page as the next one that was there already.".to_owned());
                    break;
                }
                Some(following) if fetched == pages || bytes >= most => {
                    next = Some(endpoint(&following));
                    break;
                }
                Some(following) => request = following,
                None => break,
            }
        }
        let Some(last) = last else { return Err(Error::internal("no page was fetched")) };
        let fitted = fit::json_body(fit::raw(&items)?.get(), most)?;
        let mut answer = RestAnswer::new(self.api, &last, fitted);
        answer.pages = Some(fetched);
        answer.next = next;
        answer.note = answer.note.or(note);
        result(&answer, &last)
    }

    async fn execute(&self, request: &ApiRequest) -> Result<ApiResponse, Error> {
        self.api.execute_with(request.clone(), &self.options, self.context).await
    }

    /// The request for the page after this one, and whether it is only counted. Only reading goes on by itself.
    fn next(&self, request: &ApiRequest, response: &ApiResponse) -> Option<(ApiRequest, bool)> {
        if request.method != Method::GET {
            return None;
        }
        let page::Next { path, query, is_counted } = page::next(self.api, request, response)?;
        Some((ApiRequest { path, query, ..request.clone() }, is_counted))
    }

    /// What a page adds: the items of what is selected, or of the body.
    async fn items(&self, response: &ApiResponse) -> Result<Vec<Box<RawValue>>, Error> {
        let owned = |items: Vec<&RawValue>| items.into_iter().map(ToOwned::to_owned).collect();
        if self.selection.is_some() {
            let selected = self.selected(response).await?;
            return Ok(match page::items(&selected).filter(|_| selected.starts_with('[')) {
                Some(items) => owned(items),
                None => vec![RawValue::from_string(selected).map_err(Error::internal)?],
            });
        }
        let text = std::str::from_utf8(&response.body).ok().filter(|_| !response.is_cut);
        match text.and_then(page::items) {
            Some(items) => Ok(owned(items)),
            None => Ok(vec![fit::body(response, self.api.config().max_result_bytes)?.body]),
        }
    }

    async fn selected(&self, response: &ApiResponse) -> Result<String, Error> {
        let Some(selection) = self.selection.clone() else { return Ok("null".into()) };
        if response.is_cut {
            return Err(Error::invalid_params(
                "`select`: the answer is too long to read as a whole; ask the API for less.",
            ));
        }
        let body = response.body.clone();
        // It may take a while, which other calls on this thread should not wait for.
        let work = move || {
            let text = std::str::from_utf8(&body)
                .map_err(|_| Error::invalid_params("`select`: the answer is no JSON."))?;
            selection.apply(text)
        };
        tokio::task::spawn_blocking(work).await.map_err(Error::internal)?
    }
}

fn endpoint(request: &ApiRequest) -> String {
    match &request.query {
        Some(query) => format!("{}?{query}", request.path),
        None => request.path.clone(),
    }
}

fn result(answer: &RestAnswer, response: &ApiResponse) -> Result<ToolResult, Error> {
    let result = ToolResult::json(answer)?;
    let texts =
        response.headers.get_all(http::header::CACHE_CONTROL).iter().filter_map(|value| value.to_str().ok());
    let is_volatile =
        texts.flat_map(|text| text.split(',')).any(|part| part.trim().eq_ignore_ascii_case("no-store"));
    Ok(if is_volatile { result.volatile() } else { result })
}
