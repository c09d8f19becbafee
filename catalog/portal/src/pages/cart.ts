import { MAX_CHOSEN, type Cart, type Chosen } from "../cart";
import type { Catalog } from "../catalog";
import { copyButton } from "../copy";
import { fill, h, icon, on } from "../dom";
import { COMMANDS, exportCommand, FORMATS, saveExport, TABLES, type ExportRequest, type Format } from "../exports";
import { formatDate, formatSize } from "../format";
import { messageOf } from "../http";
import { decodeFilters } from "../permalink";
import { DATA_FILES, productName } from "../product";
import { link, plain, type Route } from "../route";
import { conditions } from "../stac/query";
import type { StacCollection } from "../stac/types";
import { t } from "../strings";
import { spokenConditions } from "../views/conditions";
import type { Page } from "./page";

const SEARCH = "search";
const ITEMS = "items";
const START_FORMAT: Format = "aria2";
const START_FILES: readonly string[] = ["SR", "mask"];

/** What is to be listed: the cart, all that a search finds, or products that a link names. */
type Subject =
  | { readonly kind: "cart" }
  | { readonly kind: "search"; readonly query: URLSearchParams }
  | { readonly kind: "items"; readonly ids: readonly string[] };

/** Downloads: the products of the cart, or all that a search finds, as a list in a chosen form. */
export class CartPage implements Page {
  readonly element = h("div", { class: "page" });
  private format: Format = START_FORMAT;
  private files: ReadonlySet<string> = new Set(START_FILES);
  private subject: Subject = { kind: "cart" };
  private readonly listed = h("div", {});
  private readonly total = h("p", { class: "count", role: "status" });
  private readonly said = h("p", { class: "note", role: "status" });
  private readonly usage = h("div", { class: "usage" });
  private readonly save = h("button", { type: "button", class: "button primary" }, icon("download"), t.cart.save);

  constructor(private readonly catalog: Catalog, private readonly cart: Cart) {
    on(this.save, "click", () => void this.saveList());
    cart.state.subscribe(() => this.refresh());
  }

  title(): string {
    return t.cart.heading;
  }

  show({ query }: Route): void {
    this.subject = subjectOf(query);
    this.format = FORMATS.find((one) => one === query.get("format")) ?? START_FORMAT;
    const files = query.get("files");
    this.files = new Set(files === null ? START_FILES : files.split(","));
    fill(this.element, h("h1", {}, t.cart.heading), this.listed);
    this.refresh();
  }

  private refresh(): void {
    const { chosen } = this.cart.state.get();
    const { subject } = this;
    if (subject.kind === "cart" && chosen.length === 0) {
      fill(this.listed, empty());
      return;
    }
    fill(
      this.listed,
      h("p", { class: "lead" }, t.cart.intro),
      h("div", { class: "cart-columns" }, this.part(subject, chosen), this.form()),
    );
    this.summarise();
  }

  private part(subject: Subject, chosen: readonly Chosen[]): HTMLElement {
    if (subject.kind === "search") return this.searchPart(subject.query);
    return subject.kind === "items" ? itemsPart(subject.ids) : this.products(chosen);
  }

  private products(chosen: readonly Chosen[]): HTMLElement {
    const rows = chosen.map((one) => {
      const name = `${one.camera} · ${one.tile} · ${formatDate(new Date(one.time))}`;
      const remove = h("button", { type: "button", class: "icon-button", "aria-label": t.cart.removeOf(name), title: t.cart.remove }, icon("close"));
      on(remove, "click", () => this.cart.remove(one.id));
      const place = `item=${one.collection}/${one.id}&tile=${one.tile}`;
      return h("li", {}, h("a", { href: link("search", "", place) }, h("strong", {}, name), h("span", {}, one.id)), remove);
    });
    const share = copyButton(t.product.copyLink, () => new URL(itemsLink(chosen), location.href).href);
    const clear = on(h("button", { type: "button", class: "link" }, t.cart.clear), "click", () => this.cart.clear());
    return h(
      "section",
      { class: "cart-list" },
      h("h2", {}, t.cart.products(chosen.length)),
      chosen.length < MAX_CHOSEN ? null : h("p", { class: "note" }, t.cart.full(MAX_CHOSEN)),
      h("ul", {}, ...rows),
      h("p", { class: "actions" }, share, clear),
    );
  }

  private searchPart(query: URLSearchParams): HTMLElement {
    const filters = decodeFilters(query);
    const heading = h("h2", {}, t.cart.search);
    const asked = h("dl", { class: "facts wide" });
    void this.catalog.collections().catch((): readonly StacCollection[] => []).then((known) => {
      const spoken = spokenConditions(filters, known);
      const rows = spoken.length > 0 ? spoken : [[t.cart.conditions, t.cart.noCondition] as const];
      fill(asked, ...rows.flatMap(([name, words]) => [h("dt", {}, name), h("dd", {}, words)]));
    });
    this.catalog.client.count(conditions(filters, null), new AbortController().signal).then(
      (count) => count !== null && (heading.textContent = `${t.cart.search}: ${t.cart.products(count)}`),
      (error: unknown) => console.warn("not counted", error), // the list can be made all the same
    );
    const back = h("a", { class: "button small", href: link("search", "", query) }, t.cart.back);
    return h("section", { class: "cart-list" }, heading, h("p", {}, t.cart.searchNote), asked, h("p", {}, back));
  }

