//! What is known of the names in `pg_catalog` without asking a server.
//!
//! `functions.txt` has every function name of PostgreSQL 14 to 18 with the worst of its overloads
//! and, for an aggregate, of its support functions: `i`mmutable, `s`table or `v`olatile; `1` when
//! `x.name` can call it; `r` when it then takes a whole row.

use std::collections::HashMap;
use std::sync::LazyLock;

/// What the catalog says of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Facts {
    pub(super) volatility: Volatility,
    /// One argument is enough, so that `x.name` can call it.
    pub(super) unary: bool,
    /// That one argument may be a row of any table.
    pub(super) takes_rows: bool,
}

/// `provolatile`, from harmless to not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Volatility {
    Immutable,
    Stable,
    Volatile,
}

/// The shipped facts of a function in `pg_catalog`.
pub(super) fn function(name: &str) -> Option<Facts> {
    static FUNCTIONS: LazyLock<HashMap<&str, Facts>> =
        LazyLock::new(|| include_str!("functions.txt").lines().filter_map(parse).collect());
    FUNCTIONS.get(name).copied()
}

fn parse(line: &'static str) -> Option<(&'static str, Facts)> {
    let (name, flags) = line.split_once(' ')?;
    let volatility = match flags.as_bytes().first()? {
        b'i' => Volatility::Immutable,
        b's' => Volatility::Stable,
        _ => Volatility::Volatile,
    };
    let facts = Facts { volatility, unary: flags.contains('1'), takes_rows: flags.contains('r') };
    Some((name, facts))
}

/// Volatile in the catalog, and yet they only read or compute.
pub(super) fn is_harmless(name: &str) -> bool {
    matches!(
        name,
        "array_sample"
            | "array_shuffle"
            | "clock_timestamp"
            | "current_query"
            | "gen_random_uuid"
            | "random"
            | "random_normal"
            | "timeofday"
            | "timezone"
            | "uuidv4"
            | "uuidv7"
            | "pg_blocking_pids"
            | "pg_collation_actual_version"
            | "pg_control_checkpoint"
            | "pg_control_init"
            | "pg_control_recovery"
            | "pg_control_system"
            | "pg_current_wal_flush_lsn"
            | "pg_current_wal_insert_lsn"
            | "pg_current_wal_lsn"
            | "pg_database_collation_actual_version"
            | "pg_database_size"
            | "pg_get_wait_events"
            | "pg_get_wal_replay_pause_state"
            | "pg_indexes_size"
            | "pg_is_in_recovery"
            | "pg_is_wal_replay_paused"
            | "pg_jit_available"
            | "pg_last_committed_xact"
            | "pg_last_wal_receive_lsn"
            | "pg_last_wal_replay_lsn"
            | "pg_last_xact_replay_timestamp"
            | "pg_lock_status"
            | "pg_notification_queue_usage"
            | "pg_partition_ancestors"
            | "pg_partition_tree"
            | "pg_relation_size"
            | "pg_safe_snapshot_blocking_pids"
            | "pg_sequence_last_value"
            | "pg_table_size"
            | "pg_tablespace_size"
            | "pg_total_relation_size"
            | "pg_xact_commit_timestamp"
            | "pg_xact_status"
            | "txid_status"
    )
}

/// The same for well-known extensions; only where the function is written in C.
pub(super) fn is_harmless_in_extension(name: &str) -> bool {
    matches!(
        name,
        "uuid_generate_v1"
            | "uuid_generate_v1mc"
            | "uuid_generate_v4"
            | "gen_random_bytes"
            | "gen_random_uuid"
            | "gen_salt"
            | "normal_rand"
    )
}

/// Not volatile, and yet not to be had: why, as the rest of a sentence about the function.
pub(super) fn denied(name: &str) -> Option<&'static str> {
    let runs_text = "runs a query or reads a table that is given to it as text";
    if name.ends_with("_to_xml") || name.ends_with("_to_xmlschema") || name.ends_with("_to_xml_and_xmlschema")
    {
        return Some(runs_text);
    }
    match name {
        "crosstab" | "crosstab2" | "crosstab3" | "crosstab4" | "crosstabn" | "connectby" | "xpath_table"
        | "ts_stat" | "st_estimatedextent" | "st_findextent" | "find_srid" => Some(runs_text),
        // libxml2 looks at no interrupt: neither a timeout nor a cancellation ends it.
        "xpath" | "xpath_exists" | "xmlexists" | "xpath_string" | "xpath_nodeset" | "xpath_list"
        | "xpath_number" | "xpath_bool" => Some("cannot be stopped by a timeout while it runs"),
        "isn_weak" => Some("changes a setting of the session"),
        "xslt_process" => Some("can read files and addresses"),
        "txid_current" | "pg_current_xact_id" => Some("takes a transaction id, which is a write"),
        "pg_prepared_statement" | "pg_cursor" => Some("shows what others ran on this connection"),
        _ if name.ends_with("_validator") => Some("is not for queries"),
        _ if name.starts_with("dblink") => Some("opens a connection of its own"),
        _ => None,
    }
}

/// Functions and relations that tell of other sessions: their statements, what they look at, how many rows there are in all.
pub(super) fn tells_of_others(name: &str) -> bool {
    let is_statistic = ["pg_stat_", "pg_statio_"].iter().any(|start| name.starts_with(start));
    is_statistic || matches!(name, "pg_locks" | "pg_lock_status" | "pg_prepared_xacts")
}

