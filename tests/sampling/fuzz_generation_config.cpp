// SPDX-License-Identifier: Apache-2.0
// Any generation_config.json: an error, or settings that are the same after they were written and read again, and with
// which a generation ends.
#include "generate/generate_test.hpp"

#include <qwen35/generate/generate.hpp>

#include "support/fuzz.hpp"
#include "support/json_mutator.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace qwen35;
  const std::optional<json::Value> file = json::try_parse(fuzz::text_of(data, size));
  if (!file) {
    return 0;
  }
  fuzz::attempt([&] {
    GenerationConfig config = GenerationConfig::from_json(*file);
    fuzz::expect(GenerationConfig::from_json(json::parse(json::dump(config.to_json()))) == config);
    config.max_new_tokens = std::min<std::int64_t>(config.max_new_tokens.value_or(6), 6);
    config.num_beams = std::min<std::int64_t>(config.num_beams.value_or(1), 6);
    if (config.num_return_sequences) {
      config.num_return_sequences = std::min<std::int64_t>(*config.num_return_sequences, 6);
    }
    if (!config.seed) {
      config.seed = 1;
    }
    static const generate_test::ToyModel model;
    const std::vector<TokenId> prompt{3, 1, 4, 1, 5};
    const auto output = generate(model, {.input_ids = prompt}, config);
    for (const std::span<const TokenId> row : {output.new_tokens(0)}) {
      fuzz::expect(row.size() <= 6);
      for (const TokenId id : row) {
        fuzz::expect(id >= 0 && static_cast<std::size_t>(id) < model.vocab_size);
      }
    }
  });
  return 0;
}
