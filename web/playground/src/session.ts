import { identify, NoDevelopmentSignIn, requestToken, socketURL, TokenRefused, type Viewer } from "./server";
import { type Connection, Socket } from "./socket";

/** What the page shows of the sign-in. */
export interface SessionState {
  phase: "signed-out" | "signing-in" | "signed-in";
  viewer: Viewer | null;
  /** The id of the room `general`, once known. */
  roomId: string | null;
  connection: Connection;
  /** Why signing in failed, as a sentence; empty when it didn't. */
  problem: string;
  /** Whether the server is thought to hand out tokens for a name; if not, one has to be pasted. */
  development: boolean;
}

/** The token outlives a reload of the page and belongs to one browser tab: two tabs can be two people. */
const tokenKey = "parley:token";

const off: Connection = { state: "off", detail: "" };

/**
 * Who this browser tab is signed in as: one token, and the socket that was opened with it. A store for React's
 * `useSyncExternalStore`.
 */
export class Session {
  #state: SessionState = {
    phase: "signed-out",
    viewer: null,
    roomId: null,
    connection: off,
    problem: "",
    development: true,
  };
  #token: string | null = null;
  #socket: Socket | null = null;
  readonly #listeners = new Set<() => void>();

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  readonly state = (): SessionState => this.#state;

  /** The token for requests; null when signed out. */
  get token(): string | null {
    return this.#token;
  }

  /** The socket for subscriptions; null when signed out. */
  get socket(): Socket | null {
    return this.#socket;
  }

  /** Signs in again with the token that this browser tab had before it was reloaded, if any. */
  async restore(): Promise<void> {
    const token = sessionStorage.getItem(tokenKey);
    if (token) await this.#attempt(() => this.#adopt(token));
  }

  /** Signs in by name, as development mode lets anybody. */
  signIn(user: string, name: string): Promise<void> {
    return this.#attempt(async () => this.#adopt(await requestToken(user, name)));
  }

  /** Signs in with a token from elsewhere. */
  signInWithToken(token: string): Promise<void> {
    return this.#attempt(() => this.#adopt(token.trim().replace(/^Bearer\s+/i, "")));
  }

  /** Ends the running subscriptions and forgets the token. */
  signOut(): void {
    sessionStorage.removeItem(tokenKey);
    this.#drop("Signed out: this subscription has ended.");
  }

  async #attempt(act: () => Promise<void>): Promise<void> {
    this.#set({ phase: "signing-in", problem: "" });
    try {
      await act();
    } catch (failure) {
      if (failure instanceof TokenRefused) sessionStorage.removeItem(tokenKey);
      this.#set({ phase: "signed-out", ...problemOf(failure) });
    }
  }

  async #adopt(token: string): Promise<void> {
    const { viewer, roomId } = await identify(token);
    sessionStorage.setItem(tokenKey, token);
    this.#drop(`Signed in as ${viewer.name}: the subscription from before has ended.`);
    this.#token = token;
    this.#socket = new Socket(socketURL(), token, (connection) => this.#set({ connection }));
    this.#set({ phase: "signed-in", viewer, roomId });
  }

  #drop(why: string): void {
    this.#socket?.close(why);
    this.#socket = null;
    this.#token = null;
    this.#set({ phase: "signed-out", viewer: null, roomId: null, connection: off, problem: "" });
  }

  #set(change: Partial<SessionState>): void {
    this.#state = { ...this.#state, ...change };
    for (const listener of this.#listeners) listener();
  }
}

function problemOf(failure: unknown): Partial<SessionState> {
  if (failure instanceof NoDevelopmentSignIn) {
    return { development: false, problem: "This server is not in development mode. Paste a token instead." };
  }
  return { problem: failure instanceof Error ? failure.message : String(failure) };
}
