#include "client/cli/options/field_options.h"

#include <gtest/gtest.h>

#include <sstream>

#include "client/cli/program.h"
#include "deconvoy/v1/jobs.pb.h"

namespace deconvoy::client {
namespace {

TEST(WithOptions, FieldsBecomeOptionsWhereThereAreSome) {
  EXPECT_EQ(WithOptions("`deconvolve.offset_counts` is nan"), "--offset is nan");
  EXPECT_EQ(WithOptions("`simulate.voxel_size.z_um` and `simulate.shape`: wrong"), "--voxel-um and --shape: wrong");
  EXPECT_EQ(WithOptions("`deconvolve.tile.core` beside `deconvolve.other`"), "--tile beside `deconvolve.other`");
  EXPECT_EQ(WithOptions("see `deconvoy jobs`"), "see `deconvoy jobs`");
  EXPECT_EQ(WithOptions("`deconvolve.psf_centre_voxel`"), "--psf-centre");
  EXPECT_EQ(WithOptions("`deconvolve.tiles` `"), "`deconvolve.tiles` `");
  EXPECT_EQ(WithOptions(""), "");
}

// The field of `message` that a path names, without what the path says of its parts.
bool HasField(const google::protobuf::Descriptor* message, std::string_view path) {
  const size_t dot = path.find('.');
  return message->FindFieldByName(std::string(path.substr(dot + 1))) != nullptr;
}

TEST(FieldOptions, NameFieldsAndOptionsThatThereAre) {
  Program program{.console = StandardConsole()};
  const auto root = MakeParser(program);
  for (const FieldOption& entry : FieldOptions()) {
    const CLI::App* verb = root.get();
    std::istringstream words{std::string(entry.verb)};
    for (std::string word; words >> word;) verb = verb->get_subcommand(word);
    EXPECT_NE(verb->get_option_no_throw(std::string(entry.option)), nullptr) << entry.option;
    const std::string work(entry.field.substr(0, entry.field.find('.')));
    EXPECT_TRUE(HasField(v1::JobSpec::descriptor()->FindFieldByName(work)->message_type(), entry.field)) << entry.field;
  }
}

}  // namespace
}  // namespace deconvoy::client
