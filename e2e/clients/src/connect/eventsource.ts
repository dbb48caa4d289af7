import { post, Refusal } from "./post.js";
import { pause } from "./retry.js";

export interface Sink<Data> {
  next(data: Data): void;
  /** The subscription is over, for this reason. */
  error(failure: Refusal): void;
  complete(): void;
}

const createTicket = `mutation ($input: CreateTicketInput!) { createTicket(input: $input) { ticket } }`;

/**
 * Follows a subscription with the browser's EventSource, which can send no header: a ticket stands for the
 * user, the document and the variables. The browser itself comes back, with the position it has reached,
 * until the ticket has expired; then another one goes on from there.
 */
export function follow<Data>(
  url: string,
  token: () => string,
  document: string,
  variables: Record<string, unknown>,
  sink: Sink<Data>,
  opened: () => void = () => {},
): () => void {
  let source: EventSource | undefined;
  let after = variables.after;
  let failures = 0;
  let over = false;

  async function open(): Promise<void> {
    try {
      const input = { document, variables: { ...variables, after } };
      const answer = await post<{ createTicket: { ticket: string } }>(url, token(), createTicket, { input });
      if (!over) listen(new EventSource(`${url}?ticket=${answer.createTicket.ticket}`));
    } catch {
      await again(); // no network, or a token that isn't fresh yet
    }
  }

  async function again(): Promise<void> {
    await pause(failures++);
    if (!over) await open();
  }

  function listen(stream: EventSource): void {
    source = stream;
    stream.onopen = () => {
      failures = 0;
      opened();
    };
    stream.addEventListener("next", ({ data, lastEventId }) => {
      const result = JSON.parse(data);
      after = lastEventId || after;
      if (!result.errors) return sink.next(result.data);
      if (result.errors[0].extensions?.code === "UNAUTHENTICATED") {
        stream.close(); // the ticket has expired
        return void again();
      }
      stop();
      sink.error(new Refusal(result.errors));
    });
    stream.addEventListener("complete", () => {
      stop(); // or it would come back
      sink.complete();
    });
    stream.onerror = () => {
      // Only a refusal closes it. Everything else the browser answers by coming back, and a second stream
      // beside that one would be one too many.
      if (stream.readyState === EventSource.CLOSED && !over) void again();
    };
  }

  function stop(): void {
    over = true;
    source?.close();
  }

  void open();
  return stop;
}
