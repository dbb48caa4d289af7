// The playground in a real browser: two tabs, two people, one room, and a server that dies in between.
import assert from "node:assert/strict";
import { chromium } from "playwright-core";
import { ask, leave, settings } from "./script.mjs";
import { Tab } from "./tab.mjs";

const flags = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

const browser = await chromium.launchPersistentContext(settings.profile, {
  executablePath: settings.chromium,
  headless: true,
  args: flags,
  viewport: { width: 1440, height: 810 },
  colorScheme: "light",
});
try {
  await visit(browser);
} catch (failure) {
  for (const page of browser.pages()) console.error(await page.locator("body").innerText());
  throw failure;
} finally {
  await browser.close();
  leave();
}

async function visit(browser) {
  const ada = new Tab(browser.pages()[0]);
  const bob = new Tab(await browser.newPage());
  await signIn(ada, bob);
  await converse(ada, bob);
  await surviveRestart(ada, bob);
  await reload(ada, bob);
  await compress(await browser.newPage(), ada);
  const stranger = new Tab(await browser.newPage());
  await stranger.open(settings.page);
  assert.equal(await stranger.token, null, "a new tab is signed in");
  const tokens = [await ada.token, await bob.token];
  await signOut(ada);
  for (const tab of [ada, bob, stranger]) await checkDiscretion(tab, tokens);
}

async function signIn(ada, bob) {
  await Promise.all([ada.open(settings.page), bob.open(settings.page)]);
  await bob.signInInVain("no.such.token");
  await ada.signIn("ada", "Ada Lovelace");
  await bob.signIn("bob", "Bob");
  await ada.run("FindGeneral");
  await ada.shows('"name": "general"');
  for (const tab of [ada, bob]) {
    await tab.run("JoinRoom");
    await tab.shows('"role": "MEMBER"');
  }
}

/** What one tab sends arrives in the other. */
async function converse(ada, bob) {
  await ada.follow();
  await bob.run("SendMessage");
  await bob.shows('"content": "Hello from the playground"');
  await ada.shows('"content": "Hello from the playground"');
  await ada.shows('"name": "Bob"');
  await ada.page.screenshot({ path: settings.screenshot });
}

/** A message sent between the server's restart and the tab's return arrives, and nothing twice. */
async function surviveRestart(ada, bob) {
  for (const tab of [ada, bob]) tab.expected = /^WebSocket connection to '[^']+' failed/;
  await ada.setOffline(true);
  await ask("kill");
  await ada.connectionIs("reconnecting");
  await ask("restart");
  await bob.run("SendMessage");
  await bob.shows('"seq": 2');
  await ada.setOffline(false);
  await ada.shows('"seq": 2');
  for (const tab of [ada, bob]) {
    await tab.connectionIs("connected");
    tab.expected = null;
  }

  await bob.run("SendMessage");
  await ada.shows('"seq": 3');
  const seqs = ada.results.map((result) => result.data.messageAdded.seq);
  assert.deepEqual(seqs, [1, 2, 3], "what arrived");
  assert.equal(ada.requests.length, 2, "the subscription was sent twice");
  assert.equal(ada.requests[0].extensions, undefined);
  assert.equal(ada.requests[1].extensions.resume, ada.results[0].extensions.cursor, "where it went on");
}

/** Each tab stays its own person. */
async function reload(ada, bob) {
  await Promise.all([ada.page.reload(), bob.page.reload()]);
  await ada.signedInAs("ada");
  await bob.signedInAs("bob");
}

/** The browser offers compression by itself, and reads events and results that are long enough for it. */
async function compress(page, ada) {
  await page.goto(settings.page);
  const told = await page.evaluate(converseCompressed, { token: await ada.token, room: ada.requests[0].variables.roomId });
  assert.match(told.extensions, /^permessage-deflate; *server_no_context_takeover; *client_no_context_takeover$/);
  assert.equal(told.event.h, "Who is there?");
  assert(told.types.length > 50);
  await page.close();
}

/** Runs in the page: follows a room, sends to it, and asks for much. */
function converseCompressed({ token, room }) {
  const fields = Array.from("abcdefghijkl", (alias) => `${alias}: content`).join(" ");
  const socket = new WebSocket(`ws://${location.host}/graphql`, "graphql-transport-ws");
  const say = (type, payload, id) => socket.send(JSON.stringify({ type, payload, id }));
  const ask = (id, query) => say("subscribe", { query }, id);
  const told = {};
  return new Promise((done, fail) => {
    socket.onopen = () => say("connection_init", { Authorization: `Bearer ${token}` });
    socket.onclose = ({ code, reason }) => fail(new Error(`closed: ${code} ${reason}`));
    socket.onmessage = ({ data }) => {
      const { type, id, payload } = JSON.parse(data);
      if (type === "connection_ack") ask("event", `subscription { messageAdded(roomId: "${room}") { ${fields} } }`);
      if (type === "ping") {
        ask("sent", `mutation { sendMessage(input: { roomId: "${room}", content: "Who is there?" }) { message { id } } }`);
      }
      if (type === "error") fail(new Error(data));
      if (type === "next" && id === "event") {
        told.event = payload.data.messageAdded;
        ask("types", "{ __schema { types { name description } } }");
      }
      if (type === "next" && id === "types") {
        done({ ...told, types: payload.data.__schema.types, extensions: socket.extensions });
        socket.onclose = null;
        socket.close();
      }
    };
  });
}

async function signOut(ada) {
  await ada.follow();
  await ada.signOut();
  await ada.shows("Signed out: this subscription has ended.");
  await ada.page.locator('.graphiql-execute-button[aria-label^="Execute"]').waitFor();
  assert.equal(await ada.token, null, "the token is forgotten");
}

/** Nothing went wrong, nobody else was asked for anything, and nothing outside the tab tells a token. */
async function checkDiscretion(tab, tokens) {
  assert.deepEqual(tab.problems, []);
  const { host } = new URL(settings.page);
  const asked = tab.addresses.filter((address) => !address.startsWith("data:"));
  const foreign = asked.filter((address) => new URL(address).host !== host);
  assert.deepEqual(foreign, [], "requests to other hosts");
  const shared = await tab.page.evaluate(() => JSON.stringify(localStorage));
  for (const text of [...tab.addresses, shared]) {
    for (const token of tokens) assert(!text.includes(token.split(".")[2]), `${text} tells a token`);
  }
}
