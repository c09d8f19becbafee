import { h } from "../dom";
import { link } from "../route";
import { t } from "../strings";
import type { Page } from "./page";

/** What an address without a page shows. */
export function missingPage(text: HTMLElement): Page {
  const element = h(
    "div",
    { class: "page narrow" },
    h("h1", {}, t.site.missingTitle),
    text,
    h("p", {}, h("a", { class: "button", href: link("home") }, t.site.toHome)),
  );
  return { element, show: () => undefined, title: () => t.site.missingTitle };
}
