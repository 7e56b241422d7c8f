// Ties the page together: the URL's fragment holds the state, every change goes through it and draws anew.

import { ApiError, render, RenderedSeries } from "./api";
import { Chart } from "./chart";
import { byId, make, showError } from "./dom";
import { NodesPanel } from "./nodes";
import { Search } from "./search";
import { kPresets, kRefreshSec, kTargetsMax, readState, State, timeArgument, writeState } from "./state";
import { MetricTree } from "./tree";

// Of data points per series; beyond the screen's pixels they would not be seen.
const kPointsMax = 2000;

class Page {
  private state: State = readState(location.hash);
  private timer = 0;
  private running: AbortController | null = null;
  // Which target each drawn series came from: a target may be a pattern that gives many.
  private origin = new Map<string, string>();
  private readonly error = byId("chart-error");
  private readonly chart = new Chart(byId("chart"), byId("legend"), {
    onZoom: (from, until) => this.change({ from: String(from), until: String(until) }),
    onRemove: (name) => this.toggle(this.origin.get(name) ?? name),
  });
  private readonly tree = new MetricTree(byId("tree"), {
    isPicked: (path) => this.state.targets.includes(path),
    onToggle: (path) => this.toggle(path),
  });
  private readonly search = new Search(byId("search"), byId("search-status"), byId("results"), byId("tree"), {
    isPicked: (path) => this.state.targets.includes(path),
    onToggle: (target) => this.toggle(target),
    onReveal: (path) => {
      this.search.clear();
      void this.tree.reveal(path);
    },
  });

