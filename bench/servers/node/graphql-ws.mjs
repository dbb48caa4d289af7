// graphql-ws on the ws package, with graphql-redis-subscriptions: one Redis channel per room.
//
//	node graphql-ws.mjs PORT REDIS_URL
import { createServer } from "node:http";
import { buildSchema } from "graphql";
import { RedisPubSub } from "graphql-redis-subscriptions";
import { useServer } from "graphql-ws/use/ws";
import { WebSocketServer } from "ws";
import { connect, message } from "./message.mjs";

const [port, redis] = process.argv.slice(2);

const schema = buildSchema(`
  type Query { room(id: ID!): ID }
  type Mutation { sendMessage(roomId: ID!, content: String!): Message }
  type Subscription { messageAdded(roomId: ID!): Message! }
  type Message { id: ID! seq: Int! content: String! createdAt: String! sender: User! }
  type User { id: ID! name: String! }
`);

const pubsub = new RedisPubSub({ publisher: await connect(redis), subscriber: await connect(redis) });

schema.getMutationType().getFields().sendMessage.resolve = async (_, { roomId, content }, { sender }) => {
  const sent = message(roomId, content, sender);
  await pubsub.publish(roomId, sent);
  return sent;
};
const followed = schema.getSubscriptionType().getFields().messageAdded;
followed.subscribe = (_, { roomId }) => pubsub.asyncIterator(roomId);
followed.resolve = (sent) => sent;

const server = createServer((_, response) => response.end("ok"));
useServer(
  { schema, context: ({ connectionParams }) => ({ sender: connectionParams?.user }) },
  new WebSocketServer({ server, path: "/graphql" }),
  25_000,
);
server.listen({ host: "127.0.0.1", port: Number(port), backlog: 4096 });
