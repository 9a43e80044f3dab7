-- What lists and indicators are read from. Filled by the deciders' projections in the transaction of their command;
-- no personal data is in any column.

create table visit (
  owner_id        text    not null,  -- the follow-up
  ordinal         integer not null,
  case_id         text    not null,
  programme       text    not null,
  visit_number    integer not null,
  months          integer not null,
  planned_date    date    not null,
  visit_state     integer not null,
  reschedules     integer not null,
  misses          integer not null,
  visit_date      date,
  business_status integer not null,
  jobs            integer not null,
  primary key (owner_id, ordinal)
);
create index visit_by_date on visit (planned_date, owner_id, ordinal);
create index visit_by_case on visit (case_id, planned_date);

create table survey (
  owner_id           text    not null,
  ordinal            integer not null,
  case_id            text    not null,
  follow_up_id       text    not null,
  window_months      integer not null,
  instrument         text    not null,
  instrument_version integer not null,
  taken_date         date    not null,
  economic           integer not null,
  social             integer not null,
  psychosocial       integer not null,
  composite          integer not null,
  primary key (owner_id, ordinal)
);
create index survey_by_case on survey (case_id, window_months);

create table alert (
  owner_id           text        not null,
  ordinal            integer     not null,
  case_id            text        not null,
  kind               integer     not null,
  alert_state        integer     not null,
  owner_organisation text        not null,
  owner_role         integer     not null,
  owner              text        not null,
  deadline_time      timestamptz not null,
  raise_time         timestamptz not null,
  follow_up_id       text        not null,
  visit_number       integer     not null,
  window_months      integer     not null,
  low_scores         text        not null,  -- separated by commas
  primary key (owner_id, ordinal)
);
create index alert_by_deadline on alert (deadline_time, owner_id);
create index alert_by_case on alert (case_id, deadline_time);

create table instrument (
  owner_id           text    not null,
  ordinal            integer not null,
  instrument_version integer not null,
  title_en           text    not null,
  title_fr           text    not null,
  primary key (owner_id, ordinal)
);

-- One row for each figure of a case, with the case's one value of each disaggregation beside it. A row with indicator 0
-- stands for a case that is known, counts for nothing, and has no day of registration before that is known.
create table case_fact (
  owner_id        text    not null,  -- the case
  ordinal         integer not null,
  indicator       integer not null,  -- sankofa.monitoring.v1.IndicatorKind
  months          integer not null,
  currency        text    not null,
  value           bigint  not null,
  registered_date date,
  sex             text    not null,
  age_band        text    not null,
  origin_country  text    not null,
  host_country    text    not null,
  return_type     text    not null,
  programme       text    not null,
  kind            text    not null,
  region          text    not null,
  sector          text    not null,
  vulnerable      text    not null,
  level           text    not null,
  primary key (owner_id, ordinal)
);
create index case_fact_by_date on case_fact (registered_date) where indicator > 0;
create index case_fact_known on case_fact (owner_id) where indicator = 0;
