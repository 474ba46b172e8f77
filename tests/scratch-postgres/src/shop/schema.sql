-- The sample shop: what a small online shop for home and outdoor goods keeps about its business.

CREATE TYPE customer_tier AS ENUM ('standard', 'silver', 'gold');
CREATE TYPE order_status AS ENUM ('pending', 'paid', 'shipped', 'delivered', 'cancelled', 'returned');
CREATE TYPE event_kind AS ENUM ('page_view', 'search', 'add_to_cart', 'checkout', 'purchase', 'support_contact');
CREATE DOMAIN email_address AS text CHECK (VALUE ~ '^[^@\s]+@[^@\s]+\.[a-z]{2,}$');

CREATE TABLE categories (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    parent_id integer REFERENCES categories,
    name text NOT NULL,
    slug text NOT NULL UNIQUE
);
COMMENT ON TABLE categories IS 'Product categories, two levels deep.';
COMMENT ON COLUMN categories.parent_id IS 'The category above; null for a department.';

CREATE TABLE products (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    category_id integer NOT NULL REFERENCES categories,
    sku text NOT NULL UNIQUE,
    name text NOT NULL,
    price numeric(10, 2) NOT NULL CHECK (price > 0),
    cost numeric(10, 2) NOT NULL CHECK (cost >= 0),
    weight_grams integer CHECK (weight_grams > 0),
    stock integer NOT NULL DEFAULT 0 CHECK (stock >= 0),
    tags text[] NOT NULL DEFAULT '{}',
    attributes jsonb NOT NULL DEFAULT '{}',
    introduced_on date NOT NULL,
    discontinued_on date,
    CONSTRAINT products_sold_above_cost CHECK (price >= cost),
    CONSTRAINT products_dates_in_order CHECK (discontinued_on > introduced_on)
);
COMMENT ON TABLE products IS 'What the shop sells or sold.';
COMMENT ON COLUMN products.price IS 'Current list price in EUR, tax included.';
COMMENT ON COLUMN products.cost IS 'What the shop pays for one unit, in EUR.';
COMMENT ON COLUMN products.weight_grams IS 'Shipping weight; null when nobody weighed it.';
COMMENT ON COLUMN products.attributes IS 'Facts that differ by category, such as colour, material and warranty_years.';
COMMENT ON COLUMN products.discontinued_on IS 'Last day of sale; null while it is sold.';

CREATE TABLE customers (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    first_name text NOT NULL,
    last_name text NOT NULL,
    full_name text GENERATED ALWAYS AS (first_name || ' ' || last_name) STORED,
    email email_address NOT NULL UNIQUE,
    phone text,
    country character(2) NOT NULL,
    city text NOT NULL,
    tier customer_tier NOT NULL DEFAULT 'standard',
    birth_date date CHECK (birth_date > '1900-01-01'),
    marketing_opt_in boolean NOT NULL DEFAULT false,
    preferences jsonb NOT NULL DEFAULT '{}',
    referred_by bigint REFERENCES customers,
    created_at timestamp with time zone NOT NULL DEFAULT now()
);
COMMENT ON TABLE customers IS 'People with an account.';
COMMENT ON COLUMN customers.country IS 'ISO 3166-1 alpha-2 code.';
COMMENT ON COLUMN customers.birth_date IS 'Optional; most customers leave it out.';
COMMENT ON COLUMN customers.referred_by IS 'The customer whose invitation brought this one.';

CREATE TABLE orders (
    id bigint GENERATED ALWAYS AS IDENTITY (START WITH 100001) PRIMARY KEY,
    customer_id bigint NOT NULL REFERENCES customers,
    status order_status NOT NULL DEFAULT 'pending',
    placed_at timestamp with time zone NOT NULL DEFAULT now(),
    shipped_at timestamp with time zone,
    delivered_at timestamp with time zone,
    shipping_country character(2) NOT NULL,
    shipping_cost numeric(8, 2) NOT NULL DEFAULT 0 CHECK (shipping_cost >= 0),
    payment_method text NOT NULL CHECK (payment_method IN ('card', 'paypal', 'invoice', 'bank_transfer')),
    coupon_code text,
    note text,
    CONSTRAINT orders_shipped_after_placed CHECK (shipped_at >= placed_at),
    CONSTRAINT orders_delivered_after_shipped CHECK (delivered_at >= shipped_at)
);
COMMENT ON TABLE orders IS 'One row for each order; its lines are in order_items.';
COMMENT ON COLUMN orders.status IS 'Cancelled and returned orders are no revenue.';
COMMENT ON COLUMN orders.shipping_cost IS 'Charged to the customer, in EUR; 0 above an order value of 60.';
COMMENT ON COLUMN orders.note IS 'What the customer wrote at checkout.';

