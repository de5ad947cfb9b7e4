/** Uniqueness and references between the tables; a deleted resource takes its edges, medium and identities along. */
export const CONSTRAINTS = `
ALTER TABLE rsc
  ADD CONSTRAINT rsc_name_key UNIQUE (name),
  ADD CONSTRAINT rsc_uri_key UNIQUE (uri),
  ADD CONSTRAINT fk_rsc_category_id FOREIGN KEY (category_id) REFERENCES rsc(id) ON UPDATE CASCADE ON DELETE RESTRICT,
  ADD CONSTRAINT fk_rsc_content_group_id FOREIGN KEY (content_group_id) REFERENCES rsc(id) ON UPDATE CASCADE ON DELETE SET NULL,
  ADD CONSTRAINT fk_rsc_creator_id FOREIGN KEY (creator_id) REFERENCES rsc(id) ON UPDATE CASCADE ON DELETE SET NULL,
  ADD CONSTRAINT fk_rsc_modifier_id FOREIGN KEY (modifier_id) REFERENCES rsc(id) ON UPDATE CASCADE ON DELETE SET NULL;
ALTER TABLE edge
  ADD CONSTRAINT edge_spo_key UNIQUE (subject_id, predicate_id, object_id),
  ADD CONSTRAINT edge_ops_key UNIQUE (object_id, predicate_id, subject_id),
  ADD CONSTRAINT fk_edge_subject_id FOREIGN KEY (subject_id) REFERENCES rsc(id) ON UPDATE CASCADE ON DELETE CASCADE,
  ADD CONSTRAINT fk_edge_predicate_id FOREIGN KEY (predicate_id) REFERENCES rsc(id) ON UPDATE CASCADE ON DELETE CASCADE,
  ADD CONSTRAINT fk_edge_object_id FOREIGN KEY (object_id) REFERENCES rsc(id) ON UPDATE CASCADE ON DELETE CASCADE,
  ADD CONSTRAINT fk_edge_creator_id FOREIGN KEY (creator_id) REFERENCES rsc(id) ON UPDATE CASCADE ON DELETE SET NULL;
ALTER TABLE medium
  ADD CONSTRAINT medium_filename_key UNIQUE (filename),
  ADD CONSTRAINT fk_medium_rsc_id FOREIGN KEY (id) REFERENCES rsc(id) ON UPDATE CASCADE ON DELETE CASCADE;
ALTER TABLE medium_log
  ADD CONSTRAINT medium_log_filename_key UNIQUE (filename);
ALTER TABLE identity
  ADD CONSTRAINT identity_rsc_id_type_key_unique UNIQUE (rsc_id, type, key),
  ADD CONSTRAINT identity_verify_key_unique UNIQUE (verify_key),
  ADD CONSTRAINT pk_auth_rsc_id FOREIGN KEY (rsc_id) REFERENCES rsc(id) ON UPDATE CASCADE ON DELETE CASCADE;
ALTER TABLE identity_log
  ADD CONSTRAINT fk_id_log_identity_id FOREIGN KEY (identity_id) REFERENCES identity(id) ON UPDATE CASCADE ON DELETE CASCADE,
  ADD CONSTRAINT fk_id_log_rsc_id FOREIGN KEY (rsc_id) REFERENCES rsc(id) ON UPDATE CASCADE ON DELETE CASCADE;
ALTER TABLE hierarchy
  ADD CONSTRAINT fk_hierarchy_id FOREIGN KEY (id) REFERENCES rsc(id)
    ON UPDATE CASCADE ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE predicate_category
  ADD CONSTRAINT predicate_category_key UNIQUE (predicate_id, is_subject, category_id),
  ADD CONSTRAINT fk_predicate_category_predicate_id FOREIGN KEY (predicate_id) REFERENCES rsc(id)
    ON UPDATE CASCADE ON DELETE CASCADE,
  ADD CONSTRAINT fk_predicate_category_category_id FOREIGN KEY (category_id) REFERENCES rsc(id)
    ON UPDATE CASCADE ON DELETE CASCADE;
ALTER TABLE protect
  ADD CONSTRAINT fk_protect_id FOREIGN KEY (id) REFERENCES rsc(id) ON UPDATE CASCADE ON DELETE RESTRICT;
ALTER TABLE rsc_page_path_log
  ADD CONSTRAINT fk_rsc_page_path_log_id FOREIGN KEY (id) REFERENCES rsc(id) ON UPDATE CASCADE ON DELETE CASCADE;
ALTER TABLE rsc_pivot_log
  ADD CONSTRAINT fk_rsc_pivot_log_rsc_id FOREIGN KEY (rsc_id) REFERENCES rsc(id) ON UPDATE CASCADE ON DELETE CASCADE;
ALTER TABLE config
  ADD CONSTRAINT config_module_key_key UNIQUE (module, key);
ALTER TABLE module
  ADD CONSTRAINT module_name_key UNIQUE (name);
ALTER TABLE log
  ADD CONSTRAINT fk_log_rsc_id FOREIGN KEY (rsc_id) REFERENCES rsc(id) ON UPDATE CASCADE ON DELETE SET NULL,
  ADD CONSTRAINT fk_log_user_id FOREIGN KEY (user_id) REFERENCES rsc(id) ON UPDATE CASCADE ON DELETE SET NULL;
ALTER TABLE pivot_task_queue
  ADD CONSTRAINT pivot_task_queue_module_function_key_key UNIQUE (module, function, key);
ALTER TABLE backup_medium_log
  ADD CONSTRAINT backup_medium_log_rsc_id_medium_created_key UNIQUE (rsc_id, medium_created);
`

