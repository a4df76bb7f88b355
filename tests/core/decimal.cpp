// SPDX-License-Identifier: Apache-2.0
#include <qwen35/core/decimal.hpp>

#include <doctest/doctest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <random>

using namespace qwen35;

namespace {

// What a way of reading makes of a text whose end stands inside a longer one.
struct Read {
  explicit Read(const std::string& text, std::from_chars_result (*read)(const char*, const char*, double&)) {
    const std::string longer = text + "7";
    const std::from_chars_result result = read(longer.data(), longer.data() + text.size(), value);
    problem = result.ec;
    used = result.ptr - longer.data();
  }
  friend bool operator==(const Read& a, const Read& b) {
    return std::bit_cast<std::uint64_t>(a.value) == std::bit_cast<std::uint64_t>(b.value) && a.problem == b.problem &&
           a.used == b.used;
  }

  double value = 7.0;
  std::errc problem{};
  std::ptrdiff_t used = 0;
};

}  // namespace

TEST_CASE("numbers are read as they are written") {
  const auto read = [](const std::string& text) { return Read(text, read_decimal<double>); };
  CHECK(read("0.1").value == 0.1);
  CHECK(read("-1.5e3x").value == -1500.0);
  CHECK(read("-1.5e3x").used == 6);
  CHECK(read("12345678901234567890123456789012345678901234567890").value ==
        12345678901234567890123456789012345678901234567890.0);
  CHECK(read("5e-324").value == 5e-324);
  CHECK(std::isinf(read("-inf").value));
  CHECK(std::isnan(read("nan").value));
  CHECK(read("1e400").problem == std::errc::result_out_of_range);
  CHECK(read("1e-400").problem == std::errc::result_out_of_range);
  CHECK(read("+1").problem == std::errc::invalid_argument);
}

TEST_CASE("where the standard library reads no doubles, the C library gives the same values, ends and errors") {
  if constexpr (ReadByLibrary<double>) {
    const auto check = [](const std::string& text) {
      CAPTURE(text);
      CHECK((Read(text, read_decimal<double>) == Read(text, detail::read_decimal_by_strtod)));
    };
    for (const char* const text : {"",
                                   "-",
                                   ".",
                                   "-.",
                                   "e1",
                                   ".e1",
                                   "+1",
                                   " 1",
                                   "1",
                                   "-0",
                                   "00012",
                                   "1.",
                                   "1.e2",
                                   ".5",
                                   "-.5",
                                   "1e",
                                   "1e+",
                                   "1e-",
                                   "1e5",
                                   "1E+05",
                                   "1e5.5",
                                   "1,5",
                                   "0x1p3",
                                   "1..2",
                                   "inf",
                                   "InF",
                                   "-INF",
                                   "infin",
                                   "-infi",
                                   "infINIty",
                                   "nan",
                                   "in",
                                   "na",
                                   "i",
                                   "1e400",
                                   "-1e400",
                                   "1e-310",
                                   "1e-400",
                                   "2e-324",
                                   "4.9e-324",
                                   "0e99999",
                                   "0.000e-99999",
                                   "1e99999999999999999999",
                                   "1.7976931348623157e308",
                                   "1.7976931348623159e308",
                                   "2.2250738585072011e-308",
                                   "9007199254740993",
                                   "0.1000000000000000055511151231257827021181583404541015625",
                                   "179769313486231570000000000000000000000000000000000"}) {
      check(text);
    }
    std::mt19937_64 random(1);
    for (int i = 0; i < 20000; ++i) {
      char text[64];
      std::snprintf(text, sizeof(text), "%.*g", static_cast<int>(random() % 20), std::bit_cast<double>(random()));
      check(text);
    }
  }
}
