import { keep, kept } from "../storage";
import { en } from "./en";
import { zh } from "./zh";

/** Same keys as `T`, any text: what a translation has to provide. */
type Translated<T> = T extends string
  ? string
  : T extends (...args: infer A) => string
    ? (...args: A) => string
    : { readonly [K in keyof T]: Translated<T[K]> };

type Loose<T> = T extends readonly (readonly [RegExp, string])[] ? T : Translated<T>;

/** All texts of the page in one language. */
export type Strings = { readonly [K in keyof typeof en]: Loose<(typeof en)[K]> };

/** Languages of the page by the first part of their tag. */
export const LANGUAGES: Readonly<Record<string, Strings>> = { en, zh };

const KEY = "gfard.language";

/** Pick the first wanted language that the page speaks; English otherwise. */
export function pickStrings(wanted: readonly string[]): Strings {
  for (const tag of wanted) {
    const strings = LANGUAGES[tag.split("-")[0] ?? ""];
    if (strings) return strings;
  }
  return en;
}

/** Speak another language from now on: it is remembered, and the page is made anew in it. */
export function speak(language: string): void {
  keep(KEY, language);
  const address = new URL(location.href);
  address.searchParams.delete("lang");
  if (address.href === location.href) location.reload();
  else location.replace(address);
}

/** The address may name a language (`?lang=zh`), the visitor may have chosen one, the browser wants some. */
const wanted = [new URLSearchParams(location.search).get("lang"), kept(KEY), ...navigator.languages];

/** Texts of the page in the visitor's language. */
export const t: Strings = pickStrings(wanted.filter((tag) => tag !== null));

/** A sentence of the catalogue in the visitor's language, or as it is. */
export function served(sentence: string): string {
  const known = t.served.find(([pattern]) => pattern.test(sentence));
  return known ? sentence.replace(...known) : sentence;
}
