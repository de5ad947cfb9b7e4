/**
 * What the database does by itself: queue a changed resource for indexing and keep its protection, log edges, queue
 * files that no medium uses any more, and close a medium's entry in the log. Source: docs/formats.md, "Database tables".
 */
export const TRIGGERS = `
CREATE FUNCTION rsc_pivot_log_insert() RETURNS trigger LANGUAGE plpgsql AS $$
begin
  if tg_op = 'INSERT' or new.version <> old.version or new.modified <> old.modified then
    insert into rsc_pivot_log (rsc_id, is_update) values (new.id, tg_op = 'UPDATE');
  end if;
  if new.is_protected then
    insert into protect (id) values (new.id) on conflict (id) do nothing;
  else
    delete from protect where id = new.id;
  end if;
  return null;
end;
$$;

CREATE FUNCTION edge_update() RETURNS trigger LANGUAGE plpgsql AS $$
declare
  changed edge;
  predicate_name varchar(80);
begin
  if tg_op = 'DELETE' then
    changed := old;
  else
    changed := new;
  end if;
  select name into predicate_name from rsc where id = changed.predicate_id;
  insert into edge_log (op, edge_id, subject_id, predicate_id, predicate, object_id, seq, created)
  values (tg_op, changed.id, changed.subject_id, changed.predicate_id, predicate_name, changed.object_id, changed.seq,
    case when tg_op = 'DELETE' then changed.created end);
  return null;
end;
$$;

CREATE FUNCTION medium_update() RETURNS trigger LANGUAGE plpgsql AS $$
declare
  owner_id integer;
  old_files varchar(400)[] := '{}';
  new_files varchar(400)[] := '{}';
begin
  if tg_op <> 'INSERT' then
    old_files := array_remove(array[
      case when old.is_deletable_file then nullif(old.filename, '') end,
      case when old.is_deletable_preview then nullif(old.preview_filename, '') end], null);
  end if;
  if tg_op <> 'DELETE' then
    new_files := array_remove(array[
      case when new.is_deletable_file then nullif(new.filename, '') end,
      case when new.is_deletable_preview then nullif(new.preview_filename, '') end], null);
    select creator_id into owner_id from rsc where id = new.id;
  end if;
  insert into medium_log (filename, usr_id)
  select file, owner_id from unnest(new_files) file where file <> all (old_files)
  on conflict (filename) do nothing;
  insert into medium_deleted (filename)
  select file from unnest(old_files) file where file <> all (new_files);
  return null;
end;
$$;

CREATE FUNCTION backup_medium_log_delete() RETURNS trigger LANGUAGE plpgsql AS $$
begin
  update backup_medium_log set medium_deleted = now()
  where rsc_id = old.id and medium_deleted is null;
  return null;
end;
$$;

CREATE TRIGGER rsc_update_log_trigger AFTER INSERT OR UPDATE ON rsc
  FOR EACH ROW EXECUTE FUNCTION rsc_pivot_log_insert();
CREATE TRIGGER edge_update_trigger AFTER INSERT OR UPDATE OR DELETE ON edge
  FOR EACH ROW EXECUTE FUNCTION edge_update();
CREATE TRIGGER medium_update_trigger AFTER INSERT OR UPDATE OR DELETE ON medium
  FOR EACH ROW EXECUTE FUNCTION medium_update();
CREATE TRIGGER backup_medium_log_delete_trigger AFTER DELETE ON medium
  FOR EACH ROW EXECUTE FUNCTION backup_medium_log_delete();
`
