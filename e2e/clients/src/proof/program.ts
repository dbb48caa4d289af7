// What every client is put through: it asks, is refused, and follows a room while the test cuts it off.
import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { LastMessage, MessageAdded, RoomEvents, SendMessage, Viewer } from "../operations.js";
import { clients } from "./clients.js";
import { Inbox } from "./inbox.js";
import { Refused } from "./stock.js";
import { ask, leave, settings, tell } from "./test.js";

process.on("exit", (code) => code === 0 || console.error(`the client was ${settings.client}`));
const create = clients[settings.client];
assert(create, `no such client: ${settings.client}`);
const { stock, positions, dispose } = await create();
await answers();
await follows();
dispose();
leave();

async function answers() {
  const { viewer } = await stock.query(Viewer, {});
  assert.equal(viewer?.id, settings.user);

  const heard = new Inbox();
  const after = await tail(settings.askRoom);
  const stop = stock.subscribe(MessageAdded, { room: settings.askRoom, after }, heard);
  await send("one");
  await heard.has("one");
  await refusals();
  await send("two"); // a refusal leaves the client, and what else runs over it, as they were
  await heard.has("one", "two");
  stop();
}

async function refusals() {
  const input = { roomId: "r_nowhere", content: "Hi" };
  await assert.rejects(stock.mutate(SendMessage, { input }), new Refused(["NOT_FOUND"]));
  for (const [room, code] of [
    ["r_nowhere", "NOT_FOUND"],
    [settings.foreignRoom, "FORBIDDEN"],
  ] as const) {
    const inbox = new Inbox();
    stock.subscribe(MessageAdded, { room }, inbox);
    await inbox.isRefused(code);
  }
}

async function send(content: string) {
  const { sendMessage } = await stock.mutate(SendMessage, { input: { roomId: settings.askRoom, content } });
  assert.equal(sendMessage?.message.content, content);
}

/** The position of a room's end. */
async function tail(room: string): Promise<string> {
  const answer = await stock.query(LastMessage, { room });
  assert(answer.room);
  return answer.room.messages.cursor;
}

/** Tells the test what two subscriptions bring from now on, until it has enough. */
async function follows() {
  const before = positions?.() ?? 0;
  const { room } = settings;
  const variables = positions ? { room } : { room, after: await tail(room) };
  const sink = {
    next: (data: unknown) => tell({ result: { data } }),
    error(codes: readonly unknown[], cause: unknown): void {
      throw new Error(`a subscription failed: ${codes.join()}`, { cause });
    },
    complete(): void {
      throw new Error("a subscription completed");
    },
  };
  const stops = [
    stock.subscribe(MessageAdded, variables, sink),
    stock.subscribe(RoomEvents, variables, sink),
  ];
  while (positions && positions() < before + stops.length) await sleep(10);
  await ask("follow");
  sink.complete = () => {};
  sink.error = () => {}; // graphql-sse cuts off its own DELETE when it is disposed of
  for (const stop of stops) stop();
}
