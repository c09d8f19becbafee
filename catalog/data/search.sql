-- What makes searches quick beyond pgSTAC's own indexes of time and outline and those that it keeps
-- for the queryables that are named to it.
--
-- An index of the whole table comes with every partition, now and later. The same on pgSTAC's
-- template tells its upkeep of partitions that the index is meant.
CREATE SCHEMA IF NOT EXISTS gfard;

-- The words of an item, as pgSTAC's searches weigh them; plpgsql, because the planner would look
-- into a function in SQL.
CREATE OR REPLACE FUNCTION gfard.words(content jsonb) RETURNS tsvector
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE COST 5000 SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN to_tsvector('english', coalesce(content -> 'properties' ->> 'description', ''))
        || to_tsvector('english', coalesce(content -> 'properties' ->> 'title', ''))
        || to_tsvector('english', coalesce(content -> 'properties' ->> 'keywords', ''));
END;
$$;

-- The items that hold these words, out of the index; no more of them than asked for.
CREATE OR REPLACE FUNCTION gfard.with_words(wanted tsquery, most integer) RETURNS text[]
LANGUAGE sql STABLE SET search_path = pgstac, public SET enable_seqscan = off AS $$
    SELECT coalesce(array_agg(id), '{}') FROM (
        SELECT id FROM items WHERE gfard.words(content) @@ wanted LIMIT most
    ) AS found
$$;

-- The condition of a search: pgSTAC's, except for free text. How rare a word is the planner does
-- not know and would read the items in their order of time until enough have it. So the items of a
-- rare word are looked up first; a word that many have is met soon in any order.
CREATE OR REPLACE FUNCTION gfard.condition(search jsonb) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pgstac, public AS $$
DECLARE
    many CONSTANT integer := 2000;
    condition text := stac_search_to_where(search - 'q');
    wanted tsquery;
    found text[];
BEGIN
    IF NOT search ? 'q' THEN
        RETURN condition;
    END IF;
    wanted := q_to_tsquery(search -> 'q');
    found := gfard.with_words(wanted, many);
    IF cardinality(found) < many THEN
        RETURN format('%s AND id = ANY (%L)', condition, found);
    END IF;
    RETURN format('%s AND gfard.words(content) @@ %L::tsquery', condition, wanted);
END;
$$;

CREATE INDEX IF NOT EXISTS gfard_words ON pgstac.items USING gin (gfard.words(content));
CREATE INDEX IF NOT EXISTS gfard_words_template
    ON pgstac.queryable_index_template USING gin (gfard.words(content));

-- Searches for current products, latest first, read it in its order up to the last row wanted.
CREATE INDEX IF NOT EXISTS gfard_current ON pgstac.items (
    pgstac.to_text(content -> 'properties' -> 'deprecated'),
    datetime DESC, collection DESC, id DESC
);
CREATE INDEX IF NOT EXISTS gfard_current_template ON pgstac.queryable_index_template (
    pgstac.to_text(content -> 'properties' -> 'deprecated'),
    datetime DESC, collection DESC, id DESC
);

-- What a map asks for: clear pictures of a place and a time.
CREATE INDEX IF NOT EXISTS gfard_place ON pgstac.items USING gist (
    geometry, datetime, end_datetime,
    pgstac.to_float(content -> 'properties' -> 'eo:cloud_cover')
);
CREATE INDEX IF NOT EXISTS gfard_place_template ON pgstac.queryable_index_template USING gist (
    geometry, datetime, end_datetime,
    pgstac.to_float(content -> 'properties' -> 'eo:cloud_cover')
);

-- As pgSTAC has it, a look at a property costs as much as three random pages; it is less than one.
ALTER FUNCTION pgstac.to_text(jsonb) COST 400;

REVOKE ALL ON FUNCTION gfard.words, gfard.with_words, gfard.condition FROM PUBLIC;
GRANT USAGE ON SCHEMA gfard TO pgstac_read, pgstac_ingest, pgstac_admin;
GRANT EXECUTE ON FUNCTION gfard.words, gfard.with_words, gfard.condition
    TO pgstac_read, pgstac_ingest, pgstac_admin;

-- What the planner has to know of the items for these indexes to be chosen; the server itself looks
-- only a minute after many items have come. Until then a sample of 3000 items is enough, which takes
-- a third of the time.
CREATE OR REPLACE FUNCTION gfard.learn_items() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pgstac, public
SET default_statistics_target = 10 AS $$
BEGIN
    ANALYZE pgstac.items;
END;
$$;
REVOKE ALL ON FUNCTION gfard.learn_items() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION gfard.learn_items() TO pgstac_ingest;
