-- What lists are read from. Filled by the deciders' projections in the transaction of their command; no personal data is
-- in any column.

create table partner (
  owner_id      text    not null,  -- its code
  ordinal       integer not null,
  partner_state integer not null,
  primary key (owner_id, ordinal)
);

create table agreement (
  owner_id          text    not null,  -- "<agreement id>:<version>"
  ordinal           integer not null,
  partner_id        text    not null,
  agreement_id      text    not null,
  agreement_version integer not null,
  agreement_state   integer not null,
  primary key (owner_id, ordinal)
);
create index agreement_by_id on agreement (agreement_id, agreement_version);

create table erasure (
  owner_id      text        not null,
  ordinal       integer     not null,
  case_id       text        not null,
  partner_id    text        not null,
  erasure_state integer     not null,
  asked_time    timestamptz not null,
  primary key (owner_id, ordinal)
);
create index erasure_by_time on erasure (asked_time, owner_id);
create index erasure_by_case on erasure (case_id);
create index erasure_unanswered on erasure (partner_id) where erasure_state <> 2;
