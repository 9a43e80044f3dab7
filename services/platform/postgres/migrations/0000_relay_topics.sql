-- A service's rows may go to several topics. What is parked is then parked for one of them: "<topic><tab><partition key>"
-- in relay_parked, or "<topic><tab>" for all of a topic. A plain partition key is one of the service's own topic.

-- How many records of a shard were published to each topic, at least. A topic that has held fewer was lost.
create table relay_topic (
  shard smallint not null,
  topic text collate "C" not null,
  published bigint not null,
  primary key (shard, topic)
);

-- Drops the months of `parent` that ended more than `keep` ago; says how many were dropped. A month of the journal stays
-- as long as the relay has not published all of it.
create or replace function drop_months(parent text, keep interval) returns int language plpgsql as $$
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
          select from %I j join relay_parked p using (shard)
          where j.publish and (j.xid, j.position) >= (p.xid, p.position)
            and (p.partition_key = j.partition_key or strpos(p.partition_key, chr(9)) > 0))',
        part.name, part.name) into needed;
      continue when needed;
    end if;
    execute format('drop table %I', part.name);
    dropped := dropped + 1;
  end loop;
  return dropped;
end $$;
