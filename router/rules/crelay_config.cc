#include "router/rules/crelay_config.h"

#include <utility>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/status_macros.h"
#include "router/rules/crelay_tokens.h"
#include "router/rules/rule_set_builder.h"

namespace shoal {
namespace {

constexpr uint16_t kDefaultPort = 2003;
constexpr int64_t kSecondsMax = 366 * 86400;
constexpr int kIncludeDepthMax = 8;
constexpr int kIncludesMax = 1000;

// What all files of a configuration share.
struct Shared {
  const CrelayOptions& options;
  RuleSetBuilder builder;
  CrelayConfig config;
  int includes = 0;
};

// "HOST", "HOST:PORT", "[V6]", "[V6]:PORT". False for a port that is none.
bool SplitAddress(absl::string_view text, std::string* host, uint16_t* port) {
  *port = kDefaultPort;
  const size_t colon = text.rfind(':');
  if (colon != absl::string_view::npos && text.back() != ']') {
    uint32_t number = 0;
    if (!absl::SimpleAtoi(text.substr(colon + 1), &number) || number < 1 || number > 65535) {
      return false;
    }
    *port = static_cast<uint16_t>(number);
    text = text.substr(0, colon);
  }
  if (absl::ConsumePrefix(&text, "[") && !absl::ConsumeSuffix(&text, "]")) return false;
  *host = std::string(text);
  return true;
}

// One file: recursive descent over its words.
class FileParser {
 public:
  FileParser(absl::string_view file, int depth, Shared* shared)
      : file_(file), depth_(depth), shared_(*shared) {}

  absl::Status Parse(absl::string_view text) {
    SHOAL_ASSIGN_OR_RETURN(tokens_, TokenizeCrelay(text, file_));
    while (token().kind != CrelayToken::Kind::kEnd) {
      SHOAL_RETURN_IF_ERROR(Statement());
      if (token().kind != CrelayToken::Kind::kSemicolon) return Expected("';'");
      ++at_;
    }
    return absl::OkStatus();
  }

 private:
  const CrelayToken& token() const { return tokens_[at_]; }
  bool AtText() const {
    return token().kind == CrelayToken::Kind::kWord || token().kind == CrelayToken::Kind::kQuoted;
  }
  bool At(absl::string_view keyword) const {
    return token().kind == CrelayToken::Kind::kWord && token().text == keyword;
  }
  bool Take(absl::string_view keyword) {
    if (!At(keyword)) return false;
    ++at_;
    return true;
  }

  // Of the word that was taken last: a statement's keyword.
  std::string Origin() const { return absl::StrCat(file_, ":", tokens_[at_ - 1].line); }
  absl::Status Error(int line, absl::string_view what) const {
    return absl::InvalidArgumentError(absl::StrCat(file_, ":", line, ": ", what));
  }
  absl::Status Expected(absl::string_view what) const {
    return Error(token().line,
                 absl::StrCat("expected ", what, ", not ",
                              AtText() ? absl::StrCat("\"", token().text, "\"") : token().text));
  }
  absl::Status Unsupported(absl::string_view clause) const {
    return Error(token().line, absl::StrCat("\"", clause, "\" is not supported"));
  }
  absl::Status Require(absl::string_view keyword) {
    return Take(keyword) ? absl::OkStatus() : Expected(absl::StrCat("\"", keyword, "\""));
  }
  absl::Status RequireAll(std::initializer_list<absl::string_view> keywords) {
    for (const absl::string_view keyword : keywords) SHOAL_RETURN_IF_ERROR(Require(keyword));
    return absl::OkStatus();
  }
  absl::StatusOr<std::string> Text(absl::string_view what) {
    if (!AtText()) return Expected(what);
    return tokens_[at_++].text;
  }
  absl::StatusOr<int64_t> Number(absl::string_view what, int64_t max) {
    int64_t number = 0;
    if (token().kind != CrelayToken::Kind::kWord || !absl::SimpleAtoi(token().text, &number) ||
        number < 1 || number > max) {
      return Expected(absl::StrCat(what, " from 1 to ", max));
    }
    ++at_;
    return number;
  }

