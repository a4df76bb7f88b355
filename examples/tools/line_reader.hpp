// SPDX-License-Identifier: Apache-2.0
// Lines from a terminal, with editing, history and completion where a library for it was found; from a pipe plain ones.
#pragma once

#include <poll.h>
#include <unistd.h>

#if defined(QWEN35_TOOL_EDITLINE)
#include <editline/readline.h>
#elif defined(QWEN35_TOOL_READLINE)
#include <readline/history.h>
#include <readline/readline.h>
#endif

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "chat_screen.hpp"
#include "line_history.hpp"
#include "tool_streams.hpp"

namespace chat_tool {

// Waits for input; false when a signal came first. It looks around now and then, for a Ctrl-C that comes between
// looking and waiting, and for one that the library keeps back while it edits a line.
inline bool wait_for_input() {
  constexpr int milliseconds = 100;
  for (int ready = 0; interrupted == 0 && tool::interrupted_by == 0;) {
    if (ready > 0 || (ready < 0 && errno != EINTR)) {
      return true;
    }
    pollfd input = {STDIN_FILENO, POLLIN, 0};
    ready = poll(&input, 1, milliseconds);
#if defined(QWEN35_TOOL_READLINE) && !defined(QWEN35_TOOL_EDITLINE)
    const int reason = errno;
    rl_check_signals();
    errno = reason;
#endif
  }
  return false;
}

#if defined(QWEN35_TOOL_EDITLINE) || defined(QWEN35_TOOL_READLINE)
inline constexpr bool edits_lines = true;

// What a word at the beginning of a line may become.
inline std::vector<std::string> completed_commands;

extern "C" {
// The next command that begins with `text`; the caller frees it.
inline char* chat_tool_next_command(const char* text, int state) {
  static std::size_t next = 0;
  next = state == 0 ? 0 : next;
  while (next < completed_commands.size()) {
    const std::string& command = completed_commands[next++];
    if (command.starts_with(text)) {
      return strdup(command.c_str());
    }
  }
  return nullptr;
}
// Commands at the beginning of a line, else names of files.
inline char** chat_tool_complete(const char* text, int start, int) {
  rl_attempted_completion_over = 1;
  if (start == 0) {
    return rl_completion_matches(text, chat_tool_next_command);
  }
  return rl_completion_matches(text, rl_filename_completion_function);
}
// The next byte of a line that is edited, or EOF, which ends it, after Ctrl-C.
inline int chat_tool_next_byte(std::FILE*) {
  while (wait_for_input()) {
    unsigned char byte = 0;
    const ssize_t got = read(STDIN_FILENO, &byte, 1);
    if (got >= 0 || errno != EINTR) {
      return got == 1 ? byte : EOF;
    }
  }
  return EOF;
}
}
#else
inline constexpr bool edits_lines = false;
#endif

class LineReader {
 public:
  explicit LineReader([[maybe_unused]] std::vector<std::string> commands)
      : terminal_(isatty(STDIN_FILENO) != 0), edits_(edits_lines && terminal_ && isatty(STDERR_FILENO) != 0) {
#if defined(QWEN35_TOOL_EDITLINE) || defined(QWEN35_TOOL_READLINE)
    if (edits_) {
      static char breaks[] = " \t\n";
      completed_commands = std::move(commands);
      rl_outstream = stderr;
      rl_getc_function = chat_tool_next_byte;
      rl_attempted_completion_function = chat_tool_complete;
      rl_completer_word_break_characters = breaks;
      using_history();
      for (const std::string& entry : history_.entries()) {
        add_history(entry.c_str());
      }
    }
#endif
  }

  bool terminal() const {
    return terminal_;
  }
  // Why lines of earlier runs are not there, and those of this one are not kept; empty when they are.
  std::string problem() const {
    return edits_ ? history_.problem() : std::string();
  }
  // The next line, without its end; of text that was pasted all lines. Nothing is in `line` behind what is no
  // NextLine::read; at a terminal under an InterruptGuard Ctrl-C is NextLine::interrupted. Raises CancelledError.
  tool::NextLine read(const std::string& prompt, std::string& line) {
    tool::NextLine found = next(prompt, line);
    std::string rest;
    while (found == tool::NextLine::read && terminal_ && waits() && (found = next("", rest)) == tool::NextLine::read) {
      line += '\n' + rest;
    }
    if (found == tool::NextLine::none && !line.empty()) {
      return tool::NextLine::read;  // the end of the input comes again
    }
    if (found != tool::NextLine::read) {
      line.clear();
    }
    return found;
  }
  // What was asked, all lines of it, for the arrow keys of this run and of later ones.
  void remember(const std::string& text) {
#if defined(QWEN35_TOOL_EDITLINE) || defined(QWEN35_TOOL_READLINE)
    if (edits_ && history_.add(text)) {
      add_history(text.c_str());
    }
#else
    static_cast<void>(text);
#endif
  }

 private:
  // Is there a whole line that nobody had the time to type?
  static bool waits() {
    pollfd input = {STDIN_FILENO, POLLIN, 0};
    return std::cin.rdbuf()->in_avail() > 0 || (poll(&input, 1, 0) > 0 && (input.revents & POLLIN) != 0);
  }
  tool::NextLine next(const std::string& prompt, std::string& line) {
    tool::NextLine found = tool::NextLine::none;
#if defined(QWEN35_TOOL_EDITLINE) || defined(QWEN35_TOOL_READLINE)
    if (edits_) {
      const std::unique_ptr<char, void (*)(void*)> read(readline(prompt.c_str()), std::free);
      line = read ? read.get() : "";
      found = read ? tool::NextLine::read : tool::NextLine::none;
    }
#endif
    if (!edits_) {
      if (terminal_) {
        std::fputs(prompt.c_str(), stderr);
      }
      if (!terminal_ || std::cin.rdbuf()->in_avail() > 0 || wait_for_input()) {
        found = tool::read_line(std::cin, line);
      }
    }
    tool::end_if_interrupted("the input had not ended");
    if (terminal_ && interrupted != 0) {
      interrupted = 0;
      std::fputc('\n', stderr);
      return tool::NextLine::interrupted;
    }
    return found;
  }

  bool terminal_;
  bool edits_;
  LineHistory history_;
};

}  // namespace chat_tool
