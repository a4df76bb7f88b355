// SPDX-License-Identifier: Apache-2.0
// Damaged and malicious files: each is refused by an error that names it, or decoded, with no more memory than the
// limits allow.
#include <qwen35/media/decode.hpp>
#include <qwen35/media/gif_video.hpp>
#include <qwen35/media/image_folder.hpp>
#include <qwen35/media/image_processor.hpp>

#include <media/hostile_files.hpp>

#include <cstdlib>
#include <filesystem>
#include <fstream>

using namespace qwen35;
using namespace media_test;
using namespace hostile;

// Plain malloc, calloc and realloc of everything in this program, of which one call can be made to fail. Sanitizers
// have their own.
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define QWEN35_TEST_SANITIZER
#endif
#endif
#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) && \
    !defined(QWEN35_TEST_SANITIZER)
#define QWEN35_TEST_MALLOC
namespace {
thread_local std::size_t calls_to_failure = 0;  // 0: none fails
bool fails() {
  return calls_to_failure > 0 && --calls_to_failure == 0;
}
}  // namespace
extern "C" {
void* __libc_malloc(std::size_t);
void* __libc_calloc(std::size_t, std::size_t);
void* __libc_realloc(void*, std::size_t);
void* malloc(std::size_t size) {
  return fails() ? nullptr : __libc_malloc(size);
}
void* calloc(std::size_t count, std::size_t size) {
  return fails() ? nullptr : __libc_calloc(count, size);
}
void* realloc(void* memory, std::size_t size) {
  return fails() ? nullptr : __libc_realloc(memory, size);
}
}
#endif

// Libraries keep pointers to what they work with.
static_assert(!std::is_move_constructible_v<GifReader> && !std::is_move_assignable_v<GifReader>);
static_assert(!std::is_move_constructible_v<GifVideo> && !std::is_move_assignable_v<GifVideo>);
static_assert(!std::is_move_constructible_v<qwen35::detail::PngFile>);
static_assert(!std::is_move_constructible_v<qwen35::detail::JpegFile>);
#if defined(QWEN35_HAS_TIFF)
static_assert(!std::is_move_constructible_v<qwen35::detail::TiffReader>);
#endif

namespace {

// 4 million pixels: 12 MB of them decoded, at most 44 MB beside them while an animation of WebP is unpacked.
const MediaLimits limits{.max_pixels = 4'000'000};

// The most memory that this process ever had, in MB; 0 where the system does not tell.
std::size_t peak_megabytes() {
#if defined(__linux__) && !defined(__SANITIZE_ADDRESS__)
  std::ifstream file("/proc/self/status");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("VmHWM:")) {
      return std::stoul(line.substr(6)) / 1024;
    }
  }
#endif
  return 0;
}

// QWEN35_TEST_SEEDS names a folder: the files are written there, for the fuzz driver to start from.
void keep_seed(const std::string& name, const std::string& bytes) {
  const char* const folder = std::getenv("QWEN35_TEST_SEEDS");
  if (folder != nullptr && bytes.size() < 8192) {
    std::string path = std::string(folder) + "/hostile_" + name;
    std::replace(path.begin() + static_cast<std::ptrdiff_t>(std::string(folder).size()) + 1, path.end(), ' ', '_');
    std::ofstream(path, std::ios::binary) << bytes;
  }
}

// The message that decoding the file ends with, behind its name; "decoded" without one.
std::string outcome(const std::string& name, const std::string& bytes) {
  keep_seed(name, bytes);
  try {
    const Image image = decode_image(bytes_of(bytes), limits, name);
    return image.width() * image.height() <= limits.max_pixels ? "decoded" : "too large";
  } catch (const MediaError& error) {
    const std::string message = error.what();
    return message.starts_with(name + ": ") ? message.substr(name.size() + 2)
                                            : "an error without the file's name: " + message;
  }
}

struct Case {
  std::string name;
  std::string bytes;
  std::string expected;  // part of the outcome
};

void check_all(const std::vector<Case>& cases) {
  for (const Case& c : cases) {
    CAPTURE(c.name);
    const std::string got = outcome(c.name, c.bytes);
    CAPTURE(got);
    CHECK(contains(got, c.expected));
  }
}

std::string joined(std::size_t count, std::string_view part) {
  std::string out;
  for (std::size_t i = 0; i < count; ++i) {
    out += part;
  }
  return out;
}

std::string exif_with(std::string_view directory) {
  return Bytes().text("MM").be16(42).be32(8).text(directory).str();
}

}  // namespace