/// Whether two calls with the same arguments and the same tables may differ.
///
/// Only for functions that are not volatile.
pub(super) fn varies(name: &str, arguments: usize) -> bool {
    match name {
        "now" | "statement_timestamp" | "transaction_timestamp" | "current_setting" => true,
        "age" => arguments == 1, // counts from today
        _ => name.starts_with("pg_") || name.starts_with("txid_") || name.starts_with("inet_"),
    }
}

/// Functions that describe objects by name or number, so that they reach past a list of schemas.
pub(super) fn describes_objects(name: &str) -> bool {
    match name {
        "pg_typeof"
        | "pg_column_size"
        | "pg_collation_for"
        | "pg_size_pretty"
        | "pg_size_bytes"
        | "pg_backend_pid"
        | "pg_is_in_recovery"
        | "pg_postmaster_start_time"
        | "pg_conf_load_time"
        | "pg_input_is_valid"
        | "pg_input_error_info"
        | "pg_timezone_names"
        | "pg_timezone_abbrevs"
        | "pg_client_encoding"
        | "pg_get_keywords"
        | "pg_lsn"
        | "pg_trigger_depth"
        | "pg_column_compression" => false,
        "row_security_active" | "txid_status" | "currval" => true,
        _ => {
            name.starts_with("pg_")
                || name.starts_with("to_reg")
                || name.ends_with("_description")
                || (name.starts_with("has_") && name.ends_with("_privilege"))
        }
    }
}

/// Types that `name(value)` converts to where no function has that name.
pub(super) fn is_type(name: &str) -> bool {
    matches!(
        name,
        "uuid"
            | "json"
            | "jsonb"
            | "jsonpath"
            | "inet"
            | "cidr"
            | "macaddr"
            | "macaddr8"
            | "bytea"
            | "tsvector"
            | "tsquery"
            | "xml"
            | "pg_lsn"
            | "name"
            | "text"
            | "varchar"
            | "bpchar"
            | "bool"
            | "int2"
            | "int4"
            | "int8"
            | "float4"
            | "float8"
            | "numeric"
            | "money"
            | "date"
            | "time"
            | "timetz"
            | "timestamp"
            | "timestamptz"
            | "interval"
            | "bit"
            | "varbit"
            | "oid"
            | "point"
            | "line"
            | "lseg"
            | "box"
            | "path"
            | "polygon"
            | "circle"
            | "regclass"
            | "regtype"
            | "regproc"
            | "regprocedure"
            | "regoper"
            | "regoperator"
            | "regconfig"
            | "regdictionary"
            | "regrole"
            | "regnamespace"
            | "regcollation"
            | "xid"
            | "xid8"
            | "tid"
    )
}

/// Relations that hold secrets, or what hidden columns hold: never readable.
pub(super) fn is_secret_relation(schema: Option<&str>, name: &str) -> bool {
    match schema {
        None | Some("pg_catalog") => matches!(
            name,
            "pg_authid"
                | "pg_shadow"
                | "pg_user_mapping"
                | "pg_user_mappings"
                | "pg_statistic"
                | "pg_statistic_ext_data"
                | "pg_largeobject"
                | "pg_subscription"
                | "pg_file_settings"
                | "pg_hba_file_rules"
                | "pg_ident_file_mappings"
                | "pg_prepared_statements"
                | "pg_cursors"
                | "pg_dist_authinfo"
                | "pg_dist_poolinfo"
        ),
        Some("information_schema") => {
            matches!(name, "user_mapping_options" | "_pg_user_mappings" | "_pg_foreign_servers")
        }
        Some(schema) => is_private_schema(schema),
    }
}

/// Schemas of the server's own storage and of other sessions.
fn is_private_schema(schema: &str) -> bool {
    schema == "pg_toast" || schema.starts_with("pg_toast_") || schema.starts_with("pg_temp")
}

/// Views that show samples of columns' values.
pub(super) fn shows_values(name: &str) -> bool {
    matches!(name, "pg_stats" | "pg_stats_ext" | "pg_stats_ext_exprs")
}

/// Relations of `pg_catalog` that show the present state of the server, not a definition.
pub(super) fn relation_varies(name: &str) -> bool {
    name.starts_with("pg_stat")
        || name.starts_with("pg_replication")
        || matches!(name, "pg_locks" | "pg_settings" | "pg_timezone_names" | "pg_wait_events" | "pg_aios")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_every_line_of_its_file() {
        let lines = include_str!("functions.txt").lines().count();
        assert!(lines > 2700, "{lines}");
        for line in include_str!("functions.txt").lines() {
            let name = line.split(' ').next().unwrap();
            assert!(function(name).is_some(), "{line}");
        }
    }

    #[test]
    fn harmless_names_are_names_of_volatile_functions() {
        // A name here that is no longer volatile is a line to delete.
        for name in ["random", "clock_timestamp", "pg_relation_size", "timezone", "txid_status"] {
            assert!(is_harmless(name));
            assert_eq!(function(name).unwrap().volatility, Volatility::Volatile, "{name}");
        }
        assert_eq!(function("lower").unwrap().volatility, Volatility::Immutable);
        assert_eq!(function("pg_sleep").unwrap().volatility, Volatility::Volatile);
        assert!(function("to_jsonb").unwrap().takes_rows);
        assert_eq!(function("no_such_function"), None);
    }
}
