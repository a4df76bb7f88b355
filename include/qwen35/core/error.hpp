// SPDX-License-Identifier: Apache-2.0
// Errors: what was wrong, where, and what was expected. All derive from `qwen35::Error`; all are raised by one
// function.
#pragma once

#include <qwen35/core/abi.hpp>
#include <qwen35/core/concat.hpp>
#include <qwen35/core/shown_text.hpp>

#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <new>
#include <optional>
#include <stdexcept>
#include <string>
#include <type_traits>

QWEN35_BEGIN_NAMESPACE
enum class ErrorKind : std::uint8_t { other, config, checkpoint, input, cache, text, media };
QWEN35_END_NAMESPACE

#if !defined(__cpp_exceptions)
// A build without exceptions supplies this function; it must not return. `file`, `line`: where in the library's source.
// It is told of what no Result says, see attempt().
extern "C" [[noreturn]] void qwen35_error_handler(qwen35::ErrorKind kind, const char* message, const char* file,
                                                  int line);
#endif

QWEN35_BEGIN_NAMESPACE

// Base of every exception of the library.
class Error : public std::runtime_error {
 public:
  static constexpr ErrorKind kind = ErrorKind::other;
  using std::runtime_error::runtime_error;
};

// A config.json that is not well formed, or does not describe the compiled type.
class ConfigError : public Error {
 public:
  static constexpr ErrorKind kind = ErrorKind::config;
  using Error::Error;
};

// A checkpoint that none of the configs describes which the program was compiled for.
class UncompiledModelError : public ConfigError {
 public:
  using ConfigError::ConfigError;
};

// A weight file or checkpoint folder that is damaged or does not hold the model's tensors.
class CheckpointError : public Error {
 public:
  static constexpr ErrorKind kind = ErrorKind::checkpoint;
  using Error::Error;
};

// Arguments of a call that contradict each other or the model.
class InputError : public Error {
 public:
  static constexpr ErrorKind kind = ErrorKind::input;
  using Error::Error;
};

// A cache that is full, or a cache file that does not fit the model.
class CacheError : public Error {
 public:
  static constexpr ErrorKind kind = ErrorKind::cache;
  using Error::Error;
};

// Text, JSON, a tokenizer file or a conversation that cannot be read.
class TextError : public Error {
 public:
  static constexpr ErrorKind kind = ErrorKind::text;
  using Error::Error;
};

// An image or video that cannot be decoded or is out of the documented limits.
class MediaError : public Error {
 public:
  static constexpr ErrorKind kind = ErrorKind::media;
  using Error::Error;
};

// There is not enough memory: how many bytes, and what for. No Error, but caught as any other want of memory.
class MemoryError : public std::bad_alloc {
 public:
  MemoryError(std::size_t bytes, const char* use) noexcept {
    std::snprintf(text_, sizeof(text_), "there is not enough memory: %zu bytes for %s", bytes, use);
  }
  const char* what() const noexcept override { return text_; }

 private:
  char text_[128];
};

// An error as a value.
struct Failure {
  ErrorKind kind = ErrorKind::other;
  std::string message;
};

namespace detail {

#if defined(__cpp_exceptions)
struct Place {};
using Condition = bool;
#else
// Where a function with this as its last argument was called.
struct Place {
  const char* file;
  int line;
  constexpr Place(const char* called_in = __builtin_FILE(), int called_at = __builtin_LINE())
      : file(called_in), line(called_at) {}
};
struct Condition {
  Place place;
  bool holds;
  constexpr Condition(bool value, const char* file = __builtin_FILE(), int line = __builtin_LINE())
      : place(file, line), holds(value) {}
};
#endif

}  // namespace detail

// The only place that throws, but for the next and caught_failure().
template <class E = Error>
[[noreturn, gnu::cold]] inline void raise(const std::string& message, [[maybe_unused]] detail::Place place = {}) {
  static_assert(std::is_base_of_v<Error, E>, "raise<E>: E must derive from qwen35::Error");
#if defined(__cpp_exceptions)
  throw E(shown_message(message));
#else
  qwen35_error_handler(E::kind, shown_message(message).c_str(), place.file, place.line);
#endif
}

