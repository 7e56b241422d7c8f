// Bundles src/ and writes the result as C++ source: node build.mjs OUT.cc [FOLDER]. With FOLDER the files go there too.
//
// Names of scripts and styles carry a hash of their content, so that browsers may keep them for ever.

import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const outFile = process.argv[2];
const outFolder = process.argv[3];
if (!outFile) throw new Error("usage: node build.mjs OUT.cc [FOLDER]");

async function bundle(entry, extra) {
  const result = await build({
    entryPoints: [join(here, entry)], bundle: true, minify: true, write: false, outfile: "out", legalComments: "inline",
    target: ["es2020", "chrome100", "firefox100", "safari15"], logLevel: "warning", absWorkingDir: here, ...extra,
  });
  return Buffer.from(result.outputFiles[0].contents);
}

const hash = (content) => createHash("sha256").update(content).digest("hex").slice(0, 12);

const script = await bundle("src/main.ts", { format: "iife" });
const style = await bundle("src/app.css", {});
const icon = readFileSync(join(here, "src/favicon.svg"));
const named = [
  { from: "/assets/app.js", to: `/assets/app-${hash(script)}.js`, type: "text/javascript; charset=utf-8", content: script },
  { from: "/assets/app.css", to: `/assets/app-${hash(style)}.css`, type: "text/css; charset=utf-8", content: style },
  { from: "/assets/favicon.svg", to: `/assets/favicon-${hash(icon)}.svg`, type: "image/svg+xml", content: icon },
];
let page = readFileSync(join(here, "src/index.html"), "utf8");
for (const { from, to } of named) {
  if (page.split(from).length !== 2) throw new Error(`src/index.html must name ${from} once`);
  page = page.replace(from, to);
}
const assets = [
  { to: "/", type: "text/html; charset=utf-8", content: Buffer.from(page) },
  ...named,
];

// Octal escapes: three digits each, so that no following character can join them.
function literal(content) {
  const lines = [];
  for (let at = 0; at < content.length; at += 100) {
    let line = "";
    for (const byte of content.subarray(at, at + 100)) {
      const char = String.fromCharCode(byte);
      line += /[A-Za-z0-9 .,;:(){}<>=+*/&|!#$%'_-]/.test(char) ? char : `\\${byte.toString(8).padStart(3, "0")}`;
    }
    lines.push(`    "${line}"`);
  }
  return lines.join("\n");
}

const source = `// Generated from router/web/src.
#include "router/web/web_assets.h"

namespace shoal {

const WebAsset kWebAssets[] = {
${assets.map(({ to, type, content }) =>
    `  {"${to}", "${type}", "${hash(content)}", absl::string_view(\n${literal(content)}, ${content.length})},`).join("\n")}
};
const size_t kWebAssetCount = ${assets.length};

}  // namespace shoal
`;
mkdirSync(dirname(outFile), { recursive: true });
writeFileSync(outFile, source);
if (outFolder) {
  for (const { to, content } of assets) {
    const file = join(outFolder, to === "/" ? "index.html" : to);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, content);
  }
}
const total = assets.reduce((sum, { content }) => sum + content.length, 0);
console.log(`web page: ${assets.length} files, ${total} bytes`);
