// SPDX-License-Identifier: Apache-2.0
// Models in GGUF files, as llama.cpp's tools write them (tests/data/gguf): parts, config, files, names; and what is
// said of files that are no such models.
#include <qwen35/config/config_file.hpp>
#include <qwen35/config/presets.hpp>
#include <qwen35/media/preprocessor_config.hpp>
#include <qwen35/text/tokenizer.hpp>
#include <qwen35/weights/bind.hpp>
#include <qwen35/weights/checkpoint.hpp>
#include <qwen35/weights/dialect_gguf.hpp>
#include <qwen35/weights/dialect_of.hpp>
#include <qwen35/weights/gguf_files.hpp>

#include "gguf_writer.hpp"

#include <doctest/doctest.h>

#include <functional>
#include <limits>
#include <map>

using namespace qwen35;
using namespace weights_test;

namespace {

const std::string data = QWEN35_TEST_DATA "/gguf/";
const std::string shapes_path = data + "shapes-q8_0.gguf";
const std::string shapes_folder = QWEN35_SOURCE_DIR "/examples/shapes";

Bytes read(const std::string& path) {
  const MappedFile file(path);
  return {file.bytes().begin(), file.bytes().end()};
}

const GgufParts& parts_of(const std::string& path) {
  static std::map<std::string, GgufParts> known;
  const auto found = known.find(path);
  return found != known.end() ? found->second
                              : known.emplace(path, GgufParts::of(read_gguf(read(path), path))).first->second;
}
const GgufParts& shapes() {
  return parts_of(shapes_path);
}

Checkpoint opened(const Bytes& file) {
  return Checkpoint::from_bytes({{"m.gguf", file}});
}

using Change = std::function<void(GgufParts&)>;

Bytes with(GgufParts parts, const Change& change) {
  change(parts);
  return parts.file();
}

// What is said of the shapes model after `change`: when it is opened, of its config, of its tokenizer, of its tensors.
std::string refused(const Change& change) {
  const Bytes file = with(shapes(), change);
  return message_of<CheckpointError>([&] { opened(file); });
}
std::string unfit(const Change& change) {
  const Bytes file = with(shapes(), change);
  return message_of<ConfigError>([&] { check<configs::Shapes>(opened(file)); });
}
std::string no_tokenizer(const Change& change) {
  const Bytes file = with(shapes(), change);
  return message_of<TextError>([&] { Tokenizer::from_pretrained(opened(file).files()); });
}

const std::string differs = "m.gguf does not describe the compiled model:\n  qwen35moe.";

}  // namespace

TEST_CASE("a whole file, and the same split") {
  const Checkpoint whole = Checkpoint::open(data + "c04.gguf");
  CHECK(whole.is_gguf());
  CHECK(whole.name() == data + "c04.gguf");
  for (const std::string part : {"1", "2", "3"}) {  // any part opens all
    const Checkpoint split = Checkpoint::open(data + "c04-split-0000" + part + "-of-00003.gguf");
    REQUIRE(split.tensors().size() == whole.tensors().size());
    CHECK(split.config().at("hidden_size") == whole.config().at("hidden_size"));
    for (const TensorInfo& tensor : whole.tensors()) {
      const TensorInfo* const other = split.find(tensor.name);
      REQUIRE(other != nullptr);
      Extents shape = tensor.shape;
      if (shape[0] == 1) {  // the tool that splits leaves out the last axis where it is 1
        shape.erase(shape.begin());
      }
      CHECK(other->shape == shape);
      CHECK(std::equal(tensor.bytes.begin(), tensor.bytes.end(), other->bytes.begin(), other->bytes.end()));
    }
  }
}

TEST_CASE("parts that are missing or do not belong together") {
  const std::string names[] = {"c04-split-00001-of-00003.gguf", "c04-split-00002-of-00003.gguf",
                               "c04-split-00003-of-00003.gguf"};
  const TempFolder folder;
  folder.write(names[0], read(data + names[0]));
  folder.write(names[2], read(data + names[2]));
  CHECK(message_of<CheckpointError>([&] { Checkpoint::open(folder.file(names[0])); }) ==
        folder.file(names[0]) +
            ": 1 of the 3 parts of this model do not exist, the download is incomplete: " + folder.file(names[1]));
  folder.write(names[1], read(data + names[2]));
  CHECK(message_of<CheckpointError>([&] { Checkpoint::open(folder.file(names[0])); }) ==
        folder.file(names[1]) + ": split.no and split.count say part 3 of 3, expected part 2 of 3");
  folder.write("alone.gguf", read(data + names[0]));
  CHECK(message_of<CheckpointError>([&] { Checkpoint::open(folder.file("alone.gguf")); }) ==
        folder.file("alone.gguf") +
            ": part of a model in 3 files, given 1: their names must end in -00001-of-000NN.gguf");
  folder.write("later.gguf", read(data + names[1]));
  CHECK(message_of<CheckpointError>([&] {
          Checkpoint::open(folder.file("later.gguf"));
        }).find("part of a model in 3 files, given 1") != std::string::npos);
  // Another number of tensors, a tensor twice, a count of the wrong kind.
  const auto joined = [&](const Change& first, const Change& second) {
    const Bytes a = with(parts_of(data + names[0]), first), b = with(parts_of(data + names[1]), second),
                c = read(data + names[2]);
    return message_of<CheckpointError>([&] { Checkpoint::from_bytes({{"1.gguf", a}, {"2.gguf", b}, {"3.gguf", c}}); });
  };
  const Change as_is = [](GgufParts&) {};
  CHECK(joined(as_is, as_is) == "");
  CHECK(joined([](GgufParts& p) { p.set("split.tensors.count", GgufType::i32, gguf_u32(9)); }, as_is)
            .starts_with("1.gguf: split.tensors.count says 9 tensors, the parts have "));
  CHECK(joined([](GgufParts& p) { p.text("split.count", "3"); }, as_is) ==
        "1.gguf: split.count: expected a whole number, found \"3\"");
  CHECK(joined([](GgufParts& p) { p.set("split.tensors.count", GgufType::i32, gguf_u32(0xFFFFFFFF)); }, as_is) ==
        "1.gguf: split.tensors.count: expected a whole number, found -1");
  CHECK(joined(as_is, [&](GgufParts& p) {
          p.entries[0].name = parts_of(data + names[0]).entries[1].name;
        }).find("stands in another part too") != std::string::npos);
  CHECK(joined(as_is, [](GgufParts& p) { p.u32("split.count", 4); }) ==
        "2.gguf: split.no and split.count say part 2 of 4, expected part 2 of 3");
}

