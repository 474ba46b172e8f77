-- Fills the shop with two and a half years of business, from 2023-01-01 to 2025-06-30.
--
-- Every value follows from row numbers through a hash, never from random() or now(): two loads give the
-- same rows. What an analyst should find: growth, a peak before Christmas, busy weekends, few products that
-- make most of the revenue, loyal early customers, and gaps where people leave things out.

SET TIME ZONE 'UTC';
SET client_min_messages = warning;

-- A number in [0, 1) that looks random; one `salt` for each use.
CREATE FUNCTION pg_temp.chance(n bigint, salt integer) RETURNS double precision
LANGUAGE sql IMMUTABLE AS $$
    SELECT ('x' || substr(md5(n::text || ':' || salt::text), 1, 8))::bit(32)::bigint::double precision / 4294967296
$$;

CREATE FUNCTION pg_temp.pick(list text[], chance double precision) RETURNS text
LANGUAGE sql IMMUTABLE AS $$ SELECT list[1 + floor(chance * cardinality(list))::integer] $$;

INSERT INTO categories (parent_id, name, slug)
SELECT NULL, name, lower(name)
FROM unnest(array['Kitchen', 'Living', 'Garden', 'Outdoor', 'Office']) WITH ORDINALITY AS list (name, position)
ORDER BY position;

INSERT INTO categories (parent_id, name, slug)
SELECT parent, name, lower(replace(replace(name, ' & ', '-'), ' ', '-'))
FROM (VALUES
    (1, 'Cookware'), (1, 'Coffee & Tea'), (1, 'Knives'), (1, 'Tableware'),
    (2, 'Lighting'), (2, 'Textiles'), (2, 'Shelving'), (2, 'Decoration'),
    (3, 'Hand Tools'), (3, 'Planters'), (3, 'Irrigation'), (3, 'Barbecue'),
    (4, 'Tents'), (4, 'Backpacks'), (4, 'Sleeping Bags'), (4, 'Camp Kitchen'),
    (5, 'Desks'), (5, 'Chairs'), (5, 'Stationery'), (5, 'Cable Management')
) AS list (parent, name);

INSERT INTO products (category_id, sku, name, price, cost, weight_grams, stock, tags, attributes,
                      introduced_on, discontinued_on)
SELECT
    6 + n % 20,
    format('%s-%s', upper(substr(c.slug, 1, 3)), lpad((n * 7 + 1000)::text, 5, '0')),
    format('%s %s %s',
        pg_temp.pick(array['Alder', 'Borea', 'Cinder', 'Dune', 'Ember', 'Fjord', 'Grove', 'Harbour', 'Isla', 'Juniper',
                           'Kite', 'Lumen', 'Marlow', 'Nord', 'Orchard', 'Pine', 'Quarry', 'Rowan', 'Sorrel', 'Tarn'],
                     pg_temp.chance(n, 1)),
        style,
        c.noun),
    price,
    round(price * (0.35 + 0.35 * pg_temp.chance(n, 4))::numeric, 2),
    CASE WHEN pg_temp.chance(n, 5) > 0.06 THEN 80 + floor(power(pg_temp.chance(n, 6), 3) * 14000)::integer END,
    CASE WHEN pg_temp.chance(n, 7) > 0.08 THEN floor(power(pg_temp.chance(n, 8), 2) * 400)::integer ELSE 0 END,
    array_remove(array[
        CASE WHEN pg_temp.chance(n, 9) < 0.25 THEN 'sustainable' END,
        CASE WHEN pg_temp.chance(n, 10) < 0.15 THEN 'bestseller' END,
        CASE WHEN pg_temp.chance(n, 11) < 0.20 THEN 'gift' END,
        CASE WHEN pg_temp.chance(n, 12) < 0.10 THEN 'handmade' END], NULL),
    jsonb_strip_nulls(jsonb_build_object(
        'colour', pg_temp.pick(array['black', 'white', 'sage', 'terracotta', 'navy', 'oak', 'sand'], pg_temp.chance(n, 13)),
        'material', material,
        'warranty_years', CASE WHEN pg_temp.chance(n, 14) < 0.6 THEN 2 + floor(pg_temp.chance(n, 15) * 4) END,
        'dimensions_cm', CASE WHEN pg_temp.chance(n, 16) < 0.5 THEN jsonb_build_array(
            10 + floor(pg_temp.chance(n, 17) * 90), 5 + floor(pg_temp.chance(n, 18) * 60), 2 + floor(pg_temp.chance(n, 19) * 40)) END)),
    date '2021-03-01' + floor(pg_temp.chance(n, 20) * 660)::integer,
    CASE WHEN pg_temp.chance(n, 21) < 0.07 THEN date '2024-02-01' + floor(pg_temp.chance(n, 22) * 500)::integer END
