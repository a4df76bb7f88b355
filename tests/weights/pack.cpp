// SPDX-License-Identifier: Apache-2.0
// Checkpoints packed in one file: parts, recipes, importance, the file itself, and what is said of files that are
// broken.
#include <qwen35/kernels/kernels.hpp>
#include <qwen35/parallel/parallel_for.hpp>
#include <qwen35/text/tokenizer.hpp>
#include <qwen35/weights/block_fit.hpp>
#include <qwen35/weights/pack.hpp>

#include "gguf_writer.hpp"
#include "packed_seal.hpp"
#include "packed_writer.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <limits>
#include <string>
#include <vector>

using namespace qwen35;
using namespace weights_test;

namespace {

const std::string shapes = QWEN35_SOURCE_DIR "/examples/shapes";
const std::string config_text =
    R"({"model_type":"qwen3_5_moe_text","num_hidden_layers":4,"linear_num_key_heads":2,"linear_num_value_heads":4})";

Bytes read(const std::string& path) {
  const MappedFile file(path);
  return {file.bytes().begin(), file.bytes().end()};
}

std::size_t files_in(const TempFolder& folder) {
  return static_cast<std::size_t>(
      std::distance(std::filesystem::directory_iterator(folder.path()), std::filesystem::directory_iterator()));
}

// --- packed files whose every number can be made wrong ---

std::string sum_of(std::size_t begin, std::size_t bytes) {
  Bytes content;
  for (std::size_t i = begin; i < begin + bytes; ++i) {
    content.push_back(static_cast<std::byte>(i - packed_frame));
  }
  return packed_sum_text(packed_sum(content));
}

std::string file_entry(const std::string& name, std::size_t offset, std::size_t bytes) {
  return concat(R"({"name":")", name, R"(","offset":)", offset, R"(,"bytes":)", bytes, R"(,"sum":")",
                sum_of(offset, bytes), "\"}");
}
std::string tensor_entry(const std::string& name, const std::string& format, const std::string& shape,
                         std::size_t offset, std::size_t bytes) {
  return concat(R"({"name":")", name, R"(","format":")", format, R"(","shape":)", shape, R"(,"offset":)", offset,
                R"(,"bytes":)", bytes, R"(,"sum":")", sum_of(offset, bytes), "\"}");
}
std::string index_of(const std::string& files, const std::string& tensors) {
  return concat(R"({"dialect":"huggingface","recipe":"* copy","files":[)", files, R"(],"tensors":[)", tensors, "]}");
}

const std::string sound_file = file_entry("a.txt", 64, 10);
const std::string sound_tensors =
    tensor_entry("x", "F32", "[2,4]", 128, 32) + "," + tensor_entry("y", "Q8_0", "[1,32]", 192, 34);

std::string message_for(const Bytes& file) {
  return message_of<CheckpointError>([&] { read_packed(file, "m.qwen35"); });
}

std::string replaced(std::string text, std::string_view from, std::string_view to) {
  const std::size_t at = text.find(from);
  REQUIRE(at != std::string::npos);
  return text.replace(at, from.size(), to);
}

// --- checkpoints in memory ---

struct Folder {
  Bytes config = bytes_of(config_text);
  Bytes weights;
  Checkpoint open() const { return Checkpoint::from_bytes({{"config.json", config}, {"m.safetensors", weights}}); }
};

Folder random_folder(const std::string& dtype = "F32") {
  std::mt19937 random(7);
  const std::string layer = "model.layers.0.";
  const TestTensor tensors[] = {random_tensor("model.embed_tokens.weight", {64, 256}, random, dtype),
                                random_tensor(layer + "input_layernorm.weight", {256}, random, dtype),
                                random_tensor(layer + "linear_attn.out_proj.weight", {8, 64}, random, dtype),
                                random_tensor(layer + "linear_attn.in_proj_a.weight", {4, 256}, random, dtype),
                                random_tensor(layer + "linear_attn.conv1d.weight", {8, 1, 4}, random, dtype),
                                random_tensor(layer + "mlp.gate.weight", {2, 256}, random, dtype),
                                random_tensor(layer + "mlp.experts.gate_up_proj", {2, 16, 256}, random, dtype),
                                random_tensor(layer + "mlp.experts.down_proj", {2, 256, 96}, random, dtype),
                                random_tensor("mtp.fc.weight", {4, 512}, random, dtype),
                                random_tensor("lm_head.weight", {64, 256}, random, dtype)};
  return {.weights = write_safetensors(tensors)};
}

std::vector<float> values_of(const TensorInfo& tensor) {
  const Format format = stored_format(tensor.dtype).value();
  const std::size_t cols = tensor.shape.back(), rows = tensor.bytes.size() / row_bytes(format, cols);
  std::vector<float> out(rows * cols);
  for (std::size_t i = 0; i < rows; ++i) {
    kernels::decode_row({format, tensor.bytes.data() + i * row_bytes(format, cols), cols, out.data() + i * cols});
  }
  return out;
}

double weighted_error(const TensorInfo& source, const TensorInfo& packed, const std::vector<float>& weights) {
  const std::vector<float> a = values_of(source), b = values_of(packed);
  double sum = 0.0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    sum += weights[i % weights.size()] * (a[i] - b[i]) * (a[i] - b[i]);
  }
  return sum;
}

GgufParts importance_parts() {
  GgufParts out;
  out.text("general.type", "imatrix");
  return out;
}
void add_importance(GgufParts& parts, const std::string& name, std::size_t cols, const std::vector<float>& sums,
                    const std::vector<float>& counts) {
  const std::size_t matrices = counts.size();
  parts.tensor(TestTensor{name + ".in_sum2", {matrices, cols}, sums});
  parts.tensor(TestTensor{name + ".counts", {matrices, 1}, counts});
}

}  // namespace

