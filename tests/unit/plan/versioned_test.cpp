// SPDX-License-Identifier: LGPL-2.1-or-later
#include "plan/versioned.hpp"

#include <gmock/gmock.h>

#include <sys/utsname.h>

#include <filesystem>

#include "expect_error.hpp"
#include "temporary_directory.hpp"

using namespace berth;
using berth::test::error_of;
using testing::HasSubstr;
using versioned::What;
namespace fs = std::filesystem;

namespace {

class Versioned : public testing::Test {
protected:
    [[nodiscard]] std::string at(const std::string &name) const { return directory_.path() / name; }
    [[nodiscard]] std::string image(const std::string &path) const {
        return fs::path(*versioned::pick(at(path), What::image)).filename();
    }
    test::TemporaryDirectory directory_;
};

} // namespace

TEST_F(Versioned, TheNewestIsTaken) {
    for (const char *name : {"m_7.5.13.raw", "m_7.5.9.raw", "m_7.6.0.raw", "other_9.raw", "m_9.img"})
        directory_.write(std::string("m.raw.v/") + name, "");
    fs::create_directories(at("m.raw.v/m_8.raw"));
    EXPECT_EQ(image("m.raw.v"), "m_7.6.0.raw");
    EXPECT_EQ(image("m.raw.v/"), "m_7.6.0.raw");
    EXPECT_EQ(image("m.raw.v/m___.img"), "m_9.img");
    EXPECT_EQ(image("m.raw.v/other___.raw"), "other_9.raw");
}

TEST_F(Versioned, DirectoriesForTrees) {
    for (const char *name : {"m.v/m_1", "m.v/m_2", "m.v/m_10"})
        fs::create_directories(at(name));
    directory_.write("m.v/m_11", "a file");
    EXPECT_EQ(*versioned::pick(at("m.v"), What::directory), at("m.v/m_10"));
}

TEST_F(Versioned, WhatHasNoTriesLeftComesLast) {
    for (const char *name : {"m_1.raw", "m_2+0-3.raw", "m_1.5+2-1.raw"})
        directory_.write(std::string("m.v/") + name, "");
    EXPECT_EQ(image("m.v"), "m_1.5+2-1.raw");
    fs::remove(at("m.v/m_1.5+2-1.raw"));
    EXPECT_EQ(image("m.v"), "m_1.raw");
    fs::remove(at("m.v/m_1.raw"));
    EXPECT_EQ(image("m.v"), "m_2+0-3.raw");
}

TEST_F(Versioned, OtherArchitecturesAreLeft) {
    directory_.write("m.v/m_1_alpha.raw", "");
    EXPECT_THAT(error_of([&] { (void)versioned::pick(at("m.v"), What::image); }),
                HasSubstr("there is no m_VERSION.raw in it"));
    directory_.write("m.v/m_0.5.raw", "");
    EXPECT_EQ(image("m.v"), "m_0.5.raw");
    directory_.write("m.v/m_2_beta.raw", "");
    EXPECT_EQ(image("m.v"), "m_2_beta.raw") << "a word of the version";
}

TEST_F(Versioned, OtherPathsAreLeftAlone) {
    fs::create_directories(at("tree"));
    directory_.write("file.v", "");
    EXPECT_EQ(versioned::pick(at("tree"), What::directory), std::nullopt);
    EXPECT_EQ(versioned::pick(at("file.v"), What::image), std::nullopt);
    EXPECT_EQ(versioned::pick(at("tree/a___.raw"), What::image), std::nullopt);
}
