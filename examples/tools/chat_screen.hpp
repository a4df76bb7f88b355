// SPDX-License-Identifier: Apache-2.0
// What the chat program shows: events as they come, progress, figures.
#pragma once

#include <qwen35/session/session_options.hpp>

#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "tool_streams.hpp"

namespace chat_tool {

// Set by Ctrl-C at a terminal.
inline volatile std::sig_atomic_t interrupted = 0;

extern "C" inline void chat_tool_interrupt(int) {
  interrupted = 1;
}

// From its making to its end Ctrl-C sets `interrupted`, instead of ending the program.
class InterruptGuard {
 public:
  InterruptGuard() : before_((interrupted = 0, std::signal(SIGINT, chat_tool_interrupt))) {}
  InterruptGuard(const InterruptGuard&) = delete;
  InterruptGuard& operator=(const InterruptGuard&) = delete;
  ~InterruptGuard() { std::signal(SIGINT, before_); }

 private:
  void (*before_)(int);
};

// Is the variable there and not empty? (no-color.org)
inline bool no_colour_wanted() {
  const char* const value = std::getenv("NO_COLOR");
  return value != nullptr && value[0] != '\0';
}

// The answer goes to stdout; everything else to stderr, in colour when that is a terminal and NO_COLOR is not set. When
// stdout is no terminal the reasoning goes to stderr too.
class Screen {
 public:
  Screen()
      : terminal_(isatty(STDOUT_FILENO) != 0),
        notes_terminal_(isatty(STDERR_FILENO) != 0),
        colour_(notes_terminal_ && !no_colour_wanted()) {}

  Screen(const Screen&) = delete;
  Screen& operator=(const Screen&) = delete;
  ~Screen() { clear_progress(); }

  // Shows no progress.
  void set_quiet(bool quiet) { quiet_ = quiet; }

  void event(const qwen35::OutputEvent& event) {
    using Type = qwen35::OutputEventType;
    clear_progress();
    switch (event.type) {
      case Type::reasoning:
        begin(Part::reasoning);
        put(event.text);
        break;
      case Type::content:
        begin(Part::content);
        put(event.text);
        break;
      case Type::tool_call_begin:
        begin(Part::none);
        begin(Part::call);
        put("[calls " + event.text + "]\n");
        break;
      case Type::argument:
        put("  " + event.name + " = " + event.text + "\n");
        break;
      case Type::tool_call_end:
        if (!event.complete) {
          using qwen35::Recovery;
          note("[" + event.text +
               (has(event.recovery, Recovery::withdrawn)          ? ": not called after all]"
                : has(event.recovery, Recovery::missing_argument) ? ": the call lacks what the tool requires]"
                                                                  : ": the call is not whole]"));
        } else if (event.recovery != qwen35::Recovery::none) {
          note("[" + event.text + ": written otherwise than taught: " + qwen35::name(event.recovery) + "]");
        }
        break;
      default:
        break;
    }
  }
  void progress(std::size_t done, std::size_t total) {
    if (!notes_terminal_ || total < 256) {
      return;
    }
    show("reading " + std::to_string(done) + " of " + std::to_string(total) + " tokens");
  }
  void loading(std::size_t done, std::size_t total) { show("loading " + size_text(done) + " of " + size_text(total)); }
  // What the program is at, where that may take a while.
  void stage(const std::string& text) { show(text); }
  void encoding(std::size_t done, std::size_t total) {
    if (total > 0) {
      show("looking: " + std::to_string(100 * done / total) + " %");
    }
  }
  static std::string size_text(std::size_t bytes) {
    const double mega = static_cast<double>(bytes) / 1e6;
    return mega < 1000.0 ? rounded(mega) + " MB" : rounded(mega / 1e3) + " GB";
  }
  static std::string rounded(double value) {
    char text[32];
    std::snprintf(text, sizeof(text), "%.1f", value);
    return text;
  }
  void finish(const qwen35::Reply& reply) {
    clear_progress();
    begin(Part::none);
    const qwen35::Usage& usage = reply.usage;
    const auto rate = [](std::size_t tokens, double seconds) {
      return seconds > 0.0 ? static_cast<double>(tokens) / seconds : 0.0;
    };
    std::string end(qwen35::name(reply.finish_reason));
    note("[" + (reply.finish_reason == qwen35::FinishReason::stop ? "" : end + "; ") + "prompt " +
         std::to_string(usage.prompt_tokens) + " tokens, " + std::to_string(usage.cached_tokens) + " reused, read at " +
         rounded(rate(usage.processed_tokens, reply.prompt_seconds)) + " tokens/s; reasoning " +
         std::to_string(usage.reasoning_tokens) + ", answer " + std::to_string(usage.answer_tokens()) +
         ", written at " + rounded(rate(reply.ids.size(), reply.generate_seconds)) + " tokens/s]");
  }
  void clear() { clear_progress(); }
  // A line about the program, not of the model.
  void note(const std::string& text) {
    clear_progress();
    std::fflush(stdout);
    tool::print(colour_ ? "\033[2m" + text + "\033[0m\n" : text + "\n", stderr);
  }

 private:
  enum class Part { none, reasoning, content, call };

  // In place of the last such line, on a terminal.
  void show(const std::string& text) {
    if (notes_terminal_ && !quiet_) {
      std::fprintf(stderr, colour_ ? "\r\033[K\033[2m[%s]\033[0m" : "\r\033[K[%s]", text.c_str());
      std::fflush(stderr);
      progress_shown_ = true;
    }
  }
  std::FILE* file() const { return part_ == Part::content || terminal_ ? stdout : stderr; }
  void put(const std::string& text) {
    tool::print(text, file());
    std::fflush(file());
    line_open_ = text.empty() ? line_open_ : text.back() != '\n';
  }
  void begin(Part part) {
    if (part == part_) {
      return;
    }
    if (line_open_) {
      put("\n");
    }
    if (part_ == Part::reasoning) {
      put(colour_ ? "\033[0m" : "");
      put("[end of thinking]\n");
    }
    part_ = part;
    if (part == Part::reasoning) {
      put(colour_ ? "\033[2;3m" : "");
      put("[thinking]\n");
    }
  }
  void clear_progress() {
    if (progress_shown_) {
      std::fputs("\r\033[K", stderr);
      std::fflush(stderr);
      progress_shown_ = false;
    }
  }

  bool terminal_;
  bool notes_terminal_;
  bool colour_;
  bool quiet_ = false;
  bool progress_shown_ = false;
  bool line_open_ = false;
  Part part_ = Part::none;
};

}  // namespace chat_tool
