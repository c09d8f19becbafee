import { t } from "./strings";

/** A request that failed, with a message fit for the visitor. */
export class RequestError extends Error {
  override name = "RequestError";
}

/** Fetch JSON; throws RequestError when the server is away or refuses, AbortError when aborted. */
export async function fetchJson<T>(url: string, init?: RequestInit): Promise<T> {
  let response: Response;
  try {
    response = await fetch(url, init);
  } catch (error) {
    throw told(error);
  }
  if (!response.ok) {
    throw new RequestError(t.errors.status(response.status, await detail(response)));
  }
  try {
    return (await response.json()) as T;
  } catch (error) {
    throw told(error); // what is no JSON comes from a proxy
  }
}

function told(error: unknown): unknown {
  return isAbort(error) ? error : new RequestError(t.errors.network, { cause: error });
}

/** What an error says to the visitor. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** True for the error that an aborted request ends with. */
export function isAbort(error: unknown): boolean {
  return error instanceof DOMException && error.name === "AbortError";
}

async function detail(response: Response): Promise<string> {
  const text = await response.text();
  try {
    const body = JSON.parse(text) as { detail?: unknown; description?: unknown };
    const message = body.detail ?? body.description;
    return typeof message === "string" ? message.slice(0, 160) : "";
  } catch {
    return ""; // an HTML error page of a proxy says nothing to a visitor
  }
}
