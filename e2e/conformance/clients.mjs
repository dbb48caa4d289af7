// The clients that others already have, as they are.
import { createClient as createSSE } from "graphql-sse";
import { createClient as createWS } from "graphql-ws";
import WebSocket from "ws";
import { patience, sleep } from "./server.mjs";

const kinds = {
  "graphql-ws": (server) =>
    createWS({
      url: server.socketURL,
      webSocketImpl: WebSocket,
      connectionParams: server.credentials,
      retryAttempts: 0,
    }),
  "graphql-sse": (server) => createSSE({ url: server.url, headers: server.headers, retryAttempts: 0 }),
  "graphql-sse, single connection": (server) =>
    createSSE({
      url: server.url,
      singleConnection: true,
      headers: () => ({ ...server.headers }),
      retryAttempts: 0,
    }),
};

/** What a client tells of an operation: up to its first event for a subscription, else to its end. */
async function run(client, server, query) {
  const told = [];
  let over = false;
  const stop = client.subscribe(
    { query },
    {
      next: ({ data, errors }) => told.push(data ? "data" : errors ? "errors" : "neither"),
      error: (failure) => {
        told.push(Array.isArray(failure) ? "errors" : (failure.reason ?? failure.message));
        over = true;
      },
      complete: () => {
        over = true;
      },
    },
  );
  const follows = query.startsWith("subscription");
  const end = Date.now() + patience;
  while (!over && !(follows && told.length > 0) && Date.now() < end) {
    if (follows) await server.bringEvent();
    await sleep(20);
  }
  stop();
  if (follows) return told[0] ?? "nothing"; // it may have been brought more than one
  return [...told, over ? "" : "no end"].filter(Boolean).join(", ");
}

const operations = [
  { name: "query", want: "data", choose: ({ query }) => query },
  { name: "mutation", want: "data", choose: ({ mutation }) => mutation },
  { name: "subscription", want: "data", choose: ({ subscription }) => subscription },
  { name: "error", want: "errors", choose: () => "{ nOtHiNg }" },
];

export const lines = Object.entries(kinds).flatMap(([kind, create]) =>
  operations.map(({ name, want, choose }) => ({
    name: `${kind}: ${name}`,
    want,
    probe: async (server) => {
      const query = choose(server);
      if (query === undefined) return undefined;
      const client = create(server);
      try {
        return await run(client, server, query);
      } finally {
        await client.dispose();
      }
    },
  })),
);