TEST_CASE("parts of a model by the names of folders and of GGUF files") {
  using Part = TensorPart;
  const std::pair<const char*, Part> cases[] = {
      {"model.language_model.embed_tokens.weight", Part::embedding},
      {"model.language_model.layers.3.self_attn.q_proj.weight", Part::attention},
      {"model.layers.3.self_attn.q_norm.weight", Part::norms},
      {"layers.0.linear_attn.in_proj_qkv.weight", Part::delta_net},
      {"model.layers.0.linear_attn.A_log", Part::delta_net},
      {"model.layers.0.linear_attn.norm.weight", Part::norms},
      {"model.layers.0.mlp.gate.weight", Part::router},
      {"model.layers.0.mlp.gate_proj.weight", Part::mlp},
      {"model.layers.0.mlp.shared_expert_gate.weight", Part::router},
      {"model.layers.0.mlp.shared_expert.up_proj.weight", Part::shared_expert},
      {"model.layers.0.mlp.experts.gate_up_proj", Part::experts},
      {"model.layers.12.mlp.experts.255.down_proj.weight", Part::experts},
      {"model.layers.0.post_attention_layernorm.weight", Part::norms},
      {"model.language_model.norm.weight", Part::norms},
      {"lm_head.weight", Part::head},
      {"model.visual.blocks.0.attn.qkv.weight", Part::vision},
      {"mtp.layers.0.mlp.experts.0.up_proj.weight", Part::mtp},
      {"model.layers.x.mlp.gate.weight", Part::other},
      {"model.layers.0", Part::other},
      {"something", Part::other},
      {"token_embd.weight", Part::embedding},
      {"blk.3.attn_q.weight", Part::attention},
      {"blk.3.attn_q_norm.weight", Part::norms},
      {"blk.0.attn_norm.weight", Part::norms},
      {"blk.0.attn_qkv.weight", Part::delta_net},
      {"blk.0.attn_gate.weight", Part::delta_net},
      {"blk.0.ssm_a", Part::delta_net},
      {"blk.0.ssm_norm.weight", Part::norms},
      {"blk.0.ffn_gate_inp.weight", Part::router},
      {"blk.0.ffn_gate_inp_shexp.weight", Part::router},
      {"blk.0.ffn_gate_shexp.weight", Part::shared_expert},
      {"blk.0.ffn_gate_exps.weight", Part::experts},
      {"blk.0.ffn_gate.weight", Part::mlp},
      {"blk.4.ffn_gate_exps.weight", Part::mtp},
      {"output_norm.weight", Part::norms},
      {"output.weight", Part::head},
      {"v.blk.0.attn_qkv.weight", Part::vision},
      {"mm.0.weight", Part::vision}};
  for (const auto& [tensor, part] : cases) {
    const std::string name(tensor);
    CAPTURE(name);
    CHECK(qwen35::name(part_of_tensor(name, 4)) == qwen35::name(part));
  }
  CHECK(tensor_part("experts") == Part::experts);
  CHECK_FALSE(tensor_part("expert"));
}

TEST_CASE("a recipe's first rule that is for a tensor counts, and of its formats the first that fits") {
  const PackRecipe recipe = PackRecipe::parse(
      "# remark\n\n *.layers.0.* q8_0 # another\nexperts q4_k\tq4_1 copy\r\nhead f16 q5_0\nnorms q8_0\n*q?proj* q6_k\n",
      "r");
  const std::byte some[1] = {};
  const auto format = [&](const std::string& name, TensorPart part, const Extents& shape,
                          const std::string& dtype = "BF16") {
    return recipe.format_of({name, dtype, shape, some, "f"}, part);
  };
  CHECK(format("model.layers.0.mlp.experts.gate_up_proj", TensorPart::experts, {2, 32}) == Format::q8_0);
  CHECK(format("model.layers.1.x", TensorPart::experts, {2, 256}) == Format::q4_k);
  CHECK(format("model.layers.1.x", TensorPart::experts, {2, 32}) == Format::q4_1);
  CHECK(format("model.layers.1.x", TensorPart::experts, {2, 16}) == std::nullopt);
  CHECK(format("h", TensorPart::head, {2, 256}) == std::nullopt);  // f16 takes no less than bf16
  CHECK(format("h", TensorPart::head, {2, 256}, "F32") == Format::f16);
  CHECK(format("n", TensorPart::norms, {256}) == std::nullopt);  // a vector
  CHECK(format("a.q_proj.b", TensorPart::attention, {4, 256}) == Format::q6_k);
  CHECK(format("a.q_proj.b", TensorPart::attention, {4, 256}, "Q6_K") == std::nullopt);
  CHECK(format("a.q_proj.b", TensorPart::attention, {4, 256}, "Q5_K") == std::nullopt);
  CHECK(format("a.q_proj.b", TensorPart::attention, {4, 256}, "I32") == std::nullopt);
  CHECK(format("a.qproj.b", TensorPart::attention, {4, 256}) == std::nullopt);  // no rule
  CHECK(message_of<InputError>([&] {
          format("q_proj", TensorPart::other, {4, 96});
        }) ==
        "r: line 7: none of its formats has blocks for rows of 96 values, which q_proj has: end the line with another, "
        "or with copy");
  const auto said = [](std::string_view text) { return message_of<InputError>([&] { PackRecipe::parse(text, "r"); }); };
  CHECK(said("") == "");
  CHECK(said("\nexpert q4_k") == "r: line 2: \"expert\" is no part of a model and no pattern");
  CHECK(said("experts") == "r: line 1: expected formats behind \"experts\"");
  CHECK(said("experts Q4_K") == "r: line 1: \"Q4_K\" is no format that this program writes, nor \"copy\"");
  CHECK(said("experts iq2_xxs").find("no format that this program writes") != std::string::npos);
  for (const char* const name : {"copy", "q8", "q4", "q4-mixed"}) {
    CHECK(PackRecipe::named(name).has_value());
  }
  CHECK_FALSE(PackRecipe::named("q3"));
}

TEST_CASE("a pattern that is for nothing is no rule") {
  const std::string_view names[] = {"model.layers.0.mlp.gate.weight", "lm_head.weight"};
  const auto said = [&](const std::string& text) {
    return message_of<InputError>([&] { PackRecipe::parse(text, "r").require_matches(names); });
  };
  CHECK(said("*.layers.0.* q8_0\n*head* q6_k\nvision q8_0\n? copy\n* copy\n") ==
        "r: patterns that no tensor of this checkpoint has the name for:\n  line 4: \"?\"");
  CHECK(said("*.layer.0.* q8_0\n# remark\n*.experts* q4_k\n*gate* copy") ==
        "r: patterns that no tensor of this checkpoint has the name for:\n  line 1: \"*.layer.0.*\"\n  line 3: "
        "\"*.experts*\"");
  for (const char* const name : {"copy", "q8", "q4", "q4-mixed"}) {  // for folders and GGUF files at once
    CHECK(said(PackRecipe::named(name)->text()) == "");
  }
  // Nothing is written.
  const TempFolder out;
  CHECK(message_of<InputError>([&] {
          pack(random_folder().open(), out.file("m.qwen35"), {.recipe = PackRecipe::parse("*expert_s* q4_0", "r")});
        }).starts_with("r: patterns that no tensor"));
  CHECK(files_in(out) == 0);
}

