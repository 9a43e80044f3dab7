#include "services/exchange/feed/policy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <google/protobuf/text_format.h>
#include <random>
#include <set>

#include "sankofa/common/v1/options.pb.h"
#include "sankofa/common/v1/sealed.pb.h"
#include "sankofa/exchange/v1/feed_messages.pb.h"
#include "sankofa/funding/v1/funding_events.pb.h"
#include "sankofa/monitoring/v1/monitoring_events.pb.h"
#include "sankofa/registration/v1/registration_events.pb.h"
#include "sankofa/validation/v1/validation_events.pb.h"
#include "services/exchange/agreement/shareable.h"
#include "tests/unit/exchange/feed_node.h"

// What a partner receives is exactly what the policy allows: never a field more, never one less. Agreements, consents,
// events and their contents are random; they go through the builder, the engine and the deciders; what comes out is
// opened as the partner would open it, and compared, field by field, with what a second reading of the rules allows. That
// reading shares no code with the first: it takes a message apart into its leaves and judges each by itself.
namespace sankofa::exchange {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

// ---- The second reading ---------------------------------------------------------------------------------------------

struct Leaf {
  std::vector<std::string> path;  // field names, without places in lists
  std::string value;
  common::v1::Visibility seen = common::v1::VISIBILITY_NODE;  // the strictest on the way
  std::size_t sensitive_from =
      0;                     // the innermost SENSITIVE field is path[sensitive_from - 1]; 0: none
  bool bookkeeping = false;  // inside Sealed
};

std::string Dotted(const std::vector<std::string>& path, std::size_t length) {
  std::string text;
  for (std::size_t i = 0; i < length; ++i) text += (i == 0 ? "" : ".") + path[i];
  return text;
}

void TakeApart(const Message& message, const std::string& place, const Leaf& above,
               std::map<std::string, Leaf>& leaves) {
  const auto* descriptor = message.GetDescriptor();
  const auto* reflection = message.GetReflection();
  for (int i = 0; i < descriptor->field_count(); ++i) {
    const FieldDescriptor* field = descriptor->field(i);
    const int times = field->is_repeated() ? reflection->FieldSize(message, field)
                                           : (reflection->HasField(message, field) ? 1 : 0);
    for (int n = 0; n < times; ++n) {
      Leaf leaf = above;
      leaf.path.push_back(field->name());
      const auto own = field->options().GetExtension(common::v1::visibility);
      if (own == common::v1::VISIBILITY_SENSITIVE) leaf.sensitive_from = leaf.path.size();
      leaf.seen = std::max(leaf.seen, own);
      const std::string at = absl::StrCat(place, "/", field->name(), "[", n, "]");
      if (field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
        leaf.bookkeeping |= field->message_type() == common::v1::Sealed::descriptor();
        TakeApart(field->is_repeated() ? reflection->GetRepeatedMessage(message, field, n)
                                       : reflection->GetMessage(message, field),
                  at, leaf, leaves);
      } else {
        google::protobuf::TextFormat::PrintFieldValueToString(
            message, field, field->is_repeated() ? n : -1, &leaf.value);
        leaves[at] = leaf;
      }
    }
  }
}

std::map<std::string, Leaf> LeavesOf(const Message& message) {
  std::map<std::string, Leaf> leaves;
  TakeApart(message, "", {}, leaves);
  return leaves;
}

std::map<std::string, std::string> ValuesOf(const Message& message) {
  std::map<std::string, std::string> values;
  for (const auto& [at, leaf] : LeavesOf(message)) values[at] = leaf.value;
  return values;
}

bool Under(const std::string& path, const std::string& rule) {
  return path == rule || path.rfind(rule + ".", 0) == 0;
}

// Whether a leaf of an event may pass: some share that holds does not leave it out.
bool MayPass(const Leaf& leaf, const std::string& type, const std::vector<v1::Share>& holding) {
  if (leaf.bookkeeping || leaf.seen >= common::v1::VISIBILITY_PERSONAL) return false;
  if (leaf.path[0] == "case_id") return true;
  const std::string path = Dotted(leaf.path, leaf.path.size());
  for (const v1::Share& share : holding) {
    bool out = false;
    for (const std::string& rule : share.fields()) {
      const std::string prefix = "-" + type + ".";
      if (rule.rfind(prefix, 0) == 0) out |= Under(path, rule.substr(prefix.size()));
    }
    if (!out) return true;
  }
  return false;
}

// Whether a leaf of a disclosure may be in the box. `leaf.path` begins with "person" or "case".
bool MayBeDisclosed(const Leaf& leaf, const std::vector<std::string>& named) {
  if (leaf.bookkeeping) return false;
  if (leaf.seen < common::v1::VISIBILITY_PERSONAL) return true;
  // Some path covers it: one that is at or above the leaf, but not above the innermost sensitive field on the way.
  for (std::size_t length = std::max<std::size_t>(1, leaf.sensitive_from);
       length <= leaf.path.size(); ++length) {
    const std::string at = Dotted(leaf.path, length);
    if (std::find(named.begin(), named.end(), at) != named.end()) return true;
  }
  return false;
}

// ---- Random contents ------------------------------------------------------------------------------------------------

using Random = std::mt19937;

int Roll(Random& random, int sides) { return static_cast<int>(random() % sides); }

void Fill(Message& message, Random& random, int depth) {
  const auto* descriptor = message.GetDescriptor();
  const auto* reflection = message.GetReflection();
  for (int i = 0; i < descriptor->field_count(); ++i) {
    const FieldDescriptor* field = descriptor->field(i);
    if (Roll(random, 4) == 0) continue;
    const int times = field->is_repeated() ? Roll(random, 3) : 1;
    for (int n = 0; n < times; ++n) {
      const std::string text = absl::StrCat("t", Roll(random, 1000));
      const bool list = field->is_repeated();
      switch (field->cpp_type()) {
        case FieldDescriptor::CPPTYPE_MESSAGE:
          if (depth == 0) break;
          Fill(list ? *reflection->AddMessage(&message, field)
                    : *reflection->MutableMessage(&message, field),
               random, depth - 1);
          break;
        case FieldDescriptor::CPPTYPE_STRING:
          list ? reflection->AddString(&message, field, text)
               : reflection->SetString(&message, field, text);
          break;
        case FieldDescriptor::CPPTYPE_ENUM: {
          const auto* value =
              field->enum_type()->value(Roll(random, field->enum_type()->value_count()));
          list ? reflection->AddEnum(&message, field, value)
               : reflection->SetEnum(&message, field, value);
          break;
        }
        case FieldDescriptor::CPPTYPE_INT32:
          list ? reflection->AddInt32(&message, field, Roll(random, 9) + 1)
               : reflection->SetInt32(&message, field, Roll(random, 9) + 1);
          break;
        case FieldDescriptor::CPPTYPE_INT64:
          list ? reflection->AddInt64(&message, field, Roll(random, 9) + 1)
               : reflection->SetInt64(&message, field, Roll(random, 9) + 1);
          break;
        case FieldDescriptor::CPPTYPE_BOOL:
          list ? reflection->AddBool(&message, field, true)
               : reflection->SetBool(&message, field, true);
          break;
        default: break;
      }
    }
  }
}

// All events that tell of one case, by reading the protos.
std::vector<const google::protobuf::Descriptor*> CaseEvents() {
  const std::set<std::string> not_shared = {
      "CaseErased",        "ConsentGiven",      "ConsentWithdrawn", "ConsentOverridden",
      "PersonCaseOpened",  "PersonCaseClosed",  "StayBegun",        "StayEnded",
      "PartnerDataErased", "CaseHeaderChanged", "CaseRegistered",   "CaseSubmitted"};
  std::vector<const google::protobuf::Descriptor*> events;
  for (const auto* file : {reg::CaseRegistered::descriptor()->file(),
                           validation::v1::ProjectApproved::descriptor()->file(),
                           funding::v1::GrantSigned::descriptor()->file(),
                           monitoring::v1::VisitRecorded::descriptor()->file()}) {
    for (int i = 0; i < file->message_type_count(); ++i) {
      const auto* type = file->message_type(i);
      if (type->FindFieldByName("case_id") == nullptr || not_shared.contains(type->name()))
        continue;
      if (SharingOf(type->full_name()) != Sharing::kCase) continue;
      events.push_back(type);
    }
  }
  return events;
}

std::string RandomPath(const google::protobuf::Descriptor* type, Random& random) {
  std::string path;
  for (int depth = 0; depth < 3 && type != nullptr && type->field_count() > 0; ++depth) {
    const FieldDescriptor* field = type->field(Roll(random, type->field_count()));
    path += (path.empty() ? "" : ".") + field->name();
    type = field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE ? field->message_type() : nullptr;
    if (Roll(random, 2) == 0) break;
  }
  return path;
}

const std::vector<Purpose> kPurposes = {
    reg::CONSENT_PURPOSE_REINTEGRATION, reg::CONSENT_PURPOSE_PAYMENT, reg::CONSENT_PURPOSE_REFERRAL,
    reg::CONSENT_PURPOSE_FOLLOW_UP, reg::CONSENT_PURPOSE_RESEARCH};
constexpr char kCase[] = "case-1";

// One node, two partners, one case, and what a partner should have, by the second reading.
class Trial {
 public:
  explicit Trial(std::uint32_t seed) : random_(seed), types_(CaseEvents()) {
    node_.AddPartner("fr", 'f');
    node_.AddPartner("de", 'd');
    for (const char* partner : {"fr", "de"}) {
      const int agreements = Roll(random_, 3);
      for (int i = 0; i < agreements; ++i) Agree(partner, absl::StrCat(partner, i));
      node_.Keep(partner);
    }
    ChangeConsents();
  }

