// SPDX-License-Identifier: Apache-2.0
// The chat program: commands, flags, the loop over lines.
#pragma once

#include <qwen35/media/base64.hpp>
#include <qwen35/session/session_file.hpp>
#if defined(QWEN35_TOOL_MEDIA)
#include <qwen35/processor/processor.hpp>
#endif

#include <algorithm>
#include <chrono>
#include <exception>
#include <iostream>
#include <sstream>
#include <utility>

#include "line_reader.hpp"
#include "shown.hpp"
#include "tool_checkpoint.hpp"
#include "tool_streams.hpp"

namespace chat_tool {

using Session = qwen35::Session<qwen35::AnyModel>;

struct Settings {
  std::string folder;  // empty: the embedded checkpoint
  tool::ModelOptions model;
  std::string cache_type = "f32";
  std::string system;
  std::string thinking = "auto";
  std::int64_t thinking_budget = -1;
  std::string load;
  std::string chat_template = "auto";
  bool whole_input = false;
  std::optional<double> fps;  // of videos; see the flag
  std::size_t max_pixels = qwen35::MediaLimits().max_pixels;
  qwen35::GenerationConfig config;
};

inline constexpr const char* help_text =
    "/help           this\n"
    "/reset          forgets the conversation; /clear is the same\n"
    "/history        the conversation so far\n"
    "/regenerate     another answer to the last question; /retry is the same\n"
    "/edit TEXT      asks this in place of the last question, about the same pictures if none are attached\n"
    "/image FILE     sends a picture with the next message; may be repeated\n"
    "/video FILE     the same with a video, an animated GIF or a folder of pictures\n"
    "/drop           takes them back\n"
    "/undo           takes the last question and its answer back\n"
    "/stats          tokens and memory in use\n"
    "/save FILE      writes the conversation, and what the model has read of it; a link of that name is replaced, not "
    "followed\n"
    "/load FILE      goes on with a saved one\n"
    "/system [TEXT]  sets the system prompt, or takes it away\n"
    "/tools [FILE]   offers the tools of a JSON list of schemas, or none\n"
    "/result TEXT    what the called tool answers; a line without a command is that too while calls are open\n"
    "/think on|off|auto|N   whether to think first; N: at most N tokens\n"
    "/exit           ends the program, as does /quit and the end of the input; only /save keeps the conversation\n"
    "Ctrl-C stops an answer, and at a prompt takes the line back. A line that ends in a backslash goes on in the next "
    "one, and lines that arrive together, as those of a text that is pasted, are one; one that begins with a blank is "
    "no "
    "command.";

// The commands of help_text, for completion.
inline std::vector<std::string> commands() {
  std::vector<std::string> out;
  std::istringstream lines(help_text);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("/")) {
      out.push_back(line.substr(0, line.find(' ')));
    }
  }
  return out;
}

// A file with a list of tools, or an object of which "tools" is one.
inline std::vector<qwen35::json::Value> read_tools(const std::string& path) {
  const qwen35::json::Value file =
      qwen35::json::parse(qwen35::read_text_file<qwen35::InputError>(path, std::size_t{1} << 24), path);
  const qwen35::json::Value* const named = file.is_object() ? file.find("tools") : nullptr;
  const qwen35::json::Value& list = named != nullptr ? *named : file;
  qwen35::require<qwen35::InputError>(list.is_array(), path, ": expected a JSON list of tools");
  return qwen35::tools_from_json(list);
}

class Chat {
 public:
  // `no_media`: why there is no loader of pictures, where there is none.
  Chat(Session& session, Screen& screen, std::string no_media)
      : session_(session), screen_(screen), no_media_(std::move(no_media)) {}

