// SPDX-License-Identifier: Apache-2.0
// Bodies of Checkpoint.
#pragma once

#include <qwen35/weights/checkpoint.hpp>

#if QWEN35_BODIES
#include <qwen35/config/config_file.hpp>
#include <qwen35/core/log.hpp>
#include <qwen35/json/parse.hpp>
#include <qwen35/weights/model_files.hpp>

#include <algorithm>
#include <mutex>
#include <string_view>
#include <unordered_set>

QWEN35_BEGIN_NAMESPACE

namespace detail {

// Where the tensors of a safetensors file begin, if it is one.
inline std::size_t safetensors_data(const std::string& path) {
  std::byte length[8]{};
  PlainFile<CheckpointError> file(path);
  file.read_some(length);
  std::size_t out = sizeof(length);
  for (std::size_t i = 0; i < sizeof(length); ++i) {
    out += static_cast<std::size_t>(length[i]) << (8 * i);
  }
  return out;
}

// Are weights quantised in another way than FP8, whose bytes stay as they are?
QWEN35_BODY bool has_integers(const json::Value& config) {
  const json::Value* const quantised = config.find("quantization_config");
  const json::Value* const method = quantised == nullptr ? nullptr : quantised->find("quant_method");
  const json::Value* const inner = quantised == nullptr ? nullptr : quantised->find("quantization");
  const json::Value* const algorithm =
      quantised == nullptr ? nullptr : (inner == nullptr ? quantised : inner)->find("quant_algo");
  const bool is_fp8 = (method != nullptr && *method == "fp8") || (algorithm != nullptr && *algorithm == "FP8");
  return (quantised != nullptr && !is_fp8) || config.find("quantization") != nullptr;
}

QWEN35_BODY void refuse_mmproj(const CheckpointOptions& options, const std::string& name) {
  if (options.mmproj) {
    decline<InputError>(concat(name, ": CheckpointOptions::mmproj (--mmproj) is given, which is for the ",
                               "picture tower of a GGUF file; others have it among their own tensors"));
  }
}

}  // namespace detail

struct Checkpoint::Notes {
  std::mutex mutex;
  std::vector<std::string> list;
};

QWEN35_BODY Checkpoint::Checkpoint(ModelFolder files, const CheckpointOptions& options)
    : files_(std::move(files)),
      strict_(options.strict),
      dtype_(options.dtype),
      weights_(std::make_shared<WeightFiles>(options.load, options.progress)),
      notes_(std::make_shared<Notes>()) {}

QWEN35_BODY Checkpoint Checkpoint::open(const std::string& folder, const LoadProgress& progress) {
  return open(folder, CheckpointOptions{.progress = progress});
}

QWEN35_BODY Result<Checkpoint> Checkpoint::try_open(const std::string& folder, const CheckpointOptions& options) {
  return attempt([&] { return open(folder, options); });
}

QWEN35_BODY Result<Checkpoint> Checkpoint::try_from_bytes(std::span<const NamedBytes> files,
                                                          const CheckpointOptions& options) {
  return attempt([&] { return from_bytes(files, options); });
}

QWEN35_BODY Result<Checkpoint> Checkpoint::try_from_bytes(std::initializer_list<NamedBytes> files,
                                                          const CheckpointOptions& options) {
  return try_from_bytes(std::span<const NamedBytes>(files.begin(), files.size()), options);
}

QWEN35_BODY std::string_view Checkpoint::text(std::string_view name) const {
  return files_.text(name);
}

QWEN35_BODY std::span<const std::byte> Checkpoint::file(std::string_view name) const {
  return std::as_bytes(std::span<const char>(text(name)));
}

