// SPDX-License-Identifier: Apache-2.0
// qwen35-inspect FILE_OR_FOLDER: what a checkpoint is, what its tensors are, what it takes to run it, and which config
// fits. No weight is read.
#include <qwen35/cache/cache_layout.hpp>
#include <qwen35/config/config_file.hpp>
#include <qwen35/json/dump.hpp>
#include <qwen35/model/workspace_of.hpp>
#include <qwen35/weights/checkpoint_config.hpp>
#include <qwen35/weights/pack_source.hpp>
#include <qwen35/weights/tensor_part.hpp>

#include <algorithm>
#include <cstdio>
#include <iostream>
#include <map>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

#include "model_options.hpp"
#include "presets.hpp"
#include "shown.hpp"
#include "tool_options.hpp"
#include "unread_fields.hpp"

#if !defined(QWEN35_TOOL_CONFIG_LIST)
#define QWEN35_TOOL_CONFIG_LIST qwen35::configs::Shapes
#endif

namespace {

using qwen35::Format;
using qwen35::json::Value;

constexpr std::size_t pass_tokens = 512;

// What a model of a preset takes beside its weights.
struct Needs {
  std::size_t sequence_bytes = 0;
  std::vector<std::pair<std::string, std::size_t>> token_bytes;  // by format of keys and values
  std::size_t workspace_bytes = 0;
};

// How a config file stands to the presets.
struct Fit {
  std::string preset;       // that fits, or is nearest
  std::string differences;  // a line each; empty: it fits
  bool compiled = false;    // into the tools that are built with this one
  std::string problem;      // of a file whose config fits and whose tensors do not
  std::optional<Needs> needs;
};

template <class Config, class... Compiled>
constexpr bool is_one_of() {
  return (std::is_same_v<Config, Compiled> || ...);
}

template <class Config>
Needs needs_of() {
  Needs out;
  out.workspace_bytes = qwen35::Workspace<Config>::bytes(pass_tokens);
  for (std::size_t i = 0; i < qwen35::format_count; ++i) {
    const auto format = static_cast<Format>(i);
    if (qwen35::holds_keys(format) &&
        qwen35::text_config_t<Config>::head_dim % qwen35::format_info(format).block_values == 0) {
      const qwen35::CacheLayout layout = qwen35::cache_layout<Config>(format);
      out.token_bytes.emplace_back(name(format), layout.slot_bytes());
      out.sequence_bytes = layout.state_bytes();
    }
  }
  return out;
}

// The preset that fits, else the one of which the fewest fields differ. Raises ConfigError for what describes no model.
Fit fit_of(const qwen35::Checkpoint& checkpoint) {
  Fit best;
  std::ptrdiff_t fewest = 0;
  const auto look = [&]<class Config>(const Config*, const char* preset) {
    const qwen35::Result<qwen35::ConfigValues> values = qwen35::try_check<Config>(checkpoint);
    std::string lines = values ? "" : values.failure().message;
    lines.erase(0, std::min(lines.find('\n'), lines.size()));
    const std::ptrdiff_t count = std::count(lines.begin(), lines.end(), '\n');
    if (best.preset.empty() || count < fewest) {
      fewest = count;
      best = {preset, lines, is_one_of<Config, QWEN35_TOOL_CONFIG_LIST>(),
              values ? tool::problem_of<Config>(checkpoint) : "",
              values ? std::optional(needs_of<Config>()) : std::nullopt};
    }
  };
  tool::each_preset(look);
  return best;
}

struct PartSum {
  std::size_t tensors = 0;
  std::size_t weights = 0;
  std::size_t bytes = 0;
  std::map<std::string, std::size_t> formats;  // bytes

