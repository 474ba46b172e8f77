-- $1 schema or null, $2 name, $3 schemas allowed (none: all)
SELECT c.oid, n.nspname::text, c.relname::text,
       CASE WHEN pg_catalog.pg_table_is_visible(c.oid) THEN '' ELSE pg_catalog.quote_ident(n.nspname) || '.' END
           || pg_catalog.quote_ident(c.relname)
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.unnest(pg_catalog.current_schemas(true)) WITH ORDINALITY AS p (nspname, place)
    ON p.nspname = n.nspname
WHERE pg_catalog.lower(c.relname) = pg_catalog.lower($2::text)
  AND (pg_catalog.lower(n.nspname) = pg_catalog.lower($1::text) OR $1::text IS NULL AND p.place IS NOT NULL)
  AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
  AND (pg_catalog.cardinality($3::text[]) = 0 OR n.nspname = ANY ($3::text[]))
  AND n.nspname !~ '^pg_(toast|temp_|toast_temp_)'
  AND pg_catalog.has_schema_privilege(n.oid, 'USAGE')
  AND (pg_catalog.has_table_privilege(c.oid, 'SELECT') OR pg_catalog.has_any_column_privilege(c.oid, 'SELECT'))
ORDER BY (n.nspname = $1::text) DESC NULLS LAST, (c.relname = $2::text) DESC, p.place
