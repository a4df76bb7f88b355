// SPDX-License-Identifier: Apache-2.0
// A chat in the terminal or through a pipe, with a checkpoint or the small model inside the program.
#include <qwen35_embed/shapes.hpp>

#include <chrono>

#include "chat_program.hpp"

int main(int argc, char** argv) {
  CLI::App app("Talk with a Qwen3.5 model. Answers go to the output, everything else to the error output.");
  chat_tool::Settings settings;
  chat_tool::add_options(app, settings);
  return tool::run(app, argc, argv, [&] {
    chat_tool::settle_draws(settings.config);
    chat_tool::Screen screen;
    const tool::Warnings warnings([&](const std::string& text) { screen.note("[" + text + "]"); });
    const auto start = std::chrono::steady_clock::now();
    const qwen35::Checkpoint checkpoint =
        chat_tool::open_checkpoint(settings.folder, settings.model, shapes::files(), screen);
    return chat_tool::run(checkpoint, settings, start, screen);
  });
}