  void Run(int steps) {
    reg::CaseRegistered registered;
    Fill(registered, random_, 3);
    registered.set_case_id(kCase);
    registered.clear_source_node();
    registered.set_origin_country("TG");
    registered.set_host_country("FR");
    registered.set_programme("arv");
    Happens("registration", "Case", kCase, registered);
    const int before = Roll(random_, 3);
    for (int i = 0; i < before; ++i) Step();
    reg::CaseSubmitted submitted;
    Fill(submitted, random_, 3);
    submitted.set_case_id(kCase);
    submitted.clear_source_node();
    submitted.mutable_header()->set_origin_country("TG");
    submitted.mutable_header()->set_host_country("FR");
    submitted.mutable_header()->set_programme("arv");
    submitted_ = true;
    Happens("registration", "Case", kCase, submitted);
    for (int i = 0; i < steps; ++i) Step();
  }

  void Compare() {
    for (const char* partner : {"fr", "de"}) {
      std::vector<Received> got;
      for (Received& received : node_.Topic(partner)) got.push_back(std::move(received));
      const auto& want = expected_[partner];
      std::size_t next = 0;
      for (const Received& message : got) {
        if (message.boxed) CheckBox(message);
        if (message.event.type() == v1::DisclosureChanged::descriptor()->full_name()) continue;
        RC_ASSERT(next < want.size());
        const Expected& expected = want[next++];
        RC_ASSERT(message.event.type() == expected.type);
        RC_ASSERT(message.event.source_sequence() == expected.sequence);
        RC_ASSERT(std::vector<int>(message.event.purposes().begin(),
                                   message.event.purposes().end()) == expected.purposes);
        const auto* type =
            google::protobuf::DescriptorPool::generated_pool()->FindMessageTypeByName(
                expected.type);
        std::unique_ptr<Message> payload(
            google::protobuf::MessageFactory::generated_factory()->GetPrototype(type)->New());
        RC_ASSERT(payload->ParseFromString(message.event.payload()));
        RC_ASSERT(ValuesOf(*payload) == expected.values);
        // Not even what this binary can't read.
        payload->DiscardUnknownFields();
        RC_ASSERT(payload->ByteSizeLong() == message.event.payload().size());
        ++compared;
      }
      RC_ASSERT(next == want.size());
      RC_ASSERT(view_[partner] == expected_view_[partner]);
    }
  }

