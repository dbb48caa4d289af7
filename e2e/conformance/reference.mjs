// The reference servers of the three protocols (graphql-http, graphql-ws and graphql-sse) behind one
// endpoint, with Parley's schema and next to nothing behind that: where they aren't right, the probes
// may be wrong.
//
//   node reference.mjs port
import { EventEmitter, on } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { buildSchema } from "graphql";
import { createHandler as createHTTP } from "graphql-http/lib/use/http";
import { createHandler as createSSE } from "graphql-sse/lib/use/http";
import { useServer } from "graphql-ws/use/ws";
import { WebSocketServer } from "ws";
import { initTimeout } from "./server.mjs";

const source = readFileSync(new URL("../../schema.graphqls", import.meta.url), "utf8");
const schema = buildSchema(source, { assumeValid: true });
const { createRoom, sendMessage } = schema.getMutationType().getFields();
const { messageAdded } = schema.getSubscriptionType().getFields();

const messages = new EventEmitter().setMaxListeners(0);
let rooms = 0;

createRoom.resolve = () => ({ room: { id: `room${++rooms}` } });
sendMessage.resolve = (_, { input: { roomId, content } }) => {
  messages.emit(roomId, { content });
  return { message: { content } };
};
messageAdded.subscribe = (_, { roomId }) => on(messages, roomId);
messageAdded.resolve = ([message]) => message;

const http = createHTTP({ schema });
const sse = createSSE({ schema });
const server = createServer((request, response) => {
  if (request.url === "/dev/token") {
    response.end('{"token":"anything"}');
  } else if (isEventStream(request)) {
    sse(request, response);
  } else {
    http(request, response);
  }
});

function isEventStream({ method, headers, url }) {
  const reserved =
    headers["x-graphql-event-stream-token"] ?? new URL(url, "http://localhost").searchParams.get("token");
  return headers.accept?.includes("text/event-stream") || reserved || method === "PUT" || method === "DELETE";
}

useServer(
  {
    schema,
    connectionInitWaitTimeout: initTimeout,
    onConnect: ({ connectionParams }) => connectionParams?.Authorization !== "Bearer nonsense",
  },
  new WebSocketServer({ server, path: "/graphql" }),
);
server.listen(Number(process.argv[2]), "127.0.0.1");
