import type { Postgres15 } from '#test/support/postgres.ts'

/**
 * A database as a Zotonic site has it after some years, in the same proportions: resources and revisions, whose
 * properties are compressed Erlang terms (bytea that no gzip makes smaller, but for its hexadecimal digits), links between
 * resources, search texts, and log lines.
 * @param scale 1: about 600 MB on disk with its indexes
 */
export async function makeBenchDatabase(server: Postgres15, name: string, scale: number): Promise<void> {
  const rows = (count: number) => `generate_series(1, ${Math.round(count * scale)}) n`
  await server.createDatabase(name)
  await server.psql(
    name,
    `SET synchronous_commit = off;
     CREATE SCHEMA site;
     SET search_path = site, pg_catalog;
     CREATE FUNCTION term(seed integer, pieces integer) RETURNS bytea LANGUAGE sql AS $$
       SELECT '\\x01326a3a83500000'::bytea || string_agg(sha512(int4send(seed) || int4send(p)), ''::bytea) FROM generate_series(1, pieces) p $$;
     CREATE TABLE paragraph AS
       SELECT n AS id, (SELECT string_agg((ARRAY['the','site','backup','of','every','night','restores','a','page','and','its','media',
         'when','editors','change','them','museum','exhibition','opening','hours','painting','collection','visitors','archive','history',
         'Amsterdam','century','portrait','landscape','curator','loan','catalogue','restoration','canvas','drawing','printed'])
         [1 + abs(hashint8(n * 1000 + w)) % 36], ' ') FROM generate_series(1, 60) w) AS words
       FROM generate_series(1, 4000) n;
     CREATE TABLE rsc (id serial PRIMARY KEY, uri varchar(2048), name varchar(80), is_published boolean NOT NULL DEFAULT false,
       publication_start timestamptz, version integer NOT NULL DEFAULT 1, category_id integer, creator_id integer, slug varchar(80),
       props bytea, created timestamptz NOT NULL DEFAULT now(), modified timestamptz, pivot_title varchar(100), pivot_text text, pivot_tsv tsvector);
     INSERT INTO rsc (uri, name, is_published, publication_start, version, category_id, creator_id, slug, props, modified, pivot_title, pivot_text)
       SELECT NULL, CASE WHEN n % 10 = 0 THEN 'page_' || n END, n % 7 > 0, '2019-01-01'::timestamptz + n * interval '17 minutes', n % 30,
         100 + n % 40, 1 + n % 25, 'page-' || n || '-in-the-collection', term(n, 10 + n % 14), '2020-01-01'::timestamptz + n * interval '31 minutes',
         left(p.words, 60), p.words || ' ' || q.words
       FROM ${rows(78_000)} JOIN paragraph p ON p.id = 1 + n % 4000 JOIN paragraph q ON q.id = 1 + (n * 7 + 3) % 4000;
     UPDATE rsc SET pivot_tsv = to_tsvector('simple', pivot_title) WHERE id % 3 = 0;
     CREATE TABLE backup_revision (id bigserial PRIMARY KEY, type char(1) NOT NULL, rsc_id integer NOT NULL, created timestamptz NOT NULL DEFAULT now(),
       version integer, user_id integer, user_name varchar(80), filename varchar(400) DEFAULT '', note varchar(200) DEFAULT '', data_type varchar(15), data bytea NOT NULL);
     INSERT INTO backup_revision (type, rsc_id, created, version, user_id, user_name, data_type, data)
       SELECT 'P', 1 + n % 60000, '2021-01-01'::timestamptz + n * interval '9 minutes', n % 30, 1 + n % 25, 'Editor ' || n % 25, 'erlang', term(-n, 8 + n % 12)
       FROM ${rows(143_000)};
     CREATE TABLE edge (id serial PRIMARY KEY, subject_id integer NOT NULL, predicate_id integer NOT NULL, object_id integer NOT NULL,
       seq integer NOT NULL DEFAULT 1000000, creator_id integer, created timestamptz NOT NULL DEFAULT now());
     INSERT INTO edge (subject_id, predicate_id, object_id, creator_id, created)
       SELECT 1 + n % 60000, 300 + n % 12, 1 + (n::bigint * 7919 % 60000), 1 + n % 25, '2020-06-01'::timestamptz + n * interval '3 minutes' FROM ${rows(650_000)};
     CREATE TABLE log (id bigserial PRIMARY KEY, type varchar(80), rsc_id integer, user_id integer, message text, created timestamptz DEFAULT now());
     INSERT INTO log (type, rsc_id, user_id, message, created)
       SELECT (ARRAY['info', 'warning', 'error'])[1 + n % 3], 1 + n % 60000, n % 25, 'Resource ' || n % 60000 || ' updated by editor: ' || substr(p.words, 1, 150),
         '2022-01-01'::timestamptz + n * interval '1 minute'
       FROM ${rows(585_000)} JOIN paragraph p ON p.id = 1 + n % 4000;
     CREATE INDEX rsc_slug ON rsc (slug); CREATE INDEX rsc_modified ON rsc (modified); CREATE INDEX rsc_tsv ON rsc USING gin (pivot_tsv);
     CREATE INDEX revision_rsc ON backup_revision (rsc_id, created); CREATE INDEX edge_triple ON edge (subject_id, predicate_id, object_id);
     CREATE INDEX edge_object ON edge (object_id); CREATE INDEX log_created ON log (created);
     ANALYZE`,
  )
}
