# SPDX-License-Identifier: Apache-2.0
"""python3 replay_conanfile.py WORK: the steps of conan/conanfile.py, with stand-ins for Conan's modules."""
import fnmatch
import os
import shutil
import sys
import types

sys.dont_write_bytecode = True
here = os.path.dirname(os.path.abspath(__file__))
work = os.path.abspath(sys.argv[1])


class Recipe:
    def __init__(self):
        self.recipe_folder = os.path.join(here, "conan")
        self.export_sources_folder = self.source_folder = os.path.join(work, "sources")
        self.package_folder = os.path.join(work, "package")
        self.options = types.SimpleNamespace(**self.default_options)
        self.properties = {}
        self.cpp_info = types.SimpleNamespace(set_property=self.properties.__setitem__)
        self.info = types.SimpleNamespace(settings={"os": "Linux"})
        self.required = []

    def requires(self, reference, **_):
        self.required.append(reference)


def copy(_, pattern, src, dst):
    for folder, _, names in os.walk(src):
        for name in names:
            path = os.path.relpath(os.path.join(folder, name), src)
            if fnmatch.fnmatch(path, pattern):
                os.makedirs(os.path.dirname(os.path.join(dst, path)), exist_ok=True)
                shutil.copy(os.path.join(src, path), os.path.join(dst, path))


def load(_, path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def module(name, **content):
    sys.modules[name] = types.ModuleType(name)
    vars(sys.modules[name]).update(content)


module("conan", ConanFile=Recipe)
module("conan.tools")
module("conan.tools.build", check_min_cppstd=lambda recipe, standard: None)
module("conan.tools.files", copy=copy, load=load)
shutil.rmtree(work, ignore_errors=True)
sys.path.insert(0, os.path.join(here, "conan"))
from conanfile import Qwen35  # noqa: E402

recipe = Qwen35()
for step in ("set_version", "export_sources", "requirements", "validate", "package_id", "package", "package_info"):
    getattr(recipe, step)()
for path in ("include/qwen35/model.hpp", "include/qwen35/kernels/table-inl.hpp", "lib/cmake/qwen35_embed.cmake", "licenses/LICENSE"):
    assert os.path.exists(os.path.join(recipe.package_folder, path)), path
for path in recipe.properties["cmake_build_modules"]:
    assert os.path.exists(os.path.join(recipe.package_folder, path)), path
assert recipe.version.count(".") == 2, recipe.version
assert [reference.split("/")[0] for reference in recipe.required] == ["highway", "xsimd", "rapidjson", "utf8proc"]
print(f"qwen35 {recipe.version} as a Conan package")
