// SPDX-License-Identifier: Apache-2.0
// What files.cpp calls of the target qwen35::generate.
#define QWEN35_GENERATE_SOURCE
#include <qwen35/io/entropy.hpp>
#include <qwen35/io/file_handle.hpp>
#include <qwen35/io/file_writer.hpp>
#include <qwen35/io/model_folder.hpp>
#include <qwen35/io/plain_file.hpp>
