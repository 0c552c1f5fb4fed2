// SPDX-License-Identifier: LGPL-2.1-or-later
#include "support/trees.hpp"

#include <stdlib.h>

#include <fstream>

#include "base/error.hpp"
#include "base/io.hpp"

namespace berth::test {

namespace fs = std::filesystem;

Folder::Folder() {
    std::string name = "/tmp/berth-test-XXXXXX";
    if (::mkdtemp(name.data()) == nullptr)
        fail_errno("creating a folder in /tmp");
    path_ = name;
    fs::permissions(path_, fs::perms{0755}); // others than root shall see it
}

Folder::~Folder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
}

fs::path Folder::write(std::string_view name, std::string_view content) const {
    const fs::path file = path_ / name;
    fs::create_directories(file.parent_path());
    std::ofstream(file) << content;
    return file;
}

SmallTree::SmallTree() {
    succeed({"cp", "-a", std::string(busybox_tree) + "/.", path().native()});
    const fs::path init = path() / "usr/sbin/init";
    fs::remove(init);
    // The build leaves it beside the suite of the integration tests.
    fs::copy_file(fs::read_symlink("/proc/self/exe").parent_path() / "../integration/berth-test-init", init);
}

std::string text_of(const fs::path &file) {
    return read_file_if_there(file).value_or("(there is no " + file.native() + ")");
}

} // namespace berth::test
