// SPDX-License-Identifier: Apache-2.0
// What a bench found, as Markdown, JSON or CSV. Fields that mean what they mean in llama-bench have its names.
#pragma once

#include <qwen35/core/part_clock.hpp>
#include <qwen35/json/dump.hpp>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <string>
#include <vector>

namespace bench_tool {

struct Spread {
  double mean = 0, deviation = 0, median = 0;

  explicit Spread(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    const std::size_t count = values.size();
    const auto number = static_cast<double>(count);
    for (const double value : values) {
      mean += value / number;
    }
    for (const double value : values) {
      deviation += count > 1 ? (value - mean) * (value - mean) / (number - 1) : 0.0;
    }
    deviation = std::sqrt(deviation);
    median = (values[(count - 1) / 2] + values[count / 2]) / 2;
  }
};

struct BenchResult {
  std::size_t prompt = 0;  // tokens of a sequence; or
  std::size_t generated = 0;
  std::size_t depth = 0;  // tokens before them
  std::size_t batch = 1;
  int threads = 1;
  std::string type_kv;
  std::vector<double> seconds{};                     // of each repetition
  double bytes = 0;                                  // streamed by a step of decoding; 0: a prompt
  double multiply_adds = 0;                          // of a repetition
  double read_bandwidth = 0, multiply_add_peak = 0;  // of the machine, a second; 0: not measured
  std::vector<double> parts{};                       // seconds by Part; empty: not asked for
  double regions = 0;  // parallel regions of a forward, each of which ends in one barrier: of a token, or of a chunk

