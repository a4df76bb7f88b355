// SPDX-License-Identifier: Apache-2.0
// Positions of the tokens of a conversation with pictures and videos: temporal, height and width planes.
#pragma once

#include <qwen35/core/grid.hpp>
#include <qwen35/model/attention_mask.hpp>

#include <algorithm>
#include <limits>
#include <string_view>
#include <vector>

#if QWEN35_BODIES
#include <qwen35/core/dtype.hpp>
#endif

QWEN35_BEGIN_NAMESPACE

// What a token stands for, as `mm_token_type_ids` says it.
enum class TokenType : std::int32_t { text = 0, image = 1, video = 2 };

struct RopeIndexInput {
  Shape tokens{};  // [batch, sequence] of the input_ids
  TensorView<std::int32_t>
      mm_token_type_ids{};  // [batch, sequence], or wider: the last columns count; none: all is text
  TensorView<std::int64_t>
      image_grid_thw{};  // [images, 3]: frames, height and width in patches; in the order of the whole batch
  TensorView<std::int64_t> video_grid_thw{};  // [videos, 3]; each of its frames is a run of its own
  AttentionMask attention_mask{};  // [batch, sequence], or wider: the last columns count; a 4-D mask tells nothing here
  std::size_t spatial_merge_size = 2;
  // What stands in a cache already: unmasked tokens of each sequence, and its offset; [batch] both, or neither.
  std::span<const std::int32_t> past_tokens{};
  std::span<const std::int32_t> past_deltas{};
};

struct RopeIndex {
  Tensor<std::int32_t> position_ids;  // [3, batch, sequence]; 0 where masked
  std::vector<std::int32_t>
      rope_deltas;  // [batch]: the next token's position is the number of unmasked tokens so far, plus this
};

namespace detail {

// The grids of one kind, handed out one run of placeholders after the other.
class GridRuns {
 public:
  // A video's frames are separated by timestamps, so each is a run: `by_frame`.
  GridRuns(std::string_view name, TensorView<std::int64_t> grids, std::size_t merge, bool by_frame);

  struct Run {
    std::int64_t frames, height, width;  // in merged patches
  };
  // The next grid, for a run of `length` placeholders at [row, column]. Raises InputError unless it has so many merged
  // patches.
  Run take(std::int64_t length, std::size_t row, std::size_t column);
  void finish() const;

 private:
  std::string_view name_;
  TensorView<std::int64_t> grids_;
  std::size_t merge_;
  bool by_frame_;
  std::size_t count_ = 0;
  std::size_t item_ = 0;
  std::int64_t frame_ = 0;
};

// A [batch, sequence] argument whose last columns count: value i of token (b, s).
std::size_t last_column(const Shape& shape, std::size_t length, std::size_t b, std::size_t s);

void require_columns(std::string_view name, const Shape& shape, const Shape& tokens);

}  // namespace detail

// Text counts on, on all planes. A picture of h x w merged patches at position p has rows at p + y and columns at p +
// x, and the text behind it goes on at p + max(h, w): fewer positions than tokens, so that deltas are negative. With a
// cache the positions are those of one pass over everything. Masked tokens take no position. Raises InputError for
// token types other than 0, 1 and 2, and for grids that do not fit the runs of placeholders. Source: reference
// `get_rope_index`; the rule for a cache is ours.
QWEN35_LAZY
RopeIndex rope_index(const RopeIndexInput& input);

#if QWEN35_BODIES

namespace detail {

QWEN35_BODY GridRuns::GridRuns(std::string_view name, TensorView<std::int64_t> grids, std::size_t merge, bool by_frame)
    : name_(name), grids_(grids), merge_(merge), by_frame_(by_frame), count_(grid_count(grids, name)) {
  for (std::size_t i = 0; i < count_; ++i) {
    grid_at(grids, i, merge, name);
  }
}

QWEN35_BODY GridRuns::Run GridRuns::take(std::int64_t length, std::size_t row, std::size_t column) {
  require<InputError>(item_ < count_, "get_rope_index: ", name_, by_frame_ ? " has no frame" : " has no item",
                      " left for the ", length, " placeholder tokens from token ", column, " of sequence ", row, " on");
  const Grid grid = grid_at(grids_, item_, merge_, name_);
  const auto merge = static_cast<std::int64_t>(merge_);
  const Run run{by_frame_ ? 1 : grid.t, grid.h / merge, grid.w / merge};
  require<InputError>(run.frames * run.height * run.width == length, "get_rope_index: ", length,
                      " placeholder tokens from token ", column, " of sequence ", row, " on, but ", name_, "[", item_,
                      "] has ", run.frames, " x ", run.height, " x ", run.width, " merged patches",
                      by_frame_ ? " a frame" : "");
  if (!by_frame_ || ++frame_ == grid.t) {
    frame_ = 0;
    ++item_;
  }
  return run;
}

QWEN35_BODY void GridRuns::finish() const {
  require<InputError>(item_ == count_ && frame_ == 0, "get_rope_index: ", name_, " has ", count_,
                      " items, the tokens have placeholders for ", item_, frame_ == 0 ? "" : " and a part of the next");
}

QWEN35_BODY std::size_t last_column(const Shape& shape, std::size_t length, std::size_t b, std::size_t s) {
  return (b + 1) * shape[1] - length + s;
}

QWEN35_BODY void require_columns(std::string_view name, const Shape& shape, const Shape& tokens) {
  require<InputError>(shape.rank() == 2 && shape[0] == tokens[0] && shape[1] >= tokens[1], "get_rope_index: ", name,
                      " of shape ", to_string(shape), ", expected ", to_string(tokens));
}

}  // namespace detail