FROM generate_series(0, 399) AS n
JOIN LATERAL (
    SELECT c.slug, c.parent_id, nouns.typical,
           pg_temp.pick(nouns.list, pg_temp.chance(n, 2)) AS noun
    FROM categories c
    JOIN (VALUES
        (6, 45, array['Saucepan', 'Frying Pan', 'Casserole', 'Wok']), (7, 38, array['Kettle', 'Grinder', 'Teapot', 'Filter Set']),
        (8, 55, array['Chef''s Knife', 'Paring Knife', 'Bread Knife', 'Whetstone']), (9, 18, array['Plate Set', 'Bowl', 'Mug', 'Carafe']),
        (10, 70, array['Table Lamp', 'Pendant', 'Floor Lamp', 'Lantern']), (11, 35, array['Throw', 'Cushion', 'Curtain', 'Rug']),
        (12, 110, array['Shelf', 'Bookcase', 'Wall Rack', 'Cabinet']), (13, 25, array['Vase', 'Mirror', 'Candle Holder', 'Frame']),
        (14, 28, array['Secateurs', 'Trowel', 'Rake', 'Spade']), (15, 32, array['Planter', 'Pot', 'Trough', 'Trellis']),
        (16, 40, array['Hose', 'Sprinkler', 'Watering Can', 'Drip Kit']), (17, 150, array['Grill', 'Smoker', 'Fire Bowl', 'Tong Set']),
        (18, 260, array['Dome Tent', 'Tunnel Tent', 'Tarp', 'Shelter']), (19, 120, array['Daypack', 'Trekking Pack', 'Duffel', 'Hip Bag']),
        (20, 130, array['Down Bag', 'Quilt', 'Liner', 'Sleeping Mat']), (21, 48, array['Stove', 'Cook Set', 'Flask', 'Cool Box']),
        (22, 340, array['Desk', 'Standing Desk', 'Side Table', 'Desk Riser']), (23, 220, array['Task Chair', 'Stool', 'Armchair', 'Kneeling Chair']),
        (24, 12, array['Notebook', 'Pen Set', 'Planner', 'Pencil Case']), (25, 16, array['Cable Box', 'Cable Clips', 'Charging Dock', 'Cable Sleeve'])
    ) AS nouns (category_id, typical, list) ON nouns.category_id = c.id
    WHERE c.id = 6 + n % 20
) AS c ON true
JOIN LATERAL (
    SELECT pg_temp.pick(array['Classic', 'Compact', 'Studio', 'Heritage', 'Light', 'Pro', 'Mini', 'Duo', 'Original', 'Plus'],
                        pg_temp.chance(n, 23)) AS style,
           CASE c.parent_id
               WHEN 1 THEN pg_temp.pick(array['steel', 'cast iron', 'ceramic', 'glass', 'copper'], pg_temp.chance(n, 24))
               WHEN 2 THEN pg_temp.pick(array['oak', 'linen', 'wool', 'brass', 'glass'], pg_temp.chance(n, 24))
               WHEN 3 THEN pg_temp.pick(array['steel', 'terracotta', 'ash', 'zinc'], pg_temp.chance(n, 24))
               WHEN 4 THEN pg_temp.pick(array['canvas', 'nylon', 'down', 'aluminium'], pg_temp.chance(n, 24))
               ELSE pg_temp.pick(array['bamboo', 'cork', 'felt', 'beech', 'steel'], pg_temp.chance(n, 24)) END AS material,
           round((c.typical * (0.45 + 1.4 * power(pg_temp.chance(n, 3), 2)))::numeric, 0) - 0.05 AS price
) AS s ON true
ORDER BY n;