TEST_CASE("the picture tower beside a model") {
  const std::string model = data + "v01/v01.gguf", tower = data + "v01/mmproj-v01.gguf";
  using Names = std::vector<std::string>;
  CHECK(gguf_towers_beside(model) == Names{tower});
  CHECK(gguf_towers_beside(tower).empty());
  CHECK(gguf_towers_beside(data + "c02.gguf").empty());
  CHECK(Checkpoint::open(model).config().find("vision_config") != nullptr);
  CHECK(Checkpoint::open(model, CheckpointOptions{.mmproj = ""}).config().find("vision_config") == nullptr);
  CHECK(Checkpoint::open(model, CheckpointOptions{.mmproj = tower}).find("v.post_ln.bias") != nullptr);
  // One that is given must fit; what is no tower, or no file, is named as what it is.
  const std::string other = data + "c04.gguf";
  const std::string how =
      "; the model's own is named by CheckpointOptions::mmproj (--mmproj FILE), \"\" (none) is for text alone";
  const auto given = [&](const std::string& text, const std::string& file) {
    return message_of<CheckpointError>([&] { Checkpoint::open(text, CheckpointOptions{.mmproj = file}); });
  };
  const std::string narrow =
      tower +
      ": it projects to 20 values (clip.vision.projection_dim), the model's tokens have 16: the tower of "
      "another model";
  CHECK(given(other, tower) == other + ": not its picture tower: " + narrow + how);
  CHECK(given(model, other) == model + ": not its picture tower: " + other +
                                   ": its general.architecture is \"qwen35moe\", that of a picture tower is \"clip\"" +
                                   how);
  CHECK(given(model, data + "none.gguf") == data + "none.gguf: cannot be opened: No such file or directory");
  CHECK(given(model, QWEN35_TEST_DATA "/vision/v01/config.json") == QWEN35_TEST_DATA
        "/vision/v01/config.json: not a GGUF file: it does not begin with \"GGUF\"");
  CHECK(given(tower, tower) ==
        tower + ": a picture tower (mmproj) itself, " + tower + " is given as another: open the model's own GGUF file");
  // Of those that stand beside a model the first that fits; what does not is passed over, and that is said.
  {
    const TempFolder folder;
    folder.write("m.gguf", read(other));
    const std::string m = folder.file("m.gguf");
    CHECK(Checkpoint::open(m).notes().empty());
    folder.write("mmproj-bf16.gguf", read(tower));
    const auto passed_over = [&](const std::string& what) {
      const Checkpoint checkpoint = Checkpoint::open(m);
      CHECK(checkpoint.config().find("vision_config") == nullptr);
      REQUIRE(checkpoint.notes().size() == 1);
      CHECK(checkpoint.notes()[0] == m + ": passed over as its picture tower: " + what + how);
    };
    const std::string beside = folder.file("mmproj-bf16.gguf");
    passed_over(beside + narrow.substr(tower.size()));
    CHECK(message_of<CheckpointError>([&] {
            Checkpoint::open(m, CheckpointOptions{.strict = true});
          }).starts_with(m + ": passed over as its picture tower: "));
    CHECK(Checkpoint::open(m, CheckpointOptions{.mmproj = ""}).notes().empty());
    folder.write("mmproj-bf16.gguf", "damaged");
    passed_over(beside + ": not a GGUF file: it does not begin with \"GGUF\"");
    folder.write("mmproj-bf16.gguf", read(other));
    folder.write("a-mmproj.gguf", with(parts_of(tower), [](GgufParts& p) { p.text("clip.projector_type", "mlp"); }));
    passed_over(beside + ": its general.architecture is \"qwen35moe\", that of a picture tower is \"clip\"; " +
                folder.file("a-mmproj.gguf") +
                ": its clip.projector_type is \"mlp\", this family's is \"qwen3vl_merger\"");
    folder.write("m.gguf", read(model));
    folder.write("z-mmproj.gguf", read(tower));
    CHECK(Checkpoint::open(m).find("v.post_ln.bias") != nullptr);
    CHECK(Checkpoint::open(m).notes().empty());
    // Nobody needs a tower for text.
    folder.write("m.gguf", read(shapes_path));
    CHECK(Tokenizer::from_pretrained(m).size() == 446);
  }
  // It is of GGUF files alone.
  const std::string folder_path = QWEN35_TEST_DATA "/vision/v01";
  for (const std::string& mmproj : {std::string(), tower}) {
    CHECK(message_of<InputError>([&] { Checkpoint::open(folder_path, CheckpointOptions{.mmproj = mmproj}); }) ==
          folder_path +
              ": CheckpointOptions::mmproj (--mmproj) is given, which is for the picture tower of a GGUF file; others "
              "have it among their own tensors");
  }
  const Checkpoint alone = Checkpoint::open(tower);
  CHECK(alone.config().at("model_type") == json::Value("qwen3_5_moe_vision"));
  const json::Value folder = json::parse(Checkpoint::open(QWEN35_TEST_DATA "/vision/v01").text("config.json"));
  for (const char* const key :
       {"depth", "hidden_size", "num_heads", "intermediate_size", "in_channels", "patch_size", "spatial_merge_size",
        "temporal_patch_size", "out_hidden_size", "num_position_embeddings"}) {
    CAPTURE(key);
    CHECK(alone.config().at(key) == folder.at("vision_config").at(key));
  }
  const ImageProcessorConfig images = ImageProcessorConfig::from_pretrained(alone.files());
  CHECK(images.size == PixelArea{65536, 16777216});
  CHECK(images.patch_size == 2);
  CHECK(images.image_mean == std::array<double, 3>{0.5, 0.5, 0.5});
  CHECK(VideoProcessorConfig::from_pretrained(alone.files()).size == PixelArea{4096, 25165824});
  // Of several, one with short and exact weights.
  const TempFolder several;
  several.write("m.gguf", read(model));
  for (const char* const name : {"mmproj-F32.gguf", "mmproj-Q8_0.gguf", "mmproj-F16.gguf", "mmproj-BF16.gguf"}) {
    several.write(name, read(tower));
  }
  CHECK(gguf_towers_beside(several.file("m.gguf")) ==
        Names{several.file("mmproj-BF16.gguf"), several.file("mmproj-F16.gguf"), several.file("mmproj-F32.gguf"),
              several.file("mmproj-Q8_0.gguf")});
  // A model that wants a tower and has none, and a tower that is no model.
  CHECK(message_of<ConfigError>([&] { check_vision<VisionDefaults>(Checkpoint::open(other)); }) ==
        other +
            ": has no picture tower: that of a GGUF file is a file of its own (mmproj), which "
            "CheckpointOptions::mmproj (--mmproj FILE) names");
  CHECK(message_of<CheckpointError>([&] { check<configs::Shapes>(alone); }) ==
        tower +
            ": a picture tower alone (mmproj), no model: open the model's own file, with this one as its tower "
            "(CheckpointOptions::mmproj, --mmproj FILE)");
  const Bytes text = read(model), vision = read(tower);
  CHECK(message_of<CheckpointError>([&] {
          Checkpoint::from_bytes({{"m.gguf", text}, {"a.gguf", vision}, {"b.gguf", vision}});
        }) == "b.gguf: a second picture tower beside a.gguf");
}

