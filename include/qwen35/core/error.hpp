// SPDX-License-Identifier: Apache-2.0
// Errors: what was wrong, where, and what was expected. All derive from `qwen35::Error`; all are raised by one
// function.
#pragma once

#include <qwen35/core/abi.hpp>

#include <algorithm>
#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <iterator>
#include <new>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
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

// A text as it can be shown: with '?' for what ends a C string, commands a terminal, reorders what stands around it or
// cannot be seen. (U+200C and U+200D stay: Persian and emoji are written with them.)
std::string shown_text(std::string_view text);

// A message as it can be shown, whatever was quoted in it: of long lines and of too many the beginning and the end.
std::string shown_message(std::string_view message);

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

// A message's pieces are handed to the one function that writes them as C hands over any number of arguments: a number
// as it is, of a text the address. Their types come apart, a letter for each. (With the strings made where they are
// raised, these lines that hardly ever run took a twentieth of a program's code more, and of the time to compile it.)
template <class T>
constexpr char piece_letter() {
  if constexpr (std::is_same_v<T, char> || std::is_same_v<T, bool>) {
    return std::is_same_v<T, char> ? 'c' : 'b';
  } else if constexpr (std::is_arithmetic_v<T>) {
    return std::is_floating_point_v<T> ? 'r' : std::is_signed_v<T> ? 'i' : 'n';
  } else if constexpr (std::is_same_v<T, std::string>) {
    return 's';
  } else if constexpr (std::is_same_v<T, std::string_view>) {
    return 'v';
  } else {
    return 'z';
  }
}

template <char... Letters>
struct PieceLetters {
  static constexpr char value[] = {Letters..., 0};
};
template <class... Parts>
inline constexpr const char* piece_letters = PieceLetters<piece_letter<Parts>()...>::value;

constexpr const char* piece(const char* text) {
  return text;
}
template <class T>
constexpr auto piece(const T& part) {
  constexpr char letter = piece_letter<T>();
  if constexpr (letter == 'r') {
    return static_cast<double>(part);
  } else if constexpr (letter == 'i') {
    return static_cast<long long>(part);
  } else if constexpr (letter == 's' || letter == 'v') {
    return &part;
  } else if constexpr (letter == 'z') {
    return static_cast<const char*>(part);
  } else {
    return static_cast<unsigned long long>(part);
  }
}

inline std::string join(const char* letters, std::va_list& pieces) {
  std::string out;
  for (; *letters != 0; ++letters) {
    switch (*letters) {
      case 'c':
        out.push_back(static_cast<char>(va_arg(pieces, unsigned long long)));
        break;
      case 'b':
        out.append(va_arg(pieces, unsigned long long) != 0 ? "true" : "false");
        break;
      case 'i':
        out.append(std::to_string(va_arg(pieces, long long)));
        break;
      case 'n':
        out.append(std::to_string(va_arg(pieces, unsigned long long)));
        break;
      case 'r':
        out.append(std::to_string(va_arg(pieces, double)));
        break;
      case 's':
        out.append(*va_arg(pieces, const std::string*));
        break;
      case 'v':
        out.append(*va_arg(pieces, const std::string_view*));
        break;
      default:
        out.append(va_arg(pieces, const char*));
        break;
    }
  }
  return out;
}

inline std::string joined(const char* letters, ...) {
  std::va_list pieces;
  va_start(pieces, letters);
  std::string out = join(letters, pieces);
  va_end(pieces);
  return out;
}

template <class E>
[[noreturn, gnu::cold, gnu::noinline]] inline void raise_joined(const char* letters, ...) {
  std::va_list pieces;
  va_start(pieces, letters);
  const std::string message = join(letters, pieces);
  va_end(pieces);
  raise<E>(message);
}

}  // namespace detail

// The pieces as one string: `concat("layer ", 3, ": expected ", n)`.
template <class... Parts>
inline std::string concat(const Parts&... parts) {
  return detail::joined(detail::piece_letters<Parts...>, detail::piece(parts)...);
}

