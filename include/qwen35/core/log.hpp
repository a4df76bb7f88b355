// SPDX-License-Identifier: Apache-2.0
// Messages that are no errors: what a call left out or did otherwise than a caller may expect. Silent until a program
// asks for them.
#pragma once

#include <qwen35/core/error.hpp>

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#if QWEN35_BODIES
#include <memory>
#include <mutex>
#include <utility>
#endif

QWEN35_BEGIN_NAMESPACE

enum class LogLevel : std::uint8_t { info, warning };

// Gets each message on the thread whose call it is about, while that call runs; several threads may log at once. An
// exception that it throws leaves that call, which has changed nothing yet: so warnings can be made errors.
using LogCallback = std::function<void(LogLevel level, std::string_view message)>;

// Who gets the messages from now on; empty: nobody. Returns who got them before. Files compiled with other options (see
// abi.hpp) have a place of their own.
LogCallback set_log_callback(LogCallback callback);

// Does anybody listen? For messages that are costly to find out.
bool has_log_callback();

namespace detail {
void tell_log(LogLevel level, const std::string& message);
}  // namespace detail

// Logs the pieces as one message. It is only put together when somebody listens.
template <class... Parts>
inline void log(LogLevel level, const Parts&... parts) {
  if (has_log_callback()) {
    detail::tell_log(level, concat(parts...));
  }
}
template <class... Parts>
inline void log_warning(const Parts&... parts) {
  log(LogLevel::warning, parts...);
}

#if QWEN35_BODIES

namespace detail {

struct LogSink {
  std::mutex mutex;
  std::shared_ptr<const LogCallback> callback;

  static LogSink& instance() {
    static LogSink sink;
    return sink;
  }
  std::shared_ptr<const LogCallback> get() {
    const std::lock_guard lock(mutex);
    return callback;
  }
};

QWEN35_BODY void tell_log(LogLevel level, const std::string& message) {
  if (const std::shared_ptr<const LogCallback> callback = LogSink::instance().get()) {
    (*callback)(level, message);
  }
}

}  // namespace detail

QWEN35_BODY LogCallback set_log_callback(LogCallback callback) {
  std::shared_ptr<const LogCallback> next;
  if (callback) {
    next = std::make_shared<const LogCallback>(std::move(callback));
  }
  detail::LogSink& sink = detail::LogSink::instance();
  {
    const std::lock_guard lock(sink.mutex);
    sink.callback.swap(next);
  }
  return next == nullptr ? LogCallback() : *next;
}

QWEN35_BODY bool has_log_callback() {
  return detail::LogSink::instance().get() != nullptr;
}

#endif  // QWEN35_BODIES

QWEN35_END_NAMESPACE
