// SPDX-License-Identifier: Apache-2.0
// JSON text as a stream of events.
#pragma once

#include <qwen35/core/error.hpp>
#include <qwen35/json/events.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#if QWEN35_BODIES
#if !__has_include(<rapidjson/reader.h>)
#error \
    "qwen35 needs RapidJSON (Debian: rapidjson-dev): link qwen35::qwen35, which finds or downloads it, or add its folder"
#endif
#include <rapidjson/error/en.h>
#include <rapidjson/memorystream.h>
#include <rapidjson/reader.h>
#include <qwen35/core/decimal.hpp>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <new>
#include <system_error>
#endif

QWEN35_BEGIN_NAMESPACE
namespace json {

// How a reading ended: at which byte and why, if not well.
struct ReadResult {
  bool ok = true;
  std::size_t offset = 0;
  std::string problem;
};

namespace detail {

// Any handler, so that the parser is compiled once and not for each. (A call for each event: 2 ns of some 50.)
class AnyHandler {
 public:
  virtual bool null() = 0;
  virtual bool boolean(bool value) = 0;
  virtual bool integer(std::int64_t value) = 0;
  virtual bool big_integer(std::string_view digits) = 0;
  virtual bool number(double value) = 0;
  virtual bool string(std::string_view text) = 0;
  virtual bool key(std::string_view text) = 0;
  virtual bool begin_object() = 0;
  virtual bool end_object() = 0;
  virtual bool begin_array() = 0;
  virtual bool end_array() = 0;

 protected:
  ~AnyHandler() = default;
};

template <EventHandler Handler>
class HandlerOf final : public AnyHandler {
 public:
  explicit HandlerOf(Handler& handler) : handler_(handler) {}
  bool null() override { return handler_.null(); }
  bool boolean(bool value) override { return handler_.boolean(value); }
  bool integer(std::int64_t value) override { return handler_.integer(value); }
  bool big_integer(std::string_view digits) override { return handler_.big_integer(digits); }
  bool number(double value) override { return handler_.number(value); }
  bool string(std::string_view text) override { return handler_.string(text); }
  bool key(std::string_view text) override { return handler_.key(text); }
  bool begin_object() override { return handler_.begin_object(); }
  bool end_object() override { return handler_.end_object(); }
  bool begin_array() override { return handler_.begin_array(); }
  bool end_array() override { return handler_.end_array(); }

 private:
  Handler& handler_;
};

ReadResult read_events(std::string_view text, AnyHandler& handler);

}  // namespace detail

// Tells `handler` what is in `text`. Raises nothing but what the handler raises.
template <EventHandler Handler>
inline ReadResult try_read(std::string_view text, Handler& handler) {
  detail::HandlerOf<Handler> any(handler);
  return detail::read_events(text, any);
}

// The same; raises TextError with the source's name, the byte offset and the reason.
template <EventHandler Handler>
inline void read(std::string_view text, Handler& handler, std::string_view source_name = "JSON") {
  const ReadResult result = try_read(text, handler);
  if (!result.ok) {
    decline<TextError>(concat(source_name, ": ", result.problem));
  }
}

}  // namespace json

#if QWEN35_BODIES

namespace json::detail {

// Numbers come as text: the reader's own conversion shifts by negative counts for some (0e300), and one double of 40
// digits in 100,000 comes out one unit off.
inline constexpr unsigned parse_flags =
    rapidjson::kParseIterativeFlag | rapidjson::kParseValidateEncodingFlag | rapidjson::kParseNumbersAsStringsFlag;

// Raises std::bad_alloc where the library's own would write through null.
struct ThrowingAllocator {
  static constexpr bool kNeedFree = true;
  void* Malloc(std::size_t size) { return size == 0 ? nullptr : ::operator new(size); }
  void* Realloc(void* old, std::size_t old_size, std::size_t size) {
    void* const out = Malloc(size);
    if (old != nullptr && out != nullptr) {
      std::memcpy(out, old, std::min(old_size, size));
    }
    Free(old);
    return out;
  }
  static void Free(void* memory) noexcept { ::operator delete(memory); }
};

// A number that is no double: beyond the largest, rather than below the smallest? `text` is well formed.
inline bool is_huge(std::string_view text) {
  const std::size_t exponent_at = text.find_first_of("eE");
  const std::string_view digits = text.substr(0, exponent_at);
  const std::size_t first = digits.find_first_of("123456789"), point = std::min(digits.find('.'), digits.size());
  const auto magnitude = static_cast<std::int64_t>(point) - static_cast<std::int64_t>(first);
  std::int64_t exponent = 0;
  if (exponent_at != std::string_view::npos) {
    const bool minus = text[exponent_at + 1] == '-';
    const char* const from = text.data() + exponent_at + (minus || text[exponent_at + 1] == '+' ? 2 : 1);
    if (std::from_chars(from, text.data() + text.size(), exponent).ec != std::errc()) {
      exponent = INT64_MAX / 2;
    }
    exponent = minus ? -exponent : exponent;
  }
  return magnitude + exponent > 0;
}

// The library's events as ours: numbers converted, and with a correction. Its reader accepts "\udc00", half a surrogate
// pair, which has no UTF-8: here it ends the reading.
class RapidjsonEvents {
 public:
  RapidjsonEvents(AnyHandler& handler, std::string_view text)
      : handler_(handler), escapes_(text.find("\\u") != std::string_view::npos) {}
  bool unpaired() const { return unpaired_; }
  bool too_big() const { return too_big_; }