  // False: the program shall end.
  bool line(const std::string& text) {
    bool goes_on = true;
    told([&] {
      if (text.starts_with("/")) {
        command_failed_ = true;
        goes_on = command(text);
        command_failed_ = false;
      } else if (!is_blank(text)) {
        say(text);
      }
    });
    return goes_on;
  }
  // All of the input, whatever it begins with.
  void whole_input(const std::string& text) {
    told([&] {
      qwen35::require<qwen35::InputError>(!is_blank(text), "the input is empty");
      say(text);
    });
  }
  void refuse_long_line() {
    told([] { tool::require_whole(tool::NextLine::too_long); });
  }
  // Whether anything went wrong.
  bool failed() const { return failed_; }
  // Whether the last command did.
  bool command_failed() const { return command_failed_; }
  // Goes on with a saved conversation.
  void load(const std::string& path) {
    qwen35::load_session(session_, path);
    const qwen35::SessionOptions& own = session_.options();
    screen_.note(qwen35::concat("[of the conversation, in place of what was set: ",
                                own.system.empty() ? "no system prompt" : "its system prompt", ", thinking ",
                                !own.enable_thinking   ? "auto"
                                : *own.enable_thinking ? "on"
                                                       : "off",
                                ", ", own.tools.size(), own.tools.size() == 1 ? " tool]" : " tools]"));
    find_calls();
  }
  // What stands before the next message.
  std::string prompt() const {
    return !calls_.empty()     ? "[result of " + tool::shown_name(calls_[results_.size()]) + "] > "
           : attached_.empty() ? "> "
                               : "[" + tool::shown_name(attached_names()) + "] > ";
  }

