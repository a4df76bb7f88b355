// SPDX-License-Identifier: Apache-2.0
#include "support/log_capture.hpp"

#include <qwen35/generate/generation_defaults.hpp>
#include <qwen35/json/parse.hpp>

#include <doctest/doctest.h>

using namespace qwen35;

namespace {

struct ModelWithFile {
  json::Value file;
  const json::Value& generation_config() const { return file; }
};

}  // namespace

TEST_CASE("a max_length that max_new_tokens overrules is said in the log") {
  const ModelWithFile model{json::parse(R"({"max_new_tokens": 64, "top_k": 20})")};
  LogCapture log;
  CHECK(complete_config(model, {.max_length = 100}).max_new_tokens == 64);
  CHECK(log.messages == std::vector<std::string>{"generate: max_length 100 is overruled by max_new_tokens 64 of the "
                                                 "model's generation config"});
  complete_config(model, {.max_length = 100, .max_new_tokens = 5});
  REQUIRE(log.messages.size() == 2);
  CHECK(log.messages[1] == "generate: max_length 100 is overruled by max_new_tokens 5");
  complete_config(model, {.max_new_tokens = 5});
  complete_config(model, {});
  complete_config(ModelWithFile{json::parse(R"({"max_new_tokens": 64, "max_length": 100})")}, {});
  complete_config(ModelWithFile{json::parse("{}")}, {.max_length = 100});
  CHECK(log.messages.size() == 2);
}

TEST_CASE("fields come from the caller, then from the model, then from the fallbacks") {
  const ModelWithFile model{json::parse(R"({"max_new_tokens": 64, "top_k": 20, "eos_token_id": [5, 6]})")};
  const GenerationConfig config = complete_config(model, {.top_k = 3});
  CHECK(config.top_k == 3);
  CHECK(config.max_new_tokens == 64);
  CHECK(config.top_p == 1.0);
  CHECK(config.seed == 0);  // no draws are made
  CHECK_FALSE(merge_config(model, {.do_sample = true}).seed.has_value());
  CHECK(complete_config(model, {.do_sample = true, .seed = 7}).seed == 7);
  CHECK(complete_config(model, {.do_sample = true}).seed != complete_config(model, {.do_sample = true}).seed);
  CHECK(config.pad_token_id == 5);  // the first eos, where nothing says it
}
