"""Compares the HTTP API with Debian's graphite-web on the same data, request by request.

Real whisper files are written and read by graphite-web's own finder; the archives as whisper returns them are given to the
tool, which answers through our handlers. Names, tags, timestamps and the number of points must be equal, values to 1e-9.

usage: graphite_diff.py RENDER_TOOL [--seed N] [--requests N] [--verbose]

Where graphite-web 1.1.8 is not what we follow, the difference is listed here by name:

moving_window_shift   1.1.8 computes the window that ends one point before the output point and drops the last point; from
                      graphite-web#2682 on the window includes the output point. The reference is corrected accordingly
                      (corrected_moving_window below).
arithmetic_nan        inf - inf and its like are a value to graphite-web until it writes null for it; to us it is an absent point at
                      once. Infinite values are compared through functions that make no NaN of them.
tagged_folder         graphite-web shows the folder _tagged of its files in finds; finds are compared before there is one.
later_start           Series that start whole steps apart (archives that reach back differently far, summarize of one of them) are
                      combined by index in graphite-web, by time here. Such requests are counted and left out.
server_error          1.1.8 answers 500 where an argument or the data trips it (a maxValue with an absent value, a function in
                      a number's place, ...). We answer, or refuse with 400; only that we do not answer 500 is checked.
"""

import argparse
import collections
import json
import math
import os
import random
import shutil
import subprocess
import sys
import tempfile
import urllib.parse

NOW = 1700001234
SKIPPED = 77

# How often a listed exception has been met.
exceptions = collections.Counter()


def set_up_graphite(root):
    """Makes graphite-web importable with its files under `root`; exits with SKIPPED where it is not installed."""
    for folder in ("log", "whisper", "conf"):
        os.makedirs(os.path.join(root, folder))
    with open(os.path.join(root, "shoal_compat_settings.py"), "w") as f:
        f.write(
            f"STORAGE_DIR = {root!r}\nLOG_DIR = {root + '/log'!r}\nWHISPER_DIR = {root + '/whisper/'!r}\n"
            f"CONF_DIR = {root + '/conf'!r}\nINDEX_FILE = {root + '/index'!r}\n"
            "TIME_ZONE = 'UTC'\nSECRET_KEY = 'unused'\nALLOWED_HOSTS = ['*']\nCARBONLINK_HOSTS = []\n"
            "DEFAULT_CACHE_DURATION = 0\nLOG_ROTATION = False\nUSE_WORKER_POOL = False\n"
            "DATABASES = {'default': {'ENGINE': 'django.db.backends.sqlite3', 'NAME': ':memory:'}}\n")
    sys.path.insert(0, root)
    os.environ["GRAPHITE_SETTINGS_MODULE"] = "shoal_compat_settings"
    os.environ["DJANGO_SETTINGS_MODULE"] = "graphite.settings"
    try:
        import django
        import graphite.settings  # noqa: F401
        import whisper  # noqa: F401
    except ImportError as e:
        print(f"skipped: {e}")
        sys.exit(SKIPPED)
    django.setup()
    import logging
    logging.disable(logging.CRITICAL)
    import graphite.readers.whisper as reader
    reader.merge_with_carbonlink = lambda metric, start, step, values, *rest: values
    import graphite.metrics.views as metrics_views
    metrics_views.getProfile = lambda request: collections.namedtuple("Profile", "advancedUI")(False)
    from graphite.render import functions
    functions.movingWindow = corrected_moving_window
    functions.SeriesFunctions["movingWindow"] = corrected_moving_window
    normalize = functions.normalize

    def watched_normalize(seriesLists):
        result = normalize(seriesLists)
        series, start, _, step = result
        if any(s.start - start >= step for s in series):
            exceptions["later_start"] += 1
        return result
    functions.normalize = watched_normalize
    from graphite.functions import loadFunctions
    loadFunctions(force=True)


