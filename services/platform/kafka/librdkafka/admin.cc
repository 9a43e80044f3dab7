#include <algorithm>
#include <array>
#include <mutex>
#include <optional>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "services/platform/kafka/librdkafka/handle.h"
#include "services/platform/status/check.h"
#include "services/platform/status/text.h"

namespace sankofa::kafka {
namespace librdkafka {
namespace {

using NewTopic = std::unique_ptr<rd_kafka_NewTopic_t, Deleter<rd_kafka_NewTopic_destroy>>;
using Options = std::unique_ptr<rd_kafka_AdminOptions_t, Deleter<rd_kafka_AdminOptions_destroy>>;
using Binding = std::unique_ptr<rd_kafka_AclBinding_t, Deleter<rd_kafka_AclBinding_destroy>>;

constexpr std::size_t kErrorBytes = 512;
constexpr absl::Duration kLookInterval = absl::Milliseconds(20);

// A record of the largest size with the frame of its batch.
constexpr int kTopicMessageBytes = kMaxRecordBytes + (64 << 10);

constexpr std::array kResources = {
    std::pair{Acl::Resource::kTopic, RD_KAFKA_RESOURCE_TOPIC},
    std::pair{Acl::Resource::kGroup, RD_KAFKA_RESOURCE_GROUP},
    std::pair{Acl::Resource::kCluster, RD_KAFKA_RESOURCE_BROKER},
};
constexpr std::array kRights = {
    std::pair{Acl::Right::kAll, RD_KAFKA_ACL_OPERATION_ALL},
    std::pair{Acl::Right::kRead, RD_KAFKA_ACL_OPERATION_READ},
    std::pair{Acl::Right::kWrite, RD_KAFKA_ACL_OPERATION_WRITE},
    std::pair{Acl::Right::kCreate, RD_KAFKA_ACL_OPERATION_CREATE},
    std::pair{Acl::Right::kDelete, RD_KAFKA_ACL_OPERATION_DELETE},
    std::pair{Acl::Right::kAlter, RD_KAFKA_ACL_OPERATION_ALTER},
    std::pair{Acl::Right::kDescribe, RD_KAFKA_ACL_OPERATION_DESCRIBE},
    std::pair{Acl::Right::kClusterAction, RD_KAFKA_ACL_OPERATION_CLUSTER_ACTION},
    std::pair{Acl::Right::kDescribeConfigs, RD_KAFKA_ACL_OPERATION_DESCRIBE_CONFIGS},
    std::pair{Acl::Right::kAlterConfigs, RD_KAFKA_ACL_OPERATION_ALTER_CONFIGS},
    std::pair{Acl::Right::kIdempotentWrite, RD_KAFKA_ACL_OPERATION_IDEMPOTENT_WRITE},
};

template <class Table, class Ours>
auto Theirs(const Table& table, Ours ours) {
  const auto row = std::find_if(table.begin(), table.end(),
                                [&](const auto& pair) { return pair.first == ours; });
  status::Check(row != table.end(), "an access right without its Kafka name");
  return row->second;
}

template <class Table, class Code>
auto Ours(const Table& table, Code code) {
  const auto row = std::find_if(table.begin(), table.end(),
                                [&](const auto& pair) { return pair.second == code; });
  return row == table.end() ? std::nullopt : std::optional(row->first);
}

// What we have no word for is left out: prohibitions, grants for one host only, other kinds of resources.
std::optional<Acl> FromBinding(const rd_kafka_AclBinding_t& binding) {
  const auto resource = Ours(kResources, rd_kafka_AclBinding_restype(&binding));
  const auto right = Ours(kRights, rd_kafka_AclBinding_operation(&binding));
  const auto pattern = rd_kafka_AclBinding_resource_pattern_type(&binding);
  if (!resource || !right || std::string_view(rd_kafka_AclBinding_host(&binding)) != "*" ||
      rd_kafka_AclBinding_permission_type(&binding) != RD_KAFKA_ACL_PERMISSION_TYPE_ALLOW) {
    return std::nullopt;
  }
  return Acl{.resource = *resource,
             .name = rd_kafka_AclBinding_name(&binding),
             .prefixed = pattern == RD_KAFKA_RESOURCE_PATTERN_PREFIXED,
             .principal = rd_kafka_AclBinding_principal(&binding),
             .right = *right};
}

class RdAdmin final : public Handle, public Admin {
 public:
  explicit RdAdmin(const ClientOptions& client) : Handle(client) {}
  ~RdAdmin() override {
    if (rk_ != nullptr) rd_kafka_destroy(rk_);
  }