 private:
  // An error of `work` is told, and the program goes on. Raises CancelledError.
  template <class Work>
  void told(const Work& work) {
    try {
      work();
    } catch (const qwen35::CancelledError&) {
      throw;  // the program ends
    } catch (const std::exception& error) {
      failed_ = true;
      screen_.note(tool::shown(tool::words(error)));
    }
  }
  qwen35::Message question(const std::string& text) const {
    std::vector<qwen35::ContentPart> parts = attached_;
    parts.push_back(qwen35::ContentPart::text(text));
    return attached_.empty() ? qwen35::Message::user(text) : qwen35::Message::user(std::move(parts));
  }
  void ask(const std::string& text) {
    if (reply([&](const auto& callbacks) { return session_.send(question(text), callbacks); })) {
      attached_.clear();
    }
  }
  // With what is attached now, or else with what was attached to the last question.
  void edit(const std::string& text) {
    qwen35::require<qwen35::InputError>(!text.empty(), "/edit: which question?");
    const std::vector<qwen35::Message>& messages = session_.messages();
    const auto last = std::find_if(messages.rbegin(), messages.rend(),
                                   [](const qwen35::Message& message) { return message.role == qwen35::Role::user; });
    const std::vector<qwen35::ContentPart>* const parts =
        attached_.empty() && last != messages.rend() ? last->content.parts() : nullptr;
    if (parts != nullptr) {
      std::copy_if(parts->begin(), parts->end(), std::back_inserter(attached_),
                   [](const qwen35::ContentPart& part) { return part.type != qwen35::PartType::text; });
    }
    if (reply([&](const auto& callbacks) { return session_.edit(question(text), callbacks); })) {
      attached_.clear();
    }
  }
  void regenerate() {
    reply([&](const auto& callbacks) { return session_.regenerate(callbacks); });
    if (!session_.generation_config().do_sample.value_or(false)) {
      screen_.note("[the most probable tokens are always the same; --sample true draws others]");
    }
  }
  // The next call's answer; with the last one the model goes on.
  void result(const std::string& text) {
    qwen35::require<qwen35::InputError>(!calls_.empty(), "/result: no call waits for one");
    results_.push_back(qwen35::Message::tool(text));
    if (results_.size() == calls_.size()) {
      const std::vector<qwen35::Message> results = std::exchange(results_, {});
      reply([&](const auto& callbacks) { return session_.send(results, callbacks); });
    }
  }
  // Shows what `make` makes with the callbacks that it is given; whether there was an answer.
  template <class Make>
  bool reply(const Make& make) {
    interrupted = 0;
    const qwen35::Reply reply = make(qwen35::SessionCallbacks{.event =
                                                                  [&](const qwen35::OutputEvent& event) {
                                                                    screen_.event(event);
                                                                    return !tool::output_lost();
                                                                  },
                                                              .progress =
                                                                  [&](std::size_t done, std::size_t total) {
                                                                    screen_.progress(done, total);
                                                                    return true;
                                                                  },
                                                              .proceed = [] { return interrupted == 0; },
                                                              .encoding =
                                                                  [&](std::size_t done, std::size_t total) {
                                                                    screen_.encoding(done, total);
                                                                    return interrupted == 0;
                                                                  }});
    screen_.finish(reply);
    tool::end_if_interrupted("the answer is not whole");
    if (!reply.ids.empty()) {
      find_calls();
    }
    return !reply.ids.empty();
  }
  // The calls of the last message wait for results.
  void find_calls() {
    calls_.clear();
    results_.clear();
    if (!session_.messages().empty()) {
      for (const qwen35::ToolCall& call : session_.messages().back().tool_calls) {
        calls_.push_back(call.name);
      }
    }
    if (!calls_.empty()) {
      screen_.note(qwen35::concat("[", calls_.size(), calls_.size() == 1 ? " call waits" : " calls wait",
                                  " for what the tool answers: type it, or /result TEXT]"));
    }
  }
  static bool is_blank(const std::string& text) { return text.find_first_not_of(" \t\r\n") == std::string::npos; }
  // A question, or what a tool that was called answers.
  void say(const std::string& text) {
    if (calls_.empty()) {
      ask(text);
    } else {
      result(text);
    }
  }
  std::string attached_names() const {
    std::string names;
    for (const qwen35::ContentPart& part : attached_) {
      const std::string& value = part.value;
      // Of a file the last part of its path, of a data URL the type.
      names += (names.empty() ? "" : ", ") +
               (qwen35::is_data_url(value) ? value.substr(0, std::min<std::size_t>(value.find_first_of(";,"), 40))
                                           : value.substr(value.find_last_of('/', value.size() - 2) + 1));
    }
    return names;
  }
  void attach(qwen35::ContentPart part) {
    qwen35::require<qwen35::InputError>(session_.model().has_vision(), "this model reads text alone");
    qwen35::require<qwen35::InputError>(static_cast<bool>(session_.options().media_loader),
                                        "pictures and videos cannot be read: ", no_media_);
    qwen35::require_no_address(part.value, part.type == qwen35::PartType::image ? "picture" : "video");
    session_.options().media_loader(part);  // an error is better told now than with the message
    attached_.push_back(std::move(part));
    screen_.note("[with the next message: " + tool::shown_name(attached_names()) + "]");
  }
  bool command(const std::string& line) {
    const std::string text = line.substr(0, line.find_last_not_of(" \t\r") + 1);  // completion ends names with a blank
    const std::size_t space = text.find_first_of(" \t");
    const std::string word = text.substr(0, space);
    const std::size_t begin = space == std::string::npos ? space : text.find_first_not_of(" \t", space);
    const std::string rest = begin == std::string::npos ? "" : text.substr(begin);
    constexpr std::string_view alone[] = {"/help", "/reset", "/clear",   "/regenerate", "/retry", "/drop",
                                          "/undo", "/stats", "/history", "/exit",       "/quit"};
    qwen35::require<qwen35::InputError>(
        rest.empty() || std::find(std::begin(alone), std::end(alone), word) == std::end(alone), word,
        ": nothing can follow this command");
    if (word == "/exit" || word == "/quit") {
      return false;
    }
    if (word == "/help") {
      screen_.note(help_text);
    } else if (word == "/image" || word == "/video") {
      qwen35::require<qwen35::InputError>(!rest.empty(), word, ": which file?");
      attach(word == "/image" ? qwen35::ContentPart::image(rest) : qwen35::ContentPart::video(rest));
    } else if (word == "/drop") {
      attached_.clear();
      screen_.note("[nothing attached]");
    } else if (word == "/history") {
      history();
    } else if (word == "/regenerate" || word == "/retry") {
      regenerate();
    } else if (word == "/edit") {
      edit(rest);
    } else if (word == "/reset" || word == "/clear") {
      session_.reset();
      attached_.clear();
      find_calls();
      screen_.note("[empty]");
    } else if (word == "/undo") {
      session_.undo();
      find_calls();
      screen_.note(qwen35::concat("[", session_.messages().size(), " messages left]"));
    } else if (word == "/stats") {
      screen_.note(qwen35::concat("[", session_.messages().size(), " messages; ", session_.cached_tokens(),
                                  " tokens in a cache of ", session_.cache_bytes() / 1024, " KiB; ",
                                  session_.snapshots(), " snapshots of ", session_.snapshot_bytes() / 1024, " KiB; ",
                                  session_.media_bytes() / 1024, " KiB of pictures]"));
    } else if (word == "/save" || word == "/load") {
      qwen35::require<qwen35::InputError>(!rest.empty(), word, ": which file?");
      if (word == "/save") {
        qwen35::save_session(session_, rest);
      } else {
        load(rest);
      }
      screen_.note(qwen35::concat("[", session_.messages().size(), " messages]"));
    } else if (word == "/system") {
      session_.set_system(rest);
      screen_.note(rest.empty() ? "[no system prompt]" : "[system prompt set]");
    } else if (word == "/tools") {
      std::vector<qwen35::json::Value> tools;
      if (!rest.empty()) {
        tools = read_tools(rest);
      }
      screen_.note(qwen35::concat("[", tools.size(), tools.size() == 1 ? " tool" : " tools", " offered]"));
      session_.set_tools(std::move(tools));
    } else if (word == "/result") {
      result(rest);
    } else if (word == "/think") {
      think(rest);
    } else {
      qwen35::raise<qwen35::InputError>(word + ": no such command; /help lists them");
    }
    return true;
  }
  // The messages, media by their type.
  void history() {
    for (const qwen35::Message& message : session_.messages()) {
      std::string text = qwen35::concat("[", qwen35::role_name(message.role), "] ");
      const std::vector<qwen35::ContentPart>* const parts = message.content.parts();
      for (const qwen35::ContentPart& part : parts != nullptr ? *parts : std::vector<qwen35::ContentPart>()) {
        text += part.type == qwen35::PartType::text    ? part.value
                : part.type == qwen35::PartType::image ? "[picture] "
                                                       : "[video] ";
      }
      text += message.content.is_text() ? *message.content.text() : std::string();
      for (const qwen35::ToolCall& call : message.tool_calls) {
        text += "\n[calls " + tool::shown_name(call.name) + "] " + qwen35::json::dump(call.arguments);
      }
      screen_.note(qwen35::shown_text(text));
    }
    screen_.note(qwen35::concat("[", session_.messages().size(), " messages]"));
  }
  void think(const std::string& word) {
    if (word == "on" || word == "off" || word == "auto") {
      session_.set_enable_thinking(thinking_of(word));
      session_.set_thinking_budget(std::nullopt);
    } else {
      const bool number =
          !word.empty() && word.size() < 10 && word.find_first_not_of("0123456789") == std::string::npos;
      qwen35::require<qwen35::InputError>(number, "/think: expected on, off, auto or a number of tokens");
      session_.set_enable_thinking(true);
      session_.set_thinking_budget(std::stoul(word));
    }
    screen_.note("[thinking: " + word + "]");
  }

