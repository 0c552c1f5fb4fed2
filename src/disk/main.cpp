// SPDX-License-Identifier: LGPL-2.1-or-later
// berth-image: looks into disk images, and mounts what is in them for a machine.
#include <getopt.h>
#include <sys/stat.h>

#include <array>
#include <cstdio>
#include <string>
#include <string_view>

#include "base/error.hpp"
#include "base/parse.hpp"
#include "build.hpp"
#include "cli/style.hpp"
#include "config/image_policy.hpp"
#include "disk/attach.hpp"
#include "disk/choose.hpp"
#include "disk/file.hpp"
#include "disk/print.hpp"
#include "disk/table.hpp"

namespace {

using namespace berth;

constexpr const char *help_text =
    R"(berth-image attach [--read-only] [--lock] [--image-policy=POLICY] [--socket=FD] IMAGE
berth-image dissect [--json] [--image-policy=POLICY] IMAGE

Disk images as the roots of machines. IMAGE is a file or block device with a GPT,
an MBR, or nothing but a filesystem.

  attach   mount the partitions that a machine gets, and send the mounts over a
           socket (AF_UNIX, SOCK_SEQPACKET); berth run does this
  dissect  show the partitions

  -r, --read-only             write nothing; several may use the image at once that way
      --lock                  attach: take the locks of systemd-nspawn, too, and send them
      --image-policy=POLICY   which partitions may be there, and how protected, as in
                              systemd.image-policy(7)
      --socket=FD             the socket's descriptor (default: 3)
      --json                  for programs: one object in one line
  -h, --help                  this text
      --version
)";

struct Options {
    enum class Verb : unsigned char { help, version, attach, dissect };
    Verb verb = Verb::help;
    bool read_only = false;
    bool lock = false;
    bool json = false;
    ImagePolicy policy;
    int socket = 3;
    std::string image;
};

int descriptor(std::string_view text) {
    const auto number = parse_unsigned(text);
    constexpr std::uint64_t limit = 1U << 20;
    if (!number || *number >= limit)
        fail("--socket={}: that is no descriptor", text);
    return static_cast<int>(*number);
}

ImagePolicy policy(std::string_view text) {
    try {
        return ImagePolicy(text);
    } catch (const Error &error) {
        fail("--image-policy={}: {}", text, error.what());
    }
}

Options parse(int argc, char *argv[]) {
    enum Own : int { opt_socket = 1000, opt_lock, opt_json, opt_policy, opt_version };
    constexpr std::array longs{option{"read-only", no_argument, nullptr, 'r'},
                               option{"socket", required_argument, nullptr, opt_socket},
                               option{"lock", no_argument, nullptr, opt_lock},
                               option{"image-policy", required_argument, nullptr, opt_policy},
                               option{"json", no_argument, nullptr, opt_json},
                               option{"help", no_argument, nullptr, 'h'},
                               option{"version", no_argument, nullptr, opt_version},
                               option{}};
    Options options;
    for (int found = 0; (found = ::getopt_long(argc, argv, ":rh", longs.data(), nullptr)) != -1;) {
        switch (found) {
        case 'r': options.read_only = true; break;
        case opt_socket: options.socket = descriptor(::optarg); break;
        case opt_policy: options.policy = policy(::optarg); break;
        case opt_lock: options.lock = true; break;
        case opt_json: options.json = true; break;
        case 'h': return options;
        case opt_version: options.verb = Options::Verb::version; return options;
        default:
            fail("{} {}; see berth-image --help", argv[::optind - 1],
                 found == ':' ? "needs an argument" : "is no option here");
        }
    }
    if (argc - ::optind != 2)
        fail("a verb and an image are needed; see berth-image --help");
    const std::string_view verb = argv[::optind];
    if (verb == "attach")
        options.verb = Options::Verb::attach;
    else if (verb == "dissect")
        options.verb = Options::Verb::dissect;
    else
        fail("there is no verb {}; see berth-image --help", verb);
    options.image = argv[::optind + 1];
    return options;
}

void dissect(const Options &options) {
    const disk::ImageFile image = disk::open_image(options.image, true);
    const disk::Table table = disk::read_table(image.fd.get(), image.size, image.sector_size, image.name);
    const disk::Choice choice = disk::choose(table, image.name, options.policy);
    if (options.json)
        std::printf("%s\n", disk::dissection_json(image.name, image.size, table, choice).c_str());
    else
        disk::print_dissection(image.name, image.size, table, choice);
}

void run(const Options &options) {
    switch (options.verb) {
    case Options::Verb::help: std::fputs(help_text, stdout); break;
    case Options::Verb::version: std::printf("berth %s\n", build::version.data()); break;
    case Options::Verb::attach:
        disk::attach(options.image,
                     {.policy = options.policy, .read_only = options.read_only, .lock = options.lock},
                     options.socket);
        break;
    case Options::Verb::dissect: dissect(options); break;
    }
    if (std::fflush(stdout) != 0)
        fail_errno("writing to stdout");
}

} // namespace

int main(int argc, char *argv[]) {
    try {
        ::umask(0022);
        run(parse(argc, argv));
        return 0;
    } catch (const std::exception &error) {
        // Nothing before it: whoever started us puts the sentence into its own words.
        std::fprintf(stderr, "%s\n", cli::style::printable(error.what()).c_str());
        return 1;
    }
}
