import { h } from "../dom";
import { t } from "../strings";

/** What is said of products whose files are published under another address, and what to do. */
export function awayNotice(origin: string): HTMLElement {
  const { title, visitor, operator } = t.away;
  const here = new URL(".", document.baseURI).href.replace(/\/$/, "");
  return h(
    "div",
    { class: "notice away", role: "status" },
    h("strong", {}, title),
    h("p", {}, visitor(origin)),
    h("p", {}, operator, " ", h("code", {}, `GFARD_PUBLIC_URL=${here} gfard publish`)),
  );
}
