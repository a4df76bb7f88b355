// SPDX-License-Identifier: Apache-2.0
// The GGUF files of one model put together: the parts that it is split into, and its picture tower (mmproj).
#pragma once

#include <qwen35/core/name_list.hpp>
#include <qwen35/core/result.hpp>
#include <qwen35/io/folder.hpp>
#include <qwen35/io/mapped_file.hpp>
#include <qwen35/json/dump.hpp>
#include <qwen35/weights/gguf.hpp>

#include <algorithm>
#include <cmath>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

QWEN35_BEGIN_NAMESPACE

// At least one of the two is there.
struct GgufModel {
  std::optional<GgufFile> text;
  std::optional<GgufFile> vision;

  const std::string& source() const { return text ? text->source : vision->source; }
};

// "" when there is none.
std::string_view gguf_text(const GgufFile& file, std::string_view key);
std::string_view gguf_architecture(const GgufFile& file);

// A value of the file's metadata. Raises ConfigError, with file and key, for a number that is none (NaN) or has no end.
json::Value gguf_json(const GgufFile& file, std::string_view key, const GgufValue& value);

// The id of a token by its text, and its text by its id.
std::optional<std::size_t> gguf_token_id(const GgufFile& file, std::string_view token);
std::optional<std::string_view> gguf_token(const GgufFile& file, std::size_t id);

// The files that a model is in, of which one is called `path`: "a-00001-of-00003.gguf" and its like stand beside each
// other.
std::vector<std::string> gguf_part_names(const std::string& path);
// The picture towers beside a model: the files of its folder whose names end in ".gguf" and have "mmproj" in them,
// those with the most exact weights that are not f32 first (bf16, f16, f32, others). None beside a path that is such a
// name.
std::vector<std::string> gguf_towers_beside(const std::string& path);
// Why a file is not the picture tower of a model; "": it may be.
std::string gguf_tower_misfit(const GgufFile& text, const GgufFile& tower);

// All files of a model that are to be read, its picture tower last.
struct GgufPaths {
  std::vector<std::string> files;
  std::string passed_over;  // in words for the user: files beside it that look like its tower and are not
};
// `vision`: as CheckpointOptions::mmproj. Raises CheckpointError for a tower that is given and is not the model's; of
// those beside it the first that fits is taken.
GgufPaths gguf_paths(const std::string& path, const std::optional<std::string>& vision = {});
// The files of one model, in order, as one. Raises CheckpointError for files of other kinds (LoRA adapters, importance
// matrices, vocabularies, other architectures), saying what to do; for parts that do not belong together or are
// missing.
GgufModel join_gguf(std::vector<GgufFile> files);

namespace detail {

// "-00002-of-00003.gguf" at the end of a name: which part of how many.
struct GgufPart {
  std::size_t number = 0;
  std::size_t count = 0;
};
inline constexpr std::size_t gguf_part_length = 20;
inline constexpr std::string_view gguf_projector = "qwen3vl_merger";

std::optional<GgufPart> gguf_part_of(std::string_view path);

std::string gguf_part_name(const std::string& path, std::size_t number, std::size_t count);

// Declines what is no model of the family, and no picture tower.
bool is_known_gguf(const GgufFile& file);

std::size_t gguf_split_number(const GgufFile& file, std::string_view key, std::size_t absent);

// The parts of one model, in order, as one file.
GgufFile join_gguf_parts(std::vector<GgufFile> parts);

std::string lower_case(std::string_view text);

}  // namespace detail

#if QWEN35_BODIES

QWEN35_BODY std::string_view gguf_text(const GgufFile& file, std::string_view key) {
  std::string_view out;
  if (const GgufValue* const value = file.find(key); value != nullptr && !value->is_array) {
    value->each_text([&](std::string_view text) { out = text; });
  }
  return out;
}

QWEN35_BODY std::string_view gguf_architecture(const GgufFile& file) {
  return gguf_text(file, "general.architecture");
}

QWEN35_BODY json::Value gguf_json(const GgufFile& file, std::string_view key, const GgufValue& value) {
  json::Value out = value.json();
  const auto check = [&](const json::Value& number) {
    return number.kind() != json::Kind::number ||
           holds<ConfigError>(std::isfinite(number.as_number()), file.source, ": ", shortened(key),
                              ": expected a finite number, found ", json::dump(number));
  };
  bool finite = check(out);
  for (std::size_t i = 0; finite && out.is_array() && i < out.size(); ++i) {
    finite = check(out.items()[i]);
  }
  return out;
}

