// The calls that Edda makes of an OpenAI-compatible service, made by the openai package:
//   node openai.mjs BASE_URL KEY < requests.json      [{"api": "embeddings"|"chat", "body": {...}}]
// Bodies are given to the package as they are; what it adds, and its headers, is its own.
import { readFileSync } from "node:fs";
import OpenAI from "openai";

const [baseURL, apiKey] = process.argv.slice(2);
const client = new OpenAI({ baseURL, apiKey, maxRetries: 0 });
for (const { api, body } of JSON.parse(readFileSync(0, "utf8"))) {
  if (api === "embeddings") {
    const answer = await client.embeddings.create(body);
    console.log(answer.data.length, answer.data[0].embedding.length);
  } else {
    let text = "";
    for await (const chunk of await client.chat.completions.create(body)) {
      text += chunk.choices[0]?.delta?.content ?? "";
    }
    console.log(text.length);
  }
}
