// The checklist of graphql-transport-ws (PROTOCOL.md of graphql-ws): one line for each thing that a
// server must do. https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md
import { hearEvent, on, Peer, subprotocol } from "./peer.mjs";
import { initTimeout, patience } from "./server.mjs";

const opened = (probe) => on((server) => Peer.open(server), probe);
const connected = (probe) => on((server) => Peer.connect(server), probe);

const subscribe = (id, query) => ({ type: "subscribe", id, payload: { query } });
const complete = (id) => ({ type: "complete", id });
const repeat = (times, ...messages) => Array.from({ length: times }, () => messages).flat();

const handshake = [
  {
    name: "the subprotocol is negotiated",
    want: subprotocol,
    probe: on(
      (server) => Peer.open(server, { subprotocols: ["something.else", subprotocol] }),
      (peer) => peer.socket.protocol,
    ),
  },
  {
    name: "none of the subprotocols offered",
    want: "4406",
    probe: on(
      (server) => Peer.open(server, { subprotocols: [] }),
      (peer) => peer.close(),
    ),
  },
  {
    name: "foreign Origin",
    want: "403",
    probe: on(
      (server) => Peer.open(server, { headers: { origin: "https://evil.example" } }),
      () => "welcome",
    ),
  },
];

const init = [
  {
    name: "connection_init",
    want: "connection_ack",
    probe: opened(async (peer, { credentials }) => {
      peer.init(credentials);
      await peer.hear("connection_ack");
      return peer.end();
    }),
  },
  {
    name: "no connection_init in time",
    want: "4408",
    probe: opened((peer) => peer.close(initTimeout + patience)),
  },
  {
    name: "second connection_init",
    want: "4429",
    probe: connected((peer, { credentials }) => {
      peer.init(credentials);
      return peer.close();
    }),
  },
  {
    name: "second connection_init right behind the first",
    want: "4429",
    probe: opened(async (peer, { credentials }) => {
      peer.init(credentials);
      peer.init(credentials);
      return peer.close();
    }),
  },
  {
    name: "connection_init with a bad token",
    want: "4403",
    probe: opened((peer, { token }) => {
      if (token === undefined) return undefined;
      peer.init({ Authorization: "Bearer nonsense" });
      return peer.close();
    }),
  },
  {
    name: 'connection_init with the payload "x"',
    want: "4400",
    probe: opened((peer) => {
      peer.init("x");
      return peer.close();
    }),
  },
  {
    name: "subscribe before connection_ack",
    want: "4401",
    probe: opened((peer, { query }) => {
      peer.send(subscribe("1", query));
      return peer.close();
    }),
  },
];

const pings = [
  {
    name: "ping before connection_init",
    want: "pong",
    probe: opened(async (peer) => {
      peer.send({ type: "ping" });
      await peer.hear("pong");
      return peer.end();
    }),
  },
  {
    name: "ping with a payload",
    want: "pong with it",
    probe: connected(async (peer) => {
      peer.send({ type: "ping", payload: { a: [1] } });
      const pong = await peer.hear("pong");
      return JSON.stringify(pong?.payload) === '{"a":[1]}' ? "pong with it" : await peer.end();
    }),
  },
  {
    name: "unsolicited pong",
    want: "nothing",
    probe: connected((peer) => {
      peer.send({ type: "pong", payload: { a: 1 } });
      return peer.end();
    }),
  },
];

/** Sends an operation, and tells its messages up to one, and whatever else comes. */
const runs = (message, last) =>
  connected(async (peer, server) => {
    peer.send(message(server));
    await peer.hear(last);
    return peer.end();
  });

/** Follows the subscription, up to its first event. */
const followed = (probe) =>
  connected(async (peer, server) => {
    if (server.subscription === undefined) return undefined;
    peer.send(subscribe("1", server.subscription));
    await hearEvent(peer, server, "1");
    return probe(peer, server);
  });

