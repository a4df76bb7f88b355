// SPDX-License-Identifier: Apache-2.0
#include <qwen35/core/cancellation.hpp>
#include <qwen35/core/log.hpp>
#include <qwen35/io/available_memory.hpp>
#include <qwen35/json/dump.hpp>
#include <qwen35/parallel/parallel_for.hpp>
#include <qwen35/weights/checkpoint.hpp>

#include "safetensors_writer.hpp"
#include "support/log_capture.hpp"

#include <doctest/doctest.h>

#include <filesystem>
#include <random>

using namespace qwen35;
using namespace weights_test;

namespace {

constexpr const char* config = R"({"hidden_size": 8})";

Bytes one_tensor(const std::string& name) {
  return write_safetensors(std::vector<TestTensor>{{name, {2}, {1.0f, 2.0f}, "F32"}});
}

template <class E = CheckpointError>
std::string problem(const TempFolder& folder) {
  return message_of<E>([&] { Checkpoint::open(folder.path()); });
}

// A folder with two shards; `index` is the weight map's text.
struct Sharded {
  TempFolder folder;
  explicit Sharded(const std::string& weight_map) {
    folder.write("config.json", config);
    folder.write("one.safetensors", one_tensor("a"));
    folder.write("two.safetensors", one_tensor("b"));
    folder.write("model.safetensors.index.json",
                 R"({"metadata": {"total_size": 16}, "weight_map": )" + weight_map + "}");
  }
  std::string said() const { return problem(folder); }
  std::string index() const { return folder.file("model.safetensors.index.json"); }
};

}  // namespace

TEST_CASE("one file") {
  const TempFolder folder;
  folder.write("config.json", config);
  folder.write("generation_config.json", R"({"top_k": 3})");
  folder.write("tokenizer.json", "{}");
  folder.write("model.safetensors", one_tensor("a"));
  const Checkpoint checkpoint = Checkpoint::open(folder.path());
  CHECK(checkpoint.config().at("hidden_size").as_integer() == 8);
  CHECK(checkpoint.generation_config().at("top_k").as_integer() == 3);
  CHECK(checkpoint.folder() == folder.path());
  REQUIRE(checkpoint.tensors().size() == 1);
  REQUIRE(checkpoint.find("a") != nullptr);
  CHECK(checkpoint.find("a")->file == folder.file("model.safetensors"));
  CHECK(checkpoint.find("b") == nullptr);
  CHECK(checkpoint.text("tokenizer.json") == "{}");
  CHECK(checkpoint.text("config.json") == config);
  CHECK(checkpoint.has_file("generation_config.json"));
  CHECK_FALSE(checkpoint.has_file("chat_template.jinja"));
  CHECK(message_of<CheckpointError>([&] { checkpoint.file("chat_template.jinja"); }) ==
        folder.path() + ": no file chat_template.jinja");
}

TEST_CASE("the owner keeps the bytes when the checkpoint is gone") {
  const TempFolder folder;
  folder.write("config.json", config);
  folder.write("model.safetensors", one_tensor("a"));
  std::shared_ptr<const void> owner;
  std::span<const std::byte> bytes;
  {
    Checkpoint first = Checkpoint::open(folder.path());
    const Checkpoint second = std::move(first);
    owner = second.owner();
    bytes = second.find("a")->bytes;
  }
  CHECK(Bytes(bytes.begin(), bytes.end()) == encode({1.0f, 2.0f}, "F32"));
}

