# SPDX-License-Identifier: Apache-2.0
# Video files: with FFmpeg where it is installed, and without it in any case.
if(TARGET test_media)
  target_link_libraries(test_media PRIVATE qwen35::ffmpeg)
endif()
