import type { Cart } from "../cart";
import { fill, h, icon, on } from "../dom";
import type { Product } from "../product";
import { t } from "../strings";

/** A button that puts a product in the cart and takes it out again. */
export function chooseButton(product: Product, cart: Cart): HTMLButtonElement {
  const button = h("button", { type: "button", class: "button small choose" });
  const show = (): void => {
    const chosen = cart.has(product.id);
    button.setAttribute("aria-pressed", String(chosen));
    fill(button, icon(chosen ? "check" : "cart"), chosen ? t.results.chosen : t.results.choose);
  };
  on(button, "click", () => {
    if (cart.has(product.id)) cart.remove(product.id);
    else cart.add([product]);
    show();
  });
  show();
  return button;
}
