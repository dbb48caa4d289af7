// A browser tab that shows the playground, in the words of a person who uses it.
import { EventEmitter, once } from "node:events";

/** How long to wait for a fact, in milliseconds. */
export const patience = 30_000;

export class Tab {
  /** Addresses of all that the tab asked for, sockets included. */
  addresses = [];
  /** What went wrong inside: errors, warnings, violations of the content security policy. */
  problems = [];
  /** What the browser may complain of for now, since the test brings it about; null for nothing. */
  expected = null;
  #frames = [];
  #arrivals = new EventEmitter();

  constructor(page) {
    this.page = page;
    page.setDefaultTimeout(patience);
    page.on("request", (request) => this.addresses.push(request.url()));
    page.on("pageerror", (error) => this.problems.push(`error: ${error.stack}`));
    page.on("console", (line) => this.#console(line));
    page.on("websocket", (socket) => this.#socket(socket));
  }

  #console(line) {
    const bad = ["error", "warning"].includes(line.type());
    if (bad && !this.expected?.test(line.text())) this.problems.push(line.text());
  }

  #socket(socket) {
    const keep = (sent) => (frame) => {
      this.#frames.push({ sent, ...JSON.parse(frame.payload) });
      this.#arrivals.emit("frame");
    };
    this.addresses.push(socket.url());
    socket.on("framesent", keep(true));
    socket.on("framereceived", keep(false));
  }

  /** The results that sockets brought, over all reconnections. */
  get results() {
    return this.#frames.filter((frame) => !frame.sent && frame.type === "next").map((frame) => frame.payload);
  }

  /** What was asked for over sockets: once for each subscription and each reconnection. */
  get requests() {
    return this.#frames
      .filter((frame) => frame.sent && frame.type === "subscribe")
      .map((frame) => frame.payload);
  }

  get signInBox() {
    return this.page.getByTestId("sign-in");
  }

  /** The token that the tab keeps, null for none. */
  get token() {
    return this.page.evaluate(() => sessionStorage.getItem("parley:token"));
  }

  async open(address) {
    await this.page.goto(address);
    await this.signInBox.waitFor();
  }

  async signIn(user, name) {
    await this.page.getByTestId("sign-in-user").fill(user);
    await this.page.getByTestId("sign-in-name").fill(name);
    await this.page.getByTestId("sign-in-submit").click();
    await this.signedInAs(user);
  }

  /** Waits until the page says who is signed in and that its socket is open. */
  async signedInAs(user) {
    await this.page.locator(`[data-testid=viewer][data-user="${user}"]`).waitFor();
    await this.connectionIs("connected");
  }

  /** Tries a token that is no good, and goes back to names. */
  async signInInVain(token) {
    this.expected = /^Failed to load resource: .* 401/;
    await this.page.getByTestId("sign-in-switch").click();
    await this.page.getByTestId("sign-in-token").fill(token);
    await this.page.getByTestId("sign-in-submit").click();
    await this.page.getByTestId("sign-in-problem").waitFor();
    await this.page.getByTestId("sign-in-switch").click();
    this.expected = null;
  }

  async signOut() {
    await this.page.getByTestId("sign-out").click();
    await this.signInBox.waitFor();
    await this.connectionIs("off");
  }

  async connectionIs(state) {
    await this.page.locator(`[data-testid=connection][data-state=${state}]`).waitFor();
  }

  /** Runs an operation of the playground with the variables that it comes with. */
  async run(operation) {
    await this.page.bringToFront();
    await this.page.locator(`button.graphiql-tab-button[title=${operation}]`).click();
    await this.#text(".graphiql-query-editor").filter({ hasText: operation }).waitFor();
    const variables = this.#text("section[aria-label=Variables] .graphiql-editor:not(.hidden)");
    await variables.filter({ hasNotText: "sign in" }).waitFor(); // where the room's id will stand
    await this.page.locator(".graphiql-execute-button").click();
  }

  /** Runs MessageAdded, and waits until the server has told where it begins. */
  async follow() {
    const before = this.#frames.length;
    await this.run("MessageAdded");
    const begun = (frame) => !frame.sent && frame.type === "ping" && frame.payload?.cursors;
    while (!this.#frames.slice(before).some(begun)) {
      await once(this.#arrivals, "frame", { signal: AbortSignal.timeout(patience) });
    }
  }

  /** Waits until the response shows a text. */
  async shows(text) {
    await this.#text(".graphiql-response").filter({ hasText: text }).waitFor();
  }

  /** The text of an editor of GraphiQL. */
  #text(editor) {
    return this.page.locator(`${editor} .view-lines`);
  }

  /** Cuts the tab off the network, or lets it back. */
  async setOffline(offline) {
    this.devtools ??= await this.page.context().newCDPSession(this.page);
    const conditions = { offline, latency: 0, downloadThroughput: -1, uploadThroughput: -1 };
    await this.devtools.send("Network.emulateNetworkConditions", conditions);
  }
}