  static inline int compared = 0;
  static inline int boxes = 0;

 private:
  struct Expected {
    std::string type;
    std::int64_t sequence = 0;
    std::vector<int> purposes;
    std::map<std::string, std::string> values;
  };

  void Agree(const std::string& partner, const std::string& id) {
    v1::SharingAgreement& agreement = node_.AddAgreement(partner, id);
    auto& terms = *agreement.mutable_terms();
    if (Roll(random_, 4) == 0)
      terms.mutable_cases()->add_programmes(Roll(random_, 2) ? "arv" : "x");
    if (Roll(random_, 4) == 0) {
      terms.mutable_cases()->add_host_countries(Roll(random_, 2) ? "FR" : "BE");
    }
    if (Roll(random_, 6) == 0) terms.set_until_date("2026-05-31");
    // What the partner shares says nothing about what it gets.
    auto& theirs = *terms.add_counterpart_shares();
    theirs.set_purpose(reg::CONSENT_PURPOSE_RESEARCH);
    for (const auto* type : types_) theirs.add_event_types(type->full_name());
    std::set<Purpose> used;
    const int shares = Roll(random_, 4);
    for (int i = 0; i < shares; ++i) {
      const Purpose purpose = kPurposes[Roll(random_, 5)];
      if (!used.insert(purpose).second) continue;
      auto& share = *terms.add_proposer_shares();
      share.set_purpose(purpose);
      for (const auto* type : types_) {
        if (Roll(random_, 2) == 0) share.add_event_types(type->full_name());
        if (Roll(random_, 6) == 0) {
          share.add_fields(absl::StrCat("-", type->full_name(), ".", RandomPath(type, random_)));
        }
      }
      for (const char* type :
           {"sankofa.registration.v1.CaseRegistered", "sankofa.registration.v1.CaseSubmitted"}) {
        if (Roll(random_, 3) != 0) share.add_event_types(type);
      }
      // More than an agreement may name: the policy does not rely on that.
      if (Roll(random_, 5) == 0) share.add_fields(Roll(random_, 2) == 0 ? "person" : "case");
      const int fields = Roll(random_, 5);
      for (int n = 0; n < fields; ++n) {
        share.add_fields(Roll(random_, 2) == 0
                             ? "person." + RandomPath(reg::Person::descriptor(), random_)
                             : "case." + RandomPath(reg::Case::descriptor(), random_));
      }
    }
    agreements_[partner].push_back(agreement);
  }

