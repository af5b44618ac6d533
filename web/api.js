// The server's API (docs/api.md): requests with the tab's API key, its errors, streamed answers.
import { serverSentEvents } from "./sse.js";

// An answer that is not a success. `status` is 0 where there was none; `code` is the API's;
// `retryAfter` is in seconds, or null.
export class ApiError extends Error {
  constructor(status, message, code = "", retryAfter = null) {
    super(message);
    this.status = status;
    this.code = code;
    this.retryAfter = retryAfter;
  }
}

export class Api {
  #apiKey = "";

  setApiKey(key) {
    this.#apiKey = key;
  }

  // The JSON of a GET.
  async get(path) {
    return (await this.#request("GET", path)).json();
  }

  async getText(path) {
    return (await this.#request("GET", path)).text();
  }

  // The JSON that a POST answers, with the admin key in the place of the tab's API key.
  async change(path, body, adminKey) {
    return (await this.#request("POST", path, { body, key: adminKey })).json();
  }

  // Streams the answer to `request` (see request.js): yields {stack} once, what ran as the header
  // llmpatch-stack says it; {text} for each piece; {finish} at the end; {usage} where it comes.
  async *answer({ path, body }, signal) {
    const response = await this.#request("POST", path, { body, signal });
    yield { stack: response.headers.get("llmpatch-stack") ?? "" };
    let finished = false;
    for await (const data of serverSentEvents(response.body)) {
      if (data === "[DONE]") {
        if (!finished) break;
        return;
      }
      const chunk = JSON.parse(data);
      if (chunk.error) throw new ApiError(0, chunk.error.message, chunk.error.code ?? "");
      if (chunk.usage) yield { usage: chunk.usage };
      const choice = chunk.choices?.[0];
      if (!choice) continue;
      const text = choice.delta ? choice.delta.content : choice.text;
      if (text) yield { text };
      if (choice.finish_reason) {
        finished = true;
        yield { finish: choice.finish_reason };
      }
    }
    throw new ApiError(0, "The server ended the answer before it was whole.");
  }

  async #request(method, path, { body, key = this.#apiKey, signal } = {}) {
    const headers = {};
    if (key !== "") headers.Authorization = `Bearer ${key}`;
    if (body !== undefined) headers["Content-Type"] = "application/json";
    let response;
    try {
      response = await fetch(path, {
        method, headers, signal, body: body && JSON.stringify(body), cache: "no-store", credentials: "omit",
      });
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw new ApiError(0, "The server could not be reached.");
    }
    if (response.ok) return response;
    const retryAfter = Number.parseInt(response.headers.get("Retry-After"), 10);
    const { error } = await response.json().catch(() => ({}));
    throw new ApiError(response.status, error?.message ?? response.statusText, error?.code ?? "",
                       Number.isNaN(retryAfter) ? null : retryAfter);
  }
}