QWEN35_BODY std::optional<std::size_t> gguf_token_id(const GgufFile& file, std::string_view token) {
  std::optional<std::size_t> found;
  std::size_t id = 0;
  if (const GgufValue* const tokens = file.find("tokenizer.ggml.tokens")) {
    tokens->each_text([&](std::string_view text) {
      found = !found && text == token ? std::optional(id) : found;
      ++id;
    });
  }
  return found;
}

QWEN35_BODY std::optional<std::string_view> gguf_token(const GgufFile& file, std::size_t id) {
  std::optional<std::string_view> found;
  std::size_t at = 0;
  if (const GgufValue* const tokens = file.find("tokenizer.ggml.tokens")) {
    tokens->each_text([&](std::string_view text) { found = at++ == id ? std::optional(text) : found; });
  }
  return found;
}

namespace detail {

QWEN35_BODY std::optional<GgufPart> gguf_part_of(std::string_view path) {
  if (path.size() < gguf_part_length || !is_gguf_name(path)) {
    return std::nullopt;
  }
  const std::string_view end = path.substr(path.size() - gguf_part_length);
  const auto digits = [&](std::size_t at) -> std::size_t {
    std::size_t value = 0;
    for (const char c : end.substr(at, 5)) {
      value = c >= '0' && c <= '9' && value < 100'000 ? value * 10 + static_cast<std::size_t>(c - '0') : 1'000'000;
    }
    return value < 100'000 ? value : 0;
  };
  const GgufPart part{digits(1), digits(10)};
  const bool fits = end[0] == '-' && end.substr(6, 4) == "-of-" && part.number >= 1 && part.number <= part.count;
  return fits ? std::optional(part) : std::nullopt;
}

QWEN35_BODY std::string gguf_part_name(const std::string& path, std::size_t number, std::size_t count) {
  return concat(path.substr(0, path.size() - gguf_part_length), "-", part_of_parts(number, count),
                path.substr(path.size() - 5));
}

QWEN35_BODY bool is_known_gguf(const GgufFile& file) {
  const std::string_view type = gguf_text(file, "general.type"), architecture = gguf_architecture(file);
  if (!holds<CheckpointError>(
          type != "adapter" && file.find("adapter.type") == nullptr, file.source,
          ": a LoRA adapter, no model: merge it into its model (llama-export-lora) and open that") ||
      !holds<CheckpointError>(type != "imatrix" && file.find("imatrix.chunk_count") == nullptr, file.source,
                              ": an importance matrix (imatrix), no model: it is for making quantised files")) {
    return false;
  }
  for (const auto& [key, value] : file.metadata) {
    if (!holds<CheckpointError>(!key.starts_with("prism.hadamard."), file.source,
                                ": weights folded with a Hadamard rotation (", shortened(key),
                                "), which this library does not run: make the file anew without it")) {
      return false;
    }
  }
  if (architecture == "clip") {
    const std::string_view projector = gguf_text(file, "clip.projector_type");
    return holds<CheckpointError>(projector == gguf_projector, file.source, ": clip.projector_type is \"",
                                  shortened(projector), "\", expected \"", gguf_projector,
                                  "\": the tower of another family");
  }
  return holds<CheckpointError>(architecture == "qwen35moe" || architecture == "qwen35", file.source,
                                ": general.architecture is \"", shortened(architecture),
                                "\", expected \"qwen35moe\" or \"qwen35\" (or \"clip\", a picture tower)");
}

QWEN35_BODY std::size_t gguf_split_number(const GgufFile& file, std::string_view key, std::size_t absent) {
  const GgufValue* const value = file.find(key);
  if (value == nullptr) {
    return absent;
  }
  const json::Value number = value->json();
  const bool is_one = holds<CheckpointError>(number.is_integer() && number.as_integer() >= 0, file.source, ": ", key,
                                             ": expected a whole number, found ", shortened(json::dump(number)));
  return is_one ? static_cast<std::size_t>(number.as_integer()) : absent;
}

QWEN35_BODY GgufFile join_gguf_parts(std::vector<GgufFile> parts) {
  const std::size_t count = std::max<std::size_t>(gguf_split_number(parts[0], "split.count", 1), 1);
  std::unordered_set<std::string> names;
  GgufFile out;
  if (!holds<CheckpointError>(count == parts.size(), parts[0].source, ": part of a model in ", count, " files, given ",
                              parts.size(), count > 1 ? ": their names must end in -00001-of-000NN.gguf" : "")) {
    return out;
  }
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (!holds<CheckpointError>(
            gguf_split_number(parts[i], "split.no", 0) == i &&
                std::max<std::size_t>(gguf_split_number(parts[i], "split.count", 1), 1) == count,
            parts[i].source, ": split.no and split.count say part ", gguf_split_number(parts[i], "split.no", 0) + 1,
            " of ", gguf_split_number(parts[i], "split.count", 1), ", expected part ", i + 1, " of ", count)) {
      return out;
    }
    for (const TensorInfo& tensor : parts[i].tensors) {
      if (!holds<CheckpointError>(names.insert(tensor.name).second, parts[i].source, ": tensor \"",
                                  shortened(tensor.name), "\" stands in another part too")) {
        return out;
      }
    }
    if (i == 0) {
      out = std::move(parts[i]);
    } else {
      std::move(parts[i].tensors.begin(), parts[i].tensors.end(), std::back_inserter(out.tensors));
    }
  }
  const std::size_t stated = gguf_split_number(out, "split.tensors.count", out.tensors.size());
  if (stated != out.tensors.size()) {
    decline<CheckpointError>(
        concat(out.source, ": split.tensors.count says ", stated, " tensors, the parts have ", out.tensors.size()));
  }
  return out;
}

