//! Numbers by group and over time.

use super::Suggestion;
use super::subject::{Subject, alias, is_text, truncated, type_of};

pub(super) fn suggest(subject: &Subject<'_>) -> Vec<Suggestion> {
    let table = subject.table();
    let (times, measures, groups) = (subject.times(), subject.measures(), subject.groups());
    let mut suggestions = Vec::new();

    if let Some(time) = times.first() {
        let (name, month) = (&time.sql_name, truncated(time, "month"));
        let sums: String = measures
            .iter()
            .take(2)
            .map(|measure| format!(", sum({}) AS {}", measure.sql_name, alias(&measure.name, "_sum")))
            .collect();
        suggestions.push(Suggestion::new(
            "By month",
            format!("{name} says when"),
            format!(
                "SELECT {month} AS month, count(*) AS rows{sums}\nFROM {table}\nWHERE {name} IS NOT NULL\n\
                 GROUP BY month\nORDER BY month"
            ),
        ));
        let day = truncated(time, "day");
        let (first, width) = match type_of(time) {
            "date" => (format!("max({name})"), "30"),
            _ => (format!("max({name})"), "interval '30 days'"),
        };
        suggestions.push(Suggestion::new(
            "The last 30 days by day",
            format!("up to the latest {name}, which need not be today"),
            format!(
                "SELECT {day} AS day, count(*) AS rows\nFROM {table}\n\
                 WHERE {name} > (SELECT {first} FROM {table}) - {width}\nGROUP BY day\nORDER BY day"
            ),
        ));
    }
    for group in groups.iter().take(3) {
        let name = &group.sql_name;
        let averages: String = measures
            .iter()
            .take(2)
            .map(|measure| {
                let number = &measure.sql_name;
                format!(
                    ", avg({number}) AS {}, sum({number}) AS {}",
                    alias(&measure.name, "_avg"),
                    alias(&measure.name, "_sum")
                )
            })
            .collect();
        let why = match group.facts.n_distinct {
            _ if !group.enum_labels.is_empty() => format!("{name} is an enum"),
            Some(n) if n > 0.0 => format!("{name} has about {n:.0} values"),
            _ => format!("{name} has few values"),
        };
        suggestions.push(Suggestion::new(
            format!("By {}", group.name),
            why,
            format!(
                "SELECT {name}, count(*) AS rows, round(100.0 * count(*) / sum(count(*)) OVER (), 1) AS percent\
                 {averages}\nFROM {table}\nGROUP BY {name}\nORDER BY rows DESC"
            ),
        ));
    }
    if let (Some(time), Some(group)) = (times.first(), groups.first()) {
        let (name, month) = (&group.sql_name, truncated(time, "month"));
        suggestions.push(Suggestion::new(
            format!("By month and {}", group.name),
            "to see what grows and what shrinks",
            format!(
                "SELECT {month} AS month, {name}, count(*) AS rows\nFROM {table}\nGROUP BY month, {name}\n\
                 ORDER BY month, rows DESC"
            ),
        ));
    }
    for measure in measures.iter().take(3) {
        let name = &measure.sql_name;
        suggestions.push(Suggestion::new(
            format!("The numbers in {}", measure.name),
            format!("{name} is a number and no key"),
            format!(
                "SELECT count({name}) AS values, min({name}) AS min, avg({name}) AS mean, \
                 percentile_cont(0.5) WITHIN GROUP (ORDER BY {name}) AS median, max({name}) AS max, \
                 stddev_samp({name}) AS deviation, sum({name}) AS sum\nFROM {table}"
            ),
        ));
    }
    if let Some(measure) = measures.first() {
        let name = &measure.sql_name;
        suggestions.push(Suggestion::new(
            format!("The rows with the greatest {}", measure.name),
            "extremes are worth a look",
            format!("SELECT {}\nFROM {table}\nORDER BY {name} DESC NULLS LAST\nLIMIT 10", subject.all()),
        ));
    }
    let is_list = |column: &&&crate::tools::table_schema::Column| type_of(column).starts_with('_');
    let columns: Vec<_> = subject.schema.columns.iter().collect();
    if let Some(column) = columns.iter().find(is_list) {
        let name = &column.sql_name;
        suggestions.push(Suggestion::new(
            format!("What is in {}", column.name),
            format!("{name} is a list"),
            format!(
                "SELECT e.element, count(*) AS rows\nFROM {table} AS t\nCROSS JOIN LATERAL unnest(t.{name}) AS e (element)\n\
                 GROUP BY e.element\nORDER BY rows DESC\nLIMIT 20"
            ),
        ));
    }
    // Nothing to measure and nothing to group by: common values are better than nothing.
    if suggestions.is_empty() {
        for column in columns.iter().filter(|column| is_text(column)).take(2) {
            let name = &column.sql_name;
            suggestions.push(Suggestion::new(
                format!("Common values of {}", column.name),
                "there are no numbers and no times",
                format!("SELECT {name}, count(*) AS rows\nFROM {table}\nGROUP BY {name}\nORDER BY rows DESC\nLIMIT 20"),
            ));
        }
    }
    suggestions
}
