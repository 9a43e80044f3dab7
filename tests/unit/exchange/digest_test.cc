#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include "absl/strings/str_cat.h"
#include "services/exchange/digest/tree.h"
#include "services/platform/crypto/hash.h"
#include "tests/unit/harness.h"

namespace sankofa::exchange {
namespace {

v1::DigestLeaf Leaf(const std::string& id, std::int64_t sequence, char hash = 'h') {
  v1::DigestLeaf leaf;
  leaf.set_subject("Case/" + id);
  leaf.set_sequence(sequence);
  leaf.set_last_hash(std::string(32, hash));
  return leaf;
}

std::vector<v1::DigestLeaf> Leaves(int count) {
  std::vector<v1::DigestLeaf> leaves;
  for (int i = 0; i < count; ++i) leaves.push_back(Leaf(absl::StrCat(i), i + 1));
  return leaves;
}

DigestAt Of(const DigestTree& tree, int* asked = nullptr) {
  return [&tree, asked](const std::string& prefix) {
    if (asked != nullptr) ++*asked;
    return tree.At(prefix);
  };
}

TEST(DigestTreeTest, AnEmptyOneIsZeros) {
  const auto root = DigestTree({}).At("");
  ASSERT_TRUE(root.ok());
  EXPECT_EQ(root->hash(), std::string(32, '\0'));
  EXPECT_EQ(root->subjects(), 0);
  EXPECT_EQ(root->children_size(), 16);
}

// By hand, from the comment in the proto.
TEST(DigestTreeTest, IsHashedAsDocumented) {
  const DigestTree tree({Leaf("a", 7)});
  const std::string place = crypto::HashHex("Case/a");
  std::string hash =
      crypto::Hash(std::string("Case/a\0", 7) + "7" + std::string(1, '\0') + std::string(32, 'h'));
  hash = crypto::Hash(hash);  // the node that holds it
  EXPECT_EQ(tree.At(place.substr(0, 4))->hash(), hash);
  EXPECT_EQ(tree.At(place.substr(0, 4))->leaves_size(), 1);
  for (int depth = 3; depth >= 0; --depth) {
    const int digit = std::stoi(place.substr(depth, 1), nullptr, 16);
    std::string children;
    for (int i = 0; i < 16; ++i) children += i == digit ? hash : std::string(32, '\0');
    hash = crypto::Hash(children);
    EXPECT_EQ(tree.At(place.substr(0, depth))->hash(), hash) << depth;
  }
}

TEST(DigestTreeTest, KnowsItsPrefixes) {
  const DigestTree tree(Leaves(3));
  for (const char* prefix : {"g", "A", "00000", "\xff", " "}) {
    EXPECT_EQ(test::Reason(tree.At(prefix).status()), "INVALID_FIELD") << prefix;
  }
}

TEST(DigestTreeTest, EqualTreesCostOneQuestion) {
  const DigestTree ours(Leaves(1000));
  auto shuffled = Leaves(1000);
  std::reverse(shuffled.begin(), shuffled.end());
  const DigestTree theirs(shuffled);
  int asked = 0;
  const auto differences = DifferencesBetween(ours, Of(theirs, &asked), "tg", true, 10);
  ASSERT_TRUE(differences.ok());
  EXPECT_TRUE(differences->empty());
  EXPECT_EQ(asked, 1);
}

TEST(DigestTreeTest, ADifferenceIsFoundAndNamed) {
  auto leaves = Leaves(1000);
  const DigestTree sent(leaves);
  leaves[17] = Leaf("17", 3);           // behind
  leaves[400] = Leaf("400", 401, 'x');  // another content
  leaves.pop_back();                    // never came
  const DigestTree received(leaves);
  int asked = 0;
  const auto differences = DifferencesBetween(sent, Of(received, &asked), "tg", true, 10);
  ASSERT_TRUE(differences.ok());
  ASSERT_EQ(differences->size(), 3u);
  EXPECT_EQ((*differences)[0].subject(), "Case/17");
  EXPECT_EQ((*differences)[0].sent_sequence(), 18);
  EXPECT_EQ((*differences)[0].received_sequence(), 3);
  EXPECT_FALSE((*differences)[0].content());
  EXPECT_EQ((*differences)[1].subject(), "Case/400");
  EXPECT_TRUE((*differences)[1].content());
  EXPECT_EQ((*differences)[2].subject(), "Case/999");
  EXPECT_EQ((*differences)[2].received_sequence(), 0);
  EXPECT_LE(asked, 13);  // root and four levels for each
  // From the other end it is the same.
  const auto other = DifferencesBetween(received, Of(sent), "tg", false, 10);
  ASSERT_EQ(other->size(), 3u);
  EXPECT_EQ((*other)[0].sent_sequence(), 18);
}

TEST(DigestTreeTest, AsManyAsWanted) {
  const auto differences =
      DifferencesBetween(DigestTree(Leaves(100)), Of(DigestTree({})), "tg", true, 10);
  EXPECT_EQ(differences->size(), 10u);
}

TEST(DigestTreeTest, APartnerThatAnswersNonsenseIsDifferent) {
  const DigestTree ours(Leaves(5));
  const DigestAt nonsense = [](const std::string& prefix) -> absl::StatusOr<v1::Digest> {
    v1::Digest digest;
    digest.set_prefix(prefix);
    digest.set_hash("?");
    digest.add_children("x");
    return digest;
  };
  const auto differences = DifferencesBetween(ours, nonsense, "tg", true, 1000);
  ASSERT_TRUE(differences.ok());
  EXPECT_EQ(differences->size(), 5u);
}

RC_GTEST_PROP(DigestTreeProperty, FindsExactlyWhatDiffers, ()) {
  std::map<std::string, v1::DigestLeaf> sent, received;
  const int count = *rc::gen::inRange(0, 60);
  for (int i = 0; i < count; ++i) {
    const std::string id = absl::StrCat(*rc::gen::inRange(0, 200));
    sent["Case/" + id] = Leaf(id, *rc::gen::inRange(1, 4));
    received["Case/" + id] =
        *rc::gen::inRange(0, 3) == 0 ? Leaf(id, *rc::gen::inRange(1, 4), 'x') : sent["Case/" + id];
    if (*rc::gen::inRange(0, 8) == 0) sent.erase("Case/" + id);
    if (*rc::gen::inRange(0, 8) == 0) received.erase("Case/" + id);
  }
  std::set<std::string> expected;
  std::vector<v1::DigestLeaf> a, b;
  for (const auto& [subject, leaf] : sent) {
    a.push_back(leaf);
    const auto other = received.find(subject);
    if (other == received.end() || other->second.SerializeAsString() != leaf.SerializeAsString()) {
      expected.insert(subject);
    }
  }
  for (const auto& [subject, leaf] : received) {
    b.push_back(leaf);
    if (!sent.contains(subject)) expected.insert(subject);
  }
  const DigestTree ours(a), theirs(b);
  const auto differences = DifferencesBetween(ours, Of(theirs), "tg", true, 1000);
  RC_ASSERT(differences.ok());
  std::set<std::string> found;
  for (const auto& difference : *differences) found.insert(difference.subject());
  RC_ASSERT(found == expected);
  RC_ASSERT(differences->empty() == (ours.At("")->hash() == theirs.At("")->hash()));
}

}  // namespace
}  // namespace sankofa::exchange
