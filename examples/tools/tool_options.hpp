// SPDX-License-Identifier: Apache-2.0
// The command line of a tool: no value of an option is empty, numbers are held against their ranges, and what is wrong
// is said in one form, however long it was.
#pragma once

#include <qwen35/parallel/thread_count.hpp>
#include <qwen35/sampling/generation_limits.hpp>
#include <qwen35/version.hpp>

#include <CLI/CLI.hpp>

#include <charconv>
#include <cmath>
#include <concepts>
#include <limits>
#include <optional>
#include <string_view>

#include "tool_streams.hpp"

namespace tool {

inline constexpr std::int64_t most_tokens = qwen35::GenerationLimits::tokens;

namespace detail {

inline std::string expected(const std::string& what, const std::string& found) {
  constexpr std::size_t shown = 60;
  return qwen35::concat("expected ", what, ", found \"", found.substr(0, shown), "\"",
                        found.size() > shown ? qwen35::concat("... (", found.size(), " bytes)") : "");
}

inline std::string plain(double value) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.9g", value);
  return text;
}

// `holds`: of a finite number.
template <class Holds>
CLI::Validator number_that(const std::string& what, const Holds& holds) {
  return CLI::Validator(
      [=](std::string& text) {
        double value = 0;
        const bool number = CLI::detail::lexical_cast(text, value) && std::isfinite(value);
        return number && holds(value) ? std::string() : expected(what, text);
      },
      "");
}

}  // namespace detail

// Of an option's value: decimal digits, of a number in these bounds. (For transform(): the library takes 010 for 8, and
// a number beyond 64 bits for the largest.)
template <std::integral T>
CLI::Validator whole_number(T least, T most) {
  return CLI::Validator(
      [=](std::string& text) {
        T value{};
        const char* const end = text.data() + text.size();
        const auto [stop, error] = std::from_chars(text.data(), end, value);
        if (text.empty() || error != std::errc() || stop != end || value < least || value > most) {
          return detail::expected(qwen35::concat("a whole number from ", least, " to ", most), text);
        }
        text = std::to_string(value);
        return std::string();
      },
      "");
}
inline CLI::Validator number_within(double least, double most) {
  return detail::number_that(qwen35::concat("a number from ", detail::plain(least), " to ", detail::plain(most)),
                             [=](double value) { return value >= least && value <= most; });
}
inline CLI::Validator zero_or_within(double least, double most) {
  return detail::number_that(qwen35::concat("0 or a number from ", detail::plain(least), " to ", detail::plain(most)),
                             [=](double value) { return value == 0 || (value >= least && value <= most); });
}
inline CLI::Validator positive_number() {
  return detail::number_that("a number above 0", [](double value) { return value > 0; });
}

// The process's threads, set while the command line is read.
inline void add_threads_option(CLI::App& app) {
  app.add_option_function<int>(
         "-t,--threads", [](int count) { qwen35::set_default_num_threads(count); },
         "threads; 0: as OMP_NUM_THREADS says, else one for each processor")
      ->default_str("0")
      ->transform(whole_number(0, 4096));
}

// "qwen35-chat 0.1.0".
inline std::string version_text(std::string_view program) {
  return qwen35::concat(shown_name(std::string(program.substr(program.rfind('/') + 1))), " ", QWEN35_VERSION_MAJOR, ".",
                        QWEN35_VERSION_MINOR, ".", QWEN35_VERSION_PATCH);
}

// Reads the command line; what the program shall return, where that was not to run it. Raises CLI::ParseError's kin as
// a message.
inline std::optional<int> parse(CLI::App& app, int argc, char** argv) {
  try {
    app.set_version_flag("--version", version_text(argv[0]))->description("print the program's name and version");
    const CLI::Validator given([](std::string& text) { return text.empty() ? "the value is empty" : std::string(); },
                               "");
    for (CLI::Option* const option : app.get_options()) {
      if (option->get_expected_min() > 0) {
        option->check(given);
      }
    }
    // The library takes what follows `--name=` for its value.
    for (int i = 1; i < argc && std::string_view(argv[i]) != "--"; ++i) {
      const std::string_view argument = argv[i];
      const std::string name(argument.substr(0, argument.size() - std::min<std::size_t>(argument.size(), 1)));
      if (argument.starts_with("--") && argument.find('=') == name.size() && app.get_option_no_throw(name) != nullptr) {
        throw CLI::ValidationError(name, "the value is empty");
      }
    }
    app.parse(argc, argv);
    return std::nullopt;
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == static_cast<int>(CLI::ExitCodes::Success)) {
      return app.exit(error);  // --help, --version
    }
    std::cerr << argv[0] << ": " << shown(error.what()) << "\nRun with --help for more information.\n";
    return 2;
  }
}

// The result of `work`, for main(), with the command line read before; see run() of a name.
template <class Work>
int run(CLI::App& app, int argc, char** argv, const Work& work) {
  return run(argv[0], [&] {
    const std::optional<int> code = parse(app, argc, argv);
    return code ? *code : work();
  });
}

}  // namespace tool
