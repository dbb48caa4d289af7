// A stock client, graphql-ws or graphql-sse: what it asks, what it is told, and how it comes back.
import assert from "node:assert/strict";
import { createClient as createSSE } from "graphql-sse";
import { createClient as createWS } from "graphql-ws";
import WebSocket from "ws";
import { resuming } from "./resume.mjs";
import { ask, leave, settings, tell } from "./script.mjs";

const endpoint = `${settings.url}/graphql`;
const authorization = `Bearer ${settings.token}`;
const room = settings.room;
const send =
  'mutation ($room: ID!) { sendMessage(input: {roomId: $room, content: "Hi"}) { message { content } } }';
const messageAdded =
  "subscription ($room: ID!, $after: Cursor) { messageAdded(roomId: $room, after: $after) { id seq content } }";

/** The clients' own waiting would make the test long, and none would have them back before they miss anything. */
const retryAttempts = Number.POSITIVE_INFINITY;
const shortly = () => new Promise((resolve) => setTimeout(resolve, 300));

/** Called when the server tells a position over a WebSocket. */
let positionTold = () => {};

function overWS() {
  return resuming(createWS, {
    url: endpoint.replace("http", "ws"),
    webSocketImpl: WebSocket,
    connectionParams: { Authorization: authorization },
    retryAttempts,
    retryWait: shortly,
    shouldRetry: () => true, // also when nobody listens, which isn't a close
    on: {
      connected: (_socket, _payload, wasRetry) => wasRetry && tell({ returned: true }),
      ping: (_received, facts) => facts?.cursors && positionTold(),
    },
  });
}

function overSSE() {
  return resuming(createSSE, {
    url: endpoint,
    headers: { authorization },
    retryAttempts,
    retry: shortly,
    on: { connected: (wasRetry) => wasRetry && tell({ returned: true }) },
  });
}

/** Whether the client learns by pings where it begins; one of graphql-sse has to say it. */
const byPings = settings.client === "graphql-ws";
const client = byPings ? overWS() : overSSE();
await answers();
await follow();
client.dispose();
leave();

/** The result of an operation, the first one of a subscription. */
function run(query, variables = { room }) {
  return new Promise((resolve, reject) => {
    let first;
    const stop = client.subscribe(
      { query, variables },
      {
        next(result) {
          first ??= result;
          if (query.startsWith("subscription")) stop();
        },
        error: (failure) => (Array.isArray(failure) ? resolve({ errors: failure }) : reject(failure)),
        complete: () => resolve(first),
      },
    );
  });
}

async function answers() {
  const viewer = await run("{ viewer { id } }", {});
  assert.deepEqual(viewer, { data: { viewer: { id: settings.user } } });

  const cursor = await here();
  const sent = await run(send);
  assert.deepEqual(sent, { data: { sendMessage: { message: { content: "Hi" } } } });
  const added = await run(messageAdded, { room, after: cursor });
  assert.equal(added.data.messageAdded.content, "Hi");

  for (const query of [send, messageAdded]) {
    const { errors } = await run(query, { room: "r_nowhere" });
    assert.equal(errors[0].extensions.code, "NOT_FOUND");
  }
}

/** The position of the room's last event. */
async function here() {
  const { data } = await run("query ($room: ID!) { room(id: $room) { messages(last: 1) { cursor } } }");
  return data.room.messages.cursor;
}

/** Tells all messages from now on, until the test has enough. */
async function follow() {
  const variables = byPings ? { room } : { room, after: await here() };
  const position = new Promise((resolve) => {
    positionTold = resolve;
  });
  client.subscribe(
    { query: messageAdded, variables },
    {
      next: (result) => tell({ result }),
      error: (failure) => {
        throw new Error("the subscription failed", { cause: failure });
      },
      complete: () => {},
    },
  );
  if (byPings) await position;
  await ask("follow");
}
