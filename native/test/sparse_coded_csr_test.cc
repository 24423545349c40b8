// decode_csr against codes made here by hand. The codings as a whole are held against the
// JavaScript reference in test/engine/coded.test.ts.
#include "sparse/coded_csr.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <random>
#include <string>
#include <vector>

using namespace espalier;

namespace {

// Owns the bytes, each list in a block of its exact length so that a sanitizer sees what lies past.
struct Coded {
  CodedCsr spec;
  std::vector<uint8_t> runs, codes, palette, tops, high, scales;

  const CodedCsr& point() {
    spec.runs = {runs.data(), runs.size()};
    spec.codes = {codes.data(), codes.size()};
    spec.palette = {palette.data(), palette.size()};
    spec.tops = {tops.data(), tops.size()};
    spec.high = {high.data(), high.size()};
    spec.scales = {scales.data(), scales.size()};
    return spec;
  }
  std::string decode(Csr& csr) {
    const char* reason = decode_csr(point(), csr);
    return reason == nullptr ? "" : reason;
  }
};

std::vector<uint8_t> bytes_of(const std::vector<float>& values) {
  std::vector<uint8_t> bytes(values.size() * 4);
  if (!values.empty()) std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

std::vector<uint8_t> encode_runs(const std::vector<uint8_t>& mask, unsigned bits) {
  std::vector<uint8_t> out;
  uint64_t held = 0;
  unsigned width = 0;
  const auto put = [&](uint32_t code) {
    held |= uint64_t{code} << width;
    for (width += bits; width >= 8; width -= 8, held >>= 8) out.push_back(held & 255);
  };
  const uint32_t escape = (1u << bits) - 1;
  uint32_t zeros = 0;
  for (uint8_t there : mask) {
    if (there == 0) {
      ++zeros;
      continue;
    }
    for (; zeros >= escape; zeros -= escape) put(escape);
    put(zeros);
    zeros = 0;
  }
  if (width > 0) out.push_back((held | 0xffull << width) & 255);
  return out;
}

// Two rows of four: 0 a b 0 / 0 c 0 0.
Coded sample() {
  Coded coded;
  coded.spec.rows = 2;
  coded.spec.cols = 4;
  coded.spec.nnz = 3;
  coded.spec.bits = 2;
  coded.runs = encode_runs({0, 1, 1, 0, 0, 1, 0, 0}, 2);
  coded.codes = bytes_of({1.5f, -2, 0.25f});
  return coded;
}

TEST(CodedCsr, PositionsOfEveryNumberOfBits) {
  std::mt19937 random(5);
  for (unsigned bits = 1; bits <= kMostRunBits; ++bits) {
    for (int trial = 0; trial < 40; ++trial) {
      const uint32_t rows = 1 + random() % 9, cols = 1 + random() % (trial % 3 ? 90 : 3);
      const unsigned density = 1 + random() % 100;
      std::vector<uint8_t> mask(rows * cols);
      std::vector<float> dense(mask.size()), values;
      for (size_t i = 0; i < mask.size(); ++i) {
        mask[i] = random() % 100 < density;
        if (mask[i] == 0) continue;
        dense[i] = static_cast<float>(i + 1);
        values.push_back(dense[i]);
      }
      Coded coded;
      coded.spec.rows = rows;
      coded.spec.cols = cols;
      coded.spec.nnz = values.size();
      coded.spec.bits = bits;
      coded.runs = encode_runs(mask, bits);
      coded.codes = bytes_of(values);
      Csr csr;
      ASSERT_EQ(coded.decode(csr), "") << bits << " bits, " << rows << " x " << cols;
      const Csr expected = csr_from_dense(dense.data(), rows, cols);
      EXPECT_EQ(csr.row_ptr, expected.row_ptr);
      EXPECT_EQ(csr.col_idx, expected.col_idx);
      EXPECT_EQ(csr.values, expected.values);
    }
  }
}

TEST(CodedCsr, WithoutZeros) {
  Coded coded = sample();
  coded.spec.bits = 0;
  coded.runs.clear();
  Csr csr;
  EXPECT_EQ(coded.decode(csr), "a matrix without zeros has other lengths");
  coded.spec.nnz = 8;
  coded.codes = bytes_of({1, 2, 3, 4, 5, 6, 7, 8});
  EXPECT_EQ(coded.decode(csr), "");
  EXPECT_EQ(csr.row_ptr, (std::vector<int32_t>{0, 4, 8}));
  EXPECT_EQ(csr.col_idx, (UnsetVector<int32_t>{0, 1, 2, 3, 0, 1, 2, 3}));
}

TEST(CodedCsr, EveryFloat16) {
  Coded coded;
  coded.spec.rows = 1;
  coded.spec.code = ValueCode::kFloat16;
  UnsetVector<float> expected;
  for (uint32_t half = 0; half < 65536; ++half) {
    const uint32_t exponent = half >> 10 & 31, mantissa = half & 1023;
    if (exponent == 31 || (half & 0x7fff) == 0) continue;
    const float size = exponent == 0 ? std::ldexp(static_cast<float>(mantissa), -24)
                                     : std::ldexp(static_cast<float>(1024 + mantissa),
                                                  static_cast<int>(exponent) - 25);
    expected.push_back(half & 0x8000 ? -size : size);
    coded.codes.push_back(half & 255);
    coded.codes.push_back(static_cast<uint8_t>(half >> 8));
  }
  coded.spec.cols = static_cast<uint32_t>(expected.size());
  coded.spec.nnz = expected.size();
  Csr csr;
  ASSERT_EQ(coded.decode(csr), "");
  EXPECT_EQ(csr.values, expected);
  for (uint8_t high : {0x7c, 0x7e, 0x80, 0x00}) {
    coded.codes[0] = 0;
    coded.codes[1] = high;
    EXPECT_EQ(coded.decode(csr), "values must be finite and not zero");
  }
}

TEST(CodedCsr, PalettesAndSplits) {
  Csr csr;
  Coded coded = sample();
  coded.spec.code = ValueCode::kPalette8;
  coded.palette = bytes_of({7, -1});
  coded.codes = {1, 0, 1};
  EXPECT_EQ(coded.decode(csr), "");
  EXPECT_EQ(csr.values, (UnsetVector<float>{-1, 7, -1}));
  coded.codes[2] = 2;
  EXPECT_EQ(coded.decode(csr), "the index of a value lies outside of its list");
  coded.spec.code = ValueCode::kPalette16;
  coded.codes = {0, 0, 1, 0, 1, 0};
  EXPECT_EQ(coded.decode(csr), "");
  EXPECT_EQ(csr.values, (UnsetVector<float>{7, -1, -1}));

  coded = sample();
  coded.spec.code = ValueCode::kSplit;
  coded.tops = {0x3f, 0x40, 0xbf};
  coded.codes = {0, 0, 0x80, 0, 0, 0, 0, 0, 0x80};
  coded.high = {0 | 1 << 2 | 2 << 4};
  EXPECT_EQ(coded.decode(csr), "");
  EXPECT_EQ(csr.values, (UnsetVector<float>{1, 2, -1}));
  coded.high = {3};
  EXPECT_EQ(coded.decode(csr), "the index of a value lies outside of its list");
  coded.high = {0, 0};
  EXPECT_EQ(coded.decode(csr), "the indices of the highest bytes have a wrong length");
}

TEST(CodedCsr, Bfloat16AndInt8) {
  Csr csr;
  Coded coded = sample();
  coded.spec.code = ValueCode::kBfloat16;
  coded.codes = {0x80, 0x3f, 0x00, 0xc0, 0x01, 0x00};
  EXPECT_EQ(coded.decode(csr), "");
  EXPECT_EQ(csr.values, (UnsetVector<float>{1, -2, std::ldexp(1.0f, -133)}));
  coded.codes[1] = 0x7f;
  EXPECT_EQ(coded.decode(csr), "values must be finite and not zero");

  coded = sample();
  coded.spec.code = ValueCode::kInt8;
  coded.codes = {127, 0xff, 3};
  EXPECT_EQ(coded.decode(csr), "the scales must be one a row of int8");
  coded.scales = bytes_of({0.5f, -2});
  EXPECT_EQ(coded.decode(csr), "");
  EXPECT_EQ(csr.values, (UnsetVector<float>{63.5f, -0.5f, -6}));
  coded.codes[1] = 0;
  EXPECT_EQ(coded.decode(csr), "values must be finite and not zero");
  coded.codes[1] = 1;
  for (float scale : {0.0f, INFINITY, 3e38f}) {
    coded.scales = bytes_of({scale, 1});
    EXPECT_EQ(coded.decode(csr), "values must be finite and not zero");
  }
}

TEST(CodedCsr, RefusesWhatItsBytesDoNotBearOut) {
  const struct {
    const char* reason;
    void (*change)(Coded&);
  } cases[] = {
      {"more values than", [](Coded& c) { c.spec.rows = 0; }},
      {"more values than", [](Coded& c) { c.spec.nnz = 9; }},
      {"must be nnz", [](Coded& c) { c.spec.nnz = 2; }},
      {"must be nnz", [](Coded& c) { c.codes.push_back(0); }},
      {"2147483647", [](Coded& c) { c.spec.rows = INT32_MAX; }},
      {"0 to 16", [](Coded& c) { c.spec.bits = 17; }},
      {"palette", [](Coded& c) { c.palette.resize(4); }},
      {"scales", [](Coded& c) { c.scales.resize(4); }},
      {"highest bytes", [](Coded& c) { c.tops.resize(1); }},
      {"highest bytes", [](Coded& c) { c.spec.code = ValueCode::kSplit, c.codes.resize(9); }},
      {"end before", [](Coded& c) { c.runs.clear(); }},
      {"go on after", [](Coded& c) { c.runs.push_back(0xff); }},
      {"go on after", [](Coded& c) { c.runs.back() &= 0x7f; }},
      {"leave the matrix", [](Coded& c) { c.runs.assign(3, 0xff); }},
      {"finite",
       [](Coded& c) {
         c.codes = bytes_of({1, INFINITY, 1});
       }},
      {"finite",
       [](Coded& c) {
         c.codes = bytes_of({1, 1, NAN});
       }},
      {"not zero",
       [](Coded& c) {
         c.codes = bytes_of({-0.0f, 1, 1});
       }},
  };
  for (const auto& item : cases) {
    Coded coded = sample();
    item.change(coded);
    Csr csr;
    EXPECT_NE(coded.decode(csr).find(item.reason), std::string::npos)
        << item.reason << ", received: " << coded.decode(csr);
  }
}

}  // namespace