TEST_CASE("PNG") {
  const std::string cut = "cut off", unsound = "not a sound PNG";
  const std::string good = Png().str();
  const std::size_t before = peak_megabytes();
  std::string crc = good;
  crc[29] = static_cast<char>(crc[29] ^ 1);  // of IHDR
  std::string data_crc = good;
  data_crc[good.size() - 13] = static_cast<char>(data_crc[good.size() - 13] ^ 1);
  const std::string start = Png().start();
  check_all({
      {"png", good, "decoded"},
      {"png signature alone", good.substr(0, 8), cut},
      {"png cut in IHDR", good.substr(0, 20), cut},
      {"png cut after IHDR", start, cut},
      {"png cut in the length of IDAT", good.substr(0, start.size() + 2), cut},
      {"png cut in IDAT", good.substr(0, start.size() + 20), cut},
      {"png cut before IEND", good.substr(0, good.size() - 12), "decoded"},
      {"png IHDR with a wrong checksum", crc, "CRC"},
      {"png IDAT with a wrong checksum", data_crc, "decoded"},
      {"png without width", Png{.width = 0}.str(), unsound},
      {"png without height", Png{.height = 0}.str(), unsound},
      {"png of negative width", Png{.width = 0x80000000u}.str(), unsound},
      {"png of the greatest height", Png{.height = 0x7fffffffu}.str(), unsound},
      {"png of 16 million columns of 64 bits", Png{.width = 1 << 24, .height = 1, .depth = 16, .colour = 6}.str(),
       "the limit is 4000000"},
      {"png of 16 million rows", Png{.width = 1, .height = 1 << 24}.str(), "the limit is 4000000"},
      {"png of 10^10 pixels", Png{.width = 100000, .height = 100000}.str(), "the limit is 4000000"},
      {"png of 3 bits", Png{.depth = 3}.str(), unsound},
      {"png of 2 bits of colour", Png{.depth = 2}.str(), unsound},
      {"png of an unknown colour type", Png{.colour = 5}.str(), unsound},
      {"png of an unknown interlacing", Png{.interlace = 7}.str(), unsound},
      {"png interlaced and too short", Png{.interlace = 1, .pixels = std::string(20, '\0')}.str(), unsound},
      {"png of 64 bits interlaced",
       Png{.depth = 16, .colour = 6, .interlace = 1, .pixels = std::string(200, '\0')}.str(), "decoded"},
      {"png without its palette", Png{.colour = 3, .pixels = std::string(15, '\0')}.str(), unsound},
      {"png with indices beyond its palette",
       Png{.colour = 3,
           .before = chunk("PLTE", "abcdef"),
           .pixels = std::string(1, '\0') + std::string(4, '\xff') + std::string(10, '\0')}
           .str(),
       ""},
      {"png with a palette of 7 bytes",
       Png{.colour = 3, .before = chunk("PLTE", "abcdefg"), .pixels = std::string(15, '\0')}.str(), unsound},
      {"png with a palette of 300 colours",
       Png{.colour = 3, .before = chunk("PLTE", std::string(900, 'p')), .pixels = std::string(15, '\0')}.str(),
       unsound},
      {"png with more alphas than colours",
       Png{.colour = 3,
           .before = chunk("PLTE", "abcdef") + chunk("tRNS", "0123456789"),
           .pixels = std::string(15, '\0')}
           .str(),
       "decoded"},
      {"png without IDAT", start + chunk("IEND", ""), unsound},
      {"png with two IHDR", start + start.substr(8) + good.substr(start.size()), unsound},
      {"png with bad zlib data", Png{.data = "not zlib data"}.str(), unsound},
      {"png with too few pixels", Png{.pixels = std::string(38, '\0')}.str(), unsound},
      {"png with a thousand times too many pixels", Png{.data = bomb(200)}.str(), "decoded"},
      {"png with an unknown filter", Png{.pixels = std::string(13, '\0') + '\x09' + std::string(25, '\0')}.str(),
       unsound},
      {"png with an IDAT of 2 GB", start + Bytes().be32(0x7fffffffu).text("IDATabc").str(), unsound},
      {"png with a chunk of 4 GB", start + Bytes().be32(0xffffffffu).text("tEXtabc").str(), unsound},
      {"png with a text of 1 GB", start + Bytes().be32(1u << 30).text("tEXtabc").str(), unsound},
      {"png with an unknown critical chunk", Png{.before = chunk("ABCD", "x")}.str(), unsound},
      {"png with a colour profile of 250 MB",
       Png{.before = chunk("iCCP", std::string("p\0\0", 3) + bomb(1'000'000))}.str(), "decoded"},
      {"png with a text of 250 MB", Png{.before = chunk("zTXt", std::string("p\0\0", 3) + bomb(1'000'000))}.str(),
       "decoded"},
      {"png with 250 MB of XMP",
       Png{.before = chunk("zTXt", std::string("XML:com.adobe.xmp\0\0", 19) + bomb(1'000'000))}.str(), "decoded"},
      {"png with 3 profiles of 250 MB",
       Png{.before = joined(3, chunk("zTXt", std::string("Raw profile type exif\0\0", 23) + bomb(1'000'000)))}.str(),
       "decoded"},
      {"png with an unsound profile",
       Png{.before = chunk("tEXt", std::string("Raw profile type exif\0\n\n\nzz4d4", 30))}.str(), "decoded"},
      {"png with 20000 texts", Png{.before = joined(20000, chunk("tEXt", std::string("a\0b", 3)))}.str(), "decoded"},
      {"png animated",
       Png{.before = chunk("acTL", Bytes().be32(0xffffffffu).be32(0).str()) + chunk("fcTL", std::string(26, '\xff')),
           .rest = chunk("fdAT", std::string(50, '\xff')) + chunk("IEND", "")}
           .str(),
       "decoded"},
      {"png with EXIF of 65535 entries", Png{.before = chunk("eXIf", exif_with("\xff\xff"))}.str(), "decoded"},
      {"png with EXIF that starts in itself",
       Png{.before = chunk("eXIf", Bytes().text("MM").be16(42).be32(0).str())}.str(), "decoded"},
      {"png that unpacks to 4 million pixels",
       Png{.width = 2000, .height = 2000, .depth = 1, .colour = 0, .data = bomb(2000 * 251 / 258 + 1)}.str(),
       "decoded"},
  });
  CHECK(peak_megabytes() - before < 60);
}

