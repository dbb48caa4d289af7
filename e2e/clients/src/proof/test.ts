// The program's end of its conversation with the test that runs it: lines of JSON both ways.
import { createInterface } from "node:readline";

export interface Settings {
  /** Which client to prove. */
  client: string;
  /** Where the server is, maybe through something that cuts connections: http://host:port. */
  url: string;
  user: string;
  token: string;
  /** A room for asking, one to follow, and a public one that the user isn't a member of. */
  askRoom: string;
  room: string;
  foreignRoom: string;
  /** The browser, for the client that is one. */
  chromium: string;
}

const input = createInterface({ input: process.stdin });
const lines = input[Symbol.asyncIterator]();

/** What the test says first. */
export const settings: Settings = JSON.parse((await lines.next()).value ?? "{}");

/** What the test is told. */
export type Fact =
  | { result: { data: unknown } } // a subscription brought something
  | { returned: true } // a connection is back after an interruption
  | { extensions: string }; // what was agreed on for a WebSocket

export function tell(fact: Fact | { ask: string }): void {
  process.stdout.write(`${JSON.stringify(fact)}\n`);
}

/** Asks the test to do something, and waits until it is done. */
export async function ask(what: string): Promise<void> {
  tell({ ask: what });
  const { done } = await lines.next();
  if (done) throw new Error(`the test went away when asked to ${what}`);
}

/** Ends the conversation, without which Node would go on listening. */
export function leave(): void {
  input.close();
}
