// SPDX-License-Identifier: Apache-2.0
// How a tool comes by its model: a folder, a GGUF or a packed file, or the checkpoint inside the program, of whichever
// compiled config fits.
#pragma once

#include <qwen35/config/presets.hpp>
#include <qwen35/io/folder.hpp>
#include <qwen35/media/limits.hpp>
#include <qwen35/model/any_model.hpp>
#include <qwen35/text/chat_template_file.hpp>
#include <qwen35/weights/checkpoint.hpp>
#if defined(QWEN35_TOOL_MEDIA)
#include <qwen35/processor/processor.hpp>
#endif

#include <chrono>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "chat_screen.hpp"
#include "model_options.hpp"
#include "tool_options.hpp"

namespace chat_tool {

inline constexpr const char* cache_type_help = "how keys and values are kept: f32, f16, bf16, q8_0 or f8_e4m3";
inline constexpr const char* checkpoint_help =
    "folder with config.json, tokenizer.json and safetensors files, a GGUF or a packed file; without it, the small "
    "model in this program";

// `embedded`: what qwen35_embed() gives, used when `folder` is empty. Tells the screen how far it is.
inline qwen35::Checkpoint open_checkpoint(
    const std::string& folder, const tool::ModelOptions& options,
    std::span<const std::pair<std::string_view, std::span<const std::byte>>> embedded, Screen& screen) {
  if (folder.empty()) {
    tool::require_no_options(options);
    std::vector<qwen35::NamedBytes> files;
    for (const auto& [name, bytes] : embedded) {
      files.push_back({name, bytes});
    }
    return qwen35::Checkpoint::from_bytes(files);
  }
  qwen35::CheckpointOptions how = tool::checkpoint_options(options);
  how.progress = [&](std::size_t done, std::size_t total) { screen.loading(done, total); };
  return qwen35::Checkpoint::open(folder, qwen35::checked_for_one_of<QWEN35_TOOL_CONFIG_LIST>(how));
}

#if defined(QWEN35_TOOL_MEDIA)
// fps: of a folder, the rate of its pictures, which are then sampled as those of other videos; of those, how many
// frames a second to look at.
inline qwen35::LoadedMedium load_medium(const qwen35::Processor& processor, const qwen35::ContentPart& part,
                                        std::optional<double> fps, std::size_t max_pixels) {
  const bool folder = qwen35::is_folder(part.value);
  return processor.load(
      part,
      {.videos_kwargs = {.fps = folder ? std::nullopt : fps}, .folder_fps = fps, .limits = {.max_pixels = max_pixels}});
}
#endif

inline std::size_t tensor_bytes(const qwen35::Checkpoint& checkpoint) {
  std::size_t sum = 0;
  for (const qwen35::TensorInfo& tensor : checkpoint.tensors()) {
    sum += tensor.bytes.size();
  }
  return sum;
}

// auto, on, off.
inline std::optional<bool> thinking_of(const std::string& word) {
  return word == "auto" ? std::nullopt : std::optional<bool>(word == "on");
}

// max_pixels: of one picture or frame.
inline void add_pixels_option(CLI::App& app, std::size_t& max_pixels) {
  app.add_option("--max-pixels", max_pixels, "the largest picture or frame that is read")
      ->capture_default_str()
      ->transform(tool::whole_number<std::size_t>(1, qwen35::max_picture_side * qwen35::max_picture_side));
}

inline void add_template_option(CLI::App& app, std::string& choice) {
  app.add_option("--template", choice, "how messages are written; auto: as the checkpoint's own template has it")
      ->capture_default_str()
      ->check(CLI::IsMember({"auto", "qwen3.5", "qwen3.5-thinking-off", "qwen3.6"}));
}

// `choice`: a value of --template. Raises TextError when it is auto and the checkpoint's own template is none of the
// family's.
inline qwen35::ChatTemplate template_of(const qwen35::Checkpoint& checkpoint, const std::string& choice,
                                        Screen& screen) {
  namespace variants = qwen35::chat_templates;
  if (choice != "auto") {
    return choice == "qwen3.6"                ? variants::qwen3_6
           : choice == "qwen3.5-thinking-off" ? variants::qwen3_5_thinking_off
                                              : variants::qwen3_5;
  }
  const qwen35::RecognisedChatTemplate found = qwen35::recognise_chat_template(checkpoint.files());
  if (!found.exact) {
    screen.note("chat template: the checkpoint has one of its own, which is interpreted");
  }
  return found.chat_template;
}

// Does the checkpoint have a vision tower? A file may describe the text part of a multimodal type alone.
inline bool has_vision(const qwen35::Checkpoint& checkpoint) {
  return checkpoint.config().find("vision_config") != nullptr;
}

// The model of a checkpoint, and a word about what that took, from `start` on.
inline qwen35::AnyModel open_model(const qwen35::Checkpoint& checkpoint, std::chrono::steady_clock::time_point start,
                                   Screen& screen) {
  screen.stage("binding the tensors");
  qwen35::AnyModel model = qwen35::open_model<QWEN35_TOOL_CONFIG_LIST>(checkpoint);
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  const qwen35::LoadReport loading = checkpoint.loading();
  screen.note("[loaded " + Screen::size_text(tensor_bytes(checkpoint)) + " in " + Screen::rounded(seconds) + " s" +
              (loading.mapped_bytes + loading.read_bytes > 0 ? "; weights: " + loading.text() : "") + "]");
  return model;
}

}  // namespace chat_tool
