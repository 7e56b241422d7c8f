// The nodes of the cluster with their state.

import { Cluster, clusterNodes, ClusterNode } from "./api";
import { byId, make, showError } from "./dom";
import { formatBytes, formatCount, formatValue } from "./format";

const kIntervalMs = 5_000;

const kStates: Record<string, { label: string; kind: string }> = {
  up: { label: "up", kind: "good" },
  catching_up: { label: "catching up", kind: "warn" },
  down: { label: "down", kind: "bad" },
};

interface Sample {
  atMs: number;
  points: number;
}

export class NodesPanel {
  private readonly list = byId("nodes");
  private readonly error = byId("nodes-error");
  private readonly summary = byId("nodes-summary");
  private readonly title = byId("cluster");
  // What each node had written when last asked, for the rate.
  private samples = new Map<string, Sample>();

  start(): void {
    void this.poll();
  }

  private async poll(): Promise<void> {
    if (!document.hidden) {
      try {
        this.show(await clusterNodes());
        showError(this.error, null);
      } catch (error) {
        showError(this.error, `No word on the nodes: ${(error as Error).message}`);
      }
    }
    window.setTimeout(() => void this.poll(), kIntervalMs);
  }

  private show(cluster: Cluster): void {
    this.title.textContent = cluster.name;
    this.title.title = `Cluster ${cluster.name}, topology epoch ${cluster.epoch}`;
    const up = cluster.nodes.filter((node) => node.state === "up").length;
    this.summary.textContent = `${up} of ${cluster.nodes.length} up`;
    const now = performance.now();
    const samples = new Map<string, Sample>();
    this.list.replaceChildren(...cluster.nodes.map((node) => {
      const before = this.samples.get(node.name);
      const points = node.pointsWritten;
      if (points === null) return this.card(node, null);
      samples.set(node.name, { atMs: now, points });
      // Fewer than before: the node has started anew.
      const known = before !== undefined && points >= before.points;
      return this.card(node, known ? (points - before.points) / Math.max(0.001, (now - before.atMs) / 1000) : null);
    }));
    this.samples = samples;
  }

  private card(node: ClusterNode, rate: number | null): HTMLElement {
    const state = kStates[node.state] ?? { label: node.state, kind: "warn" };
    const facts: [string, string][] = [
      ["Series", formatCount(node.series)],
      ["Points written", formatCount(node.pointsWritten)],
      ["Points/s", rate === null ? "–" : formatValue(Number(rate.toPrecision(3)))],
    ];
    if (node.spoolBytes > 0) facts.push(["Waiting for it", formatBytes(node.spoolBytes)]);
    const head = make("div", { class: "node-head" }, make("strong", {}, node.name),
                      make("span", { class: `pill ${state.kind}` }, state.label));
    if (node.readOnly) head.append(make("span", { class: "pill warn" }, "read-only"));
    const where = node.zone === "" ? node.address : `${node.address} · zone ${node.zone}`;
    const trouble = node.trouble === "" ? [] : [make("div", { class: "trouble" }, node.trouble)];
    return make("article", { class: "node", "data-node": node.name, "data-state": node.state }, head,
                make("div", { class: "muted where", title: where }, where),
                make("dl", {}, ...facts.map(([term, fact]) => make("div", {}, make("dt", {}, term), make("dd", {}, fact)))),
                ...trouble);
  }
}
