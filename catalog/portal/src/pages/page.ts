import type { Route } from "../route";

/** One page of the portal; it is made once and shown whenever the address names it. */
export interface Page {
  readonly element: HTMLElement;
  /** Show what the address asks for; called again when only that changes. */
  show(route: Route): void;
  /** Title of the page as it is now. */
  title(): string;
  /** The visitor goes to another page. */
  leave?(): void;
}
