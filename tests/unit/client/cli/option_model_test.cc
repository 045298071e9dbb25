#include "client/cli/option_model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "client/cli/help.h"
#include "client/cli/program.h"
#include "tests/support/test_support.h"

namespace deconvoy::client {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class OptionModelTest : public ::testing::Test {
 protected:
  std::ostringstream out_, err_;
  Program program_{.console = {.out = out_, .err = err_}};
  std::unique_ptr<CLI::App> root_ = MakeParser(program_);
  std::vector<VerbModel> verbs_ = ModelOf(*root_);

  const OptionModel& Find(const std::string& verb, const std::string& name) {
    for (const VerbModel& one : verbs_)
      if (one.name == verb)
        for (const OptionModel& option : one.options)
          if (std::find(option.names.begin(), option.names.end(), name) != option.names.end()) return option;
    ADD_FAILURE() << verb << " " << name;
    static const OptionModel none;
    return none;
  }
};

TEST_F(OptionModelTest, KnowsChoicesDefaultsAndValues) {
  EXPECT_THAT(Find("run", "--dtype").choices, ElementsAre("f32", "u16", "same"));
  EXPECT_EQ(Find("run", "--dtype").fallback, "f32");
  EXPECT_EQ(Find("run", "--psf").value, "FILE");
  EXPECT_TRUE(Find("run", "--output").required);
  EXPECT_TRUE(Find("run", "INPUT").positional);
  EXPECT_EQ(Find("run", "--json").value, "");
}

TEST_F(OptionModelTest, VerbsOfAGroupHaveItsNameBeforeTheirs) {
  EXPECT_TRUE(Find("psf generate", "--output").required);
  EXPECT_TRUE(Find("psf add", "SOURCE").positional);
  EXPECT_TRUE(Find("admin user add", "USER").positional);
  for (const VerbModel& verb : verbs_) {
    EXPECT_NE(verb.name, "psf");
    std::string path;
    for (const GroupModel& group : verb.groups) path += group.name + " ";
    EXPECT_EQ(path, verb.name.substr(0, verb.name.rfind(' ') + 1)) << verb.name;
  }
}

TEST_F(OptionModelTest, HidesWhatTheHelpHides) {
  for (const VerbModel& verb : verbs_) EXPECT_NE(verb.name, "help-markdown");
}

TEST_F(OptionModelTest, EveryVerbAndOptionIsExplained) {
  for (const VerbModel& verb : verbs_) {
    EXPECT_NE(verb.about, "") << verb.name;
    EXPECT_THAT(verb.examples, HasSubstr("deconvoy " + verb.name)) << verb.name;
    for (const OptionModel& option : verb.options)
      EXPECT_NE(option.meaning, "") << verb.name << " " << option.names.front();
  }
}

// What a shell itself says of a completion script; nothing where the shell is not installed.
void ExpectShellTakes(const std::string& shell, const std::string& script) {
  if (std::system(("command -v " + shell + " > /dev/null").c_str()) != 0) return;
  const testing::TemporaryFolder folder;
  const std::string file = (folder.path() / "script").string();
  std::ofstream(file) << script;
  EXPECT_EQ(std::system((shell + " -n " + file).c_str()), 0) << shell;
}

TEST_F(OptionModelTest, CompletionScriptsNameEverythingAndParse) {
  for (const char* shell : {"bash", "zsh", "fish"}) {
    const std::string script = CompletionScript(verbs_, shell);
    EXPECT_THAT(script, HasSubstr("psf-energy")) << shell;
    EXPECT_THAT(script, HasSubstr("extend periodic mirror")) << shell;
    for (const VerbModel& verb : verbs_) {
      EXPECT_THAT(script, HasSubstr(verb.name.substr(verb.name.rfind(' ') + 1))) << shell;
      for (const GroupModel& group : verb.groups) EXPECT_THAT(script, HasSubstr(group.name)) << shell;
    }
    ExpectShellTakes(shell, script);
  }
}

TEST_F(OptionModelTest, BashCompletes) {
  const testing::TemporaryFolder folder;
  const std::string file = (folder.path() / "script").string();
  std::ofstream(file) << CompletionScript(verbs_, "bash") << R"(
check() { local expected="$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=(); _deconvoy
  [[ "${COMPREPLY[*]}" == "$expected" ]] || { echo "$*: ${COMPREPLY[*]}"; exit 1; }; }
check 'simulate' deconvoy sim
check '--psf-centre' deconvoy run --psf-c
check 'extend' deconvoy run --boundary ex
check 'zsh' deconvoy completion z
check '' deconvoy completion zsh b
check 'simulate' deconvoy help sim
check '' deconvoy run --iterations ''
check 'option-model-probe' deconvoy run option-mo
check '' deconvoy run image.tif option-mo
check 'option-model-probe' deconvoy run --server = unix : a --psf option-mo
check 'option-model-probe' deconvoy run --server = unix : a option-mo
check 'f32' deconvoy run --dtype = f
check 'option-model-probe' deconvoy picture a b option-mo
deconvoy() { [[ $1 == jobs ]] && printf 'JOB  STATE\njobs/12  running\n'
  [[ $1 == psf ]] && printf 'PSF  VERSION\npsfs/gfp  2\n'
  [[ $1 == models ]] && printf 'MODEL  VERSION\nmodels/rln  1\n'; }
timeout() { shift; "$@"; }
check 'jobs/12' deconvoy watch j
check 'psf' deconvoy ps
check 'generate' deconvoy psf gen
check '--search-fwhm' deconvoy psf distill --sea
check 'born-wolf' deconvoy psf generate --model bo
check 'option-model-probe' deconvoy psf distill option-mo
check 'option-model-probe' deconvoy psf add gfp option-mo
check '' deconvoy psf list gfp option-mo
check 'psfs/gfp' deconvoy psf show ps
check 'models/rln' deconvoy models show mo
check 'models/rln' deconvoy run --network mo
check 'option-model-probe' deconvoy run --network option-mo
check 'admin' deconvoy adm
check 'token' deconvoy admin tok
check 'revoke' deconvoy admin token rev
check '--role' deconvoy admin user add ada --ro
check 'worker' deconvoy admin user add ada --role wor
)";
  std::ofstream(folder.path() / "option-model-probe");
  EXPECT_EQ(std::system(("cd " + folder.path().string() + " && bash " + file).c_str()), 0);
}

TEST_F(OptionModelTest, TheReferencePageIsUpToDate) {
  std::ifstream file(testing::SourceDir() / "docs" / "cli.md");
  const std::string page{std::istreambuf_iterator<char>(file), {}};
  EXPECT_TRUE(page == MarkdownPage(verbs_)) << "write it anew: deconvoy help-markdown > docs/cli.md";
}

TEST_F(OptionModelTest, HelpKeepsToTheTerminal) {
  for (const int columns : {20, 80, 100, 300}) {
    const HelpFormatter formatter(columns);
    for (const CLI::App* verb : root_->get_subcommands({}))
      for (const CLI::Option* option : verb->get_options()) {
        std::istringstream lines(formatter.make_option(option, false));
        for (std::string line; std::getline(lines, line);)
          EXPECT_LE(line.size(), static_cast<size_t>(std::clamp(columns, 64, 100))) << line;
      }
  }
}

}  // namespace
}  // namespace deconvoy::client
