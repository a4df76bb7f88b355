// SPDX-License-Identifier: Apache-2.0
// The files of a model, in a folder, in memory or made when they are read: how everything that a checkpoint ships
// beside its weights is read.
#pragma once

#include <qwen35/core/lifetime.hpp>
#include <qwen35/io/folder.hpp>
#include <qwen35/io/plain_file.hpp>

#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#if QWEN35_BODIES
#include <algorithm>
#include <map>
#include <mutex>
#include <optional>
#include <utility>
#endif

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
      : ModelFolder(Folder{folder}) {}
  // Raises CheckpointError when two files have one name.
  static ModelFolder from_bytes(std::span<const NamedBytes> files);

  // Files that are not there until they are read: add() says how. `source`: what they are made from, for messages.
  static ModelFolder made(std::string source);
  void add(const std::string& name, std::function<std::string()> write);

  // What messages say of a file that is not there, instead of its name.
  void lack(const std::string& name, std::string why);
  // Of a file that is not there; where there is no folder, that.
  std::string missing(std::string_view name) const;

  // The same files without what has been read of them, which a copy would keep in memory.
  ModelFolder afresh() const;

  // Empty for files in memory, and for made ones.
  const std::string& folder() const QWEN35_LIFETIMEBOUND;
  // How messages call all of it: the folder, or what the files are made from; "checkpoint" in memory.
  std::string name() const;
  // How messages call a file: its path, its name alone in memory, or "model.gguf: config.json".
  std::string place(std::string_view name) const;

  // Is there something of that name? What is no file, or cannot be read, is too: reading it says so.
  bool has_file(std::string_view name) const;
  // The file's text, read when it is first asked for. It lives as long as some copy of this object. Raises E when there
  // is no such file or the folder is none, and when it cannot be read or is longer than max_text_bytes.
  template <class E = CheckpointError>
  std::string_view text(std::string_view name) const {
    return text(name, &read_text_file_of<E>, &decline_all<E>);
  }
  // The names of the files in a folder of this one, sorted; none when there is no such folder. Raises E when it cannot
  // be read or has more than 1000.
  template <class E = CheckpointError>
  std::vector<std::string> names_in(const std::string& inner) const {
    return names_in(inner, &names_in_folder<E>, &decline_all<E>);
  }

 private:
  struct Folder {
    std::string path;
  };
  struct File;
  struct State;
  using Decline = void(const std::string& message);
  using ReadText = std::string(const std::string& path);
  using ReadNames = std::vector<std::string>(const std::string& path, std::size_t limit);

  ModelFolder();
  explicit ModelFolder(const Folder& folder);

  template <class E>
  static void decline_all(const std::string& message) {
    decline<E>(message);
  }
  template <class E>
  static std::string read_text_file_of(const std::string& path) {
    return read_text_file<E>(path);
  }
  File* find(std::string_view name) const;
  std::string_view text(std::string_view name, ReadText* read, Decline* refuse) const;
  std::vector<std::string> names_in(const std::string& inner, ReadNames* read, Decline* refuse) const;

  std::shared_ptr<State> state_;
};

// Of a path where a model was expected: "PATH: no such file or folder", and what may be the reason.
std::string nothing_at(std::string_view path);

#if QWEN35_BODIES

QWEN35_BODY std::string nothing_at(std::string_view path) {
  const bool is_name =
      !path.empty() && path[0] != '/' && path[0] != '.' && std::count(path.begin(), path.end(), '/') == 1;
  return concat(path, ": no such file or folder",
                path.empty()            ? ": the path is empty"
                : path.starts_with('~') ? " (a shell would replace the ~)"
                : is_name
                    ? " (nothing is downloaded: hf download NAME --local-dir FOLDER does, and FOLDER is given here)"
                    : "");
}

struct ModelFolder::File {
  std::span<const std::byte> given;    // in memory
  std::function<std::string()> write;  // made
  std::optional<std::string> read;
};

struct ModelFolder::State {
  bool on_disk = false;  // also of an empty path
  std::string folder;
  std::string source;
  std::map<std::string, std::string, std::less<>> lacks;
  std::mutex mutex;
  std::map<std::string, File, std::less<>> files;  // in memory all of them, else those that have been read
};

QWEN35_BODY ModelFolder::ModelFolder() : state_(std::make_shared<State>()) {}

