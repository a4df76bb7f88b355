// SPDX-License-Identifier: Apache-2.0
// The body of the logits tools: the raw logits of every position, or how far they are from recorded ones, for whichever
// compiled config fits the checkpoint.
#pragma once

#include "divergence.hpp"
#include "model_options.hpp"
#include "tool_options.hpp"

#include <qwen35/io/file_writer.hpp>

#include <cstdio>

namespace logits_tool {

inline void run(const qwen35::AnyModel& model, const std::vector<qwen35::TokenId>& ids, const std::string& out_path) {
  const qwen35::Tensor<float> logits = model.forward({.input_ids = ids}).logits;
  if (!out_path.empty()) {
    qwen35::write_file<qwen35::InputError>(
        out_path, {reinterpret_cast<const char*>(logits.data()), logits.size() * sizeof(float)});
    return;
  }
  for (std::size_t t = 0; t < ids.size(); ++t) {
    const std::span<const float> row = logits.row(t);
    const auto best = std::max_element(row.begin(), row.end());
    std::printf("%td %.9g\n", best - row.begin(), static_cast<double>(*best));
  }
}

template <class... Configs>
int main(int argc, char** argv) {
  CLI::App app("The raw f32 logits of every position of a token sequence.");
  std::string folder;
  std::string out_path, recorded;
  std::vector<qwen35::TokenId> ids;
  tool::ModelOptions options;
  app.add_option("checkpoint", folder, "folder with config.json and safetensors files, a GGUF or a packed file")
      ->required();
  app.add_option("--ids", ids, "token ids, separated by commas")
      ->delimiter(',')
      ->transform(tool::whole_number<qwen35::TokenId>(0, std::numeric_limits<qwen35::TokenId>::max()));
  app.add_option("-o,--output", out_path,
                 "little-endian f32 [tokens, vocab_size]; without it, one line a position: argmax id and its logit");
  app.add_option(
         "--kl", recorded,
         "instead, how far the probabilities are from those of a file that -o wrote of these ids, or that "
         "llama-perplexity --kl-divergence-base wrote: positions, mean, median and 99 % of the Kullback-Leibler "
         "divergence, and how often the most probable token is the same")
      ->excludes("-o");
  tool::add_mmproj_option(app, options);
  tool::add_load_option(app, options);
  tool::add_threads_option(app);
  return tool::run(app, argc, argv, [&] {
    const tool::Warnings warnings(tool::print_note);
    const qwen35::Checkpoint checkpoint =
        qwen35::Checkpoint::open(folder, qwen35::checked_for_one_of<Configs...>(tool::checkpoint_options(options)));
    if (recorded.empty()) {
      qwen35::require<qwen35::InputError>(!ids.empty(), "--ids: token ids are needed");
      const qwen35::AnyModel model = qwen35::open_model<Configs...>(checkpoint);
      run(model, ids, out_path);
      return 0;
    }
    Recording recording(recorded, ids);
    const qwen35::AnyModel model = qwen35::open_model<Configs...>(checkpoint);
    const Divergence found = divergence(model, recording);
    std::printf("%zu positions: KL mean %.4g, median %.4g, 99 %% %.4g; same top token %.2f %%\n", found.positions,
                found.mean, found.median, found.high, 100.0 * found.same_top);
    return 0;
  });
}

}  // namespace logits_tool
