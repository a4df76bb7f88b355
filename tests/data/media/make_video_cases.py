"""Makes the files of ../media/videos and videos.json, the frames that FFmpeg's own program decodes from them: python3 make_video_cases.py, in this folder.

Needs the programs ffmpeg and ffprobe; made with 5.1. Frames are written as they come, without repeating or dropping any, converted to RGB by swscale's
bilinear setting: the reference's decoding libraries (torchcodec, PyAV) use the same one.
"""
import json, os, subprocess, zlib

os.makedirs("videos", exist_ok=True)


def ffmpeg(*arguments):
    return subprocess.run(["ffmpeg", "-v", "error", "-y", *arguments], check=True, capture_output=True, stdin=subprocess.DEVNULL, timeout=60).stdout


def source(width, height, frames, rate):
    return ["-f", "lavfi", "-i", f"testsrc2=size={width}x{height}:rate={rate}", "-frames:v", str(frames)]

EXACT = ["-fflags", "+bitexact", "-flags:v", "+bitexact", "-threads", "1"]
H264 = ["-c:v", "libx264", "-preset", "slow", "-crf", "30", "-bf", "2", "-pix_fmt", "yuv420p"]

made = {
    "h264.mp4": source(64, 48, 13, 10) + H264,
    "tagged709.mp4": source(50, 34, 5, 25) + H264 + ["-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709"],
    "full_range.mp4": source(64, 48, 4, "30000/1001") + ["-c:v", "libx264", "-crf", "30", "-pix_fmt", "yuvj420p", "-color_range", "pc"],
    "fragments.mp4": source(64, 48, 9, 10) + H264 + ["-g", "3", "-movflags", "frag_keyframe+empty_moov"],
    "vp9.webm": source(64, 48, 7, 12) + ["-c:v", "libvpx-vp9", "-crf", "50", "-b:v", "0"],
    "mpeg4.avi": source(64, 48, 6, 15) + ["-c:v", "mpeg4", "-q:v", "20", "-bf", "2"],
    "with_sound.mkv": ["-f", "lavfi", "-i", "sine=duration=1", "-f", "lavfi", "-i", "testsrc2=size=64x48:rate=8:duration=1", "-map", "0:a", "-map", "1:v", "-c:a", "libopus", "-b:a", "8k", *H264],
    "ffv1_444.mkv": source(40, 36, 2, 5) + ["-vf", "scale=40:36,format=yuv444p10", "-c:v", "ffv1"],
    "uneven.mp4": source(64, 48, 12, 12) + ["-vf", "select='not(eq(mod(n,4),1))'", "-vsync", "vfr", *H264],
}
for name, arguments in made.items():
    ffmpeg(*arguments, *EXACT, "videos/" + name)
ffmpeg("-i", "videos/h264.mp4", "-c", "copy", "-metadata:s:v:0", "rotate=90", "-fflags", "+bitexact", "videos/lying.mp4")
# Cut at its start: the file's edit list hides the frames before 0.45 s, which must be decoded all the same.
ffmpeg("-ss", "0.45", "-i", "videos/h264.mp4", "-c", "copy", "-fflags", "+bitexact", "videos/edited.mp4")

out = {"version": subprocess.run(["ffmpeg", "-version"], capture_output=True, text=True).stdout.split()[2], "videos": {}}
for name in sorted(os.listdir("videos")):
    path = "videos/" + name
    probe = json.loads(subprocess.run(["ffprobe", "-v", "error", "-select_streams", "v:0", "-show_entries", "stream=width,height,avg_frame_rate", "-of", "json", path],
                                      check=True, capture_output=True).stdout)["streams"][0]
    width, height = probe["width"], probe["height"]
    if name == "lying.mp4":
        width, height = height, width
    raw = ffmpeg("-i", path, "-map", "0:v:0", "-vsync", "passthrough", "-sws_flags", "bilinear", "-f", "rawvideo", "-pix_fmt", "rgb24", "-")
    size = width * height * 3
    assert len(raw) % size == 0, name
    n, d = map(int, probe["avg_frame_rate"].split("/"))
    out["videos"][name] = {"size": [width, height], "fps": [n, d], "frames": [zlib.crc32(raw[i:i + size]) for i in range(0, len(raw), size)]}
    print(name, os.path.getsize(path), out["videos"][name]["size"], len(raw) // size, probe["avg_frame_rate"])
with open("videos.json", "w") as f:
    json.dump(out, f, separators=(",", ":"))
