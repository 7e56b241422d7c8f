// The router's HTTP API as the page uses it.

export interface FoundMetric {
  path: string;
  isLeaf: boolean;
}

export interface RenderedSeries {
  target: string;
  times: number[];
  values: (number | null)[];
}

export interface ClusterNode {
  name: string;
  address: string;
  zone: string;
  state: string;
  spoolBytes: number;
  series: number | null;  // null: the node did not tell
  pointsWritten: number | null;
  readOnly: boolean;
  trouble: string;  // the last error, or why it is read-only
}

export interface Cluster {
  name: string;
  epoch: number;
  nodes: ClusterNode[];
}

export class ApiError extends Error {
  constructor(message: string, readonly status: number) {
    super(message);
  }
}

// Much longer than any answer should take; a page that waits for ever tells nothing.
const kTimeoutMs = 60_000;
// Of an error's body, which may be anything.
const kErrorCharsMax = 500;

async function request(path: string, init: RequestInit = {}): Promise<Response> {
  const timeout = new AbortController();
  const timer = window.setTimeout(() => timeout.abort(), kTimeoutMs);
  init.signal?.addEventListener("abort", () => timeout.abort());
  try {
    const response = await fetch(path, { ...init, signal: timeout.signal });
    if (!response.ok) {
      const text = (await response.text()).trim().slice(0, kErrorCharsMax);
      throw new ApiError(text || `${response.status} ${response.statusText}`, response.status);
    }
    return response;
  } catch (error) {
    if (error instanceof ApiError || init.signal?.aborted) throw error;
    throw new ApiError(timeout.signal.aborted ? "the router did not answer in time" : "the router cannot be reached", 0);
  } finally {
    window.clearTimeout(timer);
  }
}

async function json(response: Response): Promise<unknown> {
  // Graphite writes infinity as 1e9999, which JSON.parse takes; nothing else is special.
  return JSON.parse(await response.text());
}

export async function findMetrics(query: string, signal?: AbortSignal): Promise<FoundMetric[]> {
  const parameters = new URLSearchParams({ query, format: "json" });
  const found = await json(await request(`/metrics/find?${parameters}`, { signal })) as
      { path: string; is_leaf: boolean }[];
  return found.map(({ path, is_leaf }) => ({ path, isLeaf: Boolean(is_leaf) }));
}

// All names, or null when they are more than `bytesMax` of JSON: then the rest is not read.
export async function indexNames(bytesMax: number, signal?: AbortSignal): Promise<string[] | null> {
  const stop = new AbortController();
  signal?.addEventListener("abort", () => stop.abort());
  const response = await request("/metrics/index.json", { signal: stop.signal });
  const reader = response.body?.getReader();
  if (!reader) return [];
  const decoder = new TextDecoder();
  let text = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    text += decoder.decode(value, { stream: true });
    if (text.length > bytesMax) {
      await reader.cancel();
      return null;
    }
  }
  return JSON.parse(text + decoder.decode()) as string[];
}

export async function render(targets: string[], from: string, until: string, maxDataPoints: number,
                             signal?: AbortSignal): Promise<RenderedSeries[]> {
  const body = new URLSearchParams({ format: "json", from, until, maxDataPoints: String(maxDataPoints) });
  for (const target of targets) body.append("target", target);
  const rows = await json(await request("/render", { method: "POST", body, signal })) as
      { target: string; datapoints: [number | null, number][] }[];
  return rows.map(({ target, datapoints }) => ({
    target,
    times: datapoints.map((point) => point[1]),
    values: datapoints.map((point) => point[0]),
  }));
}

export async function clusterNodes(): Promise<Cluster> {
  const answer = await json(await request("/cluster/nodes")) as {
    cluster?: string; epoch?: number;
    nodes?: { name?: string; address?: string; zone?: string; state?: string; spool_bytes?: number;
              series?: number; points_written?: number; read_only?: boolean; read_only_reason?: string; error?: string }[];
  };
  return {
    name: answer.cluster ?? "",
    epoch: answer.epoch ?? 0,
    nodes: (answer.nodes ?? []).map((node) => ({
      name: node.name ?? "",
      address: node.address ?? "",
      zone: node.zone ?? "",
      state: node.state ?? "unknown",
      spoolBytes: node.spool_bytes ?? 0,
      series: node.series ?? null,
      pointsWritten: node.points_written ?? null,
      readOnly: node.read_only ?? false,
      trouble: (node.read_only && node.read_only_reason) || (node.state !== "up" && node.error) || "",
    })),
  };
}
