-- One row for each life project, for ListProjects. Enums as their proto numbers, amounts in minor units.
create table life_project (
  owner_id          text        not null,
  ordinal           int         not null,
  case_id           text        not null,
  case_reference    text        not null,
  kind              int         not null,
  state             int         not null,
  version           int         not null,
  title             text        not null,
  currency          text,
  requested_minor   bigint,
  approved_currency text,
  approved_minor    bigint,
  session_id        text,
  programme         text        not null,
  drafted_time      timestamptz not null,
  primary key (owner_id, ordinal)
);
create index life_project_order on life_project (drafted_time, owner_id);
create index life_project_case on life_project (case_id, drafted_time, owner_id);
create index life_project_state on life_project (state, drafted_time, owner_id);
create index life_project_session on life_project (session_id, drafted_time, owner_id) where session_id is not null;
