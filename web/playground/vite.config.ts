import react from "@vitejs/plugin-react";
import { gzipSync } from "fflate";
import { defineConfig, type Plugin } from "vite";

/** A Parley server for `npm run dev`, which serves the page itself and passes the rest on. */
const server = "http://127.0.0.1:8080";

export default defineConfig({
  base: "/playground/",
  plugins: [react(), gzipAssets()],
  build: {
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 4096,
    license: { fileName: "licenses.md" },
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    rolldownOptions: { checks: { moduleLevelDirective: false } }, // React libraries are full of "use client"
  },
  worker: { format: "es" },
  server: {
    proxy: { "/graphql": { target: server, ws: true }, "/dev": server },
  },
});

/**
 * Replaces every built file but index.html by its gzip form, which is what the repository keeps and the server sends.
 * The compressor is written in JavaScript and leaves no time or platform in its output, so that a rebuild gives the
 * same bytes on every machine.
 */
function gzipAssets(): Plugin {
  return {
    name: "parley:gzip-assets",
    apply: "build",
    generateBundle: {
      order: "post",
      handler(_options, bundle) {
        for (const [fileName, file] of Object.entries(bundle)) {
          if (fileName === "index.html") continue;
          const content = file.type === "chunk" ? file.code : file.source;
          const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
          delete bundle[fileName];
          this.emitFile({
            type: "asset",
            fileName: `${fileName}.gz`,
            source: gzipSync(bytes, { level: 9, mtime: 0 }),
          });
        }
      },
    },
  };
}
