#include "node/ref_dictionary.h"

#include <gtest/gtest.h>

namespace shoal {
namespace {

TEST(RefDictionary, KnowsWhatWasDefinedWhereverTheRefsLie) {
  RefDictionary dictionary;
  for (const uint32_t ref : {0u, 4095u, 4096u, 1u << 31, 0xffffffffu}) {
    EXPECT_EQ(dictionary.Find(ref), RefDictionary::kUndefined);
    EXPECT_TRUE(dictionary.Define(ref, ref / 2));
    EXPECT_EQ(dictionary.Find(ref), ref / 2);
  }
  EXPECT_EQ(dictionary.Find(1), RefDictionary::kUndefined);
  EXPECT_EQ(dictionary.Find(0xfffffffe), RefDictionary::kUndefined);
}

TEST(RefDictionary, RefusalsAreToldFromSeries) {
  for (const RefusalReason reason : {RefusalReason::kBadName, RefusalReason::kSeriesLimit}) {
    const uint32_t entry = RefDictionary::RefusalEntry(reason);
    EXPECT_FALSE(RefDictionary::IsSeries(entry));
    EXPECT_NE(entry, RefDictionary::kUndefined);
    EXPECT_EQ(RefDictionary::ReasonOf(entry), reason);
  }
  EXPECT_TRUE(RefDictionary::IsSeries(0));
  EXPECT_FALSE(RefDictionary::IsSeries(RefDictionary::kUndefined));
}

TEST(RefDictionary, IsBoundedAndKeepsWhatItHas) {
  RefDictionary dictionary;
  for (uint32_t page = 0; page < RefDictionary::kPagesMax; ++page) {
    ASSERT_TRUE(dictionary.Define(page * RefDictionary::kPageRefs, page));
  }
  const uint32_t beyond =
      static_cast<uint32_t>(RefDictionary::kPagesMax) * RefDictionary::kPageRefs;
  EXPECT_FALSE(dictionary.Define(beyond, 1));
  EXPECT_TRUE(dictionary.Define(1, 77));
  EXPECT_EQ(dictionary.Find(1), 77u);
}

}  // namespace
}  // namespace shoal
