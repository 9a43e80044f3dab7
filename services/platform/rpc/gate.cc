#include "services/platform/rpc/gate.h"

#include <grpc/grpc_security_constants.h>
#include <grpcpp/support/proto_buffer_reader.h>

#include <chrono>
#include <optional>
#include <set>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "sankofa/common/v1/common_reason.pb.h"
#include "services/platform/rpc/check/shape.h"
#include "services/platform/status/check.h"
#include "services/platform/status/refuse.h"
#include "services/platform/status/text.h"
#include "services/platform/telemetry/trace.h"

namespace sankofa::rpc {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::MethodDescriptor;

constexpr char kAuthorization[] = "authorization";
constexpr char kTraceparent[] = "traceparent";
constexpr char kScenarioTime[] = "sankofa-scenario-time";
// A client's deadline is rounded up on its way.
constexpr absl::Duration kDeadlineRounding = absl::Seconds(1);

// "sankofa.registration.v1.RegistrationService" → "registration".
std::string ServiceOf(const MethodDescriptor& method) {
  const std::vector<std::string> parts = absl::StrSplit(method.service()->full_name(), '.');
  return parts.size() > 2 ? parts[1] : method.service()->name();
}

// The one value of a metadata key; nothing where there is none or several.
std::optional<std::string_view> MetadataOf(const grpc::CallbackServerContext& context,
                                           const char* key) {
  const auto& metadata = context.client_metadata();
  const auto [first, last] = metadata.equal_range(key);
  if (first == last || std::next(first) != last) return std::nullopt;
  return std::string_view(first->second.data(), first->second.size());
}

bool HasMetadata(const grpc::CallbackServerContext& context, const char* key) {
  return context.client_metadata().count(key) > 0;
}

// What keeps one method from being served; the kind that it is served as where nothing does.
class Binder {
 public:
  explicit Binder(std::vector<std::string>& faults) : faults_(faults) {}

  std::unique_ptr<Method> Bind(const ServiceBinding& binding, const MethodDescriptor& method) {
    const std::size_t before = faults_.size();
    const auto access = AccessRule::Of(method);
    if (!access) Fault(method, "has no access option that lets anybody in");
    const auto kind = KindOf(binding, method);
    for (std::string& fault : RuleFaults(*method.input_type())) faults_.push_back(std::move(fault));
    if (faults_.size() > before || !access || !kind) return nullptr;
    return std::make_unique<Method>(method, *kind, *access, *binding.dispatcher);
  }

 private:
  void Fault(const MethodDescriptor& method, std::string_view what) {
    faults_.push_back(absl::StrCat(method.full_name(), " ", status::Absl(what)));
  }

  std::optional<MethodKind> KindOf(const ServiceBinding& binding, const MethodDescriptor& method) {
    const std::string& request = method.input_type()->full_name();
    const auto* command =
        binding.registry == nullptr ? nullptr : binding.registry->FindCommand(request);
    const Queries::Handler* query = nullptr;
    if (binding.queries != nullptr) {
      const auto found = binding.queries->handlers().find(request);
      if (found != binding.queries->handlers().end()) query = &found->second;
    }
    if (method.client_streaming()) {
      Fault(method, "streams from the client, which is not supported");
    } else if (command != nullptr && query != nullptr) {
      Fault(method, "is bound both as a command and as a query");
    } else if (command != nullptr) {
      if (method.server_streaming()) {
        Fault(method, "is a command but streams");
      } else if (method.output_type() != command->aggregate->prototype->GetDescriptor()) {
        Fault(method, "is a command but does not return its aggregate");
      } else {
        return MethodKind::kCommand;
      }
    } else if (query == nullptr) {
      Fault(method, "is bound neither as a command nor as a query");
    } else if (method.server_streaming() != (query->stream != nullptr)) {
      Fault(method, "streams on one side of its binding only");
    } else {
      return method.server_streaming() ? MethodKind::kStream : MethodKind::kQuery;
    }
    return std::nullopt;
  }

  std::vector<std::string>& faults_;
};

}  // namespace

