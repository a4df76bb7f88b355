// SPDX-License-Identifier: Apache-2.0
// A checkpoint: config.json and the tensors of one or more safetensors files, on disk or in memory.
#pragma once

#include <qwen35/weights/mapped_file.hpp>
#include <qwen35/weights/safetensors.hpp>

#include <initializer_list>
#include <memory>
#include <string>
#include <unordered_map>

QWEN35_BEGIN_NAMESPACE

// A file given as bytes, for example one embedded in the program. The bytes must outlive the checkpoint and every model made from it.
struct NamedBytes {
  std::string_view name;
  std::span<const std::byte> bytes;
};

class Checkpoint {
 public:
  // A folder with config.json and model.safetensors, or the shards that model.safetensors.index.json names. Raises CheckpointError, ConfigError.
  static Checkpoint open(const std::string& folder) {
    Checkpoint out;
    out.folder_ = folder;
    out.set_config(out.map(folder + "/config.json"), folder + "/config.json");
    if (MappedFile::exists(folder + "/generation_config.json")) {
      out.generation_config_ = parse(out.map(folder + "/generation_config.json"), folder + "/generation_config.json");
    }
    const std::string index = folder + "/model.safetensors.index.json";
    if (MappedFile::exists(folder + "/model.safetensors")) {
      out.add(out.map(folder + "/model.safetensors"), folder + "/model.safetensors");
    } else if (MappedFile::exists(index)) {
      out.add_shards(folder, index);
    } else {
      raise<CheckpointError>(concat(folder, ": neither model.safetensors nor model.safetensors.index.json"));
    }
    return out;
  }

  // Files in memory: "config.json", if there "generation_config.json", and any number of names that end in ".safetensors"; others are ignored.
  static Checkpoint from_bytes(std::span<const NamedBytes> files) {
    Checkpoint out;
    bool config = false;
    for (const NamedBytes& file : files) {
      if (file.name == "config.json") {
        out.set_config(file.bytes, "config.json");
        config = true;
      } else if (file.name == "generation_config.json") {
        out.generation_config_ = parse(file.bytes, "generation_config.json");
      } else if (file.name.ends_with(".safetensors")) {
        out.add(file.bytes, std::string(file.name));
      }
    }
    require<CheckpointError>(config, "checkpoint: no config.json among the files");
    return out;
  }
  static Checkpoint from_bytes(std::initializer_list<NamedBytes> files) { return from_bytes(std::span(files.begin(), files.size())); }

  const json::Value& config() const { return config_; }
  const json::Value& generation_config() const { return generation_config_; }  // null when there is none
  const std::string& folder() const { return folder_; }  // empty for a checkpoint in memory
  std::span<const TensorInfo> tensors() const { return tensors_; }
  // The tensor of that name, or null.
  const TensorInfo* find(const std::string& name) const {
    const auto found = by_name_.find(name);
    return found == by_name_.end() ? nullptr : &tensors_[found->second];
  }
  // Keeps mapped files alive as long as somebody looks at their bytes.
  std::shared_ptr<const void> owner() const { return files_; }

 private:
  using Files = std::vector<std::unique_ptr<MappedFile>>;

  std::span<const std::byte> map(const std::string& path) {
    files_->push_back(std::make_unique<MappedFile>(path));
    return files_->back()->bytes();
  }
  void set_config(std::span<const std::byte> bytes, const std::string& source) {
    config_ = parse(bytes, source);
  }
  static json::Value parse(std::span<const std::byte> bytes, const std::string& source) {
    return json::parse({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, source);
  }
  void add(std::span<const std::byte> bytes, const std::string& source) {
    for (TensorInfo& tensor : read_safetensors(bytes, source)) {
      const auto [place, fresh] = by_name_.try_emplace(tensor.name, tensors_.size());
      require<CheckpointError>(fresh, source, ": tensor \"", tensor.name, "\" is also in ", fresh ? "" : tensors_[place->second].file);
      tensors_.push_back(std::move(tensor));
    }
  }
  void add_shards(const std::string& folder, const std::string& index) {
    const std::span<const std::byte> bytes = map(index);
    const json::Value root = parse(bytes, index);
    const json::Value* const weight_map = root.find("weight_map");
    require<CheckpointError>(weight_map != nullptr && weight_map->is_object(), index, ": no object \"weight_map\"");
    std::unordered_set<std::string> shards;
    for (const auto& [tensor, shard] : weight_map->members()) {
      require<CheckpointError>(shard.is_string() && !shard.as_string().empty() && shard.as_string().find('/') == std::string::npos &&
                                   shard.as_string().find('\\') == std::string::npos && shard.as_string() != "..",
                               index, ": tensor \"", tensor, "\": expected the name of a file in the same folder");
      if (shards.insert(shard.as_string()).second) {
        add(map(folder + "/" + shard.as_string()), folder + "/" + shard.as_string());
      }
    }
    std::string missing;
    for (const auto& [tensor, shard] : weight_map->members()) {
      const TensorInfo* const found = find(tensor);
      if ((found == nullptr || found->file != folder + "/" + shard.as_string()) && missing.size() < 4000) {
        missing += "\n  " + tensor + " (in " + shard.as_string() + ")";
      }
    }
    require<CheckpointError>(missing.empty(), index, ": tensors that are not where the index says:", missing);
  }

  std::string folder_;
  json::Value config_;
  json::Value generation_config_;
  std::vector<TensorInfo> tensors_;
  std::unordered_map<std::string, std::size_t> by_name_;
  std::shared_ptr<Files> files_ = std::make_shared<Files>();
};

QWEN35_END_NAMESPACE
