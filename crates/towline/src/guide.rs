//! Guides: one task each, with programs that compile and run.
//!
//! Where links lead is said twice: to items, in `links.md`, and at the end of each guide to files, for those who read it in the
//! repository. The first definition of a label counts.

// Of what is left out, there is nothing to lead to.
#![cfg_attr(
    not(all(
        feature = "auth",
        feature = "filesystem",
        feature = "http",
        feature = "http-api",
        feature = "middleware",
        feature = "ops",
        feature = "postgres",
        feature = "skills",
        feature = "stdio",
    )),
    allow(rustdoc::broken_intra_doc_links)
)]

#[cfg(all(feature = "stdio", feature = "http"))]
#[doc = include_str!("links.md")]
#[doc = include_str!("../../../docs/guides/your-first-server.md")]
pub mod your_first_server {}

#[cfg(feature = "stdio")]
#[doc = include_str!("links.md")]
#[doc = include_str!("../../../docs/guides/resources-and-prompts.md")]
pub mod resources_and_prompts {}

#[cfg(feature = "stdio")]
#[doc = include_str!("links.md")]
#[doc = include_str!("../../../docs/guides/asking-the-user.md")]
pub mod asking_the_user {}

#[cfg(all(feature = "stdio", feature = "http"))]
#[doc = include_str!("links.md")]
#[doc = include_str!("../../../docs/guides/old-clients.md")]
pub mod old_clients {}

#[cfg(feature = "stdio")]
#[doc = include_str!("links.md")]
#[doc = include_str!("../../../docs/guides/long-jobs.md")]
pub mod long_jobs {}

#[cfg(all(feature = "stdio", feature = "skills"))]
#[doc = include_str!("links.md")]
#[doc = include_str!("../../../docs/guides/skills.md")]
pub mod skills {}

#[cfg(all(feature = "http", feature = "postgres"))]
#[doc = include_str!("links.md")]
#[doc = include_str!("../../../docs/guides/put-your-database-behind-mcp.md")]
pub mod put_your_database_behind_mcp {}

#[cfg(all(feature = "http", feature = "http-api"))]
#[doc = include_str!("links.md")]
#[doc = include_str!("../../../docs/guides/http-api-behind-mcp.md")]
pub mod http_api_behind_mcp {}

#[cfg(all(feature = "stdio", feature = "filesystem"))]
#[doc = include_str!("links.md")]
#[doc = include_str!("../../../docs/guides/files-behind-mcp.md")]
pub mod files_behind_mcp {}

#[cfg(all(feature = "stdio", feature = "http-api", feature = "middleware"))]
#[doc = include_str!("links.md")]
#[doc = include_str!("../../../docs/guides/from-openapi-to-tools.md")]
pub mod from_openapi_to_tools {}

#[cfg(feature = "http-api")]
#[doc = include_str!("links.md")]
#[doc = include_str!("../../../docs/guides/what-the-egress-guard-refuses.md")]
pub mod what_the_egress_guard_refuses {}

#[cfg(all(feature = "stdio", feature = "middleware"))]
#[doc = include_str!("links.md")]
#[doc = include_str!("../../../docs/guides/layers.md")]
pub mod layers {}

#[cfg(all(feature = "stdio", feature = "middleware"))]
#[doc = include_str!("links.md")]
#[doc = include_str!("../../../docs/guides/when-the-upstream-is-down.md")]
pub mod when_the_upstream_is_down {}

#[cfg(all(feature = "stdio", feature = "http", feature = "middleware"))]
#[doc = include_str!("links.md")]
#[doc = include_str!("../../../docs/guides/limits.md")]
pub mod limits {}

#[cfg(all(feature = "stdio", feature = "middleware"))]
#[doc = include_str!("links.md")]
#[doc = include_str!("../../../docs/guides/caching.md")]
pub mod caching {}

#[cfg(all(feature = "stdio", feature = "middleware"))]
#[doc = include_str!("links.md")]
#[doc = include_str!("../../../docs/guides/what-to-measure.md")]
pub mod what_to_measure {}

#[cfg(all(feature = "http", feature = "middleware", feature = "ops"))]
#[doc = include_str!("links.md")]
#[doc = include_str!("../../../docs/guides/watch-it.md")]
pub mod watch_it {}

#[cfg(all(feature = "http", feature = "middleware", feature = "ops"))]
#[doc = include_str!("links.md")]
#[doc = include_str!("../../../docs/guides/run-it-in-production.md")]
pub mod run_it_in_production {}

#[cfg(all(feature = "http", feature = "middleware", feature = "ops"))]
#[doc = include_str!("links.md")]
#[doc = include_str!("../../../docs/guides/kubernetes.md")]
pub mod kubernetes {}

#[cfg(all(feature = "http", feature = "auth"))]
#[doc = include_str!("links.md")]
#[doc = include_str!("../../../docs/guides/who-may-call-what.md")]
pub mod who_may_call_what {}

#[cfg(all(feature = "stdio", feature = "middleware"))]
#[doc = include_str!("links.md")]
#[doc = include_str!("../../../docs/guides/test-your-mcp-server.md")]
pub mod test_your_mcp_server {}
