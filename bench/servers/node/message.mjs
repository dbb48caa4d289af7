// The message that every peer under measurement sends: the same fields, of the same length, as Parley's.
import { randomBytes } from "node:crypto";

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