// The same for MemoryError.
[[noreturn, gnu::cold]] inline void raise_no_memory(std::size_t bytes, const char* use) {
#if defined(__cpp_exceptions)
  throw MemoryError(bytes, use);
#else
  raise<Error>(MemoryError(bytes, use).what());
#endif
}

namespace detail {

template <class E>
[[noreturn, gnu::cold, gnu::noinline]] inline void raise_joined(const char* letters, ...) {
  std::va_list pieces;
  va_start(pieces, letters);
  const std::string message = message_pieces::join(letters, pieces);
  va_end(pieces);
  raise<E>(message);
}

}  // namespace detail

// Raises E with the pieces as its message, unless `condition` holds. The message is only built on failure.
template <class E = Error, class... Parts>
inline void require(detail::Condition condition, const Parts&... parts) {
#if defined(__cpp_exceptions)
  if (!condition) [[unlikely]] {
    detail::raise_joined<E>(message_pieces::letters_of<Parts...>, message_pieces::piece(parts)...);
  }
#else
  if (!condition.holds) [[unlikely]] {
    raise<E>(concat(parts...), condition.place);
  }
#endif
}

#if !defined(__cpp_exceptions)
// Where the innermost attempt() of this thread wants the first failure.
inline constinit thread_local std::optional<Failure>* wanted_failure = nullptr;

// For the innermost attempt(), or for the program's handler. (One function for all kinds: it is called from
// everywhere.)
inline void decline_as(ErrorKind kind, const std::string& message, detail::Place place) {
  const std::string shown = shown_message(message);
  if (wanted_failure == nullptr) {
    qwen35_error_handler(kind, shown.c_str(), place.file, place.line);
  }
  if (!wanted_failure->has_value()) {
    wanted_failure->emplace(Failure{kind, shown});
  }
}
#endif

// Has something been declined that attempt() is to tell of? What was read since then means nothing. Never with
// exceptions.
inline bool declined() {
#if defined(__cpp_exceptions)
  return false;
#else
  return wanted_failure != nullptr && wanted_failure->has_value();
#endif
}

// Raises E. In a build without exceptions a failure within attempt() is kept for it instead, and this returns: then so
// does the function, with whatever value, and those that called it ask declined().
template <class E = Error>
inline void decline(const std::string& message, [[maybe_unused]] detail::Place place = {}) {
#if defined(__cpp_exceptions)
  raise<E>(message, place);
#else
  decline_as(E::kind, message, place);
#endif
}

// As require(), but declines; false where that returns.
template <class E = Error, class... Parts>
[[nodiscard]] inline bool holds(detail::Condition condition, const Parts&... parts) {
#if defined(__cpp_exceptions)
  require<E>(condition, parts...);
  return true;
#else
  if (!condition.holds) [[unlikely]] {
    decline<E>(concat(parts...), condition.place);
  }
  return condition.holds;
#endif
}

#if defined(__cpp_exceptions)
// The error that is being handled: for a handler of exceptions alone. What is no Error is raised again.
inline Failure caught_failure() {
  try {
    throw;
  } catch (const ConfigError& error) {
    return {ErrorKind::config, error.what()};
  } catch (const CheckpointError& error) {
    return {ErrorKind::checkpoint, error.what()};
  } catch (const InputError& error) {
    return {ErrorKind::input, error.what()};
  } catch (const CacheError& error) {
    return {ErrorKind::cache, error.what()};
  } catch (const TextError& error) {
    return {ErrorKind::text, error.what()};
  } catch (const MediaError& error) {
    return {ErrorKind::media, error.what()};
  } catch (const Error& error) {
    return {ErrorKind::other, error.what()};
  }
}
#endif

QWEN35_END_NAMESPACE