TEST_CASE("bytes of the caller") {
  const Bytes a = one_tensor("a"), b = one_tensor("b"), json = bytes_of(config),
              generation = bytes_of(R"({"do_sample": true})"), other = bytes_of("anything");
  const Checkpoint checkpoint = Checkpoint::from_bytes({{"x-1.safetensors", a},
                                                        {"config.json", json},
                                                        {"x-2.safetensors", b},
                                                        {"generation_config.json", generation},
                                                        {"notes", other}});
  CHECK(checkpoint.tensors().size() == 2);
  CHECK(checkpoint.find("b")->file == "x-2.safetensors");
  CHECK(checkpoint.find("a")->bytes.data() == a.data() + a.size() - 8);  // not copied
  CHECK(checkpoint.config().at("hidden_size").as_integer() == 8);
  CHECK(checkpoint.generation_config().at("do_sample").as_bool());
  CHECK(checkpoint.text("notes") == "anything");
  CHECK(checkpoint.folder().empty());
  CHECK(Checkpoint::from_bytes({{"config.json", json}, {"m.safetensors", a}}).generation_config().is_null());

  const auto said = [](std::initializer_list<NamedBytes> files) {
    return message_of<CheckpointError>([&] { Checkpoint::from_bytes(files); });
  };
  CHECK(said({{"m.safetensors", a}}) == "checkpoint: no file config.json");
  CHECK(said({{"config.json", json}}) == "checkpoint: no file among the given ones ends in .safetensors");
  CHECK(said({{"config.json", json}, {"config.json", json}, {"m.safetensors", a}}) ==
        "checkpoint: two files are called config.json");
  CHECK(said({{"config.json", json}, {"1.safetensors", a}, {"2.safetensors", a}}) ==
        "2.safetensors: tensor \"a\" is also in 1.safetensors");
  CHECK(contains(said({{"config.json", json}, {"1.safetensors", {}}}), "1.safetensors: 0 bytes, too short"));
}

TEST_CASE("shards are one table") {
  const Sharded files(R"({"a": "one.safetensors", "b": "two.safetensors"})");
  const Checkpoint checkpoint = Checkpoint::open(files.folder.path());
  CHECK(checkpoint.tensors().size() == 2);
  CHECK(checkpoint.find("a")->file == files.folder.file("one.safetensors"));
  CHECK(checkpoint.find("b")->file == files.folder.file("two.safetensors"));
}

TEST_CASE("the index decides which file a tensor is read from") {
  const auto tensor = [](const std::string& name, float value) { return TestTensor{name, {1}, {value}, "F32"}; };
  const Sharded files(R"({"a": "./one.safetensors", "b": "two.safetensors", "c": "./././three.safetensors"})");
  files.folder.write("one.safetensors",
                     write_safetensors(std::vector<TestTensor>{tensor("a", 1), tensor("b", -1), tensor("c", -1)}));
  files.folder.write("two.safetensors", write_safetensors(std::vector<TestTensor>{tensor("a", -2), tensor("b", 2)}));
  files.folder.write("three.safetensors", write_safetensors(std::vector<TestTensor>{tensor("c", 3), tensor("old.x", 4),
                                                                                    tensor("old.y", 5)}));
  files.folder.write("four.safetensors", "not even looked at");
  const Checkpoint checkpoint = Checkpoint::open(files.folder.path() + "/");
  REQUIRE(checkpoint.tensors().size() == 3);
  for (const auto& [name, value] : {std::pair{"a", 1.0f}, {"b", 2.0f}, {"c", 3.0f}}) {
    REQUIRE(checkpoint.find(name) != nullptr);
    const std::span<const std::byte> bytes = checkpoint.find(name)->bytes;
    CHECK(Bytes(bytes.begin(), bytes.end()) == encode({value}, "F32"));
  }
  CHECK(checkpoint.find("c")->file == files.folder.file("three.safetensors"));
  const std::string copies = ": passed over, because the index reads them from another file: ";
  CHECK(checkpoint.notes() ==
        std::vector<std::string>{files.folder.file("one.safetensors") + copies + "b, c",
                                 files.folder.file("two.safetensors") + copies + "a",
                                 files.folder.file("three.safetensors") +
                                     ": passed over, because the index does not name them: old.x, old.y"});
  CHECK(message_of<CheckpointError>([&] { Checkpoint::open(files.folder.path(), {.strict = true}); }) ==
        checkpoint.notes()[0]);
  checkpoint.note("more");
  CHECK(checkpoint.notes().back() == "more");
}

