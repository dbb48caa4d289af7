// Socket.IO with its Redis adapter, over WebSocket only.
//
//	node socketio.mjs PORT REDIS_URL
import { createServer } from "node:http";
import { createAdapter } from "@socket.io/redis-adapter";
import { Server } from "socket.io";
import { connect, message } from "./message.mjs";

const [port, redis] = process.argv.slice(2);

const server = createServer((_, response) => response.end("ok"));
const io = new Server(server, {
  adapter: createAdapter(await connect(redis), await connect(redis)),
  transports: ["websocket"],
});

io.on("connection", (socket) => {
  const sender = socket.handshake.auth.user;
  socket.on("join", async (room, joined) => {
    await socket.join(room);
    joined();
  });
  socket.on("send", (room, content, taken) => {
    io.to(room).emit("message", message(room, content, sender));
    taken();
  });
});
server.listen({ host: "127.0.0.1", port: Number(port), backlog: 4096 });
