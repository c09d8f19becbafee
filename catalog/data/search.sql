-- What makes searches quick beyond pgSTAC's own indexes of time and outline and those that it keeps
-- for the queryables that are named to it.
--
-- An index of the whole table comes with every partition, now and later. The same on pgSTAC's
-- template tells its upkeep of partitions that the index is meant.
CREATE SCHEMA IF NOT EXISTS gfard;

-- The words of an item, as pgSTAC's searches weigh them. Its own expression costs, as the planner
-- sees it, less than looking up a property, and so was made anew for most items in their order of
-- time; plpgsql, because the planner would look into a function in SQL.
CREATE OR REPLACE FUNCTION gfard.words(content jsonb) RETURNS tsvector
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE COST 20000 SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN to_tsvector('english', coalesce(content -> 'properties' ->> 'description', ''))
        || to_tsvector('english', coalesce(content -> 'properties' ->> 'title', ''))
        || to_tsvector('english', coalesce(content -> 'properties' ->> 'keywords', ''));
END;
$$;

-- The condition of a search: pgSTAC's, free text by the words above.
CREATE OR REPLACE FUNCTION gfard.condition(search jsonb) RETURNS text
LANGUAGE sql STABLE SET search_path = pgstac, public AS $$
    SELECT concat_ws(
        ' AND ', stac_search_to_where(search - 'q'),
        CASE WHEN search ? 'q'
            THEN format('gfard.words(content) @@ %L::tsquery', q_to_tsquery(search -> 'q')) END
    );
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

REVOKE ALL ON FUNCTION gfard.words, gfard.condition FROM PUBLIC;
GRANT USAGE ON SCHEMA gfard TO pgstac_read, pgstac_ingest, pgstac_admin;
GRANT EXECUTE ON FUNCTION gfard.words, gfard.condition TO pgstac_read, pgstac_ingest, pgstac_admin;
