// SPDX-License-Identifier: Apache-2.0
// A value, or what was wrong: for callers who choose by it, and for builds without exceptions.
#pragma once

#include <qwen35/core/error.hpp>
#include <qwen35/core/lifetime.hpp>

#include <optional>
#include <utility>

QWEN35_BEGIN_NAMESPACE

// As the exception of its kind.
[[noreturn]] inline void raise(const Failure& failure) {
  switch (failure.kind) {
    case ErrorKind::config:
      raise<ConfigError>(failure.message);
    case ErrorKind::checkpoint:
      raise<CheckpointError>(failure.message);
    case ErrorKind::input:
      raise<InputError>(failure.message);
    case ErrorKind::cache:
      raise<CacheError>(failure.message);
    case ErrorKind::text:
      raise<TextError>(failure.message);
    case ErrorKind::media:
      raise<MediaError>(failure.message);
    case ErrorKind::other:
      break;
  }
  raise<Error>(failure.message);
}

// The same declined.
inline void decline(const Failure& failure) {
#if defined(__cpp_exceptions)
  raise(failure);
#else
  decline_as(failure.kind, failure.message, {});
#endif
}

template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : value_(std::move(value)) {}
  Result(Failure failure) : failure_(std::move(failure)) {}

  explicit operator bool() const { return value_.has_value(); }
  // Raises the failure where there is no value.
  T& value() & QWEN35_LIFETIMEBOUND {
    require_value();
    return *value_;
  }
  const T& value() const& QWEN35_LIFETIMEBOUND {
    require_value();
    return *value_;
  }
  T&& value() && QWEN35_LIFETIMEBOUND {
    require_value();
    return std::move(*value_);
  }
  // Of a result without a value.
  const Failure& failure() const QWEN35_LIFETIMEBOUND { return failure_; }

 private:
  void require_value() const {
    if (!value_) {
      raise(failure_);
    }
  }

  std::optional<T> value_;
  Failure failure_;
};

// Of a call that gives nothing.
template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Failure failure) : failure_(std::move(failure)) {}

  explicit operator bool() const { return !failure_.has_value(); }
  const Failure& failure() const QWEN35_LIFETIMEBOUND { return *failure_; }

 private:
  std::optional<Failure> failure_;
};

// What `call` gives, or the library's error that it raises. A build without exceptions has none to catch: there this
// gives what the doors decline, those that have a try_ form, and all else goes to the program's handler.
template <class Call>
auto attempt(Call&& call) -> Result<decltype(call())> {
#if defined(__cpp_exceptions)
  try {
    if constexpr (std::is_void_v<decltype(call())>) {
      call();
      return {};
    } else {
      return call();
    }
  } catch (const Error&) {
    return caught_failure();
  }
#else
  std::optional<Failure> failure;
  std::optional<Failure>* const outer = std::exchange(wanted_failure, &failure);
  const auto result = [&](auto&&... value) {
    wanted_failure = outer;
    return failure ? Result<decltype(call())>(std::move(*failure)) : Result<decltype(call())>(std::move(value)...);
  };
  if constexpr (std::is_void_v<decltype(call())>) {
    call();
    return result();
  } else {
    return result(call());
  }
#endif
}

// What `call` gives. The message of an error of the library begins with what `place` gives: which of several, or whose.
// (A build without exceptions ends at the error itself, without the place.)
template <class Place, class Call>
auto with_place(const Place& place, Call&& call) -> decltype(call()) {
#if defined(__cpp_exceptions)
  auto result = attempt(call);
  if (!result) {
    raise(Failure{result.failure().kind, concat(place(), ": ", result.failure().message)});
  }
  return std::move(result.value());
#else
  static_cast<void>(place);
  return call();
#endif
}

QWEN35_END_NAMESPACE
