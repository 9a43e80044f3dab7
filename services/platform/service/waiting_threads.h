#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace sankofa::service {

// A few threads that may wait: for queries, and for what a decision needs from another service. Work beyond the queue's
// limit is refused, not queued.
class WaitingThreads {
 public:
  WaitingThreads(std::string service, int threads, int queue_max);
  ~WaitingThreads();
  WaitingThreads(const WaitingThreads&) = delete;
  WaitingThreads& operator=(const WaitingThreads&) = delete;

  // False where the queue is full or Stop was called: `work` then never runs.
  [[nodiscard]] bool Submit(std::function<void()> work);

  // Finishes what is queued.
  void Stop();

 private:
  void Work();

  const std::string service_;
  const size_t queue_max_;
  std::mutex mutex_;
  std::condition_variable arrived_;
  std::deque<std::function<void()>> queue_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace sankofa::service