def corrected_moving_window(requestContext, seriesList, windowSize, func="average", xFilesFactor=None):
    """movingWindow as it is since graphite-web#2682: the window of a point ends with that point."""
    from datetime import timedelta
    from graphite.functions import getAggFunc
    from graphite.render import functions
    from graphite.render.attime import parseTimeOffset
    from graphite.render.evaluator import evaluateTarget

    if not seriesList:
        return []
    by_time = isinstance(windowSize, str)
    if by_time:
        preview = abs(int(parseTimeOffset(windowSize).total_seconds()))
    else:
        preview = max(s.step for s in seriesList) * int(windowSize)
    aggregate = getAggFunc(func)
    context = dict(requestContext, prefetch={}, startTime=requestContext["startTime"] - timedelta(seconds=preview))
    tag = "moving" + func.capitalize()
    result = []
    for series in evaluateTarget(context, requestContext["args"][0]):
        width = preview // series.step if by_time else int(windowSize)
        shown = f'"{windowSize}"' if by_time else str(windowSize)
        series.tags[tag] = windowSize
        factor = series.xFilesFactor if xFilesFactor is None else xFilesFactor
        values = []
        for end in range(width + 1, len(series) + 1):
            known = [v for v in series[end - width:end] if v is not None]
            values.append(aggregate(known) if functions.xff(len(known), width, factor) else None)
        result.append(series.copy(name=f"{tag}({series.name},{shown})", start=series.start + preview, values=values))
    return result


def set_moving_window_traits():
    from graphite.render import functions
    corrected_moving_window.group = "Calculate"
    corrected_moving_window.params = functions.movingAverage.params[:2] + [
        functions.Param("func", functions.ParamTypes.aggFunc, default="average"),
        functions.Param("xFilesFactor", functions.ParamTypes.float)]


class Data:
    """The whisper files and what the tool is told of them."""

    def __init__(self, root, rng):
        import whisper
        self.whisper = whisper
        self.root = os.path.join(root, "whisper")
        self.rng = rng
        self.lines = []

    def add(self, name, archives, value):
        """`value(i, t)` for point i at time t gives a float or None."""
        from graphite.tags.utils import TaggedSeries
        path = os.path.join(self.root, TaggedSeries.encode(name, sep=os.sep, hash_only=True) + ".wsp")
        os.makedirs(os.path.dirname(path), exist_ok=True)
        self.whisper.create(path, archives, xFilesFactor=0.0, aggregationMethod="average", sparse=True)
        step, count = archives[0]
        first = NOW - NOW % step - step * (count - 1)
        times = [first + i * step for i in range(count)]
        points = [(t, value(i, t)) for i, t in enumerate(times)]
        points = [(t, v) for t, v in points if v is not None]
        if points:
            self.whisper.update_many(path, points, now=NOW)
        for step, count in archives:
            retention = step * count
            (start, _, _), values = self.whisper.fetch(
                path, NOW - retention, NOW, now=NOW, archiveToSelect=step)
            shown = " ".join("N" if v is None else repr(v) for v in values)
            self.lines.append(f"archive {name} {retention} {step} {start} {shown}")

    def add_untagged(self):
        rng = self.rng
        gauge = lambda base, gaps: lambda i, t: (
            None if rng.random() < gaps else round(base + 10 * math.sin(i / 20) + rng.random(), 2))
        for host in range(1, 5):
            for kind, gaps in (("user", 0.0), ("system", 0.3), ("idle", 0.9)):
                self.add(f"servers.web{host:02}.cpu.{kind}", [(10, 2160)], gauge(20 * host, gaps))
        self.add("servers.web05.cpu.user", [(10, 2160)], lambda i, t: None)
        self.add("servers.web05.load", [(10, 2160)], lambda i, t: 0.5)
        for name in "abc":
            self.add(f"db.{name}.io", [(60, 1440)], gauge(1000, 0.1))
            self.add(f"db.{name}.latency.p99", [(30, 1440)], gauge(3, 0.05))
        self.add("odd.seven", [(7, 3600)], gauge(7, 0.2))
        self.add("odd.eleven", [(11, 3600)], gauge(11, 0.2))
        self.add("two.archives", [(10, 180), (60, 720)], gauge(50, 0.1))
        self.add("two.more", [(10, 180), (60, 720)], gauge(70, 0.5))
        self.add("signs.tiny", [(10, 2160)], lambda i, t: rng.uniform(-1, 1) * 10.0**rng.randint(-12, -3))
        self.add("signs.huge", [(10, 2160)], lambda i, t: rng.uniform(-1, 1) * 10.0**rng.randint(12, 22))
        self.add("signs.whole", [(10, 2160)], lambda i, t: float(rng.randint(-5, 5)))
        self.add("signs.infinite", [(10, 2160)], lambda i, t: math.inf if i % 7 == 0 else None if i % 3 == 0 else 1.5)
        for name, reset in (("slow", 0.01), ("often", 0.3)):
            total = [0]

            def count(i, t, total=total, reset=reset):
                total[0] = 0 if rng.random() < reset else total[0] + rng.randint(0, 500)
                return float(total[0])
            self.add(f"counter.{name}", [(10, 2160)], count)
        self.add("counter.gaps", [(10, 2160)], lambda i, t: None if rng.random() < 0.2 else float(i * 17))

    def add_tagged(self):
        for dc in "ab":
            self.add(f"disk.used;dc={dc};host=x", [(10, 2160)],
                     lambda i, t: None if self.rng.random() < 0.1 else self.rng.random())