  Session& session_;
  Screen& screen_;
  std::string no_media_;
  std::vector<qwen35::ContentPart> attached_;
  std::vector<std::string> calls_;        // the tools that were called and not answered
  std::vector<qwen35::Message> results_;  // what the first of them answered
  bool failed_ = false;
  bool command_failed_ = false;
};

// Reads lines until the input ends. no_media: see Chat.
inline int read_lines(Session& session, const Settings& settings, Screen& screen, const std::string& no_media) {
  Chat chat(session, screen, no_media);
  if (!settings.load.empty()) {
    chat.load(settings.load);
  }
  if (settings.whole_input) {
    chat.whole_input(tool::read_all(std::cin, tool::max_line_bytes));
    return chat.failed() ? 1 : 0;
  }
  LineReader lines(commands());
  std::optional<InterruptGuard> guard;
  if (lines.terminal()) {
    guard.emplace();
    screen.note("[/help lists the commands]");
    if (!lines.problem().empty()) {
      screen.note("[what is typed is not kept: " + lines.problem() + "]");
    }
  }
  std::string text, line;
  while (!tool::output_lost()) {
    const tool::NextLine next = lines.read(text.empty() ? chat.prompt() : ". ", line);
    if (next == tool::NextLine::interrupted) {
      text.clear();
      screen.note("[/exit ends the program, as does the end of the input (Ctrl-D); /save FILE keeps the conversation]");
      continue;
    }
    text += line;
    if (next == tool::NextLine::too_long || text.size() > tool::max_line_bytes) {
      text.clear();
      chat.refuse_long_line();
      continue;
    }
    if (next == tool::NextLine::read && text.ends_with("\\")) {
      text.back() = '\n';
      continue;
    }
    lines.remember(text);
    if (!chat.line(text) || next == tool::NextLine::none) {
      break;
    }
    // What follows in a pipe was written for a command that does its work: a question may be about its picture.
    if (chat.command_failed() && !lines.terminal()) {
      screen.note("[ended, since this failed: " + tool::shown_name(text) + "]");
      break;
    }
    text.clear();
  }
  return chat.failed() && !lines.terminal() ? 1 : 0;
}

