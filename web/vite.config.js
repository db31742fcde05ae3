import { defineConfig } from "vite";

// Addresses are relative, so that the page works below any path: `view` puts a token there.
export default defineConfig({
  base: "./",
  build: { target: "es2022", assetsInlineLimit: 0, modulePreload: { polyfill: false }, sourcemap: false },
});