LEAVES = [
    "servers.web01.cpu.user", "servers.*.cpu.user", "servers.web0[1-3].cpu.system", "servers.web0{1,2}.cpu.{user,idle}",
    "servers.web05.cpu.user", "servers.web05.load", "servers.web0?.cpu.*", "counter.slow", "counter.often",
    "counter.*", "signs.tiny", "signs.huge", "signs.whole", "no.such.series",
    "disk.used;dc=a;host=x", "servers.web0[!13].cpu.idle",
]
MIXED = ["db.*.io", "db.a.latency.p99", "odd.*", "two.*", "{db.a.io,counter.slow}".replace("{db.a.io,counter.slow}", "db.b.*.p99")]
AGG = ["average", "avg", "avg_zero", "median", "sum", "total", "min", "max", "diff", "stddev", "count", "range", "rangeOf",
       "multiply", "last", "current"]
INTERVALS = ["30s", "1min", "90s", "5min", "17s", "1h", "1h30min", "1d"]


def number(rng):
    return rng.choice(["2", "-1", "0", "0.5", "1e3", "1.25", "1e-3", "1000000", "123456789", "0.1"])


def expression(rng, depth, mixed):
    """A random target; with `mixed`, of series with several steps."""
    leaves = LEAVES + MIXED * (4 if mixed else 0)
    if depth == 0:
        return rng.choice(leaves)
    inner = lambda: expression(rng, rng.randint(0, depth - 1), mixed)
    kind = rng.choice(list(FUNCTIONS))
    return FUNCTIONS[kind](rng, inner)


def listed(name, low=1):
    return lambda rng, inner: f"{name}({','.join(inner() for _ in range(rng.randint(low, 3)))})"


def counter(name):
    return lambda rng, inner: rng.choice([
        f"{name}({inner()})", f"{name}(counter.often,{rng.choice(['2000', '100000', '32767'])})",
        f"{name}(counter.slow,maxValue=100000,minValue=0)", f"{name}(counter.often,minValue=3)",
        f"{name}(counter.often,None,2)"])