TEST_CASE("values that are no numbers are found wherever they are") {
  CHECK_NOTHROW(verify_values(Checkpoint::open(shapes)));
  const std::string path = QWEN35_TEST_DATA "/gguf/shapes-q8_0.gguf";
  GgufParts parts = GgufParts::of(read_gguf(read(path), path));
  const auto said = [&] {
    const Bytes file = parts.file();
    return message_of<CheckpointError>([&] { verify_values(Checkpoint::from_bytes({{"m.gguf", file}})); });
  };
  CHECK(said() == "");
  // The scale of a block of 34 bytes; 4 blocks are a row of 128 values.
  const auto entry = std::find_if(parts.entries.begin(), parts.entries.end(),
                                  [](const GgufEntryOf& e) { return e.name == "blk.3.attn_q.weight"; });
  REQUIRE(entry != parts.entries.end());
  std::byte* const block = parts.data.data() + entry->offset + 34 * (4 * 17 + 2);
  block[0] = std::byte{0};
  block[1] = std::byte{0x7c};  // infinite
  CHECK(said() == "m.gguf: damaged weights:\n  blk.3.attn_q.weight: row 17 has values that are infinite or no numbers");
}

TEST_CASE("values that are too large for a format are not cut") {
  const TempFolder out;
  const auto said = [&](float largest) {
    TestTensor tensor{"model.layers.0.self_attn.q_proj.weight", {2, 32}, std::vector<float>(64, 1.0f), "F32"};
    tensor.values[40] = largest;
    const Folder source{.weights = write_safetensors(std::vector<TestTensor>{tensor})};
    return message_of<CheckpointError>(
        [&] { pack(source.open(), out.file("m.qwen35"), {.recipe = PackRecipe::parse("* f8_e4m3", "r")}); });
  };
  CHECK(said(-448.0f) == "");
  CHECK(said(449.0f) == "");
  CHECK(contains(said(-500.0f), "row 1 has values that f8_e4m3 cannot hold: only copy keeps them"));
}

TEST_CASE("what is no model is not packed, nor an importance matrix that is for nothing") {
  const TempFolder out;
  const std::string tower = QWEN35_TEST_DATA "/gguf/v01/mmproj-v01.gguf";
  CHECK(message_of<CheckpointError>([&] {
          pack(Checkpoint::open(tower), out.file("m.qwen35"));
        }).starts_with(tower + ": a picture tower alone (mmproj), no model: "));
  GgufParts parts = importance_parts();
  add_importance(parts, "of_another_model", 256, std::vector<float>(256, 1.0f), {1.0f});
  const Importance importance = Importance::read(parts.file(), "i");
  const Folder source = random_folder();
  const auto said = [&](const char* recipe) {
    return message_of<InputError>([&] {
      pack(source.open(), out.file("m.qwen35"), {.recipe = *PackRecipe::named(recipe), .importance = &importance});
    });
  };
  CHECK(said("copy") == "checkpoint: an importance matrix is given, and a recipe that writes no weight anew");
  CHECK(
      said("q4") ==
      "checkpoint: the importance matrix that is given has nothing for a weight that the recipe writes anew: it is of "
      "another model");
  CHECK(files_in(out) == 0);
}

TEST_CASE("a folder that is packed as it is has the same tensors and files") {
  const TempFolder out;
  const std::string path = out.file("shapes.qwen35");
  const Checkpoint folder = Checkpoint::open(shapes);
  const PackReport report = pack(folder, path);
  CHECK(report.all().errors == 0.0);
  CHECK(report.all().bits_per_value() == doctest::Approx(16.0).epsilon(0.01));
  CHECK(report.file_bytes == std::filesystem::file_size(path));
  CHECK(files_in(out) == 1);
  const Bytes bytes = read(path);
  for (const bool mapped : {true, false}) {
    const Checkpoint packed = mapped ? Checkpoint::open(path) : Checkpoint::from_bytes({{"m.qwen35", bytes}});
    CHECK(packed.name() == (mapped ? path : "m.qwen35"));
    const LoadReport loading = packed.loading();
    CHECK(loading.mapped_bytes + loading.read_bytes == (mapped ? bytes.size() : 0));
    CHECK(loading.mapped_bytes == 0);
    CHECK(packed.folder().empty());
    CHECK_FALSE(packed.is_gguf());
    CHECK(packed.config() == folder.config());
    CHECK(packed.generation_config() == folder.generation_config());
    REQUIRE(packed.tensors().size() == folder.tensors().size());
    const auto* const begin = packed.packed()->files[0].bytes.data() - packed_frame;
    for (const TensorInfo& tensor : folder.tensors()) {
      const TensorInfo* const other = packed.find(tensor.name);
      REQUIRE(other != nullptr);
      CHECK(other->dtype == tensor.dtype);
      CHECK(other->shape == tensor.shape);
      CHECK(std::equal(tensor.bytes.begin(), tensor.bytes.end(), other->bytes.begin(), other->bytes.end()));
      CHECK(static_cast<std::size_t>(other->bytes.data() - begin) % packed_alignment(tensor.bytes.size()) == 0);
    }
    for (const char* const name : {"config.json", "tokenizer.json", "tokenizer_config.json", "preprocessor_config.json",
                                   "video_preprocessor_config.json", "generation_config.json"}) {
      CHECK(packed.text(name) == folder.text(name));
    }
    verify_packed(*packed.packed());
  }
  CHECK(packed_alignment(100) == 64);
  CHECK(packed_alignment(std::size_t{1} << 20) == 4096);
  CHECK(packed_alignment(std::size_t{1} << 30) == std::size_t{2} << 20);
  const std::string text = "There is a red circle.";
  CHECK(Tokenizer::from_pretrained(path).encode(text) == Tokenizer::from_pretrained(shapes).encode(text));
  CHECK(Tokenizer::from_file(path).encode(text) == Tokenizer::from_pretrained(shapes).encode(text));
  // A packed file can be packed again, in the place of itself too.
  pack(Checkpoint::open(path), path);
  CHECK(read(path) == bytes);
}

TEST_CASE("a GGUF file that is packed keeps its dialect, and what is made of its metadata") {
  const TempFolder out;
  const std::string path = out.file("m.qwen35"), source = QWEN35_TEST_DATA "/gguf/shapes-q8_0.gguf";
  const Checkpoint gguf = Checkpoint::open(source);
  pack(gguf, path);
  const Checkpoint packed = Checkpoint::open(path);
  CHECK(packed.is_gguf());
  CHECK(packed.tensors().size() == gguf.tensors().size());
  CHECK(packed.text("config.json") == gguf.text("config.json"));
  CHECK(packed.text("tokenizer.json") == gguf.text("tokenizer.json"));
  CHECK(packed.find("blk.0.ffn_up_exps.weight")->dtype == "Q8_0");
  CHECK(packed.find("blk.0.ffn_up_exps.weight")->shape == gguf.find("blk.0.ffn_up_exps.weight")->shape);
  // What has fewer bits than the recipe asks for stays.
  CHECK(pack(gguf, path, {.recipe = *PackRecipe::named("q8")}).all().errors == 0.0);
}

