// SPDX-License-Identifier: Apache-2.0
// The files of a model, in a folder, in memory or made when they are read: how everything that a checkpoint ships
// beside its weights is read.
#pragma once

#include <qwen35/core/lifetime.hpp>
#include <qwen35/io/folder.hpp>
#include <qwen35/io/plain_file.hpp>

#include <algorithm>
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

QWEN35_BEGIN_NAMESPACE

// A file given as bytes, for example one embedded in the program. The bytes must outlive whatever is made from them.
struct NamedBytes {
  std::string_view name;
  std::span<const std::byte> bytes;
};

// Copies share what has been read; they may be used from several threads.
class ModelFolder {
 public:
  // Nothing is opened yet, and the folder need not exist.
  template <class Path>
  requires std::is_convertible_v<const Path&, std::string> ModelFolder(const Path& folder)
      : state_(std::make_shared<State>()) {
    state_->folder = folder;
    while (state_->folder.size() > 1 && state_->folder.ends_with('/')) {
      state_->folder.pop_back();
    }
  }
  // Raises CheckpointError when two files have one name.
  static ModelFolder from_bytes(std::span<const NamedBytes> files);

  // Files that are not there until they are read: add() says how. `source`: what they are made from, for messages.
  static ModelFolder made(std::string source) {
    ModelFolder out{std::string()};
    out.state_->source = std::move(source);
    return out;
  }
  void add(const std::string& name, std::function<std::string()> write) {
    state_->made.insert_or_assign(name, std::move(write));
  }

  // What messages say of a file that is not there, instead of its name.
  void lack(const std::string& name, std::string why) { state_->lacks.insert_or_assign(name, std::move(why)); }
  std::string missing(std::string_view name) const {
    const auto why = state_->lacks.find(name);
    return concat(this->name(), ": ", why == state_->lacks.end() ? concat("no file ", name) : why->second);
  }

  // The same files without what has been read of them, which a copy would keep in memory.
  ModelFolder afresh() const {
    ModelFolder out(folder());
    out.state_->source = state_->source;
    out.state_->made = state_->made;
    out.state_->lacks = state_->lacks;
    out.state_->given = state_->given;
    return out;
  }

  // Empty for files in memory, and for made ones.
  const std::string& folder() const QWEN35_LIFETIMEBOUND { return state_->folder; }
  // How messages call all of it: the folder, or what the files are made from; "checkpoint" in memory.
  std::string name() const {
    return !folder().empty() ? folder() : state_->source.empty() ? "checkpoint" : state_->source;
  }
  // How messages call a file: its path, its name alone in memory, or "model.gguf: config.json".
  std::string place(std::string_view name) const {
    return !folder().empty()        ? concat(folder(), "/", name)
           : state_->source.empty() ? std::string(name)
                                    : concat(state_->source, ": ", name);
  }

  // Is there something of that name? What is no file, or cannot be read, is too: reading it says so.
  bool has_file(std::string_view name) const {
    return folder().empty() ? state_->given.contains(name) || state_->made.contains(name) : path_exists(place(name));
  }
  // The file's text, read when it is first asked for. It lives as long as some copy of this object. Raises E when there
  // is no such file or the folder is none, and when it cannot be read or is longer than max_text_bytes.
  template <class E = CheckpointError>
  std::string_view text(std::string_view name) const {
    if (const auto given = state_->given.find(name); given != state_->given.end()) {
      return {reinterpret_cast<const char*>(given->second.data()), given->second.size()};
    }
    const std::lock_guard<std::mutex> lock(state_->mutex);
    auto found = state_->read.find(name);
    if (found == state_->read.end()) {
      if (!has_file(name)) {
        if (holds<E>(folder().empty() || is_folder(folder()) || !path_exists(folder()), folder(), ": ",
                     what_it_is(folder()), ", expected a folder")) {
          decline<E>(missing(name));
        }
        return {};
      }
      const auto made = state_->made.find(name);
      std::string read = made != state_->made.end() ? made->second() : read_text_file<E>(place(name));
      if (declined()) {
        return {};
      }
      found = state_->read.emplace(name, std::move(read)).first;
    }
    return found->second;
  }
  // The names of the files in a folder of this one, sorted; none when there is no such folder. Raises E when it cannot
  // be read or has more than 1000.
  template <class E = CheckpointError>
  std::vector<std::string> names_in(const std::string& inner) const {
    constexpr std::size_t limit = 1000;
    std::vector<std::string> out;
    if (folder().empty()) {
      const auto add = [&](const std::string& name) {
        if (name.size() > inner.size() && name.starts_with(inner) && name[inner.size()] == '/') {
          if (holds<E>(out.size() < limit, place(inner), ": more than ", limit, " files")) {
            out.push_back(name.substr(inner.size() + 1));
          }
        }
      };
      for (const auto& [name, bytes] : state_->given) {
        add(name);
      }
      for (const auto& [name, write] : state_->made) {
        add(name);
      }
    } else if (has_file(inner)) {
      out = names_in_folder<E>(place(inner), limit);
    }
    std::sort(out.begin(), out.end());
    return out;
  }

 private:
  struct State {
    std::string folder;
    std::string source;
    std::map<std::string, std::function<std::string()>, std::less<>> made;
    std::map<std::string, std::string, std::less<>> lacks;
    std::map<std::string, std::span<const std::byte>, std::less<>> given;
    std::mutex mutex;
    std::map<std::string, std::string, std::less<>> read;
  };

  std::shared_ptr<State> state_;
};

#if QWEN35_BODIES

QWEN35_BODY ModelFolder ModelFolder::from_bytes(std::span<const NamedBytes> files) {
  ModelFolder out{std::string()};
  for (const NamedBytes& file : files) {
    if (!holds<CheckpointError>(out.state_->given.try_emplace(std::string(file.name), file.bytes).second,
                                "checkpoint: two files are called ", file.name)) {
      break;
    }
  }
  return out;
}

#endif  // QWEN35_BODIES

QWEN35_END_NAMESPACE
