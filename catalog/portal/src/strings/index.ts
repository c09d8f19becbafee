import { en } from "./en";

/** Same keys as `T`, any text: what a translation has to provide. */
type Translated<T> = T extends string
  ? string
  : T extends (...args: infer A) => string
    ? (...args: A) => string
    : { readonly [K in keyof T]: Translated<T[K]> };

export type Strings = Translated<typeof en>;

const languages: Record<string, Strings> = { en };

/** Pick the first language of the visitor that the page speaks; English otherwise. */
export function pickStrings(wanted: readonly string[]): Strings {
  for (const tag of wanted) {
    const strings = languages[tag.split("-")[0] ?? ""];
    if (strings) return strings;
  }
  return en;
}

/** Texts of the page in the visitor's language. */
export const t: Strings = pickStrings(navigator.languages);