TEST_CASE("files that are no models") {
  CHECK(refused([](GgufParts&) {}) == "");
  CHECK(refused([](GgufParts& p) { p.text("general.type", "adapter"); }) ==
        "m.gguf: a LoRA adapter, no model: merge it into its model (llama-export-lora) and open that");
  CHECK(refused([](GgufParts& p) { p.text("adapter.type", "lora"); }).starts_with("m.gguf: a LoRA adapter"));
  CHECK(refused([](GgufParts& p) { p.text("general.type", "imatrix"); }) ==
        "m.gguf: an importance matrix (imatrix), no model: it is for making quantised files");
  CHECK(refused([](GgufParts& p) { p.u32("imatrix.chunk_count", 1); }).find("imatrix") != std::string::npos);
  CHECK(
      refused([](GgufParts& p) { p.u32("prism.hadamard.version", 3); }) ==
      "m.gguf: weights folded with a Hadamard rotation (prism.hadamard.version), which this library does not run: make "
      "the file anew without it");
  for (const std::string architecture : {"llama", "qwen3next", "qwen3moe", ""}) {
    CHECK(refused([&](GgufParts& p) { p.text("general.architecture", architecture); }) ==
          "m.gguf: general.architecture is \"" + architecture +
              "\", expected \"qwen35moe\" or \"qwen35\" (or \"clip\", a picture tower)");
  }
  CHECK(refused([](GgufParts& p) { p.remove("general.architecture"); }).find("is \"\"") != std::string::npos);
  CHECK(refused([](GgufParts& p) { p.u32("general.architecture", 1); }).find("is \"\"") != std::string::npos);
  CHECK(refused([](GgufParts& p) { p.text("general.architecture", "clip"); }) ==
        "m.gguf: clip.projector_type is \"\", expected \"qwen3vl_merger\": the tower of another family");
  CHECK(refused([](GgufParts& p) { p.entries.clear(); }) ==
        "m.gguf: a vocabulary without weights (vocab-only): open the model's own file");
  CHECK(refused([](GgufParts& p) {
          std::erase_if(p.entries, [](const GgufEntryOf& e) { return e.name.starts_with("blk.0."); });
        }).starts_with("m.gguf: no tensors of the first layer, blk.0: "));
  CHECK(message_of<CheckpointError>([] { Checkpoint::open("/no/such.gguf"); }).find("/no") != std::string::npos);
  const TempFolder folder;
  // Files are told by their first bytes.
  folder.write("model.bin", read(shapes_path));
  folder.write("model", read(shapes_path));
  folder.write("model.qwen35", read(shapes_path));
  for (const char* const name : {"model.bin", "model", "model.qwen35"}) {
    CHECK(Checkpoint::open(folder.file(name)).is_gguf());
    CHECK(Tokenizer::from_file(folder.file(name)).size() == 446);
    const Bytes file = read(shapes_path);
    CHECK(Checkpoint::from_bytes({{name, file}}).is_gguf());
  }
  folder.write("model.safetensors", "no folder");
  folder.write("model.txt", "no folder");
  const std::string other = ": no folder, and begins neither as a GGUF nor as a packed file";
  for (const auto& [name, said] :
       {std::pair{"model.safetensors", other + ": name the folder that it is in"}, {"model.txt", other}}) {
    const std::string path = folder.file(name);
    CHECK(message_of<CheckpointError>([&] { Checkpoint::open(path); }) == path + said);
    CHECK(message_of<CheckpointError>([&] { Tokenizer::from_pretrained(path); }) == path + said);
  }
  folder.write("text.gguf", bytes_of("not a model"));
  CHECK(message_of<CheckpointError>([&] { Checkpoint::open(folder.file("text.gguf")); }) ==
        folder.file("text.gguf") + ": not a GGUF file: it does not begin with \"GGUF\"");
}

TEST_CASE("the config is that of the folder") {
  const ConfigValues file = check<configs::Shapes>(Checkpoint::open(shapes_path).config());
  const ConfigValues folder = check<configs::Shapes>(Checkpoint::open(shapes_folder).config());
  CHECK(file.text_config.rms_norm_eps == folder.text_config.rms_norm_eps);
  CHECK(file.text_config.rope_parameters == folder.text_config.rope_parameters);
  CHECK(file.text_config.max_position_embeddings == folder.text_config.max_position_embeddings);
  const json::Value generation = Checkpoint::open(shapes_path).generation_config();
  CHECK(generation.at("eos_token_id").items() == std::vector<json::Value>{435, 433});
  CHECK(generation.at("pad_token_id") == json::Value(433));
  CHECK(generation.at("top_k") == json::Value(20));
  CHECK(generation.at("top_p").as_number() == 0.95);
  CHECK(generation.at("do_sample") == json::Value(true));
}

