// SPDX-License-Identifier: Apache-2.0
// Tokens by id and by text, and the printable alphabet in which tokenizer files write bytes.
#pragma once

#include <qwen35/core/dtype.hpp>
#include <qwen35/core/error.hpp>

#include <array>
#include <string>
#include <string_view>
#include <vector>

#if QWEN35_BODIES
#include <qwen35/core/hash.hpp>
#include <qwen35/unicode/utf8.hpp>
#endif

QWEN35_BEGIN_NAMESPACE

// Ids of tokens, and the number of merges, stay below this: a merge is then 64 bits.
inline constexpr TokenId token_id_limit = 1 << 21;

// GPT-2's table: the printable bytes of Latin-1 stand for themselves, the others are U+0100 and up in their order.
class ByteAlphabet {
 public:
  static const ByteAlphabet& instance();

  // Appends the bytes that a token in printable form stands for. False, and `out` as it was, when a character is not of
  // the alphabet.
  bool append_bytes(std::string_view printable, std::string& out) const;
  std::string printable(std::string_view bytes) const;

 private:
  ByteAlphabet();
  static std::uint32_t decode_pair(std::uint32_t lead, std::uint32_t tail) {
    return (tail & 0xC0) == 0x80 ? (lead & 31) << 6 | (tail & 63) : 0;
  }

  std::array<std::uint32_t, 256> points_{};
  std::array<std::int16_t, 0x144> bytes_{};
};

// Tokens by id and by name. The name is what the file writes: the bytes in the printable alphabet, or any other text,
// which then stands for its own bytes ("verbatim"). Ids need not be dense.
class TokenTable {
 public:
  // Makes room for ids below `limit`, one token each.
  void reserve(std::size_t limit);

  // Raises TextError when the id is out of bounds or taken by another name, or the name is taken by another id.
  // `where` stands before the message.
  void add(TokenId id, std::string_view name, std::string_view where = "tokenizer");

  // The id of a token by the bytes that it stands for; -1 when there is none.
  TokenId find(std::string_view bytes) const { return find_slot(bytes, false).id; }
  // The id of a token by its name; -1 when there is none.
  TokenId find_name(std::string_view name) const;
  bool contains(TokenId id) const;
  // What the token stands for; empty for an id without a token.
  std::string_view bytes(TokenId id) const;
  // Its name; empty for an id without a token.
  std::string token(TokenId id) const;
  std::size_t size() const { return count_; }
  // One more than the largest id.
  std::size_t id_end() const { return spans_.size(); }

 private:
  struct Span {
    std::uint32_t start = 0;
    std::uint32_t size_flags = 0;  // size * 4 + 2 (present) + 1 (verbatim)
  };
  struct Slot {
    std::uint32_t tag = 0;  // upper half of the hash: most probes end without a look at the bytes
    TokenId id = -1;
  };
  struct Probe {
    std::size_t slot = 0;
    TokenId id = -1;
  };

  Probe find_slot(std::string_view bytes, bool verbatim) const;
  void place(TokenId id);

  std::string arena_;
  std::vector<Span> spans_;
  std::vector<Slot> slots_;
  std::size_t count_ = 0;
};

#if QWEN35_BODIES

QWEN35_BODY const ByteAlphabet& ByteAlphabet::instance() {
  static const ByteAlphabet alphabet;
  return alphabet;
}

QWEN35_BODY bool ByteAlphabet::append_bytes(std::string_view printable, std::string& out) const {
  const std::size_t before = out.size();
  for (std::size_t i = 0; i < printable.size();) {
    const auto lead = static_cast<unsigned char>(printable[i]);
    std::uint32_t point = lead;
    if (lead >= 0x80) {  // the alphabet has no code point of more than two bytes
      const bool pair = lead >= 0xC2 && lead < 0xE0 && i + 1 < printable.size();
      point = pair ? decode_pair(lead, static_cast<unsigned char>(printable[i + 1])) : 0;
    }
    if (point >= bytes_.size() || bytes_[point] < 0) {
      out.resize(before);
      return false;
    }
    out += static_cast<char>(bytes_[point]);
    i += lead < 0x80 ? 1 : 2;
  }
  return true;
}

QWEN35_BODY std::string ByteAlphabet::printable(std::string_view bytes) const {
  std::string out;
  for (const char byte : bytes) {
    unicode::append_utf8(points_[static_cast<unsigned char>(byte)], out);
  }
  return out;
}