  absl::Status Open() {
    auto conf = CommonConf();
    if (!conf.ok()) return conf.status();
    return New(RD_KAFKA_PRODUCER, *std::move(conf));
  }

  absl::Status EnsureTopics(const std::vector<TopicSpec>& topics, absl::Duration timeout) override;
  absl::Status DeleteTopic(const std::string& topic, absl::Duration timeout) override;
  absl::StatusOr<std::map<TopicPartition, Watermarks>> TopicWatermarks(
      const std::string& topic, absl::Duration timeout) override;
  absl::StatusOr<Offsets> GroupOffsets(const std::string& group, const std::string& topic,
                                       absl::Duration timeout) override;
  absl::Status EnsureAcls(const std::vector<Acl>& acls, absl::Duration timeout) override;
  absl::Status RemoveAcls(const std::vector<Acl>& acls, absl::Duration timeout) override;
  absl::StatusOr<std::vector<Acl>> DescribeAcls(const std::string& principal,
                                                absl::Duration timeout) override;

 private:
  absl::StatusOr<std::set<std::string>> TopicNames(absl::Duration timeout);
  absl::Status AwaitTopics(const std::vector<TopicSpec>& topics, absl::Time deadline);
  absl::StatusOr<Watermarks> PartitionWatermarks(const TopicPartition& partition,
                                                 absl::Time deadline);
  Options MakeOptions(rd_kafka_admin_op_t operation, absl::Duration timeout);
  // Waits for the one answer of a call.
  absl::StatusOr<EventPtr> Await(rd_kafka_queue_t* queue, absl::Duration timeout,
                                 std::string_view what);
  // A refused certificate looks like a time-out here; the error callback knows better.
  absl::Status Explain(absl::Status status);