  void ChangeConsents() {
    for (const char* partner : {"fr", "de"}) {
      for (const Purpose purpose : kPurposes) {
        if (Roll(random_, 3) != 0) continue;
        const std::tuple key{std::string(kCase), std::string(partner), purpose};
        if (Roll(random_, 3) == 0) {
          node_.services.consents.erase(key);
          continue;
        }
        reg::Disclosure disclosure;
        Fill(*disclosure.mutable_person(), random_, 3);
        Fill(*disclosure.mutable_case_(), random_, 3);
        disclosure.set_case_id(kCase);
        disclosure.set_partner(partner);
        disclosure.set_purpose(purpose);
        node_.services.consents[key] = disclosure;
      }
    }
    node_.clock.Advance(absl::Seconds(1));
  }

  void Step() {
    if (Roll(random_, 4) == 0) ChangeConsents();
    const auto* type = types_[Roll(random_, static_cast<int>(types_.size()))];
    std::unique_ptr<Message> event(
        google::protobuf::MessageFactory::generated_factory()->GetPrototype(type)->New());
    Fill(*event, random_, 3);
    const auto* reflection = event->GetReflection();
    for (int i = 0; i < type->field_count(); ++i) {
      const auto* field = type->field(i);
      if (field->name() == "case_id") reflection->SetString(event.get(), field, kCase);
      if (field->options().GetExtension(common::v1::addressee)) {
        reflection->SetString(event.get(), field,
                              std::vector<std::string>{"", "fr", "de", "xx"}[Roll(random_, 4)]);
      }
      if (field->options().GetExtension(common::v1::origin_node)) {
        reflection->SetString(event.get(), field, Roll(random_, 6) == 0 ? "fr" : "");
      }
    }
    // Of a later version of the service.
    if (Roll(random_, 4) == 0) {
      reflection->MutableUnknownFields(event.get())->AddLengthDelimited(9999, "a secret");
    }
    const std::string source = engine::Reactions::SourceOf(type->full_name());
    Happens(source, "Stream", absl::StrCat("s", Roll(random_, 2)), *event);
  }