TEST_CASE("weights of every type of GGUF are packed in fewer bits by their values") {
  constexpr std::size_t rows = 6, cols = 256;
  const TempFolder out;
  const std::string path = out.file("m.qwen35");
  const Bytes source = read(QWEN35_TEST_DATA "/gguf/c02.gguf");
  GgufParts parts = GgufParts::of(read_gguf(source, "c02.gguf"));
  std::mt19937 random(1);
  std::vector<Format> formats;
  for (const GgufTensorType& type : gguf_tensor_types) {
    const std::optional<Format> format = gguf_format(type.name);
    if (!format || !has_blocks(*format)) {
      continue;
    }
    const std::size_t block = format_info(*format).block_bytes, values = format_info(*format).block_values;
    Bytes bytes;
    while (bytes.size() < rows * row_bytes(*format, cols)) {  // blocks of random bytes whose values are of usual sizes
      std::byte one[256];
      float decoded[256];
      for (std::size_t i = 0; i < block; ++i) {
        one[i] = static_cast<std::byte>(random() >> 24);
      }
      kernels::decode_row({*format, one, values, decoded});
      if (std::all_of(decoded, decoded + values, [](float value) { return std::abs(value) < 100.0f; })) {
        bytes.insert(bytes.end(), one, one + block);
      }
    }
    parts.tensor("blk.0." + std::string(type.name), {cols, rows}, type.number, bytes);
    formats.push_back(*format);
  }
  CHECK(formats.size() >= 20);
  const Bytes file = parts.file();
  const Checkpoint gguf = Checkpoint::from_bytes({{"m.gguf", file}});
  for (const Format to : {Format::q8_0, Format::q4_0}) {
    pack(gguf, path, {.recipe = PackRecipe::parse("blk.0.* " + std::string(name(to)) + " copy", "r")});
    const Checkpoint packed = Checkpoint::open(path);
    for (const Format from : formats) {
      const std::string tensor = "blk.0." + dtype_name(from);
      CAPTURE(tensor);
      const TensorInfo &stored = *gguf.find(tensor), &found = *packed.find(tensor);
      Bytes expected(stored.bytes.begin(), stored.bytes.end());
      if (row_bytes(to, cols) < row_bytes(from, cols)) {
        const std::vector<float> values = values_of(stored);
        expected.resize(rows * row_bytes(to, cols));
        for (std::size_t i = 0; i < rows; ++i) {
          fit_row(to, &values[i * cols], nullptr, cols, &expected[i * row_bytes(to, cols)]);
        }
        CHECK(found.dtype == dtype_name(to));
      } else {
        CHECK(found.dtype == stored.dtype);
      }
      CHECK(std::equal(found.bytes.begin(), found.bytes.end(), expected.begin(), expected.end()));
    }
  }
}

TEST_CASE("recipes write the formats that they say, and the report says what became of the values") {
  const TempFolder out;
  const std::string path = out.file("m.qwen35");
  const Folder source = random_folder();
  const Checkpoint folder = source.open();
  const auto formats = [&](const char* recipe) {
    pack(folder, path, {.recipe = *PackRecipe::named(recipe)});
    std::string found;
    const Checkpoint packed = Checkpoint::open(path);
    for (const TensorInfo& tensor : packed.tensors()) {
      found += tensor.dtype + " ";
    }
    return found;
  };
  CHECK(formats("copy") == "F32 F32 F32 F32 F32 F32 F32 F32 F32 F32 ");
  CHECK(formats("q8") == "Q8_0 F32 Q8_0 F32 F32 F32 Q8_0 Q8_0 Q8_0 Q8_0 ");
  CHECK(formats("q4") == "Q4_K F32 Q4_1 F32 F32 F32 Q4_K Q4_1 Q4_K Q4_K ");
  CHECK(formats("q4-mixed") == "Q8_0 F32 Q8_0 F32 F32 F32 Q4_K Q4_1 Q8_0 Q6_K ");

  std::size_t told = 0;
  const auto progress = [&](std::size_t done, std::size_t total) {
    CHECK(done >= told);
    CHECK(done <= total);
    told = done;
  };
  const PackReport report = pack(folder, path, {.recipe = *PackRecipe::named("q8"), .progress = progress});
  const Checkpoint packed = Checkpoint::open(path);
  const PackSum& experts = report.parts[static_cast<std::size_t>(TensorPart::experts)];
  CHECK(experts.tensors == 2);
  CHECK(experts.values == 2 * 16 * 256 + 2 * 256 * 96);
  CHECK(experts.bits_per_value() == 8.5);
  CHECK(told == report.all().source_bytes);
  double errors = 0.0;
  for (const char* const name : {"model.layers.0.mlp.experts.gate_up_proj", "model.layers.0.mlp.experts.down_proj"}) {
    errors += weighted_error(*folder.find(name), *packed.find(name), {1.0f});
  }
  CHECK(experts.errors == doctest::Approx(errors));
  CHECK(experts.relative_error() > 0.001);
  CHECK(experts.relative_error() < 0.006);
  CHECK(report.parts[static_cast<std::size_t>(TensorPart::router)].relative_error() == 0.0);
  // The same bytes from any number of threads.
  const Bytes written = read(path);
  for (const int threads : {1, 3}) {
    const ThreadCount count(threads);
    pack(folder, path, {.recipe = *PackRecipe::named("q8")});
    CHECK(read(path) == written);
  }
}

