import { defineConfig } from "vite";

// Relative addresses let the page be served under any prefix.
export default defineConfig({
  base: "./",
  build: {
    target: "es2022",
    // MapLibre is one library of about 1 MB that loads after the page is usable.
    chunkSizeWarningLimit: 1400,
    assetsInlineLimit: 2048,
  },
  server: {
    proxy: Object.fromEntries(
      ["/stac", "/tiles", "/data", "/config.json"].map((path) => [path, "http://127.0.0.1:8000"]),
    ),
  },
});
