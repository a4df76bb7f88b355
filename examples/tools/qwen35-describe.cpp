// SPDX-License-Identifier: Apache-2.0
// Answers a question about pictures or a video, or many such questions from a file.
#include <qwen35/processor/processor.hpp>
#include <qwen35/session/session.hpp>
#include <qwen35_embed/shapes.hpp>

#include <algorithm>
#include <chrono>
#include <exception>

#include "tool_checkpoint.hpp"

namespace {

struct Request {
  std::vector<std::string> images;
  std::string video;
  std::optional<double> fps;
  std::string question;

  // Before a large model is loaded for nothing. Raises InputError, MediaError.
  void check() const {
    qwen35::require<qwen35::InputError>(!images.empty() || !video.empty() || !question.empty(),
                                        "no picture, no video and no question");
    qwen35::require<qwen35::InputError>(!fps || !video.empty(), "fps is for a video, and none is given");
    qwen35::require_no_address(video, "video");
    for (const std::string& image : images) {
      qwen35::require_no_address(image, "picture");
      qwen35::require<qwen35::InputError>(
          qwen35::is_data_url(image) || qwen35::looks_like_base64(image) || qwen35::path_exists(image),
          qwen35::shortened(image), ": no such file");
    }
    qwen35::require<qwen35::InputError>(video.empty() || qwen35::is_data_url(video) || qwen35::path_exists(video),
                                        qwen35::shortened(video), ": no such file or folder");
  }
  std::string text() const {
    if (!question.empty()) {
      return question;
    }
    if (images.empty()) {
      return "Describe this video.";
    }
    return images.size() > 1 || !video.empty() ? "Describe these images." : "Describe this image.";
  }
};

struct Settings {
  std::string folder;
  tool::ModelOptions model;
  std::string cache_type = "f32";
  Request request;
  std::string chat_template = "auto";
  std::int64_t max_new_tokens = 512;
  std::size_t max_pixels = qwen35::MediaLimits().max_pixels;
  bool think = false;
  bool quiet = false;
  bool lines = false;
  qwen35::SourcePolicy sources = qwen35::SourcePolicy::everything();  // of lines
};

// One line: {"images": [...], "video": ..., "fps": ..., "question": ...}. Raises TextError, also for media that the
// policy does not admit.
Request request_of(const std::string& line, const qwen35::SourcePolicy& sources) {
  const qwen35::json::Value value = qwen35::json::parse(line, "request");
  qwen35::require<qwen35::TextError>(value.is_object(), "request: expected an object");
  Request out;
  const auto text = [](const qwen35::json::Value& from, const std::string& name, const char* expected) {
    qwen35::require<qwen35::TextError>(from.is_string(), name, ": expected ", expected);
    qwen35::require<qwen35::TextError>(!from.as_string().empty(), name, ": the value is empty, expected ", expected);
    return from.as_string();
  };
  for (const auto& [key, member] : value.members()) {
    if (member.is_null()) {
      continue;
    }
    if (key == "images") {
      constexpr const char* expected = "a list of paths or data: URLs";
      qwen35::require<qwen35::TextError>(member.is_array(), key, ": expected ", expected);
      for (const qwen35::json::Value& image : member.items()) {
        out.images.push_back(sources.admitted<qwen35::TextError>(text(image, key, expected), key));
      }
    } else if (key == "video") {
      out.video = sources.admitted<qwen35::TextError>(text(member, key, "a string"), key);
    } else if (key == "question") {
      out.question = text(member, key, "a string");
    } else if (key == "fps") {
      qwen35::require<qwen35::TextError>(member.is_number() && member.as_number() > 0.0,
                                         "fps: expected a number above 0");
      out.fps = member.as_number();
    } else {
      qwen35::raise<qwen35::TextError>("request: \"" + key + "\" is none of images, video, fps, question");
    }
  }
  return out;
}

class Describer {
 public:
  Describer(const qwen35::AnyModel& model, const qwen35::Processor& processor, const Settings& settings,
            chat_tool::Screen& screen)
      : settings_(settings), screen_(screen), session_(model, processor, generation(settings), options(processor)) {}

