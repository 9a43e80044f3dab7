-- Hand-overs between nodes; and the referrals of one case, which a disclosure shows to the partner that was asked.

create table hand_over_list (
  owner_id text not null,
  ordinal int not null,
  case_id text not null,
  state int not null,
  from_node text not null,
  to_node text not null,
  offered_us bigint not null,
  due_us bigint not null,
  primary key (owner_id, ordinal)
);
create index hand_over_list_newest on hand_over_list (offered_us desc, owner_id desc);
create index hand_over_list_case on hand_over_list (case_id);

create index referral_list_case on referral_list (case_id);