  absl::Status Statement() {
    if (Take("cluster")) return Cluster();
    if (Take("match")) return Match();
    if (Take("rewrite")) return Rewrite();
    if (Take("aggregate")) return Aggregate();
    if (Take("statistics")) return Statistics();
    if (Take("listen")) return Listen();
    if (Take("include")) return Include();
    if (Take("send")) {
      SHOAL_RETURN_IF_ERROR(RequireAll({"statistics", "to"}));
      if (!shared_.config.statistics) shared_.config.statistics.emplace();
      SHOAL_RETURN_IF_ERROR(StatisticsClusters());
      Take("stop");
      return absl::OkStatus();
    }
    return Expected(
        "cluster, match, rewrite, aggregate, send statistics, statistics, listen or include");
  }

  // cluster NAME TYPE [OPTION...] MEMBER...
  absl::Status Cluster() {
    const int line = token().line;
    SHOAL_ASSIGN_OR_RETURN(const std::string name, Text("the name of the cluster"));
    std::optional<RingKind> ring;
    const std::string type = token().text;
    if (At("file")) return Unsupported("file");
    if (Take("carbon_ch")) {
      ring = RingKind::kCarbonChCrelay;
    } else if (Take("fnv1a_ch")) {
      ring = RingKind::kFnv1aChCrelay;
    } else if (Take("jump_fnv1a_ch")) {
      ring = RingKind::kJumpFnv1aCh;
    } else if (!Take("forward") && !Take("any_of") && !Take("failover")) {
      return Expected("forward, any_of, failover, carbon_ch, fnv1a_ch or jump_fnv1a_ch");
    }
    const bool use_all = !ring && Take("useall");
    int64_t replication = 1;
    if (ring && Take("replication")) {
      SHOAL_ASSIGN_OR_RETURN(replication, Number("a count of copies", 255));
    }
    const bool dynamic = ring && Take("dynamic");
    std::vector<Destination> members;
    do {
      SHOAL_RETURN_IF_ERROR(Member(&members));
    } while (AtText());

    auto cluster = ring                ? RelayCluster::Ring(name, *ring, std::move(members),
                                                            static_cast<size_t>(replication), {})
                   : type == "forward" ? RelayCluster::Forward(name, std::move(members))
                   : type == "any_of"  ? RelayCluster::AnyOf(name, std::move(members))
                                       : RelayCluster::Failover(name, std::move(members));
    if (!cluster.ok()) return Error(line, cluster.status().message());
    cluster->set_dynamic(dynamic);
    cluster->set_use_all_addresses(use_all);
    const auto added = shared_.builder.AddCluster(std::move(cluster).value());
    return added.ok() ? absl::OkStatus() : Error(line, added.status().message());
  }

  // HOST[:PORT][=INSTANCE] [proto PROTOCOL] [type linemode] [transport TRANSPORT]
  absl::Status Member(std::vector<Destination>* members) {
    const int line = token().line;
    SHOAL_ASSIGN_OR_RETURN(std::string address, Text("a destination"));
    std::optional<std::string> instance;
    // The '=' may have blanks around it.
    if (const size_t equals = address.find('='); equals != std::string::npos) {
      instance = address.substr(equals + 1);
      address.resize(equals);
    } else if (token().kind == CrelayToken::Kind::kWord && absl::StartsWith(token().text, "=")) {
      instance = tokens_[at_++].text.substr(1);
    }
    if (instance && instance->empty()) {
      SHOAL_ASSIGN_OR_RETURN(instance, Text("an instance"));
    }
    Destination member;
    if (!SplitAddress(address, &member.host, &member.port)) {
      return Error(line, absl::StrCat("\"", address, "\" is not HOST:PORT"));
    }
    member.instance = instance;
    // Whatever the rings hash must be what they think it is.
    if (const auto checked = ParseDestination(DestinationText(member)); !checked.ok()) {
      return Error(line, checked.status().message());
    }
    if (Take("proto") && !Take("tcp")) {
      return At("udp") ? Unsupported("proto udp") : Expected("tcp or udp");
    }
    if (Take("type") && !Take("linemode")) {
      return At("syslog") ? Unsupported("type syslog") : Expected("linemode");
    }
    SHOAL_RETURN_IF_ERROR(PlainTransport());
    members->push_back(std::move(member));
    return absl::OkStatus();
  }