  void add(const qwen35::PackSource& source) {
    weights += source.values();
    for (const qwen35::TensorInfo* const tensor : source.parts) {
      ++tensors;
      bytes += tensor->bytes.size();
      formats[tensor->dtype] += tensor->bytes.size();
    }
  }
  double bits() const { return weights == 0 ? 0.0 : 8.0 * static_cast<double>(bytes) / static_cast<double>(weights); }
};

std::string rounded(double value, int digits = 1) {
  char text[64];
  std::snprintf(text, sizeof(text), "%.*f", digits, value);
  return text;
}

std::string size_text(std::size_t bytes) {
  const double value = static_cast<double>(bytes);
  return value < 1e4   ? std::to_string(bytes) + " B"
         : value < 1e6 ? rounded(value / 1e3) + " kB"
         : value < 1e9 ? rounded(value / 1e6) + " MB"
                       : rounded(value / 1e9, 2) + " GB";
}

// Filled up with spaces on the left or on the right.
std::string padded(const std::string& text, std::size_t width, bool right) {
  const std::string space(width > text.size() ? width - text.size() : 0, ' ');
  return right ? space + text : text + space;
}

// As a config.json has it: without the file's own names for the fields.
Value without_key_names(Value object) {
  std::erase_if(object.members(), [](const Value::Member& member) { return member.first == "key_names"; });
  for (Value::Member& member : object.members()) {
    if (member.second.is_object()) {
      member.second = without_key_names(std::move(member.second));
    }
  }
  return object;
}

// A note on the fields that nothing reads; "": there are none. (The config of a GGUF file is made of what is read.)
std::string unread_note(const qwen35::Checkpoint& checkpoint, const qwen35::JsonFields& text) {
  const std::string type =
      text.text("model_type", qwen35::JsonFields(&checkpoint.config(), "config").text("model_type", ""));
  if (checkpoint.is_gguf() || (!type.empty() && !type.starts_with("qwen3_5"))) {
    return "";
  }
  const bool experts = type.empty() ? text.find("num_experts") != nullptr : type.starts_with("qwen3_5_moe");
  Value config = without_key_names(checkpoint.config());
  const inspect_tool::UnreadFields found =
      experts ? inspect_tool::unread_fields<qwen35::configs::Qwen35_35B_A3B>(std::move(config))
              : inspect_tool::unread_fields<qwen35::configs::Qwen35_0_8B>(std::move(config));
  const std::size_t count = found.fields.count;
  return count == 0
             ? ""
             : qwen35::concat(checkpoint.files().place("config.json"), ": passed over ", count,
                              count == 1 ? " field" : " fields", " that nothing reads: ", found.fields.text(", ", 5),
                              found.not_looked_at == 0
                                  ? ""
                                  : qwen35::concat("; ", found.not_looked_at, " more were not looked at"));
}

class Inspection {
 public:
  explicit Inspection(const qwen35::Checkpoint& checkpoint)
      : checkpoint_(checkpoint),
        text_config_(checkpoint.config().find("text_config") == nullptr ? &checkpoint.config()
                                                                        : checkpoint.config().find("text_config")),
        text_(text_config_, "text_config"),
        vision_(qwen35::is_tower_alone(checkpoint)
                    ? &checkpoint.config()
                    : qwen35::JsonFields(&checkpoint.config(), "config").object("vision_config"),
                "vision_config"),
        layers_(text_.size("num_hidden_layers", qwen35::MoeTextDefaults::num_hidden_layers)),
        tower_(qwen35::is_tower_alone(checkpoint)),
        fit_(tower_ ? Fit() : fit_of(checkpoint)),
        notes_(checkpoint.notes()) {
    for (const qwen35::PackSource& source : qwen35::pack_sources(checkpoint)) {
      parts_[part_of(source.weight)].add(source);
      all_.add(source);
    }
    if (std::string note = tower_ ? "" : unread_note(checkpoint, text_); !note.empty()) {
      notes_.push_back(std::move(note));
    }
    std::string problem = fit_.problem;
    if (!fit_.needs) {
      const qwen35::Result<bool> read = qwen35::attempt([&] {
        qwen35::require_text_model(checkpoint);
        qwen35::quantization_of(checkpoint);
        return true;
      });
      problem = read ? "" : read.failure().message;
    }
    if (!problem.empty()) {
      notes_.push_back("cannot be run: " + problem);
    }
  }

