#include "services/platform/telemetry/metrics.h"

#include <exception>
#include <mutex>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "prometheus/counter.h"
#include "prometheus/exposer.h"
#include "prometheus/family.h"
#include "prometheus/gauge.h"
#include "prometheus/histogram.h"
#include "prometheus/registry.h"
#include "prometheus/text_serializer.h"
#include "services/platform/status/check.h"
#include "services/platform/status/refuse.h"

namespace sankofa::telemetry {
namespace {

struct Metrics {
  std::shared_ptr<prometheus::Registry> registry = std::make_shared<prometheus::Registry>();
  std::mutex mutex;
  std::map<std::string, prometheus::Family<prometheus::Counter>*> counters;
  std::map<std::string, prometheus::Family<prometheus::Gauge>*> gauges;
  std::map<std::string, prometheus::Family<prometheus::Histogram>*> histograms;
  std::map<std::string, std::set<Labels>> series;
};

Metrics& TheMetrics() {
  static Metrics* const metrics = new Metrics;  // never destroyed: handles outlive everything
  return *metrics;
}

// The labels to count under: as given, or "other" where the name has too many series.
Labels Bounded(Metrics& metrics, const std::string& name, Labels labels) {
  auto& known = metrics.series[name];
  if (known.contains(labels)) return labels;
  if (known.size() >= kSeriesLimit) {
    for (auto& [_, value] : labels) value = "other";
  }
  known.insert(labels);
  return labels;
}

// The metric of `name` and `labels`, in the family that `build` makes on first use. A name that Prometheus refuses, or
// that is used for two kinds of metric, is a bug of ours.
template <class Metric, class Build, class... Argument>
Metric& Find(std::map<std::string, prometheus::Family<Metric>*>& families, Build build,
             const std::string& name, const std::string& help, const Labels& labels,
             const Argument&... arguments) {
  Metrics& metrics = TheMetrics();
  const std::lock_guard lock(metrics.mutex);
  try {
    auto& family = families[name];
    if (family == nullptr) {
      family = &build().Name(name).Help(help).Register(*metrics.registry);
    }
    return family->Add(Bounded(metrics, name, labels), arguments...);
  } catch (const std::exception& error) {
    status::Fail(absl::StrCat("metric ", name, ": ", error.what()));
  }
}

}  // namespace

void Counter::Add(double by) { counter_->Increment(by); }
double Counter::value() const { return counter_->Value(); }

void Gauge::Set(double value) { gauge_->Set(value); }
void Gauge::Add(double by) { gauge_->Increment(by); }
double Gauge::value() const { return gauge_->Value(); }

void Histogram::Observe(double value) { histogram_->Observe(value); }

const std::vector<double>& SecondsBuckets() {
  static const std::vector<double> buckets{0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05,
                                           0.1,    0.25,  0.5,    1,     2.5,  10,    30};
  return buckets;
}

const std::vector<double>& SizeBuckets() {
  static const std::vector<double> buckets{1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 4096};
  return buckets;
}

Counter GetCounter(const std::string& name, const std::string& help, const Labels& labels) {
  return Counter(Find(TheMetrics().counters, prometheus::BuildCounter, name, help, labels));
}

Gauge GetGauge(const std::string& name, const std::string& help, const Labels& labels) {
  return Gauge(Find(TheMetrics().gauges, prometheus::BuildGauge, name, help, labels));
}

Histogram GetHistogram(const std::string& name, const std::string& help, const Labels& labels,
                       const std::vector<double>& buckets) {
  return Histogram(Find(TheMetrics().histograms, prometheus::BuildHistogram, name, help, labels,
                        prometheus::Histogram::BucketBoundaries(buckets)));
}

std::string MetricsText() {
  return prometheus::TextSerializer().Serialize(TheMetrics().registry->Collect());
}

absl::StatusOr<std::unique_ptr<MetricsServer>> MetricsServer::Start(const std::string& address) {
  try {
    auto exposer = std::make_unique<prometheus::Exposer>(address, /*num_threads=*/2);
    exposer->RegisterCollectable(TheMetrics().registry);
    return std::unique_ptr<MetricsServer>(new MetricsServer(std::move(exposer)));
  } catch (const std::exception& error) {
    return status::Unavailable(
        absl::StrCat("metrics can't be served at ", address, ": ", error.what()));
  }
}

MetricsServer::MetricsServer(std::unique_ptr<prometheus::Exposer> exposer)
    : exposer_(std::move(exposer)) {}
MetricsServer::~MetricsServer() = default;

int MetricsServer::port() const {
  const std::vector<int> ports = exposer_->GetListeningPorts();
  return ports.empty() ? 0 : ports.front();
}

}  // namespace sankofa::telemetry
