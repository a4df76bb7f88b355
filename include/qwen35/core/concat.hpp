// SPDX-License-Identifier: Apache-2.0
// Pieces of a message put together.
#pragma once

#include <qwen35/core/abi.hpp>

#include <cstdarg>
#include <string>
#include <string_view>
#include <type_traits>

QWEN35_BEGIN_NAMESPACE

namespace message_pieces {

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
inline constexpr const char* letters_of = PieceLetters<piece_letter<Parts>()...>::value;

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

}  // namespace message_pieces

// The pieces as one string: `concat("layer ", 3, ": expected ", n)`.
template <class... Parts>
inline std::string concat(const Parts&... parts) {
  return message_pieces::joined(message_pieces::letters_of<Parts...>, message_pieces::piece(parts)...);
}

QWEN35_END_NAMESPACE
