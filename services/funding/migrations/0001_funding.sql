-- What funding's queries read. Every row is written in the transaction of the command that changed it.

create table agreement (
  owner_id text not null,
  ordinal int not null,
  funder text not null,
  host_countries text not null,
  origin_countries text not null,
  currency text not null,
  committed bigint not null,
  allocated bigint not null check (allocated between 0 and committed),
  valid_from date not null,
  valid_until date not null,
  primary key (owner_id, ordinal)
);

create table programme (
  owner_id text not null,
  ordinal int not null,
  title text not null,
  scheme text not null,
  funder text not null,
  primary key (owner_id, ordinal)
);

-- The checks say again what the decider promises: a mistake of ours is stopped here too.
create table budget_line (
  owner_id text not null,
  ordinal int not null,
  agreement text not null,
  title text not null,
  currency text not null,
  allotted bigint not null,
  available bigint not null check (available >= 0),
  reserved bigint not null check (reserved >= 0),
  spent bigint not null check (spent >= 0),
  programmes text not null,
  valid_from date not null,
  valid_until date not null,
  primary key (owner_id, ordinal),
  check (available + reserved + spent = allotted)
);

create table grant_list (
  owner_id text not null,
  ordinal int not null,
  case_id text not null,
  project_id text not null,
  programme text not null,
  level int not null,
  budget_line text not null,
  kind int not null,
  sector text not null,
  state int not null,
  -- The states of the instalments, as numbers between spaces: ' 8 2 '.
  instalment_states text not null,
  currency text not null,
  amount bigint not null check (amount > 0),
  paid bigint not null check (paid between 0 and amount),
  refund_due bigint not null check (refund_due between 0 and paid),
  refunded bigint not null check (refunded between 0 and refund_due),
  payment_currency text not null,
  reserved_time timestamptz not null,
  signed_time timestamptz,
  ended_time timestamptz,
  primary key (owner_id, ordinal)
);
create index grant_list_newest on grant_list (reserved_time desc, owner_id desc);
create index grant_list_case on grant_list (case_id);
create index grant_list_project on grant_list (project_id);

-- The ledger. Rows are added and never changed; the trigger's function is the platform's, which guards the journal too.
create table posting (
  position bigint generated always as identity primary key,
  owner_id text not null,
  batch_id text not null,
  kind text not null,
  posted_time timestamptz not null,
  account text not null,
  holder text not null,
  currency text not null,
  amount bigint not null check (amount <> 0),
  grant_id text
);
create index posting_holder on posting (holder, position);
create index posting_batch on posting (batch_id);

create trigger posting_append_only before update or delete or truncate on posting
  for each statement execute function refuse_change('posting');
