// SPDX-License-Identifier: Apache-2.0
// Which patches did an answer look at? `attention_map` asks about a drawn picture and writes attention_map.png,
// `attention_map PICTURE QUESTION OUT.png` about a file: the attention of the answer's tokens to the picture's,
// averaged over tokens, heads and full-attention layers; dark: not looked at.
//
// Expected output:
//   > What is right of the blue star?
//   A yellow square.
//   attention_map.png: where it looked, ... x ... patches
#include <qwen35/model.hpp>
#include <qwen35/processor/processor.hpp>
#include <qwen35_embed/shapes.hpp>

#include <png.h>

#include <algorithm>
#include <cstdio>

#include "scene.hpp"

namespace {

using Config = qwen35::configs::Shapes;
using Model = qwen35::ConditionalGeneration<Config>;
using qwen35::Image;

qwen35::Checkpoint shapes_checkpoint() {
  return qwen35::Checkpoint::from_bytes({{"config.json", shapes::config_json()},
                                         {"generation_config.json", shapes::generation_config_json()},
                                         {"model.safetensors", shapes::model_safetensors()},
                                         {"tokenizer.json", shapes::tokenizer_json()},
                                         {"preprocessor_config.json", shapes::preprocessor_config_json()},
                                         {"video_preprocessor_config.json", shapes::video_preprocessor_config_json()}});
}

// heat: rows x columns, over the picture; the strongest is 1. A small picture is enlarged, to at most 512 pixels.
Image shade(const Image& picture, std::vector<double> heat, std::size_t rows, std::size_t columns) {
  const double most = *std::max_element(heat.begin(), heat.end());
  const std::size_t zoom = std::max<std::size_t>(1, 512 / std::max(picture.width(), picture.height()));
  Image out(picture.width() * zoom, picture.height() * zoom);
  for (std::size_t y = 0; y < out.height(); ++y) {
    for (std::size_t x = 0; x < out.width(); ++x) {
      const std::size_t cell = y * rows / out.height() * columns + x * columns / out.width();
      const double light = 0.25 + 0.75 * (most > 0.0 ? heat[cell] / most : 0.0);
      for (std::size_t c = 0; c < 3; ++c) {
        out.row(y)[3 * x + c] = static_cast<std::uint8_t>(light * picture.row(y / zoom)[3 * (x / zoom) + c]);
      }
    }
  }
  return out;
}

void write_png(const Image& image, const std::string& path) {
  png_image head{};
  head.version = PNG_IMAGE_VERSION;
  head.width = static_cast<png_uint_32>(image.width());
  head.height = static_cast<png_uint_32>(image.height());
  head.format = PNG_FORMAT_RGB;
  qwen35::require<qwen35::MediaError>(
      png_image_write_to_file(&head, path.c_str(), 0, image.pixels().data(), 0, nullptr) != 0, path, ": ",
      head.message);
}

void run(const Image& picture, const std::string& question, const std::string& path) {
  const qwen35::Checkpoint checkpoint = shapes_checkpoint();
  const Model model(checkpoint);
  const auto processor = qwen35::Processor::from_checkpoint(checkpoint);
  qwen35::ChatInput chat{.add_generation_prompt = true, .enable_thinking = false};
  chat.processor_kwargs.images = {picture.view()};
  const std::vector<qwen35::ContentPart> parts{qwen35::ContentPart::image(), qwen35::ContentPart::text(question)};
  const qwen35::ProcessorOutput inputs = processor.apply_chat_template(std::vector{qwen35::Message::user(parts)}, chat);
  qwen35::GenerationConfig config;
  config.output_attentions = true;
  const auto types = inputs.token_types();
  const auto answer = model.generate(inputs, config);

  const auto merge = static_cast<std::int64_t>(Config::vision_config::spatial_merge_size);
  const auto rows = static_cast<std::size_t>(inputs.image_grid_thw[1] / merge),
             columns = static_cast<std::size_t>(inputs.image_grid_thw[2] / merge);
  const auto first = static_cast<std::size_t>(std::find(types.begin(), types.end(), 1) - types.begin());
  std::vector<double> heat(rows * columns);
  for (const std::vector<qwen35::Tensor<float>>& step : answer.attentions) {
    for (const qwen35::Tensor<float>& layer : step) {  // [1, heads, queries, keys]: the last query wrote the token
      const std::size_t heads = layer.shape()[1], queries = layer.shape()[2];
      for (std::size_t head = 0; head < heads; ++head) {
        const std::span<const float> row = layer.row((head + 1) * queries - 1);
        for (std::size_t i = 0; i < heat.size(); ++i) {
          heat[i] += static_cast<double>(row[first + i]);
        }
      }
    }
  }
  write_png(shade(picture, heat, rows, columns), path);
  std::printf("> %s\n%s\n%s: where it looked, %zu x %zu patches\n", question.c_str(),
              processor.decode(answer.new_tokens(0), true).c_str(), path.c_str(), rows, columns);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 1 && argc != 4) {
    std::fputs("usage: attention_map [PICTURE QUESTION OUT.png]\n", stderr);
    return 2;
  }
  try {
    if (argc == 4) {
      run(qwen35::load_image(argv[1]), argv[2], argv[3]);
    } else {
      using namespace scene;
      run(draw(128, 96,
               {{Form::circle, red, 28, 40, 15}, {Form::star, blue, 66, 58, 16}, {Form::square, yellow, 104, 36, 14}}),
          "What is right of the blue star?", "attention_map.png");
    }
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "attention_map: %s\n", error.what());
    return 1;
  }
}
