import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import type { Sink } from "./stock.js";

/** What a subscription to messages has told. */
export class Inbox implements Sink<{ messageAdded: { content: string } }> {
  #contents: string[] = [];
  #ends: unknown[] = [];

  next({ messageAdded }: { messageAdded: { content: string } }) {
    this.#contents.push(messageAdded.content);
  }

  error(codes: readonly unknown[]) {
    this.#ends.push(...codes);
  }

  complete() {
    if (this.#ends.length === 0) this.#ends.push("complete");
  }

  async has(...contents: string[]) {
    while (this.#contents.length < contents.length) await sleep(10);
    assert.deepEqual([this.#contents, this.#ends], [contents, []]);
  }

  /** One error, and no other. */
  async isRefused(code: string) {
    while (this.#ends.length === 0) await sleep(10);
    await sleep(50);
    assert.deepEqual([this.#contents, this.#ends], [[], [code]]);
  }
}
