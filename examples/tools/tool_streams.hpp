// SPDX-License-Identifier: Apache-2.0
// What every tool does around its work: errors in one form, an output that could not be written is one of them, and an
// input has an end.
#pragma once

#include <qwen35/io/file_handle.hpp>

#include <csignal>
#include <cstddef>
#include <cstdio>
#include <exception>
#include <iostream>
#include <istream>
#include <new>
#include <string>

namespace tool {

// Of what comes through standard input, or of one line of it: a device gives without end.
inline constexpr std::size_t max_input_bytes = std::size_t{1} << 30;

namespace detail {

// Adds what comes up to `end`, or up to the end of the input, to `text`; whether `end` came. Raises InputError.
inline bool read_until(std::istream& in, int end, std::string& text) {
  try {
    std::streambuf& bytes = *in.rdbuf();
    for (int byte = bytes.sbumpc(); byte != std::char_traits<char>::eof(); byte = bytes.sbumpc()) {
      if (byte == end) {
        return true;
      }
      qwen35::require<qwen35::InputError>(text.size() < max_input_bytes, "the input is longer than the limit of ",
                                          max_input_bytes, " bytes", end == '\n' ? " for a line" : "");
      text.push_back(static_cast<char>(byte));
    }
  } catch (const std::ios_base::failure&) {
    qwen35::raise<qwen35::InputError>("standard input cannot be read");
  }
  return false;
}

// A file that the work opens never gets the number of a standard stream that is closed: what is printed would go into
// it. Here such a stream fails when it is used.
inline void keep_standard_numbers() {
#if QWEN35_HAS_POSIX
  for (int number = 0; number <= 2; ++number) {
    if (::fcntl(number, F_GETFD) < 0) {
      static_cast<void>(::open("/dev/null", number == 0 ? O_WRONLY : O_RDONLY));
    }
  }
#endif
}

}  // namespace detail

// All that comes. Raises InputError for more than max_input_bytes.
inline std::string read_all(std::istream& in) {
  std::string text;
  detail::read_until(in, -1, text);
  return text;
}
// The next line, without its end; false when there is none. Raises InputError for one longer than max_input_bytes.
inline bool read_line(std::istream& in, std::string& line) {
  line.clear();
  return detail::read_until(in, '\n', line) || !line.empty();
}

// Was something printed that did not arrive? Nobody reads what is printed after it.
inline bool output_lost() {
  return std::ferror(stdout) != 0 || !std::cout.good();
}

// The result of `work`, for main(); 1 behind an error, which is told, and when standard output could not be written.
template <class Work>
int run(const char* name, const Work& work) {
  detail::keep_standard_numbers();
#if defined(SIGXFSZ)
  std::signal(SIGXFSZ, SIG_IGN);  // a file that would be larger than it may be is an error of writing
#endif
  try {
    std::ios::sync_with_stdio(false);  // a byte of std::cin costs 1 ns instead of 20, and what cannot be read is said
    const int code = work();
    std::cout.flush();
    std::fflush(stdout);
    qwen35::require<qwen35::InputError>(!output_lost(), "standard output cannot be written");
    return code;
  } catch (const std::bad_alloc&) {
    std::cerr << name << ": there is not enough memory\n";
    return 1;
  } catch (const std::exception& error) {
    std::cerr << name << ": " << error.what() << '\n';
    return 1;
  }
}

}  // namespace tool