TEST_CASE("keys that stand twice, and what else configs contradict themselves in, is noted once") {
  const TempFolder folder;
  folder.write("config.json", R"({"hidden_size": 8, "text_config": {"layer_types": ["full_attention"],
    "full_attention_interval": 4, "head_dim": 1, "head_dim": 2}, "hidden_size": 16})");
  folder.write("generation_config.json", R"({"top_k": 3, "top_k": 4, "top_k": 5})");
  folder.write("model.safetensors", one_tensor("a"));
  const std::string twice = ": of keys that stand there more than once the last counts: ";
  const std::vector<std::string> expected{
      folder.file("config.json") + twice + "text_config.head_dim, hidden_size",
      folder.file("config.json") +
          ": text_config.full_attention_interval 4 contradicts layer_types, which counts: entry 0 is "
          "\"full_attention\"",
      folder.file("generation_config.json") + twice + "top_k"};
  std::vector<std::string> seen;
  CheckpointOptions options;
  options.check = [&](const Checkpoint& checkpoint) { seen = checkpoint.notes(); };
  LogCapture log;
  const Checkpoint checkpoint = Checkpoint::open(folder.path(), options);
  CHECK(checkpoint.config().at("hidden_size").as_integer() == 16);
  CHECK(checkpoint.notes() == expected);
  CHECK(seen == expected);
  CHECK(std::vector<std::string>(log.messages.begin(), log.messages.begin() + 3) == expected);
  CHECK(message_of<CheckpointError>([&] { Checkpoint::open(folder.path(), {.strict = true}); }) == expected[0]);

  const Sharded files(R"({"a": "two.safetensors", "b": "two.safetensors", "a": "one.safetensors"})");
  CHECK(Checkpoint::open(files.folder.path()).notes() ==
        std::vector<std::string>{files.index() + twice + "weight_map.a"});
}

TEST_CASE("loading tells how far it is") {
  std::vector<std::pair<std::size_t, std::size_t>> told;
  const LoadProgress note = [&](std::size_t done, std::size_t total) { told.emplace_back(done, total); };
  const Sharded sharded(R"({"a": "one.safetensors", "b": "two.safetensors"})");
  Checkpoint::open(sharded.folder.path(), note);
  const std::size_t one = one_tensor("a").size(), both = one + one_tensor("b").size();
  REQUIRE(told.size() >= 2);
  CHECK(std::find(told.begin(), told.end(), std::pair(one, both)) != told.end());
  CHECK(told.back() == std::pair(both, both));
  CHECK(std::is_sorted(told.begin(), told.end()));

  told.clear();
  TempFolder whole;
  whole.write("config.json", config);
  whole.write("model.safetensors", one_tensor("a"));
  Checkpoint::open(whole.path(), note);
  REQUIRE_FALSE(told.empty());
  CHECK(told.back() == std::pair(one, one));
}

TEST_CASE("weights are mapped or read, with the same bytes") {
  // One that is read piece by piece on several threads, with an odd end; the other is read at once.
  constexpr std::size_t large = (std::size_t{17} << 20) + 3;
  const TempFolder folder;
  std::string text(large, '\0');
  std::mt19937_64 random(1);
  for (std::size_t i = 0; i + 8 <= large; i += 8) {
    const std::uint64_t bits = random();
    std::memcpy(&text[i], &bits, 8);
  }
  folder.write("large", text);
  folder.write("small", "0123456789");
  folder.write("none", "");
  const std::string paths[] = {folder.file("large"), folder.file("small"), folder.file("none")};
  const ThreadCount threads(3);
  for (const LoadMode mode : {LoadMode::automatic, LoadMode::map, LoadMode::read, LoadMode::as_used}) {
    CAPTURE(name_of(mode));
    std::vector<std::size_t> told;
    WeightFiles files(mode, [&](std::size_t done, std::size_t total) {
      CHECK(total == large + 10);
      told.push_back(done);
    });
    files.expect(paths);
    const auto text_of = [](std::span<const std::byte> bytes) {
      return std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    };
    const std::span<const std::byte> first = files.add(paths[0]), second = files.add(paths[1]);
    CHECK(files.add(paths[2]).empty());
    CHECK(text_of(first) == text);
    CHECK(text_of(second) == "0123456789");
    CHECK(reinterpret_cast<std::uintptr_t>(first.data()) % 64 == 0);
    // Where it is read, a file stands so that its tensors begin lines of the caches.
    WeightFiles again(mode);
    again.expect(std::span(paths, 1));
    const std::span<const std::byte> shifted = again.add(paths[0], 1000);
    CHECK(text_of(shifted) == text);
    CHECK((reinterpret_cast<std::uintptr_t>(shifted.data()) + (again.reads() ? 1000 : 0)) % 64 == 0);
    CHECK(again.report().mapped_bytes + again.report().read_bytes == large);
    CHECK(std::is_sorted(told.begin(), told.end()));
    CHECK(told.back() == large + 10);
    const LoadReport report = files.report();
    CHECK(report.mapped_bytes + report.read_bytes == large + 10);
    CHECK(report.huge_page_bytes <= large + 10);
    CHECK(report.seconds > 0);
    if (mode == LoadMode::read) {
      CHECK(report.mapped_bytes == 0);
      folder.write("large", "cut");  // what was read does not change
      CHECK(text_of(first) == text);
      folder.write("large", text);
    }
#if QWEN35_HAS_MMAP
    CHECK(((mode != LoadMode::map && mode != LoadMode::as_used) || report.read_bytes == 0));
#endif
  }
}

