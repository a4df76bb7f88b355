// SPDX-License-Identifier: Apache-2.0
// What every tool does around its work: errors and warnings in one form, an output that could not be written is one of
// them, and an input has an end.
#pragma once

#include <qwen35/core/log.hpp>
#include <qwen35/io/file_handle.hpp>

#include <csignal>
#include <cstddef>
#include <cstdio>
#include <exception>
#include <iostream>
#include <istream>
#include <new>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#if QWEN35_HAS_POSIX
#include <sys/mman.h>
#include <sys/resource.h>
#endif

#include "shown.hpp"
#include "tool_interrupt.hpp"

namespace tool {

// Of what comes through standard input or is in a file of text: a device gives without end.
inline constexpr std::size_t max_input_bytes = std::size_t{1} << 28;
// Of one line, and of a question of several lines: tokens of one word take up to 35 times its bytes.
inline constexpr std::size_t max_line_bytes = std::size_t{1} << 25;

// The main thread's stack, where the kernels have their panels; see README. It is made at the start: a stack that
// cannot grow later, for want of memory, ends the program by a signal.
inline constexpr std::size_t stack_bytes = std::size_t{1} << 20;

namespace detail {

// Adds what comes to `text`, up to a byte for which `ends(byte)`, or up to the end of the input: that byte, or eof.
// Raises InputError, CancelledError.
template <class Ends>
int read_until(std::istream& in, std::string& text, const Ends& ends) {
  try {
    std::streambuf& bytes = *in.rdbuf();
    const auto next = [&, waits = &bytes == std::cin.rdbuf()] {
      if (waits && bytes.in_avail() <= 0) {
        wait_for_standard_input();
      }
      return bytes.sbumpc();
    };
    int byte = next();
    for (; byte != std::char_traits<char>::eof() && !ends(byte); byte = next()) {
      text.push_back(static_cast<char>(byte));
    }
    return byte;
  } catch (const std::ios_base::failure&) {
    qwen35::raise<qwen35::InputError>("standard input cannot be read");
  }
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

// Writes to every page of the next stack_bytes of the stack.
[[gnu::noinline]] inline void touch_stack() {
  [[maybe_unused]] volatile char room[stack_bytes];
  constexpr std::size_t page = 4096;
  for (std::size_t end = stack_bytes; end > 0; end -= page) {
    room[end - 1] = 0;
  }
}

// Raises Error when there is no room for it, or none is allowed.
inline void make_stack() {
#if QWEN35_HAS_POSIX
  rlimit limit{};
  constexpr rlim_t least = 2 * stack_bytes;  // arguments stand there too
  const bool known = ::getrlimit(RLIMIT_STACK, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY;
  qwen35::require(!known || limit.rlim_cur >= least, "the stack may have ", limit.rlim_cur / 1024,
                  " KiB (ulimit -s), expected at least ", least / 1024);
  void* const room = ::mmap(nullptr, stack_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  qwen35::require(room != MAP_FAILED, "there is not enough memory for the stack");
  ::munmap(room, stack_bytes);
#endif
  touch_stack();
}

}  // namespace detail

// All that comes. Raises InputError for more than `most` bytes.
inline std::string read_all(std::istream& in, std::size_t most = max_input_bytes) {
  std::string text;
  const int end = detail::read_until(in, text, [&](int) { return text.size() == most; });
  qwen35::require<qwen35::InputError>(end == std::char_traits<char>::eof(), "the input has more than ", most,
                                      " bytes, which is the limit");
  return text;
}

enum class NextLine { read, too_long, interrupted, none };

// The next line, without its end. Of one longer than max_line_bytes nothing is kept; the next one is what follows it.
// Raises InputError when the input cannot be read, CancelledError.
inline NextLine read_line(std::istream& in, std::string& line) {
  line.clear();
  const int end = detail::read_until(in, line, [&](int byte) { return byte == '\n' || line.size() == max_line_bytes; });
  if (end == std::char_traits<char>::eof()) {
    return line.empty() ? NextLine::none : NextLine::read;
  }
  if (end == '\n') {
    return NextLine::read;
  }
  std::string().swap(line);
  detail::read_until(in, line, [&](int byte) {
    line.clear();
    return byte == '\n';
  });
  line.clear();
  return NextLine::too_long;
}
// Raises InputError for a line that was too long.
inline void require_whole(NextLine line) {
  qwen35::require<qwen35::InputError>(line != NextLine::too_long, "a line of more than ", max_line_bytes,
                                      " bytes, which is the limit; large pictures are given as files");
}
// All of it, NUL bytes too.
inline void print(const std::string& text, std::FILE* file = stdout) {
  std::fwrite(text.data(), 1, text.size(), file);
}

// On the error output, in a line of its own.
inline void print_note(const std::string& text) {
  std::cerr << "note: " << text << '\n';
}

// What the library warns of, as long as this lives, on the program's only thread that calls it: show(text), each text
// once.
class Warnings {
 public:
  template <class Show>
  explicit Warnings(Show show)
      : before_(qwen35::set_log_callback([show = std::move(show), told = std::set<std::string>()](
                                             qwen35::LogLevel level, std::string_view message) mutable {
          if (level == qwen35::LogLevel::warning && told.emplace(message).second) {
            show(shown(std::string(message)));
          }
        })) {}
  Warnings(const Warnings&) = delete;
  Warnings& operator=(const Warnings&) = delete;
  ~Warnings() { qwen35::set_log_callback(before_); }

 private:
  qwen35::LogCallback before_;
};

// What is wrong.
inline const char* words(const std::exception& error) {
  const bool unsaid = dynamic_cast<const std::bad_alloc*>(&error) != nullptr &&
                      dynamic_cast<const qwen35::MemoryError*>(&error) == nullptr;
  return unsaid ? "there is not enough memory" : error.what();
}

// Was something printed that did not arrive? Nobody reads what is printed after it.
inline bool output_lost() {
  return std::ferror(stdout) != 0 || !std::cout.good();
}

// The result of `work`, for main(); 1 behind an error, which is told, and when standard output could not be written. (A
// command line that is wrong gives 2, see tool_options.hpp; an interrupted program ends by the signal.)
template <class Work>
int run(const char* name, const Work& work) {
  detail::keep_standard_numbers();
#if defined(SIGXFSZ)
  std::signal(SIGXFSZ, SIG_IGN);  // a file that would be larger than it may be is an error of writing
#endif
  try {
    detail::make_stack();
    std::ios::sync_with_stdio(false);  // a byte of std::cin costs 1 ns instead of 20, and what cannot be read is said
    heed_interrupts();
    const qwen35::CallScope scope(interruption);
    const int code = work();
    std::cout.flush();
    std::fflush(stdout);
    qwen35::require<qwen35::InputError>(!output_lost(), "standard output cannot be written");
    return code;
  } catch (const std::exception& error) {
    std::cout.flush();
    std::fflush(stdout);
    std::cerr << name << ": " << (interrupted_by != 0 ? "interrupted: " : "") << shown(words(error)) << '\n';
#if defined(QWEN35_TOOL_CONFIG_LIST)  // not in the programs that qwen35_add_logits() and qwen35_add_bench() make
    if (dynamic_cast<const qwen35::UncompiledModelError*>(&error) != nullptr) {
      std::cerr
          << "(-DQWEN35_TOOL_CONFIGS=TYPE compiles the tools for a published size; qwen35-inspect names its type)\n";
    }
#endif
    return interrupted_by != 0 ? end_by_signal() : 1;
  }
}

}  // namespace tool
