// SPDX-License-Identifier: Apache-2.0
// The files that a model has beside its weights, be it in a folder, in GGUF or packed.
#pragma once

#include <qwen35/io/folder.hpp>
#include <qwen35/io/plain_file.hpp>
#include <qwen35/weights/gguf_files.hpp>
#include <qwen35/weights/packed.hpp>

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#if QWEN35_BODIES
#include <memory>
#include <utility>
#include <vector>
#endif

QWEN35_BEGIN_NAMESPACE

// What holds a model. Files are told by their first bytes, whatever they are called; one that begins in another way, or
// is not there, by its name.
enum class ModelFileKind : std::uint8_t { other, gguf, packed };

ModelFileKind model_file_kind(std::span<const std::byte> begin, std::string_view name);
// Of a path; folders are `other`. Raises E for what is there and is no file that can be read.
template <class E = CheckpointError>
ModelFileKind model_file_kind(const std::string& path) {
  std::array<std::byte, 8> begin{};
  std::size_t size = 0;
  if (is_folder(path)) {
    return ModelFileKind::other;
  }
  if (path_exists(path)) {
    size = PlainFile<E>(path).read_some(begin);
  }
  return model_file_kind(std::span(begin).first(size), path);
}

// The files themselves, or of a path that names a GGUF or a packed file those in it. (The weights are not read.)
// `tower`: with those of the picture tower that stands beside a GGUF file. Raises CheckpointError for a file of another
// kind.
ModelFolder model_files(const ModelFolder& files, bool tower = true);

// Raises CheckpointError for a file of kind `other`.
void refuse_other_file(const std::string& path);

#if QWEN35_BODIES

QWEN35_BODY void refuse_other_file(const std::string& path) {
  if (!is_folder(path) && path_exists(path)) {
    const bool of_folder = path.ends_with(".safetensors") || path.ends_with(".json");
    decline<CheckpointError>(concat(path, ": no folder, and begins neither as a GGUF nor as a packed file",
                                    of_folder ? ": name the folder that it is in" : ""));
  }
}

QWEN35_BODY ModelFileKind model_file_kind(std::span<const std::byte> begin, std::string_view name) {
  return is_packed(begin)       ? ModelFileKind::packed
         : is_gguf(begin)       ? ModelFileKind::gguf
         : is_packed_name(name) ? ModelFileKind::packed
         : is_gguf_name(name)   ? ModelFileKind::gguf
                                : ModelFileKind::other;
}

QWEN35_BODY ModelFolder model_files(const ModelFolder& files, bool tower) {
  const ModelFileKind kind = files.folder().empty() ? ModelFileKind::other : model_file_kind(files.folder());
  if (kind == ModelFileKind::other && !files.folder().empty()) {
    refuse_other_file(files.folder());
  }
  if (kind == ModelFileKind::other || declined()) {
    return files;
  }
  const auto maps = std::make_shared<std::vector<MappedFile>>();
  if (kind == ModelFileKind::packed) {
    maps->push_back(MappedFile::as_used(files.folder()));
    return packed_model_folder(std::make_shared<const PackedFile>(read_packed(maps->back().bytes(), files.folder())),
                               maps);
  }
  std::vector<GgufFile> read;
  const std::optional<std::string> none = tower ? std::nullopt : std::optional<std::string>("");
  for (const std::string& path : gguf_paths(files.folder(), none).files) {
    maps->push_back(MappedFile::as_used(path));
    read.push_back(read_gguf(maps->back().bytes(), path));
  }
  const auto model = std::make_shared<const GgufModel>(declined() ? GgufModel() : join_gguf(std::move(read)));
  return declined() ? files : gguf_model_folder(model, maps);
}

#endif  // QWEN35_BODIES

QWEN35_END_NAMESPACE