Method::Method(const MethodDescriptor& descriptor, MethodKind kind, AccessRule access,
               Dispatcher& dispatcher)
    : descriptor(descriptor),
      kind(kind),
      access(std::move(access)),
      dispatcher(dispatcher),
      name(absl::StrCat(descriptor.service()->full_name(), "/", descriptor.name())),
      path(absl::StrCat("/", name)),
      service(ServiceOf(descriptor)),
      request(google::protobuf::MessageFactory::generated_factory()->GetPrototype(
          descriptor.input_type())),
      answered_(telemetry::GetCounter(
          "sankofa_rpc_calls_total", "Calls by method and outcome: OK or the refusal's reason.",
          {{"service", service}, {"method", descriptor.name()}, {"outcome", "OK"}})),
      seconds_(telemetry::GetHistogram("sankofa_rpc_seconds",
                                       "Time from a call's arrival to its answer.",
                                       {{"service", service}, {"method", descriptor.name()}})) {
  status::Check(request != nullptr, name + " has a request that is not compiled in");
}

void Method::Count(const std::string& reason, absl::Duration took) const {
  if (reason == "OK") {
    answered_.Add();
  } else {
    telemetry::GetCounter(
        "sankofa_rpc_calls_total", "Calls by method and outcome: OK or the refusal's reason.",
        {{"service", service}, {"method", descriptor.name()}, {"outcome", reason}})
        .Add();
  }
  // A stream lasts as long as somebody looks; its length says nothing.
  if (kind != MethodKind::kStream) seconds_.Observe(absl::ToDoubleSeconds(took));
}

absl::StatusOr<std::vector<std::unique_ptr<Method>>> BindMethods(
    const std::vector<ServiceBinding>& services) {
  std::vector<std::string> faults;
  std::vector<std::unique_ptr<Method>> methods;
  std::set<std::string> names;
  Binder binder(faults);
  for (const ServiceBinding& binding : services) {
    status::Check(binding.rpc != nullptr && binding.dispatcher != nullptr,
                  "a service without descriptor or dispatcher");
    if (!names.insert(binding.rpc->full_name()).second) {
      faults.push_back(absl::StrCat(binding.rpc->full_name(), " is bound twice"));
      continue;
    }
    std::set<std::string> requests;
    for (int i = 0; i < binding.rpc->method_count(); ++i) {
      const MethodDescriptor& method = *binding.rpc->method(i);
      requests.insert(method.input_type()->full_name());
      if (auto bound = binder.Bind(binding, method)) methods.push_back(std::move(bound));
    }
    if (binding.queries != nullptr) {
      for (const auto& [request, _] : binding.queries->handlers()) {
        if (requests.contains(request)) continue;
        faults.push_back(absl::StrCat(request, " is bound as a query but no method of ",
                                      binding.rpc->full_name(), " takes it"));
      }
    }
    if (binding.registry != nullptr) {
      if (const absl::Status stored = binding.registry->Check(); !stored.ok()) {
        faults.emplace_back(stored.message());
      }
    }
  }
  if (!faults.empty()) return absl::FailedPreconditionError(absl::StrJoin(faults, "\n"));
  return methods;
}

std::string Gate::TraceOf(const grpc::CallbackServerContext& context) {
  return telemetry::ChildTraceparent(MetadataOf(context, kTraceparent).value_or(""));
}

absl::StatusOr<Admission> Gate::Admit(const grpc::CallbackServerContext& context,
                                      const Method& method, const std::string& traceparent) {
  Admission admission;
  admission.traceparent = traceparent;
  const auto deadline = DeadlineOf(context, method);
  if (!deadline.ok()) return deadline.status();
  admission.deadline = *deadline;
  absl::Status allowed = ReadSystem(context, admission.actor);
  if (allowed.ok()) allowed = ReadPerson(context, admission.actor);
  if (allowed.ok()) allowed = CheckAccess(method.access, admission.actor);
  if (!allowed.ok()) {
    denied_.Met(telemetry::Level::kWarn, "a call was denied",
                {{"method", method.name}, {"system", admission.actor.system}, {"status", allowed}});
    return allowed;
  }
  if (options_.rate != nullptr) {
    if (auto taken = options_.rate->Take(admission.actor); !taken.ok()) {
      limited_.Met(
          telemetry::Level::kWarn, "a caller makes too many calls",
          {{"method", method.name}, {"system", admission.actor.system}, {"status", taken}});
      return taken;
    }
  }
  const auto now = NowOf(context);
  if (!now.ok()) return now.status();
  admission.now = *now;
  return admission;
}