TEST_CASE("weights of quantised folders are packed as their values are") {
  using Zeros = QuantisedLayer::Zeros;
  std::mt19937 random(11);
  std::vector<RawTensor> stored;
  std::vector<RawTensor> values;  // the same in f32
  std::size_t parts = 0;
  const auto layer_of = [&](const std::string& module, std::size_t bits, std::size_t group, const char* dtype) {
    const std::string name = "model.layers.0." + module;
    return quantise(name, 16, 256, random_tensor(name, {16, 256}, random, "F32").values, bits, group, false, dtype);
  };
  const auto add = [&](const QuantisedLayer& layer, const std::vector<RawTensor>& tensors) {
    parts += tensors.size();
    stored.insert(stored.end(), tensors.begin(), tensors.end());
    values.push_back(TestTensor{layer.module + ".weight", {layer.rows, layer.cols}, layer.values()});
  };
  const QuantisedLayer gptq = layer_of("mlp.experts.0.up_proj", 8, 128, "F16");
  add(gptq, gptq.gptq(true, true));
  QuantisedLayer by_activations = layer_of("mlp.experts.0.down_proj", 8, 32, "BF16");
  std::shuffle(by_activations.group_of_column.begin(), by_activations.group_of_column.end(), random);
  add(by_activations, by_activations.gptq(true, true));
  const QuantisedLayer awq = layer_of("self_attn.q_proj", 4, 32, "F16");
  add(awq, awq.awq());
  const QuantisedLayer packed8 = layer_of("self_attn.k_proj", 8, 128, "BF16");
  add(packed8, packed8.compressed(Zeros::packed, false));
  const QuantisedLayer bytes8 = layer_of("self_attn.v_proj", 8, 256, "BF16");
  add(bytes8, bytes8.compressed_bytes(true));
  // FP8: a matrix in blocks, and experts in one tensor.
  for (const bool experts : {false, true}) {
    const std::string name =
        experts ? "model.layers.0.mlp.shared.gate_up_proj" : "model.layers.0.self_attn.o_proj.weight";
    const Extents shape = experts ? Extents{2, 160, 256} : Extents{160, 256};
    const std::size_t count = experts ? 2 : 1;
    TestTensor factors = random_tensor(name + "_scale_inv", experts ? Extents{2, 2, 2} : Extents{2, 2}, random, "BF16");
    for (float& factor : factors.values) {
      factor = bf16_to_f32(f32_to_bf16(factor));
    }
    Bytes codes(count * 160 * 256);
    std::vector<float> decoded(codes.size());
    for (std::size_t i = 0; i < codes.size(); ++i) {
      const auto code = static_cast<std::uint8_t>((i * 7 + i / 251) % 127 + (i % 2) * 128);
      codes[i] = static_cast<std::byte>(code);
      decoded[i] = f8_e4m3_to_f32(code) * factors.values[i / (160 * 256) * 4 + i / 256 % 160 / 128 * 2 + i % 256 / 128];
    }
    stored.push_back({name, shape, "F8_E4M3", codes});
    stored.push_back(factors);
    values.push_back(TestTensor{name, shape, decoded});
    parts += 2;
  }
  const TestTensor head = random_tensor("lm_head.weight", {8, 256}, random, "BF16");
  stored.push_back(head);
  values.push_back(head);
  stored.push_back(TestTensor{"model.layers.0.self_attn.q_proj.bias", {16}, std::vector<float>(16, 1.0f)});
  values.push_back(stored.back());

  const TempFolder out;
  const std::string path = out.file("m.qwen35"), twin_path = out.file("twin.qwen35");
  const Folder folder{.weights = write_safetensors(stored)}, twin{.weights = write_safetensors(values)};
  const Checkpoint source = folder.open(), decoded = twin.open();
  for (const char* const recipe : {"* q4_k", "experts q4_1\n*.o_proj.* q5_0\n* q4_0\n"}) {
    const PackOptions options{.recipe = PackRecipe::parse(recipe, "r")};
    std::size_t told = 0;
    PackOptions with_progress = options;
    with_progress.progress = [&](std::size_t done, std::size_t total) {
      CHECK(done >= told);
      CHECK(done <= total);
      told = done;
    };
    const PackReport report = pack(source, path, with_progress);
    pack(decoded, twin_path, options);
    CHECK(told == report.all().source_bytes);
    CHECK(report.all().tensors == values.size());
    const Checkpoint packed = Checkpoint::open(path), expected = Checkpoint::open(twin_path);
    REQUIRE(packed.tensors().size() == values.size());
    for (const TensorInfo& tensor : expected.tensors()) {
      CAPTURE(tensor.name);
      const TensorInfo* const found = packed.find(tensor.name);
      REQUIRE(found != nullptr);
      CHECK(found->dtype == tensor.dtype);
      CHECK(found->shape == tensor.shape);
      CHECK(std::equal(found->bytes.begin(), found->bytes.end(), tensor.bytes.begin(), tensor.bytes.end()));
    }
  }
  // What has fewer bits already stays, all its tensors; so does everything with the recipe copy.
  pack(source, path, {.recipe = *PackRecipe::named("q8")});
  CHECK(Checkpoint::open(path).find("model.layers.0.self_attn.o_proj.weight_scale_inv") != nullptr);
  CHECK(Checkpoint::open(path).find("lm_head.weight")->dtype == "Q8_0");
  const PackSum copied = pack(source, path).all();
  std::size_t weights = 0;  // not the words that they are packed in, nor their factors
  for (const RawTensor& tensor : values) {
    weights += tensor.bytes.size() / (tensor.dtype == "BF16" ? 2 : 4);
  }
  CHECK(copied.values == weights);
  CHECK(copied.bytes == copied.source_bytes);
  const Checkpoint copy = Checkpoint::open(path);
  CHECK(copy.tensors().size() == parts + 2);
  for (const TensorInfo& tensor : source.tensors()) {
    const TensorInfo* const found = copy.find(tensor.name);
    REQUIRE(found != nullptr);
    CHECK(found->dtype == tensor.dtype);
    CHECK(std::equal(found->bytes.begin(), found->bytes.end(), tensor.bytes.begin(), tensor.bytes.end()));
  }
}

TEST_CASE("a packing that fails leaves what was there, and nothing else") {
  const TempFolder out;
  const std::string path = out.file("m.qwen35");
  out.write("m.qwen35", "old");
  const Folder source = random_folder();
  CHECK(message_of<InputError>([&] {
          pack(source.open(), path, {.progress = [](std::size_t, std::size_t) { raise<InputError>("interrupted"); }});
        }) == "interrupted");
  CHECK(message_of<InputError>([&] { pack(source.open(), out.file("m.bin")); }) ==
        out.file("m.bin") + ": expected a name that ends in \".qwen35\"");
  CHECK(message_of<CheckpointError>([&] {
          pack(source.open(), out.file("none/m.qwen35"));
        }).starts_with(out.file("none/m.qwen35") + ": cannot be written"));
  std::vector<float> values(2 * 256, 1.0f);
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(), 1e30f}) {
    values[300] = bad;
    const TestTensor tensor{"lm_head.weight", {2, 256}, values};
    const Folder folder{.weights = write_safetensors(std::span(&tensor, 1))};
    for (const char* const recipe : {"q8", "q4", "q4-mixed"}) {
      CHECK(message_of<CheckpointError>([&] {
              pack(folder.open(), path, {.recipe = *PackRecipe::named(recipe)});
            }).starts_with("m.safetensors: lm_head.weight: row 1 has values that q"));
    }
  }
  // A module of which a tensor is missing can be copied alone.
  std::mt19937 random(5);
  const TestTensor head = random_tensor("lm_head.weight", {8, 256}, random, "F32");
  std::vector<RawTensor> module = quantise("model.layers.0.self_attn.q_proj", 8, 256,
                                           random_tensor("", {8, 256}, random, "F32").values, 8, 128, false, "F16")
                                      .gptq(true, true);
  module.erase(module.begin() + 1);
  module.push_back(head);
  const Folder quantised{.weights = write_safetensors(module)};
  CHECK(
      message_of<CheckpointError>([&] { pack(quantised.open(), path, {.recipe = *PackRecipe::named("q8")}); })
          .ends_with(": model.layers.0.self_attn.q_proj.weight: the tensors of this module do not say its sizes, only "
                     "the recipe copy keeps them"));
  const RawTensor without_factors[] = {{"lm_head.weight", {2, 256}, "F8_E4M3", Bytes(512)}};
  Folder unscaled{.weights = write_safetensors(without_factors)};
  unscaled.config = bytes_of(R"({"num_hidden_layers":4,"quantization_config":{"quant_method":"fp8"}})");
  CHECK(message_of<CheckpointError>([&] {
          pack(unscaled.open(), path, {.recipe = *PackRecipe::named("q4")});
        }).find("lm_head.weight_scale_inv: missing") != std::string::npos);
  Folder foreign = random_folder();
  foreign.config = bytes_of(R"({"num_hidden_layers":4,"quantization_config":{"quant_method":"bitsandbytes"}})");
  CHECK(message_of<ConfigError>([&] { pack(foreign.open(), path); }).find("by bitsandbytes are not read") !=
        std::string::npos);
  CHECK(read(path) == bytes_of("old"));
  CHECK(files_in(out) == 1);
  pack(quantised.open(), path);
  CHECK(read(path) != bytes_of("old"));
}

