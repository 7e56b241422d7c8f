// The metric tree: children are asked for when a branch is opened. Keys as in the ARIA tree pattern.

import { findMetrics, FoundMetric } from "./api";
import { make } from "./dom";

// Of one branch; the rest comes with "more", so that a branch with 100,000 children opens in time.
const kChildrenShown = 300;

export interface TreeEvents {
  isPicked(path: string): boolean;
  onToggle(path: string): void;
}

export class MetricTree {
  constructor(private readonly root: HTMLElement, private readonly events: TreeEvents) {
    root.addEventListener("click", (event) => this.onClick(event));
    root.addEventListener("keydown", (event) => this.onKey(event));
  }

  async load(): Promise<void> {
    await this.fill(this.root, "", 1);
    this.rows()[0]?.setAttribute("tabindex", "0");
  }

  get isEmpty(): boolean {
    return this.rows().length === 0;
  }

  // Marks the rows of picked metrics.
  update(): void {
    for (const row of this.rows()) {
      if (row.dataset.leaf) row.setAttribute("aria-selected", String(this.events.isPicked(row.dataset.path ?? "")));
    }
  }

  // Opens every branch on the way to `path` and moves the focus there.
  async reveal(path: string): Promise<void> {
    const nodes = path.split(".");
    for (let depth = 1; depth <= nodes.length; ++depth) {
      const row = this.rows().find((candidate) =>
          candidate.dataset.path === nodes.slice(0, depth).join(".") && !candidate.dataset.leaf);
      if (!row) break;
      await this.open(row);
      if (depth === nodes.length) this.focus(row);
    }
  }

  private rows(): HTMLElement[] {
    return [...this.root.querySelectorAll<HTMLElement>("[role=treeitem]")];
  }

  private visibleRows(): HTMLElement[] {
    return this.rows().filter((row) => row.offsetParent !== null);
  }

  private async fill(container: HTMLElement, prefix: string, level: number): Promise<void> {
    container.setAttribute("aria-busy", "true");
    try {
      const found = await findMetrics(prefix === "" ? "*" : `${prefix}.*`);
      found.sort((a, b) => Number(a.isLeaf) - Number(b.isLeaf) || compareNames(a.path, b.path));
      container.replaceChildren();
      this.append(container, found, prefix, level);
      if (found.length === 0) {
        container.append(make("div", { class: "status" }, prefix === "" ? "No metrics yet." : "Nothing here."));
      }
    } catch (error) {
      const retry = make("button", { type: "button", class: "link" }, "try again");
      retry.addEventListener("click", () => void this.fill(container, prefix, level));
      container.replaceChildren(make("div", { class: "error" }, (error as Error).message + " – ", retry));
    } finally {
      container.removeAttribute("aria-busy");
    }
  }

  private append(container: HTMLElement, found: FoundMetric[], prefix: string, level: number): void {
    for (const metric of found.slice(0, kChildrenShown)) {
      // Some names have no last part of their own ("a..b"); such a row would be empty.
      const label = prefix === "" ? metric.path : metric.path.slice(prefix.length + 1);
      container.append(this.row(metric, label || metric.path, level));
      if (!metric.isLeaf) container.append(make("div", { role: "group", hidden: true }));
    }
    const rest = found.slice(kChildrenShown);
    if (rest.length === 0) return;
    const more = make("button", { type: "button", class: "link more" }, `${rest.length} more`);
    more.addEventListener("click", () => {
      more.remove();
      this.append(container, rest, prefix, level);
    });
    container.append(more);
  }

  private row(metric: FoundMetric, label: string, level: number): HTMLElement {
    const row = make("div", {
      role: "treeitem", tabindex: "-1", class: metric.isLeaf ? "row leaf" : "row branch", "aria-level": level,
      "aria-expanded": metric.isLeaf ? undefined : "false",
      "aria-selected": metric.isLeaf ? String(this.events.isPicked(metric.path)) : undefined,
      title: metric.path,
    }, make("span", { class: "mark", "aria-hidden": "true" }), make("span", { class: "label" }, label));
    row.style.setProperty("--level", String(level));
    row.dataset.path = metric.path;
    if (metric.isLeaf) row.dataset.leaf = "1";
    return row;
  }

  private group(row: HTMLElement): HTMLElement {
    return row.nextElementSibling as HTMLElement;
  }

  private async open(row: HTMLElement): Promise<void> {
    if (row.dataset.leaf || row.getAttribute("aria-expanded") === "true") return;
    row.setAttribute("aria-expanded", "true");
    const group = this.group(row);
    group.hidden = false;
    // Asked again at each opening: metrics come and go.
    await this.fill(group, row.dataset.path ?? "", Number(row.getAttribute("aria-level")) + 1);
  }

  private close(row: HTMLElement): void {
    row.setAttribute("aria-expanded", "false");
    this.group(row).hidden = true;
  }

  private activate(row: HTMLElement): void {
    if (row.dataset.leaf) {
      this.events.onToggle(row.dataset.path ?? "");
    } else if (row.getAttribute("aria-expanded") === "true") {
      this.close(row);
    } else {
      void this.open(row);
    }
  }

  private focus(row: HTMLElement | undefined): void {
    if (!row) return;
    for (const other of this.rows()) other.setAttribute("tabindex", other === row ? "0" : "-1");
    row.focus();
  }

  private onClick(event: MouseEvent): void {
    const row = (event.target as HTMLElement).closest<HTMLElement>("[role=treeitem]");
    if (!row) return;
    this.focus(row);
    this.activate(row);
  }

  private onKey(event: KeyboardEvent): void {
    const row = (event.target as HTMLElement).closest<HTMLElement>("[role=treeitem]");
    if (!row) return;
    const rows = this.visibleRows();
    const at = rows.indexOf(row);
    const expanded = row.getAttribute("aria-expanded");
    switch (event.key) {
      case "ArrowDown": this.focus(rows[at + 1]); break;
      case "ArrowUp": this.focus(rows[at - 1]); break;
      case "Home": this.focus(rows[0]); break;
      case "End": this.focus(rows[rows.length - 1]); break;
      case "ArrowRight":
        if (expanded === "false") void this.open(row);
        else if (expanded === "true") this.focus(rows[at + 1]);
        break;
      case "ArrowLeft":
        if (expanded === "true") this.close(row);
        else this.focus(this.parent(rows, at));
        break;
      case "Enter":
      case " ": this.activate(row); break;
      default: return;
    }
    event.preventDefault();
  }

  private parent(rows: HTMLElement[], at: number): HTMLElement | undefined {
    const level = Number(rows[at]?.getAttribute("aria-level"));
    return rows.slice(0, at).reverse().find((row) => Number(row.getAttribute("aria-level")) < level);
  }
}

// disk2 before disk10.
function compareNames(a: string, b: string): number {
  return a.localeCompare(b, "en", { numeric: true }) || (a < b ? -1 : 1);
}
