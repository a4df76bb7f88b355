// SPDX-License-Identifier: Apache-2.0
// The files that a model has beside its weights, be it in a folder, in GGUF or packed.
#pragma once

#include <qwen35/weights/gguf_files.hpp>
#include <qwen35/weights/packed.hpp>

#include <string>

#if QWEN35_BODIES
#include <qwen35/io/folder.hpp>
#include <qwen35/io/mapped_file.hpp>

#include <memory>
#include <utility>
#include <vector>
#endif

QWEN35_BEGIN_NAMESPACE

// Does a path name a file that holds a model, not a folder?
bool is_model_file_name(const std::string& path);

// The files themselves, or of a path that names a GGUF or a packed file those in it. (The weights are not read.)
ModelFolder model_files(const ModelFolder& files);

#if QWEN35_BODIES

QWEN35_BODY bool is_model_file_name(const std::string& path) {
  return (is_gguf_name(path) || is_packed_name(path)) && !is_folder(path);
}

QWEN35_BODY ModelFolder model_files(const ModelFolder& files) {
  if (!is_model_file_name(files.folder())) {
    return files;
  }
  const auto maps = std::make_shared<std::vector<MappedFile>>();
  if (is_packed_name(files.folder())) {
    maps->push_back(MappedFile::as_used(files.folder()));
    return packed_model_folder(std::make_shared<const PackedFile>(read_packed(maps->back().bytes(), files.folder())),
                               maps);
  }
  std::vector<GgufFile> read;
  for (const std::string& path : gguf_paths(files.folder())) {
    maps->push_back(MappedFile::as_used(path));
    read.push_back(read_gguf(maps->back().bytes(), path));
  }
  return gguf_model_folder(std::make_shared<const GgufModel>(join_gguf(std::move(read))), maps);
}

#endif  // QWEN35_BODIES

QWEN35_END_NAMESPACE