  void Happens(const std::string& source, const std::string& stream_type, const std::string& id,
               const Message& event) {
    const auto incoming = node_.Make(source, stream_type, id, kCase, event);
    Expect(incoming, event);
    node_.Happens(incoming);
  }

  // ---- The second reading of when something is sent ----

  std::vector<const v1::SharingAgreement*> Applying(const std::string& partner) const {
    std::vector<const v1::SharingAgreement*> applying;
    const auto found = agreements_.find(partner);
    if (found == agreements_.end()) return applying;
    for (const auto& agreement : found->second) {
      if (agreement.terms().until_date() >= "2026-06-01") applying.push_back(&agreement);
    }
    return applying;
  }
  static bool AboutThisCase(const v1::SharingAgreement& agreement) {
    for (const auto& programme : agreement.terms().cases().programmes()) {
      if (programme != "arv") return false;
    }
    for (const auto& country : agreement.terms().cases().host_countries()) {
      if (country != "FR") return false;
    }
    return true;
  }
  bool Consents(const std::string& partner, Purpose purpose) const {
    return node_.services.consents.contains({kCase, partner, purpose});
  }

  void Expect(const engine::IncomingEvent& incoming, const Message& event) {
    const auto copy = std::shared_ptr<Message>(event.New());
    copy->CopyFrom(event);
    for (const char* partner : {"fr", "de"}) {
      std::string to;
      std::string from;
      const auto* type = event.GetDescriptor();
      for (int i = 0; i < type->field_count(); ++i) {
        const auto* field = type->field(i);
        if (field->options().GetExtension(common::v1::addressee)) {
          to = event.GetReflection()->GetString(event, field);
        }
        if (field->options().GetExtension(common::v1::origin_node)) {
          from = event.GetReflection()->GetString(event, field);
        }
      }
      past_[partner].push_back({incoming, copy, to, !from.empty(), false});
      Deliver(partner, past_[partner].back());
    }
  }

  struct Past {
    engine::IncomingEvent incoming;
    std::shared_ptr<Message> event;
    std::string addressee;
    bool foreign = false;
    bool settled = false;  // sent, or a later one of its stream was
  };

  void Deliver(const std::string& partner, Past& now) {
    if (!now.addressee.empty() && !now.foreign) {
      if (now.addressee == partner) Send(partner, now);
      return;
    }
    if (!submitted_) return;
    std::vector<Purpose> held;
    for (const auto* agreement : Applying(partner)) {
      if (!AboutThisCase(*agreement)) continue;
      for (const auto& share : agreement->terms().proposer_shares()) {
        if (Consents(partner, share.purpose())) held.push_back(share.purpose());
      }
    }
    const bool named = std::any_of(
        agreements_[partner].begin(), agreements_[partner].end(), [&](const auto& agreement) {
          const auto applying = Applying(partner);
          if (std::none_of(applying.begin(), applying.end(),
                           [&](const auto* one) { return one->id() == agreement.id(); }) ||
              !AboutThisCase(agreement)) {
            return false;
          }
          for (const auto& share : agreement.terms().proposer_shares()) {
            for (const auto& one : share.event_types()) {
              if (one == now.incoming.event_type) return true;
            }
          }
          return false;
        });
    if (held.empty()) return;
    if (running_.contains(partner) && !named && now.incoming.meta.source != "registration") return;
    if (!running_.contains(partner)) {
      // All that happened, service by service.
      for (const char* service : {"registration", "validation", "funding", "monitoring"}) {
        for (Past& past : past_[partner]) {
          if (past.incoming.meta.source == service) Send(partner, past);
        }
      }
    }
    Send(partner, now);
    if (running_.contains(partner)) expected_view_[partner] = ViewOf(partner);
  }

