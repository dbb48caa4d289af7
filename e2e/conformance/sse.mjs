// The checklist of graphql-sse's distinct connections mode, and what EventSource and proxies need.
// https://github.com/enisdenjo/graphql-sse/blob/master/PROTOCOL.md
import { heartbeat, patience } from "./server.mjs";

/** An event stream: its head, and the blocks that come by it. */
export class Stream {
  #blocks = [];
  #over = false;
  #text = "";

  static open(server, method, query, variables) {
    return Stream.of((signal) => request(server, method, { query, variables }, signal));
  }

  static async of(fetching) {
    const stream = new Stream();
    stream.abort = new AbortController();
    const giveUp = setTimeout(() => stream.abort.abort(new Error("no head")), patience);
    stream.response = await fetching(stream.abort.signal);
    clearTimeout(giveUp);
    stream.#read().catch(() => {}); // it was hung up
    return stream;
  }

  async #read() {
    for await (const bytes of this.response.body.pipeThrough(new TextDecoderStream())) {
      this.#text += bytes;
      const blocks = this.#text.split("\n\n");
      this.#text = blocks.pop();
      this.#blocks.push(...blocks);
    }
    this.#over = true;
  }

  async until(condition, milliseconds = patience) {
    const end = Date.now() + milliseconds;
    while (!condition(this) && !this.#over && Date.now() < end) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  get head() {
    const media = this.response.headers.get("content-type")?.split(";")[0];
    return `${this.response.status} ${media}`;
  }

  /** Types of the events so far. */
  get events() {
    return this.#blocks.flatMap((block) => /^event: ?(.*)$/m.exec(block)?.[1] ?? []);
  }

  /** The data of the events so far, with their types. */
  get messages() {
    return this.#blocks.flatMap((block) => {
      const event = /^event: ?(.*)$/m.exec(block)?.[1];
      const data = /^data: ?(.*)$/m.exec(block)?.[1];
      return event ? [{ event, data: data ? JSON.parse(data) : null }] : [];
    });
  }

  block(event) {
    return this.#blocks.find((block) => block.includes(`event: ${event}`));
  }

  get comments() {
    return this.#blocks.filter((block) => /^:/m.test(block)).length;
  }

  /** The head and all events, once the stream has ended. */
  async story() {
    await this.until(() => false);
    return [this.head, this.events.join(", "), this.#over ? "" : "still open"].filter(Boolean).join(": ");
  }
}

function request(server, method, operation, signal) {
  const headers = { accept: "text/event-stream", ...server.headers };
  if (method === "POST") {
    const body = JSON.stringify(operation);
    return fetch(server.url, {
      method,
      headers: { "content-type": "application/json", ...headers },
      body,
      signal,
    });
  }
  const url = new URL(server.url);
  url.searchParams.set("query", operation.query);
  if (operation.variables) url.searchParams.set("variables", JSON.stringify(operation.variables));
  return fetch(url, { method, headers, signal });
}

/** Opens a stream for an operation and runs a probe on it, if the server has such an operation. */
function streams(method, operation, probe) {
  return async (server) => {
    const query = operation(server);
    if (query === undefined) return undefined;
    const stream = await Stream.open(server, method, query);
    try {
      return await probe(stream, server);
    } finally {
      stream.abort.abort();
    }
  };
}

const query = (server) => server.query;
const mutation = (server) => server.mutation;
const subscription = (server) => server.subscription;
const whole = (stream) => stream.story();

/** Brings events until one comes: the head is there before the subscription has begun, perhaps. */
async function firstEvent(stream, server) {
  for (let tries = 0; tries < 5 && stream.events.length === 0; tries++) {
    await server.bringEvent();
    await stream.until(({ events }) => events.length > 0, patience / 5);
  }
  return `${stream.head}: ${stream.events[0] ?? "nothing"}`;
}

const answered = "200 text/event-stream: next, complete";
const streaming = "200 text/event-stream: next";

export const lines = [
  { name: "query by POST", want: answered, probe: streams("POST", query, whole) },
  { name: "query by GET", want: answered, probe: streams("GET", query, whole) },
  { name: "mutation by POST", want: answered, probe: streams("POST", mutation, whole) },
  {
    name: "mutation by GET",
    want: "405",
    probe: streams("GET", mutation, ({ response }) => String(response.status)),
  },
  { name: "subscription by POST", want: streaming, probe: streams("POST", subscription, firstEvent) },
  { name: "subscription by GET", want: streaming, probe: streams("GET", subscription, firstEvent) },
  {
    name: "the head is there before any event",
    want: "200 text/event-stream",
    probe: streams("POST", subscription, ({ head }) => head),
  },
  { name: "document that can't be parsed", want: answered, probe: streams("POST", () => "{", whole) },
  { name: "document that isn't valid", want: answered, probe: streams("POST", () => "{ nOtHiNg }", whole) },
  {
    name: "document that isn't valid, by GET",
    want: answered,
    probe: streams("GET", () => "{ nOtHiNg }", whole),
  },
  {
    name: "variable that doesn't fit",
    want: answered,
    probe: streams("POST", () => "query ($id: ID!) { __typename }", whole),
  },
  {
    name: "complete has a data field, without which EventSource never fires it",
    want: "event, data",
    probe: streams("POST", query, async (stream) => {
      await stream.story();
      const fields = stream.block("complete")?.split("\n") ?? [];
      return fields.map((field) => field.split(":")[0]).join(", ");
    }),
  },
  {
    name: "comments keep the connection alive",
    want: "comments",
    probe: streams("POST", subscription, async (stream) => {
      await stream.until(({ comments }) => comments > 1, 2 * heartbeat + patience);
      return stream.comments > 1 ? "comments" : "silence";
    }),
  },
  {
    name: "proxies neither keep nor change it",
    want: "no-cache, no-transform",
    probe: streams(
      "POST",
      subscription,
      ({ response }) => response.headers.get("cache-control") ?? "nothing",
    ),
  },
  {
    name: "proxies don't hold it back (X-Accel-Buffering)",
    want: "no",
    probe: streams(
      "POST",
      subscription,
      ({ response }) => response.headers.get("x-accel-buffering") ?? "nothing",
    ),
  },
];
