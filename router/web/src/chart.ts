// The chart (uPlot) and its legend.

import uPlot from "uplot";
import { RenderedSeries } from "./api";
import { make } from "./dom";
import { formatTime, formatValue } from "./format";

const kPaletteSize = 12;

export interface ChartEvents {
  // A span was selected by dragging, in Unix seconds.
  onZoom(from: number, until: number): void;
  onRemove(target: string): void;
}

// `origin`: the target that it came from; a pattern gives many series.
export interface DrawnSeries extends RenderedSeries {
  origin: string;
}

// A target that gave no series, and why.
export interface Problem {
  target: string;
  text: string;
}

interface LegendRow {
  row: HTMLElement;
  value: HTMLElement;
  last: number | null;
}

export class Chart {
  private plot: uPlot | null = null;
  private rows: LegendRow[] = [];
  private when: HTMLElement | null = null;
  private shape = "";
  private readonly hidden = new Set<string>();
  private readonly colors = new Map<string, number>();
  private series: DrawnSeries[] = [];
  private problems: Problem[] = [];
  private span: [number, number] = [0, 0];

  constructor(private readonly box: HTMLElement, private readonly legend: HTMLElement,
              private readonly events: ChartEvents) {
    new ResizeObserver(() => this.plot?.setSize(this.size())).observe(box);
    window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
      this.shape = "";
      this.show(this.series, this.problems, this.span);
    });
  }

  get width(): number {
    return Math.max(100, this.box.clientWidth);
  }

  // Draws `series` over `span`, in Unix seconds.
  show(series: DrawnSeries[], problems: Problem[], span: [number, number]): void {
    this.series = series;
    this.problems = problems;
    this.span = span;
    this.assignColors();
    this.box.hidden = series.length === 0;
    this.fillLegend();
    if (series.length === 0) {
      this.plot?.destroy();
      this.plot = null;
      this.shape = "";
      return;
    }
    const data = join(series);
    const shape = series.map(({ target }) => target).join("\n");
    if (this.plot === null || shape !== this.shape) {
      this.shape = shape;
      this.plot?.destroy();
      this.plot = new uPlot(this.options(), data, this.box);
    } else {
      this.plot.setData(data, false);
    }
    this.plot.setScale("x", { min: span[0], max: span[1] });
  }

  private assignColors(): void {
    const names = new Set(this.series.map(({ target }) => target));
    for (const name of [...this.colors.keys()]) {
      if (!names.has(name)) this.colors.delete(name);
    }
    for (const name of names) {
      if (this.colors.has(name)) continue;
      const used = new Set(this.colors.values());
      let color = 0;
      while (used.has(color)) ++color;
      this.colors.set(name, color);
    }
  }

  private color(name: string): string {
    return css(`--series-${(this.colors.get(name) ?? 0) % kPaletteSize}`);
  }

  private size(): { width: number; height: number } {
    return { width: this.width, height: Math.round(Math.min(380, Math.max(220, this.width * 0.42))) };
  }

  private options(): uPlot.Options {
    const axis = {
      stroke: css("--muted"), grid: { stroke: css("--grid"), width: 1 }, ticks: { stroke: css("--grid"), width: 1 },
      font: "12px system-ui, sans-serif",
    };
    return {
      ...this.size(),
      legend: { show: false },
      cursor: { drag: { x: true, y: false, setScale: false }, points: { size: 7 } },
      scales: { x: { time: true, auto: false } },
      axes: [
        { ...axis, values: kTimeLabels, space: 70 },
        { ...axis, size: 58, values: (_plot, ticks) => ticks.map(formatValue) },
      ],
      series: [{}, ...this.series.map(({ target }): uPlot.Series => ({
        label: target, stroke: this.color(target), width: 1.5, show: !this.hidden.has(target),
        points: { size: 4, fill: this.color(target), filter: lonePoints },
      }))],
      hooks: {
        setCursor: [(plot) => this.onCursor(plot)],
        setSelect: [(plot) => this.onSelect(plot)],
      },
    };
  }

  private onSelect(plot: uPlot): void {
    if (plot.select.width < 4) return;
    const from = Math.floor(plot.posToVal(plot.select.left, "x"));
    const until = Math.ceil(plot.posToVal(plot.select.left + plot.select.width, "x"));
    plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
    this.events.onZoom(from, until);
  }

  private fillLegend(): void {
    const head = make("tr", {}, make("th", { scope: "col" }, "Series"), ...["Value", "Min", "Mean", "Max"].map((label) =>
        make("th", { scope: "col", class: label === "Value" ? "number" : "number extra" }, label)), make("td", {}));
    this.when = head.children[1] as HTMLElement;
    this.rows = this.series.map((series) => this.legendRow(series));
    const problems = this.problems.map(({ target, text }) => make("tr", { "data-problem": target },
        make("td", { colspan: 5 }, make("span", { class: "label" }, target), " ", make("span", { class: "problem" }, text)),
        make("td", { class: "end" }, this.removeButton(target))));
    this.legend.replaceChildren(...(this.rows.length + problems.length === 0 ? [] : [make("table", {},
        make("thead", {}, head), make("tbody", {}, ...this.rows.map(({ row }) => row), ...problems))]));
  }

  private legendRow(series: DrawnSeries): LegendRow {
    const name = series.target;
    const known = series.values.filter((value): value is number => value !== null);
    const last = known.length > 0 ? known[known.length - 1]! : null;
    const swatch = make("span", { class: "swatch", "aria-hidden": "true" });
    swatch.style.backgroundColor = this.color(name);
    const toggle = make("button", {
      type: "button", class: "series-name", "aria-pressed": String(!this.hidden.has(name)), title: name,
    }, swatch, make("span", { class: "label" }, name));
    toggle.addEventListener("click", () => this.toggle(name, toggle));
    const number = (value: number | null, extra: boolean) => make("td", {
      class: extra ? "number extra" : "number value", title: value === null ? "no value" : String(value),
    }, formatValue(value));
    const value = number(last, false);
    const mean = known.length > 0 ? known.reduce((sum, v) => sum + v, 0) / known.length : null;
    const row = make("tr", { "data-series": name, "data-last": last === null ? "" : String(last) },
        make("td", {}, toggle), value, number(known.length > 0 ? minimum(known) : null, true), number(mean, true),
        number(known.length > 0 ? -minimum(known.map((v) => -v)) : null, true),
        make("td", { class: "end" }, this.removeButton(series.origin)));
    return { row, value, last };
  }

  private removeButton(target: string): HTMLElement {
    const label = `Remove ${target}`;
    const button = make("button", { type: "button", class: "icon", "aria-label": label, title: label }, "×");
    button.addEventListener("click", () => this.events.onRemove(target));
    return button;
  }

  private toggle(name: string, button: HTMLElement): void {
    const show = this.hidden.has(name);
    if (show) this.hidden.delete(name);
    else this.hidden.add(name);
    button.setAttribute("aria-pressed", String(show));
    const index = this.series.findIndex(({ target }) => target === name);
    this.plot?.setSeries(index + 1, { show });
  }

  // The legend shows the values under the cursor, and the last ones when there is none.
  private onCursor(plot: uPlot): void {
    const index = plot.cursor.idx;
    const inside = index !== null && index !== undefined && (plot.cursor.left ?? -1) >= 0;
    if (this.when) this.when.textContent = inside ? formatTime(plot.data[0]![index]!).slice(5) : "Value";
    this.rows.forEach(({ value, last }, i) => {
      value.textContent = formatValue(inside ? plot.data[i + 1]?.[index] : last);
    });
  }
}

