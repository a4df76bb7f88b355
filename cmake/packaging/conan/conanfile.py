# SPDX-License-Identifier: Apache-2.0
"""Conan 2: the headers of the checkout that this file stands in."""
import os
import re

from conan import ConanFile
from conan.tools.build import check_min_cppstd
from conan.tools.files import copy, load

ROOT = os.path.join("..", "..", "..")


class Qwen35(ConanFile):
    name = "qwen35"
    description = "Qwen3.5-MoE on the CPU, as a C++20 library of headers"
    license = "Apache-2.0"
    package_type = "header-library"
    settings = "os", "arch", "compiler", "build_type"
    options = {"openmp": [True, False]}
    default_options = {"openmp": True}
    no_copy_source = True
    helpers = ["qwen35_embed.cmake", "qwen35_add_config.cmake"]

    def set_version(self):
        text = load(self, os.path.join(self.recipe_folder, ROOT, "include", "qwen35", "version.hpp"))
        self.version = ".".join(re.search(rf"QWEN35_VERSION_{part} (\d+)", text).group(1) for part in ("MAJOR", "MINOR", "PATCH"))

    def export_sources(self):
        root = os.path.join(self.recipe_folder, ROOT)
        copy(self, "*.hpp", os.path.join(root, "include"), os.path.join(self.export_sources_folder, "include"))
        for helper in self.helpers:
            copy(self, helper, os.path.join(root, "cmake"), os.path.join(self.export_sources_folder, "cmake"))
        copy(self, "LICENSE", root, self.export_sources_folder)

    def requirements(self):
        self.requires("highway/[>=1.0.3 <2]", transitive_headers=True)
        self.requires("xsimd/[>=8.1 <14]", transitive_headers=True)
        self.requires("rapidjson/cci.20230929", transitive_headers=True)
        self.requires("utf8proc/[>=2.8 <3]", transitive_headers=True, transitive_libs=True)

    def validate(self):
        check_min_cppstd(self, 20)

    def package_id(self):
        self.info.settings.clear()

    def package(self):
        copy(self, "*.hpp", os.path.join(self.source_folder, "include"), os.path.join(self.package_folder, "include"))
        copy(self, "*.cmake", os.path.join(self.source_folder, "cmake"), os.path.join(self.package_folder, "lib", "cmake"))
        copy(self, "LICENSE", self.source_folder, os.path.join(self.package_folder, "licenses"))

    def package_info(self):
        self.cpp_info.bindirs = []
        self.cpp_info.libdirs = []
        self.cpp_info.set_property("cmake_file_name", "qwen35")
        self.cpp_info.set_property("cmake_target_name", "qwen35::qwen35")
        self.cpp_info.set_property("cmake_build_modules", [os.path.join("lib", "cmake", helper) for helper in self.helpers])
        if self.options.openmp:
            self.cpp_info.cxxflags = ["-fopenmp"]
            self.cpp_info.exelinkflags = ["-fopenmp"]
            self.cpp_info.sharedlinkflags = ["-fopenmp"]