TEST_CASE("JPEG") {
  const std::string cut = "cut off", unsound = "not a sound JPEG", jpeg = file_text("colour444.jpg");
  const std::size_t before = peak_megabytes();
  const std::string sof("\xff\xc0", 2), dht("\xff\xc4", 2), dqt("\xff\xdb", 2), sos("\xff\xda", 2);
  const std::size_t scan = jpeg.find(sos), tables = jpeg.find(dqt);
  const auto tiff = [](std::string_view directory) {
    const std::string body = std::string("Exif\0\0", 6) + exif_with(directory);
    return Bytes().u8({0xff, 0xe1}).be16(static_cast<std::uint32_t>(body.size()) + 2).text(body).str();
  };
  const auto with_segment = [&](const std::string& segment) { return jpeg.substr(0, 2) + segment + jpeg.substr(2); };
  check_all({
      {"jpeg", jpeg, "decoded"},
      {"jpeg start alone", jpeg.substr(0, 3), cut},
      {"jpeg cut in its tables", jpeg.substr(0, tables + 30), cut},
      {"jpeg cut in its frame", jpeg.substr(0, jpeg.find(sof) + 6), cut},
      {"jpeg cut in a Huffman table", jpeg.substr(0, jpeg.find(dht) + 12), cut},
      {"jpeg cut before its scan", jpeg.substr(0, scan), cut},
      {"jpeg cut in its scan", jpeg.substr(0, scan + 60), cut},
      {"jpeg without its end", jpeg.substr(0, jpeg.size() - 2), cut},
      {"jpeg whose scan ends early", jpeg.substr(0, scan + 60) + "\xff\xd9", unsound},
      {"jpeg without width", after(jpeg, sof, 7, std::string(2, '\0')), unsound},
      {"jpeg without height", after(jpeg, sof, 5, std::string(2, '\0')), unsound},
      {"jpeg of 65535 x 65535", after(jpeg, sof, 5, "\xff\xff\xff\xff"), ""},
      {"jpeg of 65000 x 65000", after(jpeg, sof, 5, "\xfd\xe8\xfd\xe8"), "the limit is 4000000"},
      {"jpeg larger than its scan", after(jpeg, sof, 5, "\x07\xd0\x07\xd0"), unsound},
      {"jpeg of 12 bits", after(jpeg, sof, 4, "\x0c"), unsound},
      {"jpeg without components", after(jpeg, sof, 9, std::string(1, '\0')), unsound},
      {"jpeg of 200 components", after(jpeg, sof, 9, "\xc8"), unsound},
      {"jpeg of 2 components", after(jpeg, sof, 9, "\x02"), unsound},
      {"jpeg with sampling factors of 0", after(jpeg, sof, 11, std::string(1, '\0')), unsound},
      {"jpeg with sampling factors of 15", after(jpeg, sof, 11, "\xff"), unsound},
      {"jpeg with a missing quantisation table", after(jpeg, sof, 12, "\x03"), unsound},
      {"jpeg lossless", after(jpeg, sof, 1, "\xc3"), unsound},
      {"jpeg hierarchical", after(jpeg, sof, 1, "\xc5"), unsound},
      {"jpeg arithmetic by name", after(jpeg, sof, 1, "\xc9"), ""},
      {"jpeg with too many Huffman codes", after(jpeg, dht, 5, std::string(16, '\xff')), unsound},
      {"jpeg with more short codes than there can be", after(jpeg, dht, 5, "\x09"), unsound},
      {"jpeg with a Huffman table 9", after(jpeg, dht, 4, "\x09"), unsound},
      {"jpeg with a quantisation table 9", after(jpeg, dqt, 4, "\x09"), unsound},
      {"jpeg with a segment of length 0", after(jpeg, dqt, 2, std::string(2, '\0')), unsound},
      {"jpeg with a segment beyond the file", after(jpeg, dqt, 2, "\xff\xff"), unsound},
      {"jpeg with a scan of an unknown component", after(jpeg, sos, 5, "\x77"), unsound},
      {"jpeg with a scan of the same component twice", after(jpeg, sos, 7, "\x01"), unsound},
      {"jpeg with a missing Huffman table", after(jpeg, sos, 6, "\x33"), unsound},
      {"jpeg with two frames", jpeg.substr(0, scan) + jpeg.substr(jpeg.find(sof), 19) + jpeg.substr(scan), unsound},
      {"jpeg with two starts", jpeg.substr(0, 2) + jpeg, unsound},
      {"jpeg of noise",
       patched(jpeg, scan + 14, "\x9a\x57\xe3\x11\xc8\x2f\x77\x61\xb5\x03\x3d\xee\x81\x4c\x90\xaa\xd2\x5f"), ""},
      {"jpeg of 883 scans", many_scans(14), "more than 500 scans"},
      {"jpeg of 442 scans", many_scans(7), "decoded"},
      {"jpeg with EXIF of 65535 entries", with_segment(tiff("\xff\xff")), "decoded"},
      {"jpeg with orientation 4000",
       with_segment(tiff(Bytes().be16(1).be16(0x0112).be16(3).be32(1).be16(4000).be16(0).be32(0).str())), "decoded"},
      {"jpeg with 2000 profiles",
       jpeg.substr(0, 2) + joined(2000, Bytes().u8({0xff, 0xe2}).be16(1002).text("ICC_PROFILE").zeros(989).str()) +
           jpeg.substr(2),
       "decoded"},
      {"jpeg with restarts out of order", after(file_text("restarts.jpg"), "\xff\xd1", 1, "\xd5"), unsound},
      {"jpeg YCCK with a damaged scan", file_text("ycck.jpg").substr(0, 2000) + "\xff\xd9", unsound},
  });
  CHECK(peak_megabytes() - before < 80);
}

