#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "services/platform/engine/engine.h"
#include "services/platform/telemetry/metrics.h"
#include "services/platform/time/time.h"

namespace sankofa::service {

// Where commands wait, and the threads that take them through the engine. A worker takes what is waiting, at most
// `batch_max`, and gives it to the engine as one batch: an idle service answers at once, a busy one in large batches.
// The queue has a limit; beyond it a command is refused at once, before it costs anything.
//
// A lost connection or a lost race inside the database is tried again until the command's deadline. That is safe: the
// stored answer of the request id tells whether the first try took effect.
class Executor {
 public:
  struct Options {
    std::string service;
    int workers = 2;
    int queue_max = 1024;
    int batch_max = 128;
  };
  using Done = std::function<void(engine::Outcome)>;

  Executor(Options options, const engine::Engine& engine, engine::Store& store,
           const time::Clock& clock = time::WallClock());
  ~Executor();
  Executor(const Executor&) = delete;
  Executor& operator=(const Executor&) = delete;

  // `done` is called once, on a worker or, for a refusal at once, on the caller's thread. It must not wait.
  void Submit(engine::CommandCall call, Done done);

  // Submits and waits. Not for a worker's thread.
  [[nodiscard]] engine::Outcome Run(engine::CommandCall call);

  // Refuses new commands, finishes those that wait, ends the workers.
  void Stop();

 private:
  struct Waiting {
    engine::CommandCall call;
    Done done;
    absl::Time since;
  };

  void Work();
  [[nodiscard]] std::vector<Waiting> Take();
  void RunBatch(std::vector<Waiting> batch);
  void Answer(Waiting& waiting, engine::Outcome outcome);

  const Options options_;
  const engine::Engine& engine_;
  engine::Store& store_;
  const time::Clock& clock_;
  telemetry::Gauge queue_length_;
  telemetry::Histogram batch_size_;
  telemetry::Histogram seconds_;

  std::mutex mutex_;
  std::condition_variable arrived_;
  std::deque<Waiting> queue_;
  bool stopping_ = false;
  std::vector<std::thread> workers_;
};

}  // namespace sankofa::service