  absl::Status PlainTransport() {
    if (Take("transport") && !Take("plain")) {
      return AtText() ? Unsupported(absl::StrCat("transport ", token().text))
                      : Expected("a transport");
    }
    if (At("ssl") || At("mtls")) return Unsupported(token().text);
    return absl::OkStatus();
  }

  // Expressions up to one of `ends`. A lone "*" gives no pattern at all.
  absl::StatusOr<std::vector<uint32_t>> Expressions(std::initializer_list<absl::string_view> ends) {
    std::vector<uint32_t> patterns;
    if (At("*")) {
      ++at_;
      return patterns;
    }
    const auto at_end = [&] {
      for (const absl::string_view end : ends) {
        if (At(end)) return true;
      }
      return !AtText();
    };
    do {
      SHOAL_ASSIGN_OR_RETURN(const uint32_t pattern, Expression());
      patterns.push_back(pattern);
    } while (!at_end());
    return patterns;
  }
  absl::StatusOr<uint32_t> Expression() {
    const int line = token().line;
    SHOAL_ASSIGN_OR_RETURN(const std::string text, Text("an expression"));
    const auto pattern = shared_.builder.AddPattern(text, {.longest_match = true});
    if (!pattern.ok()) return Error(line, pattern.status().message());
    return pattern;
  }

  // Behind "send to": clusters, or the blackhole alone.
  absl::StatusOr<std::vector<uint32_t>> Clusters() {
    std::vector<uint32_t> clusters;
    do {
      const int line = token().line;
      SHOAL_ASSIGN_OR_RETURN(const std::string name, Text("a cluster"));
      const auto cluster = shared_.builder.FindCluster(name);
      if (!cluster.ok()) return Error(line, cluster.status().message());
      clusters.push_back(*cluster);
    } while (AtText() && !At("stop"));
    return clusters;
  }

  // match EXPRESSION... [validate ...] [route using KEY] [send to CLUSTER... | blackhole] [stop]
  absl::Status Match() {
    std::string origin = Origin();
    const int line = token().line;
    SHOAL_ASSIGN_OR_RETURN(auto patterns, Expressions({"validate", "route", "send"}));
    if (At("validate")) return Unsupported("validate");
    std::string key;
    if (Take("route")) {
      SHOAL_RETURN_IF_ERROR(Require("using"));
      SHOAL_ASSIGN_OR_RETURN(key, Text("a key"));
    }
    SHOAL_RETURN_IF_ERROR(RequireAll({"send", "to"}));
    if (Take("blackhole")) {
      Take("stop");
      shared_.builder.Drop(std::move(origin), std::move(patterns), false, RuleVerdict::kBlackholed);
      return absl::OkStatus();
    }
    SHOAL_ASSIGN_OR_RETURN(auto clusters, Clusters());
    const bool stop = Take("stop");
    const absl::Status status = shared_.builder.Send(std::move(origin), std::move(patterns),
                                                     std::move(clusters), key, stop);
    return status.ok() ? status : Error(line, status.message());
  }

  // rewrite EXPRESSION into REPLACEMENT
  absl::Status Rewrite() {
    const std::string origin = Origin();
    const int line = token().line;
    if (At("*")) return Expected("an expression");
    SHOAL_ASSIGN_OR_RETURN(const uint32_t pattern, Expression());
    SHOAL_RETURN_IF_ERROR(Require("into"));
    SHOAL_ASSIGN_OR_RETURN(const std::string replacement, Text("a replacement"));
    const absl::Status status = shared_.builder.ReplaceFirst(origin, pattern, replacement);
    return status.ok() ? status : Error(line, status.message());
  }

