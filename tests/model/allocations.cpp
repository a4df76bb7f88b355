// SPDX-License-Identifier: Apache-2.0
// A decoded token allocates nothing: every form of operator new is counted here.
#include <qwen35/config/presets.hpp>
#include <qwen35/model/causal_lm.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <new>

namespace {

std::atomic<std::size_t> allocations{0};

void* allocate(std::size_t bytes, std::size_t alignment) noexcept {
  allocations.fetch_add(1, std::memory_order_relaxed);
  return std::aligned_alloc(alignment, (std::max<std::size_t>(bytes, 1) + alignment - 1) / alignment * alignment);
}
void* allocate_or_throw(std::size_t bytes, std::size_t alignment) {
  void* const memory = allocate(bytes, alignment);
  if (memory == nullptr) {
    throw std::bad_alloc();
  }
  return memory;
}

}  // namespace

void* operator new(std::size_t bytes) {
  return allocate_or_throw(bytes, alignof(std::max_align_t));
}
void* operator new(std::size_t bytes, std::align_val_t alignment) {
  return allocate_or_throw(bytes, static_cast<std::size_t>(alignment));
}
void* operator new(std::size_t bytes, const std::nothrow_t&) noexcept {
  return allocate(bytes, alignof(std::max_align_t));
}
void* operator new(std::size_t bytes, std::align_val_t alignment, const std::nothrow_t&) noexcept {
  return allocate(bytes, static_cast<std::size_t>(alignment));
}
void operator delete(void* memory) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::align_val_t) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept {
  std::free(memory);
}

namespace {

using namespace qwen35;
using Model = CausalLM<configs::Shapes>;

const Model& shapes() {
  static const Model model = Model::from_pretrained(QWEN35_SOURCE_DIR "/examples/shapes");
  return model;
}

// Allocations of `tokens` greedy tokens of each of `count` sequences, after their prompts and one token.
std::size_t count_allocations(std::size_t count, std::size_t tokens, bool reserve, DType kv_dtype) {
  const auto pool = std::make_shared<KvPool>(Model::cache_layout(kv_dtype));
  std::vector<SequenceCache> caches;
  std::vector<std::vector<TokenId>> prompts;
  std::vector<TokenId> next(count, 1);
  for (std::size_t i = 0; i < count; ++i) {
    caches.emplace_back(pool);
    prompts.emplace_back(70 + i, static_cast<TokenId>(5 + i));
    if (reserve) {
      caches.back().reserve(prompts.back().size() + tokens + 1);
    }
  }
  ForwardWorkspace workspace(64, count);
  std::vector<SequenceSlice> slices(count);
  const auto step = [&](bool first) {
    for (std::size_t i = 0; i < count; ++i) {
      slices[i] = {.cache = &caches[i],
                   .ids = first ? std::span<const TokenId>(prompts[i]) : std::span<const TokenId>(&next[i], 1)};
    }
    const SliceRows rows = shapes().forward(slices, workspace);
    for (std::size_t i = 0; i < count; ++i) {
      const std::span<const float> logits = rows.logits_row(i);
      next[i] = static_cast<TokenId>(std::max_element(logits.begin(), logits.end()) - logits.begin());
    }
  };
  step(true);
  step(false);
  const std::size_t before = allocations;
  for (std::size_t token = 1; token < tokens; ++token) {
    step(false);
  }
  return allocations - before;
}

}  // namespace

TEST_CASE("decoded tokens allocate nothing once there is room") {
  CHECK(count_allocations(1, 200, true, DType::f32) == 0);
  CHECK(count_allocations(3, 200, true, DType::bf16) == 0);
  CHECK(count_allocations(3, 40, false, DType::f32) == 0);  // within a page
}

TEST_CASE("a sequence that grows allocates a page at a time") {
  const std::size_t found = count_allocations(2, 640, false, DType::f32);
  CHECK(found >= 2 * 9);
  CHECK(found <= 2 * (10 + 5));  // and its lists of ids and pages a few times
}
