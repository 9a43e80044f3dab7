#include "tests/simulation/world/service.h"

#include <libpq-fe.h>

#include <functional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "sankofa/common/v1/access_log.pb.h"
#include "sankofa/exchange/v1/exchange_reason.pb.h"
#include "sankofa/exchange/v1/shared_case.pb.h"
#include "sankofa/registration/v1/person.pb.h"
#include "services/exchange/digest/compare.h"
#include "services/exchange/feed/route.h"
#include "services/exchange/feed/sending.h"
#include "services/exchange/partners_part.h"
#include "services/exchange/queries.h"
#include "services/exchange/service.h"
#include "services/funding/service.h"
#include "services/monitoring/service.h"
#include "services/platform/engine/access_log.h"
#include "services/platform/engine/batch.h"
#include "services/platform/kafka/event.h"
#include "services/platform/service/gathered_calls.h"
#include "services/registration/queries.h"
#include "services/registration/service.h"
#include "services/validation/queries.h"
#include "services/validation/service.h"

namespace sankofa::simulation {
namespace {

namespace ex = exchange::v1;
using google::protobuf::Message;

constexpr char kExchange[] = "exchange";
constexpr int kDeadlinesAtOnce = 20;

// One key for all nodes: whose it is makes no difference to what is tested here.
const crypto::Vault& Vault() {
  static const std::unique_ptr<crypto::Vault> vault =
      *crypto::Vault::FromBytes(std::string(32, 'k'));
  return *vault;
}

// What a service binds is the same in every world.
struct Bound {
  engine::Registry registry;
  engine::Reactions reactions;
};

const Bound& BoundOf(const service::Definition& definition) {
  static std::map<std::string, std::unique_ptr<Bound>> all;
  auto& bound = all[definition.name];
  if (!bound) {
    bound = std::make_unique<Bound>();
    engine::RegisterAccessLog(bound->registry);
    definition.commands(bound->registry, [](std::string_view label, std::string_view text) {
      return Vault().Blind(label, text);
    });
    const auto checked = bound->registry.Check();
    status::Check(checked.ok(), checked.ToString());
    if (definition.reactions) definition.reactions(bound->reactions);
  }
  return *bound;
}

engine::IncomingEvent EventOf(const std::string& source, const engine::JournalRow& row) {
  return {.meta = {.source = source,
                   .stream = row.stream,
                   .sequence = row.sequence,
                   .partition_key = row.partition_key,
                   .time = row.event_time,
                   .traceparent = row.traceparent},
          .event_type = row.event_type,
          .payload = row.payload};
}

// Rows as a statement would give them, in text form.
postgres::Result RowsOf(int columns, const std::vector<std::vector<std::string>>& rows) {
  PGresult* result = PQmakeEmptyPGresult(nullptr, PGRES_TUPLES_OK);
  std::string name = "column";
  std::vector<PGresAttDesc> descriptions(
      static_cast<std::size_t>(columns),
      PGresAttDesc{name.data(), 0, 0, /*format=*/0, 0, /*typlen=*/-1, -1});
  PQsetResultAttrs(result, columns, descriptions.data());
  for (std::size_t row = 0; row < rows.size(); ++row) {
    for (std::size_t column = 0; column < rows[row].size(); ++column) {
      std::string value = rows[row][column];
      PQsetvalue(result, static_cast<int>(row), static_cast<int>(column), value.data(),
                 static_cast<int>(value.size()));
    }
  }
  return postgres::Result(result);
}

std::string Bytea(const std::string& bytes) {
  return absl::StrCat("\\x", absl::BytesToHexString(bytes));
}

// "sankofa.registration.v1.RegistrationService/GetDisclosure" → "registration".
std::string ServiceOf(const std::string& method) {
  return std::vector<std::string>(absl::StrSplit(method, '.')).at(1);
}

}  // namespace

// ---- What the product asks of its surroundings ----------------------------------------------------------------------

class Service::Facts final : public engine::FactCall {
 public:
  Facts(Service& service, const engine::CommandCall& call) : service_(service), call_(call) {}
  const engine::Actor& actor() const override { return call_.actor; }
  absl::Time now() const override { return call_.now; }
  absl::Time deadline() const override { return call_.deadline; }
  absl::Status Call(const std::string& method, const Message& request, Message& response) override {
    return service_.Call(service_.node_, method, request, response);
  }