QWEN35_LAZY_BODY
RopeIndex rope_index(const RopeIndexInput& input) {
  const Shape& tokens = input.tokens;
  require<InputError>(tokens.rank() == 2, "get_rope_index: input_ids of shape ", to_string(tokens),
                      ", expected [batch, sequence]");
  require<InputError>(input.spatial_merge_size > 0 && input.spatial_merge_size <= Grid::max_merge,
                      "get_rope_index: spatial_merge_size is ", input.spatial_merge_size);
  const std::size_t batch = tokens[0];
  const std::size_t length = tokens[1];
  const TensorView<std::int32_t>& types = input.mm_token_type_ids;
  const AttentionMask mask = input.attention_mask.is_ready_made() ? AttentionMask() : input.attention_mask;
  if (types) {
    detail::require_columns("mm_token_type_ids", types.shape(), tokens);
  }
  if (mask) {
    require<InputError>(!mask.is_additive(), "get_rope_index: attention_mask of floats with shape ",
                        to_string(mask.shape()));
    detail::require_columns("attention_mask", mask.shape(), tokens);
  }
  const std::size_t past_rows = input.past_tokens.size();
  require<InputError>(past_rows == input.past_deltas.size() && (past_rows == 0 || past_rows == batch),
                      "get_rope_index: past_tokens of ", past_rows, " and past_deltas of ", input.past_deltas.size(),
                      " sequences, expected ", batch, " or none");
  detail::GridRuns images("image_grid_thw", input.image_grid_thw, input.spatial_merge_size, false);
  detail::GridRuns videos("video_grid_thw", input.video_grid_thw, input.spatial_merge_size, true);

  RopeIndex out{Tensor<std::int32_t>({3, batch, length}), std::vector<std::int32_t>(batch)};
  const std::size_t plane = batch * length;
  std::vector<std::size_t> columns;  // of the row's unmasked tokens
  for (std::size_t b = 0; b < batch; ++b) {
    const auto type = [&](std::size_t s) {
      return types ? types[detail::last_column(types.shape(), length, b, s)] : 0;
    };
    columns.clear();
    for (std::size_t s = 0; s < length; ++s) {
      if (!mask || mask.visible(detail::last_column(mask.shape(), length, b, s))) {
        columns.push_back(s);
      }
    }
    const std::int64_t past = past_rows == 0 ? 0 : input.past_tokens[b];
    std::int64_t next = past + (past_rows == 0 ? 0 : input.past_deltas[b]);
    std::int64_t end = next;  // one more than the largest position
    const auto place = [&](std::size_t i, std::int64_t t, std::int64_t h, std::int64_t w) {
      end = std::max({end, t + 1, h + 1, w + 1});
      require<InputError>(end <= std::numeric_limits<std::int32_t>::max(), "get_rope_index: positions of sequence ", b,
                          " do not fit 32 bits");
      std::int32_t* const to = out.position_ids.data() + b * length + columns[i];
      to[0] = static_cast<std::int32_t>(t);
      to[plane] = static_cast<std::int32_t>(h);
      to[2 * plane] = static_cast<std::int32_t>(w);
    };
    for (std::size_t i = 0; i < columns.size();) {
      const std::int32_t kind = type(columns[i]);
      std::size_t stop = i + 1;
      while (stop < columns.size() && type(columns[stop]) == kind) {
        ++stop;
      }
      if (kind == static_cast<std::int32_t>(TokenType::text)) {
        for (; i < stop; ++i, ++next) {
          place(i, next, next, next);
        }
        continue;
      }
      require<InputError>(
          kind == static_cast<std::int32_t>(TokenType::image) || kind == static_cast<std::int32_t>(TokenType::video),
          "get_rope_index: mm_token_type_ids has ", kind, " at token ", columns[i], " of sequence ", b,
          ", expected 0 (text), 1 (image) or 2 (video)");
      detail::GridRuns& grids = kind == static_cast<std::int32_t>(TokenType::image) ? images : videos;
      const auto run = grids.take(static_cast<std::int64_t>(stop - i), b, columns[i]);
      for (std::int64_t t = 0; t < run.frames; ++t) {
        for (std::int64_t y = 0; y < run.height; ++y) {
          for (std::int64_t x = 0; x < run.width; ++x) {
            place(i++, next + t, next + y, next + x);
          }
        }
      }
      next += std::max(run.height, run.width);
    }
    out.rope_deltas[b] = static_cast<std::int32_t>(end - past - static_cast<std::int64_t>(columns.size()));
  }
  images.finish();
  videos.finish();
  return out;
}

#endif  // QWEN35_BODIES

QWEN35_END_NAMESPACE