function css(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

// Spreading thousands of values into Math.min would overflow the stack.
function minimum(values: number[]): number {
  return values.reduce((least, value) => (value < least ? value : least));
}

// One time axis for series of different steps. A null is a gap; where a series has no slot the joined value is undefined,
// over which its line goes on.
function join(series: RenderedSeries[]): uPlot.AlignedData {
  return uPlot.join(series.map(({ times, values }) => [times, values] as uPlot.AlignedData));
}

// Points whose neighbours are both absent: no line would show them.
function lonePoints(plot: uPlot, seriesIndex: number, show: boolean): number[] | null {
  if (show) return null;
  const values = plot.data[seriesIndex]!;
  const slots: number[] = [];
  for (let i = 0; i < values.length; ++i) {
    if (values[i] !== undefined) slots.push(i);
  }
  const known = (slot: number | undefined) => slot !== undefined && values[slot] !== null;
  return slots.filter((slot, i) => known(slot) && !known(slots[i - 1]) && !known(slots[i + 1]));
}

// uPlot's own labels use a 12-hour clock. Columns: tick distance, label, and the label where year, month, day, hour,
// minute or second changes (null: none).
const kTimeLabels: (string | number | null)[][] = [
  [3600 * 24 * 365, "{YYYY}", null, null, null, null, null, null, 1],
  [3600 * 24 * 28, "{MMM}", "\n{YYYY}", null, null, null, null, null, 1],
  [3600 * 24, "{DD} {MMM}", "\n{YYYY}", null, null, null, null, null, 1],
  [60, "{HH}:{mm}", "\n{DD} {MMM}", null, "\n{DD} {MMM}", null, null, null, 1],
  [1, "{HH}:{mm}:{ss}", "\n{DD} {MMM}", null, "\n{DD} {MMM}", null, null, null, 1],
];