def windowed(name):
    def make(rng, inner):
        window = rng.choice(["1", "3", "7", "25", "'1min'", "'5min'", '"17s"', "'-2min'", "0", "'5s'", "'30min'"])
        factor = rng.choice(["", "", ",0.5", ",xFilesFactor=0.9"])
        if name == "movingWindow":
            return f"movingWindow({inner()},{window},{rng.choice(AGG)!r}{factor})"
        return f"{name}({inner()},{window}{factor})"
    return make


def nodes(rng):
    return ",".join(rng.choice(["0", "1", "2", "3", "-1", "-2", "9", "'dc'", "'name'", '"scale"']) for _ in range(rng.randint(1, 3)))


FUNCTIONS = {
    "alias": lambda rng, inner: f"alias({inner()},'a {rng.randint(0, 9)} (x)')",
    "aliasByNode": lambda rng, inner: f"aliasByNode({inner()},{nodes(rng)})",
    "aliasByTags": lambda rng, inner: f"aliasByTags({inner()},{nodes(rng)})",
    "aliasByMetric": lambda rng, inner: f"aliasByMetric({inner()})",
    "substr": lambda rng, inner: f"substr({inner()},{rng.randint(-2, 2)},{rng.randint(-2, 3)})",
    "aliasSub": lambda rng, inner: f"aliasSub({inner()}," + rng.choice([
        '"(^.*$)","\\1 A"', "'web0(\\d)','\\g<1>x'", "'x*','-'", "'[aeiou]',''", "'(c)(p)?','<\\2\\1>'", "'\\.','_'",
        "'(?P<n>cpu)','\\g<n>\\g<n>'", "'$',' end'", "'^','start '", "'u|','+'"]) + ")",
    "sumSeries": listed("sumSeries"), "sum": listed("sum"), "averageSeries": listed("averageSeries"),
    "avg": listed("avg"), "minSeries": listed("minSeries"), "maxSeries": listed("maxSeries"),
    "diffSeries": listed("diffSeries"), "stddevSeries": listed("stddevSeries"), "rangeOfSeries": listed("rangeOfSeries"),
    "group": listed("group"),
    "aggregate": lambda rng, inner: f"aggregate({inner()},{rng.choice(AGG)!r}{rng.choice(['', ',0.5', ',1'])})",
    "scale": lambda rng, inner: f"scale({inner()},{number(rng)})",
    "offset": lambda rng, inner: f"offset({inner()},{number(rng)})",
    "absolute": lambda rng, inner: f"absolute({inner()})",
    "derivative": lambda rng, inner: f"derivative({inner()})",
    "integral": lambda rng, inner: f"integral({inner()})",
    "nonNegativeDerivative": counter("nonNegativeDerivative"),
    "perSecond": counter("perSecond"),
    "keepLastValue": lambda rng, inner: f"keepLastValue({inner()}{rng.choice(['', ',1', ',3', ',inf', ',INF', ',limit=2'])})",
    "movingAverage": windowed("movingAverage"), "movingMedian": windowed("movingMedian"),
    "movingSum": windowed("movingSum"), "movingMin": windowed("movingMin"), "movingMax": windowed("movingMax"),
    "movingWindow": windowed("movingWindow"),
    "summarize": lambda rng, inner: (
        f"summarize({inner()},{rng.choice(INTERVALS)!r},{rng.choice(AGG)!r}{rng.choice(['', ',true', ',false'])})"),
    "consolidateBy": lambda rng, inner: (
        f"consolidateBy({inner()},{rng.choice(['sum', 'average', 'avg', 'avg_zero', 'min', 'max', 'first', 'last'])!r})"),
    "cumulative": lambda rng, inner: f"cumulative({inner()})",
    "highest": lambda rng, inner: f"highest({inner()},{rng.randint(-1, 4)},{rng.choice(AGG)!r})",
    "lowest": lambda rng, inner: f"lowest({inner()},{rng.randint(0, 4)},{rng.choice(AGG)!r})",
    "highestAverage": lambda rng, inner: f"highestAverage({inner()},{rng.randint(0, 4)})",
    "highestCurrent": lambda rng, inner: f"highestCurrent({inner()},{rng.randint(0, 4)})",
    "highestMax": lambda rng, inner: f"highestMax({inner()},n={rng.randint(0, 4)})",
    "lowestAverage": lambda rng, inner: f"lowestAverage({inner()},{rng.randint(0, 4)})",
    "lowestCurrent": lambda rng, inner: f"lowestCurrent({inner()},{rng.randint(0, 4)})",
    "limit": lambda rng, inner: f"limit({inner()},{rng.randint(-2, 4)})",
    "sortBy": lambda rng, inner: f"sortBy({inner()},{rng.choice(AGG)!r}{rng.choice(['', ',true', ',reverse=false'])})",
    "groupByNode": lambda rng, inner: (
        f"groupByNode({inner()},{rng.choice(['0', '1', '2', '-1', '7'])}{callback(rng, True)})"),
    "groupByNodes": lambda rng, inner: f"groupByNodes({inner()}{callback(rng, False)},{nodes(rng)})",
    "constantLine": lambda rng, inner: f"constantLine({number(rng)})",
}


