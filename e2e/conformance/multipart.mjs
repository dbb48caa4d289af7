// The checklist of Apollo's multipart protocol for subscriptions over HTTP, and what proxies need.
// https://www.apollographql.com/docs/graphos/routing/operations/subscriptions/multipart-protocol
import { heartbeat, patience } from "./server.mjs";

/** What Apollo Client accepts for a subscription, and who takes nothing but multipart responses. */
const apollo =
  "multipart/mixed;boundary=graphql;subscriptionSpec=1.0,application/graphql-response+json,application/json;q=0.9";
const nothingElse = "multipart/mixed;subscriptionSpec=1.0";

/** How long to wait for a head, which has no reason to wait for anything. */
const headTime = Math.min(patience, 2 * heartbeat);

/** A response: its head, and the parts that come by it, each known by the delimiter behind it. */
class Response {
  #parts = [];
  #text = "";
  #end = "";

  static async open(server, accept, query) {
    const opened = new Response();
    opened.abort = new AbortController();
    const giveUp = setTimeout(() => opened.abort.abort(new Error("no head")), headTime);
    opened.head = await fetch(server.url, {
      method: "POST",
      headers: { "content-type": "application/json", accept, ...server.headers },
      body: JSON.stringify({ query }),
      signal: opened.abort.signal,
    });
    clearTimeout(giveUp);
    opened.#read().catch(() => {}); // it was hung up
    return opened;
  }

  async #read() {
    const delimiter = `\r\n--${/boundary="?([^";]+)/.exec(this.contentType)?.[1] ?? "-"}`;
    this.#text = "\r\n"; // the first delimiter may do without
    for await (const bytes of this.head.body.pipeThrough(new TextDecoderStream())) {
      this.#text += bytes;
      const pieces = this.#text.split(delimiter);
      this.#text = pieces.pop();
      this.#parts.push(...pieces.filter((piece) => piece.trim() !== ""));
      if (this.#text.startsWith("--")) this.#end = "end";
    }
    this.#end ||= "cut off";
  }

  async until(condition, milliseconds = patience) {
    const end = Date.now() + milliseconds;
    while (!condition(this) && this.#end === "" && Date.now() < end) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  get contentType() {
    return this.head.headers.get("content-type") ?? "";
  }

  get status() {
    return `${this.head.status} ${this.contentType.split(";")[0]}`;
  }

  /** What the parts so far say, apart from those of extensions alone. */
  get told() {
    return this.#parts.map(bodyOf).map(name).filter(Boolean);
  }

  get types() {
    const types = this.#parts.map((part) => /^content-type: *([^;\r\n]*)/im.exec(part)?.[1] ?? "none");
    return [...new Set(types)].join(", ");
  }

  count(what) {
    return this.told.filter((word) => word === what).length;
  }

  /** The head and all that is told, once the response has ended. */
  async story() {
    await this.until(() => false);
    return `${this.status}: ${[...this.told.filter((word) => word !== "{}"), this.#end || "still open"].join(", ")}`;
  }
}

function bodyOf(part) {
  const body = part.slice(part.indexOf("\r\n\r\n") + 4);
  try {
    return JSON.parse(body);
  } catch {
    return "not JSON";
  }
}

function name(body) {
  if (Object.keys(body).length === 0) return "{}";
  if (body.errors) return "errors of the transport";
  if ("payload" in body) return body.payload?.errors ? "payload of errors" : "payload";
  return "data" in body || typeof body === "string" ? "no payload" : undefined;
}

/** Asks for an operation and runs a probe on the response, if the server has such an operation. */
function responses(accept, operation, probe) {
  return async (server) => {
    const query = operation(server);
    if (query === undefined) return undefined;
    const response = await Response.open(server, accept, query);
    try {
      return await probe(response, server);
    } finally {
      response.abort.abort();
    }
  };
}

const query = (server) => server.query;
const subscription = (server) => server.subscription;
const whole = (response) => response.story();
const media = ({ status }) => status;
const field = (name) => (response) => response.head.headers.get(name) ?? "nothing";

/** Brings events until one is told. No other may have to come to tell it. */
async function firstEvent(response, server) {
  const tells = () => response.count("payload") > 0;
  for (let tries = 0; tries < 5 && !tells(); tries++) {
    await server.bringEvent();
    await response.until(tells, patience / 5);
  }
  return `${response.status}: ${tells() ? "payload" : (response.told[0] ?? "nothing")}`;
}

const streaming = "200 multipart/mixed: payload";

export const lines = [
  { name: "subscription", want: streaming, probe: responses(apollo, subscription, firstEvent) },
  {
    name: "subscription, by who takes nothing else",
    want: streaming,
    probe: responses(nothingElse, subscription, firstEvent),
  },
  {
    name: "the response names the version",
    want: "1.0",
    probe: responses(
      apollo,
      subscription,
      ({ contentType }) => /subscriptionSpec="?([^";]+)/i.exec(contentType)?.[1] ?? "none",
    ),
  },
  {
    name: "a first part is there before any event",
    want: "200 multipart/mixed: {}",
    probe: responses(apollo, subscription, async (response) => {
      await response.until(({ told }) => told.length > 0, Math.min(patience, heartbeat / 2));
      return `${response.status}: ${response.told[0] ?? "nothing"}`;
    }),
  },
  {
    name: "parts are JSON by their heads",
    want: "application/json",
    probe: responses(apollo, subscription, async (response, server) => {
      await firstEvent(response, server);
      return response.types;
    }),
  },
  {
    name: "empty parts keep the connection alive",
    want: "parts",
    probe: responses(apollo, subscription, async (response) => {
      await response.until((r) => r.count("{}") > 2, 3 * heartbeat + patience);
      return response.count("{}") > 2 ? "parts" : "silence";
    }),
  },
  {
    name: "query, by who takes nothing else",
    want: "200 multipart/mixed: payload, end",
    probe: responses(nothingElse, query, whole),
  },
  {
    name: "document that isn't valid, by who takes nothing else",
    want: "200 multipart/mixed: payload of errors, end",
    probe: responses(nothingElse, () => "subscription { nOtHiNg }", whole),
  },
  {
    name: "document that isn't valid, by who takes JSON too",
    want: "400 application/graphql-response+json",
    probe: responses(apollo, () => "subscription { nOtHiNg }", media),
  },
  {
    name: "query, by who takes JSON too",
    want: "200 application/graphql-response+json",
    probe: responses(apollo, query, media),
  },
  {
    name: "@defer isn't taken for it",
    want: "406 application/json",
    probe: responses("multipart/mixed;deferSpec=20220824", subscription, media),
  },
  {
    name: "proxies neither keep nor change it",
    want: "no-cache, no-transform",
    probe: responses(apollo, subscription, field("cache-control")),
  },
  {
    name: "proxies don't hold it back (X-Accel-Buffering)",
    want: "no",
    probe: responses(apollo, subscription, field("x-accel-buffering")),
  },
];
