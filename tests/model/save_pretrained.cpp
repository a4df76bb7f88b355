// SPDX-License-Identifier: Apache-2.0
// Models are written and read again, made afresh, and read in another format: the same logits, or other ones.
#include <qwen35/cache/cache_file.hpp>
#include <qwen35/config/presets.hpp>
#include <qwen35/model/causal_lm.hpp>
#include <qwen35/model/conditional_generation.hpp>

#include "support/message_of.hpp"
#include "weights/safetensors_writer.hpp"

#include <doctest/doctest.h>

#include <set>

using namespace qwen35;
using configs::Shapes;
using weights_test::TempFolder;

namespace {

const std::string shapes_folder = QWEN35_SOURCE_DIR "/examples/shapes";
using Tower = VisionTower<vision_config_t<Shapes>>;

// The logits of a text, and with a picture of two by two tokens if the model sees.
template <class LanguageModel>
std::vector<float> logits(const LanguageModel& model) {
  std::vector<TokenId> ids = {3, 17, 99, 5};
  typename LanguageModel::Input input;
  Tensor<float> pixels({16, Tower::patch_values});
  Tensor<std::int32_t> types({1, 10});
  const Tensor<std::int64_t> grid({1, 3}, {1, 4, 4});
  if constexpr (std::is_same_v<LanguageModel, ConditionalGeneration<Shapes>>) {
    ids = {3, 436, 438, 438, 438, 438, 437, 17, 99, 5};
    for (std::size_t i = 0; i < pixels.size(); ++i) {
      pixels[i] = std::sin(static_cast<float>(i));
    }
    for (std::size_t i = 2; i < 6; ++i) {
      types[i] = 1;
    }
    input.pixel_values = pixels;
    input.image_grid_thw = grid;
    input.mm_token_type_ids = types;
  }
  input.input_ids = ids;
  const auto output = model.forward(input);
  return {output.logits.begin(), output.logits.end()};
}

template <class M>
std::set<std::string> names_of(const M& model) {
  std::set<std::string> out;
  std::size_t count = 0;
  for (const NamedParameter& parameter : model.named_parameters()) {
    out.insert(parameter.name);
    count += parameter.shape.size();
  }
  CHECK(out.size() == model.named_parameters().size());
  CHECK(count == M::num_parameters());
  return out;
}

// The folder has the names of the model, and gives it back.
template <class M>
M through_folder(const M& model, const TempFolder& folder, const SaveOptions& options = {}) {
  model.save_pretrained(folder.path(), options);
  std::set<std::string> found;
  const Checkpoint checkpoint = Checkpoint::open(folder.path(), CheckpointOptions{.strict = true});
  for (const TensorInfo& tensor : checkpoint.tensors()) {
    found.insert(tensor.name);
  }
  CHECK(found == names_of(model));
  M again(checkpoint);
  CHECK(again.fingerprint() == model.fingerprint());
  return again;
}

}  // namespace

TEST_CASE("a checkpoint that was read, written and read again is the same model") {
  const TempFolder whole, text, backbone;
  const auto model = ConditionalGeneration<Shapes>::from_pretrained(shapes_folder);
  const auto again = through_folder(model, whole, {.max_shard_size = 1'000'000});
  CHECK(logits(again) == logits(model));
  CHECK(again.generation_config() == model.generation_config());
  // The text model of the same folder.
  const auto lm = CausalLM<Shapes>::from_pretrained(whole.path());
  CHECK(logits(through_folder(lm, text)) == logits(lm));
  // The multimodal model without a head has the same rows.
  Model<Shapes>::from_pretrained(whole.path()).save_pretrained(backbone.path());
  const auto bare = Model<Shapes>::from_pretrained(backbone.path());
  CHECK(bare.language_model.weights().lm_head.empty());
  CHECK(names_of(bare).count("language_model.norm.weight") == 1);
  CHECK(test_support::contains(test_support::message_of<CheckpointError>(
                                   [&] { ConditionalGeneration<Shapes>::from_pretrained(backbone.path()); }),
                               "lm_head.weight: missing"));
}

TEST_CASE("fresh models, their parts alone, and what the seed decides") {
  const TempFolder whole, text, tower, backbone;
  const ConditionalGeneration<Shapes> model({.seed = 7});
  const auto again = through_folder(model, whole);
  CHECK(logits(again) == logits(model));
  CHECK(logits(ConditionalGeneration<Shapes>({.seed = 7})) == logits(model));
  CHECK(logits(ConditionalGeneration<Shapes>({.seed = 8})) != logits(model));
  const CausalLM<Shapes> lm({.seed = 7, .dtype = Format::bf16});
  for (const float logit : logits(lm)) {
    CHECK(std::abs(logit) < 2.0f);  // hidden states of length sqrt(128), rows of the head of deviation 0.02
  }
  const TextModel<Shapes> alone({.seed = 7});
  const auto alone_again = through_folder(alone, text);
  const Tensor<std::int32_t> ids({1, 3}, {1, 2, 3});
  const auto rows = alone.forward({.input_ids = ids}).last_hidden_state;
  CHECK(std::ranges::equal(alone_again.forward({.input_ids = ids}).last_hidden_state, rows));
  const Tower vision({.seed = 7});
  through_folder(vision, tower);
  CHECK(Tower::num_parameters() + CausalLM<Shapes>::num_parameters() ==
        ConditionalGeneration<Shapes>::num_parameters());
  through_folder(Model<Shapes>({.seed = 7}), backbone);
}