/** Indexes besides those of the constraints. */
export const INDEXES = `
CREATE INDEX fki_rsc_category_id ON rsc (category_id);
CREATE INDEX fki_rsc_content_group_id ON rsc (content_group_id);
CREATE INDEX fki_rsc_creator_id ON rsc (creator_id);
CREATE INDEX fki_rsc_modifier_id ON rsc (modifier_id);
CREATE INDEX rsc_created_category_nr_key ON rsc (created, pivot_category_nr);
CREATE INDEX rsc_modified_category_nr_key ON rsc (modified, pivot_category_nr);
CREATE INDEX rsc_publication_start_category_nr_key ON rsc (publication_start, pivot_category_nr);
CREATE INDEX rsc_publication_end_category_nr_key ON rsc (publication_end, pivot_category_nr);
CREATE INDEX rsc_language_key ON rsc USING gin (language);
CREATE INDEX rsc_pivot_category_nr ON rsc (pivot_category_nr);
CREATE INDEX rsc_pivot_date_start_category_nr_key ON rsc (pivot_date_start, pivot_category_nr);
CREATE INDEX rsc_pivot_date_end_category_nr_key ON rsc (pivot_date_end, pivot_category_nr);
CREATE INDEX rsc_pivot_surname_key ON rsc (pivot_surname);
CREATE INDEX rsc_pivot_location_key ON rsc (pivot_location_lat, pivot_location_lng);
CREATE INDEX rsc_pivot_page_path_key ON rsc USING gin (pivot_page_path);
CREATE INDEX rsc_pivot_title_key ON rsc (pivot_title);
CREATE INDEX rsc_pivot_tsv_key ON rsc USING gin (pivot_tsv);
CREATE INDEX rsc_pivot_rtsv_key ON rsc USING gin (pivot_rtsv);
CREATE INDEX rsc_gone_modified_key ON rsc_gone (modified);
CREATE INDEX rsc_gone_name_key ON rsc_gone (name);
CREATE INDEX rsc_gone_uri_key ON rsc_gone (uri);
CREATE INDEX rsc_gone_page_paths_key ON rsc_gone USING gin (page_paths);
CREATE INDEX fki_rsc_page_path_log_id ON rsc_page_path_log (id);
CREATE INDEX fki_rsc_pivot_log_rsc_id ON rsc_pivot_log (rsc_id);
CREATE INDEX rsc_pivot_log_update_priority_due_key ON rsc_pivot_log (priority, is_update, due);
CREATE INDEX fki_edge_subject_id ON edge (subject_id);
CREATE INDEX fki_edge_predicate_id ON edge (predicate_id);
CREATE INDEX fki_edge_object_id ON edge (object_id);
CREATE INDEX fki_edge_creator_id ON edge (creator_id);
CREATE INDEX edge_sp_seq_key ON edge (subject_id, predicate_id, seq);
CREATE INDEX medium_rootname_key ON medium (rootname);
CREATE INDEX medium_deleted_deleted_key ON medium_deleted (deleted);
CREATE INDEX fki_identity_rsc_id ON identity (rsc_id);
CREATE INDEX identity_type_key_key ON identity (type, key COLLATE ucs_basic text_pattern_ops);
CREATE UNIQUE INDEX identity_type_key_unique ON identity (type, key) WHERE is_unique;
CREATE INDEX identity_expires_type_key ON identity (expires, type);
CREATE INDEX identity_created_key ON identity (created);
CREATE INDEX identity_visited_key ON identity (visited);
CREATE INDEX fki_identity_log_identity_id ON identity_log (identity_id);
CREATE INDEX fki_identity_log_rsc_id ON identity_log (rsc_id);
CREATE INDEX fki_hierarchy_id ON hierarchy (id);
CREATE INDEX hierarchy_nr_key ON hierarchy (name, nr);
CREATE INDEX fki_log_rsc_id ON log (rsc_id);
CREATE INDEX fki_log_user_id ON log (user_id);
CREATE INDEX log_created_key ON log (created);
CREATE INDEX backup_revision_id_created ON backup_revision (rsc_id, created);
CREATE INDEX backup_revision_created_deleted_key ON backup_revision (created, type) WHERE type = 'D';
CREATE INDEX backup_edge_log_subject_id_created_key ON backup_edge_log (subject_id, "timestamp");
CREATE INDEX backup_edge_log_object_id_created_key ON backup_edge_log (object_id, "timestamp");
`
