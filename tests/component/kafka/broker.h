#pragma once

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "services/platform/kafka/client.h"

// The real broker that component tests run against: the one of the node that SANKOFA_TEST_CONFIG describes.
namespace sankofa::kafka {

inline constexpr absl::Duration kPatience = absl::Seconds(30);

class BrokerTest : public testing::Test {
 protected:
  void SetUp() override {
    const char* file = std::getenv("SANKOFA_TEST_CONFIG");
    ASSERT_NE(file, nullptr)
        << "SANKOFA_TEST_CONFIG names no node to test against: run scripts/test, which starts one";
    const YAML::Node config = YAML::LoadFile(file)["kafka"];
    brokers_ = config["brokers"].as<std::string>();
    ca_ = config["ca"].as<std::string>();
    folder_ = config["certificate_folder"].as<std::string>();
    auto admin = OpenAdmin(As("node"));
    ASSERT_TRUE(admin.ok()) << admin.status();
    admin_ = *std::move(admin);
    GrantTestNames();
  }

  // A service has rights on its own names only; these tests use others, so that no test is in another's way.
  void GrantTestNames() {
    std::vector<Acl> grants;
    for (const std::string prefix : {"sankofa.test", "sankofa.pipeline"}) {
      grants.push_back({.name = prefix,
                        .prefixed = true,
                        .principal = "User:registration",
                        .right = Acl::Right::kWrite});
      for (const std::string name : {"User:registration", "User:validation"}) {
        grants.push_back({.resource = Acl::Resource::kGroup,
                          .name = prefix,
                          .prefixed = true,
                          .principal = name,
                          .right = Acl::Right::kRead});
      }
    }
    ASSERT_TRUE(admin_->EnsureAcls(grants, kPatience).ok());
    // The broker answers before it goes by them.
    const absl::Time deadline = absl::Now() + kPatience;
    const auto in_force = [&] {
      const auto acls = admin_->DescribeAcls("", kPatience);
      return acls.ok() && std::all_of(grants.begin(), grants.end(), [&](const Acl& grant) {
               return std::find(acls->begin(), acls->end(), grant) != acls->end();
             });
    };
    while (!in_force()) ASSERT_LT(absl::Now(), deadline) << "the rights are not in force";
  }

  void TearDown() override {
    for (const std::string& topic : topics_) {
      EXPECT_TRUE(admin_->DeleteTopic(topic, kPatience).ok()) << topic;
    }
  }

  // A client with the certificate of that name. `node` may do everything; a service reads all of sankofa.* and writes
  // its own topic.
  [[nodiscard]] ClientOptions As(const std::string& name) const {
    return {.brokers = brokers_,
            .ca = ca_,
            .certificate = folder_ + "/" + name + ".pem",
            .key = folder_ + "/" + name + ".key",
            .client_id = "test"};
  }

  // A name that no other run uses.
  [[nodiscard]] static std::string Fresh(const std::string& prefix) {
    static int count = 0;
    return absl::StrCat(prefix, absl::ToUnixMicros(absl::Now()), "_", ++count);
  }

  // A new topic, removed after the test.
  [[nodiscard]] std::string MakeTopic(const std::string& prefix = "sankofa.test",
                                      TopicSpec spec = {}) {
    spec.name = Fresh(prefix);
    const auto status = admin_->EnsureTopics({spec}, kPatience);
    EXPECT_TRUE(status.ok()) << status;
    topics_.push_back(spec.name);
    return spec.name;
  }

  [[nodiscard]] std::unique_ptr<Producer> MakeProducer(const ClientOptions& client) {
    auto producer =
        OpenProducer(client, {.on_delivery = [this](std::uint64_t id, const absl::Status& outcome) {
                       reports_.emplace_back(id, outcome);
                     }});
    EXPECT_TRUE(producer.ok()) << producer.status();
    return *std::move(producer);
  }

  [[nodiscard]] static std::unique_ptr<Consumer> MakeConsumer(const ClientOptions& client,
                                                              ConsumerOptions options) {
    auto consumer = OpenConsumer(client, std::move(options));
    EXPECT_TRUE(consumer.ok()) << consumer.status();
    return *std::move(consumer);
  }

  // Polls until `count` messages are there or patience ends.
  [[nodiscard]] static std::vector<Message> Collect(Consumer& consumer, std::size_t count) {
    std::vector<Message> all;
    const absl::Time deadline = absl::Now() + kPatience;
    while (all.size() < count && absl::Now() < deadline) {
      auto batch = consumer.PollBatch(500, absl::Milliseconds(200));
      if (!batch.ok()) continue;
      std::move(batch->begin(), batch->end(), std::back_inserter(all));
    }
    return all;
  }

  // Polls a client until its health is of that code.
  template <class Poll, class Client>
  [[nodiscard]] static absl::Status HealthBecomes(absl::StatusCode code, Client& client,
                                                  Poll poll) {
    const absl::Time deadline = absl::Now() + kPatience;
    while (client.Health().code() != code && absl::Now() < deadline) poll();
    return client.Health();
  }

  std::string brokers_;
  std::string ca_;
  std::string folder_;
  std::unique_ptr<Admin> admin_;
  std::vector<std::string> topics_;
  std::vector<std::pair<std::uint64_t, absl::Status>> reports_;
};

}  // namespace sankofa::kafka