 protected:
  absl::StatusOr<std::shared_ptr<Message>> LoadState(const engine::StreamKey& key) override {
    auto session = service_.database_.store().Open(call_.deadline);
    if (!session.ok()) return session.status();
    return service_.engine_.Read(**session, key, /*personal=*/false);
  }

 private:
  Service& service_;
  const engine::CommandCall& call_;
};

class Service::Query final : public rpc::QueryCall {
 public:
  Query(Service& service, engine::Actor actor)
      : service_(service), actor_(std::move(actor)), now_(service.node_.world().clock().Now()) {}
  const engine::Actor& actor() const override { return actor_; }
  absl::Time now() const override { return now_; }
  absl::Time deadline() const override { return absl::InfiniteFuture(); }
  void RecordRead(const std::string& partition_key) override { read_.insert(partition_key); }
  absl::StatusOr<postgres::Result> Sql(const std::string& sql,
                                       const std::vector<postgres::Param>& params) override {
    return service_.process_.Reach(
        [&]() -> absl::StatusOr<postgres::Result> { return service_.Sql(sql, params); });
  }
  std::string Blind(std::string_view label, std::string_view text) const override {
    return Vault().Blind(label, text);
  }
  absl::Status Call(const std::string& method, const Message& request, Message& response) override {
    return service_.Call(service_.node_, method, request, response);
  }
  // On the trail before the answer leaves.
  absl::Status Record() {
    if (read_.empty()) return absl::OkStatus();
    auto request = std::make_shared<common::v1::RecordReadRequest>();
    for (const std::string& key : read_) request->add_partition_keys(key);
    request->set_method("simulated");
    request->set_personal(personal_);
    request->set_purpose(purpose_);
    engine::CommandCall call;
    call.request = std::move(request);
    call.actor = actor_;
    call.now = now_;
    return service_.Submit({std::move(call)}).front().status();
  }

 protected:
  absl::StatusOr<std::shared_ptr<Message>> LoadState(const engine::StreamKey& key,
                                                     const std::string* purpose) override {
    auto session = service_.database_.store().Open(deadline());
    if (!session.ok()) return session.status();
    auto state = service_.engine_.Read(**session, key, purpose != nullptr);
    if (!state.ok()) return state;
    read_.insert(engine::PartitionKeyOf(**state, key));
    if (purpose != nullptr) {
      personal_ = true;
      purpose_ = *purpose;
    }
    return state;
  }

 private:
  Service& service_;
  const engine::Actor actor_;
  const absl::Time now_;
  std::set<std::string> read_;
  bool personal_ = false;
  std::string purpose_;
};

// Other services' journals, by their Replay.
class Service::OwnReplay final : public kafka::ReplaySource {
 public:
  explicit OwnReplay(Service& service) : service_(service) {}
  absl::StatusOr<std::vector<engine::IncomingEvent>> Fetch(const std::string& source,
                                                           const engine::StreamKey& stream,
                                                           std::int64_t from_sequence,
                                                           int limit) override {
    using Events = std::vector<engine::IncomingEvent>;
    return service_.process_.Reach([&]() -> absl::StatusOr<Events> {
      Service& other = service_.node_.service(source);
      if (!other.up()) return status::Unavailable("the source is away");
      const auto session = other.database_.store().Open(absl::InfiniteFuture());
      if (!session.ok()) return session.status();
      const auto rows = (*session)->ReadStream(stream, from_sequence, limit);
      if (!rows.ok()) return rows.status();
      Events events;
      for (const engine::JournalRow& row : *rows) {
        if (row.publish) events.push_back(EventOf(source, row));
      }
      return events;
    });
  }

