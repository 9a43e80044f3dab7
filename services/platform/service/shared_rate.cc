#include "services/platform/service/shared_rate.h"

#include <algorithm>
#include <span>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/platform/status/refuse.h"

namespace sankofa::service {
namespace {

constexpr std::chrono::seconds kShareInterval{1};
constexpr char kKeptSeconds[] = "180";
constexpr std::size_t kCountsMax = redis::kPipelineMax / 2;

}  // namespace

absl::StatusOr<std::vector<std::int64_t>> RedisCounts::Add(const std::vector<Count>& counts) {
  std::vector<std::int64_t> sums;
  for (std::size_t from = 0; from < counts.size(); from += kCountsMax) {
    std::vector<redis::Command> commands;
    for (const Count& count :
         std::span(counts).subspan(from, std::min(kCountsMax, counts.size() - from))) {
      commands.push_back({"INCRBY", count.key, absl::StrCat(count.added)});
      commands.push_back({"EXPIRE", count.key, kKeptSeconds});
    }
    const auto replies = client_.Pipeline(commands);
    if (!replies.ok()) return replies.status();
    for (std::size_t i = 0; i < replies->size(); i += 2) {
      if ((*replies)[i].kind != redis::Reply::Kind::kInteger) {
        return status::Internal("redis does not count calls");
      }
      sums.push_back((*replies)[i].integer);
    }
  }
  return sums;
}

absl::StatusOr<std::unique_ptr<SharedRate>> SharedRate::Start(rpc::RateLimits limits,
                                                              const std::string& redis_address) {
  auto client = redis::Client::Create({.address = redis_address});
  if (!client.ok()) return client.status();
  return std::unique_ptr<SharedRate>(new SharedRate(limits, *std::move(client)));
}

SharedRate::SharedRate(rpc::RateLimits limits, std::unique_ptr<redis::Client> client)
    : limiter_(limits), client_(std::move(client)), counts_(*client_), thread_([this] { Run(); }) {}

void SharedRate::Run() {
  std::unique_lock lock(mutex_);
  while (!wake_.wait_for(lock, kShareInterval, [this] { return stopping_; })) {
    lock.unlock();
    // The client says once that Redis is away; the limiter goes on with what it has.
    (void)limiter_.Share(counts_);
    lock.lock();
  }
}

SharedRate::~SharedRate() {
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

}  // namespace sankofa::service