  // Nothing of an earlier request but what was read of the same pictures plays a part. Raises Error.
  qwen35::Reply answer(const Request& request, bool streamed) {
    request.check();
    fps_ = request.fps;
    std::vector<qwen35::ContentPart> parts;
    for (const std::string& image : request.images) {
      parts.push_back(qwen35::ContentPart::image(image));
    }
    if (!request.video.empty()) {
      parts.push_back(qwen35::ContentPart::video(request.video));
    }
    parts.push_back(qwen35::ContentPart::text(request.text()));
    session_.set_messages({});
    return session_.send(qwen35::Message::user(std::move(parts)), {.event =
                                                                       [&](const qwen35::OutputEvent& event) {
                                                                         if (streamed) {
                                                                           screen_.event(event);
                                                                         }
                                                                         return !tool::output_lost();
                                                                       },
                                                                   .progress =
                                                                       [&](std::size_t done, std::size_t total) {
                                                                         screen_.progress(done, total);
                                                                         return true;
                                                                       },
                                                                   .proceed = {},
                                                                   .encoding =
                                                                       [&](std::size_t done, std::size_t total) {
                                                                         screen_.encoding(done, total);
                                                                         return true;
                                                                       }});
  }

  int one() {
    const bool streamed = !settings_.quiet;
    const qwen35::Reply reply = answer(settings_.request, streamed);
    if (streamed) {
      screen_.finish(reply);
    } else {
      tool::print(reply.text + "\n");
    }
    tool::end_if_interrupted("the answer is not whole");
    return 0;
  }

  // One answer a line, as JSON or, when quiet, as plain text with its line breaks as blanks; a request that fails has
  // an error in its place (when quiet, an empty line and the error on the error output). 1 when any did.
  int all() {
    int result = 0;
    std::string line;
    tool::NextLine next = tool::NextLine::read;
    while (!tool::output_lost() && (next = tool::read_line(std::cin, line)) != tool::NextLine::none) {
      if (next == tool::NextLine::read && line.find_first_not_of(" \t\r") == std::string::npos) {
        continue;
      }
      qwen35::json::Value out = qwen35::json::Value::object();
      std::string plain;
      try {
        tool::require_whole(next);
        const qwen35::Reply reply = answer(request_of(line, settings_.sources), false);
        tool::end_if_interrupted("this request and those behind it are not answered");
        plain = reply.text;
        std::replace(plain.begin(), plain.end(), '\n', ' ');
        out["answer"] = qwen35::json::Value(reply.text);
        if (settings_.think) {
          out["reasoning"] = qwen35::json::Value(reply.reasoning);
        }
        if (reply.finish_reason != qwen35::FinishReason::stop) {
          out["finish_reason"] = qwen35::json::Value(std::string(qwen35::name(reply.finish_reason)));
        }
      } catch (const qwen35::CancelledError&) {
        throw;
      } catch (const std::exception& error) {
        out["error"] = qwen35::json::Value(qwen35::unicode::repair_utf8(tool::words(error)));
        if (settings_.quiet) {
          screen_.note(tool::shown(tool::words(error)));
        }
        result = 1;
      }
      screen_.clear();
      tool::print((settings_.quiet ? plain : qwen35::json::dump(out)) + "\n");
      std::fflush(stdout);
    }
    return result;
  }

 private:
  static qwen35::GenerationConfig generation(const Settings& settings) {
    qwen35::GenerationConfig config;
    config.do_sample = false;
    config.max_new_tokens = settings.max_new_tokens;
    return config;
  }
  qwen35::SessionOptions options(const qwen35::Processor& processor) {
    qwen35::SessionOptions out;
    out.enable_thinking = settings_.think;
    out.cache.kv_dtype = qwen35::keys_format(settings_.cache_type, "--cache-type");
    out.media_loader = [&processor, this](const qwen35::ContentPart& part) {
      return chat_tool::load_medium(processor, part, fps_, settings_.max_pixels);
    };
    return out;
  }

