// SPDX-License-Identifier: Apache-2.0
#include <qwen35/cache/cache_file.hpp>
#include <qwen35/weights/bind.hpp>
#include <qwen35/weights/bind_vision.hpp>
#include <qwen35/weights/fingerprint.hpp>

#include "small_models.hpp"
#include "text_tensors.hpp"

#include <doctest/doctest.h>

#include <functional>
#include <set>

using namespace qwen35;
using namespace weights_test;

namespace {

// As SmallText in every shape.
struct OneMoreExpert : SmallText {
  static constexpr std::size_t num_experts_per_tok = 3;
};
struct OtherActivation : SmallText {
  static constexpr Activation hidden_act = Activation::gelu;
};
const Bytes config = bytes_of("{}");

template <class Config = SmallText>
std::uint64_t of(const std::vector<TestTensor>& tensors, const TextValues& values = TextValues::from<SmallText>(),
                 const CheckpointOptions& options = {}) {
  const Bytes file = write_safetensors(tensors);
  return fingerprint(
      bind_text<Config>(Checkpoint::from_bytes({{"config.json", config}, {"m.safetensors", file}}, options)), values);
}

// A tensor for each parameter of a tower.
class VisionTensors final : public ParameterReader {
 public:
  std::vector<TestTensor> out;
  void read(const Parameter& parameter, const Matrix&) override { add(parameter); }
  void read(const Parameter& parameter, const float*) override { add(parameter); }
  void read(const ExpertsParameter&, const std::vector<MlpWeights>&) override {}

 private:
  void add(const Parameter& parameter) {
    Extents shape;
    for (std::size_t axis = 0; axis < parameter.shape.rank(); ++axis) {
      shape.push_back(parameter.shape[axis]);
    }
    out.push_back(random_tensor("model.visual." + parameter.name, shape, random_));
  }
  std::mt19937 random_{3};
};

std::vector<TestTensor> vision_tensors() {
  VisionTensors tensors;
  read_vision<SmallVision>(empty_vision_weights<SmallVision>(), tensors);
  return tensors.out;
}

std::uint64_t of_tower(const std::vector<TestTensor>& tensors) {
  const Bytes file = write_safetensors(tensors);
  return fingerprint<SmallVision>(
      bind_vision<SmallVision>(Checkpoint::from_bytes({{"config.json", config}, {"m.safetensors", file}})));
}

// The smallest change that the format of the tensor can hold.
void change(TestTensor& tensor, std::size_t index) {
  visit(dtype_of(tensor.dtype).value(), [value = &tensor.values[index]]<class Stored>(Stored) {
    typename Stored::Block block;
    Stored::encode(value, block);
    std::byte first;
    std::memcpy(&first, &block, 1);  // the lowest bits of a number
    first ^= std::byte{1};
    std::memcpy(&block, &first, 1);
    Stored::decode(block, value);
  });
}

// One value of each tensor in turn: the first, one inside, the last.
void check_each(std::vector<TestTensor> tensors,
                const std::function<std::uint64_t(const std::vector<TestTensor>&)>& of) {
  std::set<std::uint64_t> seen = {of(tensors)};
  std::size_t changes = 0;
  for (TestTensor& tensor : tensors) {
    const TestTensor before = tensor;
    const std::size_t count = tensor.values.size();
    for (const std::size_t index : std::set<std::size_t>{0, count / 2, count - 1}) {
      change(tensor, index);
      CHECK_MESSAGE(seen.insert(of(tensors)).second, tensor.name, "[", index, "]");
      ++changes;
      tensor = before;
    }
  }
  CHECK(changes > 2 * tensors.size());
}

}  // namespace

TEST_CASE("one value of any tensor makes another model") {
  check_each(text_tensors<SmallText>({.root = "model."}), [](const auto& tensors) { return of(tensors); });
  check_each(vision_tensors(), of_tower);
}

TEST_CASE("the same values are the same model, whatever their names in the file; another format is another model") {
  const std::vector<TestTensor> tensors = text_tensors<SmallText>({.root = "model."});
  CHECK(of(tensors) == of(text_tensors<SmallText>({.root = "model.language_model.", .per_expert = true})));
  CHECK(of(tensors) != of(tensors, TextValues::from<SmallText>(), {.dtype = Format::f32}));
  CHECK(of(tensors) != of(text_tensors<SmallText>({.root = "model."}, 2)));
}

TEST_CASE("a cache of one model is refused by another") {
  std::vector<TestTensor> tensors = text_tensors<SmallText>({.root = "model."});
  const std::uint64_t first = of(tensors);
  for (TestTensor& tensor : tensors) {
    if (tensor.name == "model.layers.1.mlp.experts.down_proj") {
      change(tensor, 100);
    }
  }
  const TempFolder folder;
  HybridCache<SmallText> cache;
  const TokenId ids[] = {1, 2, 3};
  cache.begin(1, 3, first);
  cache.sequence(0).commit(3, ids);
  cache.commit(3, ids, nullptr);
  save_cache(cache, folder.file("kept"));
  CHECK_NOTHROW(load_cache<SmallText>(folder.file("kept"), first));
  CHECK(contains(message_of<CacheError>([&] { load_cache<SmallText>(folder.file("kept"), of(tensors)); }),
                 "another model"));
  CHECK(contains(message_of<CacheError>([&] { cache.begin(1, 1, of(tensors)); }), "another model"));
}

