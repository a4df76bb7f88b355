# SPDX-License-Identifier: Apache-2.0
# Makes the files and cases.json beside it with the reference's processors (transformers, torchvision) and Pillow. Run it in a folder of its
# own; it writes into the current folder. Decoded pixels and patch rows are recorded as the CRC-32 of their bytes.
import io, json, os, random, struct, sys, warnings, zlib
import numpy as np
import torch, torchvision, PIL, transformers
from PIL import Image, ImageOps, ImageSequence
from torchvision.io import decode_image, ImageReadMode
from torchvision.transforms.v2 import functional as tvF
from transformers.models.qwen2_vl.image_processing_qwen2_vl import Qwen2VLImageProcessor, smart_resize
from transformers.models.qwen3_vl.video_processing_qwen3_vl import Qwen3VLVideoProcessor, smart_resize as smart_resize_video
from transformers.models.qwen3_vl.processing_qwen3_vl import Qwen3VLProcessor
from transformers.video_utils import VideoMetadata

warnings.filterwarnings("ignore")
os.makedirs("files", exist_ok=True)
IMAGE = dict(size={"shortest_edge": 65536, "longest_edge": 16777216}, patch_size=16, temporal_patch_size=2, merge_size=2,
             image_mean=[0.5] * 3, image_std=[0.5] * 3)
VIDEO = dict(IMAGE, size={"shortest_edge": 4096, "longest_edge": 25165824})
images = Qwen2VLImageProcessor(**IMAGE)
videos = Qwen3VLVideoProcessor(**VIDEO)


def crc(array):
    return zlib.crc32(np.ascontiguousarray(array).tobytes())


