import { type Client, type ClientOptions, createClient } from "graphql-sse";
import { resuming } from "./resume.js";
import { pause, retryAttempts } from "./retry.js";

/** Opens an event stream for each operation. Subscribe with `after`: where a stream begins is not told to it. */
export function connect(url: string, token: () => string, on: ClientOptions["on"] = {}): Client {
  return resuming(createClient<false>, {
    url,
    headers: () => ({ Authorization: `Bearer ${token()}` }),
    retryAttempts,
    retry: pause,
    on,
  });
}
