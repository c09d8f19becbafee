import { fill, h, icon, on } from "../dom";
import { formatDate, formatPercent, formatTime } from "../format";
import type { Product } from "../product";
import type { Render } from "../renders";
import { pythonSnippet } from "../snippets";
import type { StacClient } from "../stac/client";
import type { State, Store } from "../state";
import { t } from "../strings";
import { copyButton, downloadList } from "./downloads";
import { classBar, factSections } from "./facts";
import { layerChooser } from "./layers";

export interface PanelEvents {
  close(): void;
  zoom(product: Product): void;
}

/** The panel of the selected product: map layers, files, facts. */
export class ProductPanel {
  readonly element = h("aside", { class: "product", "aria-label": t.product.region, hidden: true });

  constructor(
    private readonly client: StacClient,
    private readonly state: Store<State>,
    private readonly events: PanelEvents,
  ) {}

  hide(): void {
    this.element.hidden = true;
    this.element.replaceChildren();
  }

  showLoading(): void {
    this.put(h("p", { class: "product-note", role: "status" }, t.product.loading));
  }

  showError(message: string): void {
    this.put(h("div", { class: "notice", role: "alert" }, h("strong", {}, t.product.errorTitle), h("p", {}, message)));
  }

  /** Fill the panel; `takeFocus` moves the keyboard to its heading. */
  show(product: Product, renders: readonly Render[], takeFocus: boolean): void {
    const heading = h("h2", { tabindex: -1 }, `${product.camera} · ${product.tile}`);
    // Filled anew while the keyboard is inside, it would lose it.
    const focus = takeFocus || this.element.contains(document.activeElement);
    this.put(
      h(
        "header",
        { class: "product-head" },
        heading,
        h("p", {}, `${formatDate(product.time)}, ${formatTime(product.time)} UTC`),
        h("p", { class: "card-badges" }, ...this.badges(product)),
        h("p", { class: "product-id" }, product.id),
        this.actions(product),
      ),
      h(
        "div",
        { class: "product-body" },
        layerChooser(product, renders, this.state),
        classBar(product),
        this.files(product),
        ...factSections(product),
        this.api(product),
      ),
    );
    if (focus) heading.focus({ preventScroll: true });
    this.element.scrollTop = 0;
  }

  private put(...children: (HTMLElement | null)[]): void {
    const close = h("button", { type: "button", class: "icon-button close", "aria-label": t.product.close, title: t.product.close }, icon("close"));
    on(close, "click", () => this.events.close());
    fill(this.element, close, ...children);
    this.element.hidden = false;
  }

  private badges(product: Product): HTMLElement[] {
    const help = { nominal: t.quality.nominalHelp, degraded: t.quality.degradedHelp, unknown: "" }[product.quality];
    const badges = [h("span", { class: `badge badge-${product.quality}`, title: help }, t.quality[product.quality])];
    if (product.cloud !== null) {
      badges.unshift(h("span", { class: "badge badge-cloud" }, icon("cloud"), t.results.cloud(formatPercent(product.cloud))));
    }
    if (product.deprecated) badges.push(h("span", { class: "badge badge-deprecated" }, t.results.superseded));
    return badges;
  }

  private actions(product: Product): HTMLElement {
    const zoom = h("button", { type: "button", class: "button small" }, icon("frame"), t.product.zoom);
    const href = this.client.itemUrl(product.collection, product.id);
    const json = h(
      "a",
      { class: "button small", href, target: "_blank", rel: "noopener" },
      icon("external"),
      t.product.itemJson,
    );
    return h("p", { class: "actions" }, on(zoom, "click", () => this.events.zoom(product)), json);
  }

  private files(product: Product): HTMLElement {
    return h(
      "details",
      { class: "section", open: true },
      h("summary", {}, t.product.download),
      downloadList(product),
    );
  }

  private api(product: Product): HTMLElement {
    const code = pythonSnippet(this.client.root, product);
    return h(
      "details",
      { class: "section" },
      h("summary", {}, t.product.api),
      h("pre", { tabindex: 0 }, h("code", {}, code)),
      copyButton(t.product.copyCode, () => code),
    );
  }
}
