#include "tests/simulation/world/broker.h"

#include <utility>

namespace sankofa::simulation {
namespace {

constexpr int kPartitions = 2;

class Producer final : public kafka::Producer {
 public:
  Producer(Process& process, kafka::MemoryBroker& broker, kafka::ProducerOptions options)
      : process_(process) {
    options.on_delivery = [this, report = std::move(options.on_delivery)](
                              std::uint64_t id, const absl::Status& outcome) {
      const bool lost = outcome.ok() && process_.random().Chance(process_.faults().report_lost);
      report(id, lost ? status::Unavailable("the report is lost") : outcome);
    };
    kept_ = broker.MakeProducer(std::move(options));
  }

  absl::Status Produce(const kafka::Record& record, std::uint64_t id) override {
    if (process_.dead()) return status::Unavailable("the process is dead");
    return kept_->Produce(record, id);
  }
  void Poll(absl::Duration timeout) override {
    // Between two polls the process may die with records in its queue; behind one, with records kept and no cursor.
    const auto delivered = process_.Reach([&]() -> absl::Status {
      if (timeout == absl::ZeroDuration() &&
          process_.random().Chance(process_.faults().late_delivery)) {
        return absl::OkStatus();
      }
      kept_->Poll(timeout);
      return absl::OkStatus();
    });
    static_cast<void>(delivered);
  }
  absl::Status Flush(absl::Duration timeout) override {
    return process_.Reach([&] { return kept_->Flush(timeout); });
  }
  int outstanding() const override { return kept_->outstanding(); }
  absl::Status Health() const override { return kept_->Health(); }

 private:
  Process& process_;
  std::unique_ptr<kafka::Producer> kept_;
};

class Consumer final : public kafka::Consumer {
 public:
  Consumer(Process& process, std::unique_ptr<kafka::Consumer> kept, std::function<bool()> reachable)
      : process_(process),
        kept_(std::move(kept)),
        reachable_(std::move(reachable)),
        abroad_(reachable_ != nullptr) {}
  ~Consumer() override {
    // A process that dies says goodbye to nobody.
    if (!process_.dead()) kept_->Close();
  }

  absl::StatusOr<std::vector<kafka::Message>> PollBatch(int max, absl::Duration timeout) override {
    if (!Open()) return status::Unavailable("the road is cut");
    // What was fetched is in the client, and can't be lost on its way from there.
    if (auto begun = process_.Begin(); !begun.ok()) return begun;
    auto messages = kept_->PollBatch(std::min(max, 1 + process_.random().Below(12)), timeout);
    if (messages.ok()) Mangle(*messages);
    return messages;
  }
  absl::Status Commit(const kafka::Offsets& next) override {
    if (!Open()) return status::Unavailable("the road is cut");
    return process_.Reach([&] { return kept_->Commit(next); });
  }
  absl::Status Pause(const std::vector<kafka::TopicPartition>& partitions) override {
    return kept_->Pause(partitions);
  }
  absl::Status Resume(const std::vector<kafka::TopicPartition>& partitions) override {
    return kept_->Resume(partitions);
  }
  absl::Status Seek(const kafka::TopicPartition& partition, std::int64_t offset) override {
    return kept_->Seek(partition, offset);
  }
  std::vector<kafka::TopicPartition> assignment() const override { return kept_->assignment(); }
  std::int64_t Lag() const override { return kept_->Lag(); }
  absl::Status Health() const override { return kept_->Health(); }
  void Close() override { kept_->Close(); }

 private:
  [[nodiscard]] bool Open() const { return !abroad_ || reachable_(); }

  // What a broken road, or somebody on it, makes of the messages. Offsets stay in order, as the client gives them.
  void Mangle(std::vector<kafka::Message>& messages) {
    Random& random = process_.random();
    const Faults& faults = process_.faults();
    std::vector<kafka::Message> mangled;
    for (kafka::Message& message : messages) {
      if (abroad_ && random.Chance(faults.omit)) continue;
      if (abroad_ && !message.value.empty() && random.Chance(faults.corrupt)) {
        const int bit = random.Below(static_cast<int>(message.value.size()) * 8);
        message.value[static_cast<std::size_t>(bit / 8)] ^= static_cast<char>(1 << (bit % 8));
      }
      if (random.Chance(faults.repeat)) mangled.push_back(message);
      mangled.push_back(std::move(message));
      const std::size_t size = mangled.size();
      if (size > 1 && random.Chance(faults.reorder) &&
          mangled[size - 2].from() == mangled[size - 1].from()) {
        std::swap(mangled[size - 2], mangled[size - 1]);
        std::swap(mangled[size - 2].offset, mangled[size - 1].offset);
      }
    }
    messages = std::move(mangled);
  }

  Process& process_;
  std::unique_ptr<kafka::Consumer> kept_;
  const std::function<bool()> reachable_;
  const bool abroad_;
};

}  // namespace

std::unique_ptr<kafka::Producer> Broker::MakeProducer(Process& process,
                                                      kafka::ProducerOptions options) {
  return std::make_unique<Producer>(process, kept_, std::move(options));
}

std::unique_ptr<kafka::Consumer> Broker::MakeConsumer(Process& process,
                                                      kafka::ConsumerOptions options,
                                                      std::function<bool()> reachable) {
  return std::make_unique<Consumer>(process, kept_.MakeConsumer(std::move(options)),
                                    std::move(reachable));
}

absl::StatusOr<std::map<std::string, std::int64_t>> Broker::LookAfter(
    Process& process, const std::vector<std::string>& topics) {
  using Records = std::map<std::string, std::int64_t>;
  return process.Reach([&]() -> absl::StatusOr<Records> {
    const auto admin = kept_.MakeAdmin();
    Records records;
    for (const std::string& topic : topics) {
      kafka::TopicSpec spec;
      spec.name = topic;
      spec.partitions = kPartitions;
      if (auto there = admin->EnsureTopics({spec}, absl::ZeroDuration()); !there.ok()) return there;
      const auto partitions = admin->TopicWatermarks(topic, absl::ZeroDuration());
      if (!partitions.ok()) return partitions.status();
      for (const auto& [_, marks] : *partitions) records[topic] += marks.next;
    }
    return records;
  });
}

}  // namespace sankofa::simulation
