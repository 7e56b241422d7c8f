#include "base/net/http_message.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace shoal {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

std::vector<std::pair<std::string, std::string>> Form(absl::string_view text) {
  HttpParams params;
  EXPECT_TRUE(ParseUrlEncoded(text, &params));
  return params.items();
}

TEST(UrlDecodeTest, DecodesEscapesAndLeavesBrokenOnes) {
  EXPECT_EQ(UrlDecode("a%20b%2Fc%2f", false), "a b/c/");
  EXPECT_EQ(UrlDecode("a+b", false), "a+b");
  EXPECT_EQ(UrlDecode("a+b", true), "a b");
  EXPECT_EQ(UrlDecode("100%", true), "100%");
  EXPECT_EQ(UrlDecode("%4", true), "%4");
  EXPECT_EQ(UrlDecode("%zz%g1%1g", true), "%zz%g1%1g");
  EXPECT_EQ(UrlDecode("%%41", true), "%A");
  EXPECT_EQ(UrlDecode("%00", true), std::string(1, '\0'));
}

TEST(ParseUrlEncodedTest, KeepsOrderAndRepeats) {
  EXPECT_THAT(Form("target=a.b&from=-1h&target=c%26d"),
              ElementsAre(Pair("target", "a.b"), Pair("from", "-1h"), Pair("target", "c&d")));
}

TEST(ParseUrlEncodedTest, ReadsOddItems) {
  EXPECT_THAT(Form(""), IsEmpty());
  EXPECT_THAT(Form("&&"), IsEmpty());
  EXPECT_THAT(Form("a&b=&=c&d=e=f"),
              ElementsAre(Pair("a", ""), Pair("b", ""), Pair("", "c"), Pair("d", "e=f")));
}

TEST(ParseUrlEncodedTest, DropsBracketsOfArrayNames) {
  EXPECT_THAT(Form("target[]=a&target%5B%5D=b&x[1]=c"),
              ElementsAre(Pair("target", "a"), Pair("target", "b"), Pair("x[1]", "c")));
}

TEST(ParseUrlEncodedTest, RefusesTooManyParameters) {
  std::string text;
  for (size_t i = 0; i < kHttpParamsMax; ++i) text += "a&";
  HttpParams params;
  EXPECT_TRUE(ParseUrlEncoded(text, &params));
  EXPECT_FALSE(ParseUrlEncoded("b", &params));
  EXPECT_EQ(params.items().size(), kHttpParamsMax);
}

TEST(HttpParamsTest, GetTakesTheLastValue) {
  HttpParams params;
  ASSERT_TRUE(ParseUrlEncoded("a=1&b=2&a=3", &params));
  EXPECT_EQ(params.Get("a"), "3");
  EXPECT_EQ(params.Get("c"), "");
  EXPECT_EQ(params.Get("c", "none"), "none");
  EXPECT_TRUE(params.Has("b"));
  EXPECT_FALSE(params.Has("c"));
  EXPECT_THAT(params.GetAll("a"), ElementsAre("1", "3"));
}

class ParseMultipartFormTest : public ::testing::Test {
 protected:
  bool Parse(absl::string_view body, absl::string_view type = "multipart/form-data; boundary=XX") {
    params_ = HttpParams();
    return ParseMultipartForm(type, body, &params_);
  }
  HttpParams params_;
};

TEST_F(ParseMultipartFormTest, ReadsFields) {
  ASSERT_TRUE(Parse(
      "--XX\r\nContent-Disposition: form-data; name=\"target\"\r\n\r\na.b\r\n"
      "--XX\r\nContent-Type: text/plain\r\nContent-Disposition: form-data; name=\"n[]\"\r\n\r\n"
      "line 1\r\nline 2\r\n--XX\r\nContent-Disposition: form-data; "
      "name=empty\r\n\r\n\r\n--XX--\r\n"));
  EXPECT_THAT(params_.items(),
              ElementsAre(Pair("target", "a.b"), Pair("n", "line 1\r\nline 2"), Pair("empty", "")));
}

TEST_F(ParseMultipartFormTest, SkipsFilesAndThePreamble) {
  ASSERT_TRUE(Parse(
      "preamble\r\n--XX\r\nContent-Disposition: form-data; name=\"f\"; filename=\"a;b\"\r\n\r\n"
      "data\r\n--XX\r\nContent-Disposition: form-data; name=\"q\\\"q\"\r\n\r\nv\r\n--XX--"));
  EXPECT_THAT(params_.items(), ElementsAre(Pair("q\"q", "v")));
}

TEST_F(ParseMultipartFormTest, ReadsAQuotedBoundary) {
  EXPECT_TRUE(Parse("--a b\r\nContent-Disposition: form-data; name=x\r\n\r\n1\r\n--a b--\r\n",
                    "multipart/form-data; charset=utf-8; boundary=\"a b\""));
  EXPECT_EQ(params_.Get("x"), "1");
}

TEST_F(ParseMultipartFormTest, RefusesWhatIsCutOffAnywhere) {
  const std::string whole = "--XX\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nv\r\n--XX--";
  ASSERT_TRUE(Parse(whole));
  for (size_t size = 0; size < whole.size(); ++size) {
    EXPECT_FALSE(Parse(whole.substr(0, size))) << size;
  }
}

TEST_F(ParseMultipartFormTest, RefusesABadBoundary) {
  EXPECT_FALSE(Parse("--XX--", "multipart/form-data"));
  EXPECT_FALSE(Parse("--XX--", "multipart/form-data; boundary="));
  EXPECT_FALSE(
      Parse("--XX--", absl::StrCat("multipart/form-data; boundary=", std::string(71, 'X'))));
}

TEST(HttpRequestTest, HeaderIsEmptyWhenAbsent) {
  HttpRequest request;
  request.headers = {{"accept", "text/plain"}};
  EXPECT_EQ(request.Header("accept"), "text/plain");
  EXPECT_EQ(request.Header("host"), "");
}

}  // namespace
}  // namespace shoal