  const Settings& settings_;
  chat_tool::Screen& screen_;
  std::optional<double> fps_;
  qwen35::Session<qwen35::AnyModel> session_;
};

int run(const qwen35::Checkpoint& checkpoint, const Settings& settings, std::chrono::steady_clock::time_point start,
        chat_tool::Screen& screen) {
  qwen35::require_tower(checkpoint);
  // The model comes last: what is wrong with a small file is told before the large ones are read.
  const qwen35::Processor processor = qwen35::Processor::from_checkpoint(
      checkpoint, chat_tool::template_of(checkpoint, settings.chat_template, screen));
  const qwen35::AnyModel model = settings.quiet || settings.lines
                                     ? qwen35::open_model<QWEN35_TOOL_CONFIG_LIST>(checkpoint)
                                     : chat_tool::open_model(checkpoint, start, screen);
  qwen35::require<qwen35::ConfigError>(model.has_vision(), settings.folder,
                                       ": compiled without a vision tower, this model reads text alone");
  Describer describer(model, processor, settings, screen);
  return settings.lines ? describer.all() : describer.one();
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app(
      "Answers a question about pictures or a video. The answer goes to the output, everything else to the error "
      "output.");
  Settings settings;
  std::string media_root;
  CLI::Option* const images = app.add_option("images", settings.request.images, "picture files, data: URLs, or base64");
  app.add_option("-m,--model", settings.folder, chat_tool::checkpoint_help);
  tool::add_mmproj_option(app, settings.model);
  tool::add_load_option(app, settings.model);
  tool::add_threads_option(app);
  CLI::Option* const video =
      app.add_option("--video", settings.request.video, "a video file, an animated GIF, or a folder of pictures");
  CLI::Option* const fps =
      app.add_option("--fps", settings.request.fps,
                     "frames a second to look at of the video; of a folder, the rate its pictures were taken at")
          ->check(tool::positive_number());
  CLI::Option* const question =
      app.add_option("-p,--prompt", settings.request.question, "the question; without it, for a description");
  app.add_option("--cache-type", settings.cache_type, chat_tool::cache_type_help)->capture_default_str();
  app.add_option("-n,--max-new-tokens", settings.max_new_tokens, "longest answer, thinking included")
      ->capture_default_str()
      ->transform(tool::whole_number<std::int64_t>(1, tool::most_tokens));
  chat_tool::add_pixels_option(app, settings.max_pixels);
  chat_tool::add_template_option(app, settings.chat_template);
  app.add_flag("--think", settings.think, "let the model think first");
  app.add_flag("-q,--quiet", settings.quiet, "the answer alone");
  CLI::Option* const lines =
      app.add_flag(
             "--jsonl", settings.lines,
             "requests from the input, one a line: {\"images\": [...], \"video\": ..., \"fps\": ..., \"question\": "
             "...}; one answer a line: {\"answer\": ...} or {\"error\": ...}, with --quiet the plain answers. "
             "A request may name any file that this program can read: for requests of others see --media-root")
          ->excludes(images)
          ->excludes(video)
          ->excludes(fps)
          ->excludes(question);
  app.add_option("--media-root", media_root,
                 "with --jsonl: a folder; requests may name what is in it or below, out of which neither .. nor a link "
                 "leads, and data: URLs, and nothing else")
      ->needs(lines);
  return tool::run(app, argc, argv, [&] {
    static_cast<void>(qwen35::keys_format(settings.cache_type, "--cache-type"));
    chat_tool::Screen screen;
    screen.set_quiet(settings.quiet);
    std::optional<tool::Warnings> warnings;
    if (!settings.quiet && settings.lines) {
      warnings.emplace(tool::print_note);
    } else if (!settings.quiet) {
      warnings.emplace([&](const std::string& text) { screen.note("[" + text + "]"); });
    }
    if (!media_root.empty()) {
      settings.sources = qwen35::SourcePolicy::folders({media_root});
    }
    if (!settings.lines) {
      settings.request.check();
    }
    const auto start = std::chrono::steady_clock::now();
    const qwen35::Checkpoint checkpoint =
        chat_tool::open_checkpoint(settings.folder, settings.model, shapes::files(), screen);
    return run(checkpoint, settings, start, screen);
  });
}