  std::mutex poll_mutex_;
};

Options RdAdmin::MakeOptions(rd_kafka_admin_op_t operation, absl::Duration timeout) {
  Options options(rd_kafka_AdminOptions_new(rk_, operation));
  std::array<char, kErrorBytes> error{};
  rd_kafka_AdminOptions_set_request_timeout(options.get(), std::max(1, Milliseconds(timeout)),
                                            error.data(), error.size());
  if (operation == RD_KAFKA_ADMIN_OP_CREATETOPICS || operation == RD_KAFKA_ADMIN_OP_DELETETOPICS) {
    // Until all brokers know of it.
    rd_kafka_AdminOptions_set_operation_timeout(options.get(), std::max(1, Milliseconds(timeout)),
                                                error.data(), error.size());
  }
  return options;
}

absl::StatusOr<EventPtr> RdAdmin::Await(rd_kafka_queue_t* queue, absl::Duration timeout,
                                        std::string_view what) {
  // A little longer than the request's own limit, whose answer says more.
  EventPtr answer(rd_kafka_queue_poll(queue, Milliseconds(timeout + absl::Milliseconds(500))));
  if (answer == nullptr) {
    return Explain(absl::UnavailableError(absl::StrCat(status::Absl(what), ": no answer in time")));
  }
  if (auto status = ToStatus(rd_kafka_event_error(answer.get()), what); !status.ok()) {
    return Explain(std::move(status));
  }
  return answer;
}

absl::Status RdAdmin::Explain(absl::Status status) {
  {
    const std::lock_guard lock(poll_mutex_);
    rd_kafka_poll(rk_, 0);
  }
  absl::Status health = health_.Get();
  health_.Reached();  // judged anew by the next call
  return absl::IsUnavailable(status) && !health.ok() ? health : status;
}

absl::StatusOr<std::set<std::string>> RdAdmin::TopicNames(absl::Duration timeout) {
  const rd_kafka_metadata_t* metadata = nullptr;
  const auto code =
      rd_kafka_metadata(rk_, /*all_topics=*/1, nullptr, &metadata, Milliseconds(timeout));
  if (code != RD_KAFKA_RESP_ERR_NO_ERROR) return Explain(ToStatus(code, "listing topics"));
  const MetadataPtr owner(metadata);
  std::set<std::string> names;
  for (int i = 0; i < metadata->topic_cnt; ++i) names.insert(metadata->topics[i].topic);
  return names;
}

absl::Status RdAdmin::EnsureTopics(const std::vector<TopicSpec>& topics, absl::Duration timeout) {
  if (auto fault = NextFault(Operation::kAdmin); !fault.ok()) return fault;
  const auto there = TopicNames(timeout);
  if (!there.ok()) return there.status();
  std::vector<NewTopic> missing;
  for (const TopicSpec& topic : topics) {
    if (there->contains(topic.name)) continue;
    std::array<char, kErrorBytes> error{};
    NewTopic fresh(rd_kafka_NewTopic_new(topic.name.c_str(), topic.partitions, topic.replication,
                                         error.data(), error.size()));
    if (fresh == nullptr) {
      return absl::InternalError(absl::StrCat("topic ", topic.name, ": ", error.data()));
    }
    std::map<std::string, std::string> config = topic.config;
    config.emplace("retention.ms", absl::StrCat(absl::ToInt64Milliseconds(topic.retention)));
    config.emplace("max.message.bytes", absl::StrCat(kTopicMessageBytes));
    for (const auto& [name, value] : config) {
      rd_kafka_NewTopic_set_config(fresh.get(), name.c_str(), value.c_str());
    }
    missing.push_back(std::move(fresh));
  }
  if (missing.empty()) return absl::OkStatus();

  std::vector<rd_kafka_NewTopic_t*> raw;
  for (const NewTopic& topic : missing) raw.push_back(topic.get());
  const Queue queue(rd_kafka_queue_new(rk_));
  const Options options = MakeOptions(RD_KAFKA_ADMIN_OP_CREATETOPICS, timeout);
  rd_kafka_CreateTopics(rk_, raw.data(), raw.size(), options.get(), queue.get());
  const auto answer = Await(queue.get(), timeout, "creating topics");
  if (!answer.ok()) return answer.status();
  std::size_t count = 0;
  const auto* results = rd_kafka_CreateTopics_result_topics(
      rd_kafka_event_CreateTopics_result(answer->get()), &count);
  for (std::size_t i = 0; i < count; ++i) {
    const auto code = rd_kafka_topic_result_error(results[i]);
    // Somebody else was quicker.
    if (code == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS) continue;
    const std::string what =
        absl::StrCat("creating topic ", rd_kafka_topic_result_name(results[i]));
    if (auto status = ToStatus(code, what); !status.ok()) return status;
  }
  return AwaitTopics(topics, absl::Now() + timeout);
}

// The controller has made them; the broker that this client asks hears of it a moment later.
absl::Status RdAdmin::AwaitTopics(const std::vector<TopicSpec>& topics, absl::Time deadline) {
  while (true) {
    const auto there = TopicNames(std::max(absl::Milliseconds(1), deadline - absl::Now()));
    if (!there.ok()) return there.status();
    const auto missing = std::find_if(topics.begin(), topics.end(), [&](const TopicSpec& topic) {
      return !there->contains(topic.name);
    });
    if (missing == topics.end()) return absl::OkStatus();
    if (absl::Now() >= deadline) {
      return absl::UnavailableError(absl::StrCat("topic ", missing->name, " is not there yet"));
    }
    absl::SleepFor(kLookInterval);
  }
}

absl::Status RdAdmin::DeleteTopic(const std::string& topic, absl::Duration timeout) {
  if (auto fault = NextFault(Operation::kAdmin); !fault.ok()) return fault;
  rd_kafka_DeleteTopic_t* raw = rd_kafka_DeleteTopic_new(topic.c_str());
  const std::unique_ptr<rd_kafka_DeleteTopic_t, Deleter<rd_kafka_DeleteTopic_destroy>> owner(raw);
  const Queue queue(rd_kafka_queue_new(rk_));
  const Options options = MakeOptions(RD_KAFKA_ADMIN_OP_DELETETOPICS, timeout);
  rd_kafka_DeleteTopics(rk_, &raw, 1, options.get(), queue.get());
  const std::string what = absl::StrCat("deleting topic ", topic);
  const auto answer = Await(queue.get(), timeout, what);
  if (!answer.ok()) return answer.status();
  std::size_t count = 0;
  const auto* results = rd_kafka_DeleteTopics_result_topics(
      rd_kafka_event_DeleteTopics_result(answer->get()), &count);
  for (std::size_t i = 0; i < count; ++i) {
    const auto code = rd_kafka_topic_result_error(results[i]);
    if (code == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART) continue;
    if (auto status = ToStatus(code, what); !status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::StatusOr<std::map<TopicPartition, Watermarks>> RdAdmin::TopicWatermarks(
    const std::string& topic, absl::Duration timeout) {
  if (auto fault = NextFault(Operation::kAdmin); !fault.ok()) return fault;
  const std::string what = absl::StrCat("looking up topic ", topic);
  rd_kafka_topic_t* raw = rd_kafka_topic_new(rk_, topic.c_str(), nullptr);
  if (raw == nullptr) return ToStatus(rd_kafka_last_error(), what);
  const std::unique_ptr<rd_kafka_topic_t, Deleter<rd_kafka_topic_destroy>> owner(raw);
  const rd_kafka_metadata_t* metadata = nullptr;
  const auto code = rd_kafka_metadata(rk_, /*all_topics=*/0, raw, &metadata, Milliseconds(timeout));
  if (code != RD_KAFKA_RESP_ERR_NO_ERROR) return Explain(ToStatus(code, what));
  const MetadataPtr metadata_owner(metadata);
  if (metadata->topic_cnt != 1) return absl::UnavailableError(absl::StrCat(what, ": no answer"));
  if (auto status = ToStatus(metadata->topics[0].err, what); !status.ok()) return status;
  const absl::Time deadline = absl::Now() + timeout;
  std::map<TopicPartition, Watermarks> watermarks;
  for (int i = 0; i < metadata->topics[0].partition_cnt; ++i) {
    const TopicPartition partition{topic, metadata->topics[0].partitions[i].id};
    const auto marks = PartitionWatermarks(partition, deadline);
    if (!marks.ok()) return Explain(marks.status());
    watermarks[partition] = *marks;
  }
  return watermarks;
}

// A partition of a new topic has no leader for a moment.
absl::StatusOr<Watermarks> RdAdmin::PartitionWatermarks(const TopicPartition& partition,
                                                        absl::Time deadline) {
  while (true) {
    Watermarks marks;
    const absl::Duration left = std::max(absl::Milliseconds(1), deadline - absl::Now());
    const auto code =
        rd_kafka_query_watermark_offsets(rk_, partition.topic.c_str(), partition.partition,
                                         &marks.first, &marks.next, Milliseconds(left));
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) return marks;
    const auto status = ToStatus(code, absl::StrCat("looking up topic ", partition.topic));
    if (!absl::IsUnavailable(status) || absl::Now() >= deadline) return status;
    absl::SleepFor(kLookInterval);
  }
}

absl::StatusOr<Offsets> RdAdmin::GroupOffsets(const std::string& group, const std::string& topic,
                                              absl::Duration timeout) {
  if (auto fault = NextFault(Operation::kAdmin); !fault.ok()) return fault;
  rd_kafka_ListConsumerGroupOffsets_t* raw =
      rd_kafka_ListConsumerGroupOffsets_new(group.c_str(), nullptr);
  const std::unique_ptr<rd_kafka_ListConsumerGroupOffsets_t,
                        Deleter<rd_kafka_ListConsumerGroupOffsets_destroy>>
      owner(raw);
  const Queue queue(rd_kafka_queue_new(rk_));
  const Options options = MakeOptions(RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPOFFSETS, timeout);
  rd_kafka_ListConsumerGroupOffsets(rk_, &raw, 1, options.get(), queue.get());
  const std::string what = absl::StrCat("looking up group ", group);
  const auto answer = Await(queue.get(), timeout, what);
  if (!answer.ok()) return answer.status();
  std::size_t count = 0;
  const rd_kafka_group_result_t** results = rd_kafka_ListConsumerGroupOffsets_result_groups(
      rd_kafka_event_ListConsumerGroupOffsets_result(answer->get()), &count);
  Offsets offsets;
  for (std::size_t i = 0; i < count; ++i) {
    if (const rd_kafka_error_t* error = rd_kafka_group_result_error(results[i])) {
      return ToStatus(rd_kafka_error_code(error), what);
    }
    const rd_kafka_topic_partition_list_t* list = rd_kafka_group_result_partitions(results[i]);
    for (int place = 0; list != nullptr && place < list->cnt; ++place) {
      const rd_kafka_topic_partition_t& one = list->elems[place];
      if (topic != one.topic || one.offset < 0) continue;
      offsets[{topic, one.partition}] = one.offset;
    }
  }
  return offsets;
}

absl::Status RdAdmin::EnsureAcls(const std::vector<Acl>& acls, absl::Duration timeout) {
  if (auto fault = NextFault(Operation::kAdmin); !fault.ok()) return fault;
  if (acls.empty()) return absl::OkStatus();
  std::vector<Binding> bindings;
  std::vector<rd_kafka_AclBinding_t*> raw;
  for (const Acl& acl : acls) {
    std::array<char, kErrorBytes> error{};
    bindings.emplace_back(rd_kafka_AclBinding_new(
        Theirs(kResources, acl.resource), acl.name.c_str(),
        acl.prefixed ? RD_KAFKA_RESOURCE_PATTERN_PREFIXED : RD_KAFKA_RESOURCE_PATTERN_LITERAL,
        acl.principal.c_str(), "*", Theirs(kRights, acl.right), RD_KAFKA_ACL_PERMISSION_TYPE_ALLOW,
        error.data(), error.size()));
    if (bindings.back() == nullptr) {
      return absl::InternalError(absl::StrCat("access right on ", acl.name, ": ", error.data()));
    }
    raw.push_back(bindings.back().get());
  }
  const Queue queue(rd_kafka_queue_new(rk_));
  const Options options = MakeOptions(RD_KAFKA_ADMIN_OP_CREATEACLS, timeout);
  rd_kafka_CreateAcls(rk_, raw.data(), raw.size(), options.get(), queue.get());
  const auto answer = Await(queue.get(), timeout, "granting access rights");
  if (!answer.ok()) return answer.status();
  std::size_t count = 0;
  const auto* results =
      rd_kafka_CreateAcls_result_acls(rd_kafka_event_CreateAcls_result(answer->get()), &count);
  for (std::size_t i = 0; i < count; ++i) {
    const rd_kafka_error_t* error = rd_kafka_acl_result_error(results[i]);
    if (error == nullptr) continue;
    return ToStatus(rd_kafka_error_code(error), "granting access rights");
  }
  return absl::OkStatus();
}

absl::Status RdAdmin::RemoveAcls(const std::vector<Acl>& acls, absl::Duration timeout) {
  if (auto fault = NextFault(Operation::kAdmin); !fault.ok()) return fault;
  if (acls.empty()) return absl::OkStatus();
  std::vector<Binding> filters;
  std::vector<rd_kafka_AclBindingFilter_t*> raw;
  for (const Acl& acl : acls) {
    std::array<char, kErrorBytes> error{};
    filters.emplace_back(rd_kafka_AclBindingFilter_new(
        Theirs(kResources, acl.resource), acl.name.c_str(),
        acl.prefixed ? RD_KAFKA_RESOURCE_PATTERN_PREFIXED : RD_KAFKA_RESOURCE_PATTERN_LITERAL,
        acl.principal.c_str(), "*", Theirs(kRights, acl.right), RD_KAFKA_ACL_PERMISSION_TYPE_ALLOW,
        error.data(), error.size()));
    if (filters.back() == nullptr) {
      return absl::InternalError(absl::StrCat("access right on ", acl.name, ": ", error.data()));
    }
    raw.push_back(filters.back().get());
  }
  const Queue queue(rd_kafka_queue_new(rk_));
  const Options options = MakeOptions(RD_KAFKA_ADMIN_OP_DELETEACLS, timeout);
  rd_kafka_DeleteAcls(rk_, raw.data(), raw.size(), options.get(), queue.get());
  const auto answer = Await(queue.get(), timeout, "taking access rights back");
  if (!answer.ok()) return answer.status();
  std::size_t count = 0;
  const auto* responses =
      rd_kafka_DeleteAcls_result_responses(rd_kafka_event_DeleteAcls_result(answer->get()), &count);
  for (std::size_t i = 0; i < count; ++i) {
    const rd_kafka_error_t* error = rd_kafka_DeleteAcls_result_response_error(responses[i]);
    if (error == nullptr) continue;
    return ToStatus(rd_kafka_error_code(error), "taking access rights back");
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<Acl>> RdAdmin::DescribeAcls(const std::string& principal,
                                                       absl::Duration timeout) {
  if (auto fault = NextFault(Operation::kAdmin); !fault.ok()) return fault;
  std::array<char, kErrorBytes> error{};
  const Binding filter(rd_kafka_AclBindingFilter_new(
      RD_KAFKA_RESOURCE_ANY, nullptr, RD_KAFKA_RESOURCE_PATTERN_ANY,
      principal.empty() ? nullptr : principal.c_str(), nullptr, RD_KAFKA_ACL_OPERATION_ANY,
      RD_KAFKA_ACL_PERMISSION_TYPE_ANY, error.data(), error.size()));
  if (filter == nullptr) return absl::InternalError(absl::StrCat("access rights: ", error.data()));
  const Queue queue(rd_kafka_queue_new(rk_));
  const Options options = MakeOptions(RD_KAFKA_ADMIN_OP_DESCRIBEACLS, timeout);
  rd_kafka_DescribeAcls(rk_, filter.get(), options.get(), queue.get());
  const auto answer = Await(queue.get(), timeout, "reading access rights");
  if (!answer.ok()) return answer.status();
  std::size_t count = 0;
  const auto* bindings =
      rd_kafka_DescribeAcls_result_acls(rd_kafka_event_DescribeAcls_result(answer->get()), &count);
  std::vector<Acl> acls;
  for (std::size_t i = 0; i < count; ++i) {
    if (auto acl = FromBinding(*bindings[i])) acls.push_back(*std::move(acl));
  }
  std::sort(acls.begin(), acls.end());
  return acls;
}

}  // namespace
}  // namespace librdkafka

absl::StatusOr<std::unique_ptr<Admin>> OpenAdmin(const ClientOptions& client) {
  auto admin = std::make_unique<librdkafka::RdAdmin>(client);
  if (auto status = admin->Open(); !status.ok()) return status;
  return admin;
}

}  // namespace sankofa::kafka
