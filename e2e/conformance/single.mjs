// The checklist of graphql-sse's single connection mode.
// https://github.com/enisdenjo/graphql-sse/blob/master/PROTOCOL.md#single-connection-mode
import { patience, settling, sleep } from "./server.mjs";
import { Stream } from "./sse.mjs";

/** A reservation, and the requests that show it. */
class Reservation {
  static async make(server) {
    const reservation = new Reservation();
    reservation.server = server;
    const response = await reservation.send("PUT");
    if (response.status !== 201) throw new Error(`PUT: ${response.status}`);
    reservation.token = await response.text();
    return reservation;
  }

  send(method, { search = "", headers = {}, body, signal = AbortSignal.timeout(patience) } = {}) {
    const shown = this.token === undefined ? {} : { "x-graphql-event-stream-token": this.token };
    const typed = body === undefined ? {} : { "content-type": "application/json" };
    return fetch(this.server.url + search, {
      method,
      headers: { ...this.server.headers, ...shown, ...typed, ...headers },
      body: body === undefined ? undefined : JSON.stringify(body),
      signal,
    });
  }

  open() {
    return Stream.of((signal) => this.send("GET", { headers: { accept: "text/event-stream" }, signal }));
  }

  async run(operationId, query) {
    const { status } = await this.send("POST", { body: { query, extensions: { operationId } } });
    return status;
  }
}

/** Runs a probe on a reservation and, if it is wanted, its stream. */
function reserved(probe, { open = true } = {}) {
  return async (server) => {
    const reservation = await Reservation.make(server);
    const stream = open ? await reservation.open() : undefined;
    try {
      return await probe(reservation, stream);
    } finally {
      stream?.abort.abort();
    }
  };
}

/** What was told of an operation, once so many events are there, or it has been patient enough. */
async function told(stream, id, count) {
  const of = ({ messages }) => messages.filter(({ data }) => data?.id === id);
  await stream.until((s) => of(s).length >= count);
  await sleep(settling);
  return of(stream)
    .map(({ event, data }) => `${event}${data.payload ? (data.payload.data ? " data" : " errors") : ""}`)
    .join(", ");
}

/** Brings events until an operation tells of one. */
async function firstEvent(server, stream, id) {
  for (let tries = 0; tries < 5; tries++) {
    await server.bringEvent();
    const find = ({ messages }) => messages.find(({ data }) => data?.id === id);
    await stream.until(find, patience / 5);
    if (find(stream)) return find(stream).event;
  }
  return "nothing";
}

const status = (sending) => async (server) => {
  const reservation = new Reservation();
  reservation.server = server;
  return String((await sending(reservation)).status);
};

const operation = (operationId, query) => ({ body: { query, extensions: { operationId } } });

export const lines = [
  {
    name: "PUT reserves a stream",
    want: "201 text/plain, with a token",
    probe: status(async (r) => {
      const response = await r.send("PUT");
      const media = response.headers.get("content-type")?.split(";")[0];
      const token = await response.text();
      return { status: `${response.status} ${media}${token ? ", with a token" : ""}` };
    }),
  },
  {
    name: "PUT that takes no text",
    want: "406",
    probe: status((r) => r.send("PUT", { headers: { accept: "application/json" } })),
  },
  {
    name: "PUT while the stream is open",
    want: "409",
    probe: reserved(async (r) => String((await r.send("PUT")).status)),
  },
  {
    name: "GET opens it",
    want: "200 text/event-stream",
    probe: reserved((_, stream) => stream.head),
  },
  {
    name: "GET with the token in the query",
    want: "200",
    probe: reserved(
      async (r) => {
        const headers = { accept: "text/event-stream", "x-graphql-event-stream-token": "" };
        const abort = new AbortController();
        const response = await r.send("GET", { search: `?token=${r.token}`, headers, signal: abort.signal });
        abort.abort();
        return String(response.status);
      },
      { open: false },
    ),
  },
  {
    name: "GET while it is open",
    want: "409",
    probe: reserved(async (r) => (await r.open()).head.split(" ")[0]),
  },
  {
    name: "query: accepted, then next and complete with its id",
    want: "202: next data, complete",
    probe: reserved(
      async (r, stream) => `${await r.run("1", r.server.query)}: ${await told(stream, "1", 2)}`,
    ),
  },
  {
    name: "mutation",
    want: "202: next data, complete",
    probe: reserved(
      async (r, stream) => `${await r.run("1", r.server.mutation)}: ${await told(stream, "1", 2)}`,
    ),
  },
  {
    name: "subscription",
    want: "202: next",
    probe: reserved(async (r, stream) => {
      if (r.server.subscription === undefined) return undefined;
      return `${await r.run("1", r.server.subscription)}: ${await firstEvent(r.server, stream, "1")}`;
    }),
  },
  {
    name: "what is told between POST and a late GET",
    want: "202: next data, complete",
    probe: reserved(
      async (r) => {
        const accepted = await r.run("1", r.server.query);
        const stream = await r.open();
        const story = await told(stream, "1", 2);
        stream.abort.abort();
        return `${accepted}: ${story}`;
      },
      { open: false },
    ),
  },
  {
    name: "POST without operationId",
    want: "400",
    probe: reserved(async (r) => String((await r.send("POST", { body: { query: r.server.query } })).status)),
  },
  {
    name: "POST with the id of an active operation",
    want: "202, 409",
    probe: reserved(async (r) => {
      if (r.server.subscription === undefined) return undefined;
      return `${await r.run("1", r.server.subscription)}, ${await r.run("1", r.server.query)}`;
    }),
  },
  {
    name: "an id that has completed is free",
    want: "202, 202: next data, complete, next data, complete",
    probe: reserved(async (r, stream) => {
      const first = await r.run("1", r.server.query);
      await told(stream, "1", 2);
      return `${first}, ${await r.run("1", r.server.query)}: ${await told(stream, "1", 4)}`;
    }),
  },
  {
    name: "DELETE ends an operation, and its id is free",
    want: "200, 202",
    probe: reserved(async (r) => {
      if (r.server.subscription === undefined) return undefined;
      await r.run("1", r.server.subscription);
      const { status } = await r.send("DELETE", { search: "?operationId=1" });
      return `${status}, ${await r.run("1", r.server.subscription)}`;
    }),
  },
  {
    name: "DELETE without operationId",
    want: "400",
    probe: reserved(async (r) => String((await r.send("DELETE")).status)),
  },
  {
    name: "DELETE without a reservation",
    want: "404",
    probe: status((r) => r.send("DELETE", { search: "?operationId=1" })),
  },
  {
    name: "POST with an unknown token",
    want: "404",
    probe: status((r) => {
      r.token = "unknown";
      return r.send("POST", operation("1", r.server.query));
    }),
  },
];
