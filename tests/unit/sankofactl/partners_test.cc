#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "sankofa/exchange/v1/exchange_service.pb.h"
#include "services/platform/status/refuse.h"
#include "services/platform/time/time.h"
#include "services/sankofactl/output/failure.h"
#include "tests/unit/sankofactl/fixture.h"

namespace sankofa::ctl {
namespace {

namespace exch = exchange::v1;
using testing::At;
using ::testing::ElementsAre;
using testing::FakeNode;
using testing::Folder;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::Ran;
using testing::RunWith;
using testing::SeenCall;

class PartnersTest : public ::testing::Test {
 protected:
  Ran Do(std::vector<std::string> arguments) {
    return RunWith(node_, {}, At(folder_, std::move(arguments)));
  }
  template <class Response>
  void Answer(std::function<void(Response&)> fill) {
    node_.answer = [fill = std::move(fill)](const SeenCall&, google::protobuf::Message& response) {
      fill(static_cast<Response&>(response));
      return absl::OkStatus();
    };
  }
  static google::protobuf::Timestamp Noon() {
    return time::ToTimestamp(absl::FromUnixSeconds(1'500'000'000));
  }

  Folder folder_;
  FakeNode node_;
};

TEST_F(PartnersTest, ListsPartnersPageByPage) {
  node_.answer = [](const SeenCall& call, google::protobuf::Message& response) {
    exch::ListPartnersRequest request;
    request.ParseFromString(call.request);
    auto& page = static_cast<exch::ListPartnersResponse&>(response);
    exch::Partner& partner = *page.add_partners();
    partner.set_id(request.page_token().empty() ? "fr" : "tg");
    partner.set_name("Office \x1b[31m");
    partner.set_kind(exch::PARTNER_KIND_NODE);
    partner.set_state(exch::PARTNER_STATE_ACTIVE);
    partner.add_keys()->set_key_id("9d24e2eeaf27c2a0");
    if (request.page_token().empty()) page.set_next_page_token("more");
    return absl::OkStatus();
  };
  const Ran ran = Do({"partners", "list"});
  EXPECT_EQ(ran.exit_code, kOk) << ran.err;
  EXPECT_EQ(node_.calls.size(), 2U);
  EXPECT_THAT(ran.out, HasSubstr("NODE  ACTIVE"));
  EXPECT_THAT(ran.out, HasSubstr("9d24e2eeaf27c2a0"));
  EXPECT_THAT(ran.out, HasSubstr("\ntg "));
  EXPECT_THAT(ran.out, Not(HasSubstr("\x1b")));
  EXPECT_THAT(Do({"--json", "partners", "list"}).out,
              HasSubstr(R"("state":"PARTNER_STATE_ACTIVE")"));
}

TEST_F(PartnersTest, HealthFailsWhereSomethingIsInTheWay) {
  std::string trouble;
  node_.answer = [&trouble](const SeenCall& call, google::protobuf::Message& response) {
    if (call.method.find("ListPartners") != std::string::npos) {
      auto& page = static_cast<exch::ListPartnersResponse&>(response);
      page.add_partners()->set_id("fr");
      page.add_partners()->set_id("tg");
      return absl::OkStatus();
    }
    exch::GetPartnerHealthRequest request;
    request.ParseFromString(call.request);
    auto& health = static_cast<exch::PartnerHealth&>(response);
    health.set_partner_id(request.partner_id());
    health.set_sent(12);
    health.set_published(10);
    health.set_unread(-1);
    health.set_trouble(trouble);
    *health.mutable_last_received_time() = Noon();
    return absl::OkStatus();
  };
  Ran ran = Do({"partners", "health"});
  EXPECT_EQ(ran.exit_code, kOk) << ran.err;
  EXPECT_THAT(ran.out, HasSubstr("10/12"));
  EXPECT_THAT(ran.out, HasSubstr("  ?  "));
  EXPECT_THAT(ran.out, HasSubstr("2017-07-14 02:40:00Z"));
  EXPECT_EQ(node_.calls.size(), 3U);
  trouble = "its certificate has expired";
  ran = Do({"partners", "health", "fr"});
  EXPECT_EQ(ran.exit_code, kFailed);
  EXPECT_THAT(ran.out, HasSubstr("its certificate has expired"));
  EXPECT_EQ(node_.calls.size(), 4U);
}

TEST_F(PartnersTest, ShowsWhatIsShared) {
  Answer<exch::ListAgreementsResponse>([](exch::ListAgreementsResponse& page) {
    exch::SharingAgreement& agreement = *page.add_agreements();
    agreement.set_id("a1:2");
    agreement.set_state(exch::AGREEMENT_STATE_SIGNED);
    agreement.add_signatures()->set_node("fr");
    agreement.add_signatures()->set_node("tg");
    agreement.mutable_terms()->set_proposer("fr");
    agreement.mutable_terms()->set_counterpart("tg");
    agreement.mutable_terms()->set_from_date("2017-01-01");
    agreement.mutable_terms()->set_until_date("2018-12-31");
    agreement.mutable_terms()->add_proposer_shares()->add_event_types("sankofa.x");
    agreement.set_end_date("2017-06-30");
  });
  const Ran ran = Do({"agreements", "--partner", "tg"});
  EXPECT_EQ(ran.exit_code, kOk) << ran.err;
  EXPECT_EQ(node_.Only<exch::ListAgreementsRequest>().partner_id(), "tg");
  EXPECT_THAT(ran.out, HasSubstr("2017-01-01 to 2017-06-30"));
  EXPECT_THAT(ran.out, HasSubstr("fr, tg"));
  EXPECT_THAT(ran.out, HasSubstr("fr shares statistics: 1 types, 0 fields"));
}

TEST_F(PartnersTest, ShowsRefusals) {
  Answer<exch::ListRefusalsResponse>([](exch::ListRefusalsResponse& page) {
    exch::Evidence& one = *page.add_refusals();
    one.set_id("0123456789abcdef0123");
    one.set_partner_id("tg");
    one.set_reason("SIGNATURE");
    one.set_times(3);
  });
  const Ran ran = Do({"refusals"});
  EXPECT_EQ(ran.exit_code, kOk) << ran.err;
  EXPECT_THAT(ran.out, HasSubstr("SIGNATURE"));
  EXPECT_THAT(ran.out, HasSubstr("0123456789ab"));
  EXPECT_THAT(ran.out, Not(HasSubstr("0123456789abc")));
}

TEST_F(PartnersTest, ShowsErasures) {
  Answer<exch::ListErasuresResponse>([](exch::ListErasuresResponse& page) {
    exch::Erasure& one = *page.add_erasures();
    one.set_case_id("c1");
    one.set_partner_id("fr");
    one.set_state(exch::ERASURE_STATE_OVERDUE);
    *one.mutable_due_time() = Noon();
  });
  const Ran ran = Do({"erasures", "--case", "c1", "--state", "OVERDUE"});
  EXPECT_EQ(ran.exit_code, kOk) << ran.err;
  EXPECT_EQ(node_.Only<exch::ListErasuresRequest>().state(), exch::ERASURE_STATE_OVERDUE);
  EXPECT_EQ(node_.Only<exch::ListErasuresRequest>().case_id(), "c1");
  EXPECT_THAT(ran.out, HasSubstr("OVERDUE"));
  EXPECT_THAT(ran.out, HasSubstr("all"));
  EXPECT_EQ(Do({"erasures", "--state", "LATE"}).exit_code, kUsage);
}

TEST_F(PartnersTest, ComparedDigestsAreEqualOrFail) {
  Answer<exch::DigestComparison>([](exch::DigestComparison& comparison) {
    comparison.set_equal(true);
    comparison.set_subjects(57);
  });
  Ran ran = Do({"digests", "compare", "fr"});
  EXPECT_EQ(ran.exit_code, kOk) << ran.err;
  EXPECT_EQ(ran.out, "digests equal with fr: 57 subjects, both ways\n");
  EXPECT_EQ(node_.Only<exch::CompareDigestsRequest>().partner_id(), "fr");
  Answer<exch::DigestComparison>([](exch::DigestComparison& comparison) {
    comparison.set_subjects(57);
    exch::DigestDifference& one = *comparison.add_differences();
    one.set_subject("Case/c1");
    one.set_sender("tg");
    one.set_sent_sequence(4);
    one.set_received_sequence(4);
    one.set_content(true);
  });
  ran = Do({"digests", "compare", "fr"});
  EXPECT_EQ(ran.exit_code, kFailed);
  EXPECT_THAT(ran.out, HasSubstr("1 of 57"));
  EXPECT_THAT(ran.out, HasSubstr("another content"));
  EXPECT_EQ(Do({"--json", "digests", "compare", "fr"}).exit_code, kFailed);
}

TEST_F(PartnersTest, ShowsWhatPartnersSaidAboutACase) {
  Answer<exch::ListReceivedResponse>([](exch::ListReceivedResponse& page) {
    exch::ReceivedUpdate& one = *page.add_updates();
    one.set_sender("tg");
    one.set_sequence(7);
    one.set_type("sankofa.validation.v1.ProjectApproved");
    *one.mutable_event_time() = Noon();
    one.set_hash(std::string(32, '\x04'));
  });
  const Ran ran = Do({"received", "c1"});
  EXPECT_EQ(ran.exit_code, kOk) << ran.err;
  EXPECT_EQ(node_.Only<exch::ListReceivedRequest>().case_id(), "c1");
  EXPECT_THAT(ran.out, HasSubstr("tg     7       ProjectApproved"));
  EXPECT_THAT(ran.out, HasSubstr("040404040404"));
}

TEST_F(PartnersTest, ARefusalIsSaid) {
  node_.answer = [](const SeenCall&, google::protobuf::Message&) {
    return absl::PermissionDeniedError("not allowed");
  };
  for (const auto& arguments : std::vector<std::vector<std::string>>{{"partners", "list"},
                                                                     {"partners", "health"},
                                                                     {"agreements"},
                                                                     {"refusals"},
                                                                     {"erasures"},
                                                                     {"digests", "compare", "fr"},
                                                                     {"received", "c1"}}) {
    EXPECT_EQ(Do(arguments).exit_code, kFailed) << arguments.front();
  }
}

}  // namespace
}  // namespace sankofa::ctl