  void print_text(bool tensors) const {
    std::cout << tool::shown_name(checkpoint_.name()) << ": " << kind() << ", " << all_.tensors << " tensors, "
              << size_text(all_.bytes) << ", " << rounded(static_cast<double>(all_.weights) / 1e6)
              << " million weights of " << rounded(all_.bits(), 2) << " bits\n"
              << "model: " << tool::shown_name(model_text()) << '\n'
              << "files: " << tool::shown_name(joined(side_files())) << "\n\n";
    print_row("part", "tensors", "weights", "bits", "size", "formats");
    for (const auto& [part, sum] : parts_) {
      print_row(std::string(name(part)), std::to_string(sum.tensors), std::to_string(sum.weights),
                rounded(sum.bits(), 2), size_text(sum.bytes), formats_text(sum));
    }
    std::cout << '\n';
    if (fit_.needs) {
      std::cout << "memory: weights " << size_text(used_bytes());
      const char* between = "; cache ";
      for (const auto& [format, bytes] : fit_.needs->token_bytes) {
        std::cout << between << size_text(bytes) << (between[0] == ';' ? " a token in " : " in ") << format;
        between = ", ";
      }
      std::cout << ", and " << size_text(fit_.needs->sequence_bytes) << " a sequence; workspace "
                << size_text(fit_.needs->workspace_bytes) << " for passes of " << pass_tokens << " tokens\n"
                << "config: " << fit_.preset << (fit_.problem.empty() ? "" : ", but it cannot be run, see below")
                << (fit_.compiled ? "" : ", which these tools are not built for: add it to QWEN35_TOOL_CONFIGS")
                << '\n';
    } else if (!tower_) {
      std::cout << "memory: weights " << size_text(used_bytes()) << '\n'
                << "config: no preset fits: qwen35_add_config() makes a type of it; " << fit_.preset
                << " differs least:" << tool::shown(fit_.differences) << '\n';
    }
    for (const std::string& note : notes_) {
      std::cout << "note: " << tool::shown(note) << '\n';
    }
    if (tensors) {
      std::cout << '\n';
      for (const qwen35::TensorInfo& tensor : checkpoint_.tensors()) {
        std::cout << tool::shown_name(tensor.name) << "  " << tensor.dtype << ' ' << qwen35::shape_text(tensor.shape)
                  << "  " << tensor.bytes.size() << " bytes, " << name(part_of(tensor)) << '\n';
      }
    }
  }

  void print_json(bool tensors) const {
    Value out = Value::object();
    out["name"] = checkpoint_.name();
    out["kind"] = kind();
    out["config"] = without_key_names(checkpoint_.config());
    out["files"] = Value::array();
    for (const std::string& file : side_files()) {
      out["files"].push_back(file);
    }
    out["tensors"] = all_.tensors;
    out["weights"] = all_.weights;
    out["bytes"] = all_.bytes;
    out["bits_per_weight"] = all_.bits();
    for (const auto& [part, sum] : parts_) {
      Value& entry = out["parts"][name(part)];
      entry["tensors"] = sum.tensors;
      entry["weights"] = sum.weights;
      entry["bytes"] = sum.bytes;
      for (const auto& [format, bytes] : sum.formats) {
        entry["formats"][format] = bytes;
      }
    }
    out["memory"]["weights"] = used_bytes();
    if (fit_.needs) {
      for (const auto& [format, bytes] : fit_.needs->token_bytes) {
        out["memory"]["cache_token"][format] = bytes;
      }
      out["memory"]["cache_sequence"] = fit_.needs->sequence_bytes;
      out["memory"]["workspace_tokens"] = pass_tokens;
      out["memory"]["workspace"] = fit_.needs->workspace_bytes;
    }
    out["runs"] = fit_.needs && fit_.problem.empty();
    out["preset"]["name"] = fit_.preset;
    out["preset"]["fits"] = fit_.needs.has_value();
    out["preset"]["compiled"] = fit_.compiled;
    out["preset"]["differences"] = Value::array();
    for (std::size_t at = 0; at < fit_.differences.size();) {
      const std::size_t end = std::min(fit_.differences.find('\n', at + 1), fit_.differences.size());
      out["preset"]["differences"].push_back(fit_.differences.substr(at + 3, end - at - 3));  // behind "\n  "
      at = end;
    }
    out["notes"] = Value::array();
    for (const std::string& note : notes_) {
      out["notes"].push_back(tool::shown(note));
    }
    if (tensors) {
      out["all_tensors"] = Value::array();
      for (const qwen35::TensorInfo& tensor : checkpoint_.tensors()) {
        Value entry = Value::object();
        entry["name"] = tool::shown_name(tensor.name);
        entry["format"] = tensor.dtype;
        entry["shape"] = Value::array();
        for (const std::size_t extent : tensor.shape) {
          entry["shape"].push_back(extent);
        }
        entry["bytes"] = tensor.bytes.size();
        entry["part"] = name(part_of(tensor));
        out["all_tensors"].push_back(std::move(entry));
      }
    }
    std::cout << qwen35::json::dump(out) << '\n';
  }

 private:
  const char* kind() const {
    return checkpoint_.packed() != nullptr ? "packed file" : checkpoint_.is_gguf() ? "GGUF" : "folder of safetensors";
  }
  qwen35::TensorPart part_of(const qwen35::TensorInfo& tensor) const {
    return qwen35::part_of_tensor(tensor.name, layers_);
  }
  // What a model reads: all but the prediction of further tokens.
  std::size_t used_bytes() const {
    const auto mtp = parts_.find(qwen35::TensorPart::mtp);
    return all_.bytes - (mtp == parts_.end() ? 0 : mtp->second.bytes);
  }

