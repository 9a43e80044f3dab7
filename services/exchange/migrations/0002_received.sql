-- What partners sent: each message that was taken, and each that was refused. Nothing personal is in any column.

-- One row for each message that was taken; only added to.
create table received_update (
  owner_id      text collate "C" not null,  -- "<sender>:<subject>"
  sender        text        not null,
  subject_id    text        not null,  -- the case
  sequence      bigint      not null,
  type          text        not null,
  hash          bytea       not null,  -- of its event
  event_time    timestamptz not null,
  received_time timestamptz not null,
  primary key (owner_id, sequence)
);
create index received_update_by_subject on received_update (subject_id, received_time, owner_id, sequence);
create index received_update_by_sender on received_update (sender, received_time);

-- One row for each refused message, however often it came.
create table refusal (
  owner_id   text        not null,  -- the evidence
  ordinal    integer     not null,
  partner_id text        not null,
  reason     text        not null,
  times      bigint      not null,
  last_time  timestamptz not null,
  primary key (owner_id, ordinal)
);
create index refusal_by_time on refusal (last_time, owner_id);
create index refusal_by_partner on refusal (partner_id, last_time, owner_id);

-- A partner's feed in the order in which it was written, for Replay and Subscribe: read from the journal itself.
create index journal_feed on journal (split_part(id, ':', 1), xid, position) where type = 'Feed';
