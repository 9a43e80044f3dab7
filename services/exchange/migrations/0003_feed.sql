-- What exchange knows of the cases that may be shared. No personal data.
create table shared_case (
  owner_id  text    not null,  -- the case
  ordinal   integer not null,
  person_id text    not null,
  submitted boolean not null,
  primary key (owner_id, ordinal)
);
create index shared_case_by_person on shared_case (person_id);