TEST_CASE("a cache is one model's: another tower, another head or other placeholders refuse it") {
  std::set<std::uint64_t> seen;
  const auto fresh = [](std::uint64_t tower, std::uint64_t text) {
    return Model<Shapes>(Tower({.seed = tower}), TextModel<Shapes>({.seed = text}));
  };
  seen.insert(fresh(1, 1).fingerprint());
  seen.insert(fresh(2, 1).fingerprint());
  seen.insert(fresh(1, 2).fingerprint());
  seen.insert(TextModel<Shapes>({.seed = 1}).fingerprint());
  seen.insert(CausalLM<Shapes>({.seed = 1}).fingerprint());
  ConfigValues values = ConfigValues::from<Shapes>();
  ++values.image_token_id;
  seen.insert(Model<Shapes>(Tower({.seed = 1}), TextModel<Shapes>({.seed = 1}), values).fingerprint());
  CHECK(seen.size() == 6);

  const TempFolder folder;
  const auto model = fresh(1, 1);
  HybridCache<Shapes> cache;
  const std::vector<TokenId> ids = {1, 2, 3};
  model.forward({.input_ids = ids, .past_key_values = &cache});
  save_cache(cache, folder.file("kept"));
  CHECK_NOTHROW(load_cache<Shapes>(folder.file("kept"), fresh(1, 1).fingerprint()));
  CHECK(test_support::contains(
      test_support::message_of<CacheError>([&] { load_cache<Shapes>(folder.file("kept"), fresh(2, 1).fingerprint()); }),
      "another model"));
}

TEST_CASE("a checkpoint in another format") {
  const auto model = CausalLM<Shapes>::from_pretrained(shapes_folder);
  std::size_t told = 0;
  const auto wide = CausalLM<Shapes>::from_pretrained(
      shapes_folder,
      {.progress = [&](std::size_t done, std::size_t total) { told = std::max(told, done == total ? done : 0); },
       .dtype = Format::f32});
  CHECK(told > 1'000'000);
  for (const NamedParameter& parameter : wide.named_parameters()) {
    CHECK(parameter.format == Format::f32);
  }
  const auto difference = [](const std::vector<float>& a, const std::vector<float>& b) {
    double error = 0.0, size = 0.0;
    for (std::size_t i = 0; i < a.size(); ++i) {
      error += std::pow(static_cast<double>(a[i]) - static_cast<double>(b[i]), 2.0);
      size += std::pow(static_cast<double>(b[i]), 2.0);
    }
    return error / size;
  };
  const std::vector<float> expected = logits(model);
  CHECK(logits(wide) == expected);  // the same values, and one order of sums whatever the format
  const auto half = CausalLM<Shapes>::from_pretrained(shapes_folder, {.dtype = Format::f16});
  CHECK(difference(logits(half), expected) < 1e-4);
  const auto back = CausalLM<Shapes>::from_pretrained(shapes_folder, {.dtype = Format::bf16});
  CHECK(difference(logits(back), expected) < 1e-3);  // what was f32 in the file is rounded

  // Eight bits: coarse, but the same model written, mapped, and widened.
  const auto coarse = CausalLM<Shapes>::from_pretrained(shapes_folder, {.dtype = Format::f8_e4m3});
  const std::vector<float> rough = logits(coarse);
  CHECK(difference(rough, expected) < 0.2);
  const TempFolder folder;
  CHECK(logits(through_folder(coarse, folder)) == rough);
  CHECK(logits(CausalLM<Shapes>::from_pretrained(folder.path(), {.dtype = Format::f32})) == rough);
}

TEST_CASE("a model from GGUF is written as a folder: names, meanings, and the value heads in the reference's order") {
  const std::string path = QWEN35_TEST_DATA "/gguf/shapes-q8_0.gguf";
  const CausalLM<Shapes> model = CausalLM<Shapes>::from_pretrained(path, {.dtype = Format::f32});
  const TempFolder folder;
  model.save_pretrained(folder.path());
  const std::vector<float> before = logits(model);
  const std::vector<float> after = logits(CausalLM<Shapes>::from_pretrained(folder.path()));
  // Norms are stored without the 1, decays as a logarithm.
  double error = 0.0, size = 0.0;
  for (std::size_t i = 0; i < before.size(); ++i) {
    error += std::pow(static_cast<double>(after[i]) - static_cast<double>(before[i]), 2);
    size += std::pow(static_cast<double>(before[i]), 2);
  }
  CHECK(error <= 1e-9 * size);
  CHECK(test_support::message_of<CheckpointError>([&] {
          CausalLM<Shapes>::from_pretrained(path).save_pretrained(folder.path());
        }) == "safetensors files have no format q8_0");
}
