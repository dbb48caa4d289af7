import { type Client, createClient, type FormattedExecutionResult, type Sink } from "graphql-ws";
import type { GraphQLRequest } from "./server";

/** How the WebSocket is doing, and for `refused` why. */
export interface Connection {
  state: "off" | "connecting" | "connected" | "reconnecting" | "refused";
  detail: string;
}

/** Where the results of a subscription go. Errors come as a list, like those of a GraphQL result. */
export type Results = Sink<FormattedExecutionResult<Record<string, unknown>, Record<string, unknown>>>;

/** A subscription as it is sent, again with each reconnection, from the position it has reached by then. */
interface Subscribe extends GraphQLRequest {
  extensions?: { resume: string };
}

interface Running {
  payload: Subscribe;
  results: Results;
  stop(): void;
}

/** The server does not accept the token, or not any more. */
const forbidden = 4403;

/**
 * One person's WebSocket: opened at once, opened again whenever the network or the server fails, until `close` or until
 * the server refuses the token. Subscriptions go on over a reconnection without gap or duplicate, by the resume rule of
 * docs/protocol.md: the last cursor seen is sent along as `extensions.resume`.
 */
export class Socket {
  readonly #client: Client;
  readonly #running = new Map<string, Running>();
  readonly #onChange: (connection: Connection) => void;
  #lastId = 0;
  #closed = false;

  constructor(url: string, token: string, onChange: (connection: Connection) => void) {
    this.#onChange = onChange;
    this.#client = createClient({
      url,
      connectionParams: { Authorization: `Bearer ${token}` },
      lazy: false,
      generateID: () => String(this.#lastId),
      retryAttempts: Number.POSITIVE_INFINITY,
      retryWait: (retries) => this.#wait(retries),
      shouldRetry: (failure) => !(failure instanceof CloseEvent && failure.code === forbidden),
      onNonLazyError: (failure) => this.#report("refused", describe(failure)),
      on: {
        connecting: (isRetry) => this.#report(isRetry ? "reconnecting" : "connecting"),
        connected: () => this.#report("connected"),
        closed: () => this.#report("reconnecting"),
        ping: (received, payload) => received && this.#moveAll(payload?.cursors),
      },
    });
  }

  /** Runs a subscription; the result stops it. */
  subscribe(request: GraphQLRequest, results: Results): () => void {
    const payload: Subscribe = { ...request };
    const id = String(++this.#lastId);
    const finish = (act: () => void) => {
      if (this.#running.delete(id)) act();
    };
    const stop = this.#client.subscribe<Record<string, unknown>, Record<string, unknown>>(payload, {
      next: (result) => {
        move(payload, result.extensions?.cursor);
        results.next(result);
      },
      error: (failure) => finish(() => results.error(this.#errorsOf(failure))),
      complete: () => finish(() => results.complete()),
    });
    this.#running.set(id, { payload, results, stop });
    return () => finish(stop);
  }

  /** Ends every subscription with an error that says why, and the socket for good. */
  close(why: string): void {
    this.#closed = true;
    for (const { results, stop } of this.#running.values()) {
      stop();
      results.error([{ message: why }]);
    }
    this.#running.clear();
    // It fails when the socket was about to open and could not, which is as good.
    Promise.resolve(this.#client.dispose()).catch(() => {});
  }

  #moveAll(cursors: unknown): void {
    if (typeof cursors !== "object" || cursors === null) return;
    for (const [id, cursor] of Object.entries(cursors)) {
      const running = this.#running.get(id);
      if (running) move(running.payload, cursor);
    }
  }

  /** What ended one subscription: the server's errors, or else the end of the whole connection. */
  #errorsOf(failure: unknown): readonly { message: string }[] {
    if (Array.isArray(failure)) return failure;
    this.#report("refused", describe(failure));
    return [{ message: describe(failure) }];
  }

  /** Waits before trying again; for ever once closed, since the client would open one more socket before it ends. */
  async #wait(retries: number): Promise<void> {
    await backoff(retries);
    if (this.#closed) await new Promise(() => {});
  }

  #report(state: Connection["state"], detail = ""): void {
    if (!this.#closed) this.#onChange({ state, detail });
  }
}

/** Lets the payload go on after the cursor, should it have to be sent again. */
function move(payload: Subscribe, cursor: unknown): void {
  if (typeof cursor === "string" && cursor !== "") payload.extensions = { resume: cursor };
}

/** Waits 0.5 s, 1 s, 2 s, then 4 s each time, give or take a quarter, so that a crowd does not return as one. */
function backoff(retries: number): Promise<void> {
  const milliseconds = Math.min(500 * 2 ** retries, 4000) * (0.75 + Math.random() / 2);
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

function describe(failure: unknown): string {
  if (!(failure instanceof CloseEvent)) return "No connection to the server.";
  const reason = `${failure.code} ${failure.reason}`.trimEnd();
  return failure.code === forbidden
    ? `The server refuses this sign-in (${reason}). Sign in again.`
    : `The server closed the connection (${reason}).`;
}
