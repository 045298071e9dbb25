#include "client/cli/csv.h"

#include <gtest/gtest.h>

namespace deconvoy::client {
namespace {

TEST(CsvTest, FieldsAreQuotedWhereNeeded) {
  EXPECT_EQ(CsvLine({"a", "b c", ""}), "a,b c,\r\n");
  EXPECT_EQ(CsvLine({"a,b", "say \"x\""}), "\"a,b\",\"say \"\"x\"\"\"\r\n");
  EXPECT_EQ(CsvLine({}), "\r\n");
}

TEST(CsvTest, NothingIsAFormula) {
  EXPECT_EQ(CsvLine({"=1+1", "+x", "-x", "@SUM(A1)"}), "'=1+1,'+x,'-x,'@SUM(A1)\r\n");
  EXPECT_EQ(CsvLine({"=HYPERLINK(\"a\",\"b\")"}), "\"'=HYPERLINK(\"\"a\"\",\"\"b\"\")\"\r\n");
  EXPECT_EQ(CsvLine({"a=1", "-1.5"}), "a=1,-1.5\r\n") << "text that only holds one, and a number";
}

TEST(CsvTest, ControlCharactersCannotMakeLinesOrCells) {
  const std::string line = CsvLine({"a\r\n=1", "\t=2", "\x1b[2J"});
  EXPECT_EQ(line.find_first_of("\t\x1b"), std::string::npos);
  EXPECT_EQ(line.find_first_of("\r\n"), line.size() - 2);
}

}  // namespace
}  // namespace deconvoy::client
