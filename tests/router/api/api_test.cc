// The handlers, from request to response, without sockets.
#include "router/api/api.h"

#include <gtest/gtest.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "router/query/function_registry.h"
#include "tests/router/query/memory_source.h"

namespace shoal {
namespace {

class ApiTest : public ::testing::Test {
 protected:
  ApiTest() : clock_(1700000000) {
    options_.clock = &clock_;
    source_.Add("web.a.cpu", 1699999800, 10,
                {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20});
    source_.Add("web.b.cpu", 1699999800, 10, {10, 20});
    source_.Add("web.load", 1699999800, 10, {0.5});
    source_.Add("disk;dc=a", 1699999800, 10, {1});
  }

  // "a=b&c=d", as the query string or a form.
  HttpRequest Request(absl::string_view path, absl::string_view params) {
    HttpRequest request;
    request.method = "GET";
    request.path = std::string(path);
    ParseUrlEncoded(params, &request.params);
    return request;
  }
  HttpResponse Render(absl::string_view params) {
    return HandleRender(Request("/render", params), &source_, options_);
  }
  HttpResponse Find(absl::string_view params) {
    return HandleFind(Request("/metrics/find", params), &source_, options_);
  }
  HttpResponse Expand(absl::string_view params) {
    return HandleExpand(Request("/metrics/expand", params), &source_, options_);
  }