  private form(): HTMLElement {
    const formats = FORMATS.map((format) => {
      const [name, text] = t.cart.formats[format] ?? [format, ""];
      const radio = h("input", { type: "radio", name: "format", value: format, checked: format === this.format });
      on(radio, "change", () => {
        this.format = format;
        this.chosen();
      });
      return h("label", { class: "option" }, radio, h("span", {}, h("strong", {}, name), h("small", {}, text)));
    });
    const files = DATA_FILES.map((key) => {
      const box = h("input", { type: "checkbox", value: key, checked: this.files.has(key) });
      on(box, "change", () => {
        this.files = new Set(DATA_FILES.filter((one) => (one === key ? box.checked : this.files.has(one))));
        this.chosen();
      });
      return h("label", { class: "check" }, box, h("span", {}, h("code", {}, key), " ", t.assets[key] ?? ""));
    });
    return h(
      "section",
      { class: "cart-form" },
      h("fieldset", { class: "files" }, h("legend", {}, t.cart.files), ...files),
      h("fieldset", { class: "formats" }, h("legend", {}, t.cart.form), ...formats),
      this.total,
      h("p", { class: "actions" }, this.save),
      this.said,
      this.usage,
    );
  }

  /** What is to be listed, and how, stands in the address. */
  private chosen(): void {
    const query = subjectQuery(this.subject);
    if (this.format !== START_FORMAT) query.set("format", this.format);
    const files = [...this.files].join(",");
    if (files !== START_FILES.join(",")) query.set("files", files);
    history.replaceState(null, "", link("cart", "", query));
    this.summarise();
  }

  private request(): ExportRequest {
    const { subject } = this;
    const ids = subject.kind === "items" ? subject.ids : this.cart.state.get().chosen.map(({ id }) => id);
    const search = subject.kind === "search" ? conditions(decodeFilters(subject.query), null) : { ids };
    const all = this.files.size === DATA_FILES.length || TABLES.includes(this.format);
    return { search, format: this.format, assets: all ? [] : DATA_FILES.filter((key) => this.files.has(key)) };
  }

  private summarise(): void {
    const table = TABLES.includes(this.format);
    this.element.querySelector(".files")?.toggleAttribute("disabled", table);
    this.save.disabled = !table && this.files.size === 0;
    const sizes = this.cart.state.get().chosen.flatMap((one) =>
      Object.entries(one.sizes).filter(([key]) => this.files.has(key)).map(([, size]) => size));
    const volume = sizes.reduce((sum, size) => sum + size, 0);
    this.total.textContent = this.subject.kind !== "cart" || table ? "" : t.cart.total(formatSize(volume), sizes.length);
    this.said.textContent = "";
    const command = COMMANDS[this.format];
    const ask = copyButton(t.cart.copyCommand, () => exportCommand(this.catalog.config.stac, this.request()));
    fill(this.usage, command ? h("p", {}, `${t.cart.use} `, h("code", {}, command)) : null, ask);
  }

  private async saveList(): Promise<void> {
    this.said.textContent = t.cart.saving;
    this.save.disabled = true;
    try {
      await saveExport(this.catalog.config.stac, this.request());
      this.said.textContent = t.cart.saved;
    } catch (error) {
      this.said.textContent = `${t.cart.failed} ${messageOf(error)}`;
    }
    this.save.disabled = false;
  }
}

function subjectOf(query: URLSearchParams): Subject {
  if (query.has(SEARCH)) return { kind: "search", query: new URLSearchParams(query.get(SEARCH) ?? "") };
  if (query.has(ITEMS)) return { kind: "items", ids: (query.get(ITEMS) ?? "").split(",") };
  return { kind: "cart" };
}

function subjectQuery(subject: Subject): URLSearchParams {
  if (subject.kind === "search") return new URLSearchParams({ [SEARCH]: plain(subject.query) });
  return new URLSearchParams(subject.kind === "items" ? { [ITEMS]: subject.ids.join(",") } : {});
}

/** Address of the downloads of chosen products, for other people. */
function itemsLink(chosen: readonly Chosen[]): string {
  return link("cart", "", subjectQuery({ kind: "items", ids: chosen.map(({ id }) => id) }));
}

/** Address of the downloads of a search. */
export function exportLink(filters: URLSearchParams): string {
  return link("cart", "", subjectQuery({ kind: "search", query: filters }));
}

function itemsPart(ids: readonly string[]): HTMLElement {
  return h(
    "section",
    { class: "cart-list" },
    h("h2", {}, t.cart.products(ids.length)),
    h("ul", {}, ...ids.map((id) => h("li", {}, h("div", {}, h("strong", {}, productName(id)), h("span", {}, id))))),
  );
}

function empty(): HTMLElement {
  return h("div", { class: "notice" }, h("p", {}, t.cart.empty), h("a", { class: "button", href: link("search") }, icon("search"), t.cart.toSearch));
}