TEST_CASE("WebP") {
  const std::string unsound = "not a sound WebP", lossy = file_text("lossy.webp"),
                    lossless = file_text("lossless.webp"), animated = file_text("animated.webp"),
                    alpha = file_text("alpha_lossy.webp");
  const std::size_t before = peak_megabytes();
  const std::size_t alph = alpha.find("ALPH");
  const auto canvas = [](unsigned flags, std::uint32_t width, std::uint32_t height) {
    return webp_chunk("VP8X", Bytes()
                                  .u8({flags, 0, 0, 0})
                                  .le16((width - 1) & 0xffffu)
                                  .u8({(width - 1) >> 16})
                                  .le16((height - 1) & 0xffffu)
                                  .u8({(height - 1) >> 16})
                                  .str());
  };
  check_all({
      {"webp", lossy, "decoded"},
      {"webp head alone", lossy.substr(0, 12), unsound},
      {"webp cut in its header", lossy.substr(0, 25), unsound},
      {"webp cut in its pixels", lossy.substr(0, lossy.size() - 20), unsound},
      {"webp lossless cut in its pixels", lossless.substr(0, 2000), unsound},
      {"webp of RIFF size 0", patched(lossy, 4, std::string(4, '\0')), unsound},
      {"webp of RIFF size 4 GB", patched(lossy, 4, "\xff\xff\xff\xff"), unsound},
      {"webp with a chunk of 4 GB", patched(lossy, 16, "\xff\xff\xff\xff"), unsound},
      {"webp without a keyframe", patched(lossy, 20, "\x01"), unsound},
      {"webp without width", patched(lossy, 26, std::string(2, '\0')), unsound},
      {"webp with a wrong start code", patched(lossy, 23, "xyz"), unsound},
      {"webp lossless of 16384 x 16384", patched(lossless, 21, "\xff\xff\xff\x0f"), "the limit is 4000000"},
      {"webp lossless with a wrong signature", patched(lossless, 20, "x"), unsound},
      {"webp lossless of noise", patched(lossless, 26, std::string(300, '\xa5')), unsound},
      {"webp with a canvas of 16 million columns", riff(canvas(0, 1 << 24, 1) + lossy.substr(12)), ""},
      {"webp with a canvas of 2^48 pixels", riff(canvas(2, 1 << 24, 1 << 24) + animated.substr(30)), unsound},
      {"webp animated without frames", riff(canvas(2, 30, 30) + webp_chunk("ANIM", std::string(6, '\0'))), unsound},
      {"webp animated with a frame outside", riff(canvas(2, 8, 8) + animated.substr(30)), unsound},
      {"webp animated cut in its first frame", animated.substr(0, 90), unsound},
      {"webp of unknown chunks", riff(webp_chunk("ABCD", "x") + webp_chunk("EFGH", "y")), unsound},
      {"webp with damaged alpha", patched(alpha, alph + 9, std::string(40, '\xa5')), ""},
      {"webp with EXIF that is none", after(file_text("exif.webp"), "EXIF", 8, "\xff\xff\xff\xff\xff\xff"), "decoded"},
  });
  CHECK(peak_megabytes() - before < 80);
}