  double tokens() const { return static_cast<double>(batch * (prompt + generated)); }
  Spread speed() const {
    std::vector<double> speeds;
    for (const double duration : seconds) {
      speeds.push_back(tokens() / duration);
    }
    return Spread(std::move(speeds));
  }
  std::string test() const {
    return (generated > 0 ? "tg" + std::to_string(generated) : "pp" + std::to_string(prompt)) +
           (depth > 0 ? " @ d" + std::to_string(depth) : "") + (batch > 1 ? " x" + std::to_string(batch) : "");
  }
  // A second, at the median.
  double bytes_rate() const { return bytes * speed().median / static_cast<double>(batch); }
  double multiply_add_rate() const { return multiply_adds * speed().median / tokens(); }
};

// What is the same for all results.
struct BenchSubject {
  std::string cpu, isa, path, type, loading;
  double bytes = 0;
  std::size_t parameters = 0;
};

inline std::string format_number(const char* format, double value) {
  char text[64];
  std::snprintf(text, sizeof text, format, value);
  return text;
}

inline std::string share_text(double rate, double of) {
  return of > 0 ? format_number("%.0f %%", 100.0 * rate / of) : "-";
}

inline std::string markdown(const BenchSubject& subject, const std::vector<BenchResult>& results) {
  std::string out =
      "| model | size | params | threads | type_kv | test | t/s | median | GB/s | of read | GFLOP/s | of peak |\n"
      "|---|---:|---:|---:|---|---|---:|---:|---:|---:|---:|---:|\n";
  for (const BenchResult& result : results) {
    const Spread speed = result.speed();
    const double flops = 2.0 * result.multiply_add_rate();
    const std::string cells[] = {subject.type,
                                 format_number("%.2f GiB", subject.bytes / 1073741824.0),
                                 format_number("%.2f B", static_cast<double>(subject.parameters) * 1e-9),
                                 std::to_string(result.threads),
                                 result.type_kv,
                                 result.test(),
                                 format_number("%.2f", speed.mean) + " ± " + format_number("%.2f", speed.deviation),
                                 format_number("%.2f", speed.median),
                                 result.bytes > 0 ? format_number("%.1f", result.bytes_rate() * 1e-9) : "-",
                                 result.bytes > 0 ? share_text(result.bytes_rate(), result.read_bandwidth) : "-",
                                 format_number("%.0f", flops * 1e-9),
                                 share_text(flops, 2.0 * result.multiply_add_peak)};
    for (const std::string& cell : cells) {
      out += "| " + cell + " ";
    }
    out += "|\n";
  }
  out += "\n" + subject.cpu + ", " + subject.isa + "; weights: " + subject.loading + "\n";
  for (std::size_t i = 0; i < results.size(); ++i) {
    const BenchResult& result = results[i];
    const bool first = std::none_of(results.begin(), results.begin() + static_cast<std::ptrdiff_t>(i),
                                    [&](const BenchResult& other) { return other.threads == result.threads; });
    if (first && result.read_bandwidth > 0) {
      out += std::to_string(result.threads) + " threads: " + format_number("%.1f", result.read_bandwidth * 1e-9) +
             " GB/s read from memory, " + format_number("%.0f", 2e-9 * result.multiply_add_peak) + " GFLOP/s in f32\n";
    }
    if (!result.parts.empty()) {
      double sum = 0;
      for (const double part : result.parts) {
        sum += part;
      }
      out += result.test() + ":";
      for (std::size_t part = 0; part < result.parts.size(); ++part) {
        out += result.parts[part] > 0
                   ? " " + std::string(qwen35::part_names[part]) + " " + share_text(result.parts[part], sum)
                   : "";
      }
      out += format_number("; %.0f parallel regions", result.regions) +
             (result.generated > 0 ? " a token\n" : " a chunk\n");
    }
  }
  return out;
}

inline qwen35::json::Value json_of(const BenchSubject& subject, const BenchResult& result) {
  const Spread speed = result.speed();
  std::vector<double> nanoseconds = result.seconds;
  for (double& value : nanoseconds) {
    value = std::round(value * 1e9);
  }
  const Spread time(nanoseconds);
  const auto whole = [](double value) { return static_cast<std::int64_t>(value); };
  qwen35::json::Value out = qwen35::json::Value::object();
  out["cpu_info"] = subject.cpu;
  out["isa"] = subject.isa;
  out["model_filename"] = subject.path;
  out["model_type"] = subject.type;
  out["model_size"] = whole(subject.bytes);
  out["model_n_params"] = subject.parameters;
  out["n_threads"] = result.threads;
  out["type_k"] = result.type_kv;
  out["type_v"] = result.type_kv;
  out["n_prompt"] = result.prompt;
  out["n_gen"] = result.generated;
  out["n_depth"] = result.depth;
  out["n_sequences"] = result.batch;
  out["avg_ns"] = whole(time.mean);
  out["stddev_ns"] = whole(time.deviation);
  out["avg_ts"] = speed.mean;
  out["stddev_ts"] = speed.deviation;
  out["median_ts"] = speed.median;
  out["bytes_per_step"] = whole(result.bytes);
  out["bytes_per_second"] = whole(result.bytes_rate());
  out["read_bandwidth"] = whole(result.read_bandwidth);
  out["multiply_adds_per_second"] = whole(result.multiply_add_rate());
  out["multiply_add_peak"] = whole(result.multiply_add_peak);
  out["regions_per_forward"] = result.regions;
  out["loading"] = subject.loading;
  qwen35::json::Value samples_ns = qwen35::json::Value::array(), samples_ts = samples_ns;
  for (const double value : nanoseconds) {
    samples_ns.push_back(whole(value));
    samples_ts.push_back(result.tokens() / value * 1e9);
  }
  out["samples_ns"] = std::move(samples_ns);
  out["samples_ts"] = std::move(samples_ts);
  for (std::size_t part = 0; part < result.parts.size(); ++part) {
    out["parts"][qwen35::part_names[part]] = result.parts[part];
  }
  return out;
}

inline std::string json(const BenchSubject& subject, const std::vector<BenchResult>& results) {
  std::string out = "[";
  for (const BenchResult& result : results) {
    out += (out.size() > 1 ? ",\n  " : "\n  ") + qwen35::json::dump(json_of(subject, result));
  }
  return out + "\n]\n";
}

// The fields of the JSON form that are no lists.
inline std::string csv(const BenchSubject& subject, const std::vector<BenchResult>& results) {
  std::string header, lines;
  for (const BenchResult& result : results) {
    header.clear();
    std::string line;
    const qwen35::json::Value fields = json_of(subject, result);
    for (const auto& [key, value] : fields.members()) {
      if (value.is_array() || value.is_object()) {
        continue;
      }
      header += (header.empty() ? "" : ",") + key;
      const std::string text = value.is_string() ? value.as_string() : qwen35::json::dump(value);
      std::string quoted = line.empty() ? "\"" : ",\"";
      for (const char c : text) {
        quoted += c == '"' ? "\"\"" : std::string(1, c);
      }
      line += quoted + "\"";
    }
    lines += line + "\n";
  }
  return header + "\n" + lines;
}

}  // namespace bench_tool
