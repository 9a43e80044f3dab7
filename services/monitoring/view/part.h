#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "services/monitoring/view/source.h"
#include "services/monitoring/view/store.h"
#include "services/monitoring/view/views.h"
#include "services/monitoring/view/watch.h"
#include "services/platform/kafka/reaction_runner.h"
#include "services/platform/redis/client.h"
#include "services/platform/service/definition.h"

namespace sankofa::service {
class Runtime;
}  // namespace sankofa::service

namespace sankofa::monitoring {

// Gives events to the views as they come from the topics. A gap is filled by folding anew, so none is ever reported;
// what is no event has a dead letter with the consumers that act on it, and is only logged here.
class ViewSink final : public kafka::ReactionSink {
 public:
  explicit ViewSink(Views& views) : views_(views) {}
  [[nodiscard]] absl::StatusOr<engine::ReactionResult> Apply(
      std::span<const engine::IncomingEvent> events) override;
  [[nodiscard]] absl::Status Bury(std::span<const engine::DeadLetter> letters, bool once) override;

 private:
  Views& views_;
};

// How the view's consumer reads the topics on a node: as the group "sankofa.monitoring.view", the exchange's too where
// the node has `partners`. Without the parts that need a running service.
[[nodiscard]] kafka::ReactionOptions ViewConsumerOptions(const std::string& node, bool partners);

// The sink reports no gaps, so nothing is ever asked of this.
[[nodiscard]] kafka::ReplaySource& NoReplay();

// The view's own consumer, as the group "sankofa.monitoring.view", and the ear of those who watch. While Redis is away
// the consumer stands still with its offsets, so that nothing it should have written is lost; who watches is then told
// from the journals, once a second.
class ViewPart final : public service::Part, public service::TopicReader {
 public:
  explicit ViewPart(service::Runtime& runtime);
  ~ViewPart() override;
  void Stop() override;

  [[nodiscard]] Views& views() { return *views_; }
  [[nodiscard]] WatchHub& hub() { return hub_; }
  [[nodiscard]] const kafka::ReactionRunner& runner() const override { return *runner_; }

 private:
  void RefreshWatched();

  std::unique_ptr<redis::Client> redis_;
  std::unique_ptr<ViewStore> store_;
  std::unique_ptr<EventSource> source_;
  WatchHub hub_;
  std::unique_ptr<Views> views_;
  std::unique_ptr<ViewSink> sink_;
  std::unique_ptr<kafka::ReactionRunner> runner_;

  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;
  std::thread refresh_;
};

}  // namespace sankofa::monitoring