  bool Null() { return handler_.null(); }
  bool Bool(bool value) { return handler_.boolean(value); }
  bool RawNumber(const char* text, rapidjson::SizeType size, bool) { return send_number({text, size}); }
  bool String(const char* text, rapidjson::SizeType size, bool) {
    return sound({text, size}) && handler_.string({text, size});
  }
  bool StartObject() { return handler_.begin_object(); }
  bool Key(const char* text, rapidjson::SizeType size, bool) {
    return sound({text, size}) && handler_.key({text, size});
  }
  bool EndObject(rapidjson::SizeType) { return handler_.end_object(); }
  bool StartArray() { return handler_.begin_array(); }
  bool EndArray(rapidjson::SizeType) { return handler_.end_array(); }
  // Not sent, since numbers come as text; the reader's templates name them.
  bool Int(int) { return false; }
  bool Uint(unsigned) { return false; }
  bool Int64(std::int64_t) { return false; }
  bool Uint64(std::uint64_t) { return false; }
  bool Double(double) { return false; }

 private:
  bool send_number(std::string_view text) {
    const char* const end = text.data() + text.size();
    if (text.find_first_of(".eE") == std::string_view::npos) {
      std::int64_t whole = 0;
      return std::from_chars(text.data(), end, whole).ec == std::errc() ? handler_.integer(whole)
                                                                        : handler_.big_integer(text);
    }
    double value = 0.0;
    const std::errc problem = read_decimal(text.data(), end, value).ec;
    too_big_ = problem == std::errc::result_out_of_range && is_huge(text);
    return !too_big_ && handler_.number(problem == std::errc() ? value : text.front() == '-' ? -0.0 : 0.0);
  }
  // The bytes themselves were validated; what escapes wrote may hold ED A0..BF, a surrogate.
  bool sound(std::string_view text) {
    if (escapes_) {
      for (std::size_t i = text.find('\xED'); i < text.size(); i = text.find('\xED', i + 1)) {
        unpaired_ = unpaired_ || (i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) >= 0xA0);
      }
    }
    return !unpaired_;
  }

  AnyHandler& handler_;
  bool escapes_;
  bool unpaired_ = false;
  bool too_big_ = false;
};

QWEN35_BODY ReadResult read_events(std::string_view text, AnyHandler& handler) {
  rapidjson::GenericReader<rapidjson::UTF8<>, rapidjson::UTF8<>, ThrowingAllocator> reader;
  rapidjson::MemoryStream stream(text.data(), text.size());
  RapidjsonEvents events(handler, text);
  const rapidjson::ParseResult result = reader.Parse<parse_flags>(stream, events);
  const auto failed = [](std::size_t offset, std::string_view reason) {
    return ReadResult{false, offset, concat("not valid JSON at byte ", offset, ": ", reason)};
  };
  if (events.unpaired()) {
    return failed(result.Offset(), "a \\u escape is half of a surrogate pair");
  }
  if (events.too_big()) {
    return failed(result.Offset(), rapidjson::GetParseError_En(rapidjson::kParseErrorNumberTooBig));
  }
  if (result.Code() == rapidjson::kParseErrorTermination) {
    return failed(result.Offset(), "nested too deeply, or not what was expected");
  }
  if (result.IsError()) {
    return failed(result.Offset(), rapidjson::GetParseError_En(result.Code()));
  }
  // The reader takes a NUL byte for the end.
  return stream.Tell() == text.size() ? ReadResult{} : failed(stream.Tell(), "text after the value");
}

}  // namespace json::detail

#endif  // QWEN35_BODIES

QWEN35_END_NAMESPACE
