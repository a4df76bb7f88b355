// SPDX-License-Identifier: Apache-2.0
// A checkpoint: config.json and the tensors of one or more safetensors files, on disk or in memory.
#pragma once

#include <qwen35/io/mapped_file.hpp>
#include <qwen35/weights/safetensors.hpp>

#include <functional>
#include <initializer_list>
#include <memory>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>

QWEN35_BEGIN_NAMESPACE

// A file given as bytes, for example one embedded in the program. The bytes must outlive the checkpoint and every model
// made from it.
struct NamedBytes {
  std::string_view name;
  std::span<const std::byte> bytes;
};

// Told the bytes of the weight files that are in memory (or left to be read as they are used), of all their bytes. Must
// not throw.
using LoadProgress = std::function<void(std::size_t done, std::size_t total)>;

class Checkpoint {
 public:
  // A folder with config.json and model.safetensors, or the shards that model.safetensors.index.json names. Raises
  // ConfigError for JSON that is not well formed in config.json or generation_config.json, CheckpointError for
  // everything else.
  static Checkpoint open(const std::string& folder, const LoadProgress& progress = {}) {
    Checkpoint out;
    out.folder_ = folder;
    require<CheckpointError>(path_exists(folder), folder, ": no such folder");
    for (const char* const name : side_files) {
      const std::string path = folder + "/" + name;
      if (path_exists(path)) {
        out.side_.emplace_back(name, out.map(path));
      }
    }
    out.read_configs(folder + "/");
    const std::string whole = folder + "/model.safetensors";
    const std::string index = folder + "/model.safetensors.index.json";
    if (path_exists(whole)) {
      out.add(out.map(whole, progress, 0, PlainFile<CheckpointError>(whole).size()), whole);
    } else {
      require<CheckpointError>(path_exists(index), folder,
                               ": neither model.safetensors nor model.safetensors.index.json");
      out.add_shards(index, progress);
    }
    return out;
  }

  // Files in memory: "config.json", any number whose names end in ".safetensors", and others (generation_config.json,
  // tokenizer.json, ...) that file() gives back. Raises the same errors.
  static Checkpoint from_bytes(std::span<const NamedBytes> files) {
    Checkpoint out;
    for (const NamedBytes& given : files) {
      require<CheckpointError>(!out.has_file(given.name), "checkpoint: two files are called ", given.name);
      out.side_.emplace_back(given.name, given.bytes);
    }
    out.read_configs("");
    bool weights = false;
    for (const NamedBytes& given : files) {
      if (given.name.ends_with(".safetensors")) {
        weights = true;
        out.add(given.bytes, std::string(given.name));
      }
    }
    require<CheckpointError>(weights, "checkpoint: no file among the given ones ends in .safetensors");
    return out;
  }
  static Checkpoint from_bytes(std::initializer_list<NamedBytes> files) {
    return from_bytes(std::span(files.begin(), files.size()));
  }

  const json::Value& config() const { return config_; }
  const json::Value& generation_config() const { return generation_config_; }  // null when there is none
  const std::string& folder() const { return folder_; }                        // empty for a checkpoint in memory

  // A file beside the weights. On disk: config.json, generation_config.json, tokenizer.json, tokenizer_config.json,
  // chat_template.jinja and the processors' configs; in memory: every file given. Its bytes live as long as owner().
  bool has_file(std::string_view name) const { return find_file(name) != nullptr; }
  // Raises CheckpointError when there is no such file.
  std::span<const std::byte> file(std::string_view name) const {
    const std::pair<std::string, std::span<const std::byte>>* const found = find_file(name);
    require<CheckpointError>(found != nullptr, folder_.empty() ? "checkpoint" : folder_, ": no file ", name);
    return found->second;
  }
  std::string_view text(std::string_view name) const { return as_text(file(name)); }

  // In the order of the files.
  std::span<const TensorInfo> tensors() const { return tensors_; }
  // The tensor of that name, or null.
  const TensorInfo* find(const std::string& name) const {
    const auto found = by_name_.find(name);
    return found == by_name_.end() ? nullptr : &tensors_[found->second];
  }
  // Keeps mapped files alive as long as somebody looks at their bytes.
  std::shared_ptr<const void> owner() const { return files_; }

 private:
  using Files = std::vector<MappedFile>;

  static constexpr const char* side_files[] = {"config.json",
                                               "generation_config.json",
                                               "tokenizer.json",
                                               "tokenizer_config.json",
                                               "chat_template.jinja",
                                               "preprocessor_config.json",
                                               "video_preprocessor_config.json",
                                               "processor_config.json"};

