#include "services/platform/service/executor.h"

#include <algorithm>
#include <future>

#include "sankofa/common/v1/common_reason.pb.h"
#include "services/platform/telemetry/log.h"

namespace sankofa::service {
namespace {

constexpr absl::Duration kFirstPause = absl::Milliseconds(20);
constexpr absl::Duration kLongestPause = absl::Seconds(1);

}  // namespace

Executor::Executor(Options options, const engine::Engine& engine, engine::Store& store,
                   const time::Clock& clock)
    : options_(std::move(options)),
      engine_(engine),
      store_(store),
      clock_(clock),
      queue_length_(telemetry::GetGauge("sankofa_command_queue_length",
                                        "Commands that wait for a worker.",
                                        {{"service", options_.service}})),
      batch_size_(
          telemetry::GetHistogram("sankofa_command_batch_size", "Commands in one transaction.",
                                  {{"service", options_.service}}, telemetry::SizeBuckets())),
      seconds_(telemetry::GetHistogram("sankofa_command_seconds",
                                       "From arrival in the queue to the answer.",
                                       {{"service", options_.service}})) {
  for (int i = 0; i < options_.workers; ++i) {
    workers_.emplace_back([this] { Work(); });
  }
}

Executor::~Executor() { Stop(); }

void Executor::Submit(engine::CommandCall call, Done done) {
  Waiting waiting{std::move(call), std::move(done), clock_.Now()};
  absl::Status refusal;
  {
    const std::scoped_lock lock(mutex_);
    if (stopping_) {
      refusal = status::Unavailable("the service is shutting down");
    } else if (queue_.size() >= static_cast<size_t>(options_.queue_max)) {
      refusal = status::Refuse(common::v1::REASON_OVERLOADED);
    } else {
      queue_.push_back(std::move(waiting));
      queue_length_.Set(static_cast<double>(queue_.size()));
    }
  }
  if (refusal.ok()) {
    arrived_.notify_one();
  } else {
    Answer(waiting, refusal);
  }
}

engine::Outcome Executor::Run(engine::CommandCall call) {
  std::promise<engine::Outcome> answer;
  auto answered = answer.get_future();
  Submit(std::move(call),
         [&answer](engine::Outcome outcome) { answer.set_value(std::move(outcome)); });
  return answered.get();
}

void Executor::Stop() {
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
  }
  arrived_.notify_all();
  for (std::thread& worker : workers_) {
    if (worker.joinable()) worker.join();
  }
}

void Executor::Work() {
  const telemetry::ServiceScope scope(options_.service);
  while (true) {
    std::vector<Waiting> batch = Take();
    if (batch.empty()) return;
    batch_size_.Observe(static_cast<double>(batch.size()));
    RunBatch(std::move(batch));
  }
}

std::vector<Executor::Waiting> Executor::Take() {
  std::unique_lock lock(mutex_);
  arrived_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
  std::vector<Waiting> batch;
  while (!queue_.empty() && batch.size() < static_cast<size_t>(options_.batch_max)) {
    batch.push_back(std::move(queue_.front()));
    queue_.pop_front();
  }
  queue_length_.Set(static_cast<double>(queue_.size()));
  return batch;
}

void Executor::RunBatch(std::vector<Waiting> batch) {
  absl::Duration pause = kFirstPause;
  absl::Status last_failure;
  while (!batch.empty()) {
    // Whose time is over is answered, and takes no part.
    std::vector<Waiting> live;
    for (Waiting& waiting : batch) {
      if (clock_.Now() < waiting.call.deadline) {
        live.push_back(std::move(waiting));
      } else {
        Answer(waiting, last_failure.ok() ? status::Refuse(common::v1::REASON_DEADLINE_PASSED)
                                          : last_failure);
      }
    }
    if (live.empty()) return;
    absl::Time latest = absl::InfinitePast();
    for (const Waiting& waiting : live) latest = std::max(latest, waiting.call.deadline);

    auto session = store_.Open(latest);
    batch.clear();
    if (!session.ok()) {
      last_failure = session.status();
      batch = std::move(live);
    } else {
      std::vector<engine::CommandCall> calls;
      calls.reserve(live.size());
      for (const Waiting& waiting : live) calls.push_back(waiting.call);
      auto outcomes = engine_.Execute(**session, calls);
      for (size_t i = 0; i < live.size(); ++i) {
        if (status::IsTransient(outcomes[i].status())) {
          last_failure = outcomes[i].status();
          batch.push_back(std::move(live[i]));
        } else {
          Answer(live[i], std::move(outcomes[i]));
        }
      }
    }
    if (batch.empty()) return;
    std::unique_lock lock(mutex_);
    if (stopping_) {
      lock.unlock();
      for (Waiting& waiting : batch) Answer(waiting, last_failure);
      return;
    }
    arrived_.wait_for(lock, absl::ToChronoMilliseconds(pause), [this] { return stopping_; });
    pause = std::min(pause * 2, kLongestPause);
  }
}

void Executor::Answer(Waiting& waiting, engine::Outcome outcome) {
  const std::string& command = waiting.call.request->GetDescriptor()->name();
  std::string reason = "OK";
  if (!outcome.ok()) {
    reason = status::ReasonOf(outcome.status());
    if (absl::IsInternal(outcome.status())) {
      telemetry::Error(
          "a command failed and had no effect: see status, and give the trace to a developer",
          {{"command", command}, {"status", outcome.status()}});
    }
  }
  telemetry::GetCounter("sankofa_commands_total", "Commands by outcome.",
                        {{"service", options_.service}, {"command", command}, {"reason", reason}})
      .Add();
  seconds_.Observe(absl::ToDoubleSeconds(clock_.Now() - waiting.since));
  waiting.done(std::move(outcome));
}

}  // namespace sankofa::service