// The same. Raises CancelledError with a word on the conversation.
inline int converse(Session& session, const Settings& settings, Screen& screen, const std::string& no_media) {
  try {
    return read_lines(session, settings, screen, no_media);
  } catch (const qwen35::CancelledError& error) {
    qwen35::raise<qwen35::CancelledError>(
        qwen35::concat(error.what(), session.messages().empty() ? "" : "; only /save keeps the conversation"));
  }
}

inline int run(const qwen35::Checkpoint& checkpoint, const Settings& settings,
               std::chrono::steady_clock::time_point start, Screen& screen) {
  // The model comes last: what is wrong with a small file is told before the large ones are read.
  qwen35::SessionOptions options;
  options.system = settings.system;
  options.cache.kv_dtype = qwen35::keys_format(settings.cache_type, "--cache-type");
  options.enable_thinking = thinking_of(settings.thinking);
  options.sources = qwen35::SourcePolicy::everything();
  options.chat_template = template_of(checkpoint, settings.chat_template, screen);
  if (settings.thinking_budget >= 0) {
    options.thinking_budget = static_cast<std::size_t>(settings.thinking_budget);
  }
#if defined(QWEN35_TOOL_MEDIA)
  const bool settings_there =
      checkpoint.has_file("preprocessor_config.json") || checkpoint.has_file("processor_config.json");
  std::string no_media;
  if (has_vision(checkpoint)) {
    const auto processor = qwen35::Processor::try_from_pretrained(checkpoint.files(), options.chat_template);
    if (processor) {
      options.media_loader = [&](const qwen35::ContentPart& part) {
        return load_medium(processor.value(), part, settings.fps, settings.max_pixels);
      };
      const qwen35::AnyModel model = open_model(checkpoint, start, screen);
      Session session(model, processor.value().tokenizer, settings.config, options);
      return converse(session, settings, screen, "");
    }
    // A conversation of text alone is to be had without the settings of pictures.
    no_media = processor.failure().message;
    no_media += settings_there ? "" : ", which says how pictures are cut into patches, and no processor_config.json";
  }
#else
  constexpr bool settings_there = false;
  const std::string no_media = "this program was built without the image libraries";
#endif
  const qwen35::Tokenizer tokenizer = qwen35::Tokenizer::from_pretrained(checkpoint.files());
  if (settings_there && !no_media.empty()) {
    screen.note("[pictures and videos cannot be read: " + no_media + "]");
  }
  const qwen35::AnyModel model = open_model(checkpoint, start, screen);
  Session session(model, tokenizer, settings.config, options);
  return converse(session, settings, screen, no_media);
}

