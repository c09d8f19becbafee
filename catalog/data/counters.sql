-- Counters of the platform: what it holds, and how often that is looked at and downloaded.
--
-- The login that counts may insert into gfard.visits and nothing else. A visit names its client by
-- a digest; a trigger mixes that with the salt of the day, which nobody can read and which is gone
-- the next day, together with the visits: of past days only sums remain.
CREATE SCHEMA IF NOT EXISTS gfard;

CREATE TABLE IF NOT EXISTS gfard.salts (
    day date PRIMARY KEY,
    salt bytea NOT NULL
);

CREATE TABLE IF NOT EXISTS gfard.visits (
    day date NOT NULL,
    visitor bytea NOT NULL,
    kind text NOT NULL CHECK (kind IN ('view', 'download')),
    collection text NOT NULL CHECK (length(collection) <= 64),
    item text NOT NULL CHECK (length(item) <= 64),
    asset text NOT NULL CHECK (length(asset) <= 32),
    PRIMARY KEY (day, visitor, kind, collection, item, asset)
);

CREATE TABLE IF NOT EXISTS gfard.daily_visits (
    day date NOT NULL,
    kind text NOT NULL,
    collection text NOT NULL,
    item text NOT NULL,
    asset text NOT NULL,
    visits bigint NOT NULL,
    PRIMARY KEY (day, kind, collection, item, asset)
);

CREATE TABLE IF NOT EXISTS gfard.holdings (
    collection text PRIMARY KEY,
    items bigint NOT NULL,
    files bigint NOT NULL,
    bytes numeric NOT NULL,
    measured timestamptz NOT NULL
);

-- Begin a day: make its salt, sum up the visits of the days before and forget who made them.
CREATE OR REPLACE FUNCTION gfard.begin_day(today date) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    INSERT INTO gfard.salts
    VALUES (today, decode(replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', ''), 'hex'))
    ON CONFLICT DO NOTHING;
    WITH past AS (DELETE FROM gfard.visits WHERE day < today RETURNING *)
    INSERT INTO gfard.daily_visits AS sums
    SELECT day, kind, collection, item, asset, count(*) FROM past
    GROUP BY day, kind, collection, item, asset
    ON CONFLICT (day, kind, collection, item, asset)
    DO UPDATE SET visits = sums.visits + excluded.visits;
    DELETE FROM gfard.salts WHERE day < today;
$$;

CREATE OR REPLACE FUNCTION gfard.salt_visit() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    today date := (now() AT TIME ZONE 'UTC')::date;
    secret bytea;
BEGIN
    SELECT salt INTO secret FROM gfard.salts WHERE day = today;
    IF secret IS NULL THEN
        PERFORM gfard.begin_day(today);
        SELECT salt INTO secret FROM gfard.salts WHERE day = today;
    END IF;
    NEW.day := today;
    NEW.visitor := sha256(secret || NEW.visitor);
    RETURN NEW;
END;
$$;

CREATE OR REPLACE TRIGGER salt_visit BEFORE INSERT ON gfard.visits
FOR EACH ROW EXECUTE FUNCTION gfard.salt_visit();

-- Count and weigh the published files, from what was noted of each item when it was published; the
-- documents themselves are opened only for items that something else brought in.
CREATE OR REPLACE FUNCTION gfard.measure_holdings() RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    DELETE FROM gfard.holdings;
    WITH noted AS (
        SELECT DISTINCT ON (item) item, files, bytes FROM gfard.changes ORDER BY item, number DESC
    )
    INSERT INTO gfard.holdings
    SELECT items.collection, count(*), coalesce(sum(held.files), 0), coalesce(sum(held.bytes), 0), now()
    FROM pgstac.items
    LEFT JOIN noted ON noted.item = items.id
    CROSS JOIN LATERAL (
        SELECT noted.files, noted.bytes WHERE noted.files IS NOT NULL
        UNION ALL
        SELECT count(*), sum((asset.value ->> 'file:size')::numeric)
        FROM jsonb_each(items.content -> 'assets') AS asset
        WHERE noted.files IS NULL HAVING noted.files IS NULL
    ) AS held
    GROUP BY items.collection;
$$;

CREATE OR REPLACE VIEW gfard.counters AS
    WITH visited AS (
        SELECT collection, kind, visits FROM gfard.daily_visits
        UNION ALL
        SELECT collection, kind, count(*) FROM gfard.visits GROUP BY collection, kind
    ), visits AS (
        SELECT collection,
            coalesce(sum(visits) FILTER (WHERE kind = 'view'), 0) AS views,
            coalesce(sum(visits) FILTER (WHERE kind = 'download'), 0) AS downloads
        FROM visited GROUP BY collection
    )
    SELECT collection,
        coalesce(items, 0) AS items, coalesce(files, 0) AS files, coalesce(bytes, 0) AS bytes,
        coalesce(views, 0) AS views, coalesce(downloads, 0) AS downloads
    FROM gfard.holdings FULL JOIN visits USING (collection);

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA gfard FROM PUBLIC;
GRANT USAGE ON SCHEMA gfard TO pgstac_read, pgstac_ingest;
GRANT SELECT ON gfard.counters TO pgstac_read;
GRANT EXECUTE ON FUNCTION gfard.measure_holdings() TO pgstac_ingest;
