/** What is kept where the browser keeps nothing: for this visit alone. */
const visit = new Map<string, string>();

/** What an earlier visit left under a name; browsers may be told to keep nothing. */
export function kept(key: string): string | null {
  try {
    return localStorage.getItem(key);
  } catch {
    return visit.get(key) ?? null;
  }
}

/** Keep a text for later visits, where the browser lets us. */
export function keep(key: string, text: string): void {
  try {
    localStorage.setItem(key, text);
  } catch {
    visit.set(key, text);
  }
}
