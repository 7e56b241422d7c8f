// Small helpers around the DOM. Text always goes in as text nodes: metric names come from anyone.

export function byId<T extends HTMLElement>(id: string): T {
  const element = document.getElementById(id);
  if (!element) throw new Error(`no element ${id}`);
  return element as T;
}

type Attributes = Record<string, string | number | boolean | undefined>;

// An element with attributes and children; `true` is an attribute without a value, `false` and undefined leave it out.
export function make<K extends keyof HTMLElementTagNameMap>(
    tag: K, attributes: Attributes = {}, ...children: (Node | string)[]): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === false) continue;
    element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children);
  return element;
}

// Shows `text` in an error box, or hides the box when there is none.
export function showError(box: HTMLElement, text: string | null): void {
  box.hidden = text === null;
  box.textContent = text ?? "";
}

export function debounce(delayMs: number, run: () => void): () => void {
  let timer = 0;
  return () => {
    window.clearTimeout(timer);
    timer = window.setTimeout(run, delayMs);
  };
}
