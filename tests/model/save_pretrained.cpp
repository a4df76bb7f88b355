// SPDX-License-Identifier: Apache-2.0
// Models are written and read again, made afresh, and read in another format or out of a quantised folder: the same
// logits, or other ones.
#include <qwen35/cache/cache_file.hpp>
#include <qwen35/config/presets.hpp>
#include <qwen35/model/causal_lm.hpp>
#include <qwen35/model/conditional_generation.hpp>

#include "support/message_of.hpp"
#include "weights/packed_writer.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
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

double error_of(const std::vector<float>& a, const std::vector<float>& b) {
  double error = 0.0, size = 0.0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    error += std::pow(static_cast<double>(a[i]) - static_cast<double>(b[i]), 2.0);
    size += std::pow(static_cast<double>(b[i]), 2.0);
  }
  return error / size;
}

// Are they logits of the same values, be they stored in other formats? There is one order of sums, but for the products
// of bf16 in tile registers.
bool same_values(const std::vector<float>& a, const std::vector<float>& b) {
  return isa_name() == "avx512-amx" ? error_of(a, b) < 1e-9 : a == b;
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
  const std::vector<float> expected = logits(model);
  CHECK(same_values(logits(wide), expected));
  const auto half = CausalLM<Shapes>::from_pretrained(shapes_folder, {.dtype = Format::f16});
  CHECK(error_of(logits(half), expected) < 1e-4);
  const auto back = CausalLM<Shapes>::from_pretrained(shapes_folder, {.dtype = Format::bf16});
  CHECK(error_of(logits(back), expected) < 1e-3);  // what was f32 in the file is rounded

  // Eight bits: coarse, but the same model written, mapped, and widened.
  const auto coarse = CausalLM<Shapes>::from_pretrained(shapes_folder, {.dtype = Format::f8_e4m3});
  const std::vector<float> rough = logits(coarse);
  CHECK(error_of(rough, expected) < 0.2);
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

namespace {

using namespace weights_test;

// The shapes model's text weights with its linear layers quantised, as a folder keeps them, and with their values.
class QuantisedShapes {
 public:
  // `pack` makes the tensors of a module [rows, cols] from its values, which become what the tensors say. `stacked`:
  // the experts' tensors stand in one, gate and up in one module.
  template <class Pack>
  explicit QuantisedShapes(const std::string& quantization, const Pack& pack, bool stacked = false) {
    const Checkpoint checkpoint = Checkpoint::open(shapes_folder);
    for (const TensorInfo& tensor : checkpoint.tensors()) {
      if (HuggingFaceNames::is_visual(tensor.name)) {
        continue;
      }
      const Bytes bytes(tensor.bytes.begin(), tensor.bytes.end());
      const bool experts = tensor.shape.size() == 3 && tensor.name.find(".experts.") != std::string::npos;
      const bool linear = tensor.shape.size() == 2 && tensor.name.find("_proj") != std::string::npos &&
                          tensor.name.find("in_proj_a") == std::string::npos &&
                          tensor.name.find("in_proj_b") == std::string::npos;
      if (!experts && !linear) {
        stored_.push_back({tensor.name, tensor.shape, tensor.dtype, bytes});
        values_.push_back(stored_.back());
        continue;
      }
      const std::size_t cols = tensor.shape.back(), count = experts ? tensor.shape[0] : 1;
      const bool gate_up = tensor.name.ends_with("gate_up_proj");
      const std::size_t parts = gate_up ? 2 : 1;
      const std::size_t rows = tensor.shape[tensor.shape.size() - 2] / parts;
      std::vector<float> decoded(count * parts * rows * cols);
      kernels::decode_row({*dtype_of(tensor.dtype), bytes.data(), decoded.size(), decoded.data()});
      if (experts && stacked) {
        add_stacked(tensor, decoded, pack);
        continue;
      }
      for (std::size_t i = 0; i < count * parts; ++i) {
        std::string module = tensor.name.substr(0, tensor.name.rfind('.'));
        if (experts) {
          module += "." + std::to_string(i / parts) +
                    (!gate_up     ? ".down_proj"
                     : i % 2 == 0 ? ".gate_proj"
                                  : ".up_proj");
        }
        const auto begin = decoded.begin() + static_cast<std::ptrdiff_t>(i * rows * cols);
        std::vector<float> own(begin, begin + static_cast<std::ptrdiff_t>(rows * cols));
        for (RawTensor& packed : pack(module, rows, cols, own)) {
          bytes_ += packed.bytes.size();
          stored_.push_back(std::move(packed));
        }
        count_ += own.size();
        values_.push_back(TestTensor{module + ".weight", {rows, cols}, std::move(own)});
      }
    }
    const std::string config(checkpoint.text("config.json"));
    config_ = bytes_of("{\"quantization_config\":{" + quantization + "}," + config.substr(config.find('{') + 1));
    folder_ = write_safetensors(stored_);
    decoded_ = write_safetensors(values_);
  }
  CausalLM<Shapes> model(const CheckpointOptions& options = {}) const {
    return CausalLM<Shapes>(Checkpoint::from_bytes({{"config.json", config_}, {"m.safetensors", folder_}}, options));
  }
  CausalLM<Shapes> decoded() const {
    return CausalLM<Shapes>(Checkpoint::from_bytes({{"config.json", config_}, {"m.safetensors", decoded_}}));
  }
  double bits() const { return 8.0 * static_cast<double>(bytes_) / static_cast<double>(count_); }

 private:
  template <class Pack>
  void add_stacked(const TensorInfo& tensor, std::vector<float>& values, const Pack& pack) {
    const std::size_t first = stored_.size(), size = values.size() / tensor.shape[0];
    for (std::size_t e = 0; e < tensor.shape[0]; ++e) {
      const auto begin = values.begin() + static_cast<std::ptrdiff_t>(e * size);
      std::vector<float> own(begin, begin + static_cast<std::ptrdiff_t>(size));
      std::vector<RawTensor> packed = pack(tensor.name, tensor.shape[1], tensor.shape[2], own);
      std::copy(own.begin(), own.end(), begin);
      for (std::size_t i = 0; i < packed.size(); ++i) {
        if (e == 0) {
          packed[i].shape.insert(packed[i].shape.begin(), tensor.shape[0]);
          stored_.push_back(std::move(packed[i]));
        } else {
          Bytes& all = stored_[first + i].bytes;
          all.insert(all.end(), packed[i].bytes.begin(), packed[i].bytes.end());
        }
      }
    }
    values_.push_back(TestTensor{tensor.name, tensor.shape, values});
  }

  std::vector<RawTensor> stored_, values_;
  Bytes config_, folder_, decoded_;
  std::size_t bytes_ = 0, count_ = 0;
};

// The model's logits are those of its values within `bar`, and in eight bits not far from the shapes model's; its
// formats are those of its tensors; it can be widened and written.
void check_quantised(const QuantisedShapes& shapes, Format expert_format, double bar,
                     double far = std::numeric_limits<double>::max()) {
  CAPTURE(name(expert_format));
  const CausalLM<Shapes> model = shapes.model(), decoded = shapes.decoded();
  const std::vector<float> found = logits(model), expected = logits(decoded);
  const std::vector<float> original = logits(CausalLM<Shapes>::from_pretrained(shapes_folder));
  CHECK(std::isfinite(found[0]));
  CHECK((error_of(found, expected) <= bar || same_values(found, expected)));
  CHECK(error_of(expected, original) < far);
  CHECK(error_of(expected, original) > 0.0);
  CHECK(model.fingerprint() != decoded.fingerprint());
  CHECK(model.fingerprint() == shapes.model().fingerprint());
  std::size_t values = 0, quantised = 0;
  for (const NamedParameter& parameter : model.named_parameters()) {
    values += parameter.shape.size();
    quantised += parameter.format == expert_format ? 1 : 0;
    if (parameter.name.ends_with("experts.down_proj")) {
      CHECK(name(parameter.format) == name(expert_format));
    }
  }
  CHECK(values == CausalLM<Shapes>::num_parameters());
  CHECK(quantised >= 4);
  const CausalLM<Shapes> wide = shapes.model({.dtype = Format::f32});
  const std::vector<float> widened = logits(wide);
  CHECK(same_values(widened, expected));
  const TempFolder folder;
  wide.save_pretrained(folder.path());
  CHECK(logits(CausalLM<Shapes>::from_pretrained(folder.path())) == widened);
  CHECK(test_support::message_of<CheckpointError>([&] { model.save_pretrained(folder.path()); }) != "");
}

}  // namespace

TEST_CASE("a folder in FP8 gives the logits of its values") {
  const auto pack = [](bool blocks) {
    return [blocks](const std::string& module, std::size_t rows, std::size_t cols, std::vector<float>& values) {
      const std::size_t block_rows = blocks ? 48 : 1, block_cols = blocks ? 32 : cols;
      const std::size_t down = (rows + block_rows - 1) / block_rows, across = (cols + block_cols - 1) / block_cols;
      std::vector<float> scales(down * across);
      Bytes codes(values.size());
      const auto scale_of = [&](std::size_t i) -> float& {
        return scales[i / cols / block_rows * across + i % cols / block_cols];
      };
      for (std::size_t i = 0; i < values.size(); ++i) {
        scale_of(i) = std::max(scale_of(i), std::abs(values[i]) / 448.0f);
      }
      for (float& scale : scales) {
        scale = bf16_to_f32(f32_to_bf16(scale * 1.01f));
      }
      for (std::size_t i = 0; i < values.size(); ++i) {
        const std::uint8_t code = f32_to_f8_e4m3(values[i] / scale_of(i));
        codes[i] = static_cast<std::byte>(code);
        values[i] = f8_e4m3_to_f32(code) * scale_of(i);
      }
      return std::vector<RawTensor>{
          {module + ".weight", {rows, cols}, "F8_E4M3", codes},
          TestTensor{module + (blocks ? ".weight_scale_inv" : ".weight_scale"), {down, across}, scales, "BF16"}};
    };
  };
  const QuantisedShapes blocks(R"("quant_method":"fp8","fmt":"e4m3","weight_block_size":[48,32])", pack(true));
  CHECK(blocks.bits() < 8.1);
  check_quantised(blocks, Format::f8_e4m3, 0.0, 0.2);
  check_quantised(QuantisedShapes(R"("quant_method":"compressed-tensors","format":"float-quantized")", pack(false)),
                  Format::f8_e4m3, 0.0, 0.2);
}

TEST_CASE("folders of GPTQ, AWQ and compressed-tensors give the logits of their values") {
  using Zeros = QuantisedLayer::Zeros;
  // Products of integers round the activations to 8 bits, after which the router of this small model may choose other
  // experts. (The same products without that are those of the values, bit for bit: see the model in f32 above, and the
  // kernels' tests for the products themselves.)
  constexpr double bar = 0.05, bar4 = 1.0;
  const auto shapes = [](const std::string& quantization, std::size_t bits, std::size_t group, bool symmetric,
                         const auto& tensors, bool stacked = false) {
    return QuantisedShapes(
        quantization,
        [&](const std::string& module, std::size_t rows, std::size_t cols, std::vector<float>& values) {
          QuantisedLayer layer =
              quantise(module, rows, cols, values, bits, group, symmetric, bits == 4 ? "F16" : "BF16");
          std::vector<RawTensor> out = tensors(layer);
          values = layer.values();
          return out;
        },
        stacked);
  };
  check_quantised(shapes(R"("quant_method":"gptq","bits":4,"group_size":32)", 4, 32, true,
                         [](QuantisedLayer& layer) { return layer.gptq(true, true); }),
                  Format::i4_32, bar4);
  check_quantised(shapes(R"("quant_method":"gptq","bits":8,"group_size":32,"checkpoint_format":"gptq_v2")", 8, 32,
                         false, [](QuantisedLayer& layer) { return layer.gptq(false, false); }),
                  Format::i8_32, bar, 0.2);
  // Columns in groups by their activations.
  check_quantised(shapes(R"("quant_method":"gptq","bits":4,"group_size":32,"desc_act":true)", 4, 32, false,
                         [](QuantisedLayer& layer) {
                           for (std::size_t k = 0; k < layer.cols; ++k) {
                             layer.group_of_column[k] = static_cast<std::uint32_t>(k * 5 % layer.groups);
                           }
                           return layer.gptq(true, true);
                         }),
                  Format::i4_16, 0.0);
  check_quantised(shapes(R"("quant_method":"awq","bits":4,"group_size":64,"version":"gemm")", 4, 64, false,
                         [](QuantisedLayer& layer) { return layer.awq(); }),
                  Format::i4_64, bar4);
  // Experts that are stacked.
  check_quantised(shapes(R"("quant_method":"gptq","bits":4,"group_size":32)", 4, 32, true,
                         [](QuantisedLayer& layer) { return layer.gptq(true, true); }, true),
                  Format::i4_32, bar4);
  check_quantised(shapes(R"("quant_method":"awq","bits":4,"group_size":32)", 4, 32, false,
                         [](QuantisedLayer& layer) { return layer.awq(); }, true),
                  Format::i4_32, bar4);
  check_quantised(shapes(R"("quant_method":"compressed-tensors","format":"pack-quantized")", 4, 32, false,
                         [](QuantisedLayer& layer) { return layer.compressed(Zeros::packed, false); }),
                  Format::i4_32, bar4);
  check_quantised(shapes(R"("quant_method":"compressed-tensors","format":"int-quantized")", 8, 64, true,
                         [](QuantisedLayer& layer) { return layer.compressed_bytes(false); }),
                  Format::i8_32, bar, 0.2);
}
