-- The platform's tables, in the schema of each service. A service's own migrations add its projection tables.
--
-- Keys are compared byte by byte (collation "C"): that is what the locks and the C++ maps do too, and it is quicker.
-- Times that a hash covers are kept in nanoseconds, because timestamptz ends at microseconds.

-- The state of each aggregate: what its events came to. The deadline stands in the row, so that it is replaced with the
-- state and one of another version can't be left over.
create table aggregate (
  type text collate "C" not null,
  id text collate "C" not null,
  version bigint not null check (version > 0),
  partition_key text collate "C" not null,
  state bytea not null,
  last_hash bytea not null,
  updated_time timestamptz not null default now(),
  due_time timestamptz,
  due_command_type text,
  due_command bytea,
  primary key (type, id),
  check ((due_time is null) = (due_command is null) and (due_time is null) = (due_command_type is null))
) with (fillfactor = 85);
create index aggregate_due on aggregate (due_time) where due_time is not null;

-- History, audit trail and outbox in one. The order of publication is (xid, position): the id of the transaction, which
-- is given to it when all its locks are held, and the place inside it.
create sequence journal_position cache 64;
create table journal (
  type text collate "C" not null,
  id text collate "C" not null,
  sequence bigint not null check (sequence > 0),
  partition_key text collate "C" not null,
  shard smallint not null,
  xid xid8 not null default pg_current_xact_id(),
  position bigint not null default nextval('journal_position'),
  event_type text not null,
  payload bytea not null,
  previous_hash bytea not null,
  hash bytea not null,
  event_time_nanos bigint not null,
  recorded_time timestamptz not null default now(),
  actor text not null,
  organisation text not null,
  system text not null,
  request_id text not null,
  traceparent text not null,
  publish boolean not null
) partition by range (recorded_time);
create index journal_shard on journal (shard, xid, position) where publish;
create index journal_partition_key on journal (partition_key, xid, position);
-- A unique index on the whole would have to include recorded_time, so each partition gets one of its own.
create table journal_default partition of journal default;
create unique index on journal_default (type, id, sequence);

create function refuse_change() returns trigger language plpgsql as $$
begin
  raise exception using errcode = 'insufficient_privilege',
    message = format('%s can only be added to', tg_argv[0]);
end $$;
create trigger journal_append_only before update or delete on journal
  for each row execute function refuse_change('journal');
create trigger journal_no_truncate before truncate on journal
  for each statement execute function refuse_change('journal');
create trigger journal_no_truncate before truncate on journal_default
  for each statement execute function refuse_change('journal');

-- What each request id was answered. A request id is locked before it is looked up, so it needs no index over all
-- partitions.
create table answer (
  request_id text collate "C" not null,
  fingerprint bytea not null,
  type text not null,
  bytes bytea not null,
  time timestamptz not null,
  recorded_time timestamptz not null default now()
) partition by range (recorded_time);
create table answer_default partition of answer default;
create unique index on answer_default (request_id);

-- The keys that personal fields are sealed with, wrapped by the node's master key. NULL: destroyed, for good.
create table subject_key (
  subject_id text collate "C" primary key,
  wrapped bytea,
  created_time timestamptz not null default now(),
  destroyed_time timestamptz,
  check ((wrapped is null) = (destroyed_time is not null))
);
create function keep_destroyed() returns trigger language plpgsql as $$
begin
  if tg_op = 'DELETE' or (old.wrapped is null and new.wrapped is not null) or new.subject_id <> old.subject_id then
    raise exception using errcode = 'insufficient_privilege', message = 'a destroyed key stays destroyed';
  end if;
  return new;
end $$;
create trigger subject_key_stays_destroyed before update or delete on subject_key
  for each row execute function keep_destroyed();
create trigger subject_key_no_truncate before truncate on subject_key
  for each statement execute function refuse_change('subject_key');

-- How far each stream of another service has been applied.
create table inbox_mark (
  source text collate "C" not null,
  type text collate "C" not null,
  id text collate "C" not null,
  sequence bigint not null check (sequence > 0),
  primary key (source, type, id)
) with (fillfactor = 85);

-- Events that can't be applied, until an operator replays or discards them.
create table dead_letter (
  letter bigint generated always as identity primary key,
  source text collate "C" not null,
  type text collate "C" not null,
  id text collate "C" not null,
  sequence bigint not null,
  partition_key text collate "C" not null,
  event_type text not null,
  payload bytea not null,
  event_time_nanos bigint not null,
  traceparent text not null,
  reason text not null,
  detail text not null,
  state text not null default 'waiting' check (state in ('waiting', 'replayed', 'discarded')),
  recorded_time timestamptz not null default now(),
  closed_time timestamptz,
  check ((state = 'waiting') = (closed_time is null))
);
create index dead_letter_waiting on dead_letter (letter) where state = 'waiting';

-- How far each shard of the journal has been published.
create table relay_cursor (
  shard smallint primary key,
  xid xid8 not null,
  position bigint not null,
  updated_time timestamptz not null default now()
);

-- Partition keys whose row at (xid, position) could not be published; it and all later ones of the key wait.
create table relay_parked (
  shard smallint not null,
  partition_key text collate "C" not null,
  xid xid8 not null,
  position bigint not null,
  reason text not null,
  attempts int not null,
  since timestamptz not null,
  primary key (shard, partition_key)
);

