#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace prometheus {
class Counter;
class Exposer;
class Gauge;
class Histogram;
}  // namespace prometheus

// Prometheus metrics. The registry is the process's one piece of global state: a metric is found by its name and
// labels from anywhere, made on first use, and lives until the process ends. Names begin with "sankofa_" and end with
// their unit ("_total", "_seconds", "_bytes"). Labels are words from small closed sets (service, method, reason), never
// ids: a name has at most kSeriesLimit series, what comes after is counted under label values "other".
//
//     static telemetry::Counter refused = telemetry::GetCounter(
//         "sankofa_commands_total", "Commands by outcome.", {{"service", name}, {"outcome", "refused"}});
//     refused.Add();
//
// The handles are small, thread-safe and meant to be kept where a call is frequent.
namespace sankofa::telemetry {

using Labels = std::map<std::string, std::string>;

inline constexpr std::size_t kSeriesLimit = 2000;

class Counter {
 public:
  explicit Counter(prometheus::Counter& counter) : counter_(&counter) {}
  void Add(double by = 1);
  [[nodiscard]] double value() const;

 private:
  prometheus::Counter* counter_;
};

class Gauge {
 public:
  explicit Gauge(prometheus::Gauge& gauge) : gauge_(&gauge) {}
  void Set(double value);
  void Add(double by);
  [[nodiscard]] double value() const;

 private:
  prometheus::Gauge* gauge_;
};

class Histogram {
 public:
  explicit Histogram(prometheus::Histogram& histogram) : histogram_(&histogram) {}
  void Observe(double value);

 private:
  prometheus::Histogram* histogram_;
};

// 0.5 ms to 30 s, for durations in seconds; 1 to 4096, for sizes of batches and queues.
[[nodiscard]] const std::vector<double>& SecondsBuckets();
[[nodiscard]] const std::vector<double>& SizeBuckets();

[[nodiscard]] Counter GetCounter(const std::string& name, const std::string& help,
                                 const Labels& labels = {});
[[nodiscard]] Gauge GetGauge(const std::string& name, const std::string& help,
                             const Labels& labels = {});
[[nodiscard]] Histogram GetHistogram(const std::string& name, const std::string& help,
                                     const Labels& labels = {},
                                     const std::vector<double>& buckets = SecondsBuckets());

// All metrics in Prometheus' text format.
[[nodiscard]] std::string MetricsText();

// Serves them at http://<address>/metrics while it lives.
class MetricsServer {
 public:
  // `address`: "127.0.0.1:7480"; port 0 takes a free one.
  [[nodiscard]] static absl::StatusOr<std::unique_ptr<MetricsServer>> Start(
      const std::string& address);
  ~MetricsServer();
  [[nodiscard]] int port() const;

 private:
  explicit MetricsServer(std::unique_ptr<prometheus::Exposer> exposer);
  std::unique_ptr<prometheus::Exposer> exposer_;
};

}  // namespace sankofa::telemetry
