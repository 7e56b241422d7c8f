// Search: words find names that hold them all, a pattern goes to the server's find, an expression can be drawn as it is.

import { findMetrics, FoundMetric, indexNames } from "./api";
import { debounce, make } from "./dom";
import { targetOf } from "./state";

const kResultsShown = 100;
// About 100,000 names. Clusters with more are searched level by level on the server.
const kIndexBytesMax = 6 << 20;
const kIndexAgeMsMax = 30_000;
const kLevelsMax = 8;

export interface SearchEvents {
  isPicked(target: string): boolean;
  onToggle(target: string): void;
  onReveal(path: string): void;
}

export class Search {
  private names: string[] | null = null;
  private namesAt = -kIndexAgeMsMax;
  private tooMany = false;
  private running: AbortController | null = null;

  constructor(private readonly input: HTMLInputElement, private readonly status: HTMLElement,
              private readonly results: HTMLElement, private readonly tree: HTMLElement,
              private readonly events: SearchEvents) {
    const later = debounce(180, () => void this.run());
    input.addEventListener("input", later);
    input.addEventListener("keydown", (event) => this.onInputKey(event));
    results.addEventListener("keydown", (event) => this.onResultKey(event));
  }

  clear(): void {
    this.input.value = "";
    void this.run();
  }

  // Marks the results that are picked.
  update(): void {
    for (const button of this.results.querySelectorAll<HTMLElement>("button[data-target]")) {
      button.setAttribute("aria-pressed", String(this.events.isPicked(button.dataset.target ?? "")));
    }
  }

  private async run(): Promise<void> {
    this.running?.abort();
    const text = this.input.value.trim();
    this.results.hidden = text === "";
    this.tree.hidden = text !== "";
    this.status.className = "status";
    this.status.textContent = "";
    if (text === "") return this.results.replaceChildren();
    const running = this.running = new AbortController();
    this.status.textContent = "Searching…";
    try {
      const rows = await this.find(text, running.signal);
      if (!running.signal.aborted) this.show(text, rows);
    } catch (error) {
      if (running.signal.aborted) return;
      this.results.replaceChildren();
      this.status.className = "status error";
      this.status.textContent = (error as Error).message;
    }
  }

  private async find(text: string, signal: AbortSignal): Promise<FoundMetric[]> {
    if (text.includes("(") || text.includes("\"")) return [];
    if (/[*?[{]/.test(text)) return findMetrics(text, signal);
    const words = text.toLowerCase().split(/\s+/);
    const names = await this.allNames(signal);
    if (names !== null) {
      return names.filter((name) => hasAll(name, words)).map((path) => ({ path, isLeaf: true }));
    }
    return this.findByLevel(words, signal);
  }

  private async allNames(signal: AbortSignal): Promise<string[] | null> {
    if (this.tooMany) return null;
    if (performance.now() - this.namesAt > kIndexAgeMsMax) {
      this.names = await indexNames(kIndexBytesMax, signal);
      this.namesAt = performance.now();
      this.tooMany = this.names === null;
    }
    return this.names;
  }

  // The longest word says most; the others filter what it finds.
  private async findByLevel(words: string[], signal: AbortSignal): Promise<FoundMetric[]> {
    const longest = words.reduce((a, b) => (b.length > a.length ? b : a));
    const found: FoundMetric[] = [];
    for (let level = 0; level < kLevelsMax && found.length <= kResultsShown; ++level) {
      const rows = await findMetrics(`${"*.".repeat(level)}*${longest}*`, signal);
      found.push(...rows.filter(({ path }) => hasAll(path, words)));
    }
    return found;
  }

  private show(text: string, rows: FoundMetric[]): void {
    const items: HTMLElement[] = [];
    const isExpression = /[*?[{("]/.test(text);
    if (isExpression) items.push(this.item(text, `Draw ${text}`, "expression", () => this.events.onToggle(text)));
    for (const { path, isLeaf } of rows.slice(0, kResultsShown)) {
      items.push(isLeaf ?
          this.item(targetOf(path), path, "leaf", () => this.events.onToggle(targetOf(path))) :
          this.item(null, `${path}.`, "branch", () => this.events.onReveal(path)));
    }
    this.results.replaceChildren(...items);
    const count = rows.length > kResultsShown ? `${rows.length} found, ${kResultsShown} shown` : `${rows.length} found`;
    this.status.textContent = isExpression && rows.length === 0 ? "" : count;
  }

  private item(target: string | null, label: string, kind: string, onClick: () => void): HTMLElement {
    const button = make("button", {
      type: "button", class: `row ${kind}`, title: label,
      "aria-pressed": target === null ? undefined : String(this.events.isPicked(target)),
    }, make("span", { class: "mark", "aria-hidden": "true" }), make("span", { class: "label" }, label));
    if (target !== null) button.dataset.target = target;
    button.addEventListener("click", onClick);
    return make("li", {}, button);
  }

  private onInputKey(event: KeyboardEvent): void {
    const first = this.results.querySelector<HTMLElement>("button");
    if (event.key === "Escape") this.clear();
    else if (event.key === "ArrowDown" && first) first.focus();
    else if (event.key === "Enter" && first) first.click();
    else return;
    event.preventDefault();
  }

  private onResultKey(event: KeyboardEvent): void {
    const buttons = [...this.results.querySelectorAll<HTMLElement>("button")];
    const at = buttons.indexOf(event.target as HTMLElement);
    if (event.key === "ArrowDown") buttons[at + 1]?.focus();
    else if (event.key === "ArrowUp") (buttons[at - 1] ?? this.input).focus();
    else if (event.key === "Escape") {
      this.clear();
      this.input.focus();
    } else return;
    event.preventDefault();
  }
}

function hasAll(name: string, words: string[]): boolean {
  const lower = name.toLowerCase();
  return words.every((word) => lower.includes(word));
}
