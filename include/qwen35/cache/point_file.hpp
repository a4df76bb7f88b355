// SPDX-License-Identifier: Apache-2.0
// A text and points of one sequence in one file, so that they are always of one moment.
#pragma once

#include <qwen35/cache/cache_file.hpp>

#include <span>
#include <string>
#include <string_view>
#include <vector>

QWEN35_BEGIN_NAMESPACE

// Each point's keys and values are the first of the last one's.
struct PointFile {
  std::string text;
  std::vector<SequencePoint> points;  // from short to long
};

namespace detail {

// Everything is in the machine's byte order: the header, the text, a row for each point, the ids, keys and values of
// the last point, the linear states of each, a checksum of all that.
struct PointFileHeader {
  char magic[8] = {'q', 'w', '3', '5', 'c', 'h', 'a', 't'};
  std::uint64_t version = 1;
  std::uint64_t text_bytes = 0;
  std::uint64_t points = 0;
  std::uint64_t fingerprint = 0;  // of the model; this and the layout are 0 without points
  LayoutWords layout{};
};

struct PointFileRow {
  std::uint64_t tokens = 0;
  std::uint64_t has_rope_delta = 0;
  std::int64_t rope_delta = 0;
};

}  // namespace detail

// Are the ids, keys and values of `shorter` the first of `longer`, bit for bit? (Linear states have no such order.)
bool begins_with(const SequenceCache& longer, const SequenceCache& shorter);

// `points`: from short to long, see begins_with(); none are a text alone. Raises CacheError when they do not follow
// each other or the file cannot be written; an older file of that name is then still there.
void save_points(std::string_view text, std::span<const SequencePoint> points, const std::string& path);

// The longest text, which is kept and read as a whole. A file has any size without taking any room on the disk.
inline constexpr std::uint64_t max_point_text_bytes = std::uint64_t{1} << 30;

// `layout`, `fingerprint`: of the model that goes on from the points, which have at most `max_tokens`. Raises
// CacheError for a file that is cut, changed or another kind, one that the memory that is left does not hold, and for
// points of another model or KV format.
PointFile load_points(const std::string& path, const CacheLayout& layout, std::uint64_t fingerprint,
                      std::uint64_t max_tokens = UINT64_MAX);

#if QWEN35_BODIES

QWEN35_BODY bool begins_with(const SequenceCache& longer, const SequenceCache& shorter) {
  const std::size_t tokens = shorter.tokens();
  if (tokens > longer.tokens() || longer.has_holes() || longer.layout() != shorter.layout() ||
      longer.fingerprint() != shorter.fingerprint() ||
      !std::equal(shorter.ids().begin(), shorter.ids().end(), longer.ids().begin())) {
    return false;
  }
  bool same = true;
  for (std::size_t page = 0; page < pages_for(tokens) && same; ++page) {
    const std::byte* const own = longer.page_data()[page];
    std::byte* const* const other = shorter.page_data() + page;
    if (own != *other) {
      each_filled_block(other, longer.layout(), std::min(kv_page_slots, tokens - page * kv_page_slots),
                        [&](std::span<const std::byte> block) {
                          same = same && std::memcmp(block.data(), own + (block.data() - *other), block.size()) == 0;
                        });
    }
  }
  return same;
}

QWEN35_BODY void save_points(std::string_view text, std::span<const SequencePoint> points, const std::string& path) {
  require<CacheError>(text.size() <= max_point_text_bytes, path, ": a conversation of ", text.size(),
                      " bytes, the limit is ", max_point_text_bytes);
  detail::PointFileHeader header;
  header.text_bytes = text.size();
  header.points = points.size();
  std::vector<detail::PointFileRow> rows;
  for (const SequencePoint& point : points) {
    const SequenceCache& last = points.back().cache();
    require<CacheError>(!point.cache().empty() && begins_with(last, point.cache()) &&
                            (rows.empty() || rows.back().tokens <= point.tokens()),
                        path, ": points that do not follow each other cannot be saved");
    header.layout = layout_words(last.layout());
    header.fingerprint = last.fingerprint();
    rows.push_back({point.tokens(), point.cache().rope_delta() ? 1u : 0u, point.cache().rope_delta().value_or(0)});
  }
  FileWriter<CacheError> file(path);
  Hasher sum;
  const auto write = [&](std::span<const std::byte> bytes) {
    file.write(bytes);
    sum.bytes(bytes.data(), bytes.size());
  };
  write(std::as_bytes(std::span(&header, 1)));
  write(std::as_bytes(std::span<const char>(text)));
  write(std::as_bytes(std::span(rows)));
  if (!points.empty()) {
    const SequenceCache& last = points.back().cache();
    write(std::as_bytes(last.ids()));
    each_filled_block(last.page_data(), last.layout(), last.tokens(), write);
  }
  for (const SequencePoint& point : points) {
    write(std::as_bytes(point.cache().states()));
  }
  const std::uint64_t checksum = sum.value();
  file.write(std::as_bytes(std::span(&checksum, 1)));
  file.commit();
}