 private:
  Service& service_;
};

class Service::Directory final : public exchange::Directory {
 public:
  explicit Directory(Service& service) : service_(service) {}
  absl::StatusOr<std::shared_ptr<const exchange::Snapshot>> Current() override {
    using Shared = std::shared_ptr<const exchange::Snapshot>;
    return service_.process_.Reach([&]() -> absl::StatusOr<Shared> {
      const auto& streams = service_.database_.kept().streams();
      std::int64_t versions = 0;
      for (const char* type : {"Partner", "SharingAgreement"}) {
        for (auto at = streams.lower_bound({type, ""});
             at != streams.end() && at->first.type == type; ++at) {
          versions += at->second.version;
        }
      }
      if (snapshot_ && versions == versions_) return snapshot_;
      auto fresh = std::make_shared<exchange::Snapshot>();
      fresh->node = service_.node_.id();
      for (const char* type : {"Partner", "SharingAgreement"}) {
        for (auto at = streams.lower_bound({type, ""});
             at != streams.end() && at->first.type == type; ++at) {
          if (auto added = fresh->Add(type, at->second.state); !added.ok()) return added;
        }
      }
      versions_ = versions;
      snapshot_ = std::move(fresh);
      return snapshot_;
    });
  }

 private:
  Service& service_;
  std::int64_t versions_ = -1;
  std::shared_ptr<const exchange::Snapshot> snapshot_;
};

class Service::Sources final : public exchange::FeedSources {
 public:
  explicit Sources(Service& service) : service_(service) {}

  absl::StatusOr<std::optional<registration::v1::Disclosure>> Disclose(const std::string& case_id,
                                                                       const std::string& partner,
                                                                       exchange::Purpose purpose,
                                                                       absl::Time /*at*/) override {
    registration::v1::GetDisclosureRequest request;
    request.set_case_id(case_id);
    request.set_partner(partner);
    request.set_purpose(purpose);
    const std::string question = request.SerializeAsString();
    const bool too_early = service_.planted_ == Planted::kConsentTooEarly;
    const auto first = service_.first_answers_.find(question);
    if (too_early && first != service_.first_answers_.end()) return first->second;
    registration::v1::Disclosure disclosure;
    const absl::Status called =
        service_.Call(service_.node_, "sankofa.registration.v1.RegistrationService/GetDisclosure",
                      request, disclosure);
    if (called.ok()) {
      if (too_early) service_.first_answers_[question] = disclosure;
      return std::optional(std::move(disclosure));
    }
    if (exchange::SaysNo(called)) return std::optional<registration::v1::Disclosure>();
    return status::Unavailable(std::string(called.message()));
  }
  absl::StatusOr<std::vector<engine::IncomingEvent>> Replay(const std::string& source,
                                                            const std::string& case_id) override {
    using Events = std::vector<engine::IncomingEvent>;
    return service_.process_.Reach([&]() -> absl::StatusOr<Events> {
      const Service& other = service_.node_.service(source);
      if (!other.up()) return status::Unavailable("the source is away");
      Events events;
      for (const engine::JournalRow& row : other.database().Replay(case_id)) {
        events.push_back(EventOf(source, row));
      }
      return events;
    });
  }
  absl::StatusOr<std::vector<std::string>> SubmittedCases(const std::string& person_id) override {
    std::vector<std::string> cases;
    for (const auto& of : service_.AllKept<ex::SharedCase>()) {
      if (of.submitted() && of.person_id() == person_id) cases.push_back(of.id());
    }
    return cases;
  }
  absl::StatusOr<std::vector<std::string>> SubmittedAfter(const std::string& after,
                                                          int limit) override {
    std::vector<std::string> cases;
    for (const auto& of : service_.AllKept<ex::SharedCase>()) {
      const bool room = cases.size() < static_cast<std::size_t>(limit);
      if (of.submitted() && of.id() > after && room) cases.push_back(of.id());
    }
    return cases;
  }
  std::string Blind(std::string_view label, std::string_view text) override {
    return Vault().Blind(label, text);
  }

