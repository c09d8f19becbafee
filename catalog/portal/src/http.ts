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
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new RequestError(t.errors.network, { cause: error });
  }
  if (!response.ok) {
    throw new RequestError(t.errors.status(response.status, await detail(response)));
  }
  return (await response.json()) as T;
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