const operations = [
  { name: "query", want: "next, complete", probe: runs(({ query }) => subscribe("1", query), "complete") },
  {
    name: "mutation",
    want: "next, complete",
    probe: runs(({ mutation }) => subscribe("1", mutation), "complete"),
  },
  {
    name: "subscription",
    want: "next",
    probe: followed(async (peer) => peer.heard[0]?.type ?? "nothing"),
  },
  { name: "document that can't be parsed", want: "error", probe: runs(() => subscribe("1", "{"), "error") },
  {
    name: "document that isn't valid",
    want: "error",
    probe: runs(() => subscribe("1", "{ nOtHiNg }"), "error"),
  },
  {
    name: "query on the socket of a subscription, which goes on",
    want: "next, complete; next",
    probe: followed(async (peer, server) => {
      peer.forget();
      peer.send(subscribe("2", server.query));
      await peer.hear("complete", "2");
      const query = peer.story(peer.heard.filter(({ id }) => id === "2"));
      peer.forget();
      await hearEvent(peer, server, "1");
      return `${query}; ${peer.heard[0]?.type}`;
    }),
  },
  {
    name: "complete from the client: no echo, no more events",
    want: "nothing",
    probe: followed(async (peer, server) => {
      await peer.settle();
      peer.forget();
      peer.send(complete("1"));
      await peer.fence();
      await server.bringEvent();
      return peer.end();
    }),
  },
  {
    name: "complete right behind a query: no result after it is read",
    want: "nothing",
    probe: connected(async (peer, { query }) => {
      peer.send(...repeat(20, subscribe("1", query), complete("1")));
      await peer.fence();
      peer.forget();
      return peer.end();
    }),
  },
  {
    name: "complete with an unknown id",
    want: "nothing",
    probe: connected((peer) => {
      peer.send(complete("nobody's"));
      return peer.end();
    }),
  },
];

const ids = [
  {
    name: "id of a running subscription, again",
    want: "4409",
    probe: followed((peer, { subscription }) => {
      peer.forget();
      peer.send(subscribe("1", subscription));
      return peer.end();
    }),
  },
  {
    name: "id of a running subscription, for a query",
    want: "4409",
    probe: followed((peer, { query }) => {
      peer.forget();
      peer.send(subscribe("1", query));
      return peer.end();
    }),
  },
  {
    name: "id again while the first operation is being prepared",
    want: "4409",
    probe: connected((peer, { subscription }) => {
      if (subscription === undefined) return undefined;
      peer.send(subscribe("1", subscription), subscribe("1", subscription));
      return peer.end();
    }),
  },
  {
    name: "id again right behind the client's complete, 50 times",
    want: "next, complete",
    probe: connected(async (peer, { subscription, query }) => {
      if (subscription === undefined) return undefined;
      peer.send(...repeat(50, subscribe("1", subscription), complete("1")), subscribe("1", query));
      await peer.hear("next");
      return peer.end();
    }),
  },
  {
    name: "id again after an error",
    want: "error, next, complete",
    probe: connected(async (peer, { query }) => {
      peer.send(subscribe("1", "{ nOtHiNg }"));
      await peer.hear("error");
      peer.send(subscribe("1", query));
      await peer.hear("next");
      return peer.end();
    }),
  },
];

/** A message that the protocol doesn't know. */
const bad = (name, message) => ({
  name,
  want: "4400",
  probe: connected((peer, server) => {
    peer.send(typeof message === "function" ? message(server) : message);
    return peer.end();
  }),
});

const messages = [
  bad("unknown type", { type: "start", id: "1" }),
  bad("unknown type of 1,000 bytes: the close reason still fits", { type: "x".repeat(1000) }),
  bad("bad JSON", '{"type":'),
  bad("array", [{ type: "ping" }]),
  bad("string", '"ping"'),
  bad("subscribe without id", ({ query }) => ({ type: "subscribe", payload: { query } })),
  bad("subscribe with an empty id", ({ query }) => subscribe("", query)),
  bad("subscribe with the payload null", { type: "subscribe", id: "1", payload: null }),
  bad("subscribe with a query that isn't a string", subscribe("1", { a: 1 })),
  bad("subscribe with variables that aren't an object", ({ query }) => ({
    type: "subscribe",
    id: "1",
    payload: { query, variables: [1] },
  })),
  bad("complete without id", { type: "complete" }),
];

export const lines = [...handshake, ...init, ...pings, ...operations, ...ids, ...messages];