QWEN35_BODY PointFile load_points(const std::string& path, const CacheLayout& layout, std::uint64_t fingerprint,
                                  std::uint64_t max_tokens) {
  PlainFile<CacheError> file(path);
  Hasher sum;
  const auto read = [&](std::span<std::byte> bytes) {
    file.read(bytes);
    sum.bytes(bytes.data(), bytes.size());
  };
  detail::PointFileHeader header;
  const detail::PointFileHeader own;
  const std::uint64_t size = file.size();
  PointFile out;
  // Sizes are bounded by the file's before anything is allocated from them.
  const auto check = [&](bool condition) { return holds<CacheError>(condition, path, ": the file is cut or damaged"); };
  if (declined() || !holds<CacheError>(size >= sizeof(header), path, ": ", size,
                                       " bytes: not a saved conversation, or the file is cut")) {
    return out;
  }
  read(std::as_writable_bytes(std::span(&header, 1)));
  if (declined() ||
      !holds<CacheError>(std::memcmp(header.magic, own.magic, sizeof(header.magic)) == 0, path,
                         ": not a saved conversation") ||
      !holds<CacheError>(header.version == own.version, path, ": a saved conversation of version ", header.version,
                         ", expected ", own.version) ||
      (header.points > 0 && (!require_layout(header.layout, layout, path) ||
                             !require_fingerprint(header.fingerprint, fingerprint, "a conversation", path))) ||
      !check(header.text_bytes <= size &&
             header.points <= size / (sizeof(detail::PointFileRow) + layout.state_bytes())) ||
      !holds<CacheError>(header.text_bytes <= max_point_text_bytes, path, ": a conversation of ", header.text_bytes,
                         " bytes, the limit is ", max_point_text_bytes) ||
      !memory_holds<CacheError>(size, path)) {
    return out;
  }
  out.text.resize(header.text_bytes);
  read(std::as_writable_bytes(std::span(out.text)));
  std::vector<detail::PointFileRow> rows(header.points);
  read(std::as_writable_bytes(std::span(rows)));
  std::uint64_t tokens = 0;
  for (const detail::PointFileRow& row : rows) {
    if (!check(row.tokens > 0 && row.tokens >= tokens && row.has_rope_delta <= 1 &&
               row.rope_delta == static_cast<std::int32_t>(row.rope_delta))) {
      return out;
    }
    tokens = row.tokens;
  }
  const std::uint64_t slot = sizeof(TokenId) + layout.slot_bytes();
  if (!holds<CacheError>(tokens <= max_tokens, path, ": a conversation of ", tokens, " tokens, the model takes ",
                         max_tokens) ||
      !check(tokens <= size / slot &&
             size == sizeof(header) + header.text_bytes + tokens * slot +
                         header.points * (sizeof(detail::PointFileRow) + layout.state_bytes()) +
                         sizeof(std::uint64_t))) {
    return out;
  }
  std::vector<TokenId> ids(tokens);
  read(std::as_writable_bytes(std::span(ids)));
  SequenceCache last(layout);
  last.begin(tokens, fingerprint);
  each_filled_block(last.page_data(), layout, tokens, read);
  last.commit(tokens, ids.data());
  out.points.reserve(rows.size());
  for (const detail::PointFileRow& row : rows) {
    SequenceCache point = last.head(row.tokens);
    read(std::as_writable_bytes(point.states()));
    if (row.has_rope_delta != 0) {
      point.set_rope_delta(static_cast<std::int32_t>(row.rope_delta));
    }
    out.points.emplace_back(std::move(point));
  }
  std::uint64_t stored = 0;
  file.read(std::as_writable_bytes(std::span(&stored, 1)));
  if (!declined() && stored != sum.value()) {
    decline<CacheError>(concat(path, ": the file is damaged (checksum)"));
  }
  return out;
}

#endif  // QWEN35_BODIES

QWEN35_END_NAMESPACE
