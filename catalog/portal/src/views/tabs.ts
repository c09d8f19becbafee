import { fill, h, on } from "../dom";

/** One tab: its key, its name and what it shows, made when it is first opened. */
export interface TabSpec {
  readonly key: string;
  readonly name: string;
  readonly content: () => HTMLElement;
}

let groups = 0;

/** A row of tabs with arrow keys, as the ARIA practices describe it; one panel below. */
export function tabs(label: string, specs: readonly TabSpec[], chosen: string, changed: (key: string) => void): HTMLElement {
  const group = `tabs-${++groups}`;
  const panel = h("div", { role: "tabpanel", id: `${group}-panel`, class: "tab-panel" });
  const made = new Map<string, HTMLElement>();
  const buttons = specs.map(({ key, name }) => {
    const id = `${group}-${key}`;
    return h("button", { type: "button", role: "tab", id, "aria-controls": panel.id, "data-key": key }, name);
  });
  const open = (spec: TabSpec): void => {
    buttons.forEach((button) => {
      const current = button.dataset["key"] === spec.key;
      button.setAttribute("aria-selected", String(current));
      button.tabIndex = current ? 0 : -1;
      if (current) panel.setAttribute("aria-labelledby", button.id);
    });
    const content = made.get(spec.key) ?? spec.content();
    made.set(spec.key, content);
    fill(panel, content);
  };
  buttons.forEach((button, index) => {
    on(button, "click", () => {
      const spec = specs[index];
      if (!spec) return;
      open(spec);
      changed(spec.key);
    });
    on(button, "keydown", (event) => {
      const moves: Record<string, number> = { ArrowRight: index + 1, ArrowLeft: index - 1, Home: 0, End: specs.length - 1 };
      const to = moves[event.key];
      if (to === undefined) return;
      event.preventDefault();
      const next = buttons[(to + specs.length) % specs.length];
      next?.focus();
      next?.click();
    });
  });
  const first = specs.find(({ key }) => key === chosen) ?? specs[0];
  if (first) open(first);
  return h("div", { class: "tabs" }, h("div", { role: "tablist", "aria-label": label }, ...buttons), panel);
}
