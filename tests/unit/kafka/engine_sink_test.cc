#include <gtest/gtest.h>

#include "gmock/gmock.h"
#include "sankofa/common/v1/access_log.pb.h"
#include "services/platform/crypto/vault.h"
#include "services/platform/engine/memory_store.h"
#include "services/platform/kafka/reaction_runner.h"

namespace sankofa::kafka {
namespace {

using testing::SizeIs;

class EngineSinkTest : public testing::Test {
 protected:
  static engine::IncomingEvent Event(std::int64_t sequence) {
    engine::IncomingEvent event;
    event.meta = {.source = "shop", .stream = {"Order", "a"}, .sequence = sequence};
    event.event_type = common::v1::ReadRecorded::descriptor()->full_name();
    return event;
  }
  static engine::DeadLetter Letter(std::int64_t sequence) {
    return {.from = {"shop", {"Kafka", "sankofa.shop/0"}},
            .sequence = sequence,
            .reason = "MALFORMED_EVENT"};
  }

  engine::MemoryStore store_;
  engine::Registry registry_;
  engine::Reactions reactions_;
  std::unique_ptr<crypto::Vault> vault_ = *crypto::Vault::FromBytes(std::string(32, 'k'));
  engine::Engine engine_{{.node = "cm", .country = "CM", .service = "library"}, registry_, *vault_};
  engine::ReactionCalls calls_{reactions_};
  EngineSink sink_{engine_, store_, calls_};
};

TEST_F(EngineSinkTest, AppliesEventsWithTheirMarks) {
  const std::vector<engine::IncomingEvent> events = {Event(1), Event(2), Event(4)};
  const auto result = sink_.Apply(events);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->applied, 2);
  EXPECT_THAT(result->gaps, SizeIs(1));
  EXPECT_EQ(store_.marks().at({"shop", {"Order", "a"}}), 2);
}

TEST_F(EngineSinkTest, BuriesOnce) {
  const std::vector<engine::DeadLetter> letters = {Letter(3), Letter(8)};
  ASSERT_TRUE(sink_.Bury(letters, /*once=*/true).ok());
  ASSERT_TRUE(sink_.Bury(letters, /*once=*/true).ok());
  EXPECT_THAT(store_.dead_letters(), SizeIs(2));
  const std::vector<engine::DeadLetter> more = {Letter(8), Letter(9)};
  ASSERT_TRUE(sink_.Bury(more, /*once=*/true).ok());
  EXPECT_THAT(store_.dead_letters(), SizeIs(3));
}

TEST_F(EngineSinkTest, LeavesTheMarkOfAStreamThatWaits) {
  const std::vector<engine::IncomingEvent> events = {Event(1)};
  ASSERT_TRUE(sink_.Apply(events).ok());
  engine::DeadLetter letter = Letter(3);
  letter.from.stream = {"Order", "a"};
  ASSERT_TRUE(sink_.Bury({&letter, 1}, /*once=*/false).ok());
  EXPECT_EQ(store_.marks().at({"shop", {"Order", "a"}}), 1);
}

TEST_F(EngineSinkTest, BuriesNothingWhereTheCommitFails) {
  store_.on_commit = [](const engine::WriteSet&) { return absl::UnavailableError("away"); };
  const std::vector<engine::DeadLetter> letters = {Letter(3)};
  EXPECT_TRUE(absl::IsUnavailable(sink_.Bury(letters, /*once=*/true)));
  store_.on_commit = nullptr;
  ASSERT_TRUE(sink_.Bury(letters, /*once=*/true).ok());
  EXPECT_THAT(store_.dead_letters(), SizeIs(1));
}

}  // namespace
}  // namespace sankofa::kafka
