-- $1 the relation, $2 hidden columns as the configuration names them, $3 schemas allowed (none: all)
WITH
self AS (
    SELECT c.*, n.nspname FROM pg_catalog.pg_class AS c
    JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    WHERE c.oid = $1::oid
),
-- The relations whose names this answer may hold, with what decides on it. Found first and one by
-- one, so that a database with many relations is not read as a whole.
found (oid) AS MATERIALIZED (
    SELECT $1::oid
    UNION SELECT k.confrelid FROM pg_catalog.pg_constraint AS k WHERE k.conrelid = $1::oid AND k.contype = 'f'
    UNION SELECT k.conrelid FROM pg_catalog.pg_constraint AS k WHERE k.confrelid = $1::oid AND k.contype = 'f'
    UNION SELECT i.inhparent FROM pg_catalog.pg_inherits AS i WHERE i.inhrelid = $1::oid
    UNION SELECT i.inhrelid FROM pg_catalog.pg_inherits AS i WHERE i.inhparent = $1::oid
    UNION SELECT d.refobjid
    FROM pg_catalog.pg_rewrite AS w JOIN pg_catalog.pg_depend AS d ON d.objid = w.oid
    WHERE w.ev_class = $1::oid AND d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass
      AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
),
near AS (
    SELECT c.oid, c.relname, n.nspname, c.relnamespace
    FROM found JOIN pg_catalog.pg_class AS c ON c.oid = found.oid
    JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
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
      AND EXISTS (
          SELECT FROM pg_catalog.unnest($2::text[]) AS u (entry)
          -- Without case and quotes: that hides rather too much than too little.
          WHERE pg_catalog.lower(pg_catalog.replace(u.entry, '"', '')) = ANY (ARRAY[
              pg_catalog.lower(pg_catalog.replace(a.attname, '"', '')),
              pg_catalog.lower(pg_catalog.replace(named.relname || '.' || a.attname, '"', '')),
              pg_catalog.lower(pg_catalog.replace(named.nspname || '.' || named.relname || '.' || a.attname, '"', ''))]))
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
    SELECT t.attnum, y.oid, pg_catalog.format_type(y.oid, t.typmod) AS type_name, y.typcategory, y.typtype, y.typlen,
           CASE WHEN y.typnamespace = 'pg_catalog'::pg_catalog.regnamespace THEN y.typname END AS builtin,
           -- Whether values sort: an operator class of its own, or that of a type with the same bytes.
           y.typtype IN ('e', 'r', 'm') OR y.typtype = 'b' AND EXISTS (
               SELECT FROM pg_catalog.pg_opclass AS o JOIN pg_catalog.pg_am AS m ON m.oid = o.opcmethod
               WHERE m.amname = 'btree' AND o.opcdefault
                 AND (CASE WHEN y.typcategory = 'A' AND y.typelem <> 0 THEN y.typelem ELSE y.oid END = o.opcintype
                      OR y.typcategory = 'A' AND e.typtype = 'e' AND o.opcintype = 'pg_catalog.anyenum'::pg_catalog.regtype
                      OR EXISTS (SELECT FROM pg_catalog.pg_cast AS k
                                 WHERE k.castsource = CASE WHEN y.typcategory = 'A' AND y.typelem <> 0 THEN y.typelem ELSE y.oid END
                                   AND k.casttarget = o.opcintype AND k.castmethod = 'b' AND k.castcontext = 'i')))
               AS sortable,
           CASE WHEN y.typtype = 'e' THEN y.oid WHEN e.typtype = 'e' THEN e.oid END AS enum_oid
    FROM t JOIN pg_catalog.pg_type AS y ON y.oid = t.oid
    LEFT JOIN pg_catalog.pg_type AS e ON e.oid = y.typelem AND y.typcategory = 'A'
    WHERE y.typtype <> 'd'
),
constraints AS (
    SELECT k.oid, k.conname, k.contype, k.conparentid, k.conrelid, k.confrelid, k.conindid, k.convalidated,
           pg_catalog.pg_get_constraintdef(k.oid, true) AS definition,
           CASE k.confupdtype WHEN 'c' THEN 'CASCADE' WHEN 'n' THEN 'SET NULL' WHEN 'd' THEN 'SET DEFAULT'
               WHEN 'r' THEN 'RESTRICT' END AS on_update,
           CASE k.confdeltype WHEN 'c' THEN 'CASCADE' WHEN 'n' THEN 'SET NULL' WHEN 'd' THEN 'SET DEFAULT'
               WHEN 'r' THEN 'RESTRICT' END AS on_delete,
           own.names AS own_columns, far.names AS far_columns
    FROM pg_catalog.pg_constraint AS k
    CROSS JOIN LATERAL (
        SELECT pg_catalog.json_agg(a.attname ORDER BY u.place) AS names, pg_catalog.bool_or(h.attnum IS NOT NULL) AS hidden
        FROM pg_catalog.unnest(k.conkey) WITH ORDINALITY AS u (attnum, place)
        JOIN pg_catalog.pg_attribute AS a ON a.attrelid = k.conrelid AND a.attnum = u.attnum
        LEFT JOIN hidden AS h ON h.attrelid = a.attrelid AND h.attnum = a.attnum
    ) AS own
    CROSS JOIN LATERAL (
        SELECT pg_catalog.json_agg(a.attname ORDER BY u.place) AS names, pg_catalog.bool_or(h.attnum IS NOT NULL) AS hidden
        FROM pg_catalog.unnest(k.confkey) WITH ORDINALITY AS u (attnum, place)
        JOIN pg_catalog.pg_attribute AS a ON a.attrelid = k.confrelid AND a.attnum = u.attnum
        LEFT JOIN hidden AS h ON h.attrelid = a.attrelid AND h.attnum = a.attnum
    ) AS far
    WHERE (k.conrelid = $1::oid OR k.confrelid = $1::oid)
      AND own.hidden IS NOT TRUE AND far.hidden IS NOT TRUE
),
indexes AS (
    SELECT i.*, c.relname, pg_catalog.pg_get_indexdef(i.indexrelid) AS definition,
           pg_catalog.obj_description(i.indexrelid, 'pg_class') AS comment, m.amname
    FROM pg_catalog.pg_index AS i
    JOIN pg_catalog.pg_class AS c ON c.oid = i.indexrelid
    JOIN pg_catalog.pg_am AS m ON m.oid = c.relam
    WHERE i.indrelid = $1::oid
      AND NOT EXISTS (
          SELECT FROM hidden AS h
          WHERE h.attrelid = i.indrelid
            AND (h.attnum = ANY (i.indkey::pg_catalog.int2[]) OR EXISTS (
                SELECT FROM pg_catalog.pg_depend AS d
                WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = i.indexrelid
                  AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
                  AND d.refobjid = h.attrelid AND d.refobjsubid = h.attnum)))
),
-- The relations whose partition key may be told.
keyed AS (
    SELECT p.partrelid FROM pg_catalog.pg_partitioned_table AS p JOIN near ON near.oid = p.partrelid
    WHERE NOT EXISTS (
        SELECT FROM hidden AS h JOIN pg_catalog.pg_depend AS d
            ON d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = p.partrelid
           AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
           AND d.refobjid = h.attrelid AND d.refobjsubid = h.attnum
        WHERE h.attrelid = p.partrelid)
),
leaves AS (
    SELECT c.oid, c.relkind, c.reltuples, c.relpages, pg_catalog.pg_total_relation_size(c.oid) AS total_bytes,
           pg_catalog.pg_relation_size(c.oid) / pg_catalog.current_setting('block_size')::int AS pages,
           greatest(pg_catalog.pg_stat_get_last_analyze_time(c.oid),
                    pg_catalog.pg_stat_get_last_autoanalyze_time(c.oid)) AS analyzed_at
    FROM pg_catalog.pg_class AS c
    WHERE c.relkind IN ('r', 'm', 'f')
      AND c.oid = ANY (ARRAY(SELECT t.relid::oid FROM pg_catalog.pg_partition_tree($1::oid::pg_catalog.regclass) AS t) || $1::oid)
),
size AS (
    SELECT CASE WHEN pg_catalog.count(*) = 0 OR pg_catalog.bool_or(l.reltuples < 0) THEN NULL
                ELSE pg_catalog.round(pg_catalog.sum(l.reltuples)::numeric)::bigint END AS rows,
           pg_catalog.sum(l.total_bytes)::bigint AS total_bytes,
           pg_catalog.min(l.analyzed_at) AS analyzed_at,
           pg_catalog.sum(l.pages)::bigint AS pages,
           -- As the planner reckons: the density of the last statistics on the pages of today.
           pg_catalog.round(pg_catalog.sum(CASE WHEN l.reltuples >= 0 AND l.relpages > 0
               THEN l.reltuples::float8 / l.relpages * l.pages ELSE l.pages * 60 END)::numeric)::bigint AS rows_now,
           pg_catalog.bool_and(l.relkind <> 'f') AS can_sample
    FROM leaves AS l
)
SELECT pg_catalog.json_build_object(
    'schema', self.nspname,
    'name', self.relname,
    'kind', CASE WHEN self.relispartition THEN 'partition' ELSE CASE self.relkind WHEN 'r' THEN 'table'
        WHEN 'p' THEN 'partitioned_table' WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized_view'
        ELSE 'foreign_table' END END,
    'comment', pg_catalog.obj_description(self.oid, 'pg_class'),
    'row_estimate', CASE WHEN pg_catalog.row_security_active(self.oid) OR self.relkind = 'v' THEN NULL ELSE size.rows END,
    'total_bytes', CASE WHEN self.relkind IN ('v', 'f') THEN NULL ELSE size.total_bytes END,
    'analyzed_at', size.analyzed_at,
    'row_level_security', self.relrowsecurity,
    'policies_apply', pg_catalog.row_security_active(self.oid),
    'pages', size.pages,
    'rows_now', size.rows_now,
    'can_sample', size.can_sample AND self.relkind IN ('r', 'p', 'm'),
    'columns', (
        SELECT listed.columns FROM (SELECT pg_catalog.json_agg(pg_catalog.json_build_object(
            'name', c.attname,
            'sql_name', pg_catalog.quote_ident(c.attname),
            'type', c.type_name,
            'base_type', CASE WHEN t.oid <> c.atttypid THEN t.type_name END,
            'nullable', NOT c.attnotnull,
            'default', CASE WHEN c.attgenerated = '' AND e.visible THEN c.expression END,
            'generated', CASE WHEN c.attgenerated <> '' AND e.visible THEN c.expression END,
            'generated_kind', CASE c.attgenerated WHEN 's' THEN 'stored' WHEN 'v' THEN 'virtual' END,
            'identity', CASE c.attidentity WHEN 'a' THEN 'always' WHEN 'd' THEN 'by default' END,
            'comment', pg_catalog.col_description(c.attrelid, c.attnum),
            'enum_labels', (SELECT pg_catalog.json_agg(v.enumlabel ORDER BY v.enumsortorder)
                            FROM pg_catalog.pg_enum AS v WHERE v.enumtypid = t.enum_oid),
            'builtin', t.builtin, 'category', t.typcategory, 'is_enum', t.typtype = 'e', 'is_fixed', t.typlen > 0,
            'sortable', t.sortable,
            'n_distinct', (SELECT s.n_distinct FROM pg_catalog.pg_stats AS s
                           WHERE s.schemaname = self.nspname AND s.tablename = self.relname AND s.attname = c.attname
                             AND s.inherited = (self.relkind = 'p') LIMIT 1)
        ) ORDER BY c.attnum) AS columns
        FROM columns AS c
        LEFT JOIN types AS t ON t.attnum = c.attnum
        CROSS JOIN LATERAL (SELECT NOT EXISTS (
            SELECT FROM pg_catalog.pg_depend AS d JOIN hidden AS h ON h.attrelid = d.refobjid AND h.attnum = d.refobjsubid
            WHERE d.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass AND d.objid = c.default_oid
              AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass) AS visible) AS e) AS listed
    ),
    'primary_key', (
        SELECT pg_catalog.json_build_object('name', k.conname, 'columns', k.own_columns)
        FROM constraints AS k WHERE k.conrelid = self.oid AND k.contype = 'p'
    ),
    'unique_constraints', (
        SELECT pg_catalog.json_agg(pg_catalog.json_build_object('name', k.conname, 'columns', k.own_columns) ORDER BY k.conname)
        FROM constraints AS k WHERE k.conrelid = self.oid AND k.contype = 'u'
    ),
    'check_constraints', (
        SELECT pg_catalog.json_agg(pg_catalog.json_build_object('name', k.conname, 'definition', k.definition) ORDER BY k.conname)
        FROM constraints AS k WHERE k.conrelid = self.oid AND k.contype IN ('c', 'x')
    ),
    'foreign_keys', (
        SELECT pg_catalog.json_agg(pg_catalog.json_build_object(
            'name', k.conname, 'columns', k.own_columns, 'references_table', s.sql_name,
            'references_columns', k.far_columns, 'on_update', k.on_update, 'on_delete', k.on_delete,
            'validated', k.convalidated) ORDER BY k.conname)
        FROM constraints AS k JOIN shown AS s ON s.oid = k.confrelid
        -- A key to a partitioned table has a copy for each of its partitions.
        WHERE k.conrelid = self.oid AND k.contype = 'f' AND NOT EXISTS (
            SELECT FROM pg_catalog.pg_constraint AS o WHERE o.oid = k.conparentid AND o.conrelid = k.conrelid)
    ),
    'referenced_by', (
        SELECT pg_catalog.json_agg(pg_catalog.json_build_object(
            'name', k.conname, 'table', s.sql_name, 'columns', k.own_columns,
            'references_columns', k.far_columns, 'on_update', k.on_update, 'on_delete', k.on_delete,
            'validated', k.convalidated) ORDER BY s.sql_name, k.conname)
        FROM constraints AS k JOIN shown AS s ON s.oid = k.conrelid
        WHERE k.confrelid = self.oid AND k.contype = 'f' AND k.conparentid = 0
    ),
    'indexes', (
        SELECT pg_catalog.json_agg(pg_catalog.json_build_object(
            'name', i.relname, 'definition', i.definition, 'method', i.amname, 'unique', i.indisunique,
            'primary', i.indisprimary, 'valid', i.indisvalid, 'comment', i.comment) ORDER BY i.indisprimary DESC, i.relname)
        FROM indexes AS i
    ),
    'partition_of', (
        SELECT pg_catalog.json_build_object(
            'table', s.sql_name,
            'bounds', CASE WHEN i.inhparent IN (SELECT partrelid FROM keyed)
                THEN pg_catalog.pg_get_expr(self.relpartbound, self.oid) END)
        FROM pg_catalog.pg_inherits AS i JOIN shown AS s ON s.oid = i.inhparent
        WHERE i.inhrelid = self.oid AND self.relispartition
    ),
    'partitioning', (
        SELECT pg_catalog.json_build_object(
            'key', CASE WHEN self.oid IN (SELECT partrelid FROM keyed) THEN pg_catalog.pg_get_partkeydef(self.oid) END,
            'count', (SELECT pg_catalog.count(*) FROM pg_catalog.pg_inherits AS i WHERE i.inhparent = self.oid),
            'partitions', (
                SELECT pg_catalog.json_agg(pg_catalog.json_build_object('name', x.sql_name, 'bounds', x.bounds)
                                           ORDER BY x.place)
                FROM (SELECT s.sql_name,
                             CASE WHEN self.oid IN (SELECT partrelid FROM keyed)
                                 THEN pg_catalog.pg_get_expr(c.relpartbound, c.oid) END AS bounds,
                             pg_catalog.row_number() OVER (
                                 ORDER BY pg_catalog.pg_get_expr(c.relpartbound, c.oid) = 'DEFAULT', c.relname) AS place
                      FROM pg_catalog.pg_inherits AS i
                      JOIN pg_catalog.pg_class AS c ON c.oid = i.inhrelid
                      JOIN shown AS s ON s.oid = c.oid
                      WHERE i.inhparent = self.oid
                      ORDER BY place LIMIT 100) AS x))
        WHERE self.relkind = 'p'
    ),
    'view_definition', CASE WHEN self.relkind IN ('v', 'm') AND NOT EXISTS (
            SELECT FROM pg_catalog.pg_depend AS d
            JOIN pg_catalog.pg_rewrite AS w ON w.oid = d.objid
            LEFT JOIN hidden AS h ON h.attrelid = d.refobjid AND h.attnum = d.refobjsubid
            LEFT JOIN near ON near.oid = d.refobjid
            WHERE d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass
              AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
              AND w.ev_class = self.oid
              AND (h.attnum IS NOT NULL OR pg_catalog.cardinality($3::text[]) > 0 AND near.nspname <> ALL ($3::text[])))
        THEN pg_catalog.pg_get_viewdef(self.oid, true) END
)::text
FROM self CROSS JOIN size
