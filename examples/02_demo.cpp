// SPDX-License-Identifier: Apache-2.0
// A model that sees, inside a binary: draws pictures and a clip, asks the embedded shapes checkpoint about them and
// streams its answers. No file is read. In a terminal it shows the pictures too.
//
// Expected output:
//   A Qwen3.5-MoE of 2 M parameters with a vision tower; kernels ..., ... threads (...)
//   ...
//   A red circle, a blue star and a yellow square.
//   ...
//   A blue star.
//   ...
//   The triangle is green.
//   ...
//   The star moves right.
//   ...
//   Three shapes.
//   ...
#include <qwen35/model.hpp>
#include <qwen35/processor/pixel_parts.hpp>
#include <qwen35/session/session.hpp>
#include <qwen35_embed/shapes.hpp>

#include <cstdio>

#include <unistd.h>
#include "scene.hpp"

namespace {

using Model = qwen35::ConditionalGeneration<qwen35::configs::Shapes>;
using qwen35::ContentPart;
using qwen35::Image;

std::string_view text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

struct Turn {
  const char* what;           // what is asked about, in words
  std::vector<Image> frames;  // none: a text; one: a picture; more: a clip
  const char* question;
  bool follow_up = false;
  bool thinking = false;
};

std::vector<Turn> turns() {
  using namespace scene;
  const Image picture = draw(
      128, 96, {{Form::circle, red, 28, 40, 15}, {Form::star, blue, 66, 58, 16}, {Form::square, yellow, 104, 36, 14}});
  return {{"a picture", {picture}, "Describe this image."},
          {"the same picture, which is not read again", {}, "What is right of the red circle?", true},
          {"another picture",
           {draw(96, 96, {{Form::triangle, green, 30, 50, 16}, {Form::circle, purple, 68, 44, 15}})},
           "What color is the triangle?",
           false,
           true},
          {"a clip of three seconds", clip(6, {Form::star, orange, 12, 32, 11}, 8, 0), "Which way does the star move?"},
          {"words alone",
           {},
           "There is a green triangle, a yellow square and a purple circle. How many shapes are there?"}};
}

void ask(qwen35::Session<Model>& session, const Turn& turn, bool colours) {
  std::printf("\n[%s]\n", turn.what);
  std::vector<ContentPart> parts;
  if (!turn.frames.empty()) {
    if (colours) {
      scene::show(turn.frames);
    }
    parts.push_back(turn.frames.size() == 1 ? qwen35::image_part(turn.frames[0])
                                            : qwen35::video_part(turn.frames, 2.0));
  }
  parts.push_back(ContentPart::text(turn.question));
  std::printf("> %s\n", turn.question);
  session.set_enable_thinking(turn.thinking);
  const auto write = [thought = false](const qwen35::OutputEvent& event) mutable {
    const bool thinks = event.type == qwen35::OutputEventType::reasoning;
    std::printf("%s%s", thinks == thought ? "" : thinks ? "(" : ")\n", event.text.c_str());
    std::fflush(stdout);
    thought = thinks;
    return true;
  };
  const qwen35::Reply reply = session.send(qwen35::Message::user(std::move(parts)), {.event = write});
  std::printf("\n  [%zu tokens read in %.1f ms, %zu of the conversation were held; %zu answered in %.1f ms]\n",
              reply.usage.processed_tokens, reply.prompt_seconds * 1e3, reply.usage.cached_tokens, reply.ids.size(),
              reply.generate_seconds * 1e3);
}

}  // namespace

int main() {
  try {
    const bool colours = isatty(STDOUT_FILENO) != 0;
    const Model model(qwen35::Checkpoint::from_bytes({{"config.json", shapes::config_json()},
                                                      {"generation_config.json", shapes::generation_config_json()},
                                                      {"model.safetensors", shapes::model_safetensors()}}));
    const qwen35::Tokenizer tokenizer = qwen35::Tokenizer::from_bytes(text_of(shapes::tokenizer_json()));
    const std::string_view isa = qwen35::isa_name();
    std::printf("A Qwen3.5-MoE of 2 M parameters with a vision tower; kernels %.*s, %d threads (%s)\n",
                static_cast<int>(isa.size()), isa.data(), qwen35::num_threads(),
                std::string(qwen35::thread_backend()).c_str());
    qwen35::SessionOptions options;
    options.media_loader = qwen35::PixelLoader(
        qwen35::ImageProcessor(
            qwen35::ImageProcessorConfig::from_json(qwen35::json::parse(text_of(shapes::preprocessor_config_json())))),
        qwen35::VideoProcessor(qwen35::VideoProcessorConfig::from_json(
            qwen35::json::parse(text_of(shapes::video_preprocessor_config_json())))));
    qwen35::Session<Model> session(model, tokenizer, {}, options);
    for (const Turn& turn : turns()) {
      if (!turn.follow_up) {
        session.reset();
      }
      ask(session, turn, colours);
    }
  } catch (const std::exception& error) {
    std::fprintf(stderr, "demo: %s\n", error.what());
    return 1;
  }
}
