// SPDX-License-Identifier: Apache-2.0
// A chat in the terminal or through a pipe, with a checkpoint or the small model inside the program.
#include <qwen35_embed/shapes.hpp>

#include "chat_program.hpp"

namespace {

// The embedded files as a checkpoint.
qwen35::Checkpoint embedded() {
  std::vector<qwen35::NamedBytes> files;
  for (const auto& [name, bytes] : shapes::files()) {
    files.push_back({name, bytes});
  }
  return qwen35::Checkpoint::from_bytes(files);
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Talk with a Qwen3.5 model. Answers go to the output, everything else to the error output.");
  chat_tool::Settings settings;
  chat_tool::add_options(app, settings);
  CLI11_PARSE(app, argc, argv);
  // Asking for a temperature and the like is asking for draws.
  qwen35::GenerationConfig& config = settings.config;
  if (!config.do_sample && (config.temperature || config.top_k || config.top_p || config.min_p)) {
    config.do_sample = true;
  }
  try {
    const qwen35::Checkpoint checkpoint = settings.folder.empty() ? embedded() : qwen35::Checkpoint::open(settings.folder);
    return chat_tool::run_any<QWEN35_TOOL_CONFIG_LIST>(checkpoint, settings);
  } catch (const qwen35::Error& error) {
    std::cerr << argv[0] << ": " << error.what() << '\n';
    return 1;
  }
}