def callback(rng, optional):
    names = AGG + ["sumSeries", "averageSeries", "minSeries", "maxSeries", "diffSeries", "rangeOfSeries", "stddevSeries"]
    return "" if optional and rng.random() < 0.2 else f",{rng.choice(names)!r}"


def piped(rng, target):
    """The same target with its outermost call as a pipe, now and then."""
    if rng.random() > 0.1 or not target.startswith(("scale(", "absolute(", "offset(", "derivative(")):
        return target
    name, rest = target.split("(", 1)
    depth = 0
    for i, c in enumerate(rest):
        if c == "," and depth == 0:
            return f"{rest[:i]}|{name}({rest[i + 1:]}"
        depth += (c == "(") - (c == ")") + (c == "{") - (c == "}")
    return f"{rest[:-1]} | {name}()"


def render_requests(rng, count):
    """Query strings for /render: every function on its own first, then random nesting."""
    kinds = list(FUNCTIONS)
    for n in range(count):
        mixed = rng.random() < 0.25
        if n < 6 * len(kinds):
            leaves = LEAVES + MIXED
            target = FUNCTIONS[kinds[n % len(kinds)]](rng, lambda: rng.choice(leaves))
        else:
            target = expression(rng, rng.randint(1, 4), mixed)
        params = [("target", piped(rng, target))]
        if rng.random() < 0.15:
            params.append(("target", expression(rng, 1, mixed)))
        params += window(rng, target)
        params += rng.choice([[], [], [("maxDataPoints", str(rng.choice([1, 2, 7, 50, 100, 500, 100000])))]])
        params += rng.choice([[], [], [], [("xFilesFactor", rng.choice(["0.3", "0.5", "1"]))]])
        params += rng.choice([[], [], [], [("noNullPoints", "1")]])
        params.append(("format", "json"))
        params.append(("now", str(NOW)))
        yield "/render?" + urllib.parse.urlencode(params)


def window(rng, target):
    """from and until that every series covers, so that archives of different reach do not start at different times."""
    form = rng.randint(0, 4)
    if form == 0:
        return [("from", f"-{rng.choice(['10min', '20min', '25min', '1h', '90min', '5400s'])}")]
    until = NOW - rng.randint(0, 1500)
    return [("from", str(until - rng.randint(1, 4000))), ("until", str(until))]


