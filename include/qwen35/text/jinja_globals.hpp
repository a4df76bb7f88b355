// SPDX-License-Identifier: Apache-2.0
// The functions that every Jinja template can call.
#pragma once

#include <qwen35/text/jinja_functions.hpp>

#include <ctime>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

QWEN35_BEGIN_NAMESPACE
namespace jinja {

inline Value dict_of(Arguments& arguments) {
  Members members;
  for (auto& [name, value] : arguments.named) {
    members.emplace_back(Text(name), std::move(value));
  }
  if (!arguments.items.empty()) {
    wrong("dict: only arguments with names are supported");
  }
  return members;
}

inline Value namespace_of(Arguments& arguments) {
  Members members;
  if (!arguments.items.empty() && arguments.items[0].is(Kind::dict)) {
    members = arguments.items[0].members();
  }
  for (auto& [name, value] : arguments.named) {
    members.emplace_back(Text(name), std::move(value));
  }
  return Value::settable_space(std::move(members));
}

inline Value range(Arguments& arguments, Budget& budget) {
  std::int64_t bounds[3] = {0, 0, 1};
  if (arguments.items.empty() || arguments.items.size() > 3) {
    wrong("range: expected one to three integers");
  }
  for (std::size_t i = 0; i < arguments.items.size(); ++i) {
    bounds[arguments.items.size() == 1 ? 1 : i] = integer_of(arguments.items[i], "range");
  }
  if (bounds[2] == 0) {
    wrong("range: the step is 0");
  }
  // The distance fits 64 bits without a sign.
  const bool up = bounds[2] > 0;
  const auto from = static_cast<std::uint64_t>(bounds[up ? 0 : 1]), to = static_cast<std::uint64_t>(bounds[up ? 1 : 0]);
  const std::uint64_t step = up ? static_cast<std::uint64_t>(bounds[2]) : 0 - static_cast<std::uint64_t>(bounds[2]);
  const bool any = up ? bounds[0] < bounds[1] : bounds[0] > bounds[1];
  const std::uint64_t count = any ? (to - from - 1) / step + 1 : 0;
  if (count > 100000) {
    wrong("range: more than 100000 items");
  }
  budget.charge_values(static_cast<std::size_t>(count));
  std::vector<Value> out;
  for (std::uint64_t i = 0; i < count; ++i) {
    out.push_back(bounds[0] + static_cast<std::int64_t>(i) * bounds[2]);
  }
  return out;
}

inline Value time_text(Arguments& arguments) {
  static std::mutex one_at_a_time;  // std::localtime shares its result
  const std::string format = text_of(needed(arguments, 0, "format"), "strftime_now").bytes;
  const std::time_t now = std::time(nullptr);
  const std::lock_guard<std::mutex> lock(one_at_a_time);
  char buffer[1024] = "";
  const std::size_t size = std::strftime(buffer, sizeof(buffer), format.c_str(), std::localtime(&now));
  return Text(std::string_view(buffer, size), TextOrigin::program);
}

}  // namespace jinja
QWEN35_END_NAMESPACE