absl::StatusOr<absl::Time> Gate::DeadlineOf(const grpc::CallbackServerContext& context,
                                            const Method& method) const {
  const auto given = const_cast<grpc::CallbackServerContext&>(context).deadline();
  const absl::Time now = absl::Now();
  const absl::Duration most =
      method.kind == MethodKind::kStream ? options_.stream_deadline_max : options_.deadline_max;
  if (given == std::chrono::system_clock::time_point::max()) {
    return status::Refuse(common::v1::REASON_DEADLINE_REQUIRED);
  }
  const absl::Time deadline = absl::FromChrono(given);
  if (deadline > now + most + kDeadlineRounding) {
    return status::Refuse(
        common::v1::REASON_DEADLINE_REQUIRED,
        {.fields = {}, .metadata = {{"seconds_max", absl::StrCat(absl::ToInt64Seconds(most))}}});
  }
  if (deadline <= now) return status::Refuse(common::v1::REASON_DEADLINE_PASSED);
  return deadline;
}

absl::Status Gate::ReadSystem(const grpc::CallbackServerContext& context,
                              engine::Actor& actor) const {
  const auto peer = context.auth_context();
  if (peer != nullptr && peer->IsPeerAuthenticated()) {
    const auto ids = peer->FindPropertyValues(GRPC_PEER_SPIFFE_ID_PROPERTY_NAME);
    if (ids.size() == 1) {
      auto system = SystemOf({ids[0].data(), ids[0].size()}, options_.node);
      if (system) {
        actor.system = *std::move(system);
        return absl::OkStatus();
      }
    }
  }
  return status::Refuse(common::v1::REASON_UNAUTHENTICATED,
                        {.fields = {}, .metadata = {{"cause", "certificate of no known system"}}});
}

absl::Status Gate::ReadPerson(const grpc::CallbackServerContext& context, engine::Actor& actor) {
  if (!HasMetadata(context, kAuthorization)) return absl::OkStatus();
  constexpr std::string_view kScheme = "bearer ";
  const std::string_view header = MetadataOf(context, kAuthorization).value_or("");
  if (header.size() <= kScheme.size() ||
      !absl::EqualsIgnoreCase(status::Absl(header.substr(0, kScheme.size())),
                              status::Absl(kScheme))) {
    return status::Refuse(common::v1::REASON_UNAUTHENTICATED,
                          {.fields = {}, .metadata = {{"cause", "not one bearer token"}}});
  }
  auto person = tokens_->Verify(header.substr(kScheme.size()));
  if (!person.ok()) return person.status();
  actor.subject = std::move(person->subject);
  actor.organisation = std::move(person->organisation);
  actor.roles = std::move(person->roles);
  return absl::OkStatus();
}

absl::StatusOr<absl::Time> Gate::NowOf(const grpc::CallbackServerContext& context) const {
  if (!HasMetadata(context, kScenarioTime)) return options_.clock->Now();
  if (!options_.accept_scenario_time) {
    return status::RefuseField(common::v1::REASON_INVALID_FIELD, kScenarioTime,
                               "is not accepted by this node");
  }
  absl::Time now;
  std::string error;
  const std::string_view text = MetadataOf(context, kScenarioTime).value_or("");
  if (!absl::ParseTime(absl::RFC3339_full, status::Absl(text), &now, &error) ||
      now == absl::InfiniteFuture() || now == absl::InfinitePast()) {
    return status::RefuseField(common::v1::REASON_INVALID_FIELD, kScenarioTime,
                               "is not a time (RFC 3339)");
  }
  return now;
}

absl::StatusOr<std::shared_ptr<google::protobuf::Message>> Gate::Read(const Method& method,
                                                                      const grpc::ByteBuffer& bytes,
                                                                      absl::Time now) const {
  if (bytes.Length() > options_.message_bytes_max) {
    return status::Refuse(
        common::v1::REASON_MESSAGE_TOO_LARGE,
        {.fields = {}, .metadata = {{"bytes_max", absl::StrCat(options_.message_bytes_max)}}});
  }
  std::shared_ptr<google::protobuf::Message> request(method.request->New());
  grpc::ByteBuffer copy(bytes);  // shares the slices; the reader wants one that it may change
  grpc::ProtoBufferReader reader(&copy);
  if (!reader.status().ok() || !request->ParseFromZeroCopyStream(&reader)) {
    return status::Refuse(common::v1::REASON_MALFORMED_MESSAGE);
  }
  request->DiscardUnknownFields();
  if (absl::Status shape = CheckShape(*request, now); !shape.ok()) return shape;
  return request;
}

}  // namespace sankofa::rpc