#if QWEN35_HAS_POSIX
TEST_CASE("a load is cancelled inside of a file, and leaves nothing of it in memory") {
  constexpr std::size_t piece = std::size_t{64} << 20, size = 2 * piece + 4096;
  const TempFolder folder;
  folder.write("a", "");
  std::filesystem::resize_file(folder.file("a"), size);  // takes no room on the disk
  const std::string a[] = {folder.file("a")};
  const auto in_memory = [&] {
    std::ifstream maps("/proc/self/maps");
    const std::string text{std::istreambuf_iterator<char>(maps), {}};
    return contains(text, a[0]);
  };
  using Steps = std::vector<std::pair<std::size_t, std::size_t>>;
#if QWEN35_HAS_MMAP && defined(MADV_POPULATE_READ)
  const std::vector<LoadMode> modes{LoadMode::read, LoadMode::map};
#else
  const std::vector<LoadMode> modes{LoadMode::read};
#endif
  for (const LoadMode mode : modes) {
    CAPTURE(name_of(mode));
    Steps steps;
    Cancellation cancellation;
    const CallScope scope(cancellation, [&](std::string_view what, std::size_t done, std::size_t total) {
      CHECK(what == "read");
      steps.emplace_back(done, total);
      if (done == piece) {
        cancellation.cancel();
      }
    });
    {
      WeightFiles files(mode);
      files.expect(a);
      CHECK(message_of<CancelledError>([&] { files.add(a[0]); }) == "read: cancelled at 67108864 of 134221824");
      CHECK(steps == Steps{{0, size}, {piece, size}});
      CHECK_FALSE(in_memory());
      CHECK(files.report().mapped_bytes + files.report().read_bytes == 0);
    }
    cancellation.reset();
    steps.clear();
    WeightFiles again(mode);
    again.expect(a);
    cancellation.cancel();
    CHECK_THROWS_AS(again.add(a[0]), CancelledError);
    CHECK(steps == Steps{{0, size}});
  }
}
#endif

TEST_CASE("weights that cannot be loaded so") {
  const TempFolder folder;
  folder.write("a", std::string(9 << 20, 'x'));
  const std::string a[] = {folder.file("a")}, absent[] = {folder.file("absent")};
  WeightFiles files(LoadMode::read);
  CHECK(message_of<CheckpointError>([&] { files.expect(absent); }) ==
        absent[0] + ": cannot be opened: No such file or directory");
  CHECK(message_of<InputError>([] { load_mode("mmap"); }) ==
        "\"mmap\" is no way to load weights, expected automatic, map, read or as_used");
  for (const LoadMode mode : {LoadMode::automatic, LoadMode::map, LoadMode::read, LoadMode::as_used}) {
    CHECK(load_mode(name_of(mode)) == mode);
  }
#if QWEN35_HAS_POSIX
  // Cut by another while it is read.
  WeightFiles cut(LoadMode::read, [&](std::size_t, std::size_t) {
    std::filesystem::resize_file(folder.file("b"), std::size_t{130} << 20);
  });
  folder.write("b", "");
  std::filesystem::resize_file(folder.file("b"), std::size_t{140} << 20);
  const std::string b[] = {folder.file("b")};
  cut.expect(b);
  CHECK(message_of<CheckpointError>([&] { cut.add(b[0]); }) ==
        b[0] + ": ended 10485760 bytes too early: the file was cut while it was read");
  // Larger than any memory; the file takes none on the disk.
  std::filesystem::resize_file(folder.file("b"), std::size_t{1} << 43);
  WeightFiles much(LoadMode::read);
  if (available_memory()) {
    CHECK(contains(message_of<CheckpointError>([&] { much.expect(b); }),
                   "8796093022208 bytes of weights are to be read"));
  }
#endif
}

