#include "services/platform/rpc/certificates.h"

#include <array>
#include <map>
#include <mutex>
#include <string>

#include "services/platform/rpc/files.h"

namespace sankofa::rpc {
namespace {

using Provider = grpc::experimental::CertificateProviderInterface;
using Files = std::array<std::string, 3>;

constexpr unsigned int kLookEverySeconds = 1;

}  // namespace

absl::StatusOr<std::shared_ptr<Provider>> CertificatesOf(const TlsFiles& files) {
  for (const std::string* file : {&files.ca, &files.certificate, &files.key}) {
    if (auto read = ReadFile(*file); !read.ok()) return read.status();
  }
  static std::mutex mutex;
  static auto* const watched = new std::map<Files, std::weak_ptr<Provider>>();
  const std::scoped_lock lock(mutex);
  std::weak_ptr<Provider>& known = (*watched)[{files.ca, files.certificate, files.key}];
  std::shared_ptr<Provider> provider = known.lock();
  if (provider == nullptr) {
    provider = std::make_shared<grpc::experimental::FileWatcherCertificateProvider>(
        files.key, files.certificate, files.ca, kLookEverySeconds);
    known = provider;
  }
  return provider;
}

}  // namespace sankofa::rpc