QWEN35_BODY Checkpoint Checkpoint::open(const std::string& folder, const CheckpointOptions& options) {
  const ModelFileKind kind = model_file_kind(folder);
  if (kind == ModelFileKind::gguf) {
    return open_gguf(folder, options).logged();
  }
  detail::refuse_mmproj(options, folder);
  if (kind == ModelFileKind::packed) {
    const auto weights = std::make_shared<WeightFiles>(options.load, options.progress);
    weights->expect({&folder, 1});
    std::shared_ptr<Notes> notes;
#if QWEN35_HAS_MMAP
    if (!declined() && (weights->reads() || options.check)) {
      const MappedFile file = MappedFile::as_used(folder);
      notes = of_packed(read_packed(file.bytes(), folder), weights, options).accepted(options).notes_;
    }
#endif
    if (declined()) {
      return Checkpoint(ModelFolder::made({}), options);
    }
    return of_packed(read_packed(weights->add(folder), folder), weights, options).accepted(options, notes).logged();
  }
  Checkpoint out(ModelFolder(folder), options);
  if (!path_exists(folder)) {
    decline<CheckpointError>(nothing_at(folder));
  }
  refuse_other_file(folder);
  if (declined() || !out.read_configs() || !out.is_accepted(options)) {
    return out;
  }
  // Integers are laid out anew when a model is bound: read, they would be there twice.
  if (options.load == LoadMode::automatic && detail::has_integers(out.config_)) {
    out.weights_ = std::make_shared<WeightFiles>(LoadMode::map, options.progress);
  }
  if (out.has_file(whole_name)) {
    const std::string path = out.files_.place(whole_name);
    if (!out.expect({&path, 1})) {
      return out;
    }
    out.add(out.weights_->add(path, detail::safetensors_data(path)), path);
  } else if (holds<CheckpointError>(out.has_file(index_name), out.folder(), ": neither ", whole_name, " nor ",
                                    index_name)) {
    out.add_shards();
  }
  return std::move(out).logged();
}

QWEN35_BODY Checkpoint Checkpoint::from_bytes(std::span<const NamedBytes> files, const CheckpointOptions& options) {
  detail::refuse_mmproj(options, "checkpoint");
  std::vector<GgufFile> parts;
  for (const NamedBytes& given : files) {
    const ModelFileKind kind = model_file_kind(given.bytes, given.name);
    if (kind == ModelFileKind::packed) {
      return of_packed(read_packed(given.bytes, std::string(given.name)), std::make_shared<WeightFiles>(), options)
          .accepted(options);
    }
    if (kind == ModelFileKind::gguf) {
      parts.push_back(read_gguf(given.bytes, std::string(given.name)));
    }
  }
  if (!parts.empty()) {
    return of_gguf(std::move(parts), std::make_shared<WeightFiles>(), options).accepted(options);
  }
  Checkpoint out(ModelFolder::from_bytes(files), options);
  if (declined() || !out.read_configs() || !out.is_accepted(options)) {
    return out;
  }
  bool weights = false;
  for (const NamedBytes& given : files) {
    if (given.name.ends_with(".safetensors")) {
      weights = true;
      out.add(given.bytes, std::string(given.name));
    }
  }
  if (!weights) {
    decline<CheckpointError>("checkpoint: no file among the given ones ends in .safetensors");
  }
  return out;
}

QWEN35_BODY const TensorInfo* Checkpoint::find(const std::string& name) const {
  const auto found = by_name_.find(name);
  return found == by_name_.end() ? nullptr : &tensors_[found->second];
}

QWEN35_BODY std::vector<std::string> Checkpoint::notes() const {
  const std::lock_guard<std::mutex> lock(notes_->mutex);
  return notes_->list;
}

QWEN35_BODY void Checkpoint::note(std::string text) const {
  if (!holds<CheckpointError>(!strict_, text)) {
    return;
  }
  text = shown_message(text);  // names are the file's
  log(LogLevel::warning, text);
  const std::lock_guard<std::mutex> lock(notes_->mutex);
  notes_->list.push_back(std::move(text));
}

QWEN35_BODY Checkpoint Checkpoint::open_gguf(const std::string& path, const CheckpointOptions& options) {
  const auto [paths, passed_over] = gguf_paths(path, options.mmproj);
  const auto weights = std::make_shared<WeightFiles>(options.load, options.progress);
  weights->expect(paths);
  std::vector<std::size_t> data(paths.size());  // where the tensors begin
  std::shared_ptr<Notes> notes;
  const auto made = [&, &passed_over = passed_over](std::vector<GgufFile> parts) {
    Checkpoint out = of_gguf(std::move(parts), weights, options);
    if (!passed_over.empty()) {
      out.passed_over_.push_back(passed_over);
    }
    return std::move(out).accepted(options, notes);
  };
#if QWEN35_HAS_MMAP
  if (!declined() && (weights->reads() || options.check)) {
    std::vector<MappedFile> maps;
    std::vector<GgufFile> parts;
    for (std::size_t i = 0; i < paths.size() && !declined(); ++i) {
      maps.push_back(MappedFile::as_used(paths[i]));
      parts.push_back(read_gguf(maps[i].bytes(), paths[i]));
      const std::vector<TensorInfo>& tensors = parts[i].tensors;
      data[i] = tensors.empty() ? 0 : static_cast<std::size_t>(tensors[0].bytes.data() - maps[i].bytes().data());
    }
    if (!declined() && options.check) {
      notes = made(std::move(parts)).notes_;
    }
  }
#endif
  std::vector<GgufFile> parts;
  for (std::size_t i = 0; i < paths.size() && !declined(); ++i) {
    parts.push_back(read_gguf(weights->add(paths[i], data[i]), paths[i]));
  }
  return made(std::move(parts));
}

