// What makes a stock client go on where it was. It sends the same payload again with each retry, so the
// position is kept there, by the resume rule of docs/protocol.md.
import { randomUUID } from "node:crypto";

/** A client of graphql-ws or graphql-sse (distinct connections) whose subscriptions outlive the server. */
export function resuming(createClient, options) {
  const running = new Map(); // payloads, and the ids of their operations
  const client = createClient({
    ...options,
    generateID: (payload) => running.get(payload),
    on: {
      ...options.on,
      /** Positions that no result tells (graphql-ws only). */
      ping(received, facts) {
        options.on?.ping?.(received, facts);
        for (const [payload, id] of running) move(payload, facts?.cursors?.[id]);
      },
    },
  });

  function subscribe(request, sink) {
    const payload = { ...request };
    running.set(payload, randomUUID());
    return client.subscribe(payload, {
      next(result) {
        move(payload, result.extensions?.cursor);
        sink.next(result);
      },
      error(failure) {
        running.delete(payload);
        sink.error(failure);
      },
      complete() {
        running.delete(payload);
        sink.complete();
      },
    });
  }

  return { subscribe, dispose: () => client.dispose() };
}

function move(payload, cursor) {
  if (cursor) payload.extensions = { ...payload.extensions, resume: cursor };
}