QWEN35_BODY ModelFolder::ModelFolder(const Folder& folder) : ModelFolder() {
  state_->on_disk = true;
  state_->folder = folder.path;
  while (state_->folder.size() > 1 && state_->folder.ends_with('/')) {
    state_->folder.pop_back();
  }
}

QWEN35_BODY ModelFolder ModelFolder::from_bytes(std::span<const NamedBytes> files) {
  ModelFolder out;
  for (const NamedBytes& file : files) {
    const bool is_new = out.state_->files.try_emplace(std::string(file.name), File{file.bytes, {}, {}}).second;
    if (!holds<CheckpointError>(is_new, "checkpoint: two files are called ", file.name)) {
      break;
    }
  }
  return out;
}

QWEN35_BODY ModelFolder ModelFolder::made(std::string source) {
  ModelFolder out;
  out.state_->source = std::move(source);
  return out;
}

QWEN35_BODY void ModelFolder::add(const std::string& name, std::function<std::string()> write) {
  state_->files[name].write = std::move(write);
}

QWEN35_BODY void ModelFolder::lack(const std::string& name, std::string why) {
  state_->lacks.insert_or_assign(name, std::move(why));
}

QWEN35_BODY std::string ModelFolder::missing(std::string_view name) const {
  if (state_->on_disk && !is_folder(folder())) {
    return path_exists(folder()) ? concat(folder(), ": ", what_it_is(folder()), ", expected a folder")
                                 : nothing_at(folder());
  }
  const auto why = state_->lacks.find(name);
  return why == state_->lacks.end() ? concat(this->name(), ": no file ", name)
                                    : concat(this->name(), ": ", why->second);
}

QWEN35_BODY ModelFolder ModelFolder::afresh() const {
  ModelFolder out;
  out.state_->on_disk = state_->on_disk;
  out.state_->folder = state_->folder;
  out.state_->source = state_->source;
  out.state_->lacks = state_->lacks;
  if (folder().empty()) {
    for (const auto& [name, file] : state_->files) {
      out.state_->files.try_emplace(name, File{file.given, file.write, {}});
    }
  }
  return out;
}

QWEN35_BODY const std::string& ModelFolder::folder() const {
  return state_->folder;
}

QWEN35_BODY std::string ModelFolder::name() const {
  return !folder().empty() ? folder() : state_->source.empty() ? "checkpoint" : state_->source;
}

QWEN35_BODY std::string ModelFolder::place(std::string_view name) const {
  return !folder().empty()        ? concat(folder(), "/", name)
         : state_->source.empty() ? std::string(name)
                                  : concat(state_->source, ": ", name);
}

QWEN35_BODY bool ModelFolder::has_file(std::string_view name) const {
  return folder().empty() ? find(name) != nullptr : path_exists(place(name));
}

QWEN35_BODY ModelFolder::File* ModelFolder::find(std::string_view name) const {
  const auto found = state_->files.find(name);
  return found == state_->files.end() ? nullptr : &found->second;
}

QWEN35_BODY std::string_view ModelFolder::text(std::string_view name, ReadText* read, Decline* refuse) const {
  const std::lock_guard<std::mutex> lock(state_->mutex);
  File* file = find(name);
  if (file != nullptr && !file->read && !file->write) {
    return {reinterpret_cast<const char*>(file->given.data()), file->given.size()};
  }
  if (file != nullptr && file->read) {
    return *file->read;
  }
  if (!has_file(name)) {
    refuse(missing(name));
    return {};
  }
  std::string text = file != nullptr ? file->write() : read(place(name));
  if (declined()) {
    return {};
  }
  if (file == nullptr) {
    file = &state_->files[std::string(name)];
  }
  return file->read.emplace(std::move(text));
}

QWEN35_BODY std::vector<std::string> ModelFolder::names_in(const std::string& inner, ReadNames* read,
                                                           Decline* refuse) const {
  constexpr std::size_t limit = 1000;
  std::vector<std::string> out;
  if (!folder().empty()) {
    if (has_file(inner)) {
      out = read(place(inner), limit);
    }
  } else {
    const std::string beginning = inner + "/";
    for (auto file = state_->files.lower_bound(beginning);
         file != state_->files.end() && file->first.starts_with(beginning); ++file) {
      if (out.size() == limit) {
        refuse(concat(place(inner), ": more than ", limit, " files"));
        break;
      }
      out.push_back(file->first.substr(beginning.size()));
    }
  }
  std::sort(out.begin(), out.end());
  return out;
}

#endif  // QWEN35_BODIES

QWEN35_END_NAMESPACE
