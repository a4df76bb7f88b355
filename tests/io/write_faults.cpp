// SPDX-License-Identifier: Apache-2.0
// Every writer, with a fault at each system call that it makes: what loads is the old state or the new one, and nothing
// is left behind.
#undef _FORTIFY_SOURCE
#include <qwen35/cache/point_file.hpp>
#include <qwen35/json/parse.hpp>
#include <qwen35/sampling/generation_config_json.hpp>
#include <qwen35/sampling/generation_config_writer.hpp>
#include <qwen35/text/tokenizer_writer.hpp>
#include <qwen35/weights/checkpoint.hpp>
#include <qwen35/weights/pack.hpp>
#include <qwen35/weights/save_checkpoint.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <thread>
#include <utility>

#include "../examples/tools/line_history.hpp"
#include "support/small_layout.hpp"
#include "weights/safetensors_writer.hpp"

#if defined(__linux__)
#include "support/system_faults.hpp"

using namespace qwen35;
using test_support::small_layout;
using weights_test::TempFolder;

namespace {

// `write(new)`, `read()`: is it the new one?
void check_writer(const std::string& folder, bool one_file, const std::function<void(bool)>& write,
                  const std::function<bool()>& read) {
  const auto state = [&]() -> std::string {
    try {
      return read() ? "new" : "old";
    } catch (const Error&) {
      return "none";
    }
  };
  const test_support::FaultReport report = test_support::fail_each_call(
      folder, one_file, [&] { write(false); }, [&] { write(true); }, state);
  CHECK(report.calls > 40);
  for (const std::string& wrong : report.wrong) {
    FAIL_CHECK(wrong);
  }
}

SequenceCache filled(std::size_t tokens) {
  SequenceCache out(small_layout);
  out.begin(tokens, 5);
  for (std::size_t page = 0; page < out.pages(); ++page) {
    std::memset(out.page_data()[page], 1, small_layout.page_bytes());
  }
  out.commit(tokens, nullptr);
  return out;
}

}  // namespace

