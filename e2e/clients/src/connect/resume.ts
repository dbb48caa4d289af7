// What makes a stock client go on where it was: the position it has reached, kept in the payload that it
// sends again with each retry. The rule is that of docs/protocol.md.

/** How far a subscription has come, as part of its payload: clients copy that, but write it out anew each time. */
class Position {
  constructor(private cursor: unknown) {}

  move(cursor: unknown): void {
    if (typeof cursor === "string" && cursor !== "") this.cursor = cursor;
  }

  toJSON(): unknown {
    return this.cursor;
  }
}

interface Payload {
  readonly query: string;
  readonly extensions?: Record<string, unknown> | null | undefined;
}

interface Result {
  readonly extensions?: { readonly cursor?: unknown };
}

interface Sink {
  next(result: Result): void;
  error(failure: unknown): void;
  complete(): void;
}

interface Told {
  readonly cursors?: Record<string, unknown>;
}

// The two libraries agree in what happens here, but not in their types of it.
// biome-ignore lint/suspicious/noExplicitAny: see above
type Any = any;
type CreateClient = (options: Any) => { subscribe(payload: Any, sink: Any): () => void };

/**
 * A client of graphql-ws, or of graphql-sse in either of its modes, whose subscriptions go on after a reconnection
 * without gap or duplicate. Use `subscribe`; `iterate` is refused.
 */
export function resuming<Create extends CreateClient>(
  createClient: Create,
  options: Parameters<Create>[0],
): ReturnType<Create> {
  const running = new Map<string, Position>();
  let last = 0; // short ids, so that the server's frames are equal for many clients, and sent as one
  const client = createClient({
    ...options,
    generateID: () => String(last),
    on: {
      ...options.on,
      /** Positions that move without an event; over WebSockets only. */
      ping(received: boolean, told?: Told) {
        options.on?.ping?.(received, told);
        for (const [id, cursor] of Object.entries(told?.cursors ?? {})) running.get(id)?.move(cursor);
      },
    },
  });

  function subscribe(request: Payload, sink: Sink): () => void {
    const position = new Position(request.extensions?.resume);
    const payload = { ...request, extensions: { ...request.extensions, resume: position } };
    const id = String(++last);
    running.set(id, position);
    const stop = client.subscribe(payload, {
      next(result: Result) {
        position.move(result.extensions?.cursor);
        sink.next(result);
      },
      error(failure: unknown) {
        running.delete(id);
        sink.error(failure);
      },
      complete() {
        running.delete(id);
        sink.complete();
      },
    });
    return () => {
      running.delete(id);
      stop();
    };
  }

  function iterate(): never {
    throw new Error("use subscribe: results that wait in an iterator would arrive twice");
  }

  return { ...client, subscribe, iterate } as ReturnType<Create>;
}

/** Has a payload say where to go on. */
export function move(payload: Payload | undefined, cursor: unknown): void {
  if (payload && typeof cursor === "string" && cursor !== "") {
    Object.assign(payload, { extensions: { ...payload.extensions, resume: cursor } });
  }
}