TEST_CASE("sizes that are not the type's, by the names of the metadata") {
  const std::pair<const char*, const char*> keys[] = {{"embedding_length", "128"},
                                                      {"attention.head_count", "4"},
                                                      {"attention.head_count_kv", "2"},
                                                      {"ssm.conv_kernel", "4"},
                                                      {"ssm.state_size", "32"},
                                                      {"ssm.group_count", "2"},
                                                      {"expert_count", "8"},
                                                      {"expert_used_count", "2"},
                                                      {"expert_feed_forward_length", "64"},
                                                      {"expert_shared_feed_forward_length", "64"}};
  for (const auto& [name, size] : keys) {
    const std::string key(name);
    CAPTURE(key);
    CHECK(unfit([&](GgufParts& p) { p.u32(concat("qwen35moe.", key), 7); }) ==
          differs + key + ": the file has 7, the type " + size);
    CHECK(unfit([&](GgufParts& p) { p.text(concat("qwen35moe.", key), "many"); }) ==
          concat("m.gguf: qwen35moe.", key, ": expected a whole number from 0 to 2147483647, found \"many\""));
  }
  CHECK(unfit([](GgufParts& p) {
          p.u32("qwen35moe.attention.key_length", 64).u32("qwen35moe.attention.value_length", 64);
        }) == differs +
                  "attention.key_length: the file has 64, the type 32\n  qwen35moe.rope.dimension_count / "
                  "qwen35moe.attention.key_length: the file has 0.125, the type 0.25");
  CHECK(unfit([](GgufParts& p) { p.u32("qwen35moe.ssm.inner_size", 64); }) ==
        differs + "ssm.inner_size / qwen35moe.ssm.time_step_rank: the file has 16, the type 32");
  CHECK(unfit([](GgufParts& p) { p.u32("qwen35moe.rope.dimension_count", 16); }) ==
        differs + "rope.dimension_count / qwen35moe.attention.key_length: the file has 0.5, the type 0.25");
  CHECK(unfit([](GgufParts& p) { p.remove_tensor("output.weight"); }) ==
        "m.gguf does not describe the compiled model:\n  the absence of output.weight: the file has true, the type "
        "false");
  CHECK(message_of<ConfigError>([] {
          check<configs::Shapes>(Checkpoint::open(data + "c02.gguf"));
        }).find("general.architecture: the file has qwen35, which means qwen3_5_text, the type qwen3_5_moe_text\n") !=
        std::string::npos);
  CHECK(unfit([](GgufParts& p) {
          p.set("qwen35moe.attention.recurrent_layers", GgufType::array,
                gguf_array(GgufType::boolean, 4, Bytes(4, std::byte{1})));
        }) == differs + "attention.recurrent_layers[3]: the file has linear_attention, the type full_attention");
  CHECK(unfit([](GgufParts& p) {
          p.set("qwen35moe.rope.dimension_sections", GgufType::array, gguf_array(GgufType::i32, 4, Bytes(16)));
        }).starts_with(differs + "rope.dimension_sections[0]: the file has 0, the type 2"));
  CHECK(unfit([](GgufParts& p) { p.u32("qwen35moe.block_count", 3); }).find("qwen35moe.block_count: the file has 3") !=
        std::string::npos);
}

