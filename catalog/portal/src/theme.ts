import { keep, kept } from "./storage";

/** Colour schemes that the page offers; "auto" follows the system. */
export const THEMES = ["auto", "light", "dark"] as const;
export type Theme = (typeof THEMES)[number];

const KEY = "gfard.theme";
const system = matchMedia("(prefers-color-scheme: dark)");
const listeners: (() => void)[] = [];

/** What the visitor chose. */
export function theme(): Theme {
  const chosen = kept(KEY);
  return THEMES.find((one) => one === chosen) ?? "auto";
}

/** The scheme that is shown. */
export function scheme(): "light" | "dark" {
  const chosen = theme();
  if (chosen !== "auto") return chosen;
  return system.matches ? "dark" : "light";
}

/** Choose a scheme from now on. */
export function setTheme(chosen: Theme): void {
  keep(KEY, chosen);
  apply();
}

/** Be told whenever the shown scheme may have changed. */
export function onScheme(listener: () => void): void {
  listeners.push(listener);
}

/** Bring the page into the chosen scheme and keep following the system. */
export function startTheme(): void {
  system.addEventListener("change", apply);
  apply();
}

function apply(): void {
  document.documentElement.dataset["theme"] = theme();
  for (const listener of listeners) listener();
}