  // Where some agreement lets it through for a purpose that holds.
  void Send(const std::string& partner, Past& past) {
    if (past.settled || past.foreign) return;
    const std::string& type = past.incoming.event_type;
    Expected best;
    std::vector<v1::Share> holding;
    if (!past.addressee.empty()) {
      if (past.addressee != partner || Applying(partner).empty()) return;
      holding.emplace_back();
    } else {
      for (const auto* agreement : Applying(partner)) {
        if (!AboutThisCase(*agreement)) continue;
        std::vector<v1::Share> shares;
        std::set<int> purposes;
        for (const auto& share : agreement->terms().proposer_shares()) {
          const bool names = std::find(share.event_types().begin(), share.event_types().end(),
                                       type) != share.event_types().end();
          if (!names || !Consents(partner, share.purpose())) continue;
          shares.push_back(share);
          purposes.insert(share.purpose());
        }
        if (shares.size() > holding.size()) {
          holding = shares;
          best.purposes.assign(purposes.begin(), purposes.end());
        }
      }
      if (holding.empty()) return;
      running_.insert(partner);
    }
    best.type = type;
    best.sequence = past.incoming.meta.sequence;
    for (const auto& [at, leaf] : LeavesOf(*past.event)) {
      if (MayPass(leaf, type, holding)) best.values[at] = leaf.value;
    }
    expected_[partner].push_back(best);
    for (Past& other : past_[partner]) {
      const auto& meta = other.incoming.meta;
      if (meta.source == past.incoming.meta.source && meta.stream == past.incoming.meta.stream &&
          meta.sequence <= past.incoming.meta.sequence) {
        other.settled = true;
      }
    }
  }

  // What the partner should know of the person and the case now.
  using View = std::map<int, std::map<std::string, std::string>>;
  View ViewOf(const std::string& partner) const {
    View view;
    for (const Purpose purpose : kPurposes) {
      std::vector<std::string> named;
      bool shared = false;
      for (const auto* agreement : Applying(partner)) {
        if (!AboutThisCase(*agreement)) continue;
        for (const auto& share : agreement->terms().proposer_shares()) {
          if (share.purpose() != purpose) continue;
          shared = true;
          for (const auto& field : share.fields()) {
            if (field[0] != '-') named.push_back(field);
          }
        }
      }
      if (!shared || !Consents(partner, purpose)) continue;
      const auto& disclosure = node_.services.consents.at({kCase, partner, purpose});
      std::map<std::string, std::string> values;
      for (const auto& [at, leaf] : LeavesOf(disclosure)) {
        const bool content = leaf.path[0] == "person" || leaf.path[0] == "case";
        if (content && MayBeDisclosed(leaf, named)) values[at] = leaf.value;
      }
      if (!values.empty()) view[purpose] = values;
    }
    return view;
  }

  void CheckBox(const Received& message) {
    ++boxes;
    View view;
    for (const auto& disclosure : message.content.disclosures()) {
      std::map<std::string, std::string> values;
      for (const auto& [at, leaf] : LeavesOf(disclosure)) {
        if (leaf.path[0] == "person" || leaf.path[0] == "case") values[at] = leaf.value;
      }
      if (!values.empty()) view[disclosure.purpose()] = values;
    }
    view_[message.event.receiver()] = view;
  }

