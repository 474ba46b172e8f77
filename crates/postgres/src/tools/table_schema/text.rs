//! A table's definition as text.

use std::fmt::{self, Display, Formatter};

use super::model::{Column, TableKind, TableSchema};
use crate::tools::text::{Bytes, Thousands};

/// Enum labels shown at most.
const MAX_LABELS: usize = 50;

impl Display for TableSchema {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "Schema for table '{}':", self.table)?;
        writeln!(f, "{}", "-".repeat(50))?;
        if let Some(comment) = &self.comment {
            writeln!(f, "{comment}")?;
        }
        self.write_facts(f)?;
        writeln!(f, "\nColumns:")?;
        for column in &self.columns {
            writeln!(f, "  {column}")?;
        }
        self.write_keys(f)?;
        if !self.indexes.is_empty() {
            writeln!(f, "\nIndexes:")?;
            for index in &self.indexes {
                let invalid = if index.valid { "" } else { " (invalid: queries do not use it)" };
                let comment =
                    index.comment.as_ref().map(|comment| format!(" -- {comment}")).unwrap_or_default();
                writeln!(f, "  {}{invalid}{comment}", index.definition)?;
            }
        }
        self.write_partitions(f)?;
        if let Some(definition) = &self.view_definition {
            writeln!(f, "\nView definition:\n{definition}")?;
        }
        Ok(())
    }
}

impl TableSchema {
    fn write_facts(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "Kind: {}", self.kind.words())?;
        match (self.row_estimate, self.kind) {
            (Some(rows), _) => write!(f, "; about {} rows", Thousands(rows))?,
            (None, TableKind::View) => {}
            (None, _) => write!(f, "; number of rows unknown")?,
        }
        if let Some(bytes) = self.total_bytes {
            write!(f, "; {} with indexes", Bytes(bytes))?;
        }
        writeln!(f)?;
        if self.row_level_security {
            writeln!(f, "Row-level security is on: policies decide which rows are seen.")?;
        }
        if let Some(place) = &self.partition_of {
            write!(f, "Partition of: {}", place.table)?;
            if let Some(bounds) = &place.bounds {
                write!(f, " {bounds}")?;
            }
            writeln!(f)?;
        }
        Ok(())
    }

    fn write_keys(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if let Some(key) = &self.primary_key {
            writeln!(f, "\nPrimary key: ({})", key.columns.join(", "))?;
        }
        if !self.unique_constraints.is_empty() {
            writeln!(f, "\nUnique:")?;
            for key in &self.unique_constraints {
                writeln!(f, "  ({})", key.columns.join(", "))?;
            }
        }
        if !self.foreign_keys.is_empty() {
            writeln!(f, "\nForeign keys:")?;
            for key in &self.foreign_keys {
                let (own, far) = (key.columns.join(", "), key.references_columns.join(", "));
                write!(f, "  ({own}) -> {} ({far})", key.references_table)?;
                write_actions(f, &key.on_update, &key.on_delete, key.validated)?;
            }
        }
        if !self.referenced_by.is_empty() {
            writeln!(f, "\nReferenced by:")?;
            for key in &self.referenced_by {
                let (far, own) = (key.columns.join(", "), key.references_columns.join(", "));
                write!(f, "  {} ({far}) -> ({own})", key.table)?;
                write_actions(f, &key.on_update, &key.on_delete, key.validated)?;
            }
        }
        if !self.check_constraints.is_empty() {
            writeln!(f, "\nChecks:")?;
            for check in &self.check_constraints {
                writeln!(f, "  {}: {}", check.name, check.definition)?;
            }
        }
        Ok(())
    }

    fn write_partitions(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Some(partitioning) = &self.partitioning else { return Ok(()) };
        write!(f, "\nPartitions: {}", Thousands(partitioning.count))?;
        if let Some(key) = &partitioning.key {
            write!(f, " by {key}")?;
        }
        writeln!(f)?;
        for partition in &partitioning.partitions {
            writeln!(f, "  {} {}", partition.name, partition.bounds.as_deref().unwrap_or_default())?;
        }
        let listed = partitioning.partitions.len() as u64;
        if listed > 0 && listed < partitioning.count {
            writeln!(f, "  and {} more", Thousands(partitioning.count - listed))?;
        }
        Ok(())
    }
}

impl Display for Column {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}", self.sql_name, self.type_name)?;
        if let Some(base) = &self.base_type {
            write!(f, ", a domain over {base}")?;
        }
        f.write_str(")")?;
        if !self.nullable {
            f.write_str(" NOT NULL")?;
        }
        if let Some(default) = &self.default {
            write!(f, " DEFAULT {default}")?;
        }
        if let Some(kind) = &self.generated_kind {
            let expression = self.generated.as_deref().unwrap_or("..");
            write!(f, " GENERATED ALWAYS AS ({expression}) {}", kind.to_uppercase())?;
        }
        if let Some(identity) = &self.identity {
            write!(f, " GENERATED {} AS IDENTITY", identity.to_uppercase())?;
        }
        if !self.enum_labels.is_empty() {
            let quoted: Vec<String> = self
                .enum_labels
                .iter()
                .take(MAX_LABELS)
                .map(|label| format!("'{}'", label.replace('\'', "''")))
                .collect();
            let more = if self.enum_labels.len() > MAX_LABELS { ", .." } else { "" };
            write!(f, " one of {}{more}", quoted.join(", "))?;
        }
        if let Some(comment) = &self.comment {
            write!(f, " -- {comment}")?;
        }
        Ok(())
    }
}

fn write_actions(
    f: &mut Formatter<'_>,
    on_update: &Option<String>,
    on_delete: &Option<String>,
    validated: bool,
) -> fmt::Result {
    if let Some(action) = on_update {
        write!(f, " ON UPDATE {action}")?;
    }
    if let Some(action) = on_delete {
        write!(f, " ON DELETE {action}")?;
    }
    writeln!(f, "{}", if validated { "" } else { " (older rows not checked)" })
}