  static std::string_view as_text(std::span<const std::byte> bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }

  template <class E>
  static json::Value parse(std::span<const std::byte> bytes, const std::string& source) {
    json::detail::Builder builder;
    const json::ReadResult result = json::try_read(as_text(bytes), builder);
    require<E>(result.ok, source, ": ", result.problem);
    return builder.take();
  }

  const std::pair<std::string, std::span<const std::byte>>* find_file(std::string_view name) const {
    for (const auto& entry : side_) {
      if (entry.first == name) {
        return &entry;
      }
    }
    return nullptr;
  }
  std::span<const std::byte> map(const std::string& path, const LoadProgress& progress = {}, std::size_t before = 0,
                                 std::size_t total = 0) {
    if (progress) {
      files_->emplace_back(path, [&](std::size_t done) { progress(before + done, total); });
    } else {
      files_->emplace_back(path);
    }
    return files_->back().bytes();
  }
  void read_configs(const std::string& prefix) {
    config_ = parse<ConfigError>(file("config.json"), prefix + "config.json");
    if (has_file("generation_config.json")) {
      generation_config_ = parse<ConfigError>(file("generation_config.json"), prefix + "generation_config.json");
    }
  }
  void add(std::span<const std::byte> bytes, const std::string& source) {
    std::vector<TensorInfo> found = read_safetensors(bytes, source);
    tensors_.reserve(tensors_.size() + found.size());
    for (TensorInfo& tensor : found) {
      const auto [place, fresh] = by_name_.try_emplace(tensor.name, tensors_.size());
      require<CheckpointError>(fresh, source, ": tensor \"", tensor.name, "\" is also in ",
                               fresh ? source : tensors_[place->second].file);
      tensors_.push_back(std::move(tensor));
    }
  }
  // The index: {"weight_map": {tensor: file, ...}}, files of the same folder. Every tensor must be in the file that the
  // map gives for it.
  void add_shards(const std::string& index, const LoadProgress& progress) {
    const json::Value root = parse<CheckpointError>(map(index), index);
    const json::Value* const weight_map = root.find("weight_map");
    require<CheckpointError>(weight_map != nullptr && weight_map->is_object() && weight_map->size() > 0, index,
                             ": expected an object \"weight_map\" from tensors to files");
    std::unordered_set<std::string> shards;
    std::string missing_files;
    std::size_t total = 0, before = 0;
    if (progress) {
      for (const auto& [tensor, shard] : weight_map->members()) {
        if (shard.is_string() && is_plain_name(shard.as_string()) && shards.insert(shard.as_string()).second) {
          const std::string path = folder_ + "/" + shard.as_string();
          total += path_exists(path) ? PlainFile<CheckpointError>(path).size() : 0;
        }
      }
      shards.clear();
    }
    for (const auto& [tensor, shard] : weight_map->members()) {
      require<CheckpointError>(shard.is_string() && is_plain_name(shard.as_string()), index, ": tensor \"", tensor,
                               "\": expected the name of a file in the same folder");
      if (!shards.insert(shard.as_string()).second) {
        continue;
      }
      const std::string path = folder_ + "/" + shard.as_string();
      if (path_exists(path)) {
        const std::span<const std::byte> bytes = map(path, progress, before, total);
        before += bytes.size();
        add(bytes, path);
      } else {
        missing_files += "\n  " + shard.as_string();
      }
    }
    require<CheckpointError>(missing_files.empty(), index, ": files that do not exist:", missing_files);
    constexpr std::size_t shown = 50;
    std::string missing;
    std::size_t count = 0;
    for (const auto& [tensor, shard] : weight_map->members()) {
      const TensorInfo* const found = find(tensor);
      if ((found == nullptr || found->file != folder_ + "/" + shard.as_string()) && count++ < shown) {
        missing += "\n  " + tensor + " (in " + shard.as_string() + ")";
      }
    }
    require<CheckpointError>(count == 0, index, ": tensors that are not where the index says:", missing,
                             count > shown ? concat("\n  and ", count - shown, " more") : std::string());
  }
  static bool is_plain_name(const std::string& name) {
    return !name.empty() && name != "." && name != ".." &&
           name.find_first_of(std::string_view("/\\\0", 3)) == std::string::npos;
  }

  std::string folder_;
  json::Value config_;
  json::Value generation_config_;
  std::vector<std::pair<std::string, std::span<const std::byte>>> side_;
  std::vector<TensorInfo> tensors_;
  std::unordered_map<std::string, std::size_t> by_name_;
  std::shared_ptr<Files> files_ = std::make_shared<Files>();
};

QWEN35_END_NAMESPACE
