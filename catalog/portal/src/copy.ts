import { h, icon, on } from "./dom";
import { t } from "./strings";

/** How long a button says what came of it, in milliseconds. */
const SAID_MS = 2000;

/** A button that copies a text and says so. */
export function copyButton(label: string, text: () => string, spoken: string = label): HTMLButtonElement {
  const caption = h("span", {}, label);
  const button = h("button", { type: "button", class: "button small", "aria-label": spoken }, icon("copy"), caption);
  const say = (words: string): void => {
    caption.textContent = words;
    button.setAttribute("aria-label", words);
    setTimeout(() => {
      caption.textContent = label;
      button.setAttribute("aria-label", spoken);
    }, SAID_MS);
  };
  on(button, "click", () => {
    copy(text()).then(
      () => say(t.product.copied),
      () => say(t.product.copyFailed),
    );
  });
  return button;
}

async function copy(text: string): Promise<void> {
  if (!isSecureContext) return copyByField(text);
  await navigator.clipboard.writeText(text);
}

/** The clipboard interface exists only on https and localhost; a field works everywhere. */
function copyByField(text: string): void {
  const field = h("textarea", { class: "sr-only", "aria-hidden": "true" }, text);
  document.body.append(field);
  field.select();
  const done = document.execCommand("copy");
  field.remove();
  if (!done) throw new Error("copy refused");
}
