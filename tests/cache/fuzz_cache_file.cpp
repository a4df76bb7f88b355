// SPDX-License-Identifier: Apache-2.0
// Any bytes as a saved cache and as a saved conversation, with a checksum that fits: an error, or what is the same
// after it was saved and loaded again.
#include <qwen35/cache/point_file.hpp>

#include "support/fuzz.hpp"
#include "support/point_files.hpp"
#include "support/small_layout.hpp"

namespace {

using namespace qwen35;

constexpr std::uint64_t model = 77;

std::string with_checksum(std::string_view bytes) {
  Hasher sum;
  sum.bytes(bytes.data(), bytes.size());
  const std::uint64_t value = sum.value();
  return std::string(bytes) + std::string(reinterpret_cast<const char*>(&value), sizeof(value));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const fuzz::Folder folder("cache_file");
  const std::string bytes = with_checksum(fuzz::text_of(data, size));
  const std::string given = folder.put("given", bytes), again = folder.path() + "/again";
  fuzz::attempt([&] {
    RectangleCache cache = load_cache(given, test_support::small_layout, model, {.kv_dtype = DType::f16});
    save_cache(cache, again);
    fuzz::expect(test_support::file_contents(again).size() <= bytes.size());
    for (std::size_t row = 0; row < cache.batch_size(); ++row) {  // it can go on
      cache.sequence(row).begin(3, model);
    }
    cache.fork();
  });
  fuzz::attempt([&] {
    const PointFile file = load_points(given, test_support::small_layout, model);
    std::size_t tokens = 0;
    for (const SequencePoint& point : file.points) {
      fuzz::expect(point.tokens() >= tokens && point.bytes() <= bytes.size());
      tokens = point.tokens();
    }
    save_points(file.text, file.points, again);
    const PointFile same = load_points(again, test_support::small_layout, model);
    fuzz::expect(same.text == file.text && same.points.size() == file.points.size());
    for (std::size_t i = 0; i < file.points.size(); ++i) {
      const SequenceCache &a = file.points[i].cache(), &b = same.points[i].cache();
      fuzz::expect(a.tokens() == b.tokens() && begins_with(a, b) && a.rope_delta() == b.rope_delta());
    }
  });
  return 0;
}
