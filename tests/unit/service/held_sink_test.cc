#include "services/platform/service/held_sink.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "google/protobuf/wrappers.pb.h"

namespace sankofa::service {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

// What reaches the client.
class Stream final : public rpc::StreamSink {
 public:
  bool Write(const google::protobuf::Message& message) override {
    if (gone) return false;
    written.push_back(static_cast<const google::protobuf::StringValue&>(message).value());
    return true;
  }
  void Finish(const absl::Status& status) override { ended.push_back(status); }
  [[nodiscard]] bool cancelled() const override { return gone; }

  bool gone = false;
  std::vector<std::string> written;
  std::vector<absl::Status> ended;
};

google::protobuf::StringValue Text(const std::string& text) {
  google::protobuf::StringValue message;
  message.set_value(text);
  return message;
}

class HeldSinkTest : public ::testing::Test {
 protected:
  std::shared_ptr<Stream> stream_ = std::make_shared<Stream>();
  HeldSink sink_{stream_};
};

TEST_F(HeldSinkTest, NothingGoesOutBeforeItIsReleased) {
  EXPECT_TRUE(sink_.Write(Text("a")));
  EXPECT_TRUE(sink_.Write(Text("b")));
  EXPECT_THAT(stream_->written, IsEmpty());
  sink_.Release();
  EXPECT_TRUE(sink_.Write(Text("c")));
  EXPECT_THAT(stream_->written, ElementsAre("a", "b", "c"));
  sink_.Refuse(absl::InternalError("too late"));
  sink_.Finish(absl::OkStatus());
  EXPECT_THAT(stream_->ended, ElementsAre(absl::OkStatus()));
}

TEST_F(HeldSinkTest, ARefusalIsAllThatGoesOut) {
  EXPECT_TRUE(sink_.Write(Text("a")));
  sink_.Finish(absl::OkStatus());
  sink_.Refuse(absl::UnavailableError("the trail can't be written"));
  EXPECT_FALSE(sink_.Write(Text("b")));
  sink_.Release();
  sink_.Finish(absl::OkStatus());
  EXPECT_THAT(stream_->written, IsEmpty());
  EXPECT_THAT(stream_->ended, ElementsAre(absl::UnavailableError("the trail can't be written")));
}

TEST_F(HeldSinkTest, AnEndWaitsToo) {
  EXPECT_TRUE(sink_.Write(Text("a")));
  sink_.Finish(absl::NotFoundError("gone"));
  EXPECT_FALSE(sink_.Write(Text("b")));
  EXPECT_THAT(stream_->ended, IsEmpty());
  sink_.Release();
  EXPECT_THAT(stream_->written, ElementsAre("a"));
  EXPECT_THAT(stream_->ended, ElementsAre(absl::NotFoundError("gone")));
}

TEST_F(HeldSinkTest, HasRoomForWhatItHoldsAndThenForWhatTheStreamTakes) {
  EXPECT_EQ(sink_.room(), static_cast<std::size_t>(HeldSink::kHeldMax));
  EXPECT_TRUE(sink_.Write(Text("a")));
  EXPECT_EQ(sink_.room(), static_cast<std::size_t>(HeldSink::kHeldMax) - 1);
  sink_.Release();
  EXPECT_EQ(sink_.room(), 1u);
  stream_->gone = true;
  EXPECT_EQ(sink_.room(), 0u);
}

TEST_F(HeldSinkTest, HoldsNoMoreThanItsLimit) {
  for (int i = 0; i < HeldSink::kHeldMax; ++i) EXPECT_TRUE(sink_.Write(Text("x")));
  EXPECT_FALSE(sink_.Write(Text("one too many")));
  stream_->gone = true;
  EXPECT_TRUE(sink_.cancelled());
  sink_.Release();
  EXPECT_FALSE(sink_.Write(Text("y")));
  EXPECT_THAT(stream_->written, IsEmpty());
}

}  // namespace
}  // namespace sankofa::service