TEST_CASE("a checkpoint says how its weights were loaded") {
  const TempFolder folder;
  folder.write("config.json", config);
  folder.write("model.safetensors", one_tensor("a"));
  const std::size_t size = one_tensor("a").size();
  std::vector<std::string> logged;
  const LogCallback before = set_log_callback([&](LogLevel level, std::string_view message) {
    CHECK(level == LogLevel::info);
    logged.emplace_back(message);
  });
  const Checkpoint read = Checkpoint::open(folder.path(), {.load = LoadMode::read});
  const Checkpoint mapped = Checkpoint::open(folder.path(), {.load = LoadMode::map});
  set_log_callback(before);
  CHECK(read.loading().read_bytes == size);
  CHECK(read.loading().mapped_bytes == 0);
  CHECK(mapped.loading().mapped_bytes + mapped.loading().read_bytes == size);
  CHECK(Bytes(read.find("a")->bytes.begin(), read.find("a")->bytes.end()) ==
        Bytes(mapped.find("a")->bytes.begin(), mapped.find("a")->bytes.end()));
  REQUIRE(logged.size() == 2);
  CHECK(logged[0].starts_with(read.name() + ": 0 MiB mapped, 0 MiB read, 0 MiB of them in huge pages, "));
  folder.write("model.safetensors", "cut");
  CHECK(read.find("a")->bytes[0] == std::byte{0});  // 1.0f begins with zeros
  const Bytes json = bytes_of(config), weights = one_tensor("a");
  const LoadReport none = Checkpoint::from_bytes({{"config.json", json}, {"m.safetensors", weights}}).loading();
  CHECK(none.read_bytes + none.mapped_bytes == 0);
  CHECK(json::dump(to_json(LoadReport{.mapped_bytes = 3, .read_bytes = 5, .huge_page_bytes = 1, .seconds = 0.5})) ==
        R"({"mapped_bytes": 3, "read_bytes": 5, "huge_page_bytes": 1, "seconds": 0.5})");
}

TEST_CASE("one file goes before an index") {
  const Sharded files("{}");
  files.folder.write("model.safetensors", one_tensor("c"));
  CHECK(Checkpoint::open(files.folder.path()).find("c") != nullptr);
}

TEST_CASE("folders without a model") {
  CHECK(message_of<CheckpointError>([] { Checkpoint::open("/no/such/folder"); }) ==
        "/no/such/folder: no such file or folder");
  CHECK(message_of<CheckpointError>([] {
          Checkpoint::open("Qwen/Qwen3.5-35B-A3B");
        }).starts_with("Qwen/Qwen3.5-35B-A3B: no such file or folder (nothing is downloaded"));
  CHECK(message_of<CheckpointError>([] { Checkpoint::open(""); }) == ": no such file or folder: the path is empty");
  CHECK(message_of<CheckpointError>([] { Checkpoint::open("~/a"); }) ==
        "~/a: no such file or folder (a shell would replace the ~)");
  CHECK(message_of<CheckpointError>([] { Checkpoint::open("/dev/null"); }) ==
        "/dev/null: is not a regular file, expected a file");
  const TempFolder folder;
  CHECK(problem(folder) == folder.path() + ": no file config.json");
  folder.write("config.json", config);
  CHECK(problem(folder) == folder.path() + ": neither model.safetensors nor model.safetensors.index.json");
  folder.write("model.safetensors", "");
  CHECK(problem(folder) ==
        folder.file("model.safetensors") + ": 0 bytes, too short for a safetensors file: its download is incomplete");
  std::filesystem::remove(folder.file("model.safetensors"));
  std::filesystem::create_directory(folder.file("model.safetensors"));
  CHECK(problem(folder) == folder.file("model.safetensors") + ": is a folder, expected a file");
}

