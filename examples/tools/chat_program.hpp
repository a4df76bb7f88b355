// SPDX-License-Identifier: Apache-2.0
// The chat program for whichever compiled config fits the checkpoint: commands, flags, the loop over lines.
#pragma once

#include <qwen35/generate/session_file.hpp>
#include <qwen35/model.hpp>
#include <qwen35/text/chat_template_file.hpp>

#include <CLI/CLI.hpp>

#include <iostream>
#include <random>

#include "chat_screen.hpp"

namespace chat_tool {

struct Settings {
  std::string folder;  // empty: the embedded checkpoint
  std::string system;
  std::string thinking = "auto";
  std::int64_t thinking_budget = -1;
  std::string load;
  std::string chat_template = "auto";
  bool whole_input = false;
  std::optional<std::uint64_t> seed;
  qwen35::GenerationConfig config;
};

inline constexpr const char* help_text =
    "/help           this\n"
    "/reset          forgets the conversation\n"
    "/undo           takes the last question and its answer back\n"
    "/stats          tokens and memory in use\n"
    "/save FILE      writes the conversation, and what the model has read of it\n"
    "/load FILE      goes on with a saved one\n"
    "/system [TEXT]  sets the system prompt, or takes it away\n"
    "/think on|off|auto|N   whether to think first; N: at most N tokens\n"
    "/exit           ends the program, as does the end of the input\n"
    "Ctrl-C stops an answer. A line that ends in a backslash goes on in the next one.";

// auto, on, off.
inline std::optional<bool> thinking_of(const std::string& word) {
  return word == "auto" ? std::nullopt : std::optional<bool>(word == "on");
}

inline qwen35::ChatTemplate template_of(const qwen35::Checkpoint& checkpoint, const std::string& choice, Screen& screen) {
  namespace variants = qwen35::chat_templates;
  if (choice != "auto") {
    return choice == "qwen3.6" ? variants::qwen3_6 : choice == "qwen3.5-thinking-off" ? variants::qwen3_5_thinking_off : variants::qwen3_5;
  }
  if (!checkpoint.has_file("chat_template.jinja")) {
    return variants::qwen3_5;
  }
  const qwen35::RecognisedChatTemplate found = qwen35::recognise_chat_template(checkpoint.text("chat_template.jinja"));
  if (!found.exact) {
    screen.note("chat_template.jinja: not word for word a published template; the published rules are used");
  }
  return found.chat_template;
}

template <class Model>
class Chat {
 public:
  Chat(qwen35::Session<Model>& session, Screen& screen) : session_(session), screen_(screen) {}

  // False: the program shall end.
  bool line(const std::string& text) {
    try {
      if (text.starts_with("/")) {
        return command(text);
      }
      if (text.find_first_not_of(" \t\r\n") != std::string::npos) {
        ask(text);
      }
    } catch (const qwen35::Error& error) {
      failed_ = true;
      screen_.note(error.what());
    }
    return true;
  }
  // Whether anything went wrong.
  bool failed() const { return failed_; }

 private:
  void ask(const std::string& text) {
    const InterruptGuard guard;
    screen_.finish(session_.send(qwen35::Message::user(text), {.event =
                                                                   [&](const qwen35::OutputEvent& event) {
                                                                     screen_.event(event);
                                                                     return true;
                                                                   },
                                                               .progress =
                                                                   [&](std::size_t done, std::size_t total) {
                                                                     screen_.progress(done, total);
                                                                     return true;
                                                                   },
                                                               .proceed = [] { return interrupted == 0; }}));
  }
  bool command(const std::string& text) {
    const std::size_t space = text.find_first_of(" \t");
    const std::string word = text.substr(0, space);
    const std::size_t begin = space == std::string::npos ? space : text.find_first_not_of(" \t", space);
    const std::string rest = begin == std::string::npos ? "" : text.substr(begin);
    if (word == "/exit" || word == "/quit") {
      return false;
    }
    if (word == "/help") {
      screen_.note(help_text);
    } else if (word == "/reset") {
      session_.reset();
      screen_.note("[empty]");
    } else if (word == "/undo") {
      session_.undo();
      screen_.note(qwen35::concat("[", session_.messages().size(), " messages left]"));
    } else if (word == "/stats") {
      screen_.note(qwen35::concat("[", session_.messages().size(), " messages; ", session_.cached_tokens(), " tokens in a cache of ",
                                  session_.cache_bytes() / 1024, " KiB; ", session_.snapshots(), " snapshots of ",
                                  session_.snapshot_bytes() / 1024, " KiB]"));
    } else if (word == "/save" || word == "/load") {
      qwen35::require<qwen35::InputError>(!rest.empty(), word, ": which file?");
      if (word == "/save") {
        qwen35::save_session(session_, rest);
      } else {
        qwen35::load_session(session_, rest);
      }
      screen_.note(qwen35::concat("[", session_.messages().size(), " messages]"));
    } else if (word == "/system") {
      session_.set_system(rest);
      screen_.note(rest.empty() ? "[no system prompt]" : "[system prompt set]");
    } else if (word == "/think") {
      think(rest);
    } else {
      qwen35::raise<qwen35::InputError>(word + ": no such command; /help lists them");
    }
    return true;
  }
  void think(const std::string& word) {
    if (word == "on" || word == "off" || word == "auto") {
      session_.set_enable_thinking(thinking_of(word));
      session_.set_thinking_budget(std::nullopt);
    } else {
      const bool number = !word.empty() && word.size() < 10 && word.find_first_not_of("0123456789") == std::string::npos;
      qwen35::require<qwen35::InputError>(number, "/think: expected on, off, auto or a number of tokens");
      session_.set_enable_thinking(true);
      session_.set_thinking_budget(std::stoul(word));
    }
    screen_.note("[thinking: " + word + "]");
  }