  std::string vision_text() const {
    using Vision = qwen35::VisionDefaults;
    return qwen35::concat("vision tower of ", vision_.size("depth", Vision::depth), " blocks, hidden size ",
                          vision_.size("hidden_size", Vision::hidden_size));
  }
  std::string model_text() const {
    if (tower_) {
      return "none: a " + vision_text();
    }
    std::size_t full = 0;
    if (const Value* const types = text_.list("layer_types")) {
      for (const Value& type : types->items()) {
        full += type == Value("full_attention") ? 1u : 0u;
      }
    } else {
      full = layers_ / std::max<std::size_t>(text_.size("full_attention_interval", 4), 1);
    }
    using Defaults = qwen35::MoeTextDefaults;
    std::string out = qwen35::concat(
        text_.text("model_type", qwen35::JsonFields(&checkpoint_.config(), "config").text("model_type", "model")), ", ",
        layers_, " layers (", full, " of full attention), hidden size ",
        text_.size("hidden_size", Defaults::hidden_size), ", vocabulary ",
        text_.size("vocab_size", Defaults::vocab_size));
    if (text_.find("num_experts") != nullptr) {
      out += qwen35::concat(", ", text_.size("num_experts_per_tok", Defaults::num_experts_per_tok), " of ",
                            text_.size("num_experts", Defaults::num_experts), " experts");
    }
    if (checkpoint_.config().find("vision_config") != nullptr) {
      out += "; " + vision_text();
    }
    return out;
  }

  std::vector<std::string> side_files() const {
    std::vector<std::string> out;
    for (const char* const file :
         {"config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json", "chat_template.jinja",
          "preprocessor_config.json", "video_preprocessor_config.json"}) {
      if (checkpoint_.has_file(file)) {
        out.emplace_back(file);
      }
    }
    return out;
  }
  static std::string joined(const std::vector<std::string>& texts) {
    std::string out;
    for (const std::string& text : texts) {
      out += (out.empty() ? "" : " ") + text;
    }
    return out;
  }
  static std::string formats_text(const PartSum& sum) {
    if (sum.formats.size() == 1) {
      return sum.formats.begin()->first;
    }
    std::string out;
    for (const auto& [format, bytes] : sum.formats) {
      out += (out.empty() ? "" : ", ") + format + " " + size_text(bytes);
    }
    return out;
  }
  static void print_row(const std::string& part, const std::string& tensors, const std::string& weights,
                        const std::string& bits, const std::string& size, const std::string& formats) {
    std::cout << padded(part, 14, false) << padded(tensors, 8, true) << padded(weights, 14, true)
              << padded(bits, 7, true) << padded(size, 12, true) << "  " << formats << '\n';
  }

  const qwen35::Checkpoint& checkpoint_;
  const Value* text_config_;
  qwen35::JsonFields text_;
  qwen35::JsonFields vision_;
  std::size_t layers_;
  bool tower_;  // a picture tower alone
  Fit fit_;
  std::vector<std::string> notes_;
  std::map<qwen35::TensorPart, PartSum> parts_;
  PartSum all_;
};

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("What a checkpoint is, what its tensors are, what it takes to run it, and which config fits.");
  std::string path;
  tool::ModelOptions options{.load = "as_used"};
  bool json = false, tensors = false, config = false;
  app.add_option("checkpoint", path, "folder with config.json and safetensors files, a GGUF or a packed file")
      ->required();
  tool::add_mmproj_option(app, options);
  app.add_flag("--tensors", tensors, "each tensor too");
  app.add_flag("--json", json, "one JSON object instead of text");
  app.add_flag("--config", config, "the config alone, as config.json has it: for qwen35_add_config() too")
      ->excludes("--json", "--tensors");
  return tool::run(app, argc, argv, [&] {
    const qwen35::Checkpoint checkpoint = qwen35::Checkpoint::open(path, tool::checkpoint_options(options));
    if (config) {
      std::cout << qwen35::json::dump(without_key_names(checkpoint.config())) << '\n';
      return 0;
    }
    qwen35::read_config(checkpoint, [&](const Value&) {
      const Inspection inspection(checkpoint);
      json ? inspection.print_json(tensors) : inspection.print_text(tensors);
    });
    return 0;
  });
}
