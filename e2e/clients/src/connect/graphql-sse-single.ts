import { type Client, type ClientOptions, createClient } from "graphql-sse";
import { resuming } from "./resume.js";
import { pause, retryAttempts } from "./retry.js";

/** Runs all operations over one event stream. Subscribe with `after`: where a stream begins is not told to it. */
export function connect(url: string, token: () => string, on: ClientOptions<true>["on"] = {}): Client<true> {
  return resuming(createClient<true>, {
    url,
    singleConnection: true,
    lazy: false, // lazily it comes back with a stream for each operation, and leaves all but the last open
    headers: () => ({ Authorization: `Bearer ${token()}` }),
    retryAttempts,
    retry: pause,
    on,
  });
}
