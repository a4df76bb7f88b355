// SPDX-License-Identifier: Apache-2.0
#include <qwen35/core/log.hpp>

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace qwen35;

TEST_CASE("silent by default; then each message reaches the callback, which can be taken out again") {
  log_warning("nobody listens");
  std::vector<std::string> messages;
  const LogCallback before = set_log_callback([&](LogLevel level, std::string_view message) {
    messages.push_back(concat(level == LogLevel::warning ? "warning: " : "info: ", message));
  });
  CHECK(!before);
  log_warning("max_length ", 5, " of ", 2.5);
  log(LogLevel::info, "read");
  CHECK(messages == std::vector<std::string>{"warning: max_length 5 of 2.500000", "info: read"});
  const LogCallback mine = set_log_callback({});
  CHECK(static_cast<bool>(mine));
  log_warning("nobody listens");
  CHECK(messages.size() == 2);
}

TEST_CASE("what the callback throws reaches the call that logged") {
  set_log_callback([](LogLevel, std::string_view message) { raise<InputError>(std::string(message)); });
  CHECK_THROWS_WITH_AS(log_warning("strict"), "strict", InputError);
  set_log_callback({});
}
