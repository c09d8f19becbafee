import { fill, h, on } from "../dom";
import { legend } from "../legends";
import type { Product } from "../product";
import type { Render } from "../renders";
import type { State, Store } from "../state";
import { t } from "../strings";

/** Choice of the render that the map shows of a product, its opacity and its legend. */
export function layerChooser(product: Product, renders: readonly Render[], state: Store<State>): HTMLElement {
  const { render: chosen, opacity } = state.get();
  const legendBox = h("div", { class: "legend-box", "aria-label": t.product.legend, role: "group" });
  const slider = h("input", { id: "l-opacity", type: "range", min: 0, max: 100, step: 5, value: opacity });
  const opacityRow = h(
    "div",
    { class: "opacity" },
    h("label", { for: "l-opacity" }, t.product.opacity),
    slider,
  );
  const showLegend = (name: string): void => {
    const render = renders.find((one) => one.name === name);
    fill(legendBox, render ? legend(product, render) : null);
    opacityRow.hidden = !render;
  };
  const choose = (name: string): void => {
    state.set({ render: name });
    showLegend(name);
  };
  const options = [...renders.map((one) => [one.name, one.title] as const), ["", t.product.layerOff] as const];
  const radios = options.map(([name, title]) => {
    const radio = h("input", { type: "radio", name: "render", value: name, checked: name === chosen });
    on(radio, "change", () => choose(name));
    return h("label", {}, radio, h("span", {}, title));
  });
  slider.style.setProperty("--filled", `${opacity}%`);
  on(slider, "input", () => {
    slider.style.setProperty("--filled", `${slider.value}%`);
    state.set({ opacity: Number(slider.value) });
  });
  showLegend(chosen);
  return h(
    "fieldset",
    { class: "layers" },
    h("legend", {}, t.product.layer),
    h("div", { class: "tiles" }, ...radios),
    opacityRow,
    legendBox,
  );
}