TEST_CASE("a packing tells of its steps, and is cancelled at each: what was there stays, and nothing else") {
  const TempFolder out;
  const std::string path = out.file("m.qwen35");
  out.write("m.qwen35", "old");
  const Folder source = random_folder();
  std::size_t steps = 0, told = 0;
  {
    const CallScope watched([&](std::string_view what, std::size_t done, std::size_t total) {
      steps += what == "pack" ? 1u : 0u;
      told = what == "pack" && done == total ? done : told;
    });
    pack(source.open(), out.file("whole.qwen35"), {.recipe = *PackRecipe::named("q8")});
  }
  CHECK(steps > 5);
  CHECK(told > 0);
  for (std::size_t stop = 0; stop < steps; ++stop) {
    std::size_t step = 0;
    Cancellation cancellation;
    const CallScope scope(cancellation, [&](std::string_view what, std::size_t, std::size_t) {
      if (what == "pack" && step++ == stop) {
        cancellation.cancel();
      }
    });
    CHECK_THROWS_AS(pack(source.open(), path, {.recipe = *PackRecipe::named("q8")}), CancelledError);
    CHECK(step == stop + 1);
    CHECK(read(path) == bytes_of("old"));
  }
  {
    Cancellation cancellation;
    cancellation.cancel();
    const Checkpoint whole = Checkpoint::open(out.file("whole.qwen35"));
    const CallScope scope(cancellation);
    CHECK_THROWS_AS(verify_packed(*whole.packed()), CancelledError);
    CHECK_THROWS_AS(verify_values(whole), CancelledError);
  }
  CHECK(files_in(out) == 2);
}

TEST_CASE("the inputs that an importance matrix calls important have the smaller errors") {
  const TempFolder out;
  const std::string path = out.file("m.qwen35");
  const Folder source = random_folder();
  const Checkpoint folder = source.open();
  std::mt19937 random(3);
  std::vector<float> sums(2 * 256);
  for (float& value : sums) {
    value = std::exp(static_cast<float>(random() % 1000) / 250.0f);
  }
  GgufParts parts = importance_parts();
  add_importance(parts, "blk.0.ffn_gate_exps.weight", 256, sums, {2.0f, 4.0f});
  add_importance(parts, "output.weight", 256, {sums.begin(), sums.begin() + 256}, {1.0f});
  std::vector<float> columns(64);
  for (std::size_t i = 0; i < 64; ++i) {
    columns[i] = static_cast<float>(i);
  }
  add_importance(parts, "blk.0.ssm_out.weight", 64, columns, {1.0f});
  const Importance importance = Importance::read(parts.file(), "i");
  CHECK(importance.size() == 3);

  const auto of = [&](const std::string& name) { return importance.of(folder, *folder.find(name)); };
  const std::vector<float> experts = of("model.layers.0.mlp.experts.gate_up_proj").value();
  CHECK(experts[255] == sums[255] / 2.0f);
  CHECK(experts[256] == sums[256] / 4.0f);
  CHECK_FALSE(of("model.layers.0.mlp.experts.down_proj"));
  CHECK_FALSE(of("mtp.fc.weight"));
  // Two key heads, four value heads of 16: the tiles of the file are heads 0, 2, 1, 3 of the folder.
  const std::vector<float> heads = of("model.layers.0.linear_attn.out_proj.weight").value();
  CHECK(heads[0] == 0.0f);
  CHECK(heads[16] == 32.0f);
  CHECK(heads[32] == 16.0f);
  CHECK(heads[48] == 48.0f);
  // A single expert of a folder that has them one by one.
  const std::byte some[1] = {};
  CHECK(importance.of(folder, {"model.layers.0.mlp.experts.1.up_proj.weight", "F32", {8, 256}, some, "f"}).value()[0] ==
        sums[256] / 4.0f);

  const PackReport plain = pack(folder, path, {.recipe = *PackRecipe::named("q4")});
  const Bytes without = read(path);
  const PackReport report = pack(folder, path, {.recipe = *PackRecipe::named("q4"), .importance = &importance});
  CHECK(plain.with_importance == 0);
  CHECK(report.with_importance == 3);
  const Bytes with = read(path);
  const Checkpoint a = Checkpoint::from_bytes({{"a.qwen35", without}}),
                   b = Checkpoint::from_bytes({{"b.qwen35", with}});
  const std::vector<float> weights(sums.begin(), sums.begin() + 256);
  const TensorInfo& head = *folder.find("lm_head.weight");
  CHECK(weighted_error(head, *b.find("lm_head.weight"), weights) <
        0.95 * weighted_error(head, *a.find("lm_head.weight"), weights));
  CHECK(weighted_error(head, *a.find("lm_head.weight"), {1.0f}) <
        weighted_error(head, *b.find("lm_head.weight"), {1.0f}));

  const auto said = [](const GgufParts& file) {
    return message_of<CheckpointError>([&] { Importance::read(file.file(), "i"); });
  };
  CHECK(said(GgufParts().text("general.type", "model")) ==
        "i: not an importance matrix: general.type is \"model\", expected \"imatrix\"");
  CHECK(said(importance_parts()) == "i: an importance matrix without any matrix in it");
  GgufParts wrong = importance_parts();
  wrong.tensor(TestTensor{"a.in_sum2", {1, 4}, {1, 2, 3, 4}});
  CHECK(said(wrong) == "i: a.in_sum2: no a.counts beside it");
  wrong.tensor(TestTensor{"a.counts", {2, 1}, {1, 1}});
  CHECK(said(wrong) == "i: a: 2 counts for 1 matrices");
  GgufParts negative = importance_parts();
  add_importance(negative, "a", 2, {1.0f, -1.0f}, {1.0f});
  CHECK(said(negative) == "i: a.in_sum2: a value that is no sum of squares and no count");
  GgufParts half = importance_parts();
  half.tensor(TestTensor{"a.in_sum2", {1, 2}, {1, 2}, "F16"});
  half.tensor(TestTensor{"a.counts", {1, 1}, {1}});
  CHECK(said(half) == "i: a.in_sum2: F16, expected F32");
  GgufParts other = importance_parts();
  add_importance(other, "output.weight", 128, std::vector<float>(128, 1.0f), {1.0f});
  const Importance narrow = Importance::read(other.file(), "i");
  CHECK(message_of<CheckpointError>([&] { narrow.of(folder, head); }) ==
        "i: output.weight: 1 matrices of 128 columns do not belong to lm_head.weight of shape [64, 256]");
  // Inputs that were never seen count alike.
  GgufParts never = importance_parts();
  add_importance(never, "output.weight", 256, std::vector<float>(256, 0.0f), {0.0f});
  CHECK(Importance::read(never.file(), "i").of(folder, head).value()[7] == 1.0f);
}

