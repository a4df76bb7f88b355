# SPDX-License-Identifier: Apache-2.0
# Video files: with FFmpeg where it is installed, and without it in any case.
if(TARGET test_media_video_file)
  target_link_libraries(test_media_video_file PRIVATE qwen35::ffmpeg)
endif()
