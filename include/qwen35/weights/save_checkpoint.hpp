// SPDX-License-Identifier: Apache-2.0
// A checkpoint folder is written: config.json and safetensors files that the reference loads.
#pragma once

#include <qwen35/io/file_writer.hpp>
#include <qwen35/io/folder.hpp>
#include <qwen35/json/dump.hpp>
#include <qwen35/kernels/kernels.hpp>
#include <qwen35/weights/named_parameters.hpp>
#include <qwen35/weights/safetensors.hpp>

#include <algorithm>
#include <array>
#include <iterator>
#include <span>
#include <string>
#include <utility>
#include <vector>

#if QWEN35_BODIES
#include <list>
#endif

QWEN35_BEGIN_NAMESPACE

struct SaveOptions {
  std::size_t max_shard_size = 5'000'000'000;  // bytes of tensors in one file; a larger tensor has one of its own
};

namespace detail {

using Shard = std::vector<const NamedParameter*>;

// In their order, as many as fit; inside a file wider values come first, so that each tensor is aligned to its values.
QWEN35_LAZY
std::vector<Shard> shards_of(const std::vector<NamedParameter>& parameters, std::size_t limit);

}  // namespace detail

// A text of a checkpoint folder beside its weights.
struct SideFile {
  std::string name;
  std::string text;
};

// generation_config.json, or nothing when it is null.
QWEN35_LAZY
std::vector<SideFile> generation_config_files(const json::Value& generation_config);

// Writes config.json, `side_files` and the parameters into `folder`, which is made when it is not there: one
// model.safetensors, or shards with an index. Everything is written under other names first, so a full disk leaves the
// folder as it was; then the old config.json goes, the new files take their places, shards of an earlier model go, and
// the new config.json comes last: a folder that a crash left half-way does not load, and never as a mixture. Raises
// CheckpointError.
QWEN35_LAZY
void save_checkpoint(const std::string& folder, json::Value config, const std::vector<NamedParameter>& parameters,
                     const SaveOptions& options = {}, const std::vector<SideFile>& side_files = {});

#if QWEN35_BODIES

namespace detail {

// Raises CheckpointError for a format that these files do not have.
template <class = void>
std::string written_dtype(Format format) {
  const std::string out = dtype_name(format);
  require<CheckpointError>(dtype_of(out) == format, "safetensors files have no format ", name(format));
  return out;
}

QWEN35_LAZY_BODY
std::vector<Shard> shards_of(const std::vector<NamedParameter>& parameters, std::size_t limit) {
  std::vector<Shard> shards(1);
  std::size_t size = 0;
  for (const NamedParameter& parameter : parameters) {
    const std::size_t bytes = parameter.bytes();
    if (!shards.back().empty() && bytes > limit - std::min(limit, size)) {
      shards.emplace_back();
      size = 0;
    }
    shards.back().push_back(&parameter);
    size += bytes;
  }
  for (Shard& shard : shards) {
    std::stable_sort(shard.begin(), shard.end(), [](const NamedParameter* a, const NamedParameter* b) {
      return row_bytes(a->format, 1) > row_bytes(b->format, 1);
    });
  }
  return shards;
}

// "model.safetensors", or "model-00002-of-00003.safetensors" for index 1 of 3.
std::string shard_name(std::size_t index, std::size_t count);

bool is_shard_name(std::string_view file);

template <class = void>
std::string safetensors_header(const Shard& shard) {
  json::Value header = json::Value::object();
  header["__metadata__"]["format"] = "pt";
  std::size_t offset = 0;
  for (const NamedParameter* const parameter : shard) {
    json::Value entry = json::Value::object();
    entry["dtype"] = written_dtype(parameter->format);
    for (const Matrix& piece : parameter->pieces) {
      require<CheckpointError>(piece.scales.empty() || piece.format != parameter->format, parameter->name,
                               ": a value of this model is a stored value times a factor beside it, which is not "
                               "written; open the checkpoint in another format (CheckpointOptions::dtype) to write it");
    }
    entry["shape"] = json::Value::array();
    for (std::size_t axis = 0; axis < parameter->shape.rank(); ++axis) {
      entry["shape"].push_back(parameter->shape[axis]);
    }
    entry["data_offsets"].push_back(offset);
    offset += parameter->bytes();
    entry["data_offsets"].push_back(offset);
    header.members().emplace_back(parameter->name, std::move(entry));
  }
  std::string text = json::dump(header);
  text.append((8 - text.size() % 8) % 8, ' ');
  return text;
}

template <class = void>
void write_shard(const Shard& shard, FileWriter<CheckpointError>& file) {
  const std::string header = safetensors_header(shard);
  std::array<std::byte, 8> length;
  for (std::size_t i = 0; i < length.size(); ++i) {
    length[i] = static_cast<std::byte>(std::uint64_t{header.size()} >> (8 * i));
  }
  file.write(length);
  file.write(header);
  for (const NamedParameter* const parameter : shard) {
    for (const Matrix& piece : parameter->pieces) {
      if (piece.format == parameter->format) {
        file.write(std::span(piece.data, piece.bytes()));
        continue;
      }
      std::vector<float> values(piece.cols);
      std::vector<std::byte> row(row_bytes(parameter->format, piece.cols));
      for (std::size_t i = 0; i < piece.rows; ++i) {
        kernels::decode_row({piece, i, values.data()});
        kernels::encode_row({parameter->format, values.data(), piece.cols, row.data()});
        file.write(row);
      }
    }
  }
}

template <class = void>
std::string shard_index(const std::vector<Shard>& shards) {
  json::Value index = json::Value::object();
  std::size_t total = 0;
  json::Value map = json::Value::object();
  for (std::size_t i = 0; i < shards.size(); ++i) {
    for (const NamedParameter* const parameter : shards[i]) {
      total += parameter->bytes();
      map.members().emplace_back(parameter->name, shard_name(i, shards.size()));
    }
  }
  index["metadata"]["total_size"] = total;
  index["weight_map"] = std::move(map);
  return json::dump(index) + "\n";
}

// The config's entry "dtype": of f32, f16 and bf16 the one of most bytes, as the reference calls it.
template <class = void>
std::string dtype_entry(const std::vector<NamedParameter>& parameters) {
  std::vector<std::size_t> bytes(format_count);
  for (const NamedParameter& parameter : parameters) {
    bytes[static_cast<std::size_t>(parameter.format)] += parameter.bytes();
  }
  Format most = Format::f32;
  for (const Format format : {Format::f16, Format::bf16}) {
    most = bytes[static_cast<std::size_t>(format)] > bytes[static_cast<std::size_t>(most)] ? format : most;
  }
  std::string out(name(most));
  return out.replace(out.find('f'), 1, "float");
}

QWEN35_BODY std::string shard_name(std::size_t index, std::size_t count) {
  if (count == 1) {
    return "model.safetensors";
  }
  return concat("model-", part_of_parts(index + 1, count), ".safetensors");
}

QWEN35_BODY bool is_shard_name(std::string_view file) {
  constexpr std::string_view form = "model-#####-of-#####.safetensors";
  return file.size() == form.size() && std::equal(file.begin(), file.end(), form.begin(), [](char have, char want) {
           return want == '#' ? have >= '0' && have <= '9' : have == want;
         });
}

}  // namespace detail

