-- What registration's queries read. Every row is written in the transaction of the command that changed it, and replaced
-- by the next. No column holds anything that names a person: names and documents stand here as keyed hashes.

-- kind 'name', 'document', 'identity': a keyed hash that finds the person. kind 'suspicion': the other person of a
-- suspicion that nobody has settled.
create table person_key (
  owner_id text not null,
  ordinal int not null,
  kind text not null,
  value text not null,
  primary key (owner_id, ordinal)
);
create index person_key_value on person_key (value, kind, owner_id);

create table case_list (
  owner_id text not null,
  ordinal int not null,
  reference text collate "C" not null,
  state int not null,
  person_id text not null,
  programme text not null,
  origin_country text not null,
  host_country text not null,
  return_type int not null,
  responsible_organisation text not null,
  arrival_date text not null,
  registered_us bigint not null,
  primary key (owner_id, ordinal)
);
create unique index case_list_reference on case_list (reference);
create index case_list_newest on case_list (registered_us desc, owner_id desc);
create index case_list_state on case_list (state, registered_us desc, owner_id desc);
create index case_list_programme on case_list (programme, registered_us desc, owner_id desc);
-- One open case a person (7 = CLOSED): the decider promises it, and a mistake of ours is stopped here too.
create unique index case_list_open on case_list (person_id) where state <> 7;

create table referral_list (
  owner_id text not null,
  ordinal int not null,
  case_id text not null,
  state int not null,
  from_organisation text not null,
  to_organisation text not null,
  sent_us bigint not null,
  due_us bigint not null,
  primary key (owner_id, ordinal)
);
create index referral_list_sent on referral_list (from_organisation, sent_us desc, owner_id desc);
create index referral_list_received on referral_list (to_organisation, sent_us desc, owner_id desc);

create table centre_list (
  owner_id text not null,
  ordinal int not null,
  name text not null,
  country text not null,
  places int not null,
  occupied int not null check (occupied between 0 and places),
  primary key (owner_id, ordinal)
);