-- ---- partitions -----------------------------------------------------------------------------------------------------
-- One a month (UTC), made ahead. A row that finds no month goes to the default partition, from which it is moved when its
-- month is made; nothing is refused because maintenance did not run.

create function month_start(month date) returns timestamptz language sql immutable as
$$ select date_trunc('month', month::timestamp) at time zone 'UTC' $$;

create function create_month(parent text, month date) returns boolean language plpgsql as $$
declare
  part text := format('%s_%s', parent, to_char(month, 'YYYY"m"MM'));
  first_time timestamptz := month_start(month);
  end_time timestamptz := month_start((month + interval '1 month')::date);
  strays boolean;
begin
  if to_regclass(quote_ident(part)) is not null then return false; end if;
  execute format('select exists (select from %I where recorded_time >= %L and recorded_time < %L)',
    parent || '_default', first_time, end_time) into strays;
  -- Off the parent, the default partition is a plain table: it no longer stands in the month's way, and the parent's
  -- trigger is off it.
  if strays then execute format('alter table %I detach partition %I', parent, parent || '_default'); end if;
  execute format('create table %I partition of %I for values from (%L) to (%L)', part, parent, first_time, end_time);
  if strays then
    execute format('insert into %I select * from %I where recorded_time >= %L and recorded_time < %L',
      part, parent || '_default', first_time, end_time);
    execute format('delete from %I where recorded_time >= %L and recorded_time < %L',
      parent || '_default', first_time, end_time);
    execute format('alter table %I attach partition %I default', parent, parent || '_default');
  end if;
  if parent = 'journal' then
    execute format('create unique index on %I (type, id, sequence)', part);
    execute format('create trigger journal_no_truncate before truncate on %I
      for each statement execute function refuse_change(''journal'')', part);
  else
    execute format('create unique index on %I (request_id)', part);
  end if;
  return true;
end $$;

-- Makes the partitions of this month and of `ahead` months after it; says how many were made.
create function create_partitions(ahead int) returns int language plpgsql as $$
declare
  made int := 0;
  parent text;
  n int;
begin
  perform pg_advisory_xact_lock(hashtextextended(current_schema() || '/partitions', 0));
  foreach parent in array array['journal', 'answer'] loop
    for n in 0..ahead loop
      if create_month(parent, (date_trunc('month', now() at time zone 'UTC') + make_interval(months => n))::date) then
        made := made + 1;
      end if;
    end loop;
  end loop;
  return made;
end $$;

-- Drops the months of `parent` that ended more than `keep` ago; says how many were dropped. A month of the journal stays
-- as long as the relay has not published all of it.
create function drop_months(parent text, keep interval) returns int language plpgsql as $$
declare
  dropped int := 0;
  part record;
  needed boolean;
begin
  perform pg_advisory_xact_lock(hashtextextended(current_schema() || '/partitions', 0));
  for part in
    select c.relname as name,
      month_start((to_date(right(c.relname, 7), 'YYYY"m"MM') + interval '1 month')::date) as end_time
    from pg_inherits i join pg_class c on c.oid = i.inhrelid
    where i.inhparent = to_regclass(quote_ident(parent)) and c.relname ~ ('^' || parent || '_\d{4}m\d{2}$')
    order by c.relname
  loop
    continue when part.end_time > now() - keep;
    if parent = 'journal' then
      execute format('select exists (
          select from %I j left join relay_cursor c using (shard)
          where j.publish and (c.shard is null or (j.xid, j.position) > (c.xid, c.position)))
        or exists (
          select from %I j join relay_parked p using (shard, partition_key)
          where j.publish and (j.xid, j.position) >= (p.xid, p.position))', part.name, part.name) into needed;
      continue when needed;
    end if;
    execute format('drop table %I', part.name);
    dropped := dropped + 1;
  end loop;
  return dropped;
end $$;

-- ---- after a restore ------------------------------------------------------------------------------------------------
-- A dump that is restored into another server brings transaction ids with it that the new server has not reached yet.
-- Its new rows would then sort before the old ones, and the old ones would count as unfinished.

create function journal_is_ahead(shards int) returns boolean language sql as $$
  with horizon as (select pg_snapshot_xmax(pg_current_snapshot()) as xid)
  select exists (select from relay_cursor c, horizon h where c.xid >= h.xid)
    or exists (
      select from horizon h, generate_series(0, shards - 1) s (shard)
      cross join lateral (
        select j.xid from journal j where j.shard = s.shard and j.publish order by j.xid desc, j.position desc limit 1
      ) newest
      where newest.xid >= h.xid)
$$;

-- Gives all rows the lowest transaction id, and positions in the order that they had; cursors follow.
create function rebase_journal() returns bigint language plpgsql as $$
declare
  lowest constant xid8 := '3';
  rows_moved bigint;
begin
  lock table journal in access exclusive mode;
  update relay_cursor c set xid = lowest,
    position = (select count(*) from journal j where (j.xid, j.position) <= (c.xid, c.position));
  update relay_parked p set xid = lowest,
    position = (select count(*) from journal j where (j.xid, j.position) <= (p.xid, p.position));
  alter table journal disable trigger journal_append_only;
  update journal j set xid = lowest, position = n.place
    from (select tableoid as part, ctid as row_id, row_number() over (order by xid, position) as place from journal) n
    where j.tableoid = n.part and j.ctid = n.row_id;
  get diagnostics rows_moved = row_count;
  alter table journal enable trigger journal_append_only;
  perform setval('journal_position', greatest(rows_moved, 1));
  return rows_moved;
end $$;
