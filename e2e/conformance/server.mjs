// A server under test: where it is, how to sign in, and which operations to probe it with.

/** How long to wait for what must come, in milliseconds. */
export const patience = seconds("PATIENCE", 5);

/** For how long nothing more may come, to believe that it doesn't. */
export const settling = 300;

/** A server's own times, which probes wait for: the longest time for connection_init, and between heartbeats. */
export const initTimeout = seconds("INIT_TIMEOUT", 15);
export const heartbeat = seconds("HEARTBEAT", 15);

function seconds(name, otherwise) {
  return 1000 * Number(process.env[name] ?? otherwise);
}

export const sleep = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

export class Server {
  static async prepare(name, url) {
    const server = new Server();
    server.name = name;
    server.url = url;
    await fetch(url, { signal: AbortSignal.timeout(patience) }); // whatever the answer
    server.token = process.env.TOKEN ?? (await signIn(url));
    server.query = process.env.QUERY ?? "{ __typename }";
    server.mutation = process.env.MUTATION ?? "mutation { __typename }";
    server.subscription = process.env.SUBSCRIPTION;
    server.trigger = process.env.TRIGGER;
    if (server.subscription === undefined) await server.findSubscription();
    return server;
  }

  get socketURL() {
    return this.url.replace(/^http/, "ws");
  }

  get headers() {
    return this.token === undefined ? {} : { authorization: `Bearer ${this.token}` };
  }

  /** The payload of connection_init. */
  get credentials() {
    return this.token === undefined ? undefined : { Authorization: `Bearer ${this.token}` };
  }

  /** The result of an operation by POST. */
  async ask(query, variables) {
    const response = await fetch(this.url, {
      method: "POST",
      headers: { "content-type": "application/json", accept: "application/json", ...this.headers },
      body: JSON.stringify({ query, variables }),
      signal: AbortSignal.timeout(patience),
    });
    return response.json();
  }

  /** Has the subscription bring an event, if that takes something. */
  async bringEvent() {
    if (this.trigger !== undefined) await this.ask(this.trigger);
  }

  /** A room of its own on a server with Parley's schema, else a subscription that needs no arguments. */
  async findSubscription() {
    const made = await this.ask(
      'mutation { createRoom(input: {name: "Conformance"}) { room { id } } }',
    ).catch(() => ({}));
    const room = made.data?.createRoom?.room.id;
    if (room === undefined) {
      this.subscription = await this.askForSubscription();
      return;
    }
    this.subscription = `subscription { messageAdded(roomId: "${room}") { content } }`;
    this.trigger = `mutation { sendMessage(input: {roomId: "${room}", content: "Hi"}) { message { content } } }`;
  }

  async askForSubscription() {
    const known = await this.ask(`{ __schema { subscriptionType { fields {
      name args { defaultValue type { kind } } type { kind ofType { kind ofType { kind ofType { kind } } } }
    } } } }`).catch(() => ({}));
    const fields = known.data?.__schema?.subscriptionType?.fields ?? [];
    const field = fields.find(({ args }) =>
      args.every((a) => a.type.kind !== "NON_NULL" || a.defaultValue !== null),
    );
    return field && `subscription { ${field.name}${isLeaf(field.type) ? "" : " { __typename }"} }`;
  }
}

function isLeaf(type) {
  return type.ofType ? isLeaf(type.ofType) : type.kind === "SCALAR" || type.kind === "ENUM";
}

/** A token of Parley's development sign-in, where there is one. */
async function signIn(url) {
  try {
    const response = await fetch(new URL("/dev/token", url), {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ user: "conformance", name: "Conformance" }),
      signal: AbortSignal.timeout(patience),
    });
    return response.ok ? (await response.json()).token : undefined;
  } catch {
    return undefined;
  }
}