// Asking for a temperature and the like is asking for draws, but for one of 0. Raises InputError for one that is asked
// for with draws.
inline void settle_draws(qwen35::GenerationConfig& config) {
  if (config.temperature == 0.0) {
    qwen35::require<qwen35::InputError>(!config.do_sample.value_or(false),
                                        "--temperature 0 is for the most probable tokens, --sample true draws others");
    config.temperature.reset();
    config.do_sample = false;
  } else if (!config.do_sample && (config.temperature || config.top_k || config.top_p || config.min_p)) {
    config.do_sample = true;
  }
}

inline void add_options(CLI::App& app, Settings& settings) {
  qwen35::GenerationConfig& config = settings.config;
  app.footer(
      "What is typed at a terminal is kept for the arrow keys in $XDG_STATE_HOME/qwen35/chat_history, by default in "
      "~/.local/state.\nThrough a pipe a command that fails ends it, and it returns 1 when anything went wrong.");
  app.add_option("checkpoint", settings.folder, checkpoint_help);
  tool::add_mmproj_option(app, settings.model);
  tool::add_load_option(app, settings.model);
  tool::add_threads_option(app);
  app.add_option("-s,--system", settings.system, "system prompt");
  app.add_option("--think", settings.thinking, "whether the model thinks first; auto: as its template has it")
      ->capture_default_str()
      ->check(CLI::IsMember({"auto", "on", "off"}));
  app.add_option("--thinking-budget", settings.thinking_budget,
                 "at most so many tokens of thinking; without it, any number")
      ->transform(tool::whole_number<std::int64_t>(0, tool::most_tokens));
  app.add_option("--cache-type", settings.cache_type, cache_type_help)->capture_default_str();
  app.add_option("--load", settings.load, "a conversation saved with /save");
  add_template_option(app, settings.chat_template);
  app.add_option("--fps", settings.fps,
                 "frames a second to look at of a video; of a folder of pictures, the rate they were taken at")
      ->check(tool::positive_number());
  add_pixels_option(app, settings.max_pixels);
  app.add_flag("--whole", settings.whole_input, "the whole input is one question, also where it begins with /");
  app.add_option("-n,--max-new-tokens", config.max_new_tokens,
                 "longest answer, thinking included; this and what follows are else as the checkpoint's "
                 "generation_config.json has them")
      ->transform(tool::whole_number<std::int64_t>(1, tool::most_tokens));
  app.add_option(
      "--sample", config.do_sample,
      "true: draw the tokens, false: take the most probable; asking for a temperature, top k, top p or min p "
      "is asking for draws");
  // As GenerationConfig::validate() has them, and no value that is passed over.
  constexpr double least = qwen35::GenerationLimits::least_divisor, most = std::numeric_limits<float>::max();
  app.add_option(
         "--temperature,--temp", config.temperature,
         "of draws: below 1 the probable tokens become more so, above 1 less; 0: the most probable, as --sample false")
      ->check(tool::zero_or_within(least, most));
  app.add_option("--top-k", config.top_k, "draw from so many of the most probable; 0: from all")
      ->transform(tool::whole_number<std::int64_t>(0, tool::most_tokens));
  app.add_option("--top-p", config.top_p, "draw from the most probable that together have this probability")
      ->check(tool::number_within(0, 1));
  app.add_option("--min-p", config.min_p, "draw from those with this share of the best one's probability")
      ->check(tool::number_within(0, 1));
  app.add_option("--repetition-penalty", config.repetition_penalty, "above 1: against tokens that were there; 1: none")
      ->check(tool::number_within(least, most));
  app.add_option("--presence-penalty", config.presence_penalty, "against tokens of the answer, once; 0: none")
      ->check(tool::number_within(-most, most));
  app.add_option("--frequency-penalty", config.frequency_penalty, "against them, for each time; 0: none")
      ->check(tool::number_within(-most, most));
  app.add_option("--stop", config.stop_strings, "a text that ends the answer; may be repeated");
  app.add_option("--seed", config.seed, "for the same draws again")
      ->transform(tool::whole_number<std::uint64_t>(0, std::numeric_limits<std::uint64_t>::max()));
}

}  // namespace chat_tool