TEST_CASE("metadata that are missing or contradict each other") {
  for (const char* const key : {"block_count", "context_length", "attention.head_count", "attention.head_count_kv",
                                "attention.layer_norm_rms_epsilon", "ssm.state_size", "ssm.group_count",
                                "expert_used_count", "rope.freq_base", "rope.dimension_count"}) {
    CHECK(unfit([&](GgufParts& p) { p.remove(concat("qwen35moe.", key)); }) ==
          concat("m.gguf: no metadata key qwen35moe.", key));
  }
  // What shapes say as well may be missing.
  for (const char* const key : {"embedding_length", "attention.key_length", "ssm.conv_kernel", "ssm.inner_size",
                                "expert_count", "expert_feed_forward_length", "expert_shared_feed_forward_length",
                                "attention.recurrent_layers", "nextn_predict_layers"}) {
    CHECK(unfit([&](GgufParts& p) { p.remove(concat("qwen35moe.", key)); }) == "");
  }
  CHECK(unfit([](GgufParts& p) {
          p.remove("qwen35moe.attention.recurrent_layers").remove("qwen35moe.full_attention_interval");
        }) == "");
  CHECK(unfit([](GgufParts& p) {
          p.remove("qwen35moe.attention.recurrent_layers").u32("qwen35moe.full_attention_interval", 0);
        }) == "m.gguf: qwen35moe.full_attention_interval: expected a number above 0, found 0");
  const auto layers = [&](GgufType type, std::size_t count) {
    return unfit([=](GgufParts& p) {
      p.set("qwen35moe.attention.recurrent_layers", GgufType::array, gguf_array(type, count, Bytes(count)));
    });
  };
  CHECK(layers(GgufType::boolean, 3) ==
        "m.gguf: qwen35moe.attention.recurrent_layers: expected a truth value for each of 4 layers, found 3 of bool");
  CHECK(layers(GgufType::u8, 4).ends_with("expected a truth value for each of 4 layers, found 4 of u8"));
  CHECK(unfit([](GgufParts& p) { p.u32("qwen35moe.block_count", 4'000'000'000); }) ==
        "m.gguf: qwen35moe.block_count: expected a whole number from 0 to 2147483647, found 4000000000");
  CHECK(unfit([](GgufParts& p) { p.u32("qwen35moe.block_count", 1'000'000); }) ==
        "m.gguf: qwen35moe.block_count: 1000000 with 0 that predict further tokens, in a file of 76 tensors");
  CHECK(unfit([](GgufParts& p) { p.u32("qwen35moe.block_count", 0); }).find("block_count: 0 with 0") !=
        std::string::npos);
  CHECK(unfit([](GgufParts& p) { p.u32("qwen35moe.nextn_predict_layers", 4); }).find("block_count: 4 with 4") !=
        std::string::npos);
  CHECK(unfit([](GgufParts& p) { p.f32("qwen35moe.block_count", 4.0f); }).find("expected a whole number") !=
        std::string::npos);
  CHECK(unfit([](GgufParts& p) { p.u32("qwen35moe.ssm.inner_size", 130); }) ==
        "m.gguf: qwen35moe.ssm.inner_size: 130, expected a multiple of qwen35moe.ssm.time_step_rank, 4");
  CHECK(unfit([](GgufParts& p) { p.u32("qwen35moe.ssm.time_step_rank", 0); }).find("time_step_rank, 0") !=
        std::string::npos);
  CHECK(unfit([](GgufParts& p) {
          p.u32("qwen35moe.attention.key_length", 0).u32("qwen35moe.attention.value_length", 0);
        }) == "m.gguf: qwen35moe.attention.key_length: expected a number above 0, found 0");
  CHECK(unfit([](GgufParts& p) { p.text("qwen35moe.rope.dimension_sections", "x"); }) ==
        "m.gguf: qwen35moe.rope.dimension_sections: expected four sizes, found \"x\"");
  CHECK(unfit([](GgufParts& p) {
          p.text("qwen35moe.rope.scaling.type", "su");
        }).find("\"su\" is none of default, linear, dynamic, yarn") != std::string::npos);
  CHECK(unfit([](GgufParts& p) { p.text("qwen35moe.rope.scaling.type", "yarn"); }).find("needs the key \"factor\"") !=
        std::string::npos);
  CHECK(unfit([](GgufParts& p) { p.f32("qwen35moe.rope.freq_base", -1.0f); }) ==
        "m.gguf: qwen35moe.rope.freq_base: expected a number above 0, found -1.0");
  CHECK(
      !unfit([](GgufParts& p) { p.f32("qwen35moe.rope.freq_base", std::numeric_limits<float>::infinity()); }).empty());
  CHECK(unfit([](GgufParts& p) { p.f32("qwen35moe.attention.layer_norm_rms_epsilon", -1.0f); }) ==
        "m.gguf: qwen35moe.attention.layer_norm_rms_epsilon: expected a number not below 0, found -1.0");
  CHECK(unfit([](GgufParts& p) { p.u32("qwen35moe.context_length", 0); }) ==
        "m.gguf: qwen35moe.context_length: expected a number above 0, found 0");
  CHECK(unfit([](GgufParts& p) { p.u32("qwen35moe.attention.value_length", 16); }) ==
        "m.gguf: qwen35moe.attention.value_length: 16, expected that of keys (qwen35moe.attention.key_length), 32");
  // Routers of other families.
  CHECK(unfit([](GgufParts& p) { p.u32("qwen35moe.expert_gating_func", 2); }) ==
        "m.gguf: qwen35moe.expert_gating_func: 2, expected 1, a softmax");
  CHECK(unfit([](GgufParts& p) { p.f32("qwen35moe.expert_weights_scale", 2.5f); }) ==
        "m.gguf: qwen35moe.expert_weights_scale: 2.5, expected 1");
  CHECK(unfit([](GgufParts& p) {
          p.set("qwen35moe.expert_weights_norm", GgufType::boolean, {std::byte{0}});
        }).starts_with("m.gguf: qwen35moe.expert_weights_norm: false, expected true"));
  CHECK(unfit([](GgufParts& p) {
          p.u32("qwen35moe.expert_gating_func", 1)
              .f32("qwen35moe.expert_weights_scale", 1.0f)
              .set("qwen35moe.expert_weights_norm", GgufType::boolean, {std::byte{1}});
        }) == "");
  CHECK(unfit([](GgufParts& p) { p.u32("tokenizer.ggml.eos_token_id", 512); }) ==
        "m.gguf: tokenizer.ggml.eos_token_id: 512, expected one of 512 tokens");
  CHECK(unfit([](GgufParts& p) { p.remove_tensor("token_embd.weight"); }) ==
        "m.gguf: no tensor token_embd.weight of two axes");
  CHECK(unfit([](GgufParts& p) {
          p.text("tokenizer.ggml.eos_token_id", "end");
        }).starts_with("m.gguf: tokenizer.ggml.eos_token_id: expected a token id"));
  // The picture tower.
  const auto tower = [](const Change& change) {
    const Bytes file = with(parts_of(data + "v01/mmproj-v01.gguf"), change);
    return message_of<ConfigError>([&] { opened(file); });
  };
  CHECK(tower([](GgufParts&) {}) == "");
  for (const char* const key : {"block_count", "attention.head_count", "patch_size", "spatial_merge_size"}) {
    CAPTURE(key);
    CHECK(tower([&](GgufParts& p) { p.remove(concat("clip.vision.", key)); }) ==
          concat("m.gguf: no metadata key clip.vision.", key));
  }
  CHECK(tower([](GgufParts& p) {
          p.set("clip.vision.is_deepstack_layers", GgufType::array,
                gguf_array(GgufType::boolean, 2, {std::byte{0}, std::byte{1}}));
        }) == "m.gguf: clip.vision.is_deepstack_layers[1] is true: a tower of another family (deepstack)");
  CHECK(tower([](GgufParts& p) {
          p.remove_tensor("v.position_embd.weight");
        }).find("no tensors v.position_embd.weight") != std::string::npos);
  CHECK(tower([](GgufParts& p) { p.remove_tensor("v.patch_embd.weight"); }).find("no tensors v.position_embd.weight") !=
        std::string::npos);
}

TEST_CASE("tensors that would change what a model computes are not passed over") {
  const auto said = [](const std::string& name) {
    const Bytes file = with(shapes(), [&](GgufParts& p) { p.tensor(name, {4}, 0, Bytes(16)); });
    const Checkpoint checkpoint = opened(file);
    BoundStorage storage;
    Binder binder(checkpoint, storage, Binding::look);
    return message_of<CheckpointError>([&] { binder.finish([&](std::string_view other) { return other != name; }); });
  };
  for (const char* const name : {"blk.0.attn_qkv.scale", "blk.3.attn_q.bias", "blk.1.exp_probs_b.bias", "output.scale",
                                 "blk.2.ffn_down_exps.lora_a", "blk.3.attn_rot.weight"}) {
    CHECK(said(name) == concat("m.gguf: does not hold this model, 1 problem:\n  ", name,
                               ": would change what the model computes, and is not read here"));
  }
  CHECK(said("rope_freqs.weight") == "");
}

TEST_CASE("whatever stands in a key of the metadata, an error names the file and the key") {
  // Each key with values of other types and sizes, and without it.
  struct Bad {
    const char* name;
    GgufType type;
    Bytes value;
  };
  GgufBytes huge;
  huge.number(std::uint64_t{1} << 63);
  const Bad values[] = {
      {"zero", GgufType::u32, gguf_u32(0)},
      {"minus one", GgufType::i32, gguf_u32(0xFFFFFFFF)},
      {"huge", GgufType::u64, huge.bytes},
      {"not a number", GgufType::f32, gguf_f32(std::numeric_limits<float>::quiet_NaN())},
      {"infinite", GgufType::f32, gguf_f32(std::numeric_limits<float>::infinity())},
      {"a fraction", GgufType::f32, gguf_f32(0.5f)},
      {"a text", GgufType::string, gguf_text("x")},
      {"no elements", GgufType::array, gguf_array(GgufType::u32, 0, {})},
      {"not numbers", GgufType::array, gguf_array(GgufType::f32, 1, gguf_f32(std::numeric_limits<float>::quiet_NaN()))},
      {"texts", GgufType::array, gguf_texts({"a", "b", "c"})},
  };
  std::size_t kinds = 0;
  const auto all = [&](const GgufParts& sound, const auto& use) {
    for (const auto& entry : sound.metadata) {
      const std::string& key = entry.first;
      const auto look = [&](const std::string& value, GgufParts& changed) {
        const Bytes file = changed.file();
        const Result<bool> used = attempt([&] {
          use(file);
          return true;
        });
        if (!used) {
          CAPTURE(key);
          CAPTURE(value);
          CAPTURE(used.failure().message);
          const std::string& said = used.failure().message;
          CHECK(((contains(said, "m.gguf") && contains(said, key)) ||
                 contains(said, "t.gguf: preprocessor_config.json.")));
          ++kinds;
        }
      };
      for (const Bad& bad : values) {
        GgufParts changed = sound;
        look(bad.name, changed.set(key, bad.type, bad.value));
      }
      GgufParts changed = sound;
      look("absent", changed.remove(key));
    }
  };
  GgufParts with_yarn = shapes();
  with_yarn.text("qwen35moe.rope.scaling.type", "yarn");
  for (const char* const key :
       {"rope.scaling.factor", "rope.scaling.original_context_length", "rope.scaling.attn_factor",
        "rope.scaling.yarn_beta_fast", "rope.scaling.yarn_beta_slow"}) {
    with_yarn.f32(concat("qwen35moe.", key), 4.0f);
  }
  all(with_yarn, [](const Bytes& file) {
    const Checkpoint checkpoint = opened(file);
    check<configs::Shapes>(checkpoint);
    Tokenizer::from_pretrained(checkpoint.files());
  });
  const Bytes text = read(data + "v01/v01.gguf");
  all(parts_of(data + "v01/mmproj-v01.gguf"), [&](const Bytes& file) {
    const Checkpoint checkpoint = Checkpoint::from_bytes({{"t.gguf", text}, {"m.gguf", file}});
    ImageProcessorConfig::from_pretrained(checkpoint.files());
    VideoProcessorConfig::from_pretrained(checkpoint.files());
    const Result<bool> fits = attempt([&] {
      check_vision<VisionDefaults>(checkpoint);
      return true;
    });
    // Sizes are not those of the type here.
    if (!fits && fits.failure().message.find("does not describe") == std::string::npos) {
      raise(fits.failure());
    }
  });
  MESSAGE(kinds, " kinds");
  CHECK(kinds >= 200);
}

TEST_CASE("the path of a file may be no UTF-8") {
  const TempFolder folder;
  const std::string path = folder.file("m\xe4.gguf");
  std::filesystem::copy_file(shapes_path, path);
  CHECK(Tokenizer::from_pretrained(path).size() == Tokenizer::from_pretrained(shapes_path).size());
  CHECK(Checkpoint::open(path).tensors().size() == Checkpoint::open(shapes_path).tensors().size());
}

TEST_CASE("the tokenizer and the template are those of the folder") {
  const Tokenizer file = Tokenizer::from_pretrained(shapes_path), folder = Tokenizer::from_pretrained(shapes_folder);
  const TokenizerParts ours = file.parts(), theirs = folder.parts();
  CHECK(ours.tokens == theirs.tokens);
  CHECK(ours.merges == theirs.merges);
  CHECK(ours.pattern == theirs.pattern);
  CHECK(ours.nfc == theirs.nfc);
  CHECK(ours.ignore_merges == theirs.ignore_merges);
  REQUIRE(ours.added.size() == theirs.added.size());
  for (std::size_t i = 0; i < ours.added.size(); ++i) {
    CAPTURE(theirs.added[i].content);
    CHECK(ours.added[i].id == theirs.added[i].id);
    CHECK(ours.added[i].content == theirs.added[i].content);
    CHECK(ours.added[i].special == theirs.added[i].special);
    CHECK(ours.added[i].normalized == theirs.added[i].normalized);
  }
  CHECK(file.special_tokens_map() == folder.special_tokens_map());
  CHECK(file.model_max_length() == folder.model_max_length());
  const Bytes bytes = with(shapes(), [](GgufParts& p) {
    p.text("tokenizer.chat_template", "{{ messages }}").text("tokenizer.chat_template.tool_use", "{{ tools }}");
    p.text("tokenizer.chat_template.a/b", "never a path").text("tokenizer.chat_template.", "no name");
  });
  const Checkpoint with_template = opened(bytes);
  CHECK(with_template.text("chat_template.jinja") == "{{ messages }}");
  CHECK(with_template.text("additional_chat_templates/tool_use.jinja") == "{{ tools }}");
  CHECK(with_template.files().names_in("additional_chat_templates") == std::vector<std::string>{"tool_use.jinja"});
  // Tokens that converters call control tokens because of their names.
  const auto renamed = [](const std::string& name) {
    const Bytes changed = with(shapes(), [&](GgufParts& p) {
      std::vector<std::string> tokens;
      read_gguf(read(shapes_path), "").find("tokenizer.ggml.tokens")->each_text([&](std::string_view token) {
        tokens.push_back(token == "<|im_start|>" ? name : std::string(token));
      });
      p.set("tokenizer.ggml.tokens", GgufType::array, gguf_texts(tokens));
    });
    const Tokenizer tokenizer = Tokenizer::from_pretrained(opened(changed).files());
    return tokenizer.is_special(tokenizer.convert_tokens_to_ids(name));
  };
  CHECK(renamed("<|other|>"));
  CHECK(!renamed("<|fim_prefix|>"));
}

TEST_CASE("tokenizers of other families, and damaged ones") {
  CHECK(no_tokenizer([](GgufParts& p) { p.text("tokenizer.ggml.model", "llama"); }) ==
        "m.gguf: tokenizer.ggml.model is \"llama\", expected \"gpt2\", byte-level BPE");
  CHECK(no_tokenizer([](GgufParts& p) { p.remove("tokenizer.ggml.model"); }).find("is \"\"") != std::string::npos);
  CHECK(no_tokenizer([](GgufParts& p) { p.text("tokenizer.ggml.pre", "llama-bpe"); }) ==
        "m.gguf: tokenizer.ggml.pre is \"llama-bpe\", expected \"qwen35\" or \"qwen2\"");
  CHECK(no_tokenizer([](GgufParts& p) { p.remove("tokenizer.ggml.pre"); }).find("is \"\"") != std::string::npos);
  CHECK(no_tokenizer([](GgufParts& p) {
          p.remove("tokenizer.ggml.token_type");
        }).find("token_type: expected one for") != std::string::npos);
  CHECK(no_tokenizer([](GgufParts& p) { p.set("tokenizer.ggml.merges", GgufType::array, gguf_texts({})); }) ==
        "m.gguf: tokenizer.ggml.merges: expected a list of texts, found none");
  CHECK(no_tokenizer([](GgufParts& p) { p.remove("tokenizer.ggml.merges"); }) ==
        "m.gguf: tokenizer.ggml.merges: expected a list of texts");
  CHECK(
      no_tokenizer([](GgufParts& p) { p.text("tokenizer.ggml.merges", "a b"); }).ends_with("expected a list of texts"));
  CHECK(no_tokenizer([](GgufParts& p) {
          p.set("tokenizer.ggml.tokens", GgufType::array, gguf_array(GgufType::u8, 4, Bytes(4)));
        }) == "m.gguf: tokenizer.ggml.tokens: expected a list of texts");
  CHECK(no_tokenizer([](GgufParts& p) { p.remove("tokenizer.ggml.tokens"); }) ==
        "m.gguf: no metadata key tokenizer.ggml.tokens");
  CHECK(no_tokenizer([](GgufParts& p) {
          p.set("tokenizer.ggml.token_type", GgufType::array, gguf_array(GgufType::i32, 1, gguf_u32(1)));
        }) ==
        "m.gguf: tokenizer.ggml.token_type: expected one for each of 512 tokens (tokenizer.ggml.tokens), found 1");
  CHECK(no_tokenizer([](GgufParts& p) { p.u32("tokenizer.ggml.token_type", 1); }).find("expected one for each") !=
        std::string::npos);
  for (const std::uint32_t type : {0u, 2u, 6u, 7u, 0xFFFFFFFFu}) {
    GgufBytes types;
    for (std::size_t i = 0; i < 512; ++i) {
      types.number(i == 3 ? type : 1u);
    }
    CHECK(no_tokenizer([&](GgufParts& p) {
            p.set("tokenizer.ggml.token_type", GgufType::array, gguf_array(GgufType::i32, 512, types.bytes));
          }).starts_with("m.gguf: tokenizer.ggml.token_type[3]: "));
  }
  for (const char* const key : {"tokenizer.ggml.add_bos_token", "tokenizer.ggml.add_eos_token"}) {
    CHECK(no_tokenizer([&](GgufParts& p) { p.set(key, GgufType::boolean, {std::byte{1}}); }) ==
          concat("m.gguf: ", key, ": expected false: this family adds nothing to a text"));
  }
  CHECK(no_tokenizer([](GgufParts& p) { p.set("tokenizer.ggml.merges", GgufType::array, gguf_texts({"one"})); }) ==
        "m.gguf: tokenizer.ggml.merges[0]: \"one\", expected two tokens");
  CHECK(no_tokenizer([](GgufParts& p) {
          p.set("tokenizer.ggml.merges", GgufType::array, gguf_texts({"no such"}));
        }).starts_with("m.gguf: tokenizer.ggml.merges: merge 0 (\"no\", \"such\") names or makes a token"));
  // The list of tokens with another in the place of one.
  const auto exchanged = [](std::size_t place, const std::string& token) {
    return [=](GgufParts& p) {
      const Bytes file = read(shapes_path);
      std::vector<std::string> tokens;
      read_gguf(file, "").find("tokenizer.ggml.tokens")->each_text([&](std::string_view each) {
        tokens.emplace_back(tokens.size() == place ? std::string_view(token) : each);
      });
      p.set("tokenizer.ggml.tokens", GgufType::array, gguf_texts(tokens));
    };
  };
  CHECK(no_tokenizer(exchanged(0, "no byte")) == "m.gguf: tokenizer.ggml.tokens: no token for byte 33");
  CHECK(no_tokenizer(exchanged(300, "!")) == "m.gguf: tokenizer.ggml.tokens: token \"!\" has the ids 0 and 300");
  const std::string unused = no_tokenizer([](GgufParts& p) {
    GgufBytes types;
    for (std::size_t i = 0; i < 512; ++i) {
      types.number(i == 440 ? 5u : 1u);
    }
    p.set("tokenizer.ggml.token_type", GgufType::array, gguf_array(GgufType::i32, 512, types.bytes));
    p.u32("tokenizer.ggml.eos_token_id", 440);
  });
  CHECK(unused ==
        "m.gguf: tokenizer.ggml.eos_token_id: 440, expected a token in use, as tokenizer.ggml.token_type has it");
  // A tower alone has none.
  GgufModel tower;
  tower.vision.emplace().source = "t.gguf";
  const ModelFolder files = gguf_model_folder(std::make_shared<const GgufModel>(tower), nullptr);
  CHECK(message_of<TextError>([&] { Tokenizer::from_pretrained(files); }) ==
        "t.gguf: a picture tower (mmproj) alone, which has no tokens: name its model's file");
}

TEST_CASE("files as Ollama makes them: numbers for each layer, three sections, names of its own, all parts in one") {
  const auto numbers = [](GgufType type, const std::vector<std::uint32_t>& values) {
    GgufBytes bytes;
    for (const std::uint32_t value : values) {
      bytes.number(value);
    }
    return gguf_array(type, values.size(), bytes.bytes);
  };
  const Bytes truth = {std::byte{1}}, untruth = {std::byte{0}};
  const Bytes file = with(shapes(), [&](GgufParts& p) {
    p.set("qwen35moe.attention.head_count_kv", GgufType::array, numbers(GgufType::u32, {0, 0, 0, 2}));
    p.set("qwen35moe.rope.dimension_sections", GgufType::array, numbers(GgufType::i32, {2, 1, 1}));
    for (const char* const key : {"ssm.v_head_reordered", "rope.mrope_interleaved", "norm_top_k_prob"}) {
      p.set(concat("qwen35moe.", key), GgufType::boolean, truth);
    }
    p.remove("qwen35moe.attention.recurrent_layers");
    std::size_t renamed = 0;
    for (auto& entry : p.entries) {
      if (entry.name.ends_with(".ssm_dt.bias")) {
        entry.name.resize(entry.name.size() - 5);
        ++renamed;
      }
    }
    CHECK(renamed == 3);
    p.tensor(TestTensor{"mtp.fc.weight", {2, 4}, std::vector<float>(8)});
    p.tensor(TestTensor{"v.blk.0.attn_q.weight", {2, 4}, std::vector<float>(8)});
  });
  const Checkpoint checkpoint = opened(file);
  CHECK(message_of<ConfigError>([&] { check<configs::Shapes>(checkpoint); }) == "");
  const TextWeights<configs::Shapes> found = bind_text<configs::Shapes>(checkpoint);
  const TextWeights<configs::Shapes> expected = bind_text<configs::Shapes>(Checkpoint::open(shapes_path));
  CHECK(checkpoint.notes().empty());
  for (std::size_t i = 0; i < expected.linear_layers.size(); ++i) {
    CHECK(std::equal(expected.linear_layers[i].mixer.dt_bias, expected.linear_layers[i].mixer.dt_bias + 4,
                     found.linear_layers[i].mixer.dt_bias));
  }
  CHECK(unfit([&](GgufParts& p) {
          p.set("qwen35moe.attention.head_count_kv", GgufType::array, numbers(GgufType::u32, {0, 1, 0, 2}));
        }) ==
        "m.gguf: qwen35moe.attention.head_count_kv: 1 and 2, expected the same number for all layers that have one");
  CHECK(unfit([&](GgufParts& p) {
          p.set("qwen35moe.attention.head_count", GgufType::array, numbers(GgufType::u32, {0, 0, 0, 0}));
        }) == differs + "attention.head_count: the file has 0, the type 4");
  CHECK(unfit([&](GgufParts& p) { p.set("qwen35moe.ssm.v_head_reordered", GgufType::boolean, untruth); }) ==
        "m.gguf: qwen35moe.ssm.v_head_reordered: false, expected true: value heads in tiled order");
  CHECK(unfit([&](GgufParts& p) {
          p.set("qwen35moe.rope.mrope_interleaved", GgufType::boolean, untruth);
        }).starts_with("m.gguf: qwen35moe.rope.mrope_interleaved: false, expected true"));
  CHECK(unfit([&](GgufParts& p) {
          p.set("qwen35moe.norm_top_k_prob", GgufType::boolean, untruth);
        }).starts_with("m.gguf: qwen35moe.norm_top_k_prob: false, expected true"));
}

TEST_CASE("vectors in blocks, whose values would be rows of one, are refused") {
  for (const std::uint32_t type : {2u, 8u}) {  // Q4_0, Q8_0
    const Bytes file = with(shapes(), [&](GgufParts& p) {
      p.remove_tensor("blk.1.attn_norm.weight");
      p.tensor("blk.1.attn_norm.weight", {128}, type, Bytes(4 * (type == 2u ? 18 : 34)));
    });
    for (const Binding binding : {Binding::whole, Binding::look}) {
      const std::string said =
          message_of<CheckpointError>([&] { bind_text<configs::Shapes>(opened(file), Head::required, binding); });
      CHECK(said.find(concat("blk.1.attn_norm.weight: dtype ", type == 2u ? "Q4_0" : "Q8_0",
                             ", in blocks of 32 values, which do not divide rows of 1")) != std::string::npos);
    }
  }
}

TEST_CASE("names of parameters") {
  const Checkpoint checkpoint = Checkpoint::open(data + "c25.gguf");
  const GgufDialect text(checkpoint, ModelPart::text), vision(checkpoint, ModelPart::vision);
  const std::pair<const char*, const char*> names[] = {
      {"embed_tokens.weight", "token_embd.weight"},
      {"norm.weight", "output_norm.weight"},
      {"lm_head.weight", "output.weight"},
      {"layers.2.input_layernorm.weight", "blk.2.attn_norm.weight"},
      {"layers.0.linear_attn.A_log", "blk.0.ssm_a"},
      {"layers.0.linear_attn.dt_bias", "blk.0.ssm_dt.bias"},
      {"layers.10.self_attn.o_proj.weight", "blk.10.attn_output.weight"},
      {"layers.1.mlp.experts.down_proj", "blk.1.ffn_down_exps.weight"}};
  for (const auto& [reference, file] : names) {
    CHECK(text.file_name(reference) == file);
  }
  CHECK(vision.file_name("patch_embed.proj.bias") == "v.patch_embd.bias");
  CHECK(vision.file_name("blocks.3.mlp.linear_fc2.weight") == "v.blk.3.ffn_down.weight");
  CHECK(vision.file_name("merger.linear_fc1.bias") == "mm.0.bias");
  // The block behind the three layers predicts further tokens.
  CHECK(text.passes_over("blk.3.nextn.eh_proj.weight"));
  CHECK(text.passes_over("blk.3.attn_norm.weight"));
  CHECK(!text.passes_over("blk.4.attn_norm.weight"));  // one that does nothing is a note
  CHECK(!text.passes_over("blk.2.attn_norm.weight"));
  CHECK(!text.passes_over("blk.x.attn_norm.weight"));
  CHECK(text.passes_over("v.post_ln.bias"));
  CHECK(vision.passes_over("blk.2.attn_norm.weight"));
  CHECK(!vision.passes_over("mm.0.bias"));
  CHECK(text.tiled_value_heads());
  CHECK(dialect_of(checkpoint, ModelPart::text)->file_name("norm.weight") == "output_norm.weight");
}
