-- Statistics that were published; the figures stand in the aggregate.

create table statistics (
  owner_id     text        not null,  -- the code
  ordinal      integer     not null,
  from_date    date        not null,
  until_date   date        not null,
  minimum_cell integer     not null,
  publish_time timestamptz not null,
  primary key (owner_id, ordinal)
);