def picture(width, height, kind, seed, channels=3):
    """[height, width, channels] uint8 that a test can make again: a hash of the index, hard edges, or slow ramps."""
    i = np.arange(height * width * channels, dtype=np.uint32)
    with np.errstate(over="ignore"):
        x = (i + np.uint32(seed * 7919)) * np.uint32(2654435761)
        x = (x ^ (x >> np.uint32(15))) * np.uint32(2246822519)
        x = x ^ (x >> np.uint32(13))
    if kind == "noise":
        out = x & 255
    elif kind == "edges":
        out = ((x >> 8) & 1) * 255
    else:
        c = i % channels
        px, py = (i // channels) % width, i // channels // width
        out = (px * (3 + c) // 2 + py * 2 + np.uint32(seed)) & 255
    return out.astype(np.uint8).reshape(height, width, channels)


out = {"transformers": transformers.__version__, "torchvision": torchvision.__version__, "pillow": PIL.__version__}

# --- smart_resize -------------------------------------------------------------------------------------------------------------------
rng = random.Random(5)
cases = []
for n in range(400):
    if n % 3 == 0:
        h, w = rng.randint(1, 300), rng.randint(1, 300)
    else:
        h, w = int(2 ** rng.uniform(0, 14)), int(2 ** rng.uniform(0, 14))
    if n % 5 == 0:
        h, w = max(1, h // 16 * 16), max(1, w // 16 * 16)
    factor, low, high = rng.choice([(32, 65536, 16777216), (32, 4096, 16384), (28, 3136, 1003520), (32, 65536, 1048576), (48, 1, 10**7)])
    try:
        cases.append([h, w, factor, low, high, *smart_resize(h, w, factor, low, high)])
    except ValueError:
        cases.append([h, w, factor, low, high, 0, 0])
out["smart_resize"] = cases
cases = []
for n in range(400):
    t, h, w = rng.choice([1, 2, 3, 5, 8, rng.randint(1, 768)]), int(2 ** rng.uniform(4, 12)), int(2 ** rng.uniform(4, 12))
    low, high = rng.choice([(4096, 25165824), (4096, 65536), (131072, 786432), (200000, 10**6)])
    try:
        cases.append([t, h, w, low, high, *smart_resize_video(t, h, w, 2, 32, low, high)])
    except ValueError:
        cases.append([t, h, w, low, high, 0, 0])
out["smart_resize_video"] = cases

# --- the resize alone -----------------------------------------------------------------------------------------------------------------
cases = []
sizes = [(7, 5, 4, 8), (7, 5, 9, 3), (1, 1, 32, 32), (1, 200, 32, 3648), (33, 20, 352, 224), (64, 64, 256, 256), (100, 100, 100, 37), (100, 100, 41, 100),
         (333, 222, 32, 32), (32, 32, 31, 33), (640, 480, 640, 448), (513, 257, 96, 512), (9, 1999, 32, 3648), (1000, 3, 640, 3), (255, 255, 256, 256),
         (1280, 720, 704, 416), (17, 3001, 17, 96), (2, 2, 64, 32), (3, 700, 96, 700), (257, 129, 1, 1)]
for k, (w, h, w2, h2) in enumerate(sizes):
    for kind in ("noise", "edges", "ramp"):
        t = torch.from_numpy(picture(w, h, kind, k)).permute(2, 0, 1)
        r = tvF.resize(t, [h2, w2], interpolation=tvF.InterpolationMode.BICUBIC, antialias=True)
        cases.append({"from": [w, h], "to": [w2, h2], "kind": kind, "seed": k, "crc": crc(r.permute(1, 2, 0).numpy())})
for w, h, w2, h2 in ((4000, 3000, 4000, 3008), (4000, 3000, 1152, 864)):
    t = torch.from_numpy(picture(w, h, "noise", 1)).permute(2, 0, 1)
    r = tvF.resize(t, [h2, w2], interpolation=tvF.InterpolationMode.BICUBIC, antialias=True)
    cases.append({"from": [w, h], "to": [w2, h2], "kind": "noise", "seed": 1, "crc": crc(r.permute(1, 2, 0).numpy())})
out["resize"] = cases

# --- pictures to rows -------------------------------------------------------------------------------------------------------------------
def image_case(sizes, kind, seed, keep=(), **options):
    batch = [Image.fromarray(picture(w, h, kind, seed + i)) for i, (w, h) in enumerate(sizes)]
    got = images(batch, return_tensors="pt", **options)
    values = got["pixel_values"].to(torch.float32).numpy()
    return {"sizes": sizes, "kind": kind, "seed": seed, "options": options, "grid": got["image_grid_thw"].tolist(), "crc": crc(values),
            "rows": {str(r): [float(str(v)) for v in values[r]] for r in keep}}

cases = [image_case([(20, 33)], "noise", 1, keep=(0, 37))]
for n, (w, h) in enumerate([(33, 20), (1, 1), (1, 200), (200, 1), (3999, 20), (20, 3999), (640, 480), (256, 256), (255, 257), (336, 304), (368, 400),
                            (48, 1000), (1000, 48), (100, 700), (801, 603)]):
    cases.append(image_case([(w, h)], ("noise", "edges", "ramp")[n % 3], n))
cases.append(image_case([(20, 33), (640, 480), (300, 20), (33, 20)], "noise", 7))
cases.append(image_case([(500, 400)], "ramp", 3, size={"shortest_edge": 4096, "longest_edge": 16384}))
cases.append(image_case([(500, 400)], "edges", 3, min_pixels=1024, max_pixels=65536))
cases.append(image_case([(64, 96)], "noise", 4, do_resize=False))
cases.append(image_case([(64, 96)], "noise", 4, do_rescale=False))
cases.append(image_case([(64, 96)], "noise", 4, do_normalize=False))
cases.append(image_case([(64, 96)], "noise", 4, do_normalize=False, do_rescale=False, do_resize=False))
out["images"] = cases
clip = Qwen2VLImageProcessor()
got = clip([Image.fromarray(picture(100, 80, "noise", 9))], return_tensors="pt")
out["image_class_defaults"] = {"grid": got["image_grid_thw"].tolist(), "crc": crc(got["pixel_values"].numpy()),
                               "row": [float(str(v)) for v in got["pixel_values"][3].numpy()[:40]]}

# --- videos -----------------------------------------------------------------------------------------------------------------------------
cases = []
for n in range(300):
    total = rng.choice([rng.randint(1, 12), rng.randint(1, 400), rng.randint(1, 100000)])
    source = rng.choice([24, 25, 30, 29.97, 23.976, 60, 12.5, 1, 0.5, 1000 / 33, rng.uniform(0.2, 120)])
    kwargs = rng.choice([{}, {"fps": rng.choice([1, 2, 3, 0.5, 4.7])}, {"num_frames": rng.randint(1, 90), "fps": None}])
    metadata = VideoMetadata(total_num_frames=total, fps=source)
    indices = videos.sample_frames(metadata, **{"fps": 2, **kwargs}) if "num_frames" not in kwargs else videos.sample_frames(metadata, **kwargs)
    indices = [int(i) for i in indices]
    times = Qwen3VLProcessor._calculate_timestamps(None, list(indices), source, 2)
    cases.append({"total": total, "source_fps": source, "options": {k: v for k, v in kwargs.items() if v is not None}, "count": len(indices),
                  "indices": indices if len(indices) <= 40 else indices[:20], "crc": crc(np.array(indices, dtype=np.int64)),
                  "times": "".join(f"<{t:.1f} seconds>" for t in times[:60])})
out["sampling"] = cases

def video_case(frames, w, h, kind, seed, rate, keep=(), **options):
    clip = np.stack([picture(w, h, kind, seed + i) for i in range(frames)])
    got = videos(torch.from_numpy(clip).permute(0, 3, 1, 2), video_metadata=VideoMetadata(total_num_frames=frames, fps=rate), return_tensors="pt",
                 return_metadata=True, **options)
    metadata = got["video_metadata"][0]
    indices = [int(i) for i in (metadata.frames_indices if metadata.frames_indices is not None else range(frames))]
    values = got["pixel_values_videos"].to(torch.float32).numpy()
    times = Qwen3VLProcessor._calculate_timestamps(None, list(indices), metadata.fps or 24, 2)
    return {"frames": frames, "size": [w, h], "kind": kind, "seed": seed, "fps": rate, "options": {k: v for k, v in options.items() if v is not None},
            "grid": got["video_grid_thw"].tolist(), "indices": indices, "times": [float(t) for t in times], "crc": crc(values),
            "rows": {str(r): [float(str(v)) for v in values[r]] for r in keep}}

out["videos"] = [
    video_case(1, 32, 32, "noise", 1, 24, keep=(5,)),
    video_case(4, 40, 32, "noise", 2, 24),
    video_case(5, 64, 48, "edges", 3, 30, do_sample_frames=False, keep=(40,)),
    video_case(8, 160, 96, "noise", 4, 2),
    video_case(30, 96, 64, "ramp", 5, 12.5),
    video_case(12, 96, 64, "noise", 6, None),
    video_case(12, 96, 64, "noise", 6, 24, num_frames=5, fps=None),
    video_case(3, 96, 64, "noise", 6, 24, num_frames=7, fps=None),
    video_case(20, 96, 64, "noise", 7, 10, fps=5),
    video_case(6, 96, 64, "noise", 8, 2, do_resize=False),
    video_case(6, 96, 64, "noise", 8, 2, do_normalize=False),
    video_case(6, 333, 222, "edges", 9, 2, size={"shortest_edge": 4096, "longest_edge": 65536}),
]

# --- files ----------------------------------------------------------------------------------------------------------------------------
W, H = 37, 29
RGB = picture(W, H, "ramp", 1)
NOISE = picture(W, H, "noise", 2)
RGBA = picture(W, H, "noise", 3, 4)
GREY = picture(W, H, "ramp", 4, 1)[:, :, 0]
LA = picture(W, H, "noise", 5, 2)


def put(name, data):
    with open("files/" + name, "wb") as f:
        f.write(data)


def save(name, image, **options):
    buffer = io.BytesIO()
    image.save(buffer, **options)
    put(name, buffer.getvalue())


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(name, samples, depth, colour, interlace=False, extra=b"", late=b""):
    """samples [h, w, channels] of up to 16 bits; Pillow writes neither 16-bit colour nor interlaced files."""
    h, w, channels = samples.shape
    def pack(block):
        rows = b""
        for row in block:
            if depth == 16:
                data = row.astype(">u2").tobytes()
            elif depth == 8:
                data = row.astype(np.uint8).tobytes()
            else:
                bits = "".join(format(int(v), f"0{depth}b") for v in row.reshape(-1))
                bits += "0" * (-len(bits) % 8)
                data = bytes(int(bits[i:i + 8], 2) for i in range(0, len(bits), 8))
            rows += b"\0" + data
        return rows
    if interlace:
        passes = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
        raw = b"".join(pack(samples[y::dy, x::dx]) for x, y, dx, dy in passes if samples[y::dy, x::dx].size)
    else:
        raw = pack(samples)
    put(name, b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", w, h, depth, colour, 0, 0, int(interlace))) + extra +
        chunk(b"IDAT", zlib.compress(raw, 9)) + late + chunk(b"IEND", b""))


def exif(orientation, order=">"):
    mark = b"MM" if order == ">" else b"II"
    return mark + struct.pack(order + "HIH", 42, 8, 1) + struct.pack(order + "HHIHHI", 0x0112, 3, 1, orientation, 0, 0)


def wide(channels, seed):  # 16-bit samples
    a = picture(W, H, "noise", seed, channels).astype(np.uint16)
    return a * 256 + picture(W, H, "noise", seed + 1, channels)

PALETTE = picture(16, 16, "noise", 11).reshape(256, 3)
PLTE = chunk(b"PLTE", PALETTE.tobytes())
save("rgb.png", Image.fromarray(NOISE), format="PNG")
save("rgba.png", Image.fromarray(RGBA), format="PNG")
save("grey.png", Image.fromarray(GREY), format="PNG")
save("grey_alpha.png", Image.fromarray(LA, "LA"), format="PNG")
for depth in (1, 2, 4):
    png(f"grey{depth}.png", (GREY[:, :, None] & (2**depth - 1)), depth, 0)
    png(f"palette{depth}.png", (GREY[:, :, None] & (2**depth - 1)), depth, 3, extra=chunk(b"PLTE", PALETTE[: 2**depth].tobytes()))
png("palette8.png", GREY[:, :, None], 8, 3, extra=PLTE)
png("palette_alpha.png", GREY[:, :, None], 8, 3, extra=PLTE + chunk(b"tRNS", bytes(range(0, 200))))
png("grey_transparent.png", GREY[:, :, None], 8, 0, extra=chunk(b"tRNS", struct.pack(">H", 40)))
png("rgb_transparent.png", RGB, 8, 2, extra=chunk(b"tRNS", struct.pack(">HHH", *[int(v) for v in RGB[3, 3]])))
png("grey16.png", wide(1, 20), 16, 0)
png("rgb16.png", wide(3, 22), 16, 2)
png("grey_alpha16.png", wide(2, 24), 16, 4)
png("rgba16.png", wide(4, 26), 16, 6)
png("interlaced.png", NOISE, 8, 2, interlace=True)
png("interlaced1.png", GREY[:, :, None] & 1, 1, 0, interlace=True)
png("interlaced_rgba16.png", wide(4, 28), 16, 6, interlace=True)
png("gamma_profile.png", RGB, 8, 2, extra=chunk(b"gAMA", struct.pack(">I", 100000)) + chunk(b"iCCP", b"x\0\0" + zlib.compress(b"not a profile")))
png("exif_before.png", RGB, 8, 2, extra=chunk(b"eXIf", exif(6)))
png("exif_after.png", RGB, 8, 2, late=chunk(b"eXIf", exif(5, "<")))
png("exif_marked.png", RGB, 8, 2, extra=chunk(b"eXIf", b"Exif\0\0" + exif(8)))
png("one_pixel.png", NOISE[:1, :1], 8, 2)


def xmp(orientation, element=False):
    tag = f"<tiff:Orientation>{orientation}</tiff:Orientation>" if element else ""
    attribute = "" if element else f' tiff:Orientation="{orientation}"'
    return f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF><rdf:Description{attribute}>{tag}</rdf:Description></rdf:RDF></x:xmpmeta>'.encode()


def profile(data):  # as ImageMagick writes it
    digits = data.hex()
    return b"\nexif\n%8d\n" % len(data) + b"".join(digits[i:i + 72].encode() + b"\n" for i in range(0, len(digits), 72))

TURNED = RGB[:13, :10]
XMP_NAME, PROFILE_NAME = b"XML:com.adobe.xmp\0", b"Raw profile type exif\0"
png("xmp.png", TURNED, 8, 2, extra=chunk(b"iTXt", XMP_NAME + b"\0\0\0\0" + xmp(6)))
png("xmp_packed.png", TURNED, 8, 2, late=chunk(b"iTXt", XMP_NAME + b"\1\0\0\0" + zlib.compress(xmp(8, True))))
png("exif_and_xmp.png", TURNED, 8, 2, extra=chunk(b"eXIf", exif(3)) + chunk(b"iTXt", XMP_NAME + b"\0\0\0\0" + xmp(6)))
png("profile.png", TURNED, 8, 2, extra=chunk(b"zTXt", PROFILE_NAME + b"\0" + zlib.compress(profile(b"Exif\0\0" + exif(5)))))
png("profile_plain.png", TURNED, 8, 2, extra=chunk(b"tEXt", b"Comment\0orientation 3") + chunk(b"tEXt", PROFILE_NAME + profile(exif(7, "<"))))
png("profile_and_xmp.png", TURNED, 8, 2, extra=chunk(b"iTXt", XMP_NAME + b"\0\0\0\0" + xmp(2)) +
    chunk(b"tEXt", PROFILE_NAME + profile(b"MM" + struct.pack(">HIHHHII", 42, 8, 1, 0x0100, 3, 1, 0) + bytes(4))))
png("no_end.png", RGB, 8, 2)
data = open("files/no_end.png", "rb").read()
put("no_end.png", data[:-12])
put("half_end.png", data[:-5])
at = data.find(b"IEND") - 8
put("wrong_checksum.png", data[:at] + bytes(4) + data[at + 4:])

for name, sub in (("444", 0), ("422", 1), ("420", 2)):
    save(f"colour{name}.jpg", Image.fromarray(RGB), format="JPEG", quality=80, subsampling=sub)
save("noise.jpg", Image.fromarray(NOISE), format="JPEG", quality=60)
save("progressive.jpg", Image.fromarray(RGB), format="JPEG", quality=70, progressive=True)
save("restarts.jpg", Image.fromarray(RGB), format="JPEG", quality=70, restart_marker_blocks=2)
save("rgb_inside.jpg", Image.fromarray(RGB), format="JPEG", quality=90, keep_rgb=True)
save("grey.jpg", Image.fromarray(GREY), format="JPEG", quality=75)
save("cmyk.jpg", Image.fromarray(RGBA, "CMYK"), format="JPEG", quality=90)
data = open("files/restarts.jpg", "rb").read()
put("zeros_for_end.jpg", data[:-2] + bytes(40))  # as some cameras write it
save("large.jpg", Image.fromarray(picture(321, 243, "ramp", 8)), format="JPEG", quality=75)
for o in range(1, 9):
    e = Image.Exif()
    e[0x0112] = o
    save(f"exif{o}.jpg", Image.fromarray(RGB[:13, :10]), format="JPEG", quality=90, subsampling=0, exif=e)
save("xmp.jpg", Image.fromarray(TURNED), format="JPEG", quality=90, subsampling=0, xmp=xmp(4))
# A CMYK file without Adobe's segment: the reference takes it as inverted all the same.
data = open("files/cmyk.jpg", "rb").read()
at = data.find(b"\xff\xee")
length = struct.unpack(">H", data[at + 2: at + 4])[0]
put("cmyk_plain.jpg", data[:at] + data[at + 2 + length:])
put("ycck.jpg", data[:at + 2 + length - 1] + b"\x02" + data[at + 2 + length:])

save("xmp.webp", Image.fromarray(TURNED), format="WEBP", lossless=True, xmp=xmp(6, True))
save("lossy.webp", Image.fromarray(RGB), format="WEBP", quality=70)
save("lossless.webp", Image.fromarray(NOISE), format="WEBP", lossless=True)
save("alpha_lossy.webp", Image.fromarray(RGBA), format="WEBP", quality=80)
save("alpha_lossless.webp", Image.fromarray(RGBA), format="WEBP", lossless=True, exact=True)
e = Image.Exif()
e[0x0112] = 8
save("exif.webp", Image.fromarray(RGB), format="WEBP", lossless=True, exif=e)
frames = [Image.fromarray(picture(W, H, "ramp", 30 + i)) for i in range(3)]
save("animated.webp", frames[0], format="WEBP", save_all=True, append_images=frames[1:], duration=100, lossless=True)

save("rgb24.bmp", Image.fromarray(NOISE), format="BMP")
save("grey8.bmp", Image.fromarray(GREY), format="BMP")
save("bits1.bmp", Image.fromarray(GREY > 90), format="BMP")
save("rgba32.bmp", Image.fromarray(RGBA), format="BMP")


def bmp(name, bits, pixels, palette=b"", compression=0, height=H, header=40, masks=b"", used=0):
    offset = 14 + header + (len(masks) if header == 40 else 0) + len(palette)
    if header == 12:
        info = struct.pack("<IHHHH", 12, W, height, 1, bits)
    else:
        info = struct.pack("<IiiHHIIiiII", header, W, height, 1, bits, compression, len(pixels), 2835, 2835, used, 0)
        info += masks if header == 40 else (masks + b"\0" * header)[: header - 40]
    put(name, b"BM" + struct.pack("<IHHI", offset + len(pixels), 0, 0, offset) + info + palette + pixels)


def rows(samples, bits):
    text = b""
    for row in samples[::-1]:
        if bits < 8:
            b = "".join(format(int(v), f"0{bits}b") for v in row)
            b += "0" * (-len(b) % 8)
            line = bytes(int(b[i:i + 8], 2) for i in range(0, len(b), 8))
        else:
            line = row.astype({8: "u1", 16: "<u2", 32: "<u4"}[bits]).tobytes()
        text += line + b"\0" * (-len(line) % 4)
    return text

BGRX = np.concatenate([PALETTE[:, ::-1], np.zeros((256, 1), np.uint8)], 1)
bmp("bits4.bmp", 4, rows(GREY & 15, 4), BGRX[:16].tobytes())
bmp("bits8_few.bmp", 8, rows(GREY % 40, 8), BGRX[:40].tobytes(), used=40)
bmp("os2.bmp", 8, rows(GREY, 8), PALETTE[:, ::-1].tobytes(), header=12)
P16 = wide(1, 40)[:, :, 0]
bmp("bits16_555.bmp", 16, rows(P16 & 0x7fff, 16))
bmp("bits16_565.bmp", 16, rows(P16, 16), compression=3, masks=struct.pack("<III", 0xf800, 0x7e0, 0x1f))
P32 = picture(W, H, "noise", 41, 4).copy().view("<u4")[:, :, 0]
bmp("bits32.bmp", 32, rows(P32, 32))
bmp("bits32_masks.bmp", 32, rows(P32, 32), compression=3, masks=struct.pack("<III", 0xff000000, 0xff0000, 0xff00))
bmp("v4_header.bmp", 32, rows(P32, 32), compression=3, header=108, masks=struct.pack("<IIII", 0xff0000, 0xff00, 0xff, 0xff000000))
bmp("top_down.bmp", 8, rows(GREY[::-1], 8), BGRX.tobytes(), height=-H)


def rle8(samples):
    text = b""
    for row in samples[::-1]:
        x = 0
        while x < len(row):
            run = 1
            while x + run < len(row) and row[x + run] == row[x] and run < 255:
                run += 1
            if run > 1 or len(row) - x < 5:
                text += bytes([run, row[x]])
                x += run
            else:
                n = min(5, len(row) - x)
                text += bytes([0, n]) + bytes(int(v) for v in row[x:x + n]) + b"\0" * (n & 1)
                x += n
        text += b"\0\0"
    return text + b"\0\1"

bmp("rle8.bmp", 8, rle8(GREY // 32), BGRX.tobytes(), compression=1)
text = b""
for y in range(H):
    text += bytes([W - 7, 0x10 + y % 16]) + b"\0\7" + bytes([0x12, 0x34, 0x56, 0x70]) + b"\0\0"
bmp("rle4.bmp", 4, text + b"\0\1", BGRX[:16].tobytes(), compression=2)

# The last row is not filled up, and the mark of the end is missing.
data = open("files/bits8_few.bmp", "rb").read()
put("unfilled.bmp", data[:-3])
data = open("files/rle8.bmp", "rb").read()
put("no_end.bmp", data[:-4])
put("no_end_of_row.bmp", data[:-2])

QUANT = Image.fromarray(picture(W, H, "ramp", 50)).quantize(32)
save("still.gif", QUANT, format="GIF")
save("interlaced.gif", QUANT, format="GIF", interlace=1)
save("grey.gif", Image.fromarray(GREY), format="GIF")
save("transparent.gif", QUANT, format="GIF", transparency=3)


def gif_frames(name):
    image = Image.open("files/" + name)
    return [crc(np.array(f.convert("RGB"))) for f in ImageSequence.Iterator(image)], [f.info.get("duration", 0) for f in ImageSequence.Iterator(image)]


def lzw(indices, bits):
    """GIF's codes without compression: a clear code often enough that the width never grows."""
    clear, end, width = 1 << bits, (1 << bits) + 1, bits + 1
    codes, since = [clear], 0
    for v in indices:
        if since == (1 << bits) - 2:
            codes.append(clear)
            since = 0
        codes.append(int(v))
        since += 1
    codes.append(end)
    value = sum(c << (i * width) for i, c in enumerate(codes))
    data = value.to_bytes((len(codes) * width + 7) // 8, "little")
    return bytes([bits]) + b"".join(bytes([len(data[i:i + 255])]) + data[i:i + 255] for i in range(0, len(data), 255)) + b"\0"


def gif(name, width, height, parts, background=0, table=True):
    colours = PALETTE[:16].tobytes()
    text = b"GIF89a" + struct.pack("<HHBBB", width, height, 0xb3 if table else 0x33, background, 0) + (colours if table else b"")
    for left, top, samples, dispose, transparent, delay, local in parts:
        h, w = samples.shape
        text += b"!\xf9\4" + struct.pack("<BHB", dispose << 2 | (transparent is not None), delay, transparent or 0) + b"\0"
        text += b"," + struct.pack("<HHHHB", left, top, w, h, 0x80 + (len(local).bit_length() - 2) if local is not None else 0) + (local.tobytes() if local is not None else b"")
        text += lzw(samples.reshape(-1), 4)
    put(name, text + b";")

index = lambda w, h, s: picture(w, h, "noise", s, 1)[:, :, 0] & 15
LOCAL = PALETTE[100:116]
gif("parts.gif", 40, 30, [(0, 0, index(40, 30, 1), 1, None, 10, None), (5, 6, index(20, 10, 2), 1, 3, 0, None), (10, 3, index(9, 20, 3), 1, 2, 7, LOCAL),
                          (30, 20, index(10, 10, 4), 1, None, 1, None)])
gif("dispose.gif", 40, 30, [(0, 0, index(40, 30, 5), 1, None, 10, None), (5, 6, index(20, 10, 6), 2, None, 10, None), (10, 3, index(9, 20, 7), 3, 2, 10, None),
                            (2, 2, index(30, 20, 8), 2, 4, 10, LOCAL), (0, 0, index(5, 5, 9), 1, 5, 10, None)], background=6)
FEW = PALETTE[120:124]
gif("restored_first.gif", 20, 16, [(2, 3, index(12, 9, 16), 3, None, 10, None), (5, 4, index(9, 9, 17), 0, None, 10, None),
                                   (0, 0, index(6, 6, 18), 0, 3, 10, None), (9, 9, index(6, 6, 19), 1, 3, 10, None)])
gif("disposal_kept.gif", 20, 16, [(0, 0, index(20, 16, 20), 2, None, 10, None), (5, 4, index(9, 9, 21), 0, None, 10, None),
                                  (1, 1, index(9, 9, 22) & 3, 0, None, 10, FEW), (3, 2, index(9, 9, 23), 7, 9, 10, None),
                                  (8, 7, index(9, 9, 24), 0, 2, 10, None), (0, 0, index(3, 3, 25), 1, 2, 10, None)], background=6)
gif("small_first.gif", 40, 30, [(3, 4, index(10, 10, 10), 1, 2, 10, None), (0, 0, index(30, 20, 11), 1, 7, 10, None)])
gif("opaque_small_first.gif", 40, 30, [(3, 4, index(10, 10, 12), 1, None, 10, None), (0, 0, index(30, 20, 13), 1, None, 10, None)])
gif("sticking_out.gif", 8, 8, [(3, 4, index(10, 10, 14), 1, None, 10, None)])
gif("no_table.gif", 12, 9, [(0, 0, index(12, 9, 15), 1, None, 10, None)], table=False)
save("moving.gif", Image.fromarray(picture(48, 40, "ramp", 60)).quantize(16), format="GIF", save_all=True, duration=[40, 80, 80, 120, 40, 40], loop=0,
     append_images=[Image.fromarray(picture(48, 40, "ramp", 60 + 9 * i)).quantize(16) for i in range(1, 6)])
data = open("files/dispose.gif", "rb").read()
put("no_end.gif", data[:-1])

# --- TIFF and AVIF -----------------------------------------------------------------------------------------------------------------------
def tiff(name, image, **options):
    save(name + ".tif", image, format="TIFF", **options)

GREY16 = Image.fromarray(wide(1, 20)[:, :, 0])
for name in ("tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg"):
    tiff("rgb_" + name.split("_")[-1], Image.fromarray(RGB), compression=name)
tiff("grey", Image.fromarray(GREY))
tiff("grey16", GREY16)
tiff("grey16_lzw", GREY16, compression="tiff_lzw")
tiff("rgba", Image.fromarray(RGBA))
tiff("cmyk", Image.fromarray(RGBA, "CMYK"), compression="tiff_lzw")
tiff("grey_alpha", Image.fromarray(RGBA[:, :, :2].copy(), "LA"))
tiff("palette", Image.fromarray(RGB).quantize(32))
tiff("bits1", Image.fromarray(GREY > 90))
tiff("bits1_fax", Image.fromarray(GREY > 90), compression="group4")
tiff("pages", Image.fromarray(NOISE[:9, :7].copy()), save_all=True, append_images=[Image.fromarray(RGB)])
for o in range(2, 9):
    tiff(f"orientation{o}", Image.fromarray(TURNED), tiffinfo={0x0112: o})
tiff("xmp", Image.fromarray(TURNED), tiffinfo={700: xmp(6)})


def ifd(name, order, width, height, samples, photometric, bits, data, tile=None, planes=1, extra=None, colours=None, fill=None, rows=None, more={}):
    """A TIFF whose data, one string for each strip or tile, stand behind its directory. more: {tag: numbers of 16 bits}."""
    short, long = 3, 4
    tags = {256: (long, [width]), 257: (long, [height]), 258: (short, [bits] * samples), 259: (short, [1]), 262: (short, [photometric]),
            277: (short, [samples]), 284: (short, [planes])}
    if extra is not None:
        tags[338] = (short, extra)
    if colours is not None:
        tags[320] = (short, colours)
    if fill is not None:
        tags[266] = (short, [fill])
    for tag in more:
        tags[tag] = (short, more[tag])
    if photometric is None:
        del tags[262]
    offsets, counts = (324, 325) if tile else (273, 279)
    if tile:
        tags[322], tags[323] = (long, [tile[0]]), (long, [tile[1]])
    else:
        tags[278] = (long, [rows or -(-height // (len(data) // (samples if planes == 2 else 1)))])
    tags[offsets], tags[counts] = (long, [0] * len(data)), (long, [len(d) for d in data])
    e = "<" if order == "II" else ">"
    at, far = 8 + 2 + 12 * len(tags) + 4, b""
    places = {}
    for tag in sorted(tags):
        kind, values = tags[tag]
        size = len(values) * (2 if kind == short else 4)
        places[tag] = at + len(far) if size > 4 else None
        far += bytes(size + size % 2) if size > 4 else b""
    start = at + len(far)
    tags[offsets] = (long, [start + sum(len(d) for d in data[:i]) for i in range(len(data))])
    head, far = order.encode() + struct.pack(e + "HIH", 42, 8, len(tags)), b""
    for tag in sorted(tags):
        kind, values = tags[tag]
        packed = struct.pack(e + str(len(values)) + ("H" if kind == short else "I"), *values)
        if places[tag] is None:
            head += struct.pack(e + "HHI", tag, kind, len(values)) + packed.ljust(4, b"\0")
        else:
            head += struct.pack(e + "HHII", tag, kind, len(values), places[tag])
            far += packed + bytes(len(packed) % 2)
    put(name + ".tif", head + bytes(4) + far + b"".join(data))


def packed(samples, bits):
    return b"".join(int("".join(format(int(v), f"0{bits}b") for v in row).ljust(-(-len(row) * bits // 8) * 8, "0"), 2)
                    .to_bytes(-(-len(row) * bits // 8), "big") for row in samples)

def tiles(samples, w, h):
    out = []
    for y in range(0, samples.shape[0], h):
        for x in range(0, samples.shape[1], w):
            block = np.zeros((h, w) + samples.shape[2:], samples.dtype)
            part = samples[y:y + h, x:x + w]
            block[:part.shape[0], :part.shape[1]] = part
            out.append(block.tobytes())
    return out

RGB16 = wide(3, 24)
ifd("rgb16", "II", W, H, 3, 2, 16, [RGB16.astype("<u2").tobytes()])
ifd("rgb16_big", "MM", W, H, 3, 2, 16, [RGB16[:15].astype(">u2").tobytes(), RGB16[15:].astype(">u2").tobytes()])
ifd("grey16_big", "MM", W, H, 1, 1, 16, [wide(1, 20).astype(">u2").tobytes()])
ifd("rgba16_premultiplied", "II", W, H, 4, 2, 16, [wide(4, 28).astype("<u2").tobytes()], extra=[1])
ifd("premultiplied", "II", W, H, 4, 2, 8, [RGBA.tobytes()], extra=[1])
ifd("six_samples", "MM", W, H, 6, 2, 8, [picture(W, H, "noise", 70, 6).tobytes()], extra=[0, 0, 0])
ifd("planes", "II", W, H, 3, 2, 8, [RGB[:, :, c].tobytes() for c in range(3)], planes=2)
ifd("tiles", "II", W, H, 3, 2, 8, tiles(RGB, 16, 32), tile=(16, 32))
ifd("white0", "II", W, H, 1, 0, 8, [GREY.tobytes()])
ifd("bits1_white0", "II", W, H, 1, 0, 1, [packed(GREY & 1, 1)])
ifd("bits1_reversed", "II", W, H, 1, 1, 1, [packed(GREY & 1, 1)], fill=2)
ifd("bits2", "II", W, H, 1, 1, 2, [packed(GREY & 3, 2)])
ifd("bits4_white0", "MM", W, H, 1, 0, 4, [packed(GREY & 15, 4)])
ifd("bits12", "II", W, H, 1, 1, 12, [packed(wide(1, 20)[:, :, 0] >> 4, 12)])
ifd("no_meaning", "II", W, H, 1, None, 8, [GREY.tobytes()])
ifd("cmyk_planes", "II", W, H, 4, 5, 8, [zlib.compress(RGBA[:, :, c].tobytes()) for c in range(4)], planes=2, more={259: [8]})
ifd("premultiplied_planes", "MM", W, H, 4, 2, 8, [zlib.compress(RGBA[:, :, c].tobytes()) for c in range(4)], planes=2, extra=[1], more={259: [8]})

# Values that are no codes of a brightness, some of them beyond 0 to 255.
VALUES = picture(W, H, "noise", 80, 1)[:, :, 0].astype(np.int32) * 3 - 250
REALS = VALUES.astype(np.float32) / 2
REALS[0, :9] = np.nan, np.inf, -np.inf, 254.996, 255.5, 0.996, -0.996, 1e30, -1e30
tiff("real", Image.fromarray(REALS))
tiff("real_packed", Image.fromarray(REALS), compression="tiff_lzw", tiffinfo={317: 3})
tiff("integer32", Image.fromarray(VALUES))
ifd("real_white0", "MM", W, H, 1, 0, 32, [REALS.astype(">f4").tobytes()], more={339: [3]})
ifd("integer16", "MM", W, H, 1, 1, 16, [VALUES.astype(">i2").tobytes()], more={339: [2]})
ifd("integer8", "II", W, H, 1, 1, 8, [VALUES.astype("i1").tobytes()], more={339: [2]})


def subsampled(pixels, across, down):
    """YCbCr in blocks: the brightness of each pixel, then the two colours of all."""
    pixels = np.pad(pixels, ((0, -pixels.shape[0] % down), (0, -pixels.shape[1] % across), (0, 0)), mode="edge")
    out = b""
    for y in range(0, pixels.shape[0], down):
        for x in range(0, pixels.shape[1], across):
            block = pixels[y:y + down, x:x + across]
            out += block[:, :, 0].tobytes() + block[0, 0, 1:].tobytes()
    return out


def ycbcr(name, across, down, tile=None, rows=H, more={}):
    parts = [NOISE[y:y + rows] for y in range(0, H, rows)]
    if tile:
        parts = [np.frombuffer(t, np.uint8).reshape(tile[1], tile[0], 3) for t in tiles(NOISE, *tile)]
    ifd(name, "II", W, H, 3, 6, 8, [zlib.compress(subsampled(p, across, down)) for p in parts], tile=tile, rows=rows,
        more={259: [8], 530: [across, down], **more})

tiff("ycbcr", Image.fromarray(NOISE).convert("YCbCr"))
ycbcr("ycbcr11", 1, 1)
ycbcr("ycbcr21", 2, 1, rows=8)
ycbcr("ycbcr22_tiles", 2, 2, tile=(16, 16))
ycbcr("ycbcr44_tiles", 4, 4, tile=(16, 16))
ycbcr("ycbcr42_turned", 4, 2, more={274: [6]})


def scanned(name, packing, rows, tile=None):
    """Strips or tiles that are whole JPEG files, as scanners write them."""
    parts = [RGB[y:y + rows] for y in range(0, H, rows)]
    if tile:
        parts = [np.frombuffer(t, np.uint8).reshape(tile[1], tile[0], 3) for t in tiles(RGB, *tile)]
    jpegs = []
    for part in parts:
        buffer = io.BytesIO()
        Image.fromarray(part).save(buffer, format="JPEG", quality=80, subsampling=2)
        jpegs.append(buffer.getvalue())
    ifd(name, "II", W, H, 3, 6, 8, jpegs, tile=tile, rows=rows, more={259: [packing], 530: [2, 2]})

scanned("jpeg_strips", 7, 16)
scanned("jpeg_tiles", 7, 16, tile=(16, 16))
scanned("jpeg_old", 6, H)
COLOURS16 = [int(v) * 257 for c in range(3) for v in PALETTE[:16, c]]
ifd("palette4", "II", W, H, 1, 3, 4, [packed(GREY & 15, 4)], colours=COLOURS16)

for s in ("4:4:4", "4:2:0", "4:2:2", "4:0:0"):
    save(f"colour{s.replace(':', '')}.avif", Image.fromarray(RGB), format="AVIF", quality=80, subsampling=s)
save("alpha.avif", Image.fromarray(RGBA), format="AVIF", quality=90)
for o in range(2, 9):
    e = Image.Exif()
    e[0x0112] = o
    save(f"orientation{o}.avif", Image.fromarray(TURNED), format="AVIF", quality=60, subsampling="4:4:4", exif=e)
save("xmp.avif", Image.fromarray(TURNED), format="AVIF", quality=60, xmp=xmp(6))
save("moving.avif", Image.fromarray(picture(W, H, "ramp", 30)), format="AVIF", save_all=True, append_images=[Image.fromarray(picture(W, H, "ramp", 31))],
     duration=100)
moving = bytearray(open("files/moving.avif", "rb").read())
for box in (b"mvhd", b"tkhd", b"mdhd"):  # when it was made and changed, which would differ at every run
    at = moving.find(box)
    while at >= 0:
        moving[at + 8 : at + 24] = bytes(16)
        at = moving.find(box, at + 1)
put("moving.avif", bytes(moving))

files = {}
for name in sorted(os.listdir("files")):
    path = "files/" + name
    image = Image.open(path)
    mode = image.mode
    upright = np.array(ImageOps.exif_transpose(image).convert("RGB"))
    entry = {"mode": mode, "size": [upright.shape[1], upright.shape[0]], "pillow": crc(upright)}
    try:
        t = decode_image(path, mode=ImageReadMode.RGB)
        t = t[0] if t.ndim == 4 else t
        entry["torchvision"] = crc((t.to(torch.int32) // 256 if t.dtype == torch.uint16 else t).to(torch.uint8).permute(1, 2, 0).numpy())
        entry["torchvision_dtype"] = str(t.dtype)
    except Exception as error:
        entry["torchvision"] = type(error).__name__
    rows_got = images([Image.fromarray(upright)], return_tensors="pt", min_pixels=1024, max_pixels=65536)
    entry["rows"] = crc(rows_got["pixel_values"].numpy())
    entry["grid"] = rows_got["image_grid_thw"].tolist()
    if name.endswith(".gif"):
        entry["frames"], entry["durations"] = gif_frames(name)
    files[name] = entry
out["files"] = files
for depth_name, samples in ((name, wide(1, 20)) for name in ("grey16.png", "grey16.tif", "grey16_lzw.tif", "grey16_big.tif", "bits12.tif")):
    files[depth_name]["high_byte"] = crc(np.repeat((samples >> 8).astype(np.uint8), 3, axis=2))

# --- text ---------------------------------------------------------------------------------------------------------------------------------
class Text(Qwen3VLProcessor):
    def __init__(self):
        self.image_token, self.video_token = "<|image_pad|>", "<|video_pad|>"
        self.vision_start_token, self.vision_end_token = "<|vision_start|>", "<|vision_end|>"
        self.image_processor, self.video_processor = images, videos
    all_special_multimodal_tokens = ["<|image_pad|>", "<|video_pad|>"]

text = Text()
image_grid = torch.tensor([[1, 4, 6], [1, 2, 2], [1, 8, 4]])
video_grid = torch.tensor([[2, 4, 4], [3, 2, 6]])
metadata = [VideoMetadata(total_num_frames=90, fps=25, frames_indices=[0, 15, 30, 44]), VideoMetadata(total_num_frames=9, fps=None, frames_indices=[0, 2, 4, 6, 8])]
replaced_images = [text.replace_image_token({"image_grid_thw": image_grid}, i) for i in range(3)]
replaced_videos = [text.replace_video_token({"video_grid_thw": video_grid, "video_metadata": metadata}, i) for i in range(2)]
I, V = "<|vision_start|><|image_pad|><|vision_end|>", "<|vision_start|><|video_pad|><|vision_end|>"
texts = [f"a{I}b{V}c", f"{V}{I}", f"no picture", f"x <|image_pad|>."]
done, _ = text.get_text_with_replacements(list(texts), replaced_images, replaced_videos)
only, _ = text.get_text_with_replacements(list(texts), replaced_images, [])
out["text"] = {"image_grid": image_grid.tolist(), "video_grid": video_grid.tolist(), "frames_indices": [m.frames_indices[: 2 * 3 - 1] for m in metadata],
               "fps": [25.0, 24.0], "texts": texts, "expanded": done, "only_images": only, "images": replaced_images, "videos": replaced_videos}

with open("cases.json", "w") as f:
    json.dump(out, f, separators=(",", ":"))
print(sum(os.path.getsize("files/" + n) for n in os.listdir("files")), os.path.getsize("cases.json"))
for name, entry in files.items():
    print(name, entry["mode"], "same" if entry["pillow"] == entry["torchvision"] else ("DIFFER", entry["torchvision"], entry.get("torchvision_dtype")))
# The interpreter's own end is left out: with these libraries together it crashes in it.
sys.stdout.flush()
os._exit(0)
