// SPDX-License-Identifier: Apache-2.0
// From the ids of a reply to its parts.
#pragma once

#include <qwen35/core/lifetime.hpp>
#include <qwen35/session/session_options.hpp>
#include <qwen35/text/output_parser.hpp>
#include <qwen35/text/stream_decoder.hpp>
#include <qwen35/text/tokenizer.hpp>

QWEN35_BEGIN_NAMESPACE

// Tells the callbacks each part as it comes.
class ReplyWriter {
 public:
  ReplyWriter(const Tokenizer& tokenizer QWEN35_LIFETIMEBOUND, OutputParserOptions options,
              const SessionCallbacks& callbacks QWEN35_LIFETIMEBOUND)
      : decoder_(tokenizer, true), parser_(std::move(options)), callbacks_(callbacks) {}

  bool thinking() const { return !parser_.output().thinking_closed; }
  bool cancelled() const { return cancelled_; }
  void push(TokenId id) { tell(parser_.push(decoder_.push(id))); }
  const ParsedOutput& finish(OutputEnd end) {
    tell(parser_.push(decoder_.finish()));
    tell(parser_.finish(end));
    return parser_.output();
  }

 private:
  void tell(const std::vector<OutputEvent>& events) {
    for (const OutputEvent& event : events) {
      cancelled_ = (callbacks_.event && !callbacks_.event(event)) || cancelled_;
    }
  }

  StreamDecoder decoder_;
  OutputParser parser_;
  const SessionCallbacks& callbacks_;
  bool cancelled_ = false;
};

QWEN35_END_NAMESPACE