namespace detail {

// The place at or before `at` where no character of UTF-8 is cut.
inline std::size_t character_begin(std::string_view text, std::size_t at) {
  while (at > 0 && at < text.size() && (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80) {
    --at;
  }
  return at;
}

}  // namespace detail

// A text from outside, for a message: on one line, and its beginning alone when it is longer than a name or a path ever
// is.
inline std::string shortened(std::string_view text) {
  constexpr std::size_t shown = 300;
  std::string out = shown_text(text.substr(0, detail::character_begin(text, shown)));
  std::replace(out.begin(), out.end(), '\n', '?');
  return text.size() <= shown ? out : concat(out, "... (", text.size(), " bytes)");
}

namespace detail {

// The beginning and the end of a text of more than `most` bytes, with a note of what was left out between them.
inline std::string without_middle(std::string_view text, std::size_t most) {
  if (text.size() <= most) {
    return std::string(text);
  }
  const std::size_t first = character_begin(text, most * 3 / 4);
  const std::size_t last = character_begin(text, text.size() - most / 5);
  return concat(text.substr(0, first), " ... (", last - first, " bytes) ... ", text.substr(last));
}

}  // namespace detail

// Raises E with the pieces as its message, unless `condition` holds. The message is only built on failure.
template <class E = Error, class... Parts>
inline void require(detail::Condition condition, const Parts&... parts) {
#if defined(__cpp_exceptions)
  if (!condition) [[unlikely]] {
    detail::raise_joined<E>(detail::piece_letters<Parts...>, detail::piece(parts)...);
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

#if QWEN35_BODIES

namespace detail {

// How many bytes at the start of a text are a character that shown_text() does not show; 0: it shows it.
QWEN35_BODY std::size_t unshown_bytes(std::string_view text) {
  const auto byte = [&](std::size_t i) {
    return i < text.size() ? static_cast<std::uint32_t>(static_cast<unsigned char>(text[i])) : 0u;
  };
  const auto follows = [&](std::size_t i) { return (byte(i) & 0xC0) == 0x80; };
  if (byte(0) < 0x80) {
    return (byte(0) < 0x20 && text[0] != '\n' && text[0] != '\t') || byte(0) == 0x7F ? 1 : 0;
  }
  const std::size_t size = byte(0) >> 5 == 6 && follows(1) ? 2 : byte(0) >> 4 == 14 && follows(1) && follows(2) ? 3 : 0;
  const std::uint32_t point = size == 2   ? (byte(0) & 31) << 6 | (byte(1) & 63)
                              : size == 3 ? (byte(0) & 15) << 12 | (byte(1) & 63) << 6 | (byte(2) & 63)
                                          : 0;
  // C1 controls; marks of direction, of no width, at the ends of lines and paragraphs.
  constexpr std::uint32_t unshown[][2] = {{0x80, 0x9F},     {0x061C, 0x061C}, {0x200B, 0x200B}, {0x200E, 0x200F},
                                          {0x2028, 0x202E}, {0x2060, 0x206F}, {0xFEFF, 0xFEFF}};
  return std::any_of(std::begin(unshown), std::end(unshown),
                     [&](const std::uint32_t(&range)[2]) { return point >= range[0] && point <= range[1]; })
             ? size
             : 0;
}

}  // namespace detail

QWEN35_BODY std::string shown_text(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t unshown = detail::unshown_bytes(text.substr(i));
    out += unshown > 0 ? '?' : text[i];
    i += std::max<std::size_t>(unshown, 1);
  }
  return out;
}

QWEN35_BODY std::string shown_message(std::string_view message) {
  constexpr std::size_t longest_line = 1000, longest = 8000;
  std::string out;
  for (std::size_t at = 0; at <= message.size();) {
    const std::size_t end = std::min(message.find('\n', at), message.size());
    out += at == 0 ? "" : "\n";
    out += detail::without_middle(message.substr(at, end - at), longest_line);
    at = end + 1;
  }
  return shown_text(detail::without_middle(out, longest));
}

#endif  // QWEN35_BODIES

QWEN35_END_NAMESPACE
