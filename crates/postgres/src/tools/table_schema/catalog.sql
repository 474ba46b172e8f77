-- $1 the relation, $2 hidden columns in lower case, as the configuration names them, $3 schemas allowed (none: all)
WITH
self AS (
    SELECT c.*, n.nspname FROM pg_catalog.pg_class AS c
    JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    WHERE c.oid = $1::oid
),
-- The relations whose names this answer may hold, with what decides on it.
near AS (
    SELECT c.oid, c.relname, n.nspname, c.relnamespace
    FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    WHERE c.oid = $1::oid
       OR c.oid IN (SELECT k.confrelid FROM pg_catalog.pg_constraint AS k WHERE k.conrelid = $1::oid AND k.contype = 'f')
       OR c.oid IN (SELECT k.conrelid FROM pg_catalog.pg_constraint AS k WHERE k.confrelid = $1::oid AND k.contype = 'f')
       OR c.oid IN (SELECT i.inhparent FROM pg_catalog.pg_inherits AS i WHERE i.inhrelid = $1::oid)
       OR c.oid IN (SELECT i.inhrelid FROM pg_catalog.pg_inherits AS i WHERE i.inhparent = $1::oid)
       OR c.oid IN (SELECT d.refobjid FROM pg_catalog.pg_depend AS d JOIN pg_catalog.pg_rewrite AS w ON w.oid = d.objid
                    WHERE d.classid = 'pg_catalog.pg_rewrite'::regclass AND d.refclassid = 'pg_catalog.pg_class'::regclass
                      AND w.ev_class = $1::oid)
),
-- A column hidden in a table is hidden in its partitions.
named AS (
    SELECT near.oid, near.nspname, near.relname FROM near
    UNION
    SELECT near.oid, n.nspname, c.relname
    FROM near CROSS JOIN LATERAL pg_catalog.pg_partition_ancestors(near.oid) AS a (relid)
    JOIN pg_catalog.pg_class AS c ON c.oid = a.relid
    JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
),
hidden AS (
    SELECT a.attrelid, a.attnum FROM pg_catalog.pg_attribute AS a JOIN near ON near.oid = a.attrelid
    WHERE a.attnum > 0 AND NOT a.attisdropped
      AND NOT (pg_catalog.has_table_privilege(a.attrelid, 'SELECT')
               OR pg_catalog.has_column_privilege(a.attrelid, a.attnum, 'SELECT'))
    UNION
    SELECT a.attrelid, a.attnum FROM pg_catalog.pg_attribute AS a JOIN named ON named.oid = a.attrelid
    WHERE a.attnum > 0 AND NOT a.attisdropped
      AND (pg_catalog.lower(a.attname) = ANY ($2::text[])
           OR pg_catalog.lower(named.relname || '.' || a.attname) = ANY ($2::text[])
           OR pg_catalog.lower(named.nspname || '.' || named.relname || '.' || a.attname) = ANY ($2::text[]))
),
shown AS (
    SELECT near.oid, near.nspname,
           CASE WHEN pg_catalog.pg_table_is_visible(near.oid) THEN '' ELSE pg_catalog.quote_ident(near.nspname) || '.' END
               || pg_catalog.quote_ident(near.relname) AS sql_name
    FROM near
    WHERE (pg_catalog.cardinality($3::text[]) = 0 OR near.nspname = ANY ($3::text[]))
      AND pg_catalog.has_schema_privilege(near.relnamespace, 'USAGE')
      AND (pg_catalog.has_table_privilege(near.oid, 'SELECT') OR pg_catalog.has_any_column_privilege(near.oid, 'SELECT'))
),
columns AS (
    SELECT a.*, pg_catalog.format_type(a.atttypid, a.atttypmod) AS type_name,
           pg_catalog.pg_get_expr(d.adbin, d.adrelid) AS expression, d.oid AS default_oid
    FROM pg_catalog.pg_attribute AS a
    LEFT JOIN pg_catalog.pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    WHERE a.attrelid = $1::oid AND a.attnum > 0 AND NOT a.attisdropped
      AND a.attnum NOT IN (SELECT h.attnum FROM hidden AS h WHERE h.attrelid = $1::oid)
),
-- What domains are made of, down to the base type.
types AS (
    WITH RECURSIVE t (attnum, oid, typmod) AS (
        SELECT c.attnum, c.atttypid, c.atttypmod FROM columns AS c
        UNION ALL
        SELECT t.attnum, y.typbasetype, y.typtypmod
        FROM t JOIN pg_catalog.pg_type AS y ON y.oid = t.oid WHERE y.typtype = 'd'
    )
    SELECT t.attnum, y.oid, pg_catalog.format_type(y.oid, t.typmod) AS type_name,
           CASE WHEN y.typtype = 'e' THEN y.oid WHEN e.typtype = 'e' THEN e.oid END AS enum_oid
    FROM t JOIN pg_catalog.pg_type AS y ON y.oid = t.oid
    LEFT JOIN pg_catalog.pg_type AS e ON e.oid = y.typelem AND y.typcategory = 'A'
    WHERE y.typtype <> 'd'
),
constraints AS (
    SELECT k.*, own.names AS columns, far.names AS far_columns, s.sql_name AS far_table
    FROM pg_catalog.pg_constraint AS k
    LEFT JOIN shown AS s ON s.oid = CASE WHEN k.conrelid = $1::oid AND k.contype = 'f' THEN k.confrelid ELSE k.conrelid END
    CROSS JOIN LATERAL (
        SELECT pg_catalog.coalesce_names(1) AS names
    ) AS own
    CROSS JOIN LATERAL (SELECT 1 AS names) AS far
)
SELECT 1