TEST_CASE("each value of the config that changes results makes another model") {
  const std::vector<TestTensor> tensors = text_tensors<SmallText>({.root = "model."});
  const TextValues values = TextValues::from<SmallText>();
  std::set<std::uint64_t> seen = {of(tensors, values)};
  const auto other = [&](const char* what, const auto& set) {
    TextValues changed = values;
    set(changed);
    CHECK_MESSAGE(seen.insert(of(tensors, changed)).second, what);
  };
  other("rms_norm_eps", [](TextValues& v) { v.rms_norm_eps = 1e-5; });
  other("max_position_embeddings", [](TextValues& v) { v.max_position_embeddings = 4096; });
  const auto rope = [&](const char* what, const auto& set) {
    other(what, [&](TextValues& v) { set(v.rope_parameters); });
  };
  rope("rope_type", [](RopeParameters& r) { r.rope_type = RopeType::linear; });
  rope("rope_theta", [](RopeParameters& r) { r.rope_theta = 10001.0; });
  rope("partial_rotary_factor", [](RopeParameters& r) { r.partial_rotary_factor = 0.5; });
  rope("mrope_section[0]", [](RopeParameters& r) { r.mrope_section[0] = 1; });
  rope("mrope_section[1]", [](RopeParameters& r) { r.mrope_section[1] = 1; });
  rope("mrope_section[2]", [](RopeParameters& r) { r.mrope_section[2] = 1; });
  rope("factor", [](RopeParameters& r) { r.factor = 2.0; });
  rope("factor 0", [](RopeParameters& r) { r.factor = 0.0; });  // not as an absent one
  rope("original_max_position_embeddings", [](RopeParameters& r) { r.original_max_position_embeddings = 16; });
  rope("attention_factor", [](RopeParameters& r) { r.attention_factor = 2.0; });
  rope("beta_fast", [](RopeParameters& r) { r.beta_fast = 2.0; });
  rope("beta_slow", [](RopeParameters& r) { r.beta_slow = 2.0; });
  rope("mscale", [](RopeParameters& r) { r.mscale = 2.0; });
  rope("mscale_all_dim", [](RopeParameters& r) { r.mscale_all_dim = 2.0; });
  rope("low_freq_factor", [](RopeParameters& r) { r.low_freq_factor = 2.0; });
  rope("high_freq_factor", [](RopeParameters& r) { r.high_freq_factor = 2.0; });
  rope("truncate", [](RopeParameters& r) { r.truncate = false; });
  rope("short_factor", [](RopeParameters& r) { r.short_factor = {2.0}; });
  rope("long_factor", [](RopeParameters& r) { r.long_factor = {2.0}; });
  CHECK_MESSAGE(seen.insert(of<OneMoreExpert>(tensors)).second, "num_experts_per_tok");
  CHECK_MESSAGE(seen.insert(of<OtherActivation>(tensors)).second, "hidden_act");
  // What only generating asks for changes nothing.
  TextValues same = values;
  same.use_cache = !same.use_cache;
  same.eos_token_id = 3;
  CHECK(of(tensors, same) == of(tensors, values));
}

TEST_CASE(
    "of a large matrix a change of one 64th in one run is seen wherever it is; of an expert's, a change of half") {
  constexpr std::size_t rows = 300, cols = 512;  // 300 KiB of bf16
  std::vector<std::uint16_t> values(rows * cols, 0x3f80);
  const auto of_pieces = [&](std::size_t pieces) {
    NamedParameter parameter{"w", {rows, cols}, Format::bf16, {}, nullptr};
    for (std::size_t i = 0; i < pieces; ++i) {
      parameter.pieces.push_back(Matrix(reinterpret_cast<const std::byte*>(values.data()), Format::bf16, rows, cols));
    }
    Fingerprint out;
    out.add(parameter);
    return out.value();
  };
  for (const std::size_t pieces : {1u, 2u}) {
    const std::uint64_t before = of_pieces(pieces);
    const std::size_t run = values.size() / (pieces == 1 ? 64 : 2);
    for (std::size_t first = 0; first + run <= values.size(); first += 1023) {
      std::fill_n(values.begin() + static_cast<std::ptrdiff_t>(first), run, std::uint16_t{0x3f81});
      CHECK_MESSAGE(of_pieces(pieces) != before, pieces, " ", first);
      std::fill_n(values.begin() + static_cast<std::ptrdiff_t>(first), run, std::uint16_t{0x3f80});
    }
  }
}
