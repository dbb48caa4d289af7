// Asks servers how well they keep to the protocols, and prints one table:
//
//   node main.mjs [--strict] [name=]url …
//
// It ends with 1 if the first server has a line wrong, with --strict also if one couldn't be judged.
import { lines as http } from "./audits.mjs";
import { lines as clients } from "./clients.mjs";
import { lines as multipart } from "./multipart.mjs";
import { Server } from "./server.mjs";
import { lines as single } from "./single.mjs";
import { lines as sse } from "./sse.mjs";
import { format } from "./table.mjs";
import { lines as websocket } from "./websocket.mjs";

const groups = [
  { name: "GraphQL over HTTP (the audits of graphql-http)", lines: http },
  { name: "graphql-transport-ws", lines: websocket },
  { name: "graphql-sse, distinct connections", lines: sse },
  { name: "graphql-sse, single connection", lines: single },
  { name: "multipart responses, subscriptionSpec=1.0", lines: multipart },
  { name: "stock clients", lines: clients },
];

const strict = process.argv.includes("--strict");
const named = process.argv.slice(2).filter((argument) => !argument.startsWith("--"));
if (named.length === 0) {
  console.error("usage: node main.mjs [--strict] [name=]url …");
  process.exit(2);
}
const servers = await Promise.all(named.map((argument) => connect(argument)));
const judged = await Promise.all(servers.map(judge));
console.log(format(groups, servers, judged));
const wrong = judged[0].flat().filter(({ right }) => right === false || (strict && right === undefined));
process.exit(wrong.length > 0 ? 1 : 0);

async function connect(argument) {
  const [, name, url] = /^(?:([^=/]+)=)?(.+)$/.exec(argument);
  try {
    return await Server.prepare(name ?? new URL(url).host, url);
  } catch (failure) {
    console.error(`${url} doesn't answer: ${failure.cause?.message ?? failure.message}`);
    process.exit(2);
  }
}

/** What a server did, by group and line: one line after the other, so that each is alone on the server. */
async function judge(server) {
  const verdicts = [];
  for (const { lines } of groups) {
    const group = [];
    for (const line of lines) group.push(await verdict(line, server));
    verdicts.push(group);
  }
  return verdicts;
}

/** A line that can't be judged on a server returns undefined. */
async function verdict(line, server) {
  let got;
  try {
    got = await line.probe(server);
  } catch (failure) {
    got = failure.cause?.message ?? failure.message;
  }
  return { got, right: got === undefined ? undefined : got === line.want };
}