QWEN35_LAZY_BODY
std::vector<SideFile> generation_config_files(const json::Value& generation_config) {
  std::vector<SideFile> files;
  if (!generation_config.is_null()) {
    files.push_back({"generation_config.json", json::dump(generation_config) + "\n"});
  }
  return files;
}

QWEN35_LAZY_BODY
void save_checkpoint(const std::string& folder, json::Value config, const std::vector<NamedParameter>& parameters,
                     const SaveOptions& options, const std::vector<SideFile>& side_files) {
  const std::vector<detail::Shard> shards = detail::shards_of(parameters, options.max_shard_size);
  config["dtype"] = detail::dtype_entry(parameters);
  make_folders<CheckpointError>(folder);
  const auto path = [&](const std::string& name) { return folder + "/" + name; };

  std::vector<std::string> names;
  std::list<FileWriter<CheckpointError>> files;
  for (std::size_t i = 0; i < shards.size(); ++i) {
    names.push_back(detail::shard_name(i, shards.size()));
    detail::write_shard(shards[i], files.emplace_back(path(names.back())));
  }
  const auto write = [&](const std::string& name, const std::string& text) {
    names.push_back(name);
    files.emplace_back(path(name)).write(text);
  };
  constexpr const char* index_name = "model.safetensors.index.json";
  if (shards.size() > 1) {
    write(index_name, detail::shard_index(shards));
  }
  for (const SideFile& file : side_files) {
    write(file.name, file.text);
  }
  write("config.json", json::dump(config) + "\n");

  for (FileWriter<CheckpointError>& file : files) {
    file.finish();
  }
  const auto remove = [&](const std::string& name) { remove_file<CheckpointError>(path(name)); };
  remove("config.json");
  for (auto file = files.begin(); file != std::prev(files.end()); ++file) {
    file->commit();
  }
  std::vector<std::string> old;
  for (const std::string& name : names_in_folder<CheckpointError>(folder, 1'000'000)) {
    const bool weights = detail::is_shard_name(name) || name == "model.safetensors" || name == index_name;
    if (weights && std::find(names.begin(), names.end(), name) == names.end()) {
      old.push_back(name);
    }
  }
  for (const std::string& name : old) {
    remove(name);
  }
  files.back().commit();
}

#endif  // QWEN35_BODIES

QWEN35_END_NAMESPACE