TEST_CASE("GIF") {
  const std::string unsound = "not a sound GIF", one = GifPart().str();
  const std::size_t before = peak_megabytes();
  const auto control = [](unsigned size) { return Bytes().text("!").u8({0xf9, size}).zeros(size).u8({0}).str(); };
  check_all({
      {"gif", gif(2, 2, one), "decoded"},
      {"gif head alone", gif(2, 2, one).substr(0, 6), unsound},
      {"gif cut in its screen", gif(2, 2, one).substr(0, 10), unsound},
      {"gif cut in its palette", gif(2, 2, one).substr(0, 17), unsound},
      {"gif cut in a descriptor", gif(2, 2, one).substr(0, 30), unsound},
      {"gif cut in its codes", gif(2, 2, one).substr(0, 37), unsound},
      {"gif without pictures", gif(2, 2, ""), "no picture"},
      {"gif without size", gif(0, 0, one), "decoded"},  // its picture is the canvas
      {"gif whose picture has no size", gif(2, 2, GifPart{.width = 0}.str()), "empty"},
      {"gif of 65535 x 65535", gif(65535, 65535, one), "the limit is 4000000"},
      {"gif whose picture has 65535 x 65535", gif(2, 2, GifPart{.width = 65535, .height = 65535}.str()),
       "the limit is 4000000"},
      {"gif whose picture lies far outside", gif(2, 2, GifPart{.left = 65000, .top = 65000}.str()),
       "the limit is 4000000"},
      {"gif with codes of 13 bits", gif(2, 2, GifPart{.code_size = 13}.str()), unsound},
      {"gif with codes of 0 bits", gif(2, 2, GifPart{.code_size = 0}.str()), ""},
      {"gif with codes that are not there yet", gif(2, 2, GifPart{.codes = std::string("\x03\xfc\xff\xff", 4)}.str()),
       unsound},
      {"gif with too few codes", gif(2, 2, GifPart{.codes = std::string("\x01\x2c", 2)}.str()), unsound},
      {"gif with an unknown block", gif(2, 2, "?" + one), unsound},
      {"gif with a control of 1 byte", gif(2, 2, control(1) + one), "decoded"},
      {"gif with a control of 200 bytes", gif(2, 2, control(200) + one), "decoded"},
      {"gif with an endless comment",
       gif(2, 2, Bytes().text("!").u8({0xfe}).text(joined(5000, std::string("\xff", 1) + std::string(255, 'c'))).str(),
           ""),
       unsound},
      {"gif without its end", gif(2, 2, one, ""), "decoded"},
  });
  CHECK(peak_megabytes() - before < 40);
}

