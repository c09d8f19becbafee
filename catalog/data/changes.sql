-- What happened to the catalogue's items, one row for each change, never altered afterwards.
--
-- The digest is that of the document as it was published: a publication that finds it unchanged
-- leaves the item alone. Number and size of the files are kept for the counters.
CREATE SCHEMA IF NOT EXISTS gfard;

CREATE TABLE IF NOT EXISTS gfard.changes (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    time timestamptz NOT NULL DEFAULT now(),
    kind text NOT NULL CHECK (kind IN ('new', 'replaced', 'withdrawn', 'restored', 'removed')),
    collection text NOT NULL,
    item text NOT NULL,
    successor text,
    reason text NOT NULL,
    digest bytea
);
ALTER TABLE gfard.changes ADD COLUMN IF NOT EXISTS files integer;
ALTER TABLE gfard.changes ADD COLUMN IF NOT EXISTS bytes bigint;
CREATE INDEX IF NOT EXISTS changes_item ON gfard.changes (item, number);
CREATE INDEX IF NOT EXISTS changes_time ON gfard.changes (time);
CREATE INDEX IF NOT EXISTS changes_withdrawn ON gfard.changes (item) WHERE kind = 'withdrawn';

GRANT USAGE ON SCHEMA gfard TO pgstac_read;
GRANT SELECT ON gfard.changes TO pgstac_read;
GRANT SELECT, INSERT ON gfard.changes TO pgstac_ingest;
