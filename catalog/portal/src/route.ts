/** Where in the portal the address leads: a page and what it is to show. */
export interface Route {
  readonly page: "home" | "datasets" | "search" | "calendar" | "cart" | "missing";
  /** What stands behind the page's name, such as the id of a data set. */
  readonly name: string;
  readonly query: URLSearchParams;
}

const PAGES = ["datasets", "search", "calendar", "cart"] as const;

/** Read the hash of an address, such as `#/search?tile=31TCL`. */
export function readRoute(hash: string): Route {
  const [path = "", query = ""] = split(hash.replace(/^#\/?/, ""), "?");
  const [first = "", name = ""] = split(path, "/");
  const page = first === "" ? "home" : (PAGES.find((one) => one === first) ?? "missing");
  return { page, name: decoded(name), query: new URLSearchParams(query) };
}

/** Address of a page within the portal, for links. */
export function link(page: Route["page"], name = "", query: URLSearchParams | string = ""): string {
  const path = page === "home" ? "" : page;
  const text = typeof query === "string" ? query : plain(query);
  return `#/${path}${name ? `/${encodeURIComponent(name)}` : ""}${text ? `?${text}` : ""}`;
}

/** A query with the characters left readable that a hash may hold. */
export function plain(query: URLSearchParams): string {
  return query.toString().replaceAll("%2F", "/").replaceAll("%2C", ",").replaceAll("%3A", ":").replaceAll("%3B", ";");
}

/** A name without its escapes; one that is written wrongly is as it stands, and nothing has it. */
function decoded(name: string): string {
  try {
    return decodeURIComponent(name);
  } catch {
    return name;
  }
}

function split(text: string, at: string): [string, string] {
  const place = text.indexOf(at);
  return place < 0 ? [text, ""] : [text.slice(0, place), text.slice(place + 1)];
}
