type Child = Node | string | null | false;
type Attributes = Readonly<Record<string, string | number | boolean | null>>;

/** Make an element; null and false attributes are left out, true ones are empty. */
export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  set(element, attributes);
  element.append(...present(children));
  return element;
}

/** Make an element of SVG. */
export function s<K extends keyof SVGElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: readonly Child[]
): SVGElementTagNameMap[K] {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  set(element, attributes);
  element.append(...present(children));
  return element;
}

/** Replace what an element holds. */
export function fill(element: Element, ...children: readonly Child[]): void {
  element.replaceChildren(...present(children));
}

/** Listen to an event of an element and hand the element back, for use inside `h`. */
export function on<E extends HTMLElement | SVGElement, K extends keyof HTMLElementEventMap>(
  element: E,
  type: K,
  listener: (event: HTMLElementEventMap[K]) => void,
): E {
  element.addEventListener(type, listener as EventListener);
  return element;
}

/** A link that opens in a new tab. */
export function outside(href: string, ...children: readonly Child[]): HTMLAnchorElement {
  return h("a", { href, target: "_blank", rel: "noopener" }, ...children);
}

/** A form control with its name above it. */
export function field(name: string, control: HTMLElement): HTMLElement {
  return h("div", { class: "field" }, h("label", { for: control.id }, name), control);
}

function set(element: Element, attributes: Attributes): void {
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== false) element.setAttribute(name, value === true ? "" : String(value));
  }
}

function present(children: readonly Child[]): (Node | string)[] {
  return children.filter((child): child is Node | string => child !== null && child !== false);
}

const PATHS = {
  calendar: "M4 6h16v14H4zM4 10h16M8 3v4M16 3v4",
  cart: "M4 5h2l2 10h9l2-7H7M9 19h.01M16 19h.01",
  chart: "M4 19h16M5 15l4-5 4 3 6-8",
  check: "M5 12.5l4.5 4.5L19 7.5",
  chevron: "M6 15l6-6 6 6",
  close: "M6 6l12 12M18 6L6 18",
  cloud: "M7 18h10a4 4 0 0 0 .6-7.95A6 6 0 0 0 6.1 11.6 3.3 3.3 0 0 0 7 18z",
  copy: "M9 9h10v11H9zM5 15V4h10",
  download: "M12 4v11m-5-5l5 5 5-5M5 20h14",
  external: "M14 5h5v5M19 5l-8 8M11 6H5v13h13v-6",
  frame: "M4 9V4h5M20 9V4h-5M4 15v5h5M20 15v5h-5",
  image: "M4 5h16v14H4zM4 16l5-5 4 4 2-2 5 5M15 9h.01",
  link: "M10 14a4 4 0 0 0 6 .4l3-3a4 4 0 0 0-5.6-5.6L12 7.2M14 10a4 4 0 0 0-6-.4l-3 3a4 4 0 0 0 5.6 5.6l1.4-1.4",
  plus: "M12 5v14M5 12h14",
  polygon: "M12 4l8 6-3 9H7l-3-9z",
  search: "M10.5 17a6.5 6.5 0 1 1 0-13 6.5 6.5 0 0 1 0 13zM15.5 15.5L20 20",
  theme: "M12 4a8 8 0 1 0 0 16zM12 4a8 8 0 0 1 0 16",
  upload: "M12 15V4m-5 5l5-5 5 5M5 20h14",
} as const;

export type IconName = keyof typeof PATHS;

/** A line icon of 24 units, hidden from screen readers: its button carries the name. */
export function icon(name: IconName): SVGSVGElement {
  return s("svg", { viewBox: "0 0 24 24", class: "icon", "aria-hidden": "true" }, s("path", { d: PATHS[name] }));
}
