// SPDX-License-Identifier: Apache-2.0
// Ctrl-C and SIGTERM, in one way for every tool: what is being done ends at its next step and leaves no half of a file,
// what was printed arrives, the program says that it was interrupted and how far it was, and ends by the signal itself,
// which a shell shows as 130 (143) and a loop of its commands ends by. The second one ends it at once.
#pragma once

#include <qwen35/core/cancellation.hpp>
#include <qwen35/io/file_handle.hpp>

#include <cerrno>
#include <csignal>

#if QWEN35_HAS_POSIX
#include <poll.h>
#endif

namespace tool {

// The signal; 0: none came.
inline volatile std::sig_atomic_t interrupted_by = 0;
// Of the library's calls.
inline qwen35::Cancellation interruption;

extern "C" inline void tool_on_interrupt(int number) {
  if (interrupted_by != 0) {
    std::signal(number, SIG_DFL);
    std::raise(number);
  }
  interrupted_by = number;
  interruption.cancel();
}

// (A program that is started to run on without its terminal has them ignored.)
inline void heed_interrupts() {
  for (const int number : {SIGINT, SIGTERM}) {
    if (std::signal(number, SIG_IGN) != SIG_IGN) {
      std::signal(number, tool_on_interrupt);
    }
  }
}

// Between two steps of the program's own. Raises CancelledError, which says `state`.
inline void end_if_interrupted(const char* state) {
  if (interrupted_by != 0) {
    qwen35::raise<qwen35::CancelledError>(state);
  }
}

// Waits until there is something to read, or the end. Raises CancelledError.
inline void wait_for_standard_input() {
#if QWEN35_HAS_POSIX
  // It looks around now and then, for a signal that comes between looking and waiting.
  constexpr int milliseconds = 100;
  for (int ready = 0; ready == 0 || (ready < 0 && errno == EINTR);) {
    end_if_interrupted("the input had not ended");
    pollfd input = {STDIN_FILENO, POLLIN, 0};
    ready = poll(&input, 1, milliseconds);
  }
#endif
}

// What main() returns behind a signal, where that does not end the program.
inline int end_by_signal() {
  const int number = interrupted_by;
  std::signal(number, SIG_DFL);
  std::raise(number);
  return 128 + number;
}

}  // namespace tool
