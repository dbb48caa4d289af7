// Each client, connected as docs/clients.md shows.
import { createClient } from "graphql-ws";
import WebSocket from "ws";
import { connect as connectApollo } from "../connect/apollo.js";
import { connect as connectApolloByHTTP } from "../connect/apollo-http.js";
import { connect as openStreams } from "../connect/graphql-sse.js";
import { connect as openSingle } from "../connect/graphql-sse-single.js";
import { connect as openSocket } from "../connect/graphql-ws.js";
import { pause, retryAttempts } from "../connect/retry.js";
import { connect as openLegacySocket } from "../connect/subscriptions-transport-ws.js";
import { connect as connectURQL } from "../connect/urql.js";
import { apollo, legacy, type Stock, streaming, urql } from "./stock.js";
import { settings, tell } from "./test.js";

// Browsers have it, and Node from 22 on.
globalThis.WebSocket ??= WebSocket as unknown as typeof globalThis.WebSocket;

export interface Proof {
  stock: Stock;
  /** The server has told positions, for so many subscriptions. For event streams, null: one has to give `after`. */
  positions: (() => number) | null;
  dispose(): void;
}

const endpoint = `${settings.url}/graphql`;
const token = () => settings.token;

function socket(open = openSocket) {
  const told = new Set<string>();
  const client = open(endpoint, token, {
    connected(socket, _payload, wasRetry) {
      tell({ extensions: (socket as globalThis.WebSocket).extensions });
      if (wasRetry) tell({ returned: true });
    },
    ping(_received, facts) {
      for (const id of Object.keys(facts?.cursors ?? {})) told.add(id);
    },
  });
  return { client, positions: () => told.size, dispose: () => void client.dispose() };
}

const bareSocket: typeof openSocket = (url, token, on) =>
  createClient({
    url: url.replace(/^http/, "ws"),
    connectionParams: () => ({ Authorization: `Bearer ${token()}` }),
    retryAttempts,
    retryWait: pause,
    shouldRetry: () => true,
    on,
  });

function streams() {
  const connected = (wasRetry: boolean) => wasRetry && tell({ returned: true });
  const client = openStreams(endpoint, token, { connected });
  return { client, positions: null, dispose: () => client.dispose() };
}

export const clients: Record<string, () => Proof | Promise<Proof>> = {
  "graphql-ws"() {
    const { client, ...proof } = socket();
    return { stock: streaming(client), ...proof };
  },
  "graphql-sse"() {
    const { client, ...proof } = streams();
    return { stock: streaming(client), ...proof };
  },
  "graphql-sse, single connection"() {
    let connections = 0; // it doesn't always know itself that one is a retry
    const connected = () => connections++ > 0 && tell({ returned: true });
    const client = openSingle(endpoint, token, { connected });
    return { stock: streaming(client), positions: null, dispose: () => client.dispose() };
  },
  urql() {
    const { client, ...proof } = socket();
    return { stock: urql(connectURQL(endpoint, token, client)), ...proof };
  },
  "urql over graphql-sse"() {
    const { client, ...proof } = streams();
    return { stock: urql(connectURQL(endpoint, token, client)), ...proof };
  },
  "Apollo Client"() {
    const { client, ...proof } = socket();
    return { stock: apollo(connectApollo(endpoint, token, client)), ...proof };
  },
  "subscriptions-transport-ws"() {
    const { client, subscribe } = openLegacySocket(endpoint, token);
    client.onConnected(() => tell({ extensions: client.client.extensions }));
    client.onReconnected(() => tell({ returned: true }));
    return { stock: legacy(subscribe), positions: null, dispose: () => client.close() };
  },
  "Apollo Client over HTTP"() {
    let begun = 0;
    const client = connectApolloByHTTP(endpoint, token, {
      connected: (wasRetry) => (wasRetry ? tell({ returned: true }) : begun++),
    });
    return { stock: apollo(client), positions: () => begun, dispose: () => client.stop() };
  },
  async EventSource() {
    const { eventSource } = await import("./browser.js"); // takes longer to load than all other clients: for this one only
    const proof = await eventSource(endpoint, token, () => tell({ returned: true }));
    return { positions: null, ...proof };
  },
  // What docs/clients.md says of doing without the link.
  "graphql-ws, no link"() {
    const { client, ...proof } = socket(bareSocket);
    return { stock: streaming(client), ...proof };
  },
  "graphql-ws, no link, after"() {
    const { client, dispose } = socket(bareSocket);
    return { stock: streaming(client), positions: null, dispose };
  },
};
