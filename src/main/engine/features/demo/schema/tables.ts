/**
 * The tables of a Zotonic site that matter to backups, roll backs and standbys, with the columns, names and defaults
 * that a site of version 1 has (docs/formats.md, "Database tables"). Names without a schema: the caller sets search_path.
 */
export const TABLES = `
CREATE TABLE rsc (
  id serial CONSTRAINT rsc_pkey PRIMARY KEY,
  uri varchar(2048),
  name varchar(80),
  is_authoritative boolean NOT NULL DEFAULT true,
  is_published boolean NOT NULL DEFAULT false,
  is_featured boolean NOT NULL DEFAULT false,
  is_protected boolean NOT NULL DEFAULT false,
  is_dependent boolean NOT NULL DEFAULT false,
  is_unfindable boolean NOT NULL DEFAULT false,
  publication_start timestamptz,
  publication_end timestamptz NOT NULL DEFAULT '9999-06-01 00:00:00+00',
  content_group_id integer,
  creator_id integer,
  modifier_id integer,
  version integer NOT NULL DEFAULT 1,
  category_id integer NOT NULL,
  visible_for integer NOT NULL DEFAULT 0,
  language varchar(16)[],
  slug varchar(80) NOT NULL DEFAULT '',
  props bytea,
  created timestamptz NOT NULL DEFAULT now(),
  modified timestamptz NOT NULL DEFAULT now(),
  pivot_category_nr integer,
  pivot_page_path varchar(80)[],
  pivot_tsv tsvector,
  pivot_rtsv tsvector,
  pivot_first_name varchar(100),
  pivot_surname varchar(100),
  pivot_gender varchar(1),
  pivot_date_start timestamptz,
  pivot_date_end timestamptz,
  pivot_date_start_month_day integer,
  pivot_date_end_month_day integer,
  pivot_street varchar(120),
  pivot_city varchar(100),
  pivot_state varchar(50),
  pivot_postcode varchar(30),
  pivot_country varchar(80),
  pivot_geocode bigint,
  pivot_geocode_qhash bytea,
  pivot_title varchar(100),
  pivot_location_lat double precision,
  pivot_location_lng double precision
);

CREATE TABLE rsc_gone (
  id bigint CONSTRAINT rsc_gone_pkey PRIMARY KEY,
  new_id bigint,
  new_uri varchar(2048),
  version integer NOT NULL,
  uri varchar(2048),
  name varchar(80),
  page_paths varchar(80)[],
  is_authoritative boolean NOT NULL DEFAULT true,
  creator_id bigint,
  modifier_id bigint,
  created timestamptz NOT NULL DEFAULT now(),
  modified timestamptz NOT NULL DEFAULT now(),
  is_personal_data boolean NOT NULL DEFAULT false
);

CREATE TABLE rsc_page_path_log (
  page_path varchar(80) CONSTRAINT rsc_page_path_log_pkey PRIMARY KEY,
  id integer NOT NULL,
  created timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE rsc_pivot_log (
  rsc_id integer NOT NULL,
  due timestamptz NOT NULL DEFAULT now(),
  is_update boolean NOT NULL DEFAULT true,
  priority integer NOT NULL DEFAULT 1
);

CREATE TABLE protect (
  id integer CONSTRAINT protect_id PRIMARY KEY
);

CREATE TABLE edge (
  id serial CONSTRAINT edge_pkey PRIMARY KEY,
  subject_id integer NOT NULL,
  predicate_id integer NOT NULL,
  object_id integer NOT NULL,
  seq integer NOT NULL DEFAULT 1000000,
  creator_id integer,
  created timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE edge_log (
  id bigserial CONSTRAINT edge_log_pkey PRIMARY KEY,
  op varchar(6),
  edge_id integer NOT NULL,
  subject_id integer NOT NULL,
  predicate_id integer NOT NULL,
  predicate varchar(80),
  object_id integer NOT NULL,
  seq integer NOT NULL,
  logged timestamptz NOT NULL DEFAULT now(),
  created timestamptz
);

CREATE TABLE medium (
  id integer CONSTRAINT medium_pkey PRIMARY KEY,
  filename varchar(400),
  rootname varchar(100),
  mime varchar(128) NOT NULL DEFAULT 'application/octet-stream',
  width integer NOT NULL DEFAULT 0,
  height integer NOT NULL DEFAULT 0,
  orientation integer NOT NULL DEFAULT 1,
  frame_count integer,
  digest varchar(80),
  size bigint NOT NULL DEFAULT 0,
  preview_filename varchar(400),
  preview_width integer NOT NULL DEFAULT 0,
  preview_height integer NOT NULL DEFAULT 0,
  is_deletable_file boolean NOT NULL DEFAULT false,
  is_deletable_preview boolean NOT NULL DEFAULT false,
  props bytea,
  created timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE medium_log (
  id serial CONSTRAINT medium_log_pkey PRIMARY KEY,
  usr_id integer,
  filename varchar(400) NOT NULL,
  created timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE medium_deleted (
  id serial CONSTRAINT medium_deleted_pkey PRIMARY KEY,
  filename varchar(400) NOT NULL,
  deleted timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE identity (
  id serial CONSTRAINT auth_pkey PRIMARY KEY,
  rsc_id integer NOT NULL,
  type varchar(32) NOT NULL DEFAULT '',
  key varchar(200) NOT NULL DEFAULT '',
  is_unique boolean NOT NULL DEFAULT false,
  is_verified boolean NOT NULL DEFAULT false,
  verify_key varchar(32),
  propb bytea,
  prop1 varchar(200) NOT NULL DEFAULT '',
  prop2 varchar(200) NOT NULL DEFAULT '',
  prop3 varchar(200) NOT NULL DEFAULT '',
  created timestamptz NOT NULL DEFAULT now(),
  modified timestamptz NOT NULL DEFAULT now(),
  visited timestamptz,
  expires timestamptz
);

CREATE TABLE identity_log (
  id serial CONSTRAINT id_log_pkey PRIMARY KEY,
  identity_id integer NOT NULL,
  rsc_id integer NOT NULL,
  created timestamptz NOT NULL DEFAULT now(),
  user_agent varchar(240),
  ip_address varchar(40)
);

CREATE TABLE hierarchy (
  name varchar(80) NOT NULL,
  id integer NOT NULL,
  parent_id integer,
  nr integer NOT NULL DEFAULT 0,
  lvl integer NOT NULL DEFAULT 0,
  lft integer NOT NULL DEFAULT 0,
  rght integer NOT NULL DEFAULT 0,
  CONSTRAINT hierarchy_pkey PRIMARY KEY (name, id)
);

CREATE TABLE predicate_category (
  id serial CONSTRAINT predicate_category_pkey PRIMARY KEY,
  is_subject boolean NOT NULL DEFAULT true,
  predicate_id integer NOT NULL,
  category_id integer NOT NULL
);

CREATE TABLE config (
  id serial CONSTRAINT config_pkey PRIMARY KEY,
  module varchar(80) NOT NULL DEFAULT 'zotonic',
  key varchar(80) NOT NULL DEFAULT '',
  value text NOT NULL DEFAULT '',
  props bytea,
  created timestamptz NOT NULL DEFAULT now(),
  modified timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE module (
  id serial CONSTRAINT module_pkey PRIMARY KEY,
  name varchar(80) NOT NULL DEFAULT '',
  uri varchar(2048) NOT NULL DEFAULT '',
  is_active boolean NOT NULL DEFAULT false,
  created timestamptz NOT NULL DEFAULT now(),
  modified timestamptz NOT NULL DEFAULT now(),
  schema_version integer
);

CREATE TABLE log (
  id bigserial CONSTRAINT log_pkey PRIMARY KEY,
  rsc_id integer,
  user_id integer,
  type varchar(80) NOT NULL DEFAULT '',
  module varchar(160) NOT NULL DEFAULT '',
  props bytea,
  created timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE pivot_task_queue (
  id serial CONSTRAINT pivot_task_queue_pkey PRIMARY KEY,
  module varchar(80) NOT NULL,
  function varchar(64) NOT NULL,
  key varchar(100) NOT NULL DEFAULT '',
  due timestamptz,
  props bytea,
  error_count integer NOT NULL DEFAULT 0
);

CREATE TABLE backup_revision (
  id bigserial CONSTRAINT backup_revision_pkey PRIMARY KEY,
  type char(1) NOT NULL,
  rsc_id integer NOT NULL,
  created timestamptz NOT NULL DEFAULT CURRENT_TIMESTAMP,
  version integer,
  user_id integer,
  user_name varchar(80),
  filename varchar(400),
  note varchar(200),
  data_type varchar(10) NOT NULL,
  data bytea NOT NULL
);

CREATE TABLE backup_edge_log (
  id bigserial CONSTRAINT backup_edge_log_pkey PRIMARY KEY,
  subject_id integer NOT NULL,
  predicate varchar(300),
  object_id integer NOT NULL,
  is_insert boolean NOT NULL DEFAULT true,
  "timestamp" timestamptz NOT NULL DEFAULT CURRENT_TIMESTAMP
);

CREATE TABLE backup_medium_log (
  id bigserial CONSTRAINT backup_medium_log_pkey PRIMARY KEY,
  rsc_id integer NOT NULL,
  props bytea NOT NULL,
  medium_created timestamptz NOT NULL,
  medium_deleted timestamptz
);
`
