// SPDX-License-Identifier: Apache-2.0
#include <qwen35/json/parse.hpp>
#include <qwen35/weights/bind.hpp>
#include <qwen35/weights/save_checkpoint.hpp>

#include "small_models.hpp"
#include "text_tensors.hpp"

#include <doctest/doctest.h>

#include <filesystem>
#include <set>

using namespace qwen35;
using namespace weights_test;

namespace {

const Bytes config = bytes_of("{}");

struct SmallModel {
  std::vector<TestTensor> tensors;
  Bytes file;
  TextWeights<SmallText> weights;

  explicit SmallModel(std::uint32_t seed)
      : tensors(text_tensors<SmallText>({.root = "model."}, seed)),
        file(write_safetensors(tensors, 1)),
        weights(bind_text<SmallText>(Checkpoint::from_bytes({{"config.json", config}, {"m.safetensors", file}}))) {}
  void save(const std::string& folder, const SaveOptions& options = {},
            const std::vector<SideFile>& side_files = {}) const {
    json::Value written = json::Value::object();
    written["model_type"] = "qwen3_5_moe_text";
    save_checkpoint(folder, written, named_parameters(weights, HuggingFaceNames::of_causal_lm(), true), options,
                    side_files);
  }
};

std::set<std::string> files_in(const TempFolder& folder) {
  std::set<std::string> out;
  for (const auto& entry : std::filesystem::directory_iterator(folder.path())) {
    out.insert(entry.path().filename().string());
  }
  return out;
}

// The folder holds exactly the tensors of `model`, byte for byte.
void check_holds(const TempFolder& folder, const SmallModel& model) {
  const Checkpoint checkpoint = Checkpoint::open(folder.path(), CheckpointOptions{.strict = true});
  CHECK(checkpoint.tensors().size() == model.tensors.size());
  for (const TestTensor& tensor : model.tensors) {
    CAPTURE(tensor.name);
    const TensorInfo* const found = checkpoint.find(tensor.name);
    REQUIRE(found != nullptr);
    CHECK(found->dtype == tensor.dtype);
    CHECK(found->shape == tensor.shape);
    CHECK(Bytes(found->bytes.begin(), found->bytes.end()) == encode(tensor.values, tensor.dtype));
    CHECK(reinterpret_cast<std::uintptr_t>(found->bytes.data()) % (tensor.dtype == "F32" ? 4 : 2) == 0);
  }
}

}  // namespace

TEST_CASE("one file: what was read is written") {
  const TempFolder parent;
  const TempFolder folder;
  const SmallModel model(1);
  model.save(folder.path(), {}, {{"generation_config.json", "{}\n"}});
  CHECK(files_in(folder) == std::set<std::string>{"config.json", "generation_config.json", "model.safetensors"});
  check_holds(folder, model);
  const Checkpoint checkpoint = Checkpoint::open(folder.path());
  CHECK(checkpoint.config().at("model_type") == json::Value("qwen3_5_moe_text"));
  CHECK(checkpoint.config().at("dtype") == json::Value("bfloat16"));
  // A folder that is not there yet is made.
  model.save(parent.file("a/b"));
  CHECK(std::filesystem::exists(parent.file("a/b/model.safetensors")));
}

TEST_CASE("shards, and none of another count are left") {
  const TempFolder folder;
  const SmallModel first(1), second(2);
  folder.write("notes.txt", "mine");
  first.save(folder.path(), {.max_shard_size = 1000});
  std::set<std::string> files = files_in(folder);
  const std::size_t shards = files.size() - 3;  // beside the config, the index and the notes
  CHECK(shards > 3);
  CHECK(files.count("model.safetensors.index.json") == 1);
  CHECK(files.count(concat("model-00001-of-0000", shards, ".safetensors")) == 1);
  check_holds(folder, first);
  const json::Value index = json::parse(std::string_view(read_text_file(folder.file("model.safetensors.index.json"))));
  std::size_t total = 0;
  for (const TestTensor& tensor : first.tensors) {
    total += encode(tensor.values, tensor.dtype).size();
  }
  CHECK(index.at("metadata").at("total_size") == json::Value(total));
  CHECK(index.at("weight_map").size() == first.tensors.size());

  second.save(folder.path(), {.max_shard_size = 3000});
  CHECK(files_in(folder).size() < files.size());
  check_holds(folder, second);
  first.save(folder.path());
  CHECK(files_in(folder) == std::set<std::string>{"config.json", "model.safetensors", "notes.txt"});
  check_holds(folder, first);
  second.save(folder.path(), {.max_shard_size = 3000});
  CHECK(files_in(folder).count("model.safetensors") == 0);
  check_holds(folder, second);
  // A tensor above the limit has a file of its own.
  first.save(folder.path(), {.max_shard_size = 1});
  CHECK(files_in(folder).size() == first.tensors.size() + 3);
  check_holds(folder, first);
}

TEST_CASE("the limit of a shard holds") {
  std::vector<NamedParameter> parameters;
  const float values[64] = {};
  for (const std::size_t size : {10u, 20u, 30u, 64u, 1u, 1u}) {
    const Matrix matrix(reinterpret_cast<const std::byte*>(values), Format::f32, 1, size);
    parameters.push_back({concat("t", parameters.size()), {size}, Format::f32, {matrix}, nullptr});
  }
  const auto sizes = [&](std::size_t limit) {
    std::vector<std::size_t> out;
    for (const detail::Shard& shard : detail::shards_of(parameters, limit)) {
      out.push_back(shard.size());
    }
    return out;
  };
  CHECK(sizes(1000) == std::vector<std::size_t>{6});
  CHECK(sizes(240) == std::vector<std::size_t>{3, 1, 2});
  CHECK(sizes(239) == std::vector<std::size_t>{2, 1, 1, 2});
  CHECK(sizes(0) == std::vector<std::size_t>{1, 1, 1, 1, 1, 1});
}

TEST_CASE("what cannot be written leaves the folder as it was") {
  const TempFolder folder;
  const SmallModel first(1), second(2);
  first.save(folder.path());
  CHECK_THROWS_AS(second.save(folder.path(), {}, {{"no/such/place.json", ""}}), CheckpointError);
  CHECK(files_in(folder) == std::set<std::string>{"config.json", "model.safetensors"});
  check_holds(folder, first);
  CHECK_THROWS_AS(second.save(folder.file("config.json")), CheckpointError);
  CHECK_THROWS_AS(second.save(folder.file("config.json") + "/below"), CheckpointError);
  check_holds(folder, first);
}

TEST_CASE("a model is written over the files that it is a view of") {
  const TempFolder folder;
  const SmallModel model(1);
  model.save(folder.path());
  const auto weights = bind_text<SmallText>(Checkpoint::open(folder.path()));
  json::Value written = json::Value::object();
  save_checkpoint(folder.path(), written, named_parameters(weights, HuggingFaceNames::of_causal_lm(), true));
  check_holds(folder, model);
}
