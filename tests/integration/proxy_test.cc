// An environment that sends the web through a proxy, as many institutes have: it is none of our programs' business.
#include <gtest/gtest.h>

#include "tests/integration/support/server_process.h"
#include "tests/integration/support/verbs.h"
#include "tests/support/test_support.h"

namespace deconvoy::testing {
namespace {

TEST(ProxyTest, ServerWorkersAndClientsDialTheAddressThatIsGiven) {
  const TemporaryFolder folder;
  Simulate(folder.path(), "8,32,32", 1);
  // Nobody listens there.
  const std::map<std::string, std::string> proxied = {{"http_proxy", "http://127.0.0.1:9"},
                                                      {"https_proxy", "http://127.0.0.1:9"},
                                                      {"grpc_proxy", "http://127.0.0.1:9"},
                                                      {"no_proxy", ""}};
  ServerProcess server(folder.path(), 1, ServerProcess::Door::kPort);
  ASSERT_TRUE(server.Start(proxied)) << server.Log();
  const CliResult run =
      RunCli({"run", (folder.path() / "raw.ome.tif").string(), "--psf", (folder.path() / "psf.ome.tif").string(),
              "--iterations", "2", "-o", (folder.path() / "out.tif").string(), "--server", server.address()},
             folder.path(), proxied);
  EXPECT_EQ(run.exit.code, 0) << run.err << server.Log();
}

}  // namespace
}  // namespace deconvoy::testing
