// The script's end of its conversation with the test that runs it: lines of JSON both ways.
import { createInterface } from "node:readline";

const input = createInterface({ input: process.stdin });
const lines = input[Symbol.asyncIterator]();

/** What the test wants to be known from the beginning: the first line. */
export const settings = JSON.parse((await lines.next()).value);

/** Tells the test something. */
export function tell(fact) {
  process.stdout.write(`${JSON.stringify(fact)}\n`);
}

/** Asks the test to do something, and waits until it is done. */
export async function ask(what) {
  tell({ ask: what });
  const { done } = await lines.next();
  if (done) throw new Error(`the test went away when asked to ${what}`);
}

/** Ends the conversation, without which Node would go on listening. */
export function leave() {
  input.close();
}