CREATE TABLE order_items (
    order_id bigint NOT NULL REFERENCES orders ON DELETE CASCADE,
    line_number smallint NOT NULL,
    product_id integer NOT NULL REFERENCES products,
    quantity integer NOT NULL CHECK (quantity > 0),
    unit_price numeric(10, 2) NOT NULL CHECK (unit_price >= 0),
    discount numeric(4, 3) NOT NULL DEFAULT 0 CHECK (discount >= 0 AND discount < 1),
    line_total numeric(12, 2) GENERATED ALWAYS AS (round(quantity * unit_price * (1 - discount), 2)) STORED,
    PRIMARY KEY (order_id, line_number)
);
COMMENT ON TABLE order_items IS 'The lines of orders.';
COMMENT ON COLUMN order_items.unit_price IS 'Price in EUR on the day of the order, which may differ from the list price of today.';
COMMENT ON COLUMN order_items.discount IS 'Share taken off: 0.15 is 15 %.';
COMMENT ON COLUMN order_items.line_total IS 'Computed: quantity * unit_price * (1 - discount).';

CREATE TABLE events (
    id bigint NOT NULL,
    occurred_at timestamp with time zone NOT NULL,
    session_id uuid NOT NULL,
    customer_id bigint REFERENCES customers,
    product_id integer REFERENCES products,
    kind event_kind NOT NULL,
    time_on_page interval,
    ip inet,
    payload jsonb NOT NULL DEFAULT '{}',
    PRIMARY KEY (id, occurred_at)
) PARTITION BY RANGE (occurred_at);
COMMENT ON TABLE events IS 'What visitors did on the site, one partition for each month.';
COMMENT ON COLUMN events.customer_id IS 'Null for visitors who were not signed in.';

CREATE TABLE events_2025_01 PARTITION OF events FOR VALUES FROM ('2025-01-01 00:00+00') TO ('2025-02-01 00:00+00');
CREATE TABLE events_2025_02 PARTITION OF events FOR VALUES FROM ('2025-02-01 00:00+00') TO ('2025-03-01 00:00+00');
CREATE TABLE events_2025_03 PARTITION OF events FOR VALUES FROM ('2025-03-01 00:00+00') TO ('2025-04-01 00:00+00');
CREATE TABLE events_2025_04 PARTITION OF events FOR VALUES FROM ('2025-04-01 00:00+00') TO ('2025-05-01 00:00+00');
CREATE TABLE events_2025_05 PARTITION OF events FOR VALUES FROM ('2025-05-01 00:00+00') TO ('2025-06-01 00:00+00');
CREATE TABLE events_2025_06 PARTITION OF events FOR VALUES FROM ('2025-06-01 00:00+00') TO ('2025-07-01 00:00+00');
CREATE TABLE events_default PARTITION OF events DEFAULT;

CREATE VIEW order_totals AS
SELECT o.id AS order_id, o.customer_id, o.status, o.placed_at,
       count(*) AS lines, sum(i.line_total) AS goods, sum(i.line_total) + o.shipping_cost AS total
FROM orders o JOIN order_items i ON i.order_id = o.id
GROUP BY o.id;
COMMENT ON VIEW order_totals IS 'What each order came to, in EUR.';

CREATE VIEW monthly_revenue AS
SELECT date_trunc('month', placed_at, 'UTC')::date AS month, count(*) AS orders, sum(total) AS revenue
FROM order_totals
WHERE status NOT IN ('cancelled', 'returned')
GROUP BY 1;
COMMENT ON VIEW monthly_revenue IS 'Orders and revenue in EUR by calendar month, without cancelled and returned orders.';