TEST_CASE("animations are refused at the limits without the memory that they promise") {
  const std::string one = GifPart().str();
  const auto video = [](const std::string& bytes, const MediaLimits& most) {
    const std::span<const std::byte> view = bytes_of(bytes);
    return GifVideo(std::vector<std::byte>(view.begin(), view.end()), most, "clip.gif").metadata().total_num_frames;
  };
  const std::size_t before = peak_megabytes();
  // 100000 frames: one of them in memory at a time.
  const std::string many = gif(64, 64, joined(100'000, one));
  CHECK(video(many, limits) == 100'000);
  const std::span<const std::byte> view = bytes_of(many);
  GifVideo clip(std::vector<std::byte>(view.begin(), view.end()), limits, "clip.gif");
  const std::size_t some[] = {0, 50'000, 99'999};
  std::size_t count = 0;
  clip.read(some, [&](const PixelView& frame) { count += frame.width == 64 ? 1u : 0u; });
  CHECK(count == 3);
  CHECK(peak_megabytes() - before < 40);
  MediaLimits few = limits;
  few.max_frames = 99'999;
  CHECK(contains(message_of<MediaError>([&] { video(many, few); }), "clip.gif: more than 99999 frames"));
  few = limits;
  few.max_video_pixels = 100'000;
  CHECK(contains(message_of<MediaError>([&] { video(many, few); }), "clip.gif: more than 100000 pixels in all frames"));
  // A later frame outside of the canvas is not drawn.
  CHECK(video(gif(2, 2, one + GifPart{.left = 60000, .top = 60000}.str()), limits) == 2);
  CHECK(contains(message_of<MediaError>([&] { video(gif(2, 2, one + one.substr(0, 12), ""), limits); }),
                 "clip.gif: not a sound GIF"));
  CHECK(contains(message_of<MediaError>([&] { video("GIF89a", limits); }), "clip.gif"));
}

TEST_CASE("BMP") {
  const std::string unsound = "not a sound BMP", cut = "cut off";
  const std::size_t before = peak_megabytes();
  const auto runs = [](std::string_view bytes, std::uint32_t compression = 1) {
    return Bmp{.bits = compression == 1 ? 8u : 4u,
               .compression = compression,
               .rest = std::string(8, 'p') + std::string(bytes)}
        .str();
  };
  const std::string good = Bmp().str();
  check_all({
      {"bmp", good, "decoded"},
      {"bmp head alone", "BM", cut},
      {"bmp cut in its header", good.substr(0, 30), cut},
      {"bmp cut in its palette", good.substr(0, 58), cut},
      {"bmp cut in its pixels", good.substr(0, good.size() - 1), cut},
      {"bmp of an unknown header", Bmp{.header = 0xffffffffu}.str(), unsound},
      {"bmp without width", Bmp{.width = 0}.str(), "empty"},
      {"bmp without height", Bmp{.height = 0}.str(), "empty"},
      {"bmp of the least height", Bmp{.height = 0x80000000u}.str(), "the longest side is 16777216"},
      {"bmp of negative width", Bmp{.width = 0xfffffffcu}.str(), "the longest side is 16777216"},
      {"bmp of 2^62 pixels", Bmp{.width = 0x7fffffffu, .height = 0x7fffffffu}.str(), "the longest side is 16777216"},
      {"bmp of 4 million pixels in 16 bytes", Bmp{.width = 2000, .height = 2000}.str(), cut},
      {"bmp with 4 billion colours", Bmp{.colours = 0xffffffffu}.str(), unsound},
      {"bmp with indices beyond its palette", Bmp{.rest = std::string(8, 'p') + std::string(8, '\xff')}.str(),
       "decoded"},
      {"bmp whose pixels lie in its header", Bmp{.offset = 20}.str(), "inside its header"},
      {"bmp whose pixels lie behind the file", Bmp{.offset = 0xfffffff0u}.str(), cut},
      {"bmp of 3 bits", Bmp{.bits = 3}.str(), "unknown depth"},
      {"bmp of 64 bits", Bmp{.bits = 64}.str(), unsound},
      {"bmp with a JPEG inside", Bmp{.compression = 4}.str(), "unknown compression"},
      {"bmp of 24 bits in runs", Bmp{.bits = 24, .compression = 1}.str(), "unknown compression"},
      {"bmp with masks with gaps",
       Bmp{.bits = 32,
           .compression = 3,
           .offset = 66,
           .rest = std::string("\x05\0\0\0\0\1\0\0\0\0\1\0", 12) + std::string(32, 'x')}
           .str(),
       "gaps"},
      {"bmp with empty masks",
       Bmp{.bits = 32, .compression = 3, .offset = 66, .rest = std::string(12, '\0') + std::string(32, 'x')}.str(),
       "decoded"},
      {"bmp with a run beyond its row", runs(std::string("\x05\x01\0\1", 4)), "a run leaves the picture"},
      {"bmp with runs beyond its rows", runs(std::string("\0\0\0\0\1\1\0\1", 8)), "a run leaves the picture"},
      {"bmp with a jump out of it", runs(std::string("\0\2\xff\xff\1\1\0\1", 8)), "a run leaves the picture"},
      {"bmp with plain colours beyond its row",
       runs(std::string("\0\x06"
                        "abcdef\0\1",
                        10)),
       "a run leaves the picture"},
      {"bmp with plain colours beyond the file",
       runs(std::string("\0\xff"
                        "ab",
                        4)),
       cut},
      {"bmp with runs without an end", runs(std::string("\x04\1", 2)), cut},
      {"bmp with nibbles beyond its row", runs(std::string("\x09\x12\0\1", 4), 2), "a run leaves the picture"},
      {"bmp with a picture of one end mark", runs(std::string("\0\1", 2)), "decoded"},
  });
  CHECK(peak_megabytes() - before < 40);
}

TEST_CASE("TIFF") {
  if (!has_tiff()) {
    return;
  }
  const std::string unsound = "not a sound TIFF", other = "of a kind that is not read", grey = file_text("white0.tif"),
                    packed = file_text("rgb_lzw.tif"), tiles = file_text("tiles.tif"), ycbcr = file_text("ycbcr21.tif"),
                    ycbcr_tiles = file_text("ycbcr22_tiles.tif");
  const std::size_t before = peak_megabytes();
  // Where the values of white0.tif's and tiles.tif's directories stand.
  constexpr std::size_t width = 18, height = 30, bits = 42, packing = 54, meaning = 66, offset = 78, samples = 90,
                        rows = 102, bytes = 114;
  const auto number = [](std::uint32_t value) { return Bytes().le32(value).str(); };
  const auto with = [&](std::size_t at, std::uint32_t value) { return patched(grey, at, number(value)); };
  const std::string wide = patched(with(width, 2000), height, number(2000));
  check_all({
      {"tiff", grey, "decoded"},
      {"tiff head alone", grey.substr(0, 8), unsound},
      {"tiff cut in its directory", grey.substr(0, 60), unsound},
      {"tiff cut in its pixels", grey.substr(0, grey.size() - 1), unsound},
      {"tiff packed and cut in its pixels", packed.substr(0, 1500), unsound},
      {"tiff whose directory is itself", patched(grey, 4, number(4)), unsound},
      {"tiff whose directory lies outside", patched(grey, 4, number(0xfffffff0u)), unsound},
      {"tiff of 65535 entries", patched(grey, 8, "\xff\xff"), unsound},
      {"tiff without entries", patched(grey, 8, std::string(2, '\0')), unsound},
      {"tiff without width", with(width, 0), ""},
      {"tiff without height", with(height, 0), ""},
      {"tiff of 2^32 columns", with(width, 0xffffffffu), "the longest side is 16777216"},
      {"tiff of 2^31 rows", with(height, 0x7fffffffu), unsound},
      {"tiff of 4 million pixels in 1000 bytes", wide, unsound},
      {"tiff of 3 bits", with(bits, 3), other},
      {"tiff of 32 bits", with(bits, 32), other},
      {"tiff of 0 bits", with(bits, 0), ""},
      {"tiff of 65535 samples", with(samples, 65535), ""},
      {"tiff without samples", with(samples, 0), ""},
      {"tiff of RGB with one sample", with(meaning, 2), unsound},
      {"tiff of CMYK with one sample", with(meaning, 5), unsound},
      {"tiff of YCbCr with one sample", with(meaning, 6), unsound},
      {"tiff of CIELAB", with(meaning, 8), other + ": CIELAB colours"},
      {"tiff of a palette that is missing", with(meaning, 3), ""},
      {"tiff of an unknown packing", with(packing, 12345), unsound},
      {"tiff of JPEG that is none", with(packing, 7), unsound},
      {"tiff of old JPEG that is none", with(packing, 6), unsound},
      {"tiff of LZW that is none", with(packing, 5), ""},
      {"tiff of zlib that is none", with(packing, 8), unsound},
      {"tiff of fax that is none", with(packing, 4), unsound},
      {"tiff of a strip outside", with(offset, 0xffffff00u), unsound},
      {"tiff of a strip of 4 GB", with(bytes, 0xffffffffu), ""},
      {"tiff of a strip of no bytes", with(bytes, 0), ""},
      {"tiff of strips without rows", with(rows, 0), ""},
      {"tiff of strips of 1 row", with(rows, 1), ""},
      {"tiff of tiles", tiles, "decoded"},
      {"tiff cut in a tile", tiles.substr(0, tiles.size() - 1), unsound},
      {"tiff of huge tiles", after(tiles, std::string("\x42\x01\x04\0\1\0\0\0", 8), 8, number(0x7ffffff0u)), ""},
      {"tiff of tiles without width", after(tiles, std::string("\x42\x01\x04\0\1\0\0\0", 8), 8, number(0)), ""},
      {"tiff of YCbCr", ycbcr, "decoded"},
      {"tiff of YCbCr cut in its pixels", ycbcr.substr(0, ycbcr.size() - 1), unsound},
      {"tiff of YCbCr of 4 million pixels in 3000 bytes",
       patched(patched(ycbcr, width, number(2000)), height, number(2000)), unsound},
      {"tiff of YCbCr in one strip of 2^32 rows", patched(ycbcr, rows, number(0xffffffffu)), unsound},
      {"tiff of YCbCr in strips of 1 row", patched(ycbcr, rows, number(1)), ""},
      {"tiff of YCbCr that is not packed", patched(ycbcr, packing, number(1)), other + ": subsampled YCbCr"},
      {"tiff of YCbCr with an unknown packing", patched(ycbcr, packing, number(12345)), unsound},
      {"tiff of YCbCr in huge tiles",
       after(ycbcr_tiles, std::string("\x42\x01\x04\0\1\0\0\0", 8), 8, number(0x7ffffff0u)), "the longest side"},
      {"tiff of YCbCr in wide tiles",
       after(ycbcr_tiles, std::string("\x42\x01\x04\0\1\0\0\0", 8), 8, number(0x00fffff0u)), "the limit is"},
      {"tiff of YCbCr in tiles without width",
       after(ycbcr_tiles, std::string("\x42\x01\x04\0\1\0\0\0", 8), 8, number(0)), ""},
  });
  CHECK(peak_megabytes() - before < 60);
}

TEST_CASE("AVIF") {
  if (!has_avif()) {
    return;
  }
  const std::string unsound = "not a sound AVIF", good = file_text("colour420.avif");
  const std::size_t before = peak_megabytes();
  const auto size = [&](std::uint32_t width, std::uint32_t height) {
    return after(good, "ispe", 8, Bytes().be32(width).be32(height).str());
  };
  check_all({
      {"avif", good, "decoded"},
      {"avif head alone", good.substr(0, 32), unsound},
      {"avif cut in its boxes", good.substr(0, 100), unsound},
      {"avif cut in its pixels", good.substr(0, good.size() - 9), unsound},
      {"avif without width", size(0, 29), unsound},
      {"avif of 30000 x 8000", size(30000, 8000), "the limit is 4000000"},
      {"avif of 2^64 pixels", size(0xffffffffu, 0xffffffffu), unsound},
      {"avif larger than its coded picture", size(1000, 1000), ""},
      {"avif with a box of 4 GB", after(good, "meta", static_cast<std::size_t>(-4), "\xff\xff\xff\xff"), unsound},
      {"avif of noise", after(good, "mdat", 8, std::string(60, '\xa5')), unsound},
  });
  CHECK(peak_megabytes() - before < 60);
}

// What comes out of a file with any damage: a picture within the limits, or an error that names it.
TEST_CASE("cut off or changed anywhere") {
  for (const auto& member : cases().at("files").members()) {
    const std::string name(member.first);
    CAPTURE(name);
    const std::string bytes = file_text(name);
    bool sound = true;
    const auto attempt = [&](const std::string& changed) {
      const std::string got = outcome(name, changed);
      sound = sound && got != "too large" && !contains(got, "without the file's name");
    };
    for (std::size_t size = 0; size < bytes.size(); size += 1 + bytes.size() / 150) {
      attempt(bytes.substr(0, size));
    }
    std::uint32_t x = 1;
    for (int round = 0; round < 150; ++round) {
      std::string changed = bytes;
      for (int k = 0; k < 1 + round % 3; ++k) {
        x = x * 1664525u + 1013904223u;
        // Headers are where one byte matters most.
        const std::size_t range = round % 2 == 0 ? std::min<std::size_t>(bytes.size(), 64) : bytes.size();
        changed[(x >> 8) % range] = static_cast<char>(x >> 24);
      }
      attempt(changed);
    }
    CHECK(sound);
  }
}

TEST_CASE("data: URLs") {
  const auto message = [](const std::string& url) {
    keep_seed("url " + std::to_string(std::hash<std::string>()(url)), url);
    return message_of<MediaError>([&] { load_image(url, limits); });
  };
  CHECK(contains(message("data:"), "data URL"));
  CHECK(contains(message("data:image/png,abcd"), "no \";base64,\""));
  CHECK(contains(message("data:image/png;base64"), "no \";base64,\""));
  CHECK(contains(message("data:image/png;base64,"), "data URL: empty"));
  CHECK(contains(message("data:image/png;base64,AAA!"), "data URL: character 3"));
  CHECK(contains(message("data:image/png;base64,AAAAA"), "cut off"));
  CHECK(contains(message("data:image/png;base64,AA=A"), "data URL: character 3"));
  CHECK(contains(message("data:image/png;base64,===="), "cut off"));
  CHECK(contains(message("data:image/png;base64,\xff\xfe"), "data URL: character 0"));
  CHECK(contains(message("data:image/png;base64,iVBORw0KGgo="), "not a sound PNG"));
}

TEST_CASE("folders of frames are refused with the reason") {
  namespace fs = std::filesystem;
  const fs::path folder = fs::temp_directory_path() / "qwen35_test_hostile_folder";
  fs::remove_all(folder);
  fs::create_directories(folder);
  const auto message = [&] {
    return message_of<MediaError>([&] {
      const ImageFolder pictures(folder.string(), 1.0, limits);
      std::vector<std::size_t> all(pictures.metadata().total_num_frames);
      for (std::size_t i = 0; i < all.size(); ++i) {
        all[i] = i;
      }
      pictures.read(std::span<const std::size_t>(all), [](const PixelView&) {});
    });
  };
  std::ofstream(folder / "notes.txt") << "no picture";
  CHECK(contains(message(), "no pictures in this folder"));
  std::ofstream(folder / "a1.png", std::ios::binary) << Png().str();
  CHECK(message() == "no error");
  std::ofstream(folder / "a2.png", std::ios::binary) << "no picture";
  CHECK(contains(message(), "a2.png: not a PNG"));
  std::ofstream(folder / "a2.png", std::ios::binary) << Png{.width = 3, .pixels = std::string(30, '\0')}.str();
  CHECK(contains(message(), "a2.png: 3 x 3 pixels, the folder's first picture has 4 x 3"));
  std::ofstream(folder / "a2.png", std::ios::binary) << "";
  CHECK(contains(message(), "a2.png: empty"));
  fs::remove(folder / "a2.png");
  fs::create_directory(folder / "a2.png");
  CHECK(contains(message(), "a2.png: is a folder"));
  fs::remove(folder / "a2.png");
  std::error_code error;
  fs::create_symlink("a2.png", folder / "a2.png", error);  // to itself
  if (!error) {
    CHECK(contains(message(), "a2.png: cannot be opened"));
  }
  fs::remove_all(folder);
  CHECK(contains(message(), "cannot be read as a folder"));
}

TEST_CASE("settings of the image processor are refused with the reason") {
  const auto message = [](const std::string& text) {
    keep_seed("settings " + std::to_string(std::hash<std::string>()(text)), text);
    return message_of<Error>(
        [&] { ImageProcessor(ImageProcessorConfig::from_json(json::parse(text, "file"))).preprocess(Image(64, 48)); });
  };
  CHECK(contains(message("{"), "file"));
  CHECK(contains(message(joined(100'000, "[")), "file"));
  CHECK(contains(message(joined(100'000, "{\"size\":")), "file"));
  CHECK(contains(message(R"({"size": {"shortest_edge": 1e300, "longest_edge": 1}})"), "shortest_edge"));
  CHECK(contains(message(R"({"size": {"shortest_edge": 2000000000, "longest_edge": 2000000000}})"),
                 "cannot be brought to an area"));
  CHECK(contains(message(R"({"size": {"shortest_edge": 600000000, "longest_edge": 600000000}})"),
                 "cannot be brought to an area"));
  CHECK(contains(message(R"({"patch_size": 256, "merge_size": 16})"), "merge_size"));
  CHECK(contains(message(R"({"temporal_patch_size": 64})"), "temporal_patch_size"));
  CHECK(contains(message(R"({"image_std": [1, 0, 1]})"), "image_std"));
  CHECK(contains(message(R"({"rescale_factor": -1})"), "rescale_factor"));
  CHECK(contains(message(R"({"patch_size": 16.5})"), "patch_size"));
  CHECK(contains(message(R"({"patch_size": null, "merge_size": {}})"), "merge_size"));
  CHECK(message(R"({"size": {"shortest_edge": 1, "longest_edge": 2147483647}})") == "no error");
}

#if defined(QWEN35_TEST_MALLOC)
TEST_CASE("a failed allocation is an error: no pixel and no orientation gets lost") {
  // (Without memory libwebp 1.2 itself crashes in lossless files, and libtiff 4.5 in its directory.)
  for (const char* const name :
       {"rgb.png", "exif_after.png", "profile.png", "xmp_packed.png", "interlaced.png", "exif6.jpg", "xmp.jpg",
        "progressive.jpg", "cmyk.jpg", "lossy.webp", "parts.gif", "grey8.bmp"}) {
    CAPTURE(name);
    const std::vector<std::byte> bytes = read_file<MediaError>(file_path(name), 1 << 20);
    const Image expected = decode_image(bytes);
    std::size_t failures = 0;
    bool sound = true, failed = true;
    for (std::size_t n = 1; failed && n < 100'000; ++n) {
      calls_to_failure = n;
      try {
        sound = decode_image(bytes, {}, "p") == expected && sound;
      } catch (const MediaError&) {
        ++failures;
      } catch (const std::bad_alloc&) {
        ++failures;
      }
      failed = calls_to_failure == 0;
      calls_to_failure = 0;
    }
    CHECK(sound);
    CHECK(failures > 0);
  }
}
#endif
