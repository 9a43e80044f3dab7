#pragma once

#include <memory>
#include <string>

#include "services/platform/kafka/relay.h"
#include "services/platform/postgres/journal.h"

namespace sankofa::service {

// One shard of a service's journal, as the relay asks for it, over a connection of its own: the shard is owned by the
// connection's session, so a lost connection is lost ownership: every call but Own then says UNAVAILABLE, until Own has
// connected anew and taken the shard.
class JournalRelaySource final : public kafka::RelaySource {
 public:
  JournalRelaySource(postgres::ConnectOptions connect, std::string schema, int shard);

  [[nodiscard]] absl::StatusOr<bool> Own() override;
  void Release() override;
  [[nodiscard]] absl::StatusOr<kafka::RelayState> Load() override;
  [[nodiscard]] absl::StatusOr<std::vector<kafka::RelayRow>> Read(kafka::RelayPosition after,
                                                                  int limit) override;
  [[nodiscard]] absl::StatusOr<std::vector<kafka::RelayRow>> ReadCase(
      const std::string& partition_key, kafka::RelayPosition from, kafka::RelayPosition to,
      int limit) override;
  [[nodiscard]] absl::Status Save(const kafka::RelayUpdate& update) override;
  [[nodiscard]] absl::StatusOr<kafka::RelayLag> Lag(kafka::RelayPosition after) override;
  [[nodiscard]] absl::StatusOr<bool> Wait(absl::Time deadline) override;

 private:
  [[nodiscard]] absl::Status Connect();
  [[nodiscard]] absl::Status Connected() const;

  const postgres::ConnectOptions connect_;
  const std::string schema_;
  const int shard_;
  std::unique_ptr<postgres::Connection> connection_;
  std::unique_ptr<postgres::Journal> journal_;
};

}  // namespace sankofa::service