FIXED = [
    # What the newest Grafana sends.
    "/render?target=aliasSub(servers.*.cpu.user,\"(^.*$)\",\"\\1 A\")&from=-1h&now=N&format=json&maxDataPoints=300",
    "/render?target=aliasSub(sumSeries(servers.*.cpu.user),\"(^.*$)\",\"\\1 B\")&from=-1h&now=N&format=json",
    "/render?target=constantLine(100)&from=-1h&until=now&now=N&format=json",
    "/render?target[]=db.a.io&target[]=db.b.io&from=-2h&now=N&format=json",
    "/render?target=db.a.io&target=&target=%20&from=-2h&now=N&format=json",
    "/render?from=-2h&now=N&format=json",
    "/render?target=db.a.io&from=now&until=now&now=N&format=json",
    "/render?target=db.a.io&until=-2h&from=-1h&now=N&format=json",
    "/render?target=nosuch(db.a.io)&from=-2h&now=N&format=json",
    "/render?target=sumSeries(no.such)&from=-2h&now=N&format=json",
    "/render?target=db.{a,b}.io&from=-2h&now=N&format=json&maxDataPoints=x",
    # Ties keep their order whichever the direction.
    "/render?target=sortBy(servers.*.cpu.user,'count')&target=sortBy(servers.*.cpu.user,'count',true)&from=-1h&now=N&format=json",
    "/render?target=highest(servers.*.cpu.user,3,'count')&target=lowest(servers.*.cpu.*,4,'count')&from=-1h&now=N&format=json",
    "/render?target=two.archives&from=-11h&now=N&format=json",
    "/render?target=movingAverage(two.archives,'5min')&from=-28min&now=N&format=json",
    "/render?target=movingAverage(two.*,40)&from=-28min&now=N&format=json",
    "/render?target=movingAverage(movingSum(counter.slow,3),'1min')&from=-1h&now=N&format=json",
    "/render?target=db.a.io&from=20231114&until=20231115&now=N&format=json&tz=Asia/Tokyo",
    "/render?target=db.*.io|sumSeries()|scale(2)|alias('x')&from=-1h&now=N&format=json",
    "/render?target=signs.infinite&target=scale(signs.infinite,-2)&target=maxSeries(signs.*)&from=-1h&now=N&format=json",
    "/render?target=sumSeries(signs.infinite,db.a.io)&from=-1h&now=N&format=json&maxDataPoints=20",
    "/render?target=db.a\\.b&from=-1h&now=N&format=json",
    "/render?target=disk.used;dc=b;host=x&from=-1h&now=N&format=json",
    "/render?target=sumSeries(disk.used;dc=a;host=x,disk.used;dc=b;host=x)&from=-1h&now=N&format=json",
    "/render?target=aliasByTags(disk.used;dc=a;host=x,'dc','host','none')&from=-1h&now=N&format=json",
]
TEXT_TARGETS = ["db.a.io", "servers.web01.cpu.*", "signs.*", "sumSeries(db.a.io,db.b.io)", "alias(db.a.io,'say \"hi\", you')",
                "perSecond(counter.slow)", "summarize(db.*.io,'1h','avg')", "constantLine(5)"]
FINDS = ["*", "servers.*", "servers.web0*", "servers.*.cpu", "servers.*.cpu.*", "servers.{web01,web02}.*", "db.*.*", "db.a.io",
         "nothing", "se*", "servers.web0[12].cpu.u*", "*.*", "db.?.io", "servers.web05.*", "two"]
TIMES = ["now", "-1h", "midnight", "noon", "teatime", "today", "yesterday", "tomorrow", "noon yesterday", "8am", "12am", "12pm",
         "3pm today", "16:30", "4:45pm", "4:05am_yesterday", "midnight-2h", "noon+90min", "20231105", "11/05/23", "11/5/2023",
         "1/2/70", "june 5", "jan 31", "feb 29", "december25", "monday", "sun", "wednesday", "6:07 tuesday", "1699999999",
         "-1d2h", "-1h30min", "now-10s", "+1h", "-5m", "-1mon", "-1y", "-2weeks", "-1", "1h", "h", "99:99", "25:00", "10pm",
         "04:00_20231101", "20231032", "13/13/13", "smarch 5", "june", "", "-0s", "20231114-3d", "02:30_20231105",
         "02:30_20230326", "01:30_20231105"]