 private:
  Service& service_;
};

// ---- The process ----------------------------------------------------------------------------------------------------

// A partner's feed being read.
struct Service::Reading {
  std::unique_ptr<exchange::PartnerFeed> feed;
  std::unique_ptr<kafka::ReactionRunner> runner;
};

// What is in the process's memory, in the order in which it is built.
struct Service::Running {
  std::unique_ptr<kafka::RelaySource> relay_source;
  std::unique_ptr<kafka::Relay> relay;
  std::unique_ptr<Sources> sources;
  std::unique_ptr<service::GatheredCalls> calls;
  std::unique_ptr<kafka::EngineSink> sink;
  std::unique_ptr<OwnReplay> replay;
  std::unique_ptr<kafka::ReactionRunner> runner;
  std::map<std::string, std::unique_ptr<Reading>> readings;  // by partner
};

Service::Service(Node& node, const service::Definition& definition, Planted planted)
    : node_(node),
      definition_(definition),
      planted_(planted),
      process_(node.world().random()),
      database_(process_, planted),
      registry_(BoundOf(definition).registry),
      reactions_(BoundOf(definition).reactions),
      engine_({.node = node.id(),
               .country = node.country(),
               .service = definition.name,
               .signer = node.signer()},
              registry_, Vault()),
      outgoing_(*node.signer(), node.id()),
      directory_(std::make_unique<Directory>(*this)) {
  if (name() == "registration") registration::BindQueries(queries_);
  if (name() == "validation") validation::BindQueries(queries_);
  if (name() == kExchange) {
    exchange::BindFeedAnswers(
        queries_, {.directory = [this]() -> exchange::Directory& { return *directory_; },
                   .outgoing = [this]() -> const exchange::OutgoingFeed& { return outgoing_; }});
  }
}

Service::~Service() = default;

void Service::Start() {
  process_.Live();
  directory_ = std::make_unique<Directory>(*this);
  running_ = std::make_unique<Running>();
  running_->relay_source = database_.MakeRelaySource();
  running_->relay = MakeRelay();
  std::unique_ptr<engine::CallSource> calls;
  if (name() == kExchange) {
    running_->sources = std::make_unique<Sources>(*this);
    calls = std::make_unique<exchange::FeedBuilder>(
        exchange::FeedBuilder::Options{.node = node_.id()}, *directory_, database_.store(),
        *running_->sources, node_.world().clock());
  } else {
    calls = std::make_unique<engine::ReactionCalls>(reactions_);
  }
  running_->calls = std::make_unique<service::GatheredCalls>(
      registry_, *definition_.rpc, std::move(calls),
      [this](const engine::CommandCall& call) { return std::make_unique<Facts>(*this, call); });
  running_->sink =
      std::make_unique<kafka::EngineSink>(engine_, database_.store(), *running_->calls);
  running_->replay = std::make_unique<OwnReplay>(*this);
  running_->runner = MakeRunner();
  LookAround();
}

void Service::Stop() { running_.reset(); }

std::unique_ptr<kafka::Relay> Service::MakeRelay() {
  kafka::RelayOptions options;
  options.node = node_.id();
  options.service = name();
  if (definition_.routes) {
    options.to_record = [this](const engine::JournalRow& row) {
      auto routed = definition_.routes->record(row);
      return routed ? *std::move(routed) : kafka::ToRecord(row, node_.id(), name());
    };
    options.topics = [this] {
      std::vector<std::string> topics;
      for (const auto& partner : AllKept<ex::Partner>()) {
        if (partner.state() == ex::PARTNER_STATE_ACTIVE) {
          topics.push_back(exchange::FeedTopicOf(partner.id()));
        }
      }
      return topics;
    };
  }
  options.look_after = [this](const std::vector<std::string>& topics) {
    return node_.broker().LookAfter(process_, topics);
  };
  return std::make_unique<kafka::Relay>(
      std::move(options), *running_->relay_source,
      [this](kafka::ProducerOptions producer) -> absl::StatusOr<std::unique_ptr<kafka::Producer>> {
        return node_.broker().MakeProducer(process_, std::move(producer));
      },
      node_.world().clock());
}

std::unique_ptr<kafka::ReactionRunner> Service::MakeRunner() {
  kafka::ReactionOptions options;
  options.node = node_.id();
  options.service = name();
  options.sources = {reactions_.sources().begin(), reactions_.sources().end()};
  options.ensure_topics = [this, sources = options.sources] {
    std::vector<std::string> topics;
    for (const std::string& source : sources) topics.push_back(kafka::TopicOf(source));
    return node_.broker().LookAfter(process_, topics).status();
  };
  return std::make_unique<kafka::ReactionRunner>(
      std::move(options), *running_->sink, *running_->replay,
      [this](kafka::ConsumerOptions consumer) -> absl::StatusOr<std::unique_ptr<kafka::Consumer>> {
        return node_.broker().MakeConsumer(process_, std::move(consumer), {});
      },
      node_.world().clock());
}

std::unique_ptr<Service::Reading> Service::MakeReading(const ex::Partner& partner) {
  World& world = node_.world();
  Node& sender = world.node(partner.id());
  auto reading = std::make_unique<Reading>();
  reading->feed = std::make_unique<exchange::PartnerFeed>(
      exchange::PartnerFeed::Options{.partner = partner.id(), .node = node_.id()}, engine_,
      database_.store(), *directory_, &node_.sealing_key(),
      [this, &sender](const ex::ReplayRequest& request, std::optional<absl::Time> /*scenario*/)
          -> absl::StatusOr<ex::ReplayResponse> {
        ex::ReplayResponse response;
        const absl::Status called =
            Call(sender, "sankofa.exchange.v1.ExchangeService/Replay", request, response);
        if (!called.ok()) return called;
        return response;
      },
      world.clock());
  kafka::ReactionOptions options;
  options.node = node_.id();
  options.service = kExchange;
  options.topics = {partner.topic()};
  options.group = absl::StrCat("partner-", node_.id());
  options.from = absl::StrCat("partner ", partner.id());
  options.parse = [feed = reading->feed.get()](const kafka::Message& message) {
    return feed->Parse(message);
  };
  reading->runner = std::make_unique<kafka::ReactionRunner>(
      std::move(options), *reading->feed, *reading->feed,
      [this, &sender, &world](
          kafka::ConsumerOptions consumer) -> absl::StatusOr<std::unique_ptr<kafka::Consumer>> {
        return sender.broker().MakeConsumer(
            process_, std::move(consumer),
            [&world, here = node_.id(), there = sender.id()] { return !world.IsCut(here, there); });
      },
      world.clock());
  return reading;
}

void Service::LookAround() {
  if (name() != kExchange) return;
  for (const auto& partner : AllKept<ex::Partner>()) {
    const bool read = partner.state() == ex::PARTNER_STATE_ACTIVE;
    if (!read) {
      running_->readings.erase(partner.id());
    } else if (!running_->readings.contains(partner.id())) {
      running_->readings[partner.id()] = MakeReading(partner);
    }
  }
}

int Service::parts() const {
  return 3 + (running_ ? static_cast<int>(running_->readings.size()) : 0);
}

bool Service::Step(int part) {
  switch (part) {
    case 0: return running_->relay->Step(absl::ZeroDuration());
    case 1: return running_->runner->Step(absl::ZeroDuration());
    case 2: return GiveDeadlines();
    default: {
      auto reading = running_->readings.begin();
      std::advance(reading, part - 3);
      return reading->second->runner->Step(absl::ZeroDuration());
    }
  }
}

bool Service::GiveDeadlines() {
  const absl::Time now = node_.world().clock().Now();
  const auto session = database_.store().Open(absl::InfiniteFuture());
  if (!session.ok()) return false;
  const auto due = (*session)->Due(now, kDeadlinesAtOnce);
  if (!due.ok()) return false;
  for (const engine::DueCommand& command : *due) {
    static_cast<void>(Submit({engine::CallForDue(registry_, command, now)}));
  }
  return !due->empty();
}

std::vector<engine::Outcome> Service::Submit(std::vector<engine::CommandCall> calls) {
  std::vector<engine::Outcome> outcomes(calls.size(), status::Unavailable("not given"));
  std::vector<engine::CommandCall> ready;
  std::vector<std::size_t> places;
  for (std::size_t i = 0; i < calls.size(); ++i) {
    const engine::CommandSpec* spec =
        registry_.FindCommand(calls[i].request->GetDescriptor()->full_name());
    status::Check(spec != nullptr, "a command that is bound to nothing");
    if (spec->facts && calls[i].facts == nullptr) {
      Facts facts(*this, calls[i]);
      auto fetched = spec->facts(facts, *calls[i].request);
      if (!fetched.ok()) {
        outcomes[i] = fetched.status();
        continue;
      }
      calls[i].facts = *std::move(fetched);
    }
    ready.push_back(std::move(calls[i]));
    places.push_back(i);
  }
  if (ready.empty()) return outcomes;
  const auto session = database_.store().Open(absl::InfiniteFuture());
  if (!session.ok()) return outcomes;
  auto answers = engine_.Execute(**session, ready);
  for (std::size_t i = 0; i < answers.size(); ++i) outcomes[places[i]] = std::move(answers[i]);
  return outcomes;
}

absl::StatusOr<std::shared_ptr<Message>> Service::Answer(const engine::Actor& actor,
                                                         const Message& request) {
  const auto& handler = queries_.handlers().at(request.GetDescriptor()->full_name());
  Query call(*this, actor);
  auto response = handler.unary(call, request);
  if (!response.ok()) return response.status();
  if (auto recorded = call.Record(); !recorded.ok()) return recorded;
  return response;
}

absl::Status Service::Call(Node& to, const std::string& method, const Message& request,
                           Message& response) {
  return process_.Reach([&]() -> absl::Status {
    if (node_.world().IsCut(node_.id(), to.id())) return status::Unavailable("the road is cut");
    Service& callee = to.service(ServiceOf(method));
    if (!callee.up()) return status::Unavailable("nobody answers");
    engine::Actor actor;
    actor.system = &to == &node_ ? name() : absl::StrCat("partner-", node_.id());
    auto answer = callee.Answer(actor, request);
    if (callee.process_.dead()) return status::Unavailable("the callee died");
    if (!answer.ok()) return answer.status();
    response.CopyFrom(**answer);
    return absl::OkStatus();
  });
}

// ---- Statements and digests -----------------------------------------------------------------------------------------

// The few statements of the queries that are asked here. Another one, or one that was changed, ends the test.
postgres::Result Service::Sql(const std::string& statement,
                              const std::vector<postgres::Param>& params) const {
  const auto& kept = database_.kept();
  std::vector<std::vector<std::string>> rows;
  if (absl::StrContains(statement, "where kind = 'suspicion' and (owner_id = $1 or value = $1)")) {
    bool found = false;
    const engine::AggregateSpec* spec = registry_.FindAggregate("Person");
    for (const auto& person : AllKept<registration::v1::Person>()) {
      for (const engine::Row& row : spec->project(person)) {
        found |= row.values.at(0) == "suspicion" &&
                 (person.id() == params.at(0) || row.values.at(1) == params.at(0));
      }
    }
    return RowsOf(1, {{found ? "1" : "0"}});
  }
  if (absl::StrContains(statement, "where type = 'Feed' and id = $1::text and sequence >= $2")) {
    const std::int64_t from = std::stoll(params.at(1).value());
    const std::size_t limit = std::stoul(params.at(2).value());
    for (const engine::JournalRow& row : kept.journal()) {
      if (row.stream.type != "Feed" || row.stream.id != params.at(0) || row.sequence < from) {
        continue;
      }
      if (rows.size() < limit) rows.push_back({Bytea(row.payload), "1", "1"});
    }
    return RowsOf(3, rows);
  }
  if (absl::StrContains(statement, "select state from aggregate where type = 'Feed' and id = $1")) {
    const auto found = kept.streams().find({"Feed", params.at(0).value()});
    if (found != kept.streams().end()) rows.push_back({Bytea(found->second.state)});
    return RowsOf(1, rows);
  }
  if (absl::StrContains(statement, "select state from aggregate where type = $1::text and id >")) {
    const std::string prefix = absl::StrCat(params.at(1).value(), ":");
    for (const auto& [key, stream] : kept.streams()) {
      if (key.type == params.at(0) && absl::StartsWith(key.id, prefix)) {
        rows.push_back({Bytea(stream.state)});
      }
    }
    return RowsOf(1, rows);
  }
  status::Fail("a statement that the simulation does not know: " + statement);
}

exchange::FeedReader Service::Reader() {
  return {.sql = [this](const std::string& sql, const std::vector<postgres::Param>& params)
              -> absl::StatusOr<postgres::Result> { return Sql(sql, params); },
          .call = [this](const std::string& method, const Message& request, Message& response,
                         absl::Time /*now*/) { return Call(node_, method, request, response); }};
}

absl::StatusOr<bool> Service::CompareDigests(const std::string& partner) {
  Node& other = node_.world().node(partner);
  const exchange::AskDigest ask =
      [&](const ex::GetDigestRequest& request) -> absl::StatusOr<ex::Digest> {
    ex::Digest digest;
    const absl::Status called =
        Call(other, "sankofa.exchange.v1.ExchangeService/GetDigest", request, digest);
    if (!called.ok()) return called;
    return digest;
  };
  const auto compared =
      exchange::CompareWith(Reader(), node_.id(), partner, ask, node_.world().clock().Now());
  if (!compared.ok()) return compared.status();
  for (const auto& difference : compared->differences()) {
    if (difference.sender() == partner &&
        difference.received_sequence() < difference.sent_sequence()) {
      running_->readings.at(partner)->runner->Ask(
          exchange::PartnerFeed::StreamOf(partner, difference.subject()),
          difference.received_sequence() + 1);
    }
  }
  return compared->equal();
}

// ---- Nodes ----------------------------------------------------------------------------------------------------------

Node::Node(World& world, std::string id, Planted planted)
    : world_(world),
      id_(std::move(id)),
      signer_(*crypto::Signer::FromSeed(absl::StrCat(id_, std::string(32 - id_.size(), 's')))),
      sealing_key_(
          *crypto::SealingKey::FromSecret(absl::StrCat(id_, std::string(32 - id_.size(), 'b')))) {
  for (const service::Definition* definition :
       {&registration::Definition(), &validation::Definition(), &funding::Definition(),
        &monitoring::Definition(), &exchange::Definition()}) {
    services_[definition->name] = std::make_unique<Service>(*this, *definition, planted);
  }
}

std::string Node::country() const { return absl::AsciiStrToUpper(id_); }

World::World(Random& random, const std::vector<std::string>& nodes, Planted planted)
    : random_(random),
      clock_(absl::FromCivil(absl::CivilMinute(2017, 6, 30, 9, 0), absl::UTCTimeZone())) {
  for (const std::string& id : nodes) nodes_[id] = std::make_unique<Node>(*this, id, planted);
}

// Processes first: they hold clients of other nodes' brokers.
World::~World() {
  for (auto& [_, node] : nodes_) {
    for (const auto& [name, service] : node->services()) service->Stop();
  }
}

void World::Suffer(const Faults& faults) {
  for (auto& [_, node] : nodes_) {
    for (const auto& [name, service] : node->services()) service->process().Suffer(faults);
  }
}

void World::Cut(const std::string& a, const std::string& b, bool cut) {
  for (const auto& way : {std::pair(a, b), std::pair(b, a)}) {
    if (cut) {
      cut_.insert(way);
    } else {
      cut_.erase(way);
    }
  }
}

bool World::IsCut(const std::string& a, const std::string& b) const {
  return cut_.contains({a, b});
}

}  // namespace sankofa::simulation
