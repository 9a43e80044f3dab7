#include "services/platform/service/waiting_threads.h"

#include <utility>

#include "services/platform/telemetry/log.h"

namespace sankofa::service {

WaitingThreads::WaitingThreads(std::string service, int threads, int queue_max)
    : service_(std::move(service)), queue_max_(static_cast<size_t>(queue_max)) {
  for (int i = 0; i < threads; ++i) {
    threads_.emplace_back([this] { Work(); });
  }
}

WaitingThreads::~WaitingThreads() { Stop(); }

bool WaitingThreads::Submit(std::function<void()> work) {
  {
    const std::scoped_lock lock(mutex_);
    if (stopping_ || queue_.size() >= queue_max_) return false;
    queue_.push_back(std::move(work));
  }
  arrived_.notify_one();
  return true;
}

void WaitingThreads::Stop() {
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
  }
  arrived_.notify_all();
  for (std::thread& thread : threads_) {
    if (thread.joinable()) thread.join();
  }
}

void WaitingThreads::Work() {
  const telemetry::ServiceScope scope(service_);
  while (true) {
    std::function<void()> work;
    {
      std::unique_lock lock(mutex_);
      arrived_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
      if (queue_.empty()) return;
      work = std::move(queue_.front());
      queue_.pop_front();
    }
    work();
  }
}

}  // namespace sankofa::service
