// SPDX-License-Identifier: Apache-2.0
// A checkpoint: config.json and the tensors of one or more safetensors files, a GGUF file or a packed file; on disk or
// in memory.
#pragma once

#include <qwen35/core/lifetime.hpp>
#include <qwen35/core/name_list.hpp>
#include <qwen35/core/result.hpp>
#include <qwen35/io/model_folder.hpp>
#include <qwen35/weights/safetensors.hpp>
#include <qwen35/weights/weight_files.hpp>

#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

QWEN35_BEGIN_NAMESPACE

class Checkpoint;
struct GgufFile;
struct PackedFile;  // packed.hpp

// How a checkpoint is opened.
struct CheckpointOptions {
  LoadProgress progress{};
  // Tensors that nothing reads (left over from training, copies in other shards), and all else that stands in notes(),
  // are an error instead of a note.
  bool strict = false;
  // The format in which models take every tensor, rounded to the nearest even value; one that the file has in another
  // is then in memory of its own. Vectors, see vector_format(). None: each as the file has it.
  std::optional<Format> dtype{};
  // The picture tower of a GGUF file: its path; none: the first that stands beside it and fits, see gguf_paths(); "":
  // without. For GGUF files alone.
  std::optional<std::string> mmproj{};
  // How the weight files come into memory, see loading() for what that gave.
  LoadMode load = LoadMode::automatic;
  // Called when the configs are read and, where files are mapped, no weight is: the checkpoint has its config, files
  // and notes, and its tensors are not to be looked at. Neither it nor what it gives may be kept. What it raises leaves
  // open().
  std::function<void(const Checkpoint& checkpoint)> check{};
};

class Checkpoint {
 public:
  // A folder with config.json and model.safetensors, or the shards that model.safetensors.index.json names. The index
  // decides which file a tensor is read from: copies in other shards and tensors that it does not name are passed over
  // and stand in notes(). Or a GGUF file, with the other files that the model is split into; or a packed file. Files
  // are told by their first bytes. Raises ConfigError for JSON that is not well formed in config.json or
  // generation_config.json and for metadata that describe no model, InputError for options that have no meaning here,
  // CheckpointError for everything else.
  static Checkpoint open(const std::string& folder, const CheckpointOptions& options);
  static Checkpoint open(const std::string& folder, const LoadProgress& progress = {});
  // The same, with what open() would raise as a failure.
  static Result<Checkpoint> try_open(const std::string& folder, const CheckpointOptions& options = {});

  // Files in memory: "config.json", any number whose names end in ".safetensors", and others (generation_config.json,
  // tokenizer.json, ...) that file() gives back. Or those of a model in GGUF, in the order of its parts and with its
  // picture tower; or one packed file. Raises the same errors.
  static Checkpoint from_bytes(std::span<const NamedBytes> files, const CheckpointOptions& options = {});
  static Checkpoint from_bytes(std::initializer_list<NamedBytes> files, const CheckpointOptions& options = {}) {
    return from_bytes(std::span<const NamedBytes>(files.begin(), files.size()), options);
  }
  static Result<Checkpoint> try_from_bytes(std::span<const NamedBytes> files, const CheckpointOptions& options = {});
  static Result<Checkpoint> try_from_bytes(std::initializer_list<NamedBytes> files,
                                           const CheckpointOptions& options = {});

  const json::Value& config() const QWEN35_LIFETIMEBOUND { return config_; }
  // Null when there is none.
  const json::Value& generation_config() const QWEN35_LIFETIMEBOUND { return generation_config_; }
  const std::string& folder() const QWEN35_LIFETIMEBOUND {
    return files_.folder();
  }                                                   // empty for a checkpoint in memory or in one file
  std::string name() const { return files_.name(); }  // of the folder or file, for messages
  bool is_gguf() const { return gguf_; }              // also a packed one that was made from GGUF
  // What read_packed() says of a packed file, else null.
  const PackedFile* packed() const { return packed_.get(); }

