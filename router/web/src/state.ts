// What the page shows, kept in the URL's fragment so that a link shows the same.

export interface State {
  targets: string[];
  from: string;
  until: string;
  refreshSec: number;  // 0: off
}

export const kPresets: { label: string; from: string }[] = [
  { label: "5m", from: "-5min" },
  { label: "15m", from: "-15min" },
  { label: "1h", from: "-1h" },
  { label: "6h", from: "-6h" },
  { label: "24h", from: "-24h" },
  { label: "7d", from: "-7d" },
  { label: "30d", from: "-30d" },
];

export const kRefreshSec = [0, 5, 10, 30, 60, 300];

// A link may be made by anyone; this many series still draw in time.
export const kTargetsMax = 50;

export function defaultState(): State {
  return { targets: [], from: "-1h", until: "now", refreshSec: 10 };
}

export function readState(hash: string): State {
  const state = defaultState();
  const parameters = new URLSearchParams(hash.replace(/^#/, ""));
  state.targets = [...new Set(parameters.getAll("t").filter((target) => target !== ""))].slice(0, kTargetsMax);
  state.from = parameters.get("from") || state.from;
  state.until = parameters.get("until") || state.until;
  const refresh = Number(parameters.get("refresh") ?? state.refreshSec);
  if (kRefreshSec.includes(refresh)) state.refreshSec = refresh;
  return state;
}

export function writeState(state: State): string {
  const plain = defaultState();
  const parameters = new URLSearchParams();
  for (const target of state.targets) parameters.append("t", target);
  if (state.from !== plain.from) parameters.set("from", state.from);
  if (state.until !== plain.until) parameters.set("until", state.until);
  if (state.refreshSec !== plain.refreshSec) parameters.set("refresh", String(state.refreshSec));
  return parameters.toString();
}

// The target that stands for one name: symbols of the target language get a backslash.
export function targetOf(name: string): string {
  return name.replace(/[(){},'"\\|]/g, "\\$&");
}

// The name that a target without functions stands for.
export function nameOf(target: string): string {
  return target.replace(/\\(.)/g, "$1");
}

// "2026-01-31 18:00" in the reader's own time zone to Unix seconds; anything else is left for the server to read.
export function timeArgument(text: string): string {
  const match = /^(\d{4})-(\d\d)-(\d\d)(?:[ T](\d\d):(\d\d)(?::(\d\d))?)?$/.exec(text.trim());
  if (!match) return text.trim();
  const [year, month, day, hour, minute, second] = match.slice(1).map((part) => Number(part ?? 0));
  const date = new Date(year!, month! - 1, day!, hour!, minute!, second!);
  return String(Math.floor(date.getTime() / 1000));
}