QWEN35_BODY ByteAlphabet::ByteAlphabet() {
  bytes_.fill(-1);
  std::uint32_t next = 0x100;
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    const bool printable = (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
    points_[byte] = printable ? byte : next++;
    bytes_[points_[byte]] = static_cast<std::int16_t>(byte);
  }
}

QWEN35_BODY void TokenTable::reserve(std::size_t limit) {
  spans_.reserve(limit);
  std::size_t slots = 64;
  while (slots < 2 * limit) {
    slots *= 2;
  }
  if (slots > slots_.size()) {
    slots_.assign(slots, Slot{});
    for (std::size_t id = 0; id < spans_.size(); ++id) {
      if (contains(static_cast<TokenId>(id))) {
        place(static_cast<TokenId>(id));
      }
    }
  }
}

QWEN35_BODY void TokenTable::add(TokenId id, std::string_view name, std::string_view where) {
  if (!holds<TextError>(id >= 0 && id < token_id_limit, where, ": token \"", name, "\" has id ", id, ", expected 0 to ",
                        token_id_limit - 1)) {
    return;
  }
  const std::size_t start = arena_.size();
  const bool verbatim = !ByteAlphabet::instance().append_bytes(name, arena_);
  if (verbatim) {
    arena_.append(name);
  }
  const Probe probe = find_slot(std::string_view(arena_).substr(start), verbatim);
  if (probe.id >= 0 || contains(id)) {
    arena_.resize(start);
    if (probe.id != id && contains(id)) {
      decline<TextError>(concat(where, ": tokens \"", token(id), "\" and \"", name, "\" both have id ", id));
    } else if (probe.id != id) {
      decline<TextError>(concat(where, ": token \"", name, "\" has the ids ", probe.id, " and ", id));
    }
    return;
  }
  if (!holds<TextError>(arena_.size() < UINT32_MAX, where, ": more than 4 GB of tokens")) {
    return;
  }
  const auto index = static_cast<std::size_t>(id);
  if (spans_.size() <= index) {
    spans_.resize(index + 1);
  }
  spans_[index] = {static_cast<std::uint32_t>(start),
                   static_cast<std::uint32_t>(arena_.size() - start) << 2 | (verbatim ? 3u : 2u)};
  ++count_;
  if (2 * count_ > slots_.size()) {
    reserve(2 * count_);
  } else {
    place(id);
  }
}

QWEN35_BODY TokenId TokenTable::find_name(std::string_view name) const {
  std::string bytes;
  return ByteAlphabet::instance().append_bytes(name, bytes) ? find_slot(bytes, false).id : find_slot(name, true).id;
}

QWEN35_BODY bool TokenTable::contains(TokenId id) const {
  return id >= 0 && static_cast<std::size_t>(id) < spans_.size() &&
         (spans_[static_cast<std::size_t>(id)].size_flags & 2) != 0;
}

QWEN35_BODY std::string_view TokenTable::bytes(TokenId id) const {
  if (!contains(id)) {
    return {};
  }
  const Span& span = spans_[static_cast<std::size_t>(id)];
  return std::string_view(arena_).substr(span.start, span.size_flags >> 2);
}

QWEN35_BODY std::string TokenTable::token(TokenId id) const {
  const bool verbatim = contains(id) && (spans_[static_cast<std::size_t>(id)].size_flags & 1) != 0;
  return verbatim ? std::string(bytes(id)) : ByteAlphabet::instance().printable(bytes(id));
}

QWEN35_BODY TokenTable::Probe TokenTable::find_slot(std::string_view bytes, bool verbatim) const {
  if (slots_.empty()) {
    return {};
  }
  const std::uint64_t hash = hash_of(bytes);
  const auto tag = static_cast<std::uint32_t>(hash >> 32);
  for (std::size_t slot = hash & (slots_.size() - 1);; slot = (slot + 1) & (slots_.size() - 1)) {
    const Slot& found = slots_[slot];
    if (found.id < 0 ||
        (found.tag == tag && (spans_[static_cast<std::size_t>(found.id)].size_flags & 1) == (verbatim ? 1u : 0u) &&
         this->bytes(found.id) == bytes)) {
      return {slot, found.id};
    }
  }
}

QWEN35_BODY void TokenTable::place(TokenId id) {
  const std::uint64_t hash = hash_of(bytes(id));
  std::size_t slot = hash & (slots_.size() - 1);
  while (slots_[slot].id >= 0) {
    slot = (slot + 1) & (slots_.size() - 1);
  }
  slots_[slot] = {static_cast<std::uint32_t>(hash >> 32), id};
}

#endif  // QWEN35_BODIES

QWEN35_END_NAMESPACE