TEST_CASE("a packed file that is sound") {
  const Bytes file = sealed(index_of(sound_file, sound_tensors));
  const PackedFile packed = read_packed(file, "m.qwen35");
  CHECK(packed.recipe == "* copy");
  REQUIRE(packed.files.size() == 1);
  CHECK(packed.files[0].bytes.size() == 10);
  REQUIRE(packed.tensors.size() == 2);
  CHECK(packed.tensors[0].shape == Extents{2, 4});
  CHECK(packed.tensors[1].bytes.data() == file.data() + 192);
  verify_packed(packed);
  CHECK(message_for(sealed(index_of("", ""))) == "");
  CHECK(message_for(sealed(index_of("", tensor_entry("none", "F32", "[0,4]", 128, 0)))) == "");
  CHECK(is_packed_name("a.qwen35"));
  CHECK_FALSE(is_packed_name("a.gguf"));
}

TEST_CASE("the sum of a large tensor is told, and can be cancelled, every 64 MiB") {
  constexpr std::size_t step = std::size_t{64} << 20;
  const Bytes bytes(2 * step + 7, std::byte{3});
  PackedFile file;
  file.tensors.push_back({"large", "U8", {bytes.size()}, bytes, {}});
  file.sums.push_back(packed_sum(bytes));
  std::vector<std::size_t> told;
  verify_packed(file, [&](std::size_t done, std::size_t total) {
    CHECK(total == bytes.size());
    told.push_back(done);
  });
  CHECK(told == std::vector<std::size_t>{step, 2 * step, bytes.size()});
  Cancellation cancellation;
  std::size_t steps = 0;
  const CallScope scope(cancellation, [&](std::string_view, std::size_t, std::size_t) {
    ++steps;
    cancellation.cancel();
  });
  CHECK_THROWS_AS(verify_packed(file), CancelledError);
  CHECK(steps == 1);
}

TEST_CASE("contents that were damaged are found by their sums") {
  Bytes file = sealed(index_of(sound_file, sound_tensors));
  file[70] ^= std::byte{1};
  file[200] ^= std::byte{128};
  const auto packed = std::make_shared<const PackedFile>(read_packed(file, "m.qwen35"));
  CHECK(message_of<CheckpointError>([&] { verify_packed(*packed); }) ==
        "m.qwen35: is not as it was written:\n  file a.txt: damaged, its sum is another\n  tensor y: damaged, its sum "
        "is another");
  CHECK(message_of<CheckpointError>([&] { packed_model_folder(packed, nullptr).text("a.txt"); }) ==
        "m.qwen35: a.txt: damaged, its sum is another");
  // A long content is summed in pieces, of which each counts in its place.
  Bytes large(3 * PackedSum::piece + 5);
  const std::uint64_t sum = packed_sum(large);
  large[PackedSum::piece] = std::byte{1};
  const std::uint64_t second = packed_sum(large);
  large[PackedSum::piece] = std::byte{0};
  large[2 * PackedSum::piece] = std::byte{1};
  CHECK(packed_sum(large) != second);
  CHECK(second != sum);
  large.pop_back();
  large[2 * PackedSum::piece] = std::byte{0};
  CHECK(packed_sum(large) != sum);
}

TEST_CASE("a packed file that was cut is an error at each length, and so is each damaged byte outside the contents") {
  const Bytes file = sealed(index_of(sound_file, sound_tensors));
  for (std::size_t size = 0; size < file.size(); ++size) {
    CAPTURE(size);
    const Bytes cut(file.begin(), file.begin() + static_cast<std::ptrdiff_t>(size));
    CHECK(message_for(cut).starts_with("m.qwen35: "));
  }
  for (std::size_t at = 0; at < file.size(); at = at == packed_frame - 1 ? packed_frame + 256 : at + 1) {
    CAPTURE(at);
    Bytes damaged = file;
    damaged[at] ^= std::byte{4};
    CHECK(message_for(damaged).starts_with("m.qwen35: "));
  }
  Bytes longer = file;
  longer.resize(file.size() + 64);
  CHECK(message_for(longer) ==
        "m.qwen35: the packed file is cut or damaged: its last 64 bytes do not say where its index is");
}

TEST_CASE("frames that are wrong") {
  CHECK(message_for({}) == "m.qwen35: not a packed file: it does not begin with \"QWEN35PK\"");
  CHECK(message_for(bytes_of("GGUF and more")) == "m.qwen35: not a packed file: it does not begin with \"QWEN35PK\"");
  CHECK(message_for(bytes_of("QWEN35PK")) == "m.qwen35: 8 bytes, too short for a packed file: it is cut");
  CHECK(message_for(sealed(index_of("", ""), 2)) ==
        "m.qwen35: a packed file of version 2, newer than this program, which knows 1");
  CHECK(message_for(sealed(index_of("", ""), 0)) ==
        "m.qwen35: damaged packed file: its first 64 bytes are not those of version 1");
  Bytes moved = sealed(index_of("", ""));
  const std::size_t foot = moved.size() - packed_frame;
  for (const std::size_t at : {foot + 8, foot + 12, foot + 15, foot + 16, foot + 23}) {
    Bytes wrong = moved;
    wrong[at] ^= std::byte{64};
    CHECK(message_for(wrong).starts_with("m.qwen35: the packed file is cut or damaged: an index of "));
  }
  moved[foot + 24] ^= std::byte{1};
  CHECK(message_for(moved) == "m.qwen35: the index of the packed file is damaged: its sum is another");
  const TempFolder folder;
  CHECK(message_of<CheckpointError>([&] {
          Checkpoint::open(folder.file("none.qwen35"));
        }).starts_with(folder.file("none.qwen35")));
  folder.write("empty.qwen35", "");
  CHECK(message_of<CheckpointError>([&] { Checkpoint::open(folder.file("empty.qwen35")); }) ==
        folder.file("empty.qwen35") + ": not a packed file: it does not begin with \"QWEN35PK\"");
  // Sound, but no model.
  folder.write("a.qwen35", sealed(index_of(sound_file, sound_tensors)));
  CHECK(message_of<CheckpointError>([&] { Checkpoint::open(folder.file("a.qwen35")); }) ==
        folder.file("a.qwen35") + ": no file config.json");
}

