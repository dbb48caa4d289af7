import { SubscriptionClient } from "subscriptions-transport-ws";
import { move } from "./resume.js";

interface Request {
  readonly query: string;
  readonly variables?: Record<string, unknown> | null | undefined;
}

interface Result {
  readonly data?: unknown;
  readonly errors?: readonly unknown[];
  readonly extensions?: { readonly cursor?: unknown };
}

interface Sink {
  next(result: Result): void;
  error(failure: unknown): void;
  complete(): void;
}

/** Opens a WebSocket of the legacy protocol with the first subscription. Subscribe with `after`: where one begins is not told to it. */
export function connect(url: string, token: () => string) {
  const client = new SubscriptionClient(
    url.replace(/^http/, "ws"),
    {
      connectionParams: () => ({ Authorization: `Bearer ${token()}` }),
      lazy: true,
      reconnect: true,
      minTimeout: 10_000, // how long a connection may take to open
    },
    WebSocket,
  );

  function subscribe({ query, variables }: Request, sink: Sink): () => void {
    const options = { query, variables: variables ?? {} }; // what the client sends again after an interruption
    const { unsubscribe } = client.request(options).subscribe({
      next(result: Result) {
        move(options, result.extensions?.cursor);
        sink.next(result);
      },
      error: sink.error,
      complete: sink.complete,
    });
    return unsubscribe;
  }
  return { client, subscribe };
}