-- How busy each day was: growth, season, and weekends. The shop opened with 300 customers of its pop-up store.
CREATE TEMPORARY TABLE days AS
SELECT *, 300 + coalesce(sum(new_customers) OVER (ORDER BY day ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0)::integer
           AS customers_before
FROM (
    SELECT day, round(7.7 * busy)::integer AS new_customers, round(18.6 * busy)::integer AS orders
    FROM (
        SELECT day::date AS day,
               (0.7 + 0.6 * (day::date - date '2023-01-01') / 911.0)
               * (array[0.80, 0.78, 0.90, 0.98, 1.04, 0.98, 0.86, 0.84, 0.95, 1.05, 1.55, 1.75])[extract(month FROM day)::integer]
               * (array[0.92, 0.88, 0.86, 0.93, 1.00, 1.18, 1.28])[extract(isodow FROM day)::integer]
               * (0.85 + 0.3 * pg_temp.chance(extract(epoch FROM day)::bigint, 30)) AS busy
        FROM generate_series(timestamp '2023-01-01', timestamp '2025-06-30', interval '1 day') AS day
    ) AS busyness
) AS counts;

INSERT INTO customers (first_name, last_name, email, phone, country, city, tier, birth_date, marketing_opt_in,
                       preferences, referred_by, created_at)
SELECT
    first_name, last_name,
    CASE WHEN pg_temp.chance(n, 46) < 0.03 THEN initcap(mailbox) ELSE mailbox END
        || '@' || pg_temp.pick(array['example.com', 'example.org', 'example.net', 'mail.example', 'post.example'], pg_temp.chance(n, 47)),
    CASE WHEN pg_temp.chance(n, 48) < 0.62
         THEN '+' || prefix || ' ' || (100 + floor(pg_temp.chance(n, 49) * 900)) || ' ' || (100000 + floor(pg_temp.chance(n, 50) * 900000)) END,
    country, pg_temp.pick(cities, power(pg_temp.chance(n, 51), 1.7)),
    CASE WHEN pg_temp.chance(n, 52) < 0.04 THEN 'gold' WHEN pg_temp.chance(n, 52) < 0.19 THEN 'silver' ELSE 'standard' END::customer_tier,
    CASE WHEN pg_temp.chance(n, 53) < 0.35
         THEN date '1948-01-01' + floor((pg_temp.chance(n, 54) + pg_temp.chance(n, 55)) / 2 * 21000)::integer END,
    pg_temp.chance(n, 56) < 0.41,
    CASE WHEN pg_temp.chance(n, 57) < 0.3 THEN '{}' ELSE jsonb_build_object(
        'language', pg_temp.pick(languages, pg_temp.chance(n, 58)),
        'newsletter', pg_temp.pick(array['weekly', 'monthly', 'never'], pg_temp.chance(n, 59)),
        'interests', to_jsonb(array_remove(array[
            CASE WHEN pg_temp.chance(n, 60) < 0.4 THEN 'kitchen' END, CASE WHEN pg_temp.chance(n, 61) < 0.3 THEN 'garden' END,
            CASE WHEN pg_temp.chance(n, 62) < 0.25 THEN 'outdoor' END], NULL))) END,
    CASE WHEN n > 300 AND pg_temp.chance(n, 63) < 0.12 THEN 1 + floor(power(pg_temp.chance(n, 64), 2) * 300)::bigint END,
    created_at
FROM (
    SELECT row_number() OVER (ORDER BY day, k) AS n,
           day + make_interval(secs => floor(86400 * (k - 0.5) / per_day)) AS created_at
    FROM (
        SELECT timestamp with time zone '2022-12-27 00:00+00' AS day, 300 AS per_day
        UNION ALL
        SELECT day::timestamp AT TIME ZONE 'UTC', new_customers FROM days
    ) AS days, generate_series(1, per_day) AS k
) AS arrivals
JOIN LATERAL (
    SELECT list.*
    FROM (VALUES
        (0.00, 0.34, 'DE', '49', array['Berlin', 'Hamburg', 'München', 'Köln', 'Leipzig', 'Stuttgart', 'Bremen'], array['de', 'en'],
            array['Anna', 'Lukas', 'Jürgen', 'Sophie', 'Maximilian', 'Katrin', 'Jonas', 'Lena', 'Felix', 'Marie', 'Paul', 'Ayşe'],
            array['Müller', 'Schmidt', 'Schneider', 'Fischer', 'Weber', 'Becker', 'Wagner', 'Köhler', 'Yılmaz', 'Hoffmann']),
        (0.34, 0.52, 'FR', '33', array['Paris', 'Lyon', 'Marseille', 'Toulouse', 'Nantes', 'Lille'], array['fr', 'en'],
            array['Camille', 'Léa', 'Hugo', 'Zoé', 'Théo', 'Chloé', 'Louis', 'Inès', 'Gabriel', 'Manon'],
            array['Martin', 'Bernard', 'Dubois', 'Lefèvre', 'Moreau', 'Girard', 'Garnier', 'Benoît', 'Petit']),
        (0.52, 0.66, 'NL', '31', array['Amsterdam', 'Rotterdam', 'Utrecht', 'Eindhoven', 'Groningen'], array['nl', 'en'],
            array['Daan', 'Emma', 'Sem', 'Sanne', 'Bram', 'Fleur', 'Thijs', 'Noor', 'Lotte'],
            array['de Vries', 'Jansen', 'van Dijk', 'Bakker', 'Visser', 'Smit', 'Mulder', 'de Boer']),
        (0.66, 0.78, 'GB', '44', array['London', 'Manchester', 'Bristol', 'Leeds', 'Edinburgh'], array['en'],
            array['Oliver', 'Amelia', 'George', 'Isla', 'Harry', 'Aisha', 'Jack', 'Grace', 'Priya'],
            array['Smith', 'Jones', 'Taylor', 'O''Brien', 'Patel', 'Evans', 'Walker', 'MacLeod', 'Khan']),
        (0.78, 0.86, 'ES', '34', array['Madrid', 'Barcelona', 'Valencia', 'Sevilla', 'Bilbao'], array['es', 'en'],
            array['Lucía', 'Martín', 'José', 'María', 'Íñigo', 'Carmen', 'Álvaro', 'Nuria'],
            array['García', 'Fernández', 'López', 'Núñez', 'Sánchez', 'Ibáñez', 'Ruiz']),
        (0.86, 0.92, 'PL', '48', array['Warszawa', 'Kraków', 'Gdańsk', 'Wrocław', 'Łódź'], array['pl', 'en'],
            array['Zuzanna', 'Łukasz', 'Agnieszka', 'Jakub', 'Małgorzata', 'Paweł', 'Ewa'],
            array['Nowak', 'Kowalska', 'Wiśniewski', 'Wójcik', 'Zieliński', 'Dąbrowska']),
        (0.92, 0.97, 'SE', '46', array['Stockholm', 'Göteborg', 'Malmö', 'Uppsala'], array['sv', 'en'],
            array['Astrid', 'Björn', 'Elsa', 'Göran', 'Linnéa', 'Oskar', 'Åsa'],
            array['Johansson', 'Lindström', 'Åkesson', 'Nyberg', 'Sjöberg', 'Berg']),
        (0.97, 1.00, 'DK', '45', array['København', 'Aarhus', 'Odense'], array['da', 'en'],
            array['Freja', 'Søren', 'Ida', 'Mads', 'Nanna'],
            array['Jensen', 'Nielsen', 'Sørensen', 'Møller', 'Østergaard'])
    ) AS list (low, high, country, prefix, cities, languages, first_names, last_names)
    WHERE pg_temp.chance(n, 40) >= low AND pg_temp.chance(n, 40) < high
) AS home ON true
JOIN LATERAL (
    SELECT pg_temp.pick(first_names, pg_temp.chance(n, 41)) AS first_name, pg_temp.pick(last_names, pg_temp.chance(n, 42)) AS last_name
) AS person ON true
JOIN LATERAL (
    SELECT translate(lower(first_name || '.' || replace(replace(last_name, ' ', ''), '''', '')),
                     'ąäöüáàåæçćèéêëęğîïíıłńñóòøśşúžźż', 'aaouaaaacceeeeegiiiilnnooossuzzz') || n AS mailbox
) AS mail ON true
ORDER BY n;

-- Orders. Early customers are the loyal ones; the cancelled and the young ones never shipped.
INSERT INTO orders (customer_id, status, placed_at, shipped_at, delivered_at, shipping_country, shipping_cost,
                    payment_method, coupon_code, note)
SELECT
    c.id, s.status, placed_at,
    CASE WHEN s.status IN ('shipped', 'delivered', 'returned') THEN shipped_at END,
    CASE WHEN s.status IN ('delivered', 'returned')
         THEN shipped_at + make_interval(hours => 18 + floor(power(pg_temp.chance(n, 78), 2) * 150)::integer) END,
    CASE WHEN pg_temp.chance(n, 79) < 0.02 THEN 'AT' ELSE c.country END,
    CASE WHEN c.country = 'DE' THEN 4.90 WHEN c.country = 'GB' THEN 14.90 ELSE 7.90 END,
    CASE WHEN pg_temp.chance(n, 81) < 0.52 THEN 'card' WHEN pg_temp.chance(n, 81) < 0.82 THEN 'paypal'
         WHEN pg_temp.chance(n, 81) < 0.95 THEN 'invoice' ELSE 'bank_transfer' END,
    CASE WHEN extract(month FROM placed_at) = 11 AND extract(day FROM placed_at) > 20 AND pg_temp.chance(n, 82) < 0.45 THEN 'BLACK25'
         WHEN pg_temp.chance(n, 82) < 0.06 THEN 'WELCOME10' END,
    CASE WHEN pg_temp.chance(n, 83) < 0.05 THEN
        pg_temp.pick(array['Please leave with the neighbours.', 'It is a gift, no invoice please.', 'Ring twice.',
                           'Call before delivery', 'Schönen Dank!', 'Can this arrive before Friday?'], pg_temp.chance(n, 84)) END
FROM (
    SELECT row_number() OVER (ORDER BY day, second, k) AS n, *, day::timestamp AT TIME ZONE 'UTC' + make_interval(secs => second) AS placed_at
    FROM (
        SELECT day, k, customers_before, day - date '2023-01-01' AS age,
               3600 * (array[0, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 12, 13, 14, 15, 16, 17, 17, 18, 18, 18, 19, 19,
                             19, 20, 20, 20, 20, 21, 21, 22, 22, 23])[1 + floor(36 * pg_temp.chance(k + 1000 * (day - date '2023-01-01')::bigint, 70))::integer]
               + floor(3600 * pg_temp.chance(k + 1000 * (day - date '2023-01-01')::bigint, 71)) AS second
        FROM days, generate_series(1, orders) AS k
    ) AS moments
) AS moments
JOIN customers c ON c.id = 1 + floor(power(pg_temp.chance(n, 72), 1.5) * customers_before)::bigint
JOIN LATERAL (
    SELECT placed_at + make_interval(hours => 3 + floor(power(pg_temp.chance(n, 77), 3) * 90)::integer) AS shipped_at
) AS t ON true
JOIN LATERAL (
    SELECT (CASE
        WHEN pg_temp.chance(n, 73) < 0.035 THEN 'cancelled'
        WHEN age > 908 AND pg_temp.chance(n, 74) < 0.6 THEN 'pending'
        WHEN age > 908 THEN 'paid'
        WHEN age > 904 THEN 'shipped'
        WHEN pg_temp.chance(n, 75) < 0.045 THEN 'returned'
        WHEN pg_temp.chance(n, 76) < 0.002 THEN 'shipped' -- lost in the post
        ELSE 'delivered' END)::order_status AS status
) AS s ON true
ORDER BY n;

-- Once a product is discontinued, people buy the next one that is not.
CREATE TEMPORARY TABLE successors AS
SELECT id, coalesce(discontinued_on, date 'infinity') AS until,
       coalesce((SELECT min(s.id) FROM products s WHERE s.id > p.id AND s.discontinued_on IS NULL), 1) AS successor
FROM products p;

-- Lines: one to six; a few products make most of the revenue; now and then an office buys in bulk.
INSERT INTO order_items (order_id, line_number, product_id, quantity, unit_price, discount)
SELECT
    order_id, row_number() OVER (PARTITION BY order_id ORDER BY line), product_id,
    CASE WHEN pg_temp.chance(seed, 91) < 0.0015 THEN 24 + floor(pg_temp.chance(seed, 92) * 100)::integer
         ELSE 1 + floor(power(pg_temp.chance(seed, 93), 5) * 5)::integer END,
    round(p.price * CASE WHEN placed_at < '2024-01-01' THEN 0.92 WHEN placed_at < '2024-09-01' THEN 0.96 ELSE 1 END, 2),
    CASE WHEN coupon_code = 'BLACK25' THEN 0.25 WHEN coupon_code = 'WELCOME10' THEN 0.1
         WHEN pg_temp.chance(seed, 94) < 0.04 THEN 0.05 ELSE 0 END
FROM (
    SELECT DISTINCT ON (o.id, product_id) o.id AS order_id, o.placed_at, o.coupon_code, line, o.id * 10 + line AS seed, product_id
    FROM orders o,
         generate_series(1, 1 + floor(power(pg_temp.chance(o.id, 90), 1.6) * 5.2)::integer) AS line,
         LATERAL (SELECT 1 + (floor(power(pg_temp.chance(o.id * 10 + line, 95), 2.6) * 400)::integer * 163) % 400 AS wish) AS choice
         JOIN LATERAL (
             SELECT CASE WHEN o.placed_at < until THEN id ELSE successor END AS product_id FROM successors WHERE id = wish
         ) AS bought ON true
    ORDER BY o.id, product_id, line
) AS lines
JOIN products p ON p.id = product_id
ORDER BY order_id, line;

UPDATE orders SET shipping_cost = 0
FROM (SELECT order_id, sum(line_total) AS goods FROM order_items GROUP BY order_id) AS sums
WHERE orders.id = sums.order_id AND sums.goods >= 60;

-- Visits of the last half year: each session walks down the funnel until it gives up.
INSERT INTO events (id, occurred_at, session_id, customer_id, product_id, kind, time_on_page, ip, payload)
SELECT
    row_number() OVER (ORDER BY occurred_at, session, step), occurred_at,
    md5('session ' || session)::uuid,
    CASE WHEN pg_temp.chance(session, 103) < 0.38 THEN 1 + floor(power(pg_temp.chance(session, 104), 1.5) * 5500)::bigint END,
    CASE WHEN kind IN ('page_view', 'add_to_cart') AND pg_temp.chance(seed, 105) < 0.85
         THEN 1 + (floor(power(pg_temp.chance(session, 106), 2.6) * 400)::integer * 163) % 400 END,
    kind::event_kind,
    CASE WHEN kind = 'page_view' AND pg_temp.chance(seed, 107) < 0.9
         THEN make_interval(secs => round((2 + power(pg_temp.chance(seed, 108), 4) * 600)::numeric, 1)::double precision) END,
    CASE WHEN pg_temp.chance(session, 109) < 0.97
         THEN ('198.51.100.0'::inet + floor(pg_temp.chance(session, 110) * 256)::bigint) ELSE '2001:db8::'::inet + session END,
    CASE kind
        WHEN 'page_view' THEN jsonb_build_object(
            'device', device, 'referrer', pg_temp.pick(array['search', 'direct', 'newsletter', 'social', 'search', 'direct'], pg_temp.chance(session, 112)))
        WHEN 'search' THEN jsonb_build_object('device', device, 'results', floor(power(pg_temp.chance(seed, 113), 3) * 80),
            'query', pg_temp.pick(array['tent', 'desk', 'coffee grinder', 'oak shelf', 'grill', 'sleeping bag', 'knife', 'lamp', 'tnet', 'planter'],
                                  power(pg_temp.chance(seed, 114), 1.6)))
        WHEN 'support_contact' THEN jsonb_build_object('topic', pg_temp.pick(array['delivery', 'return', 'invoice', 'product'], pg_temp.chance(seed, 115)))
        ELSE jsonb_build_object('device', device) END
FROM (
    SELECT session, step, session * 10 + step AS seed,
           started + make_interval(secs => step * (15 + floor(pg_temp.chance(session * 10 + step, 116) * 90))) AS occurred_at,
           pg_temp.pick(array['mobile', 'desktop', 'mobile', 'tablet', 'desktop', 'mobile'], pg_temp.chance(session, 111)) AS device,
           CASE
               WHEN step = 1 THEN 'page_view'
               WHEN step = 2 AND pg_temp.chance(session, 117) < 0.4 THEN 'search'
               WHEN step <= 4 AND pg_temp.chance(session * 10 + step, 118) < 0.75 THEN 'page_view'
               WHEN step = 5 OR step < 5 THEN 'add_to_cart'
               WHEN step = 6 THEN 'checkout'
               WHEN step = 7 THEN 'purchase'
               ELSE 'support_contact' END AS kind
    FROM (
        SELECT row_number() OVER (ORDER BY day, k) AS session,
               day::timestamp AT TIME ZONE 'UTC' + make_interval(secs => floor(pg_temp.chance((day - date '2023-01-01') * 1000::bigint + k, 100) * 86000)) AS started
        FROM days, generate_series(1, round(orders * 2.0)::integer) AS k
        WHERE day >= '2025-01-01'
    ) AS sessions,
    generate_series(1, 1 + floor(power(pg_temp.chance(session, 101), 1.3) * 8)::integer) AS step
) AS steps
WHERE occurred_at < '2025-07-01 00:00+00'
ORDER BY 1;

DROP TABLE days, successors;