  // The files beside the weights: what Tokenizer, Processor and others are made from.
  const ModelFolder& files() const QWEN35_LIFETIMEBOUND { return files_; }
  bool has_file(std::string_view name) const { return files_.has_file(name); }
  // Raises CheckpointError when there is no such file. The bytes live as long as files() or a copy of it.
  std::string_view text(std::string_view name) const QWEN35_LIFETIMEBOUND;
  std::span<const std::byte> file(std::string_view name) const QWEN35_LIFETIMEBOUND;

  // In the order of the files.
  std::span<const TensorInfo> tensors() const QWEN35_LIFETIMEBOUND { return {tensors_.data(), tensors_.size()}; }
  // The tensor of that name, or null.
  const TensorInfo* find(const std::string& name) const QWEN35_LIFETIMEBOUND;
  // Keeps the weight files' bytes alive as long as somebody looks at them.
  std::shared_ptr<const void> owner() const { return weights_; }
  // What bringing the weight files into memory gave. It is logged too. Nothing for files that were given as bytes.
  LoadReport loading() const { return weights_->report(); }

  bool strict() const { return strict_; }
  std::optional<Format> dtype() const { return dtype_; }
  // What was passed over while the files were read and models bound, in words for the user; copies of a checkpoint
  // share them.
  std::vector<std::string> notes() const;
  // Something was passed over. Raises CheckpointError instead of noting it where the checkpoint was opened `strict`.
  void note(std::string text) const;

 private:
  struct Notes;

  static constexpr std::string_view whole_name = "model.safetensors";
  static constexpr std::string_view index_name = "model.safetensors.index.json";

  Checkpoint(ModelFolder files, const CheckpointOptions& options);

  static Checkpoint open_gguf(const std::string& path, const CheckpointOptions& options);
  static Checkpoint of_gguf(std::vector<GgufFile> parts, const std::shared_ptr<WeightFiles>& weights,
                            const CheckpointOptions& options);
  static Checkpoint of_packed(PackedFile file, const std::shared_ptr<WeightFiles>& weights,
                              const CheckpointOptions& options);
  template <class E>
  json::Value parse(std::string_view name);
  Checkpoint logged() &&;
  bool read_configs();                                 // false: declined
  bool is_accepted(const CheckpointOptions& options);  // false: declined
  void note_passed_over();
  // Asked with `options`, or with the notes of the same files that were asked of before.
  Checkpoint accepted(const CheckpointOptions& options, std::shared_ptr<Notes> notes = nullptr) &&;
  // What will be added; one that is cut is told of before any is read. False: declined.
  bool expect(std::span<const std::string> paths);
  void add(std::span<const std::byte> bytes, const std::string& source);
  void add(TensorInfo tensor);
  // The tensors that the index reads from this shard.
  void add_shard(std::span<const std::byte> bytes, const std::string& source, const std::string& shard,
                 const std::unordered_map<std::string_view, std::string>& shard_of);
  // The index: {"weight_map": {tensor: file, ...}}, files of the same folder. Every tensor must be in the file that the
  // map gives for it.
  void add_shards();
  static bool is_plain_name(const std::string& name);

  ModelFolder files_;
  bool strict_ = false;
  bool gguf_ = false;
  std::shared_ptr<const PackedFile> packed_;
  std::optional<Format> dtype_;
  json::Value config_;
  json::Value generation_config_;
  std::vector<TensorInfo> tensors_;
  std::unordered_map<std::string, std::size_t> by_name_;
  std::shared_ptr<WeightFiles> weights_;
  std::shared_ptr<Notes> notes_;
  std::vector<std::string> passed_over_;  // and not yet noted: files are read twice where they are asked of first
};

// M::from_pretrained(), with what it would raise as a failure.
template <class M>
Result<M> try_bind(const std::string& folder, const CheckpointOptions& options) {
  const Result<Checkpoint> checkpoint = Checkpoint::try_open(folder, options);
  if (!checkpoint) {
    return checkpoint.failure();
  }
  return attempt([&] { return M(checkpoint.value()); });
}

QWEN35_END_NAMESPACE

#include <qwen35/weights/checkpoint_impl.hpp>
