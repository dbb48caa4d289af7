import { Client, fetchExchange, subscriptionExchange } from "@urql/core";
import type { Client as Socket } from "graphql-ws";

/** Queries and mutations go by HTTP, subscriptions over the socket. */
export function connect(url: string, token: () => string, socket: Pick<Socket, "subscribe">): Client {
  return new Client({
    url,
    preferGetMethod: false,
    fetchOptions: () => ({ headers: { Authorization: `Bearer ${token()}` } }),
    exchanges: [
      fetchExchange,
      subscriptionExchange({
        forwardSubscription: ({ query = "", variables }) => ({
          subscribe: (sink) => ({ unsubscribe: socket.subscribe({ query, variables }, sink) }),
        }),
      }),
    ],
  });
}