QWEN35_BODY Checkpoint Checkpoint::of_gguf(std::vector<GgufFile> parts, const std::shared_ptr<WeightFiles>& weights,
                                           const CheckpointOptions& options) {
  const auto model = std::make_shared<const GgufModel>(declined() ? GgufModel() : join_gguf(std::move(parts)));
  Checkpoint out(declined() ? ModelFolder::made({}) : gguf_model_folder(model, weights), options);
  out.gguf_ = true;
  out.weights_ = weights;
  if (declined() || !out.read_configs()) {
    return out;
  }
  for (const std::optional<GgufFile>* const file : {&model->text, &model->vision}) {
    for (std::size_t i = 0; *file && i < (*file)->tensors.size(); ++i) {
      out.add((*file)->tensors[i]);
    }
  }
  return out;
}

QWEN35_BODY Checkpoint Checkpoint::of_packed(PackedFile file, const std::shared_ptr<WeightFiles>& weights,
                                             const CheckpointOptions& options) {
  const auto packed = std::make_shared<const PackedFile>(std::move(file));
  Checkpoint out(packed_model_folder(packed, weights), options);
  out.gguf_ = packed->gguf;
  out.packed_ = packed;
  out.weights_ = weights;
  if (declined() || !out.read_configs()) {
    return out;
  }
  for (const TensorInfo& tensor : packed->tensors) {
    out.add(tensor);
  }
  return out;
}

QWEN35_BODY Checkpoint Checkpoint::logged() && {
  if (has_log_callback()) {
    log(LogLevel::info, name(), ": ", loading().text());
  }
  return std::move(*this);
}

template <class E>
json::Value Checkpoint::parse(std::string_view name) {
  json::Builder builder;
  const json::ReadResult result = json::try_read(text(name), builder);
  if (declined() || !holds<E>(result.ok, files_.place(name), ": ", result.problem)) {
    return {};
  }
  if (builder.repeated().count > 0) {
    passed_over_.push_back(concat(files_.place(name), ": of keys that stand there more than once the last counts: ",
                                  builder.repeated().text(", ", 10)));
  }
  return builder.take();
}

QWEN35_BODY bool Checkpoint::read_configs() {
  config_ = parse<ConfigError>("config.json");
  if (const std::string unheeded = unheeded_interval(config_); !unheeded.empty()) {
    passed_over_.push_back(concat(files_.place("config.json"), ": ", unheeded));
  }
  // ModelOpt says in a file of its own how weights are quantised, and in config.json too or not.
  if (config_.is_object() && config_.find("quantization_config") == nullptr && has_file("hf_quant_config.json")) {
    json::Value quantised = parse<ConfigError>("hf_quant_config.json");
    if (quantised.is_object() && quantised.find("quant_method") == nullptr) {
      quantised["quant_method"] = "modelopt";
    }
    config_["quantization_config"] = std::move(quantised);
  }
  if (has_file("generation_config.json")) {
    generation_config_ = parse<ConfigError>("generation_config.json");
  }
  return !declined();
}

QWEN35_BODY void Checkpoint::note_passed_over() {
  for (std::string& text : std::exchange(passed_over_, {})) {
    note(std::move(text));
  }
}

QWEN35_BODY bool Checkpoint::is_accepted(const CheckpointOptions& options) {
  note_passed_over();
  if (options.check && !declined()) {
    options.check(*this);
  }
  return !declined();
}

QWEN35_BODY Checkpoint Checkpoint::accepted(const CheckpointOptions& options, std::shared_ptr<Notes> notes) && {
  if (notes != nullptr) {
    notes_ = std::move(notes);
  } else {
    is_accepted(options);
  }
  return std::move(*this);
}