QWEN35_BODY std::string lower_case(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  }
  return out;
}

}  // namespace detail

QWEN35_BODY std::vector<std::string> gguf_part_names(const std::string& path) {
  const std::optional<detail::GgufPart> part = detail::gguf_part_of(path);
  std::vector<std::string> out;
  NameList missing;
  for (std::size_t i = 1; part && i <= part->count; ++i) {
    out.push_back(detail::gguf_part_name(path, i, part->count));
    if (!path_exists(out.back())) {
      missing.add(out.back());
    }
  }
  if (missing.count > 0) {
    decline<CheckpointError>(concat(path, ": ", missing.count, " of the ", out.size(), " parts of this model do not ",
                                    "exist, the download is incomplete: ", missing.text(", ", 3)));
  }
  return part ? out : std::vector<std::string>{path};
}

QWEN35_BODY std::vector<std::string> gguf_towers_beside(const std::string& path) {
  const std::size_t slash = path.find_last_of('/');
  const std::string beside = slash == std::string::npos ? "" : path.substr(0, slash + 1);
  const auto is_vision = [](std::string_view name) {
    return is_gguf_name(name) && detail::lower_case(name).find("mmproj") != std::string::npos;
  };
  std::vector<std::string> found;
  if (is_vision(std::string_view(path).substr(beside.size()))) {
    return found;
  }
  for (const std::string& name : names_in_folder<CheckpointError>(beside.empty() ? "." : beside, 100'000)) {
    if (is_vision(name)) {
      found.push_back(beside + name);
    }
  }
  const auto rank = [&](const std::string& name) {
    constexpr std::string_view formats[] = {"bf16", "f16", "f32"};
    const std::string lower = detail::lower_case(std::string_view(name).substr(beside.size()));
    return std::find_if(std::begin(formats), std::end(formats),
                        [&](std::string_view f) { return lower.find(f) != std::string::npos; }) -
           std::begin(formats);
  };
  std::sort(found.begin(), found.end());
  std::stable_sort(found.begin(), found.end(),
                   [&](const std::string& a, const std::string& b) { return rank(a) < rank(b); });
  return found;
}

QWEN35_BODY std::string gguf_tower_misfit(const GgufFile& text, const GgufFile& tower) {
  const std::string_view architecture = gguf_architecture(tower);
  if (architecture != "clip") {
    return concat("its general.architecture is \"", shortened(architecture), "\", that of a picture tower is \"clip\"");
  }
  const std::string_view projector = gguf_text(tower, "clip.projector_type");
  if (projector != detail::gguf_projector) {
    return concat("its clip.projector_type is \"", shortened(projector), "\", this family's is \"",
                  detail::gguf_projector, "\"");
  }
  // From metadata, else from a shape.
  const auto width = [](const GgufFile& file, std::string_view key, const char* name, std::size_t axis) {
    const GgufValue* const value = file.find(key);
    const TensorInfo* const tensor = file.tensor(name);
    return value != nullptr                                   ? json::dump(value->json())
           : tensor != nullptr && tensor->shape.size() > axis ? std::to_string(tensor->shape[axis])
                                                              : std::string();
  };
  const std::string own = width(text, concat(gguf_architecture(text), ".embedding_length"), "token_embd.weight", 1);
  const std::string projected = width(tower, "clip.vision.projection_dim", "mm.2.bias", 0);
  return own.empty() || projected.empty() || own == projected
             ? ""
             : concat("it projects to ", shortened(projected), " values (clip.vision.projection_dim), the model's ",
                      "tokens have ", shortened(own), ": the tower of another model");
}

QWEN35_BODY GgufPaths gguf_paths(const std::string& path, const std::optional<std::string>& vision) {
  GgufPaths out{gguf_part_names(path), {}};
  const std::vector<std::string> towers =
      vision ? std::vector<std::string>(vision->empty() ? 0 : 1, *vision) : gguf_towers_beside(path);
  if (towers.empty() || declined()) {
    return out;
  }
  const MappedFile bytes = MappedFile::as_used(out.files[0]);
  const GgufFile text = read_gguf(bytes.bytes(), out.files[0]);
  if (declined()) {
    return out;
  }
  if (gguf_architecture(text) == "clip") {
    if (vision) {
      decline<CheckpointError>(concat(path, ": a picture tower (mmproj) itself, ", *vision,
                                      " is given as another: open the model's own GGUF file"));
    }
    return out;
  }
  std::string misfits;
  for (const std::string& name : towers) {
    const auto look = [&] {
      const MappedFile tower = MappedFile::as_used(name);
      return gguf_tower_misfit(text, read_gguf(tower.bytes(), name));
    };
    // What stands beside a model by chance may be damaged, or no such file.
    const Result<std::string> misfit = vision ? Result<std::string>(look()) : attempt(look);
    if (declined()) {
      return out;
    }
    if (misfit && misfit.value().empty()) {
      out.files.push_back(name);
      return out;
    }
    misfits +=
        concat(misfits.empty() ? "" : "; ", misfit ? concat(name, ": ", misfit.value()) : misfit.failure().message);
  }
  const std::string how =
      "the model's own is named by CheckpointOptions::mmproj (--mmproj FILE), \"\" (none) is for "
      "text alone";
  if (vision) {
    decline<CheckpointError>(concat(path, ": not its picture tower: ", misfits, "; ", how));
  }
  out.passed_over = concat(path, ": passed over as its picture tower: ", misfits, "; ", how);
  return out;
}

QWEN35_BODY GgufModel join_gguf(std::vector<GgufFile> files) {
  GgufModel out;
  std::vector<GgufFile> parts;
  for (GgufFile& file : files) {
    const bool later_part = detail::gguf_split_number(file, "split.no", 0) > 0;
    if (declined() || (!later_part && !detail::is_known_gguf(file))) {
      return out;
    }
    if (later_part || gguf_architecture(file) != "clip") {
      parts.push_back(std::move(file));
      continue;
    }
    if (!holds<CheckpointError>(!out.vision, file.source, ": a second picture tower beside ",
                                out.vision ? out.vision->source : file.source)) {
      return out;
    }
    out.vision = std::move(file);
  }
  if (!parts.empty()) {
    out.text = detail::join_gguf_parts(std::move(parts));
    if (declined() || !holds<CheckpointError>(!out.text->tensors.empty(), out.text->source,
                                              ": a vocabulary without weights (vocab-only): open the model's own "
                                              "file")) {
      return out;
    }
    const bool first_layer = std::any_of(out.text->tensors.begin(), out.text->tensors.end(),
                                         [](const TensorInfo& tensor) { return tensor.name.starts_with("blk.0."); });
    if (!holds<CheckpointError>(first_layer, out.text->source,
                                ": no tensors of the first layer, blk.0: the layers that predict further tokens (MTP) "
                                "alone, or a part of a model")) {
      return out;
    }
  }
  const std::string misfit = out.text && out.vision ? gguf_tower_misfit(*out.text, *out.vision) : "";
  if (!misfit.empty()) {
    decline<CheckpointError>(concat(out.source(), ": not its picture tower: ", out.vision->source, ": ", misfit));
  }
  return out;
}

#endif  // QWEN35_BODIES

QWEN35_END_NAMESPACE