  absl::Status Aggregate() {
    const int line = token().line;
    Aggregation aggregation;
    aggregation.origin = Origin();
    aggregation.stamp = BucketStamp::kEnd;
    const bool everything = At("*");
    SHOAL_ASSIGN_OR_RETURN(auto patterns, Expressions({"every"}));
    if (everything) {
      SHOAL_ASSIGN_OR_RETURN(const uint32_t all, shared_.builder.AddPattern("^.*$", {}));
      patterns.push_back(all);
    }
    SHOAL_RETURN_IF_ERROR(Require("every"));
    SHOAL_ASSIGN_OR_RETURN(aggregation.interval_sec, Number("an interval", kSecondsMax));
    SHOAL_RETURN_IF_ERROR(RequireAll({"seconds", "expire", "after"}));
    SHOAL_ASSIGN_OR_RETURN(aggregation.expire_sec, Number("an expiration", kSecondsMax));
    SHOAL_RETURN_IF_ERROR(Require("seconds"));
    if (aggregation.expire_sec <= aggregation.interval_sec) {
      return Error(line, "the expiration must be longer than the interval");
    }
    if (Take("timestamp")) {
      SHOAL_RETURN_IF_ERROR(Require("at"));
      if (Take("start")) {
        aggregation.stamp = BucketStamp::kStart;
      } else if (Take("middle")) {
        aggregation.stamp = BucketStamp::kMiddle;
      } else if (!Take("end")) {
        return Expected("start, middle or end");
      }
      SHOAL_RETURN_IF_ERROR(RequireAll({"of", "bucket"}));
    }
    std::vector<std::string> outputs;
    if (!At("compute")) return Expected("\"compute\"");
    while (Take("compute")) {
      SHOAL_ASSIGN_OR_RETURN(const auto compute, Method());
      aggregation.computes.push_back(compute);
      SHOAL_RETURN_IF_ERROR(RequireAll({"write", "to"}));
      SHOAL_ASSIGN_OR_RETURN(auto output, Text("a name"));
      outputs.push_back(std::move(output));
    }
    if (Take("send")) {
      SHOAL_RETURN_IF_ERROR(Require("to"));
      if (At("blackhole")) return Unsupported("aggregate ... send to blackhole");
      SHOAL_ASSIGN_OR_RETURN(aggregation.clusters, Clusters());
    }
    const bool stop = Take("stop");
    const absl::Status status =
        shared_.builder.AggregateCrelay(std::move(aggregation), std::move(patterns), outputs, stop);
    return status.ok() ? status : Error(line, status.message());
  }

  absl::StatusOr<Aggregation::Compute> Method() {
    static constexpr std::pair<absl::string_view, AggregateMethod> kMethods[] = {
        {"sum", AggregateMethod::kSum},         {"summary", AggregateMethod::kSum},
        {"count", AggregateMethod::kCount},     {"cnt", AggregateMethod::kCount},
        {"max", AggregateMethod::kMax},         {"maximum", AggregateMethod::kMax},
        {"min", AggregateMethod::kMin},         {"minimum", AggregateMethod::kMin},
        {"average", AggregateMethod::kAverage}, {"avg", AggregateMethod::kAverage},
        {"median", AggregateMethod::kMedian},   {"variance", AggregateMethod::kVariance},
        {"stddev", AggregateMethod::kStddev}};
    for (const auto& [name, method] : kMethods) {
      if (Take(name)) return Aggregation::Compute{.method = method};
    }
    absl::string_view digits = token().text;
    int percentile = 0;
    if (token().kind == CrelayToken::Kind::kWord && absl::ConsumePrefix(&digits, "percentile")) {
      if (!absl::SimpleAtoi(digits, &percentile) || percentile < 1 || percentile > 99) {
        return Expected("percentile1 to percentile99");
      }
      ++at_;
      return Aggregation::Compute{AggregateMethod::kPercentile, static_cast<double>(percentile),
                                  false};
    }
    return Expected("sum, count, max, min, average, median, percentileN, variance or stddev");
  }

  absl::Status StatisticsClusters() {
    const size_t first = at_;
    SHOAL_RETURN_IF_ERROR(Clusters().status());
    for (size_t i = first; i < at_; ++i) {
      shared_.config.statistics->clusters.push_back(tokens_[i].text);
    }
    return absl::OkStatus();
  }

