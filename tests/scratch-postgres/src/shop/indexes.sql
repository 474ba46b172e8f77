-- Made after the rows are in, which is quicker.

CREATE INDEX products_category_id_idx ON products (category_id);
CREATE INDEX products_attributes_idx ON products USING gin (attributes);
CREATE INDEX customers_country_city_idx ON customers (country, city);
CREATE INDEX customers_lower_email_idx ON customers (lower(email::text));
CREATE INDEX orders_customer_id_idx ON orders (customer_id);
CREATE INDEX orders_placed_at_idx ON orders (placed_at);
CREATE INDEX orders_open_idx ON orders (placed_at) WHERE status IN ('pending', 'paid');
COMMENT ON INDEX orders_open_idx IS 'For the warehouse, which asks for open orders all day.';
CREATE INDEX order_items_product_id_idx ON order_items (product_id);
CREATE INDEX events_occurred_at_idx ON events USING brin (occurred_at);
CREATE INDEX events_session_id_idx ON events (session_id);
CREATE STATISTICS customers_country_city_stats (dependencies) ON country, city FROM customers;
