// What both servers have in common: the message, with the fields of Parley's and as long, and Redis.
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { Redis } from "ioredis";

// connect returns a client of Redis once it is connected: ioredis loses what is subscribed before.
export async function connect(url) {
  const client = new Redis(url);
  await once(client, "ready");
  return client;
}

const seqs = new Map();

export function message(room, content, sender) {
  const seq = (seqs.get(room) ?? 0) + 1;
  seqs.set(room, seq);
  return {
    id: `m_${randomBytes(16).toString("hex")}`,
    seq,
    content,
    createdAt: new Date().toISOString(),
    sender: { id: sender, name: sender },
  };
}