ZONES = ["UTC", "America/New_York", "Asia/Kolkata", "Europe/Berlin", "Australia/Lord_Howe", "No/Such"]


class Tool:
    def __init__(self, path, lines):
        self.process = subprocess.Popen([path], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.process.stdin.write(("\n".join(lines) + "\n").encode())

    def get(self, url):
        self.process.stdin.write(f"get {url}\n".encode())
        self.process.stdin.flush()
        status, size = self.process.stdout.readline().split()
        body = self.process.stdout.read(int(size) + 1)[:-1]
        return int(status), body.decode()


class Differ:
    def __init__(self, tool, verbose):
        from django.test import Client
        self.client = Client(raise_request_exception=False)
        self.tool = tool
        self.verbose = verbose
        self.failures = 0
        self.compared = 0
        self.points = 0
        self.statuses = collections.Counter()

    def fetch(self, url):
        response = self.client.get(url)
        return (response.status_code, response.content.decode()) + self.tool.get(url)

    def fail(self, url, reason):
        self.failures += 1
        if self.failures <= 20 or self.verbose:
            print(f"DIFFERS {urllib.parse.unquote_plus(url)}\n  {url}\n  {reason}")

    def check(self, url, compare):
        url = url.replace(" ", "%20").replace("now=N", f"now={NOW}")
        met = sum(exceptions.values())
        status, body, our_status, our_body = self.fetch(url)
        self.statuses[(status, our_status)] += 1
        if our_status == 500:
            return self.fail(url, f"we answer 500: {our_body}")
        if status == 500:
            exceptions["server_error"] += 1
        if sum(exceptions.values()) > met:
            return None
        if status != our_status:
            return self.fail(url, f"status {status}, ours {our_status}: {our_body[:300]}")
        if status == 200:
            self.compared += 1
            self.points += our_body.count("],[")
            reason = compare(body, our_body)
            if reason:
                return self.fail(url, reason)
        return None


def close(a, b, scale):
    """`scale` is the largest value around: sums that cancel out leave rounding errors of that size."""
    if a is None or b is None:
        return a is None and b is None
    return a == b or math.isclose(a, b, rel_tol=1e-9, abs_tol=max(1e-15, 1e-13 * scale))


def compare_render(body, our_body):
    theirs, ours = json.loads(body), json.loads(our_body)
    names, our_names = [s["target"] for s in theirs], [s["target"] for s in ours]
    if names != our_names:
        return f"targets\n  {names}\n  {our_names}"
    for a, b in zip(theirs, ours):
        if a["tags"] != b["tags"]:
            return f"tags of {a['target']}\n  {a['tags']}\n  {b['tags']}"
        times, our_times = [p[1] for p in a["datapoints"]], [p[1] for p in b["datapoints"]]
        if times != our_times:
            return (f"timestamps of {a['target']}: {len(times)} {times[:3]}..{times[-2:]}, "
                    f"ours {len(our_times)} {our_times[:3]}..{our_times[-2:]}")
        scale = max((abs(p[0]) for p in a["datapoints"] if p[0] is not None and math.isfinite(p[0])), default=0)
        for (value, t), (our_value, _) in zip(a["datapoints"], b["datapoints"]):
            if not close(value, our_value, scale):
                return f"value of {a['target']} at {t}: {value!r}, ours {our_value!r}"
    return None


def compare_json(body, our_body):
    theirs, ours = json.loads(body), json.loads(our_body)
    return None if theirs == ours else f"\n  {body[:2000]}\n  {our_body[:2000]}"


def compare_nodes(body, our_body):
    """format=json: when a leaf has data is not compared, for it is not kept."""
    strip = lambda nodes: [{k: v for k, v in node.items() if k != "intervals"} for node in json.loads(nodes)]
    return None if strip(body) == strip(our_body) else f"\n  {body[:2000]}\n  {our_body[:2000]}"


def compare_text(body, our_body):
    return None if body == our_body else f"\n  {body[:300]!r}\n  {our_body[:300]!r}"


def compare_functions(tool):
    """Signatures: what /functions says of each function must be what graphite-web declares."""
    from graphite.functions import SeriesFunction
    status, body = tool.get("/functions")
    differences = []
    for name, info in json.loads(body).items():
        function = SeriesFunction(name)
        params = [json.loads(json.dumps(p.toJSON()).replace("Infinity", "1e9999")) for p in function.params]
        # Callbacks are those that exist here.
        strip = lambda ps: [{k: v for k, v in p.items() if (p["type"], k) != ("aggOrSeriesFunc", "options")} for p in ps]
        if info["group"] != function.group or strip(info["params"]) != strip(params):
            differences.append(f"{name}\n  {function.group} {strip(params)}\n  {info['group']} {strip(info['params'])}")
    return differences


def check_finds(differ):
    for query in FINDS:
        quoted = urllib.parse.quote(query)
        for rest in ("", "&leavesOnly=1", "&wildcards=1", "&format=nodelist&position=0"):
            differ.check(f"/metrics/find?query={quoted}{rest}", compare_json)
        differ.check(f"/metrics/find?query={quoted}&format=json", compare_nodes)
        for rest in ("", "&leavesOnly=1", "&groupByExpr=1", "&query=db.*"):
            differ.check(f"/metrics/expand?query={quoted}{rest}", compare_json)
    for query in ("s", "servers.", "servers.web0", "db.a.", "d", "zzz"):
        for rest in ("", "&wildcards=1"):
            differ.check(f"/metrics/find?query={query}&format=completer{rest}", compare_json)
    for url in ("/metrics/find", "/metrics/find?query=", "/metrics/find?query=*&format=nope", "/metrics/index.json",
                "/metrics/find?query=*&leavesOnly=x", "/metrics/find?query=*&from=gestern", "/metrics/expand"):
        differ.check(url, compare_json)


def check_texts(differ):
    for target in TEXT_TARGETS:
        for form in ("raw", "csv"):
            for zone in ("UTC", "America/St_Johns"):
                query = urllib.parse.urlencode({"target": target, "format": form, "tz": zone, "from": "-2h", "now": NOW})
                differ.check(f"/render?{query}", compare_text)


def check_times(differ):
    for zone in ZONES:
        for time in TIMES:
            query = urllib.parse.urlencode({"target": "constantLine(1)", "format": "json", "tz": zone, "from": time,
                                            "until": "1700009999", "now": NOW})
            differ.check(f"/render?{query}", compare_render)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("tool")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--requests", type=int, default=2500)
    parser.add_argument("--verbose", action="store_true")
    args = parser.parse_args()

    root = tempfile.mkdtemp(prefix="shoal-compat-")
    try:
        set_up_graphite(root)
        set_moving_window_traits()
        rng = random.Random(args.seed)
        data = Data(root, rng)
        data.add_untagged()
        differ = Differ(Tool(args.tool, data.lines), args.verbose)
        check_finds(differ)
        data.add_tagged()
        differ.tool = Tool(args.tool, data.lines)
        for url in FIXED:
            differ.check(url, compare_render)
        for url in render_requests(rng, args.requests):
            differ.check(url, compare_render)
        check_texts(differ)
        check_times(differ)
        for difference in compare_functions(differ.tool):
            differ.fail("/functions", difference)
        print(f"seed {args.seed}: {differ.compared} answers compared with {differ.points} points, {differ.failures} differ; "
              f"exceptions {dict(exceptions)}; statuses (graphite-web, ours) {dict(differ.statuses)}")
        return 1 if differ.failures or differ.compared < args.requests // 2 else 0
    finally:
        shutil.rmtree(root, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