TEST_CASE("configs that are not well formed") {
  const TempFolder folder;
  folder.write("model.safetensors", one_tensor("a"));
  folder.write("config.json", "{\"hidden_size\": ");
  CHECK(contains(problem<ConfigError>(folder), folder.file("config.json") + ": not valid JSON at byte "));
  folder.write("config.json", "");
  CHECK(contains(problem<ConfigError>(folder), folder.file("config.json") + ": not valid JSON at byte 0"));
  folder.write("config.json", std::string(3000, '['));
  CHECK(contains(problem<ConfigError>(folder), folder.file("config.json") + ": not valid JSON"));
  folder.write("config.json", config);
  folder.write("generation_config.json", "[1,]");
  CHECK(contains(problem<ConfigError>(folder), folder.file("generation_config.json") + ": not valid JSON at byte "));
}

TEST_CASE("an index that cannot be right") {
  CHECK(contains(Sharded("{").said(), "model.safetensors.index.json: not valid JSON at byte "));
  for (const char* map : {"[]", "null", "3", "{}"}) {
    const Sharded files(map);
    CHECK(files.said() == files.index() + ": expected an object \"weight_map\" from tensors to files");
  }
  for (const char* name :
       {"\"../one.safetensors\"", "\"/etc/passwd\"", "\"sub/one.safetensors\"", "\"./../one.safetensors\"", "\"./\"",
        "\"..\"", "\".\"", "\"\"", "3", "null", "[]", "\"a\\\\b\"", "\"one.safetensors\\u0000x\""}) {
    CAPTURE(name);
    const Sharded files(std::string(R"({"a": )") + name + "}");
    CHECK(files.said() == files.index() + ": tensor \"a\": expected the name of a file in the same folder");
  }
}

TEST_CASE("a shard that is cut is told of before the others are read") {
  const Sharded files(R"({"a": "one.safetensors", "b": "two.safetensors"})");
  const Bytes whole = one_tensor("b");
  files.folder.write("two.safetensors", Bytes(whole.begin(), whole.end() - 1));
  std::size_t loaded = 0;
  const LoadProgress count = [&](std::size_t, std::size_t) { ++loaded; };
  CHECK(message_of<CheckpointError>([&] { Checkpoint::open(files.folder.path(), count); }) ==
        concat(files.folder.file("two.safetensors"), ": ", whole.size() - 1, " bytes, its header describes ",
               whole.size(), ": the file is cut, its download is incomplete"));
#if QWEN35_HAS_MMAP
  CHECK(loaded == 0);
#endif
}

TEST_CASE("an index that names what is not there") {
  const Sharded absent(
      R"({"a": "one.safetensors", "b": "three.safetensors", "c": "four.safetensors", "d": "four.safetensors"})");
  const std::string incomplete = " files that it names do not exist, the download is incomplete: ";
  CHECK(absent.said() == absent.index() + ": 2 of the 3" + incomplete + "three.safetensors, four.safetensors");
  const Sharded many(R"({"a": "1", "b": "2", "c": "3", "d": "4", "e": "one.safetensors", "f": "5"})");
  CHECK(many.said() == many.index() + ": 5 of the 6" + incomplete + "1, 2, 3 and 2 more");
  const Sharded elsewhere(R"({"a": "two.safetensors", "b": "one.safetensors", "c": "one.safetensors"})");
  CHECK(elsewhere.said() == elsewhere.index() +
                                ": tensors that are not where the index says:\n  a (in two.safetensors)\n  b (in "
                                "one.safetensors)\n  c (in one.safetensors)");
  const Sharded damaged(R"({"a": "one.safetensors", "b": "two.safetensors"})");
  damaged.folder.write("two.safetensors", std::string(20, '\xff'));
  CHECK(contains(damaged.said(), damaged.folder.file("two.safetensors") +
                                     ": no safetensors file: its header would have 18446744073709551615 bytes"));
}
