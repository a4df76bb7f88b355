// SPDX-License-Identifier: Apache-2.0
// Collects the messages of the log for as long as it lives.
#pragma once

#include <qwen35/core/log.hpp>

#include <string>
#include <vector>

struct LogCapture {
  LogCapture()
      : before_(qwen35::set_log_callback(
            [this](qwen35::LogLevel, std::string_view message) { messages.emplace_back(message); })) {}
  LogCapture(const LogCapture&) = delete;
  LogCapture& operator=(const LogCapture&) = delete;
  ~LogCapture() { qwen35::set_log_callback(before_); }

  std::vector<std::string> messages;

 private:
  qwen35::LogCallback before_;
};
