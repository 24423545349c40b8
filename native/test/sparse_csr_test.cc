#include "sparse/csr.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace espalier {
namespace {

const char* check(const Csr& csr) {
  return check_csr(csr.view(), csr.row_ptr.size(), csr.col_idx.size(), csr.values.size());
}

Csr example() {
  const float dense[] = {0, 2,     0,  3,  //
                         0, 0,     0,  0,  //
                         1, 0,     -4, 0,  //
                         0, -0.0f, 5,  6};
  return csr_from_dense(dense, 4, 4);
}

TEST(Csr, FromDense) {
  const Csr csr = example();
  EXPECT_EQ(csr.row_ptr, (std::vector<int32_t>{0, 2, 2, 4, 6}));
  EXPECT_EQ(csr.col_idx, (UnsetVector<int32_t>{1, 3, 0, 2, 2, 3}));
  EXPECT_EQ(csr.values, (UnsetVector<float>{2, 3, 1, -4, 5, 6}));
  EXPECT_EQ(check(csr), nullptr);
}

TEST(Csr, FromDenseWithoutRowsOrColumns) {
  EXPECT_EQ(check(csr_from_dense(nullptr, 0, 5)), nullptr);
  EXPECT_EQ(check(csr_from_dense(nullptr, 3, 0)), nullptr);
}

TEST(Csr, CheckNamesEachFault) {
  struct {
    const char* reason;
    void (*damage)(Csr&);
  } const faults[] = {
      {"rows + 1", [](Csr& c) { c.row_ptr.pop_back(); }},
      {"start at 0", [](Csr& c) { c.row_ptr[0] = 1; }},
      {"never decrease", [](Csr& c) { c.row_ptr[1] = 5; }},
      {"never decrease", [](Csr& c) { c.row_ptr[4] = -1; }},
      {"col_idx must have", [](Csr& c) { c.row_ptr[4] = 7; }},
      {"col_idx must have", [](Csr& c) { c.col_idx.pop_back(); }},
      {"values must have", [](Csr& c) { c.values.push_back(1); }},
      {"strictly increase", [](Csr& c) { c.col_idx[1] = 1; }},
      {"strictly increase", [](Csr& c) { c.col_idx[0] = -1; }},
      {"less than cols", [](Csr& c) { c.col_idx[5] = 4; }},
      {"finite", [](Csr& c) { c.values[2] = std::numeric_limits<float>::quiet_NaN(); }},
      {"finite", [](Csr& c) { c.values[2] = std::numeric_limits<float>::infinity(); }},
      {"not be zero", [](Csr& c) { c.values[2] = 0; }},
  };
  for (const auto& fault : faults) {
    Csr csr = example();
    fault.damage(csr);
    const char* reason = check(csr);
    ASSERT_NE(reason, nullptr) << fault.reason;
    EXPECT_NE(std::string(reason).find(fault.reason), std::string::npos) << reason;
  }
}

}  // namespace
}  // namespace espalier
