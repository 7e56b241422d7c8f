// Ties the page together: the URL's fragment holds the state, every change goes through it and draws anew.

import { ApiError, render, RenderedSeries } from "./api";
import { Chart, DrawnSeries, Problem } from "./chart";
import { byId, make, showError } from "./dom";
import { NodesPanel } from "./nodes";
import { Search } from "./search";
import { kPresets, kRefreshSec, kTargetsMax, nameOf, readState, State, targetOf, timeArgument, writeState } from "./state";
import { MetricTree } from "./tree";

// Of data points per series; beyond the screen's pixels they would not be seen.
const kPointsMax = 2000;

class Page {
  private state: State = readState(location.hash);
  private timer = 0;
  private running: AbortController | null = null;
  private readonly error = byId("chart-error");
  private readonly chart = new Chart(byId("chart"), byId("legend"), {
    onZoom: (from, until) => this.change({ from: String(from), until: String(until) }),
    onRemove: (target) => this.toggle(target),
  });
  private readonly tree = new MetricTree(byId("tree"), {
    isPicked: (name) => this.state.targets.includes(targetOf(name)),
    onToggle: (name) => this.toggle(targetOf(name)),
  });
  private readonly search = new Search(byId("search"), byId("search-status"), byId("results"), byId("tree"), {
    isPicked: (target) => this.state.targets.includes(target),
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
      document.body.classList.remove("loading");
      this.chart.show([], [], [0, 0]);
      showError(this.error, null);
    } else if (!document.hidden) {
      byId("chart").hidden = false;
      document.body.classList.add("loading");
      const drawing = await this.fetch(running.signal);
      if (running.signal.aborted) return;
      document.body.classList.remove("loading");
      showError(this.error, drawing.error);
      // What was drawn last stays when the router cannot be asked.
      if (drawing.error === null) this.chart.show(drawing.series, drawing.problems, this.span(drawing.series));
    }
    if (this.state.refreshSec > 0 && this.state.until === "now") {
      this.timer = window.setTimeout(() => void this.draw(), this.state.refreshSec * 1000);
    }
  }

  // One request for all targets. When the server refuses it, or when it does not tell which target a series came from,
  // one for each: so an error stands at its target and the others are drawn.
  private async fetch(signal: AbortSignal): Promise<Drawing> {
    const { targets, from, until } = this.state;
    const ask = async (some: string[]) =>
        render(some, from, until, Math.min(kPointsMax, Math.max(100, this.chart.width)), signal);
    try {
      const series = await ask(targets);
      const byName = new Map(targets.map((target) => [nameOf(target), target]));
      const answered = new Set(series.map(({ target }) => byName.get(target)));
      const others = targets.filter((target) => !answered.has(target));
      if (others.length <= 1) {
        const origin = (name: string) => byName.get(name) ?? others[0] ?? name;
        return drawing(targets, series.map((one) => ({ ...one, origin: origin(one.target) })), []);
      }
    } catch (error) {
      const refused = error instanceof ApiError && error.status >= 400 && error.status < 500;
      const text = (error as Error).message;
      if (!refused) return { series: [], problems: [], error: text };
      if (targets.length === 1) return drawing(targets, [], [{ target: targets[0]!, text }]);
    }
    const problems: Problem[] = [];
    const answers = await Promise.all(targets.map(async (target) => {
      try {
        return (await ask([target])).map((one) => ({ ...one, origin: target }));
      } catch (error) {
        problems.push({ target, text: (error as Error).message });
        return [];
      }
    }));
    return drawing(targets, answers.flat(), problems);
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

interface Drawing {
  series: DrawnSeries[];
  problems: Problem[];
  error: string | null;  // of the whole request
}

// Drops what came twice: the same series may come from two targets. Targets that gave nothing are problems.
function drawing(targets: string[], answers: DrawnSeries[], problems: Problem[]): Drawing {
  const names = new Set<string>();
  const series = answers.filter(({ target }) => !names.has(target) && names.add(target));
  const answered = new Set([...answers.map(({ origin }) => origin), ...problems.map(({ target }) => target)]);
  const silent = targets.filter((target) => !answered.has(target));
  return { series, problems: [...problems, ...silent.map((target) => ({ target, text: "no data in this time range" }))], error: null };
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