QWEN35_BODY bool Checkpoint::expect(std::span<const std::string> paths) {
  weights_->expect(paths);
#if QWEN35_HAS_MMAP
  for (std::size_t i = 0; i < paths.size() && !declined(); ++i) {
    read_safetensors(MappedFile::as_used(paths[i]).bytes(), paths[i]);
  }
#endif
  return !declined();
}

QWEN35_BODY void Checkpoint::add(std::span<const std::byte> bytes, const std::string& source) {
  for (TensorInfo& tensor : read_safetensors(bytes, source)) {
    add(std::move(tensor));
  }
}

QWEN35_BODY void Checkpoint::add(TensorInfo tensor) {
  const TensorInfo* const other = find(tensor.name);
  if (!holds<CheckpointError>(other == nullptr, tensor.file, ": tensor \"", shortened(tensor.name), "\" is also in ",
                              other == nullptr ? tensor.file : other->file)) {
    return;
  }
  by_name_.emplace(tensor.name, tensors_.size());
  tensors_.push_back(std::move(tensor));
}

QWEN35_BODY void Checkpoint::add_shard(std::span<const std::byte> bytes, const std::string& source,
                                       const std::string& shard,
                                       const std::unordered_map<std::string_view, std::string>& shard_of) {
  NameList copies, unnamed;
  for (TensorInfo& tensor : read_safetensors(bytes, source)) {
    const auto place = shard_of.find(tensor.name);
    if (place == shard_of.end()) {
      unnamed.add(tensor.name);
    } else if (place->second != shard) {
      copies.add(tensor.name);
    } else {
      by_name_.emplace(tensor.name, tensors_.size());
      tensors_.push_back(std::move(tensor));
    }
  }
  if (copies.count > 0) {
    note(concat(source, ": passed over, because the index reads them from another file: ", copies.text()));
  }
  if (unnamed.count > 0) {
    note(concat(source, ": passed over, because the index does not name them: ", unnamed.text()));
  }
}

QWEN35_BODY void Checkpoint::add_shards() {
  const std::string index = files_.place(index_name);
  const json::Value root = parse<CheckpointError>(index_name);
  note_passed_over();
  const json::Value* const weight_map = root.find("weight_map");
  if (declined() || !holds<CheckpointError>(weight_map != nullptr && weight_map->is_object() && weight_map->size() > 0,
                                            index, ": expected an object \"weight_map\" from tensors to files")) {
    return;
  }
  std::unordered_map<std::string_view, std::string> shard_of;
  std::vector<std::string> shards;
  std::unordered_set<std::string> known;
  for (const auto& [tensor, shard] : weight_map->members()) {
    std::string name = shard.is_string() ? shard.as_string() : std::string();
    while (name.starts_with("./")) {
      name.erase(0, 2);
    }
    if (!holds<CheckpointError>(is_plain_name(name), index, ": tensor \"", shortened(tensor),
                                "\": expected the name of a file in the same folder")) {
      return;
    }
    if (known.insert(name).second) {
      shards.push_back(name);
    }
    shard_of.emplace(tensor, std::move(name));
  }
  NameList missing_files;
  std::vector<std::string> paths;
  for (const std::string& shard : shards) {
    if (!has_file(shard)) {
      missing_files.add(shard);
    }
    paths.push_back(files_.place(shard));
  }
  if (!holds<CheckpointError>(
          missing_files.count == 0, index, ": ", missing_files.count, " of the ", shards.size(),
          " files that it names do not exist, the download is incomplete: ", missing_files.text(", ", 3))) {
    return;
  }
  expect(paths);
  for (std::size_t i = 0; i < shards.size() && !declined(); ++i) {
    add_shard(weights_->add(paths[i], detail::safetensors_data(paths[i])), paths[i], shards[i], shard_of);
  }
  NameList missing;
  for (const auto& [tensor, shard] : weight_map->members()) {
    if (find(tensor) == nullptr) {
      missing.add(concat(tensor, " (in ", shard_of.at(tensor), ")"));
    }
  }
  if (!declined() && missing.count > 0) {
    decline<CheckpointError>(concat(index, ": tensors that are not where the index says:\n  ", missing.text("\n  ")));
  }
}

QWEN35_BODY bool Checkpoint::is_plain_name(const std::string& name) {
  return !name.empty() && name != "." && name != ".." &&
         name.find_first_of(std::string_view("/\\\0", 3)) == std::string::npos;
}

QWEN35_END_NAMESPACE
#endif  // QWEN35_BODIES
