-- $1 schema or null, $2 ILIKE pattern or null, $3 schemas allowed (none: all), $4 rows at most
SELECT n.nspname::text,
       c.relname::text,
       CASE WHEN pg_catalog.pg_table_is_visible(c.oid) THEN '' ELSE pg_catalog.quote_ident(n.nspname) || '.' END
           || pg_catalog.quote_ident(c.relname),
       c.relkind::text,
       pg_catalog.obj_description(c.oid, 'pg_class'),
       CASE
           -- It would tell of rows that policies hide.
           WHEN pg_catalog.row_security_active(c.oid) THEN NULL
           WHEN c.relkind IN ('r', 'm') AND c.reltuples >= 0 THEN c.reltuples::int8
           WHEN c.relkind = 'p' THEN (
               SELECT pg_catalog.sum(leaf.reltuples)::int8
               FROM pg_catalog.pg_partition_tree(c.oid) AS tree
               JOIN pg_catalog.pg_class AS leaf ON leaf.oid = tree.relid
               WHERE tree.isleaf AND leaf.reltuples >= 0
           )
       END,
       CASE
           WHEN c.relkind IN ('r', 'm') THEN pg_catalog.pg_total_relation_size(c.oid)
           WHEN c.relkind = 'p' THEN (
               SELECT pg_catalog.sum(pg_catalog.pg_total_relation_size(tree.relid))::int8
               FROM pg_catalog.pg_partition_tree(c.oid) AS tree
               WHERE tree.isleaf
           )
       END,
       pg_catalog.count(*) OVER ()
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f')
  AND NOT c.relispartition
  AND CASE
          WHEN $1::text IS NOT NULL THEN n.nspname = $1::text
          ELSE n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
      END
  AND n.nspname !~ '^pg_(toast|temp_|toast_temp_)'
  AND ($2::text IS NULL OR c.relname ILIKE $2::text OR n.nspname || '.' || c.relname ILIKE $2::text)
  AND (pg_catalog.cardinality($3::text[]) = 0 OR n.nspname = ANY ($3::text[]))
  AND pg_catalog.has_schema_privilege(n.oid, 'USAGE')
  AND (pg_catalog.has_table_privilege(c.oid, 'SELECT') OR pg_catalog.has_any_column_privilege(c.oid, 'SELECT'))
ORDER BY n.nspname, c.relname
LIMIT $4::int8
