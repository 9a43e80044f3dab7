#pragma once

#include <sys/stat.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

namespace sankofa::crypto {

// Which file it is, and in which state: another after it was replaced, written or given other rights.
struct FileStamp {
  ino_t inode = 0;
  off_t size = 0;
  std::int64_t seconds = 0;
  std::int64_t nanoseconds = 0;
  bool operator==(const FileStamp&) const = default;
};

[[nodiscard]] inline FileStamp StampOf(const std::string& file) {
  struct stat info {};
  if (file.empty() || ::stat(file.c_str(), &info) != 0) return {};
  return {info.st_ino, info.st_size, info.st_ctim.tv_sec, info.st_ctim.tv_nsec};
}

// What a file holds, so that keys can be changed while the node works: the file is looked at again once a second, when
// its content is needed. A file that can't be read, or that `read` does not want, changes nothing. Thread-safe.
template <class T>
class LiveFile {
 public:
  using Value = std::shared_ptr<const T>;
  // Reads the file; null where what it holds is not to be used in the place of `before`.
  using Read = std::function<Value(const Value& before)>;

  // Without a file: always the same.
  explicit LiveFile(Value value) : value_(std::move(value)) {}
  // `seen` is from before `value` was read: what changed since is found.
  LiveFile(std::string file, const FileStamp& seen, Value value, Read read)
      : file_(std::move(file)), read_(std::move(read)), stamp_(seen), value_(std::move(value)) {}

  // `look_now`: also where a second is not over.
  [[nodiscard]] Value Current(bool look_now = false) {
    const std::scoped_lock lock(mutex_);
    const Clock::time_point now = Clock::now();
    if (!file_.empty() && (look_now || now >= next_look_)) {
      next_look_ = now + kLookEvery;
      if (const FileStamp seen = StampOf(file_); seen != stamp_) {
        stamp_ = seen;
        if (Value fresh = read_(value_)) value_ = std::move(fresh);
      }
    }
    return value_;
  }

 private:
  using Clock = std::chrono::steady_clock;
  static constexpr std::chrono::seconds kLookEvery{1};

  const std::string file_;
  const Read read_;
  std::mutex mutex_;
  FileStamp stamp_;
  Value value_;
  Clock::time_point next_look_ = Clock::now() + kLookEvery;
};

}  // namespace sankofa::crypto
