// A WebSocket that says what no proper client would, and keeps all that it hears.
import { once } from "node:events";
import WebSocket from "ws";
import { patience, settling } from "./server.mjs";

export const subprotocol = "graphql-transport-ws";

export class Peer {
  #heard = [];
  #listeners = new Set();
  #closed;

  /** Opens a socket; fails with the status of a handshake that is refused. */
  static async open(server, { subprotocols = [subprotocol], headers = {} } = {}) {
    const peer = new Peer();
    const socket = new WebSocket(server.socketURL, subprotocols, { headers, handshakeTimeout: patience });
    peer.socket = socket;
    socket.on("message", (data) => peer.#hear(JSON.parse(data.toString())));
    socket.on("close", (code) => {
      peer.#closed = String(code);
      peer.#tell();
    });
    socket.on("error", () => {}); // "close" follows
    const refused = once(socket, "unexpected-response").then(([, response]) => {
      socket.terminate();
      throw new Error(String(response.statusCode));
    });
    await Promise.race([once(socket, "open"), refused]);
    refused.catch(() => {});
    return peer;
  }

  /** Opens a socket and has it acknowledged. */
  static async connect(server) {
    const peer = await Peer.open(server);
    peer.init(server.credentials);
    await peer.hear("connection_ack");
    peer.forget();
    return peer;
  }

  #hear(message) {
    this.#heard.push(message);
    this.#tell();
  }

  #tell() {
    for (const listener of this.#listeners) listener();
  }

  /** Sends messages right behind each other; a string as it is. */
  send(...messages) {
    for (const message of messages) {
      this.socket.send(typeof message === "string" ? message : JSON.stringify(message));
    }
  }

  init(payload) {
    this.send({ type: "connection_init", payload });
  }

  /** What was heard and not forgotten, apart from the server's own signs of life. */
  get heard() {
    return this.#heard.filter(({ type }) => type !== "ping" && type !== "ka");
  }

  forget() {
    this.#heard = [];
  }

  /** Waits until a condition holds, the socket closes, or it has been patient enough. */
  until(condition, milliseconds = patience) {
    return new Promise((resolve) => {
      const check = () => {
        if (!condition() && this.#closed === undefined) return;
        finish();
      };
      const finish = () => {
        clearTimeout(timer);
        this.#listeners.delete(check);
        resolve();
      };
      const timer = setTimeout(finish, milliseconds);
      this.#listeners.add(check);
      check();
    });
  }

  /** Waits for a message of a type, of an operation if that is given; undefined if none comes. */
  async hear(type, id) {
    const find = () => this.heard.find((m) => m.type === type && (id === undefined || m.id === id));
    await this.until(find);
    return find();
  }

  /** Waits for the close, and tells its code. */
  async close(milliseconds = patience) {
    await this.until(() => false, milliseconds);
    return this.#closed ?? (this.story(this.heard) || "no answer");
  }

  /** Waits until the server has read all that was sent, and then for what else may come. */
  async settle() {
    await this.fence();
    await this.until(() => false, settling);
  }

  /** A ping and its pong: what was sent before has been read. */
  async fence() {
    const mark = `fence ${Math.random()}`;
    const isPong = (m) => m.type === "pong" && m.payload?.mark === mark;
    this.send({ type: "ping", payload: { mark } });
    await this.until(() => this.#heard.some(isPong));
    this.#heard = this.#heard.filter((m) => !isPong(m));
  }

  /** Settles, and tells what was heard of an operation (of all, if none is named) and the close code. */
  async end(id) {
    await this.settle();
    const heard = this.heard.filter((m) => id === undefined || m.id === id);
    return this.story(heard, this.#closed) || "nothing";
  }

  story(messages, ...more) {
    const counted = [];
    for (const word of [...messages.map(({ type }) => type), ...more.filter(Boolean)]) {
      const last = counted.at(-1);
      if (last?.word === word) last.times++;
      else counted.push({ word, times: 1 });
    }
    return counted.map(({ word, times }) => (times > 1 ? `${times} × ${word}` : word)).join(", ");
  }

  hangUp() {
    this.socket.terminate();
  }
}

/** Runs a probe on a peer, which ends with it. */
export function on(open, probe) {
  return async (server) => {
    const peer = await open(server);
    try {
      return await probe(peer, server);
    } finally {
      peer.hangUp();
    }
  };
}

/** Brings events until one is heard: a subscription may take a moment to begin. */
export async function hearEvent(peer, server, id) {
  for (let tries = 0; tries < 5; tries++) {
    await server.bringEvent();
    const find = () => peer.heard.find((m) => m.type !== "pong" && m.id === id);
    await peer.until(find, patience / 5);
    if (find()) break;
  }
  await peer.settle(); // what was brought too often
}