TEST_CASE("indexes that are wrong") {
  const std::string sound = index_of(sound_file, sound_tensors);
  REQUIRE(message_for(sealed(sound)) == "");
  struct Case {
    std::string from, to, message;
  };
  const std::string too_large = "18446744073709551616";
  const Case cases[] = {
      {R"({"dialect":"huggingface",)", "{", "the index: expected \"dialect\", a string"},
      {R"("huggingface")", "1", "the index: expected \"dialect\", a string"},
      {R"("huggingface")", R"("onnx")", "the dialect \"onnx\", expected \"huggingface\" or \"gguf\""},
      {R"("recipe":"* copy",)", "", "the index: expected \"recipe\", a string"},
      {R"("files":)", R"("file":)", "the index: expected \"files\", an array"},
      {R"("tensors":)", R"("tensor":)", "the index: expected \"tensors\", an array"},
      {R"({"name":"a.txt")", R"({"nam":"a.txt")", "file: expected \"name\", a string"},
      {R"("a.txt")", R"("")", "file without a name"},
      {R"("a.txt")", "null", "file: expected \"name\", a string"},
      {R"("offset":64)", R"("offset":-64)", "file \"a.txt\": expected a whole number not below 0"},
      {R"("offset":64)", R"("offset":64.0)", "file \"a.txt\": expected \"offset\", an integer"},
      {R"("offset":64)", R"("offset":)" + too_large, "file \"a.txt\": expected a whole number not below 0"},
      {R"("offset":64)", R"("offset":72)", "file \"a.txt\": begins at byte 72, no multiple of 64"},
      {R"("offset":64)", R"("offset":0)",
       "file \"a.txt\": begins at byte 0, in what stands before it, which ends at 64"},
      {R"("offset":64)", R"("offset":448)", "file \"a.txt\": takes bytes 448 to 448 + 10, the contents end at 320"},
      {R"("offset":64,)", "", "file \"a.txt\": expected \"offset\", an integer"},
      {R"("bytes":10)", R"("bytes":-1)", "file \"a.txt\": expected a whole number not below 0"},
      {R"("bytes":10)", R"("bytes":"10")", "file \"a.txt\": expected \"bytes\", an integer"},
      {R"("bytes":10)", R"("bytes":9223372036854775807)",
       "file \"a.txt\": takes bytes 64 to 64 + 9223372036854775807, the contents end at 320"},
      {R"("bytes":10)", R"("bytes":65)",
       "tensor \"x\": begins at byte 128, in what stands before it, which ends at 129"},
      {R"("bytes":10,)", "", "file \"a.txt\": expected \"bytes\", an integer"},
      {sum_of(64, 10), "0", "file \"a.txt\": the sum \"0\", expected 16 hexadecimal digits"},
      {sum_of(64, 10), "0x12345678901234",
       "file \"a.txt\": the sum \"0x12345678901234\", expected 16 hexadecimal digits"},
      {sum_of(64, 10), "000000000000000G",
       "file \"a.txt\": the sum \"000000000000000G\", expected 16 hexadecimal digits"},
      {sum_of(64, 10), "00000000000000001",
       "file \"a.txt\": the sum \"00000000000000001\", expected 16 hexadecimal digits"},
      {concat("\"sum\":\"", sum_of(64, 10), "\""), "\"sum\":7", "file \"a.txt\": expected \"sum\", a string"},
      {R"("name":"y")", R"("name":"x")", "tensor \"x\" stands twice"},
      {R"("format":"F32")", R"("format":"F33")", "tensor \"x\": unknown format \"F33\""},
      {R"("format":"F32")", R"("format":"")", "tensor \"x\": unknown format \"\""},
      {R"("format":"F32")", R"("format":32)", "tensor \"x\": expected \"format\", a string"},
      {R"("format":"F32")", R"("format":"F16")", "tensor \"x\": 32 bytes are not those of shape [2, 4] of F16"},
      {R"("format":"F32")", R"("format":"Q8_0")",
       "tensor \"x\": rows of 4 values are no whole blocks of Q8_0, which has 32"},
      {R"("shape":[2,4])", R"("shape":[2,5])", "tensor \"x\": 32 bytes are not those of shape [2, 5] of F32"},
      {R"("shape":[2,4])", R"("shape":[])", "tensor \"x\": 32 bytes are not those of shape [] of F32"},
      {R"("shape":[2,4])", R"("shape":[2,-4])", "tensor \"x\": expected a whole number not below 0"},
      {R"("shape":[2,4])", R"("shape":[2,"4"])", "tensor \"x\": expected a whole number not below 0"},
      {R"("shape":[2,4])", R"("shape":[2,[4]])", "tensor \"x\": expected a whole number not below 0"},
      {R"("shape":[2,4])", R"("shape":8)", "tensor \"x\": expected \"shape\", an array"},
      {R"("shape":[2,4])", R"("shape":[1,1,1,1,1,1,1,2,4])", "tensor \"x\": more than 8 axes"},
      {R"("shape":[2,4])", R"("shape":[4294967296,4294967296,4294967296])",
       "tensor \"x\": 32 bytes are not those of shape [4294967296, 4294967296, 4294967296] of F32"},
      {R"("shape":[1,32])", R"("shape":[])",
       "tensor \"y\": rows of 0 values are no whole blocks of Q8_0, which has 32"},
      {R"("shape":[1,32])", R"("shape":[2,32])", "tensor \"y\": 34 bytes are not those of shape [2, 32] of Q8_0"},
      {R"("offset":192)", R"("offset":128)",
       "tensor \"y\": begins at byte 128, in what stands before it, which ends at 160"},
      {R"([{"name":"a.txt")", R"([1,{"name":"a.txt")", "file: expected \"name\", a string"},
      {R"("* copy")", "\"\xff\"", ""},
      {"}]}", "}]", ""},
      {"}]}", "}]} x", ""}};
  for (const Case& wrong : cases) {
    CAPTURE(wrong.from);
    CAPTURE(wrong.to);
    const std::string said = message_for(sealed(replaced(sound, wrong.from, wrong.to)));
    if (wrong.message.empty()) {  // what the reading of JSON says
      CHECK(said.starts_with("m.qwen35: damaged index: "));
    } else {
      CHECK(said == "m.qwen35: damaged index: " + wrong.message);
    }
  }
  std::string many = "0";
  for (int i = 0; i < 1000; ++i) {
    many += ",0";
  }
  CHECK(message_for(sealed(index_of(many, ""))) == "m.qwen35: damaged index: 1001 files, at most 1000");
  for (const char* const index : {"", "[]", "1", "null", "\"x\""}) {
    CHECK(message_for(sealed(index)).starts_with("m.qwen35: damaged index: "));
  }
}