  absl::Status Statistics() {
    if (!shared_.config.statistics) shared_.config.statistics.emplace();
    CrelayStatistics& statistics = *shared_.config.statistics;
    if (Take("submit")) {
      SHOAL_RETURN_IF_ERROR(Require("every"));
      SHOAL_ASSIGN_OR_RETURN(statistics.interval_sec, Number("an interval", kSecondsMax));
      SHOAL_RETURN_IF_ERROR(Require("seconds"));
    }
    if (Take("reset")) {
      SHOAL_RETURN_IF_ERROR(RequireAll({"counters", "after", "interval"}));
      statistics.reset_counters = true;
    }
    if (Take("prefix")) {
      SHOAL_RETURN_IF_ERROR(Require("with"));
      SHOAL_ASSIGN_OR_RETURN(statistics.prefix, Text("a prefix"));
    }
    if (Take("send")) {
      SHOAL_RETURN_IF_ERROR(Require("to"));
      SHOAL_RETURN_IF_ERROR(StatisticsClusters());
    }
    Take("stop");
    return absl::OkStatus();
  }

  // listen type linemode [transport plain] <[ADDRESS:]PORT proto tcp|udp | PATH proto unix> ...
  absl::Status Listen() {
    SHOAL_RETURN_IF_ERROR(RequireAll({"type", "linemode"}));
    SHOAL_RETURN_IF_ERROR(PlainTransport());
    do {
      const int line = token().line;
      CrelayListener listener;
      SHOAL_ASSIGN_OR_RETURN(const std::string where, Text("an address, a port or a path"));
      SHOAL_RETURN_IF_ERROR(Require("proto"));
      if (Take("unix")) {
        listener.protocol = CrelayListener::Protocol::kUnix;
        listener.address = where;
      } else {
        if (Take("udp")) {
          listener.protocol = CrelayListener::Protocol::kUdp;
        } else if (!Take("tcp")) {
          return Expected("tcp, udp or unix");
        }
        // A lone number is a port.
        const bool port_only = where.find_first_not_of("0123456789") == std::string::npos;
        if (!SplitAddress(port_only ? absl::StrCat(":", where) : where, &listener.address,
                          &listener.port)) {
          return Error(line, absl::StrCat("\"", where, "\" is not ADDRESS:PORT"));
        }
      }
      shared_.config.listeners.push_back(std::move(listener));
    } while (AtText());
    return absl::OkStatus();
  }

  absl::Status Include() {
    const int line = token().line;
    SHOAL_ASSIGN_OR_RETURN(const std::string path, Text("a path"));
    if (!shared_.options.include) return Error(line, "\"include\" is not supported here");
    if (depth_ >= kIncludeDepthMax) {
      return Error(
          line, absl::StrCat("files are included more than ", kIncludeDepthMax, " deep: a loop?"));
    }
    auto files = shared_.options.include(path);
    if (!files.ok()) return Error(line, files.status().message());
    for (const CrelayOptions::IncludedFile& included : *files) {
      if (++shared_.includes > kIncludesMax) {
        return Error(line, absl::StrCat("more than ", kIncludesMax, " files are included"));
      }
      SHOAL_RETURN_IF_ERROR(FileParser(included.path, depth_ + 1, &shared_).Parse(included.text));
    }
    return absl::OkStatus();
  }

  const absl::string_view file_;
  const int depth_;
  Shared& shared_;
  std::vector<CrelayToken> tokens_;
  size_t at_ = 0;
};

}  // namespace

absl::StatusOr<CrelayConfig> ParseCrelayConfig(absl::string_view text, absl::string_view file,
                                               const CrelayOptions& options) {
  Shared shared{options, {}, {}, 0};
  for (const RelayCluster& cluster : options.clusters) {
    SHOAL_RETURN_IF_ERROR(shared.builder.AddCluster(cluster).status());
  }
  SHOAL_RETURN_IF_ERROR(FileParser(file, 0, &shared).Parse(text));
  SHOAL_ASSIGN_OR_RETURN(shared.config.rules, std::move(shared.builder).Build());
  return std::move(shared.config);
}

}  // namespace shoal