TEST_CASE("a text file") {
  const TempFolder folder;
  write_file(folder.file("a"), "old");
  check_writer(
      folder.path(), true, [&](bool later) { write_file(folder.file("a"), later ? std::string(150'000, 'n') : "old"); },
      [&] {
        const std::string text = read_text_file(folder.file("a"));
        require(text == "old" || text == std::string(150'000, 'n'), "torn");
        return text != "old";
      });
}

TEST_CASE("the chat's history: an entry is there whole or not at all, and those before it stay") {
  const TempFolder folder;
  REQUIRE(::setenv("XDG_STATE_HOME", folder.path().c_str(), 1) == 0);
  const std::string path = folder.file("qwen35/chat_history");
  for (const std::string before : {"old\n", "old\nwithout an end"}) {  // the second is written anew first
    CAPTURE(before);
    make_folders(folder.file("qwen35"));
    const auto entries = [] { return chat_tool::LineHistory().entries(); };
    write_file(path, before);
    const std::vector<std::string> old = entries();
    std::vector<std::string> longer = old;
    longer.emplace_back("new");
    const auto read = [&] {
      const std::vector<std::string> found = entries();
      require(found == old || found == longer, "torn");
      return found == longer;
    };
    const auto write = [&](bool later) {
      if (!later) {
        write_file(path, before);
        return;
      }
      chat_tool::LineHistory().add("new");
      const test_support::SystemFaults faults = std::exchange(test_support::system_faults, {});
      const bool there = read();
      test_support::system_faults = faults;
      require(there, "it is in this run's entries alone");
    };
    check_writer(folder.file("qwen35"), true, write, read);
  }
}

TEST_CASE("a history that has grown beyond what is read keeps its newest entries, and goes on") {
  const TempFolder folder;
  REQUIRE(::setenv("XDG_STATE_HOME", folder.path().c_str(), 1) == 0);
  const std::string path = folder.file("qwen35/chat_history"), long_line(chat_tool::LineHistory::most_bytes, 'x');
  make_folders(folder.file("qwen35"));
  write_file(path, long_line + "\nfirst\nsecond\n");
  for (const char* const entry : {"third", "fourth"}) {
    chat_tool::LineHistory history;
    CHECK(history.entries().front() == "first");
    CHECK(history.add(entry));
  }
  CHECK(read_text_file(path) == "first\nsecond\nthird\nfourth\n");
  CHECK(chat_tool::LineHistory().add(long_line));
  CHECK(chat_tool::LineHistory().entries().size() == 4);
}

TEST_CASE("what one program adds to a history while another shortens it is kept") {
  const TempFolder folder;
  REQUIRE(::setenv("XDG_STATE_HOME", folder.path().c_str(), 1) == 0);
  make_folders(folder.file("qwen35"));
  std::string before;
  for (std::size_t i = 0; i < chat_tool::LineHistory::longest; ++i) {
    before += concat("old ", i, "\n");
  }
  write_file(folder.file("qwen35/chat_history"), before);
  constexpr int count = 25;
  const auto add = [](const char* name) {
    for (int i = 0; i < count; ++i) {
      chat_tool::LineHistory().add(concat(name, i));
    }
  };
  std::thread other(add, "other ");
  add("own ");
  other.join();
  const chat_tool::LineHistory history;
  for (const char* const name : {"own ", "other "}) {
    for (int i = 0; i < count; ++i) {
      CHECK(std::count(history.entries().begin(), history.entries().end(), concat(name, i)) == 1);
    }
  }
}

TEST_CASE("a history that another program keeps to itself costs its lines, and nothing waits for it") {
  const TempFolder folder;
  REQUIRE(::setenv("XDG_STATE_HOME", folder.path().c_str(), 1) == 0);
  make_folders(folder.file("qwen35"));
  const std::string path = folder.file("qwen35/chat_history");
  write_file(path, "old\n");
  FileHandle other(::open(path.c_str(), O_RDONLY));
  REQUIRE(::flock(other.number(), LOCK_EX) == 0);
  CHECK(chat_tool::LineHistory().add("new"));
  CHECK(read_text_file(path) == "old\n");
  other.close();
  CHECK(chat_tool::LineHistory().add("new"));
  CHECK(read_text_file(path) == "old\nnew\n");
}

TEST_CASE("a cache") {
  const TempFolder folder;
  check_writer(
      folder.path(), true,
      [&](bool later) {
        std::vector<SequenceCache> one;
        one.push_back(filled(later ? 2000 : 3));
        save_cache(RectangleCache::of(std::move(one)), folder.file("cache"));
      },
      [&] {
        return load_cache(folder.file("cache"), small_layout, 5, {.kv_dtype = small_layout.kv_dtype}).seq_length() > 3;
      });
}

TEST_CASE("a conversation with points") {
  const TempFolder folder;
  check_writer(
      folder.path(), true,
      [&](bool later) {
        const std::vector<SequencePoint> points{filled(2).point(), filled(later ? 2000 : 3).point()};
        save_points(later ? "new" : "old", points, folder.file("chat"));
      },
      [&] {
        const PointFile file = load_points(folder.file("chat"), small_layout, 5);
        require((file.text == "new") == (file.points[1].tokens() > 3), "torn");
        return file.text == "new";
      });
}

TEST_CASE("a generation config") {
  const TempFolder folder;
  check_writer(
      folder.path(), true,
      [&](bool later) {
        GenerationConfig config;
        config.top_k = later ? 7 : 3;
        config.save_pretrained(folder.path());
      },
      [&] {
        return GenerationConfig::from_json(json::parse(read_text_file(folder.file("generation_config.json")), "it"))
                   .top_k == 7;
      });
}

TEST_CASE("a checkpoint: old, new, or one that says that it is left half-way") {
  const TempFolder folder;
  check_writer(
      folder.path(), false,
      [&](bool later) {
        const std::vector<float> values(30'000, later ? 2.0f : 1.0f);
        const auto* const bytes = reinterpret_cast<const std::byte*>(values.data());
        std::vector<NamedParameter> parameters;
        for (const char* const name : {"a", "b"}) {
          parameters.push_back({name, {3, 10'000}, Format::f32, {Matrix(bytes, Format::f32, 3, 10'000)}, nullptr});
        }
        json::Value config = json::Value::object();
        config["new"] = json::Value(later);
        save_checkpoint(folder.path(), config, parameters, {.max_shard_size = later ? 200'000u : 1'000'000u},
                        {{"generation_config.json", later ? "{\"top_k\": 7}" : "{\"top_k\": 3}"}});
      },
      [&] {
        const bool later = json::parse(read_text_file(folder.file("config.json")), "it").at("new").as_bool();
        const bool side =
            json::parse(read_text_file(folder.file("generation_config.json")), "it").at("top_k").as_integer() == 7;
        const Checkpoint checkpoint = Checkpoint::open(folder.path(), CheckpointOptions{.strict = true});
        for (const char* const name : {"a", "b"}) {
          float first = 0.0f;
          std::memcpy(&first, checkpoint.find(name)->bytes.data(), sizeof(first));
          CHECK((first > 1.0f) == later);
        }
        CHECK(side == later);
        return later;
      });
}

TEST_CASE("a packed file") {
  const TempFolder folder;
  const auto checkpoint = [](bool later) {
    const std::vector<float> values(30'000, later ? 2.0f : 1.0f);
    return weights_test::write_safetensors(
        std::vector<weights_test::TestTensor>{{"model.norm.weight", {30'000}, values, "F32"}});
  };
  const weights_test::Bytes config = weights_test::bytes_of(R"({"model_type":"qwen3_5_moe_text"})");
  const weights_test::Bytes weights[] = {checkpoint(false), checkpoint(true)};
  const std::string path = folder.file("m.qwen35");
  check_writer(
      folder.path(), true,
      [&](bool later) {
        pack(Checkpoint::from_bytes({{"config.json", config}, {"m.safetensors", weights[later ? 1 : 0]}}), path);
      },
      [&] {
        const Checkpoint packed = Checkpoint::open(path);
        verify_packed(*packed.packed());
        float first = 0.0f;
        std::memcpy(&first, packed.find("model.norm.weight")->bytes.data(), sizeof(first));
        return first > 1.0f;
      });
}

TEST_CASE("a tokenizer: old, new, or one that says that it is left half-way") {
  const TempFolder folder;
  std::string text = read_text_file(QWEN35_SOURCE_DIR "/examples/shapes/tokenizer.json");
  const Tokenizer first = Tokenizer::from_bytes(text, "old");
  constexpr std::string_view end = "<|im_end|>";
  text.replace(text.find(end), end.size(), "<|im_over|>");
  const Tokenizer second = Tokenizer::from_bytes(text, "new");
  check_writer(
      folder.path(), false, [&](bool later) { (later ? second : first).save_pretrained(folder.path()); },
      [&] { return Tokenizer::from_pretrained(folder.path()).convert_tokens_to_ids("<|im_over|>") >= 0; });
}

#endif