  ManualClock clock_;
  MemorySource source_;
  ApiOptions options_;
};

TEST_F(ApiTest, RenderAnswersJson) {
  const HttpResponse response = Render("target=web.b.cpu&from=-210s&until=-180s&format=json");
  EXPECT_EQ(response.status, 200) << response.body;
  EXPECT_EQ(response.content_type.substr(0, 16), "application/json");
  EXPECT_EQ(response.body,
            "[{\"target\":\"web.b.cpu\",\"tags\":{\"name\":\"web.b.cpu\"},"
            "\"datapoints\":[[10.0,1699999800],[20.0,1699999810],[null,1699999820]]}]");
}

// Grafana wraps every target, posts it as a form and takes the last word of the name for the
// query's letter.
TEST_F(ApiTest, RenderAnswersWhatGrafanaSends) {
  const HttpResponse response = Render(
      "target=aliasSub(sumSeries(web.*.cpu)%2C+%22(%5E.*%24)%22%2C+%22%5C1+A%22)&target=aliasSub("
      "web.load%2C+%22(%5E.*%24)%22%2C+"
      "%22%5C1+B%22)&from=1699999799&until=1699999815&format=json&maxDataPoints=1000");
  EXPECT_EQ(response.status, 200) << response.body;
  EXPECT_EQ(
      response.body,
      "[{\"target\":\"sumSeries(web.*.cpu) "
      "A\",\"tags\":{\"name\":\"sumSeries(web.*.cpu)\",\"aggregatedBy\":\"sum\"},"
      "\"datapoints\":[[11.0,1699999800],[22.0,1699999810]]},"
      "{\"target\":\"web.load "
      "B\",\"tags\":{\"name\":\"web.load\"},\"datapoints\":[[0.5,1699999800],[null,1699999810]]}]");
}

TEST_F(ApiTest, RenderAnswersGrafanasHealthCheck) {
  EXPECT_EQ(Render("target=constantLine(100)&from=-1h&until=now&format=json").body,
            "[{\"target\":\"100.0\",\"tags\":{\"name\":\"100.0\"},"
            "\"datapoints\":[[100.0,1699996400],[100.0,1699998200],[100.0,1700000000]]}]");
}

TEST_F(ApiTest, RenderTakesBracketedTargetsAndNone) {
  EXPECT_TRUE(
      absl::StrContains(Render("target[]=web.load&from=-210s&format=json").body, "\"web.load\""));
  EXPECT_EQ(Render("format=json").body, "[]");
  EXPECT_EQ(Render("format=json&target=no.such").body, "[]");
}

TEST_F(ApiTest, RenderAnswersRawAndCsv) {
  EXPECT_EQ(Render("target=web.b.cpu&from=-201s&until=-190s&rawData=1").body,
            "web.b.cpu,1699999800,1699999820,10|10.0,20.0\n");
  const HttpResponse csv =
      Render("target=web.b.cpu&from=-201s&until=-190s&format=csv&tz=Asia/Tokyo");
  EXPECT_EQ(csv.content_type.substr(0, 8), "text/csv");
  EXPECT_EQ(csv.body,
            "web.b.cpu,2023-11-15 07:10:00,10.0\r\nweb.b.cpu,2023-11-15 07:10:10,20.0\r\n");
}

TEST_F(ApiTest, BadRequestsSayWhatIsWrong) {
  const struct {
    const char* params;
    const char* message;
  } cases[] = {
      {"target=f(web.load)&format=json", "unknown function \"f\""},
      {"target=web..load&format=json", "target \"web..load\": position 4"},
      {"target=web.load&format=png", "parameter format takes json, raw or csv; not \"png\""},
      {"target=web.load", "parameter format takes json, raw or csv; none is given"},
      {"target=web.load&format=json&from=gestern", "parameter from: unknown day"},
      {"target=web.load&format=json&until=-5m", "parameter until: invalid length of time"},
      {"target=web.load&format=json&from=now&until=now", "the same time"},
      {"target=web.load&format=json&now=x", "parameter now"},
      {"target=web.load&format=json&xFilesFactor=x", "parameter xFilesFactor"},
      {"target=web.load&format=json&graphType=pie", "parameter graphType"},
      {"target=web.load&format=json&jsonp=alert(1)//", "parameter jsonp"},
  };
  for (const auto& c : cases) {
    const HttpResponse response = Render(c.params);
    EXPECT_EQ(response.status, 400) << c.params;
    EXPECT_TRUE(absl::StrContains(response.body, c.message)) << response.body;
    EXPECT_EQ(response.content_type, "text/plain; charset=utf-8");
  }
}

TEST_F(ApiTest, AScriptInATargetComesBackAsPlainText) {
  const HttpResponse response = Render("target=<script>alert(1)</script>&format=json");
  EXPECT_EQ(response.status, 400);
  EXPECT_EQ(response.content_type, "text/plain; charset=utf-8");
}

TEST_F(ApiTest, ErrorsOfTheClusterHaveTheirOwnStatus) {
  const std::pair<absl::Status, int> cases[] = {
      {absl::UnavailableError("partition 7"), 503},
      {absl::DeadlineExceededError("slow"), 504},
      {absl::ResourceExhaustedError("large"), 422},
      {absl::InvalidArgumentError("bad pattern"), 400},
      {absl::InternalError("oops"), 500},
  };
  for (const auto& [status, code] : cases) {
    source_.FailWith(status);
    EXPECT_EQ(Render("target=a&format=json").status, code);
    EXPECT_EQ(Find("query=*").status, code);
    EXPECT_EQ(Expand("query=*").status, code);
    EXPECT_EQ(HandleIndex(Request("/metrics/index.json", ""), &source_, options_).status, code);
    EXPECT_TRUE(absl::StrContains(Render("target=a&format=json").body, status.message()));
  }
}

TEST_F(ApiTest, LimitsAnswer422) {
  options_.eval.series_max = 1;
  EXPECT_EQ(Render("target=web.*.cpu&format=json").status, 422);
  options_ = {};
  options_.response_bytes_max = 100;
  EXPECT_EQ(Render("target=web.*.cpu&format=json&now=1700000000&from=-300s").status, 422);
  options_.find_results_max = 1;
  EXPECT_EQ(Find("query=web.*").status, 422);
}

TEST_F(ApiTest, JsonpWrapsTheAnswerInAPlainName) {
  const HttpResponse response = Render("target=no.such&format=json&jsonp=jQuery1.cb_2");
  EXPECT_EQ(response.body, "/**/jQuery1.cb_2([])");
  EXPECT_EQ(response.content_type, "text/javascript; charset=utf-8");
}

TEST_F(ApiTest, FindAnswersTheTree) {
  EXPECT_EQ(
      Find("query=web.*").body,
      "[{\"text\":\"a\",\"id\":\"web.a\",\"allowChildren\":1,\"expandable\":1,\"leaf\":0},"
      "{\"text\":\"b\",\"id\":\"web.b\",\"allowChildren\":1,\"expandable\":1,\"leaf\":0},"
      "{\"text\":\"load\",\"id\":\"web.load\",\"allowChildren\":0,\"expandable\":0,\"leaf\":1}]");
  EXPECT_EQ(
      Find("query=web.*&leavesOnly=1").body,
      "[{\"text\":\"load\",\"id\":\"web.load\",\"allowChildren\":0,\"expandable\":0,\"leaf\":1}]");
  EXPECT_TRUE(absl::StartsWith(
      Find("query=web.*&wildcards=1").body,
      "[{\"text\":\"*\",\"id\":\"web.*\",\"allowChildren\":1,\"expandable\":1,\"leaf\":0},"));
  EXPECT_EQ(
      Find("query=*.*.cpu").body,
      "[{\"text\":\"cpu\",\"id\":\"*.*.cpu\",\"allowChildren\":0,\"expandable\":0,\"leaf\":1}]");
  EXPECT_EQ(Find("query=nothing").body, "[]");
}

TEST_F(ApiTest, ANodeThatIsBranchAndLeafIsShownAsABranch) {
  source_.Add("web", 1699999800, 10, {1});
  EXPECT_EQ(Find("query=web").body,
            "[{\"text\":\"web\",\"id\":\"web\",\"allowChildren\":1,\"expandable\":1,\"leaf\":0}]");
  EXPECT_EQ(
      Find("query=web&format=json").body,
      "[{\"path\":\"web\",\"is_leaf\":false},"
      "{\"path\":\"web\",\"is_leaf\":true,\"intervals\":[{\"start\":0,\"end\":1700000000}]}]");
}

TEST_F(ApiTest, FindHasGraphitesOtherFormats) {
  EXPECT_EQ(Find("query=web.&format=completer").body,
            "{\"metrics\":[{\"path\":\"web.a.\",\"name\":\"a\",\"is_leaf\":\"0\"},"
            "{\"path\":\"web.b.\",\"name\":\"b\",\"is_leaf\":\"0\"},{\"path\":\"web.load\","
            "\"name\":\"load\",\"is_leaf\":\"1\"}]}");
  EXPECT_EQ(Find("query=web.*.*&format=nodelist&position=1").body, "{\"nodes\":[\"a\",\"b\"]}");
  EXPECT_EQ(Find("query=web.*&format=nodelist&position=5").status, 400);
  EXPECT_EQ(Find("").status, 400);
  EXPECT_EQ(Find("query=*&format=pickle").status, 400);
  EXPECT_EQ(Find("query=*&from=x").status, 400);
  EXPECT_EQ(Find("query=*&leavesOnly=yes").status, 400);
}

TEST_F(ApiTest, ExpandListsPaths) {
  EXPECT_EQ(Expand("query=web.*&query=web.a.*").body,
            "{\"results\":[\"web.a\",\"web.a.cpu\",\"web.b\",\"web.load\"]}");
  EXPECT_EQ(Expand("query=web.*&leavesOnly=1").body, "{\"results\":[\"web.load\"]}");
  EXPECT_EQ(Expand("query=web.b.*&query=no&groupByExpr=1").body,
            "{\"results\":{\"no\":[],\"web.b.*\":[\"web.b.cpu\"]}}");
  EXPECT_EQ(Expand("").body, "{\"results\":[]}");
}

TEST_F(ApiTest, IndexListsAllNames) {
  EXPECT_EQ(HandleIndex(Request("/metrics/index.json", ""), &source_, options_).body,
            "[\"disk;dc=a\",\"web.a.cpu\",\"web.b.cpu\",\"web.load\"]");
}

TEST_F(ApiTest, FunctionsListsExactlyWhatThereIs) {
  const std::string all = HandleFunctions(Request("/functions", "")).body;
  for (const auto& [name, function] : AllFunctions()) {
    EXPECT_TRUE(absl::StrContains(all, absl::StrCat("\"", name, "\":{\"name\":\"", name, "\"")))
        << name;
    EXPECT_FALSE(function.description.empty()) << name;
  }
  EXPECT_EQ(HandleFunctions(Request("/functions/scale", "")).body,
            "{\"name\":\"scale\",\"function\":\"scale(seriesList, factor)\","
            "\"description\":\"Multiplies every value by a "
            "constant.\",\"module\":\"graphite.render.functions\","
            "\"group\":\"Transform\",\"params\":[{\"name\":\"seriesList\",\"type\":\"seriesList\","
            "\"required\":true},"
            "{\"name\":\"factor\",\"type\":\"float\",\"required\":true}]}");
  EXPECT_TRUE(absl::StrContains(HandleFunctions(Request("/functions/keepLastValue", "")).body,
                                "\"default\":1e9999"));
  EXPECT_TRUE(absl::StartsWith(HandleFunctions(Request("/functions", "grouped=1")).body,
                               "{\"Alias\":{\"alias\":{"));
  EXPECT_FALSE(
      absl::StrContains(HandleFunctions(Request("/functions", "group=Alias")).body, "\"scale\""));
  EXPECT_EQ(HandleFunctions(Request("/functions", "type=pie")).body, "{}");
  const HttpResponse unknown = HandleFunctions(Request("/functions/nosuch", ""));
  EXPECT_EQ(unknown.status, 404);
  EXPECT_EQ(unknown.body, "{\"error\":\"Function not found: nosuch\"}");
}

TEST_F(ApiTest, VersionIsAPlainNumber) {
  EXPECT_EQ(HandleVersion(Request("/version", "")).body, "1.1.10");
}

}  // namespace
}  // namespace shoal