  start(): void {
    this.buildControls();
    this.showControls();
    void this.loadTree();
    new NodesPanel().start();
    window.addEventListener("hashchange", () => {
      if (location.hash.replace(/^#/, "") === writeState(this.state)) return;
      this.state = readState(location.hash);
      this.changed();
    });
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden) void this.draw();
    });
    document.addEventListener("keydown", (event) => {
      if (event.key !== "/" || (event.target as HTMLElement).closest("input, select")) return;
      byId("search").focus();
      event.preventDefault();
    });
    void this.draw();
  }

  private async loadTree(): Promise<void> {
    await this.tree.load();
    // A new cluster has no metrics for its first seconds.
    if (this.tree.isEmpty) window.setTimeout(() => void this.loadTree(), 3000);
  }

  private toggle(target: string): void {
    const targets = this.state.targets.includes(target) ?
        this.state.targets.filter((other) => other !== target) : [...this.state.targets, target];
    if (targets.length > kTargetsMax) {
      return showError(this.error, `The chart holds ${kTargetsMax} targets; remove one first.`);
    }
    this.change({ targets });
  }

  private change(part: Partial<State>): void {
    this.state = { ...this.state, ...part };
    const hash = writeState(this.state);
    history.pushState(null, "", hash === "" ? location.pathname : `#${hash}`);
    this.changed();
  }

  private changed(): void {
    this.showControls();
    this.tree.update();
    this.search.update();
    void this.draw();
  }

  private async draw(): Promise<void> {
    window.clearTimeout(this.timer);
    this.running?.abort();
    const running = this.running = new AbortController();
    byId("chart-empty").hidden = this.state.targets.length > 0;
    if (this.state.targets.length === 0) {
      this.chart.show([], [0, 0]);
      showError(this.error, null);
    } else if (!document.hidden) {
      byId("chart").hidden = false;
      document.body.classList.add("loading");
      const { series, errors } = await this.fetch(running.signal);
      if (running.signal.aborted) return;
      document.body.classList.remove("loading");
      showError(this.error, errors.length > 0 ? errors.join("\n") : null);
      this.chart.show(series, this.span(series));
    }
    if (this.state.refreshSec > 0 && this.state.until === "now") {
      this.timer = window.setTimeout(() => void this.draw(), this.state.refreshSec * 1000);
    }
  }

  // One request for all targets; when the server refuses it, one for each, so that the error names its target and the
  // others are drawn.
  private async fetch(signal: AbortSignal): Promise<{ series: RenderedSeries[]; errors: string[] }> {
    const { targets, from, until } = this.state;
    const ask = (some: string[]) =>
        render(some, from, until, Math.min(kPointsMax, Math.max(100, this.chart.width)), signal);
    this.origin = new Map();
    try {
      const series = distinct(await ask(targets));
      if (targets.length === 1) for (const { target } of series) this.origin.set(target, targets[0]!);
      else await this.findOrigins(series, ask);
      return { series, errors: series.length === 0 ? ["No data in this time range."] : [] };
    } catch (error) {
      if (signal.aborted) return { series: [], errors: [] };
      const refused = error instanceof ApiError && error.status >= 400 && error.status < 500;
      if (!refused || targets.length === 1) return { series: [], errors: [(error as Error).message] };
    }
    const errors: string[] = [];
    const answers = await Promise.all(targets.map(async (target) => {
      try {
        const series = await ask([target]);
        for (const one of series) this.origin.set(one.target, target);
        return series;
      } catch (error) {
        errors.push(`${target}: ${(error as Error).message}`);
        return [];
      }
    }));
    return { series: distinct(answers.flat()), errors };
  }

  // Series whose name is no target come from a pattern or an expression. With one such target it is that one; with
  // several each is asked what it gives.
  private async findOrigins(series: RenderedSeries[], ask: (some: string[]) => Promise<RenderedSeries[]>): Promise<void> {
    const names = new Set(series.map(({ target }) => target));
    const plain = this.state.targets.filter((target) => names.has(target));
    const others = this.state.targets.filter((target) => !names.has(target));
    const unknown = [...names].filter((name) => !plain.includes(name));
    if (others.length === 1) for (const name of unknown) this.origin.set(name, others[0]!);
    if (others.length < 2) return;
    await Promise.all(others.map(async (target) => {
      for (const one of await ask([target])) this.origin.set(one.target, target);
    }));
  }

  // The time axis: what was asked for, where that can be told here, or what came.
  private span(series: RenderedSeries[]): [number, number] {
    const nowSec = Date.now() / 1000;
    const first = Math.min(...series.map(({ times }) => times[0] ?? nowSec));
    const last = Math.max(...series.map(({ times }) => times[times.length - 1] ?? 0));
    return [secondsOf(this.state.from, nowSec) ?? first, secondsOf(this.state.until, nowSec) ?? Math.max(last, first + 1)];
  }

  private buildControls(): void {
    const presets = byId("presets");
    for (const { label, from } of kPresets) {
      const button = make("button", { type: "button", "data-from": from }, label);
      button.addEventListener("click", () => this.change({ from, until: "now" }));
      presets.append(button);
    }
    const custom = make("button", { type: "button", "data-from": "custom", "aria-expanded": "false" }, "Custom");
    const form = byId<HTMLFormElement>("range");
    const showForm = (show: boolean) => {
      form.hidden = !show;
      custom.setAttribute("aria-expanded", String(show));
    };
    custom.addEventListener("click", () => {
      showForm(form.hidden);
      if (!form.hidden) this.field("from").select();
    });
    form.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      showForm(false);
      custom.focus();
    });
    presets.append(custom);
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      showForm(false);
      this.change({ from: timeArgument(this.field("from").value) || "-1h", until: timeArgument(this.field("until").value) || "now" });
    });
    const refresh = byId<HTMLSelectElement>("refresh");
    for (const seconds of kRefreshSec) {
      const label = seconds === 0 ? "off" : seconds < 60 ? `${seconds} s` : `${seconds / 60} min`;
      refresh.append(make("option", { value: seconds }, label));
    }
    refresh.addEventListener("change", () => this.change({ refreshSec: Number(refresh.value) }));
    byId("reload").addEventListener("click", () => void this.draw());
  }

  private field(name: string): HTMLInputElement {
    return byId<HTMLFormElement>("range").elements.namedItem(name) as HTMLInputElement;
  }

  private showControls(): void {
    const { from, until, refreshSec } = this.state;
    const preset = until === "now" ? kPresets.find((candidate) => candidate.from === from)?.from : undefined;
    for (const button of byId("presets").querySelectorAll<HTMLElement>("button")) {
      button.setAttribute("aria-pressed", String(button.dataset.from === (preset ?? "custom")));
    }
    this.field("from").value = from;
    this.field("until").value = until;
    byId<HTMLSelectElement>("refresh").value = String(refreshSec);
  }
}

// The same series may come from two targets.
function distinct(series: RenderedSeries[]): RenderedSeries[] {
  const names = new Set<string>();
  return series.filter(({ target }) => !names.has(target) && names.add(target));
}

// Unix seconds of "now", "-6h" and of Unix seconds; null for Graphite's other forms.
function secondsOf(text: string, nowSec: number): number | null {
  if (text === "now") return nowSec;
  if (/^\d{9,11}$/.test(text)) return Number(text);
  const match = /^-(\d+)(s|min|h|d|w)$/.exec(text);
  const scale: Record<string, number> = { s: 1, min: 60, h: 3600, d: 86400, w: 604800 };
  return match ? nowSec - Number(match[1]) * scale[match[2]!]! : null;
}

new Page().start();