  Random random_;
  const std::vector<const google::protobuf::Descriptor*> types_;
  FeedNode node_;
  bool submitted_ = false;
  std::map<std::string, std::vector<v1::SharingAgreement>> agreements_;
  std::map<std::string, std::vector<Past>> past_;
  std::set<std::string> running_;
  std::map<std::string, std::vector<Expected>> expected_;
  std::map<std::string, View> expected_view_;
  std::map<std::string, View> view_;
};

RC_GTEST_PROP(FeedPolicyProperty, APartnerGetsExactlyWhatThePolicyAllows, ()) {
  const auto seed = *rc::gen::arbitrary<std::uint32_t>();
  const int steps = *rc::gen::inRange(1, 25);
  Trial trial(seed);
  trial.Run(steps);
  trial.Compare();
}

TEST(FeedPolicyTest, TheTrialsSawEnough) {
  for (std::uint32_t seed = 1; seed <= 40; ++seed) {
    Trial trial(seed);
    trial.Run(20);
    trial.Compare();
  }
  EXPECT_GT(Trial::compared, 100);
  EXPECT_GT(Trial::boxes, 20);
  EXPECT_GT(CaseEvents().size(), 30);
}

// ---- Single rules ---------------------------------------------------------------------------------------------------

TEST(FeedPolicyTest, AFieldIsLeftOutOnlyWhereNoPurposeLetsItThrough) {
  reg::CaseRegistered event;
  event.set_case_id("c");
  event.set_region("kara");
  event.mutable_profile()->set_vulnerable(true);
  event.mutable_profile()->set_sex(reg::SEX_FEMALE);
  Shares shares;
  for (const Purpose purpose : {kPurposes[0], kPurposes[1]}) {
    auto& share = *shares.Add();
    share.set_purpose(purpose);
    share.add_event_types(reg::CaseRegistered::descriptor()->full_name());
  }
  shares[0].add_fields("-sankofa.registration.v1.CaseRegistered.region");
  shares[0].add_fields("-sankofa.registration.v1.CaseRegistered.profile");
  shares[1].add_fields("-sankofa.registration.v1.CaseRegistered.profile.sex");
  const auto cut = [&](const std::vector<Purpose>& purposes) {
    reg::CaseRegistered result;
    result.CopyFrom(*Cut(event, shares, purposes));
    return result;
  };
  EXPECT_EQ(cut({kPurposes[0]}).region(), "");
  EXPECT_FALSE(cut({kPurposes[0]}).has_profile());
  EXPECT_EQ(cut({kPurposes[0], kPurposes[1]}).region(), "kara");
  EXPECT_TRUE(cut({kPurposes[0], kPurposes[1]}).profile().vulnerable());
  EXPECT_EQ(cut({kPurposes[0], kPurposes[1]}).profile().sex(), reg::SEX_UNSPECIFIED);
}

TEST(FeedPolicyTest, ASensitiveFieldPassesOnlyByItsName) {
  reg::Disclosure disclosure;
  disclosure.set_purpose(kPurposes[0]);
  disclosure.mutable_person()->mutable_details()->set_given_names("Ama");
  disclosure.mutable_person()->add_vulnerabilities(reg::VULNERABILITY_ELDERLY);
  Shares shares;
  auto& share = *shares.Add();
  share.set_purpose(kPurposes[0]);
  EXPECT_FALSE(Limit(disclosure, shares).has_person());
  share.add_fields("person.details");
  EXPECT_EQ(Limit(disclosure, shares).person().details().given_names(), "Ama");
  EXPECT_EQ(Limit(disclosure, shares).person().vulnerabilities_size(), 0);
  share.add_fields("person.vulnerabilities");
  EXPECT_EQ(Limit(disclosure, shares).person().vulnerabilities_size(), 1);
  // Of another purpose, a name counts for nothing.
  disclosure.set_purpose(kPurposes[1]);
  EXPECT_FALSE(Limit(disclosure, shares).has_person());
}

}  // namespace
}  // namespace sankofa::exchange
