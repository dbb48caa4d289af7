import { type Client, type ClientOptions, createClient } from "graphql-ws";
import { resuming } from "./resume.js";
import { pause, retryAttempts } from "./retry.js";

/** Opens a WebSocket with the first subscription, and opens it again until the last one has ended. */
export function connect(url: string, token: () => string, on: ClientOptions["on"] = {}): Client {
  let silence: ReturnType<typeof setTimeout> | undefined;
  const client = resuming(createClient, {
    url: url.replace(/^http/, "ws"),
    connectionParams: () => ({ Authorization: `Bearer ${token()}` }),
    retryAttempts,
    retryWait: pause,
    shouldRetry: () => true, // also when nobody listens, which isn't a close
    keepAlive: 10_000, // a network that is gone doesn't say so: ask, and don't wait for ever
    on: {
      ...on,
      ping(received, told) {
        if (!received) silence = setTimeout(() => client.terminate(), 5_000);
        on?.ping?.(received, told);
      },
      pong(received, told) {
        if (received) clearTimeout(silence);
        on?.pong?.(received, told);
      },
      closed(event) {
        clearTimeout(silence);
        on?.closed?.(event);
      },
    },
  });
  return client;
}