  qwen35::Session<Model>& session_;
  Screen& screen_;
  bool failed_ = false;
};

template <class Config>
int run(const qwen35::Checkpoint& checkpoint, const Settings& settings, Screen& screen) {
  screen.note("[loading]");
  const qwen35::CausalLM<Config> model(checkpoint);
  qwen35::Tokenizer tokenizer = qwen35::Tokenizer::from_bytes(checkpoint.text("tokenizer.json"));
  if (checkpoint.has_file("tokenizer_config.json")) {
    tokenizer.load_config(qwen35::json::parse(checkpoint.text("tokenizer_config.json"), "tokenizer_config.json"));
  }
  qwen35::SessionOptions options;
  options.system = settings.system;
  options.enable_thinking = thinking_of(settings.thinking);
  options.chat_template = template_of(checkpoint, settings.chat_template, screen);
  if (settings.thinking_budget >= 0) {
    options.thinking_budget = static_cast<std::size_t>(settings.thinking_budget);
  }
  options.seed = settings.seed.value_or(std::random_device()());
  qwen35::Session<qwen35::CausalLM<Config>> session(model, tokenizer, settings.config, options);
  Chat chat(session, screen);
  if (!settings.load.empty()) {
    qwen35::load_session(session, settings.load);
  }
  if (settings.whole_input) {
    chat.line(std::string(std::istreambuf_iterator<char>(std::cin), {}));
    return chat.failed() ? 1 : 0;
  }
  const bool prompts = isatty(STDIN_FILENO) != 0;
  if (prompts) {
    screen.note("[/help lists the commands]");
  }
  std::string text;
  while (true) {
    if (prompts) {
      std::fputs(text.empty() ? "> " : ". ", stderr);
    }
    std::string line;
    const bool more = static_cast<bool>(std::getline(std::cin, line));
    text += line;
    if (more && text.ends_with("\\")) {
      text.back() = '\n';
      continue;
    }
    if (!chat.line(text) || !more) {
      break;
    }
    text.clear();
  }
  return chat.failed() && !prompts ? 1 : 0;
}

// Runs the first config that describes the checkpoint. Raises ConfigError with every config's differences when none does.
template <class... Configs>
int run_any(const qwen35::Checkpoint& checkpoint, const Settings& settings) {
  Screen screen;
  std::string problems;
  int result = 0;
  const auto attempt = [&]<class Config>(const Config*) {
    try {
      qwen35::check<Config>(checkpoint.config());
    } catch (const qwen35::ConfigError& error) {
      problems += std::string(problems.empty() ? "" : "\n") + error.what();
      return false;
    }
    result = run<Config>(checkpoint, settings, screen);
    return true;
  };
  const bool done = (attempt(static_cast<const Configs*>(nullptr)) || ...);
  qwen35::require<qwen35::ConfigError>(done, settings.folder, ": this program was not compiled for such a model\n", problems);
  return result;
}

inline void add_options(CLI::App& app, Settings& settings) {
  qwen35::GenerationConfig& config = settings.config;
  app.add_option("checkpoint", settings.folder, "folder with config.json, tokenizer.json and safetensors files; without it, the small model in this program");
  app.add_option("-s,--system", settings.system, "system prompt");
  app.add_option("--think", settings.thinking, "whether the model thinks first")->check(CLI::IsMember({"auto", "on", "off"}));
  app.add_option("--thinking-budget", settings.thinking_budget, "at most so many tokens of thinking")->check(CLI::NonNegativeNumber);
  app.add_option("--load", settings.load, "a conversation saved with /save");
  app.add_option("--template", settings.chat_template, "how messages are written; auto: the checkpoint's own")
      ->check(CLI::IsMember({"auto", "qwen3.5", "qwen3.5-thinking-off", "qwen3.6"}));
  app.add_flag("--whole", settings.whole_input, "the whole input is one question");
  app.add_option("-n,--max-new-tokens", config.max_new_tokens, "longest answer, thinking included");
  app.add_option("--sample", config.do_sample, "true: draw the tokens, false: take the most probable");
  app.add_option("-t,--temperature", config.temperature);
  app.add_option("--top-k", config.top_k);
  app.add_option("--top-p", config.top_p);
  app.add_option("--min-p", config.min_p);
  app.add_option("--repetition-penalty", config.repetition_penalty);
  app.add_option("--presence-penalty", config.presence_penalty);
  app.add_option("--frequency-penalty", config.frequency_penalty);
  app.add_option("--stop", config.stop_strings, "a text that ends the answer; may be repeated");
  app.add_option("--seed", settings.seed, "for the same draws again");
}

}  // namespace chat_tool
