#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "garden/garden.pb.h"
#include "services/platform/rpc/gate.h"
#include "tests/component/rpc/garden/garden.h"

namespace sankofa::rpc {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;

class NoDispatcher final : public Dispatcher {
 public:
  void Submit(engine::CommandCall /*call*/,
              std::function<void(engine::Outcome)> /*done*/) override {}
  void Query(QueryRequest /*query*/,
             std::function<void(absl::StatusOr<QueryAnswer>)> /*done*/) override {}
  void OpenStream(QueryRequest /*query*/, std::shared_ptr<StreamSink> /*sink*/) override {}
};

class BindTest : public ::testing::Test {
 protected:
  void BindGarden() {
    registry_.Command<garden::TreeDecider, garden::v1::PlantTreeRequest>(
        {.target = engine::Target::kNew});
    queries_.On<garden::v1::GetTreeRequest, garden::v1::GetTreeResponse>(
        [](QueryCall&, const auto&) { return garden::v1::GetTreeResponse(); });
    queries_.On<garden::v1::CountTreesRequest, garden::v1::CountTreesResponse>(
        [](QueryCall&, const auto&) { return garden::v1::CountTreesResponse(); });
    queries_.OnStream<garden::v1::WatchTreesRequest>(
        [](QueryCall&, const auto&, std::shared_ptr<StreamSink>) { return absl::OkStatus(); });
  }

  ServiceBinding Bind(const char* service) {
    return {garden::Service(service), &registry_, &queries_, &dispatcher_};
  }

  std::string Faults(const std::vector<ServiceBinding>& services) {
    return std::string(BindMethods(services).status().message());
  }

  engine::Registry registry_;
  Queries queries_;
  NoDispatcher dispatcher_;
};

TEST_F(BindTest, AServiceThatIsBoundCompletely) {
  BindGarden();
  const auto methods = BindMethods({Bind("GardenService")});
  ASSERT_TRUE(methods.ok()) << methods.status();
  ASSERT_THAT(*methods, SizeIs(4));
  const Method& plant = *methods->front();
  EXPECT_EQ(plant.name, "sankofa.garden.v1.GardenService/PlantTree");
  EXPECT_EQ(plant.path, "/sankofa.garden.v1.GardenService/PlantTree");
  EXPECT_EQ(plant.service, "garden");
  EXPECT_EQ(plant.kind, MethodKind::kCommand);
  EXPECT_EQ((*methods)[1]->kind, MethodKind::kQuery);
  EXPECT_EQ((*methods)[3]->kind, MethodKind::kStream);
}

TEST_F(BindTest, EverythingThatIsWrongIsNamedAtOnce) {
  BindGarden();
  const std::string faults = Faults({Bind("WildService")});
  EXPECT_THAT(faults, HasSubstr("WildService.NoAccess has no access option"));
  EXPECT_THAT(faults, HasSubstr("WildService.NobodyIn has no access option"));
  EXPECT_THAT(faults, HasSubstr("WildService.NamesAPartner has no access option"));
  EXPECT_THAT(faults, HasSubstr("WildService.Unbound is bound neither as a command nor"));
  EXPECT_THAT(faults, HasSubstr("WildService.WrongAnswer is a command but does not return"));
  EXPECT_THAT(faults, HasSubstr("WildService.StreamsCommand is a command but streams"));
  EXPECT_THAT(faults, HasSubstr("WildService.StreamsAlone streams on one side"));
  EXPECT_THAT(faults, HasSubstr("WildService.Uploads streams from the client"));
  EXPECT_THAT(faults, HasSubstr("MisfitRequest.format has a format but is not text"));
  EXPECT_THAT(faults, HasSubstr("WatchTreesRequest is bound as a query but no method"));
}

TEST_F(BindTest, AServiceBoundToNothing) {
  const std::string faults =
      Faults({{garden::Service("GardenService"), nullptr, nullptr, &dispatcher_}});
  EXPECT_THAT(faults, AllOf(HasSubstr("PlantTree is bound neither"), HasSubstr("GetTree is bound"),
                            HasSubstr("CountTrees is bound"), HasSubstr("WatchTrees is bound"),
                            Not(HasSubstr("access"))));
}

TEST_F(BindTest, ARequestThatIsBothCommandAndQuery) {
  BindGarden();
  queries_.On<garden::v1::PlantTreeRequest, garden::v1::Tree>(
      [](QueryCall&, const auto&) { return garden::v1::Tree(); });
  EXPECT_THAT(Faults({Bind("GardenService")}), HasSubstr("PlantTree is bound both"));
}

TEST_F(BindTest, AServiceThatIsBoundTwice) {
  BindGarden();
  EXPECT_THAT(Faults({Bind("GardenService"), Bind("GardenService")}),
              HasSubstr("sankofa.garden.v1.GardenService is bound twice"));
}

TEST_F(BindTest, AStateThatCouldNotBeSealed) {
  BindGarden();
  registry_.Command<garden::BareTreeDecider, garden::v1::PlantBareTreeRequest>(
      {.target = engine::Target::kNew});
  EXPECT_THAT(Faults({Bind("GardenService")}), HasSubstr("BareTree"));
}

}  // namespace
}  // namespace sankofa::rpc
