#include "services/exchange/feed/backlog.h"

#include <algorithm>

#include "sankofa/exchange/v1/exchange_reason.pb.h"
#include "sankofa/exchange/v1/partner.pb.h"
#include "services/platform/status/refuse.h"

namespace sankofa::exchange {
namespace {

using engine::Context;
using engine::Decision;
using status::Refuse;

bool Holds(const v1::Backlog& backlog, const std::string& message_id) {
  return std::any_of(backlog.kept().begin(), backlog.kept().end(),
                     [&](const v1::KeptMessage& kept) { return kept.id() == message_id; });
}

}  // namespace

Decision BacklogDecider::Decide(const State& backlog, const v1::KeepMessageRequest& request,
                                const Context& context) {
  if (Holds(backlog, request.message().id())) return engine::Events();
  const auto& partner = context.Related<v1::Partner>(request.partner_id());
  if (partner.state() != v1::PARTNER_STATE_SUSPENDED) return Refuse(v1::REASON_LOOK_AGAIN);
  if (backlog.kept_size() >= kKeptMessagesMax ||
      backlog.ByteSizeLong() + request.message().ByteSizeLong() > kKeptBytesMax) {
    return Refuse(v1::REASON_BACKLOG_FULL);
  }
  v1::MessageKept kept;
  kept.set_partner_id(request.partner_id());
  *kept.mutable_message() = request.message();
  return engine::Emit(std::move(kept));
}

Decision BacklogDecider::Decide(const State& backlog, const v1::TakeKeptMessagesRequest& request,
                                const Context& /*context*/) {
  for (const std::string& id : request.message_ids()) {
    if (!Holds(backlog, id)) return Refuse(v1::REASON_LOOK_AGAIN);
  }
  v1::KeptMessagesTaken taken;
  taken.set_partner_id(request.partner_id());
  *taken.mutable_message_ids() = request.message_ids();
  return engine::Emit(std::move(taken));
}

Decision BacklogDecider::Decide(const State& backlog, const v1::StartCatchUpRequest& request,
                                const Context& /*context*/) {
  v1::CatchUpStarted started;
  started.set_partner_id(request.partner_id());
  started.set_round(backlog.round() + 1);
  return engine::Emit(std::move(started));
}

Decision BacklogDecider::Decide(const State& backlog, const v1::AdvanceCatchUpRequest& request,
                                const Context& /*context*/) {
  if (backlog.round() != request.round() || backlog.done()) return engine::Events();
  v1::CatchUpAdvanced advanced;
  advanced.set_partner_id(request.partner_id());
  advanced.set_round(request.round());
  advanced.set_after(request.after());
  advanced.set_done(request.done());
  return engine::Emit(std::move(advanced));
}

void BacklogDecider::Apply(State& backlog, const v1::MessageKept& event) {
  backlog.set_id(event.partner_id());
  *backlog.add_kept() = event.message();
}

void BacklogDecider::Apply(State& backlog, const v1::KeptMessagesTaken& event) {
  auto& kept = *backlog.mutable_kept();
  kept.erase(std::remove_if(kept.begin(), kept.end(),
                            [&](const v1::KeptMessage& message) {
                              return std::find(event.message_ids().begin(),
                                               event.message_ids().end(),
                                               message.id()) != event.message_ids().end();
                            }),
             kept.end());
}

void BacklogDecider::Apply(State& backlog, const v1::CatchUpStarted& event) {
  backlog.set_id(event.partner_id());
  backlog.set_round(event.round());
  backlog.clear_after();
  backlog.set_done(false);
}

void BacklogDecider::Apply(State& backlog, const v1::CatchUpAdvanced& event) {
  backlog.set_after(event.after());
  backlog.set_done(event.done());
}

void BindBacklog(engine::Registry& registry) {
  using engine::Target;
  registry.Command<BacklogDecider, v1::KeepMessageRequest>(
      {.target = Target::kEither,
       .id = [](const auto& request) { return request.partner_id(); },
       .names = [](const auto& request, const auto& /*backlog*/,
                   engine::Names& names) { names.Add<v1::Partner>(request.partner_id()); }});
  registry.Command<BacklogDecider, v1::TakeKeptMessagesRequest>(
      {.target = Target::kEither, .id = [](const auto& request) { return request.partner_id(); }});
  registry.Command<BacklogDecider, v1::StartCatchUpRequest>(
      {.target = Target::kEither, .id = [](const auto& request) { return request.partner_id(); }});
  registry.Command<BacklogDecider, v1::AdvanceCatchUpRequest>(
      {.target = Target::kEither, .id = [](const auto& request) { return request.partner_id(); }});
}

}  // namespace sankofa::exchange
